//! Livelocks, bounds, budgets, panics, and programs that can't be trusted.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use explore::{Explorer, Options, Scene, Strategy};
use locks::hook::{Key, checkpoint};
use locks::{Clock, Mutex, Unordered, enter};

locks::hierarchy! { mod order { A => B } }

struct World {
    a: Mutex<order::A, u32>,
    b: Mutex<order::B, u32>,
    clock: Clock,
}

fn world() -> World {
    World { a: Mutex::new(0, 0), b: Mutex::new(0, 0), clock: Clock::new(0) }
}

const ALL: [Strategy; 3] = [Strategy::StateCache, Strategy::Dpor, Strategy::Dfs];

fn with(strategy: Strategy) -> Options {
    Options { strategy, max_steps: 300, ..Options::default() }
}

fn poller(most: u32) -> Scene<World> {
    Scene::new(world)
        .task("polls", move |world| {
            for _ in 0..most {
                if enter(|held| *world.a.lock(held).0) == 1 {
                    return "seen".to_owned();
                }
                world.clock.sleep(10);
            }
            "given up".to_owned()
        })
        .task("sets", |world| {
            enter(|held| *world.a.lock(held).0 = 1);
            String::new()
        })
}

#[test]
fn bounded_polling_ends() {
    for strategy in ALL {
        let report = Explorer::new(with(strategy)).run(&mut poller(4));
        assert_eq!(report.verdict, "clean");
        assert_eq!(report.outcomes.len(), 2);
    }
}

#[test]
fn endless_polling_is_a_livelock() {
    for strategy in ALL {
        let report = Explorer::new(with(strategy)).run(&mut poller(u32::MAX));
        assert_eq!(report.verdict, "livelock", "{strategy:?}");
        assert!(!report.exhausted);
        assert_eq!(report.violations[0].finding.what, "an execution goes on after 300 steps");
    }
}

/// The task that would end the polling is not put off for a sleep that comes again and again.
#[test]
fn polling_that_sleeps_before_it_looks_starves_nobody() {
    let mut scene = Scene::new(world)
        .task("polls", |world| {
            loop {
                world.clock.sleep(1);
                if enter(|held| *world.a.lock(held).0) == 1 {
                    return "seen".to_owned();
                }
                checkpoint(1);
            }
        })
        .task("sets", |world| {
            enter(|held| *world.b.lock(held).0 += 1);
            enter(|held| *world.a.lock(held).0 = 1);
            String::new()
        });
    for strategy in [Strategy::StateCache, Strategy::EveryState] {
        let report = Explorer::new(with(strategy)).run(&mut scene);
        assert_eq!(
            (report.verdict, report.exhausted, report.outcomes.len()),
            ("clean", true, 1),
            "{strategy:?}"
        );
    }
}

/// A round that is begun anew has found what the next one has no time for.
#[test]
fn what_was_found_is_told_although_the_time_is_up() {
    let mut scene = Scene::new(world).task("complains", |world| {
        enter(|held| *world.a.lock(held).0 += 1);
        locks::violation("leak", || "found at once".to_owned());
        String::new()
    });
    for name in ["b", "c", "d", "e", "f", "g"] {
        scene = scene.task(name, |world| {
            for _ in 0..6 {
                enter(|held| *world.a.lock(held).0 += 1);
                enter(|held| *world.b.lock(held).0 += 1);
            }
            String::new()
        });
    }
    for milliseconds in [0, 1, 5, 50, 200] {
        let budget = Some(Duration::from_millis(milliseconds));
        let report = Explorer::new(Options { budget, shrink: false, ..Options::default() }).run(&mut scene);
        let found = report.violations.iter().any(|violation| violation.finding.verdict == "leak");
        assert!(found || report.executions == 0, "{milliseconds} ms: {}", report.verdict);
    }
}

#[test]
fn time_that_is_up_is_never_clean() {
    let mut scene = Scene::new(world);
    for name in ["a", "b", "c", "d", "e", "f"] {
        scene = scene.task(name, |world| {
            for _ in 0..6 {
                enter(|held| *world.a.lock(held).0 += 1);
            }
            String::new()
        });
    }
    for strategy in [Strategy::Dpor, Strategy::Dfs] {
        let options = Options { strategy, budget: Some(Duration::from_millis(50)), ..Options::default() };
        let report = Explorer::new(options).run(&mut scene);
        assert_eq!((report.verdict, report.exhausted), ("unknown", false));
        assert!(report.why.unwrap().contains("time"));
        assert!(report.elapsed < Duration::from_secs(5));
    }
    let options = Options { strategy: Strategy::Dfs, max_executions: Some(10), ..Options::default() };
    let report = Explorer::new(options).run(&mut scene);
    assert_eq!((report.verdict, report.exhausted, report.executions), ("unknown", false, 10));
}

