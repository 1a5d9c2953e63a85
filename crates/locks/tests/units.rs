//! The locks in production, and what they tell a hook.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use locks::hook::{self, Hook, Key, Kind, Step};
use locks::{Clock, Condvar, Ghost, Mutex, Object, RwLock, Ticket, Tracked, Unordered, enter, violation};

locks::hierarchy! {
    /// The order of these tests.
    mod order {
        Outer =>
        /// Several of them.
        Middle => Inner
    }
}
use order::{Inner, Middle, Outer};

#[test]
fn levels_know_their_names_and_places() {
    use locks::Level;
    assert_eq!(order::LEVELS, ["Outer", "Middle", "Inner"]);
    assert_eq!((Outer::RANK, Middle::RANK, Inner::RANK), (0, 1, 2));
    assert_eq!(Middle::NAME, "Middle");
}

#[test]
fn nested_locks_are_taken_and_released() {
    let (outer, inner) = (Mutex::<Outer, _>::new(0, 1), Mutex::<Inner, _>::new(0, 2));
    enter(|held| {
        {
            let (mut a, mut held) = outer.lock(held);
            let (b, _held) = inner.lock(&mut held);
            *a += *b;
        }
        // Released: it can be taken again, also by itself.
        assert_eq!(*outer.try_lock(held).unwrap().0, 3);
    });
}

#[test]
fn two_roots_panic() {
    if cfg!(debug_assertions) {
        let twice = catch_unwind(|| enter(|_| enter(|_| ())));
        assert!(twice.unwrap_err().downcast_ref::<String>().unwrap().contains("one root token"));
    }
    // The claim was given back.
    enter(|_| ());
}

#[test]
fn a_panic_under_a_lock_poisons_nothing() {
    let mutex = Mutex::<Outer, _>::new(0, 1);
    let lock = RwLock::<Inner, _>::new(0, 1);
    let panics = catch_unwind(AssertUnwindSafe(|| {
        enter(|held| {
            let (mut value, mut held) = mutex.lock(held);
            let (_write, _held) = lock.write(&mut held);
            *value = 2;
            panic!("under the lock");
        })
    }));
    assert!(panics.is_err());
    enter(|held| {
        assert_eq!(*mutex.lock(held).0, 2);
        assert!(mutex.try_lock(held).is_some());
        assert!(lock.try_read(held).is_some());
        assert!(lock.try_write(held).is_some());
        assert_eq!(*lock.write(held).0, 1);
    });
}

#[test]
fn optional_locks_give_the_token_either_way() {
    let (middle, inner) = (Mutex::<Middle, _>::new(0, 1), Mutex::<Inner, _>::new(0, 2));
    let lock = RwLock::<Middle, _>::new(1, 3);
    enter(|held| {
        for there in [true, false] {
            let (guard, mut held) = Mutex::lock_opt(there.then_some(&middle), held);
            assert_eq!(guard.is_some(), there);
            assert_eq!(*inner.lock(&mut held).0, 2);
        }
        for there in [true, false] {
            let (guard, mut held) = RwLock::write_opt(there.then_some(&lock), held);
            assert_eq!(guard.map(|guard| *guard), there.then_some(3));
            assert_eq!(*inner.lock(&mut held).0, 2);
        }
    });
}

#[test]
fn several_locks_of_a_level_come_in_the_order_of_their_keys() {
    let locks: Vec<Mutex<Middle, u32>> = [5, 1, 3].map(|key: u32| Mutex::new(key, key)).into();
    enter(|held| {
        let (guards, _held) = Mutex::lock_all(&locks, held);
        assert_eq!(guards.iter().map(|guard| **guard).collect::<Vec<_>>(), [1, 3, 5]);
    });
}

#[test]
#[should_panic(expected = "named twice")]
fn one_lock_twice_in_a_set_panics() {
    let lock = Mutex::<Middle, _>::new(0, 0);
    enter(|held| drop(Mutex::lock_all([&lock, &lock], held)));
}

