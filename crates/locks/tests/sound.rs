//! Attacks by safe code; `docs/design/soundness-of-locks.md` lists them. Miri runs this file, too.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use locks::hook::{self, Hook, install, install_scoped};
use locks::{Condvar, Ghost, Mutex, RwLock, Tracked, Unordered, enter};

mod support;
use support::AtOnce;

locks::hierarchy! { mod order { Outer => Inner } }
use order::{Inner, Outer};

/// The panic's text, if it panics.
fn panics(f: impl FnOnce()) -> Option<String> {
    let payload = catch_unwind(AssertUnwindSafe(f)).err()?;
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
}

fn hooked<R>(f: impl FnOnce() -> R) -> R {
    install_scoped(&AtOnce::new(), f)
}

#[test]
#[cfg_attr(miri, ignore = "it runs the compiler")]
fn a_hook_cannot_be_kept() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/sound/hook_kept.rs");
    cases.compile_fail("tests/sound/hook_in_another_thread.rs");
    cases.compile_fail("tests/sound/shared_hook_that_borrows.rs");
    cases.compile_fail("tests/sound/guard_in_another_thread.rs");
    cases.compile_fail("tests/sound/shared_cell.rs");
}

#[test]
fn nested_ghost_update_panics() {
    let ghost = Ghost::new("ghost", 3, vec![1u64, 2, 3]);
    let text = panics(|| {
        hooked(|| {
            ghost.update(|outer| {
                let first = &mut outer[0];
                ghost.update(|inner| *inner = Vec::new());
                *first = 7;
            });
        });
    });
    assert!(text.unwrap().starts_with("the ghost `ghost` 3 is updated while it is being updated"));
    // The panic gave it back.
    hooked(|| ghost.update(|value| assert_eq!(*value, [1, 2, 3])));
}

#[test]
fn nested_tracked_with_mut_panics() {
    let data = Tracked::new("data", 3, vec![1u64, 2, 3]);
    let nested = |outer: fn(&Tracked<Vec<u64>>, &dyn Fn()), inner: fn(&Tracked<Vec<u64>>)| {
        let production = panics(|| outer(&data, &|| inner(&data)));
        let explored = panics(|| hooked(|| outer(&data, &|| inner(&data))));
        assert_eq!(production, explored);
        // Also after a panic it is free.
        data.with_mut(|value| assert_eq!(*value, [1, 2, 3]));
        production
    };
    let read = |data: &Tracked<Vec<u64>>| data.with(|_| ());
    let write = |data: &Tracked<Vec<u64>>| data.with_mut(|value| *value = Vec::new());
    let in_read = |data: &Tracked<Vec<u64>>, f: &dyn Fn()| data.with(|_| f());
    let in_write = |data: &Tracked<Vec<u64>>, f: &dyn Fn()| data.with_mut(|_| f());
    assert_eq!(nested(in_read, read), None);
    assert!(
        nested(in_write, write).unwrap().contains("`data` 3 is written while it is being read or written")
    );
    assert!(
        nested(in_read, write).unwrap().contains("`data` 3 is written while it is being read or written")
    );
    assert!(nested(in_write, read).unwrap().contains("`data` 3 is read while it is being written"));
}

#[test]
fn ghost_shared_by_two_hooked_threads_is_refused_or_counts() {
    const ROUNDS: u32 = if cfg!(miri) { 20 } else { 20_000 };
    let ghost = Ghost::new("ghost", 0, 0u32);
    let refused: u32 = thread::scope(|scope| {
        let count = || {
            hooked(|| (0..ROUNDS).filter(|_| panics(|| ghost.update(|value| *value += 1)).is_some()).count())
        };
        let threads = [scope.spawn(count), scope.spawn(count)];
        threads.into_iter().map(|thread| thread.join().unwrap() as u32).sum()
    });
    hooked(|| ghost.update(|value| assert_eq!(*value + refused, 2 * ROUNDS)));
}

#[test]
fn tracked_data_that_nothing_orders_is_refused_or_counts() {
    const ROUNDS: u32 = if cfg!(miri) { 20 } else { 20_000 };
    let data = Arc::new(Tracked::new("data", 0, 0u32));
    let count = || {
        let data = data.clone();
        thread::spawn(move || {
            (0..ROUNDS).filter(|_| panics(|| data.with_mut(|value| *value += 1)).is_some()).count() as u32
        })
    };
    let refused: u32 = [count(), count()].map(|thread| thread.join().unwrap()).iter().sum();
    assert_eq!(data.with(|value| *value) + refused, 2 * ROUNDS);
}

