//! Attacks by safe code that suspends tasks inside calls of a hook. (Miri can't run them: stacks are switched.)

#![forbid(unsafe_code)]
#![cfg(not(miri))]

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::rc::{Rc, Weak};

use fibers::{Fiber, Pool, Progress, suspend};
use locks::hook::{self, Hook, Step, install, install_scoped};
use locks::{Clock, Ghost, Mutex, Object, Tracked, enter};

locks::hierarchy! { mod order { Only } }
use order::Only;

/// Suspends the task in every step, and looks at itself afterwards.
struct Suspends {
    name: String,
    steps: RefCell<Vec<&'static str>>,
}

impl Suspends {
    fn new(name: &str) -> Rc<Self> {
        Rc::new(Suspends { name: name.to_owned(), steps: RefCell::default() })
    }
}

impl Drop for Suspends {
    fn drop(&mut self) {
        // So that a use after it is one that can be seen.
        self.name.clear();
    }
}

impl Hook for Suspends {
    fn step(&self, step: Step) -> bool {
        suspend();
        assert!(!self.name.is_empty(), "it is gone");
        self.steps.borrow_mut().push(step.object.level);
        true
    }
    fn blocked(&self, _: Step) {
        suspend();
    }
    fn wait(&self, _: Step, _: Object) {
        suspend();
    }
    fn violation(&self, _: &'static str, _: String) {}
    fn claim_root(&self) -> bool {
        true
    }
    fn release_root(&self) {}
    fn exploring(&self) -> bool {
        true
    }
}

/// A task that is suspended inside a call of a hook which nobody else knows any more.
fn suspended(body: impl FnOnce() + 'static) -> (Fiber, Weak<Suspends>) {
    let hook = Suspends::new("hook");
    let weak = Rc::downgrade(&hook);
    let mut fiber = Pool::default().fiber(body);
    install(hook, || assert_eq!(fiber.resume(), Progress::Yielded));
    (fiber, weak)
}

#[test]
fn a_task_keeps_the_hook_in_which_it_is_suspended() {
    let (mut fiber, hook) = suspended(|| Clock::new(0).sleep(5));
    assert!(hook.upgrade().is_some());
    assert_eq!(fiber.resume(), Progress::Returned);
    assert!(hook.upgrade().is_none());
}

#[test]
fn an_unwound_task_lets_the_hook_go() {
    let (fiber, hook) = suspended(|| Clock::new(0).sleep(5));
    drop(fiber);
    assert!(hook.upgrade().is_none());
    let (fiber, hook) = suspended(|| {
        let lock = Mutex::<Only, _>::new(0, String::from("x"));
        enter(|held| drop(lock.lock(held)));
    });
    // Also while the thread that unwinds it is unwinding itself.
    let unwinds = catch_unwind(AssertUnwindSafe(|| {
        let _fiber = fiber;
        panic!("outside");
    }));
    assert!(unwinds.is_err());
    assert!(hook.upgrade().is_none());
}

#[test]
fn a_leaked_task_leaks_its_hook() {
    let (fiber, hook) = suspended(|| Clock::new(0).sleep(5));
    std::mem::forget(fiber);
    assert!(hook.upgrade().is_some());
    assert!(hook::with(|_| ()).is_none());
}

#[test]
fn a_task_goes_on_under_another_hook_or_none() {
    let lock = Rc::new(Mutex::<Only, _>::new(0, 0));
    let (mut fiber, first) = suspended({
        let lock = lock.clone();
        move || enter(|held| *lock.lock(held).0 += 1)
    });
    let second = Suspends::new("second");
    // It ends the step of the first hook, takes the lock, and announces the release to the second.
    install(second.clone(), || assert_eq!(fiber.resume(), Progress::Yielded));
    assert!(first.upgrade().is_none());
    assert_eq!(fiber.resume(), Progress::Returned);
    assert_eq!(*second.steps.borrow(), ["Only"]);
    enter(|held| assert_eq!(*lock.lock(held).0, 1));
}

#[test]
fn installs_of_suspended_tasks_may_end_in_any_order() {
    let pool = Pool::default();
    let task = |name: &'static str| {
        pool.fiber(move || {
            let hook = Suspends::new(name);
            let weak = Rc::downgrade(&hook);
            install(hook, suspend);
            assert!(weak.upgrade().is_none());
        })
    };
    let lent = || {
        pool.fiber(|| {
            let hook = Suspends::new("lent");
            install_scoped(&*hook, suspend);
            assert_eq!(Rc::strong_count(&hook), 1);
        })
    };
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut tasks = [task("one"), lent(), task("two")];
        for task in &mut tasks {
            assert_eq!(task.resume(), Progress::Yielded);
        }
        for index in order {
            assert!(hook::exploring());
            assert_eq!(tasks[index].resume(), Progress::Returned);
        }
        assert!(hook::with(|_| ()).is_none());
    }
}