#[test]
fn try_locks_tell_held_from_free() {
    let lock = Mutex::<Outer, _>::new(0, 0);
    let rw = RwLock::<Inner, _>::new(0, 0);
    std::thread::scope(|scope| {
        let (held_now, is_held) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let (lock, rw) = (&lock, &rw);
        scope.spawn(move || {
            enter(|held| {
                let (_guard, mut held) = lock.lock(held);
                let (_read, _held) = rw.read(&mut held);
                held_now.send(()).unwrap();
                may_go_on.recv().unwrap();
            });
        });
        is_held.recv().unwrap();
        enter(|held| {
            assert!(lock.try_lock(held).is_none());
            assert!(rw.try_write(held).is_none());
            assert!(rw.try_read(held).is_some());
        });
        go_on.send(()).unwrap();
    });
    enter(|held| {
        assert!(lock.try_lock(held).is_some());
        assert!(rw.try_write(held).is_some());
    });
}

#[test]
fn waits_end_when_notified() {
    let lock = Mutex::<Outer, _>::new(0, 0u32);
    let changed = Condvar::new("changed", 0);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            enter(|held| {
                let (guard, _held) = lock.lock(held);
                *changed.wait_while(guard, |value| *value < 3)
            })
        });
        for _ in 0..3 {
            enter(|held| *lock.lock(held).0 += 1);
            changed.notify_all();
        }
        assert_eq!(waiter.join().unwrap(), 3);
    });
}

#[test]
fn values_are_reached_without_a_lock_by_their_owner() {
    let (mut mutex, mut lock) = (Mutex::<Outer, _>::new(0, 1), RwLock::<Inner, _>::new(0, 2));
    *mutex.get_mut() += 1;
    *lock.get_mut() += 1;
    enter(|held| {
        assert_eq!(*mutex.lock(held).0, 2);
        assert_eq!(*lock.read(held).0, 3);
    });
}

#[test]
fn tokens_can_be_narrowed_and_reborrowed() {
    let inner = Mutex::<Inner, _>::new(0, 7);
    enter(|held| {
        let mut under_middle = held.at::<Middle>();
        assert_eq!(*inner.lock(&mut under_middle.again()).0, 7);
        assert_eq!(*inner.lock(&mut under_middle).0, 7);
    });
}

#[test]
fn oracles_do_nothing_in_production() {
    let ghost = Ghost::new("ghost", 0, 0);
    ghost.update(|_| unreachable!("nobody explores"));
    violation("stolen", || unreachable!("nobody explores"));
    hook::checkpoint(1);
    let data = Tracked::new("data", 0, 1);
    data.with_mut(|data| *data += 1);
    data.free();
    assert_eq!(data.with(|data| *data), 2);
}

#[test]
#[should_panic(expected = "only inside an exploration")]
fn specimens_need_an_exploration() {
    let _ = Unordered::specimen();
}

#[test]
fn clocks_and_tickets_move_forward() {
    let clock = Clock::new(10);
    clock.advance_to(5);
    assert_eq!(clock.now(), 10);
    clock.sleep(7);
    assert_eq!(clock.now(), 17);
    clock.set(3);
    assert_eq!(clock.now(), 3);
    let ticket = Ticket::new(4);
    assert_eq!((ticket.draw(), ticket.draw(), ticket.peek()), (4, 5, 6));
    ticket.set(1);
    assert_eq!(ticket.draw(), 1);
}

#[test]
fn fingerprints_tell_values_apart_and_stay_the_same() {
    let of = |value: &(u8, &str, Option<u64>)| hook::fingerprint(value);
    assert_eq!(of(&(1, "a", None)), of(&(1, "a", None)));
    let different =
        [(1, "a", None), (2, "a", None), (1, "b", None), (1, "a", Some(0)), (1, "a", Some(1 << 63))];
    for (index, one) in different.iter().enumerate() {
        assert!(different[index + 1..].iter().all(|other| of(one) != of(other)), "{one:?}");
    }
    assert_ne!(hook::fingerprint(&[1u64, 0]), hook::fingerprint(&[0u64, 1]));
    assert_ne!(hook::fingerprint(&[0u8; 3][..]), hook::fingerprint(&[0u8; 4][..]));
}

/// Writes down what it is told, and lets everything happen at once.
#[derive(Default)]
struct Recorder {
    told: RefCell<Vec<String>>,
    refuses: Cell<bool>,
}

impl Recorder {
    fn tell(&self, what: &str, object: Object) {
        self.told.borrow_mut().push(format!("{what} {}{}", object.level, object.key.id));
    }
}

