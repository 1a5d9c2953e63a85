use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
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
fn a_thread_uses_its_stacks_again() {
    let run = || {
        let mut fiber = Pool::of_thread(96 * 1024).fiber(|| ());
        assert_eq!(fiber.resume(), Progress::Returned);
    };
    run();
    let idle = Pool::of_thread(96 * 1024).idle();
    assert_eq!(idle, 1);
    run();
    assert_eq!(Pool::of_thread(96 * 1024).idle(), idle, "the same stack");
    assert_eq!(Pool::of_thread(32 * 1024).idle(), 0, "those of another size are others");
    let elsewhere = std::thread::spawn(|| Pool::of_thread(96 * 1024).idle()).join().expect("it ends");
    assert_eq!(elsewhere, 0, "those of another thread, too");
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
        let _ = catch_unwind(suspend);
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

/// Panics when it is dropped, but not inside a panic.
struct Bomb(Rc<Cell<u32>>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
        if !std::thread::panicking() {
            panic!("in a destructor");
        }
    }
}

#[test]
fn a_payload_whose_destructor_panics_stays_in_the_fiber() {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("in the payload's destructor");
            }
        }
    }
    let pool = Pool::default();
    let mut fiber = pool.fiber(|| std::panic::panic_any(Payload));
    let Progress::Panicked(panic) = fiber.resume() else { panic!("it panics") };
    assert_eq!(panic.message, "a panic without a text");
    drop((fiber, pool));
    // Nobody takes the fiber that is gone for the one that runs.
    assert!(!in_fiber());
    assert!(catch_unwind(suspend).is_err());
}

#[test]
fn a_closure_that_never_ran_is_dropped_once_though_its_destructor_panics() {
    let pool = Pool::default();
    let dropped = Rc::new(Cell::new(0));
    let captured = || (Bomb(dropped.clone()), Box::new(7));
    let fiber = |captured: (Bomb, Box<i32>)| pool.fiber(move || drop(captured));

    let mut unwound = fiber(captured());
    assert!(catch_unwind(AssertUnwindSafe(|| unwound.unwind())).is_err());
    assert_eq!(dropped.get(), 1);
    assert!(unwound.ended());
    drop(unwound);
    assert_eq!(dropped.get(), 1);

    let never = fiber(captured());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(never))).is_err());
    assert_eq!(dropped.get(), 2);
    assert!(!in_fiber());
}

#[test]
fn a_closure_may_be_large_and_aligned_to_anything() {
    #[derive(Clone, Copy)]
    #[repr(align(0x10_0000))]
    struct Aligned;
    let pool = Pool::default();
    let (aligned, large) = (Aligned, [7u8; DEFAULT_STACK / 16]);
    let neighbours: Vec<Fiber> = (0..8).map(|_| pool.fiber(suspend)).collect();
    let mut fiber = pool.fiber(move || {
        assert_eq!(std::ptr::from_ref(&aligned).addr() % 0x10_0000, 0);
    });
    assert_eq!(fiber.resume(), Progress::Returned);
    let mut fiber = pool.fiber(move || assert_eq!(std::hint::black_box(&large)[0], 7));
    assert_eq!(fiber.resume(), Progress::Returned);
    drop(neighbours);
}

#[test]
fn fibers_are_unwound_while_their_thread_unwinds() {
    let dropped = Rc::new(Cell::new(0));
    let pool = Pool::default();
    let guard = Bomb(dropped.clone());
    let mut fiber = pool.fiber(move || {
        let _guard = guard;
        suspend();
        unreachable!("it is unwound before");
    });
    fiber.resume();
    let outer = catch_unwind(AssertUnwindSafe(|| {
        let _fiber = fiber;
        panic!("outside");
    }));
    assert!(outer.is_err());
    assert_eq!(dropped.get(), 1);
    assert!(!std::thread::panicking());
    assert_eq!(pool.idle(), 1);
}

#[test]
fn fibers_end_with_their_thread() {
    thread_local! {
        static KEPT: RefCell<Vec<Fiber>> = const { RefCell::new(Vec::new()) };
    }
    let thread = std::thread::spawn(|| {
        let pool = Pool::default();
        let mut suspended = pool.fiber(|| {
            let _inner = Pool::default().fiber(|| ());
            suspend();
        });
        suspended.resume();
        KEPT.with_borrow_mut(|kept| kept.extend([suspended, pool.fiber(|| ())]));
    });
    thread.join().unwrap();
}

