//! Data races and use after free.

use explore::{Explorer, Options, Scene, Strategy};
use locks::{Mutex, RwLock, Tracked, Unordered, enter};

locks::hierarchy! { mod order { A => R } }

struct World {
    a: Mutex<order::A, u32>,
    r: RwLock<order::R, u32>,
    data: Tracked<u32>,
    flag: Tracked<u32>,
}

fn world() -> World {
    let (data, flag) = (Tracked::new("data", 0, 0), Tracked::new("flag", 0, 0));
    World { a: Mutex::new(0, 0), r: RwLock::new(0, 0), data, flag }
}

const ALL: [Strategy; 3] = [Strategy::StateCache, Strategy::Dpor, Strategy::Dfs];

fn whats(scene: impl Fn() -> Scene<World>) -> Vec<(&'static str, String)> {
    let said = ALL.map(|strategy| {
        let report = Explorer::new(Options { strategy, ..Options::default() }).run(&mut scene());
        assert!(report.exhausted, "{strategy:?}: {:?}", report.why);
        let findings = report
            .violations
            .into_iter()
            .map(|violation| (violation.finding.verdict, violation.finding.what));
        let mut findings: Vec<_> = findings.collect();
        findings.sort();
        findings
    });
    assert_eq!(said[0], said[1], "state cache, DPOR");
    assert_eq!(said[0], said[2], "state cache, DFS");
    said[0].clone()
}

#[test]
fn data_under_one_lock_does_not_race() {
    let scene = || {
        let write = |world: &World| {
            enter(|held| {
                let (_a, _held) = world.a.lock(held);
                world.data.with_mut(|data| *data += 1);
            });
            String::new()
        };
        Scene::new(world).task("one", write).task("two", write).task("three", write)
    };
    assert_eq!(whats(scene), []);
}

#[test]
fn a_write_without_the_lock_races_with_both() {
    let scene = || {
        Scene::new(world)
            .task("writer", |world| {
                enter(|held| {
                    let (_a, _held) = world.a.lock(held);
                    world.data.with_mut(|data| *data += 1);
                });
                String::new()
            })
            .task("reader", |world| {
                enter(|held| {
                    let (_a, _held) = world.a.lock(held);
                    world.data.with(|data| data.to_string())
                })
            })
            .task("rogue", |world| {
                world.data.with_mut(|data| *data += 1);
                String::new()
            })
    };
    assert_eq!(
        whats(scene),
        [
            ("race", "`data`: reader reads it, rogue writes it, and nothing orders the two".to_owned()),
            ("race", "`data`: writer writes it, rogue writes it, and nothing orders the two".to_owned()),
        ]
    );
}

#[test]
fn readers_of_one_rwlock_are_not_ordered() {
    let scene = || {
        let write = |world: &World| {
            enter(|held| {
                let (_r, _held) = world.r.read(held);
                world.data.with_mut(|data| *data += 1);
            });
            String::new()
        };
        Scene::new(world).task("one", write).task("two", write)
    };
    assert_eq!(
        whats(scene),
        [("race", "`data`: one writes it, two writes it, and nothing orders the two".to_owned())]
    );
}

#[test]
fn a_failed_try_lock_orders_nothing() {
    // Trap 6: `two` writes only when it has seen that `one` holds the lock, after `one` has written: no
    // interleaving has the writes side by side, and still nothing synchronises them.
    let scene = || {
        Scene::new(world)
            .task("one", |world| {
                world.data.with_mut(|data| *data = 1);
                enter(|held| *world.a.lock(held).0 += 1);
                String::new()
            })
            .task("two", |world| {
                let token = Unordered::specimen();
                if world.a.try_lock_unordered(&token).is_none() {
                    world.data.with_mut(|data| *data = 2);
                }
                String::new()
            })
    };
    assert_eq!(
        whats(scene),
        [("race", "`data`: one writes it, two writes it, and nothing orders the two".to_owned())]
    );
}

#[test]
fn racy_data_is_interleaved_step_by_step() {
    // Nobody would see `flag` at 1 if accesses were taken together with the steps around them.
    let scene = || {
        Scene::new(world)
            .task("one", |world| {
                world.flag.with_mut(|flag| *flag = 1);
                world.flag.with_mut(|flag| *flag = 2);
                String::new()
            })
            .task("two", |world| world.flag.with(|flag| flag.to_string()))
    };
    for strategy in ALL {
        let report = Explorer::new(Options { strategy, ..Options::default() }).run(&mut scene());
        assert_eq!(report.verdict, "race");
        let seen: std::collections::BTreeSet<_> =
            report.outcomes.iter().map(|o| o.results[1].clone()).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["0", "1", "2"], "{strategy:?}");
    }
}

#[test]
fn use_after_free_is_found_in_both_orders() {
    let scene = || {
        Scene::new(world)
            .task("user", |world| {
                enter(|held| {
                    let (_a, _held) = world.a.lock(held);
                    world.data.with(|data| data.to_string())
                })
            })
            .task("owner", |world| {
                world.data.free();
                String::new()
            })
    };
    assert_eq!(
        whats(scene),
        [
            ("use-after-free", "`data`: user reads it after owner freed it".to_owned()),
            (
                "use-after-free",
                "`data`: user reads it, owner frees it, and nothing orders the two".to_owned()
            ),
        ]
    );
}

#[test]
fn a_free_that_locks_order_before_the_use_is_still_wrong() {
    let scene = || {
        Scene::new(world)
            .task("user", |world| {
                enter(|held| {
                    let (_a, _held) = world.a.lock(held);
                    world.data.with(|data| data.to_string())
                })
            })
            .task("owner", |world| {
                enter(|held| {
                    let (_a, _held) = world.a.lock(held);
                    world.data.free();
                });
                String::new()
            })
    };
    assert_eq!(whats(scene), [("use-after-free", "`data`: user reads it after owner freed it".to_owned())]);
}