#[test]
fn random_search_finds_but_never_exhausts() {
    let deadlock = || {
        let task = |flip: bool| {
            move |world: &World| {
                let token = Unordered::specimen();
                if flip {
                    let _b = world.b.lock_unordered(&token);
                    drop(world.a.lock_unordered(&token));
                } else {
                    let _a = world.a.lock_unordered(&token);
                    drop(world.b.lock_unordered(&token));
                }
                String::new()
            }
        };
        Scene::new(world).task("forth", task(false)).task("back", task(true))
    };
    let strategy = Strategy::Random { seed: 1, executions: 200 };
    let report = Explorer::new(Options { strategy, ..Options::default() }).run(&mut deadlock());
    assert_eq!((report.verdict, report.exhausted), ("deadlock", false));
    let report = Explorer::new(Options { strategy, ..Options::default() }).run(&mut poller(2));
    assert_eq!((report.verdict, report.exhausted, report.executions), ("unknown", false, 200));
    let options = Options { strategy, max_executions: Some(10), ..Options::default() };
    assert_eq!(Explorer::new(options).run(&mut poller(2)).executions, 10);
}

#[test]
fn the_first_violation_can_end_it() {
    let mut scene = Scene::new(world).task("one", |_| panic!("one")).task("two", |_| panic!("two"));
    let options = Options { stop_at_first: true, ..Options::default() };
    let report = Explorer::new(options).run(&mut scene);
    assert_eq!(report.verdict, "panic");
    assert!(!report.exhausted);
}

#[test]
fn locks_of_a_panicking_task_are_released() {
    for strategy in ALL {
        let mut scene = Scene::new(world)
            .task("panics", |world| {
                enter(|held| {
                    let (a, _held) = world.a.lock(held);
                    assert_eq!(*a, 7, "seven");
                });
                String::new()
            })
            .task("goes on", |world| enter(|held| world.a.lock(held).0.to_string()));
        let report = Explorer::new(with(strategy)).run(&mut scene);
        assert_eq!(report.violations.len(), 1, "{:?}", report.violations);
        assert_eq!(report.outcomes.len(), 1);
        assert_eq!(report.outcomes[0].results, ["panic", "0"]);
    }
}

#[test]
fn a_second_root_token_is_a_panic() {
    let mut scene = Scene::new(world).task("two roots", |world| {
        enter(|held| {
            let (_b, _held) = world.b.lock(held);
            enter(|held| drop(world.a.lock(held)));
        });
        String::new()
    });
    let report = Explorer::new(Options::default()).run(&mut scene);
    assert_eq!(report.verdict, "panic");
    assert!(report.violations[0].finding.what.contains("one root token"));
}

#[test]
fn a_program_that_is_not_deterministic_is_noticed() {
    let count = Rc::new(Cell::new(0));
    let mut scene = Scene::new(world);
    for name in ["one", "two", "three"] {
        let count = count.clone();
        scene = scene.task(name, move |world| {
            count.set(count.get() + 1);
            let twice = count.get() % 2 == 0;
            enter(|held| *world.a.lock(held).0 += 1);
            if twice {
                enter(|held| *world.b.lock(held).0 += 1);
            }
            String::new()
        });
    }
    let report = Explorer::new(Options::default()).run(&mut scene);
    assert_eq!((report.verdict, report.exhausted), ("unknown", false));
    assert!(report.why.is_some());
}

#[test]
fn contents_that_change_outside_the_guard_are_noticed() {
    // Its fingerprint tells of what lies outside the mutex.
    struct Leaky(Rc<Cell<u32>>);
    impl std::hash::Hash for Leaky {
        fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
            self.0.get().hash(state);
        }
    }
    type Pair = (Rc<Cell<u32>>, Mutex<order::A, Leaky>);
    let make = || {
        let cell = Rc::new(Cell::new(0));
        (cell.clone(), Mutex::new(0, Leaky(cell)))
    };
    let looks = |pair: &Pair| {
        enter(|held| drop(pair.1.lock(held)));
        pair.0.set(pair.0.get() + 1);
        String::new()
    };
    let mut scene = Scene::new(make).task("one", looks).task("two", looks);
    let report = Explorer::new(Options::default()).run(&mut scene);
    assert_eq!(report.verdict, "unknown");
    assert!(report.why.unwrap().contains("the contents of `A` changed"));
}