impl Hook for Recorder {
    fn step(&self, step: Step) -> bool {
        assert!(step.at.file().ends_with(".rs"));
        self.tell(&format!("{:?}", step.kind), step.object);
        !(self.refuses.get() && matches!(step.kind, Kind::TryLock | Kind::TryReadLock))
    }
    fn blocked(&self, step: Step) {
        panic!("{step:?}");
    }
    fn wait(&self, condvar: Step, mutex: Object) {
        self.tell("Wait", condvar.object);
        self.tell("for", mutex);
    }
    fn wants_contents(&self) -> bool {
        true
    }
    fn observed(&self, object: Object, _: u64) {
        self.tell("observed", object);
    }
    fn published(&self, object: Object, _: u64) {
        self.tell("published", object);
    }
    fn violation(&self, verdict: &'static str, what: String) {
        self.told.borrow_mut().push(format!("{verdict}: {what}"));
    }
    fn claim_root(&self) -> bool {
        true
    }
    fn release_root(&self) {}
    fn exploring(&self) -> bool {
        true
    }
}

fn told(f: impl FnOnce(&Recorder)) -> Vec<String> {
    let recorder = Recorder::default();
    hook::install_scoped(&recorder, || f(&recorder));
    recorder.told.into_inner()
}

#[test]
fn a_hook_is_told_of_every_step() {
    let said = told(|recorder| {
        let lock = Mutex::<Outer, _>::new(7, 1);
        let rw = RwLock::<Inner, _>::new(8, 1);
        enter(|held| {
            drop(lock.lock(held));
            drop(rw.read(held));
            drop(rw.write(held));
            recorder.refuses.set(true);
            assert!(lock.try_lock(held).is_none());
            assert!(rw.try_read(held).is_none());
            assert!(rw.try_write(held).is_none());
            recorder.refuses.set(false);
            assert!(lock.try_lock(held).is_some());
        });
    });
    let expected = "published Outer7, published Inner8, \
        Lock Outer7, observed Outer7, published Outer7, Unlock Outer7, \
        ReadLock Inner8, observed Inner8, ReadUnlock Inner8, \
        Lock Inner8, observed Inner8, published Inner8, Unlock Inner8, \
        TryLock Outer7, TryReadLock Inner8, TryLock Inner8, \
        TryLock Outer7, observed Outer7, published Outer7, Unlock Outer7";
    assert_eq!(said.join(", "), expected);
}

#[test]
fn a_hook_is_told_of_waits_and_data() {
    let said = told(|_| {
        let lock = Mutex::<Outer, _>::new(1, 1);
        let changed = Condvar::new("changed", Key { id: 2, generation: 9 });
        let ghost = Ghost::new("ghost", 3, 0);
        let data = Tracked::new("data", 4, 0);
        enter(|held| {
            let (guard, _held) = lock.lock(held);
            drop(changed.wait(guard));
        });
        changed.notify_all();
        ghost.update(|_| violation("stolen", || "by nobody".to_owned()));
        data.with_mut(|_| ());
        data.with(|_| ());
        data.free();
        Clock::new(0).sleep(5);
    });
    let expected = "published Outer1, published ghost3, published data4, \
        Lock Outer1, observed Outer1, published Outer1, Wait changed2, for Outer1, \
        Lock Outer1, observed Outer1, published Outer1, Unlock Outer1, Notify changed2, \
        Ghost ghost3, observed ghost3, stolen: by nobody, published ghost3, \
        Write data4, observed data4, published data4, Read data4, observed data4, Free data4, \
        Sleep(5) clock0";
    assert_eq!(said.join(", "), expected);
}

#[test]
fn a_hook_is_gone_after_a_panic() {
    let recorder = Recorder::default();
    let panics = catch_unwind(AssertUnwindSafe(|| hook::install_scoped(&recorder, || panic!("inside"))));
    assert!(panics.is_err());
    assert!(hook::with(|_| ()).is_none());
}

/// Of values of one type.
fn all_differ<T: std::hash::Hash + std::fmt::Debug>(values: impl IntoIterator<Item = T>) {
    let mut met = std::collections::HashMap::new();
    for value in values {
        let print = hook::fingerprint(&value);
        if let Some(before) = met.insert(print, format!("{value:?}")) {
            panic!("{before} and {value:?} have the fingerprint {print:#x}");
        }
    }
}

#[test]
fn fingerprints_of_different_values_differ() {
    all_differ((0..128_u64).map(|high| high << 56));
    all_differ((0..128_u64).flat_map(|one| (0..128_u64).map(move |other| (one, other))));
    all_differ((0..40).map(|length| vec![0_u8; length]));
    all_differ((0..40).map(|length| "x".repeat(length)));
}
