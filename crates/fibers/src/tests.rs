use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::*;

#[test]
fn resume_runs_to_the_next_suspend_and_to_the_end() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let pool = Pool::default();
    let mut fiber = pool.fiber({
        let seen = seen.clone();
        move || {
            seen.borrow_mut().push(1);
            suspend();
            seen.borrow_mut().push(2);
        }
    });
    assert!(seen.borrow().is_empty());
    assert_eq!(fiber.resume(), Progress::Yielded);
    assert_eq!(*seen.borrow(), [1]);
    assert!(!fiber.ended());
    assert_eq!(fiber.resume(), Progress::Returned);
    assert_eq!(*seen.borrow(), [1, 2]);
    assert!(fiber.ended());
}

#[test]
fn stacks_are_used_again() {
    let pool = Pool::new(64 * 1024);
    for _ in 0..1000 {
        let mut fiber = pool.fiber(|| ());
        fiber.resume();
    }
    assert_eq!(pool.idle(), 1);
}

#[test]
fn a_panic_ends_the_fiber_with_its_text() {
    let pool = Pool::default();
    let mut fiber = pool.fiber(|| panic!("number {}", 7));
    let Progress::Panicked(panic) = fiber.resume() else { panic!("it panics") };
    assert_eq!(panic.message, "number 7");
    assert!(panic.at.as_deref().unwrap().contains("tests.rs:"), "{panic}");
    assert!(fiber.ended());
}

#[test]
fn dropping_an_unfinished_fiber_drops_what_is_on_its_stack() {
    struct Guard(Rc<Cell<u32>>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            suspend(); // no effect while unwinding
        }
    }
    let dropped = Rc::new(Cell::new(0));
    let pool = Pool::default();
    let mut started = pool.fiber({
        let guard = Guard(dropped.clone());
        move || {
            let _guard = guard;
            suspend();
            unreachable!("it is unwound before");
        }
    });
    assert_eq!(started.resume(), Progress::Yielded);
    drop(started);
    assert_eq!(dropped.get(), 1);

    let never = pool.fiber({
        let guard = Guard(dropped.clone());
        move || drop(guard)
    });
    // Dropped outside a panic: the destructor's `suspend` would panic there, so look inside another fiber.
    let mut outer = pool.fiber(move || drop(never));
    while outer.resume() == Progress::Yielded {}
    assert_eq!(dropped.get(), 2);
}

#[test]
fn unwinding_can_be_caught_but_not_escaped() {
    let pool = Pool::default();
    let mut fiber = pool.fiber(|| {
        let _ = std::panic::catch_unwind(suspend);
        suspend();
        unreachable!("the second suspend unwinds again");
    });
    assert_eq!(fiber.resume(), Progress::Yielded);
    fiber.unwind();
    assert!(fiber.ended());
    fiber.unwind();
}

#[test]
fn fibers_nest() {
    let pool = Pool::default();
    let order = Rc::new(RefCell::new(String::new()));
    let mut outer = pool.fiber({
        let (pool, order) = (pool.clone(), order.clone());
        move || {
            let mut inner = pool.fiber({
                let order = order.clone();
                move || {
                    order.borrow_mut().push('b');
                    suspend();
                    order.borrow_mut().push('d');
                }
            });
            order.borrow_mut().push('a');
            inner.resume();
            order.borrow_mut().push('c');
            suspend();
            inner.resume();
            order.borrow_mut().push('e');
        }
    });
    assert_eq!(outer.resume(), Progress::Yielded);
    assert_eq!(*order.borrow(), "abc");
    assert_eq!(outer.resume(), Progress::Returned);
    assert_eq!(*order.borrow(), "abcde");
    assert!(!in_fiber());
}

#[test]
#[should_panic(expected = "outside a fiber")]
fn suspend_outside_a_fiber_panics() {
    suspend();
}

#[test]
#[should_panic(expected = "has ended")]
fn an_ended_fiber_is_not_resumed() {
    let pool = Pool::default();
    let mut fiber = pool.fiber(|| ());
    fiber.resume();
    fiber.resume();
}

#[test]
fn deep_code_fits_the_default_stack() {
    fn deep(n: u32) -> u32 {
        let here = std::hint::black_box([n; 64]);
        if n == 0 { 0 } else { deep(n - 1) + here[63].min(1) }
    }
    let pool = Pool::default();
    let mut fiber = pool.fiber(|| assert_eq!(deep(300), 300));
    assert_eq!(fiber.resume(), Progress::Returned);
}