#[test]
fn objects_made_by_tasks_are_followed() {
    type Slots = Mutex<order::A, Vec<u32>>;
    struct Shop {
        slots: Slots,
        made: RefCell<Vec<Rc<Mutex<order::B, u32>>>>,
    }
    let make = || Shop { slots: Mutex::new(0, Vec::new()), made: RefCell::default() };
    let task = |mine: u32| {
        move |shop: &Shop| {
            // The list tells that there is an object, but not what it contains.
            enter(|held| {
                let (mut slots, _held) = shop.slots.lock(held);
                let slot = slots.len() as u32;
                slots.push(slot);
                shop.made.borrow_mut().push(Rc::new(Mutex::new(Key { id: slot, generation: 1 }, mine)));
            });
            enter(|held| {
                let made = {
                    let (_slots, _held) = shop.slots.lock(held);
                    shop.made.borrow()[0].clone()
                };
                let (value, _held) = made.lock(held);
                value.to_string()
            })
        }
    };
    for strategy in ALL {
        let mut scene = Scene::new(make).task("one", task(1)).task("two", task(2));
        let report = Explorer::new(with(strategy)).run(&mut scene);
        assert_eq!(report.verdict, "clean", "{:?}", report.why);
        let mut results: Vec<_> = report.outcomes.iter().map(|outcome| outcome.results.join(" ")).collect();
        results.sort();
        assert_eq!(results, ["1 1", "2 2"], "{strategy:?}");
    }
}

#[test]
fn explorers_check_each_other() {
    let check = Explorer::new(Options::default()).cross_check(&mut poller(3));
    assert!(check.agrees(), "{:?}", check.differences);
}

/// Two tasks that each hold a lock and try for the other's, and begin again if it is taken.
fn polite(backs_off: bool) -> Scene<World> {
    let task = move |first_a: bool| {
        move |world: &World| {
            let token = Unordered::specimen();
            loop {
                checkpoint(1);
                let (got, held);
                if first_a {
                    held = (Some(world.a.lock_unordered(&token)), None);
                    got = world.b.try_lock_unordered(&token).is_some();
                } else {
                    held = (None, Some(world.b.lock_unordered(&token)));
                    got = world.a.try_lock_unordered(&token).is_some();
                }
                drop(held);
                if got || !backs_off {
                    return got.to_string();
                }
            }
        }
    };
    Scene::new(world).task("forth", task(true)).task("back", task(false))
}

#[test]
fn tasks_that_make_way_for_each_other_for_ever_are_a_livelock() {
    let report = Explorer::new(Options::default()).run(&mut polite(true));
    assert_eq!((report.verdict, report.exhausted), ("livelock", true));
    assert_eq!(report.violations[0].finding.what, "forth and back go round for ever, and never end");
    let schedule = &report.violations[0].schedule;
    assert!(schedule.to_string().contains('+'));
    let replay = Explorer::new(Options::default()).replay(&mut polite(true), schedule).unwrap();
    assert_eq!(replay.trace, report.violations[0].trace);
    assert_eq!(Explorer::new(Options::default()).run(&mut polite(false)).verdict, "clean");
}

#[test]
fn polling_that_somebody_ends_is_no_livelock() {
    // Without the checkpoint it is called one: no state ever comes again.
    let mut scene = Scene::new(world)
        .task("polls", |world| {
            loop {
                checkpoint(1);
                if enter(|held| *world.a.lock(held).0) == 1 {
                    return "seen".to_owned();
                }
                world.clock.sleep(10);
            }
        })
        .task("sets", |world| {
            enter(|held| *world.a.lock(held).0 = 1);
            String::new()
        });
    let report = Explorer::new(Options::default()).run(&mut scene);
    assert_eq!((report.verdict, report.exhausted), ("clean", true), "{:?}", report.violations);
    let mut never = Scene::new(world).task("polls", |world| {
        loop {
            checkpoint(1);
            if enter(|held| *world.a.lock(held).0) == 1 {
                return "seen".to_owned();
            }
        }
    });
    let report = Explorer::new(Options::default()).run(&mut never);
    assert_eq!(report.violations[0].finding.what, "polls goes round for ever, and never ends");
}

/// One walk goes through so many places of a transaction at most; what is beyond is the next walk's.
#[test]
fn a_transaction_of_many_places() {
    for places in [31, 32, 33, 34, 65, 70] {
        let scene = || {
            let take = |world: &Vec<Mutex<order::A, u32>>| {
                let all =
                    |held: &mut locks::Held<'_, locks::Nothing>| drop(Mutex::lock_all(world.iter(), held));
                enter(all);
                enter(all);
                String::new()
            };
            Scene::new(move || (0..places).map(|number| Mutex::new(number, 0)).collect())
                .task("one", take)
                .task("other", take)
        };
        let with = |strategy| Options { strategy, ..Options::default() };
        let cache = Explorer::new(with(Strategy::StateCache)).run(&mut scene());
        let every = Explorer::new(with(Strategy::EveryState)).run(&mut scene());
        assert_eq!((cache.verdict, cache.exhausted), ("clean", true), "{places}: {:?}", cache.why);
        assert_eq!(cache.outcomes.len(), every.outcomes.len(), "{places}");
    }
}