thread_local! {
    static GHOST: RefCell<Option<Rc<Ghost<Reenters>>>> = const { RefCell::new(None) };
}

/// A fingerprint that reaches its own object.
struct Reenters(Vec<u64>);

impl Hash for Reenters {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let first = &self.0[0];
        let ghost = GHOST.with_borrow(Clone::clone);
        if let Some(ghost) = ghost {
            ghost.update(|value| value.0 = Vec::new());
        }
        first.hash(state);
    }
}

#[test]
fn a_fingerprint_cannot_reach_the_value_that_it_reads() {
    let ghost = Rc::new(Ghost::new("ghost", 0, Reenters(vec![1])));
    GHOST.set(Some(ghost.clone()));
    let text = panics(|| hooked(|| ghost.update(|_| ())));
    GHOST.set(None);
    assert!(text.unwrap().contains("while it is being updated"));
}

/// A fingerprint that panics on request.
struct Trap(Rc<Cell<bool>>);

impl Hash for Trap {
    fn hash<H: Hasher>(&self, _: &mut H) {
        assert!(!self.0.replace(false), "the trap");
    }
}

#[test]
fn a_fingerprint_that_panics_releases_what_it_looks_at() {
    let trap = Rc::new(Cell::new(false));
    let mutex = Mutex::<Outer, _>::new(0, Trap(trap.clone()));
    let lock = RwLock::<Inner, _>::new(0, Trap(trap.clone()));
    let data = Tracked::new("data", 0, Trap(trap.clone()));
    let changed = Condvar::new("changed", 0);
    let set = || trap.set(true);
    let attacks: [&dyn Fn(); 8] = [
        &|| enter(|held| (set(), mutex.lock(held)).0),
        &|| {
            enter(|held| {
                let _guard = mutex.lock(held);
                set();
            })
        },
        &|| enter(|held| (set(), lock.read(held)).0),
        &|| {
            enter(|held| {
                let _guard = lock.write(held);
                set();
            })
        },
        &|| {
            enter(|held| {
                let (guard, _held) = mutex.lock(held);
                set();
                drop(changed.wait(guard));
            })
        },
        &|| (set(), data.with(|_| ())).0,
        &|| (set(), data.with_mut(|_| ())).0,
        &|| data.with_mut(|_| set()),
    ];
    for attack in attacks {
        assert_eq!(panics(|| hooked(attack)).as_deref(), Some("the trap"));
        enter(|held| {
            let (_guard, mut held) = mutex.try_lock(held).expect("released");
            assert!(lock.try_write(&mut held).is_some(), "released");
        });
        data.with_mut(|_| ());
    }
}

#[test]
fn hooks_come_and_go_in_the_life_of_a_guard() {
    let mutex = Mutex::<Outer, _>::new(0, String::from("a"));
    let lock = RwLock::<Inner, _>::new(0, String::from("b"));
    enter(|held| {
        let (guard, mut held) = mutex.lock(held);
        let (write, _held) = lock.write(&mut held);
        hooked(|| drop((guard, write)));
    });
    enter(|held| {
        let guards = hooked(|| {
            let (guard, mut held) = mutex.lock(held);
            let (read, _held) = lock.read(&mut held);
            drop(read);
            guard
        });
        drop(guards);
    });
    enter(|held| assert!(mutex.try_lock(held).is_some()));
}

/// Locks in its destructor, where the hook itself goes away.
struct Locks(Rc<Mutex<Outer, u32>>);

impl Drop for Locks {
    fn drop(&mut self) {
        enter(|held| *self.0.lock(held).0 += 1);
        hook::with(|_| unreachable!("it is no longer installed"));
    }
}