/// Says how the task ended that is the second to reach an object, while the first is suspended inside it.
fn second(first: impl FnOnce() + 'static, second: impl FnOnce() + 'static) -> Option<String> {
    let pool = Pool::default();
    let hook = Suspends::new("hook");
    let (mut first, mut second) = (pool.fiber(first), pool.fiber(second));
    let ended = install(hook, || {
        // Its own step, and then the sleep inside.
        assert_eq!(first.resume(), Progress::Yielded);
        assert_eq!(first.resume(), Progress::Yielded);
        assert_eq!(second.resume(), Progress::Yielded);
        let ended = second.resume();
        assert_eq!(first.resume(), Progress::Returned);
        ended
    });
    match ended {
        Progress::Panicked(panic) => Some(panic.message),
        _ => None,
    }
}

#[test]
fn a_task_suspended_in_an_update_keeps_others_out() {
    let ghost = Rc::new(Ghost::new("ghost", 0, vec![1, 2, 3]));
    let other = ghost.clone();
    let sleeps = move || {
        ghost.update(|value| {
            let first = &mut value[0];
            Clock::new(0).sleep(5);
            *first = 7;
        });
    };
    let refused = second(sleeps, move || other.update(|value| *value = Vec::new()));
    assert!(refused.unwrap().contains("is updated while it is being updated"));
}

#[test]
fn a_task_suspended_in_an_access_keeps_writers_out() {
    let data = Rc::new(Tracked::new("data", 0, vec![1, 2, 3]));
    let access = |write: bool, sleep: bool| {
        let data = data.clone();
        let nap = move || {
            if sleep {
                Clock::new(0).sleep(5);
            }
        };
        move || if write { data.with_mut(|_| nap()) } else { data.with(|_| nap()) }
    };
    let refused = "is written while it is being read or written";
    assert!(second(access(true, true), access(true, false)).unwrap().contains(refused));
    assert!(second(access(false, true), access(true, false)).unwrap().contains(refused));
    assert!(
        second(access(true, true), access(false, false))
            .unwrap()
            .contains("is read while it is being written")
    );
    assert_eq!(second(access(false, true), access(false, false)), None);
}

#[test]
fn an_unwound_update_is_over() {
    let ghost = Rc::new(Ghost::new("ghost", 0, 0));
    let hook = Suspends::new("hook");
    let sleeper = ghost.clone();
    let mut fiber = Pool::default().fiber(move || sleeper.update(|_| Clock::new(0).sleep(5)));
    install(hook, || {
        fiber.resume();
        fiber.resume();
        drop(fiber);
    });
    let seen = Rc::new(Cell::new(false));
    let (says, hook) = (seen.clone(), Suspends::new("hook"));
    let mut next = Pool::default().fiber(move || ghost.update(|_| says.set(true)));
    install(hook, || while next.resume() == Progress::Yielded {});
    assert!(seen.get());
}

/// Set in the process that is to be aborted.
const CHILD: &str = "LOCKS_TEST_LEAVES_A_LOAN";

#[test]
fn a_loan_that_ends_with_a_call_left_aborts() {
    let lend = || {
        let hook = Suspends::new("hook");
        let mut fiber = Pool::default().fiber(|| Clock::new(0).sleep(5));
        install_scoped(&*hook, || fiber.resume());
        drop(hook);
        fiber.resume();
    };
    if std::env::var_os(CHILD).is_some() {
        let _ = catch_unwind(AssertUnwindSafe(lend));
        return;
    }
    let itself = std::env::current_exe().unwrap();
    let output = Command::new(itself)
        .args(["--exact", "a_loan_that_ends_with_a_call_left_aborts", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("`install_scoped` returns while a task is suspended inside a call"), "{said}");
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(output.status.signal(), Some(6), "aborted: {:?}", output.status);
}

#[test]
fn a_loan_whose_tasks_have_ended_is_fine() {
    let hook = Suspends::new("hook");
    let pool = Pool::default();
    install_scoped(&*hook, || {
        let mut ends = pool.fiber(|| Clock::new(0).sleep(5));
        while ends.resume() == Progress::Yielded {}
        let mut unwound = pool.fiber(|| Clock::new(0).sleep(5));
        unwound.resume();
    });
    assert_eq!(Rc::strong_count(&hook), 1);
}