#[test]
fn a_fiber_may_be_resumed_by_another_than_before() {
    let pool = Pool::default();
    let order = Rc::new(RefCell::new(String::new()));
    let says = order.clone();
    let inner = Rc::new(RefCell::new(pool.fiber(move || {
        for letter in ['a', 'c', 'e'] {
            says.borrow_mut().push(letter);
            suspend();
        }
    })));
    let outer = |letter: char| {
        let (inner, order) = (inner.clone(), order.clone());
        pool.fiber(move || {
            inner.borrow_mut().resume();
            order.borrow_mut().push(letter);
            suspend();
        })
    };
    let (mut one, mut two) = (outer('b'), outer('d'));
    assert_eq!((one.resume(), two.resume()), (Progress::Yielded, Progress::Yielded));
    assert_eq!((one.resume(), two.resume()), (Progress::Returned, Progress::Returned));
    inner.borrow_mut().resume();
    assert_eq!(*order.borrow(), "abcde");
}

#[test]
fn a_closure_that_never_started_is_dropped_by_who_drops_its_fiber() {
    struct Where(Rc<Cell<Option<bool>>>);
    impl Drop for Where {
        fn drop(&mut self) {
            self.0.set(Some(in_fiber()));
        }
    }
    let dropped = Rc::new(Cell::new(None));
    let pool = Pool::default();
    let fiber = pool.fiber({
        let held = Where(dropped.clone());
        move || drop(held)
    });
    drop(fiber);
    assert_eq!(dropped.get(), Some(false), "not on the fiber's stack");
    assert_eq!(pool.idle(), 0, "it never took a stack");
}

#[test]
fn switching_keeps_what_lives_in_registers() {
    // Many values that live across a switch, whole and floating: more than any processor's saved registers.
    #[inline(never)]
    fn work(seed: u64) -> (u64, f64) {
        let mut whole: [u64; 24] = std::array::from_fn(|at| seed + at as u64);
        let mut parts: [f64; 24] = std::array::from_fn(|at| (seed + at as u64) as f64 / 8.0);
        for _ in 0..50 {
            suspend();
            for at in 0..24 {
                whole[at] = whole[at].rotate_left(7) ^ whole[(at + 1) % 24];
                parts[at] = parts[at] / 2.0 + parts[(at + 1) % 24];
            }
        }
        (whole.iter().fold(0, |sum, x| sum ^ x), parts.iter().sum())
    }
    let pool = Pool::default();
    let results: Vec<_> = (0..8).map(|_| Rc::new(Cell::new((0, 0.0)))).collect();
    let mut fibers: Vec<_> = (0..8_usize)
        .map(|at| {
            let result = results[at].clone();
            pool.fiber(move || result.set(work(at as u64)))
        })
        .collect();
    while !fibers.iter().all(Fiber::ended) {
        for fiber in fibers.iter_mut().filter(|fiber| !fiber.ended()) {
            fiber.resume();
        }
    }
    for (at, result) in results.iter().enumerate() {
        let mut alone = pool.fiber({
            let result = result.clone();
            move || assert_eq!(result.get(), work(at as u64))
        });
        while alone.resume() == Progress::Yielded {}
    }
    // The caller's own registers, too.
    let (kept, started) = (std::hint::black_box(0.375_f64), std::hint::black_box(77_u64));
    let mut last = pool.fiber(|| assert_ne!(work(5).0, 0));
    while last.resume() == Progress::Yielded {}
    assert_eq!((kept * started as f64).to_bits(), 28.875_f64.to_bits());
}

#[test]
fn a_panic_after_a_switch_unwinds_to_the_fibers_end_only() {
    let order = Rc::new(RefCell::new(Vec::new()));
    struct Guard(u32, Rc<RefCell<Vec<u32>>>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.1.borrow_mut().push(self.0);
        }
    }
    let pool = Pool::default();
    let mut outer = pool.fiber({
        let (pool, order) = (pool.clone(), order.clone());
        move || {
            let _outer = Guard(1, order.clone());
            let mut inner = pool.fiber(move || {
                let _first = Guard(3, order.clone());
                suspend();
                let _second = Guard(2, order.clone());
                panic!("after a switch");
            });
            assert_eq!(inner.resume(), Progress::Yielded);
            suspend();
            assert!(matches!(inner.resume(), Progress::Panicked(panic) if panic.message == "after a switch"));
            assert!(!std::thread::panicking());
            suspend();
        }
    });
    assert_eq!(outer.resume(), Progress::Yielded);
    assert_eq!(outer.resume(), Progress::Yielded);
    assert_eq!(*order.borrow(), [2, 3]);
    assert_eq!(outer.resume(), Progress::Returned);
    assert_eq!(*order.borrow(), [2, 3, 1]);
}