impl Hook for Locks {
    fn step(&self, _: hook::Step) -> bool {
        true
    }
    fn blocked(&self, _: hook::Step) {}
    fn wait(&self, _: hook::Step, _: locks::Object) {}
    fn violation(&self, _: &'static str, _: String) {}
    fn claim_root(&self) -> bool {
        true
    }
    fn release_root(&self) {}
    fn exploring(&self) -> bool {
        true
    }
}

#[test]
fn a_shared_hook_is_dropped_after_its_last_call_and_may_lock_then() {
    let mutex = Rc::new(Mutex::<Outer, _>::new(0, 0));
    let locks = Rc::new(Locks(mutex.clone()));
    let weak = Rc::downgrade(&locks);
    install(locks, || {
        hook::with(|_| assert!(weak.upgrade().is_some()));
        // Nested, also inside a call, and the outer one is back afterwards.
        hook::with(|outer| {
            hooked(|| hook::with(|inner| assert!(inner.wants_contents())));
            assert!(!outer.wants_contents());
        });
        assert_eq!(hook::with(|hook| hook.wants_contents()), Some(false));
    });
    assert!(weak.upgrade().is_none());
    enter(|held| assert_eq!(*mutex.lock(held).0, 1));
}

/// Calls the hook from a destructor of thread-local data.
struct AtExit(Rc<Mutex<Outer, u32>>);

impl Drop for AtExit {
    fn drop(&mut self) {
        enter(|held| *self.0.lock(held).0 += 1);
        hook::announce(|| ());
    }
}

#[test]
fn the_hook_can_be_asked_for_while_the_thread_ends() {
    thread_local! {
        static EARLY: RefCell<Option<AtExit>> = const { RefCell::new(None) };
        static LATE: RefCell<Option<AtExit>> = const { RefCell::new(None) };
    }
    let ends = || {
        let mutex = Rc::new(Mutex::<Outer, _>::new(0, 0));
        EARLY.set(Some(AtExit(mutex.clone())));
        install(Rc::new(AtOnce::new()), || LATE.set(Some(AtExit(mutex))));
    };
    thread::spawn(ends).join().unwrap();
}

#[test]
fn a_specimen_token_is_of_no_use_after_its_exploration() {
    let mutex = Mutex::<Outer, _>::new(0, 0);
    let lock = RwLock::<Inner, _>::new(0, 0);
    let token = hooked(Unordered::specimen);
    let attacks: [&dyn Fn(); 6] = [
        &|| drop(mutex.lock_unordered(&token)),
        &|| drop(mutex.try_lock_unordered(&token)),
        &|| drop(lock.read_unordered(&token)),
        &|| drop(lock.write_unordered(&token)),
        &|| drop(lock.try_read_unordered(&token)),
        &|| drop(lock.try_write_unordered(&token)),
    ];
    for attack in attacks {
        hooked(attack);
        assert!(panics(attack).unwrap().contains("only inside an exploration"));
    }
}

#[test]
fn a_condition_may_be_used_with_two_mutexes() {
    let (one, other) = (Mutex::<Outer, _>::new(0, 0), Mutex::<Inner, _>::new(0, 0));
    let changed = Condvar::new("changed", 0);
    let wait = || {
        enter(|held| {
            let (guard, mut held) = one.lock(held);
            let (inner, _held) = other.lock(&mut held);
            drop(changed.wait(inner));
            drop(changed.wait(guard));
        });
    };
    hooked(wait);
    enter(|held| assert!(one.try_lock(held).is_some()));
    enter(|held| assert!(other.try_lock(held).is_some()));
}

#[test]
fn announcements_reach_the_hook_typed_and_cost_production_nothing() {
    struct Hears(RefCell<Vec<String>>);
    impl Hook for Hears {
        fn step(&self, _: hook::Step) -> bool {
            true
        }
        fn blocked(&self, _: hook::Step) {}
        fn wait(&self, _: hook::Step, _: locks::Object) {}
        fn announced(&self, what: &dyn std::any::Any) {
            let said = what.downcast_ref::<u32>().map(|number| format!("number {number}"));
            let said = said.or_else(|| what.downcast_ref::<&str>().map(|text| format!("text {text}")));
            self.0.borrow_mut().push(said.unwrap_or_else(|| "something".to_owned()));
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
    hook::announce(|| -> u32 { unreachable!("nobody listens in production") });
    let hears = Hears(RefCell::default());
    install_scoped(&hears, || {
        hook::announce(|| 7u32);
        hook::announce(|| "seven");
        hook::announce(|| [7u8]);
    });
    assert_eq!(hears.0.into_inner(), ["number 7", "text seven", "something"]);
    // A hook that doesn't listen is the rule.
    hooked(|| hook::announce(|| 7u32));
}
