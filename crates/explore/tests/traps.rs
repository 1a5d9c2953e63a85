//! What went wrong in prototypes of the engine: a test for each.

use explore::{Explorer, Finding, Options, Report, Scene, Strategy};
use locks::{Condvar, Ghost, Mutex, Tracked, Unordered, enter, violation};

locks::hierarchy! { mod order { G => M => X } }

struct World {
    g: Mutex<order::G, u32>,
    m: Mutex<order::M, u32>,
    x: Mutex<order::X, u32>,
    changed: Condvar,
    ghost: Ghost<u32>,
    data: Tracked<u32>,
    queues: Vec<Mutex<order::X, u32>>,
}

fn world() -> World {
    World {
        g: Mutex::new(0, 0),
        m: Mutex::new(0, 0),
        x: Mutex::new(0, 0),
        changed: Condvar::new("changed", 0),
        ghost: Ghost::new("ghost", 0, 0),
        data: Tracked::new("data", 0, 0),
        queues: (1..9).map(|key: u32| Mutex::new(key, 0)).collect(),
    }
}

const ALL: [Strategy; 3] = [Strategy::StateCache, Strategy::Dpor, Strategy::Dfs];

fn run(strategy: Strategy, scene: &mut Scene<World>) -> Report {
    let report = Explorer::new(Options { strategy, ..Options::default() }).run(scene);
    assert!(report.exhausted, "{strategy:?}: {:?}", report.why);
    report
}

fn results(report: &Report) -> Vec<String> {
    let mut results: Vec<String> = report.outcomes.iter().map(|outcome| outcome.results.join(" ")).collect();
    results.sort();
    results.dedup();
    results
}

#[test]
fn trap_1_an_invariant_over_two_locks_is_not_reordered_away() {
    // The steps of the two tasks are independent of each other: only the oracle sees in which order they come.
    let scene = || {
        Scene::new(world)
            .task("m", |world| {
                enter(|held| *world.m.lock(held).0 = 1);
                String::new()
            })
            .task("g", |world| {
                enter(|held| *world.g.lock(held).0 = 1);
                String::new()
            })
            .settled(
                |object| matches!(object.level, "G" | "M"),
                |world| {
                    let (g, m) = enter(|held| {
                        let (g, mut held) = world.g.lock(held);
                        let (m, _held) = world.m.lock(&mut held);
                        (*g, *m)
                    });
                    if g != m {
                        return vec![Finding::new("unfiltered", format!("g is {g}, m is {m}"))];
                    }
                    Vec::new()
                },
            )
    };
    for strategy in ALL {
        let report = run(strategy, &mut scene());
        let mut whats: Vec<_> = report.violations.iter().map(|v| v.finding.what.as_str()).collect();
        whats.sort_unstable();
        assert_eq!(whats, ["g is 0, m is 1", "g is 1, m is 0"], "{strategy:?}");
        assert!(report.violations.iter().all(|violation| violation.switches == 0));
    }
}

#[test]
fn trap_1_ghosts_depend_on_each_other() {
    let scene = || {
        let task = |mine: u32| {
            move |world: &World| {
                world.ghost.update(|ghost| {
                    *ghost = *ghost * 10 + mine;
                    if *ghost == 21 {
                        violation("stolen", || "two, then one".to_owned());
                    }
                });
                String::new()
            }
        };
        Scene::new(world).task("one", task(1)).task("two", task(2))
    };
    for strategy in ALL {
        assert_eq!(run(strategy, &mut scene()).verdict, "stolen", "{strategy:?}");
    }
}

#[test]
fn trap_2_blocked_acquires_race_also_when_a_run_is_cut() {
    // Three locks in a ring: the deadlock is found only if the races of steps that never happen count.
    let scene = || {
        let task = |first: usize, second: usize| {
            move |world: &World| {
                let token = Unordered::specimen();
                let _first = world.queues[first].lock_unordered(&token);
                let _second = world.queues[second].lock_unordered(&token);
                String::new()
            }
        };
        Scene::new(world).task("a", task(0, 1)).task("b", task(1, 2)).task("c", task(2, 0))
    };
    for strategy in ALL {
        let report = run(strategy, &mut scene());
        assert_eq!(report.verdict, "deadlock", "{strategy:?}");
        assert_eq!(report.violations.len(), 1);
        assert_eq!(report.violations[0].deadlock.as_ref().unwrap().cycle.len(), 3);
        assert_eq!(report.violations[0].switches, 2);
        assert_eq!(report.lock_order.cycles.len(), 1);
        assert_eq!(report.lock_order.cycles[0].len(), 3);
    }
}

#[test]
fn trap_3_a_release_is_a_step_where_somebody_tries() {
    // Between the releases of `m` and `g` there is no other step: only the try-locks tell.
    let scene = || {
        Scene::new(world)
            .task("holder", |world| {
                let token = Unordered::specimen();
                let g = world.g.lock_unordered(&token);
                let m = world.m.lock_unordered(&token);
                drop(m);
                drop(g);
                String::new()
            })
            .task("tries", |world| {
                let token = Unordered::specimen();
                let m = world.m.try_lock_unordered(&token).is_some();
                let g = world.g.try_lock_unordered(&token).is_some();
                format!("{m} {g}")
            })
    };
    for strategy in ALL {
        let report = run(strategy, &mut scene());
        assert_eq!(
            results(&report),
            [" false false", " false true", " true false", " true true"],
            "{strategy:?}"
        );
    }
}

#[test]
fn trap_3_also_while_a_task_panics() {
    let scene = || {
        Scene::new(world)
            .task("panics", |world| {
                let token = Unordered::specimen();
                let _g = world.g.lock_unordered(&token);
                let _m = world.m.lock_unordered(&token);
                panic!("on purpose");
            })
            .task("tries", |world| {
                let token = Unordered::specimen();
                let m = world.m.try_lock_unordered(&token).is_some();
                let g = world.g.try_lock_unordered(&token).is_some();
                format!("{m} {g}")
            })
    };
    for strategy in ALL {
        let report = run(strategy, &mut scene());
        assert_eq!(report.verdict, "panic");
        assert!(report.violations[0].finding.what.starts_with("panics: on purpose ("));
        let expected = ["panic false false", "panic false true", "panic true false", "panic true true"];
        assert_eq!(results(&report), expected, "{strategy:?}");
    }
}

#[test]
fn trap_4_initials_count_an_events_own_dependencies() {
    // Chains of dependent steps by three tasks: every order of the three updates of `x` must be seen.
    let scene = || {
        let task = |queue: usize, mine: u32| {
            move |world: &World| {
                enter(|held| *world.queues[queue].lock(held).0 += mine);
                enter(|held| {
                    let (mut x, _held) = world.x.lock(held);
                    *x = *x * 10 + mine;
                });
                enter(|held| *world.queues[(queue + 1) % 2].lock(held).0 += mine);
                String::new()
            }
        };
        Scene::new(world)
            .task("1", task(0, 1))
            .task("2", task(1, 2))
            .task("3", task(0, 3))
            .state(|world| enter(|held| world.x.lock(held).0.to_string()))
    };
    for strategy in [Strategy::StateCache, Strategy::Dpor] {
        assert_eq!(run(strategy, &mut scene()).outcomes.len(), 6, "{strategy:?}");
    }
}

#[test]
fn trap_6_oracle_steps_synchronise_nothing() {
    let scene = || {
        let task = |world: &World| {
            world.data.with_mut(|data| *data += 1);
            world.ghost.update(|ghost| *ghost += 1);
            String::new()
        };
        Scene::new(world).task("one", task).task("two", task)
    };
    for strategy in ALL {
        assert_eq!(run(strategy, &mut scene()).verdict, "race", "{strategy:?}");
    }
}

#[test]
fn trap_7_independent_queues_keep_the_reduction() {
    let scene = |shared: bool| {
        let task = |own: usize| {
            move |world: &World| {
                for step in 0..3 {
                    let queue = if shared { 0 } else { own };
                    enter(|held| *world.queues[queue].lock(held).0 += step);
                }
                String::new()
            }
        };
        Scene::new(world).task("a", task(0)).task("b", task(1)).task("c", task(2))
    };
    assert_eq!(run(Strategy::Dpor, &mut scene(false)).executions, 1);
    assert_eq!(run(Strategy::Dpor, &mut scene(true)).executions, 1680);
    assert!(run(Strategy::StateCache, &mut scene(true)).states < 1680);
}

#[test]
fn trap_8_waiting_does_not_explode() {
    let scene = || {
        let mut scene = Scene::new(world).task("waits", |world| {
            enter(|held| {
                let (mut m, _held) = world.m.lock(held);
                while *m < 3 {
                    m = world.changed.wait(m);
                }
                m.to_string()
            })
        });
        for name in ["a", "b", "c"] {
            scene = scene.task(name, |world| {
                enter(|held| {
                    let (mut m, _held) = world.m.lock(held);
                    *m += 1;
                    if *m == 3 {
                        world.changed.notify_all();
                    }
                });
                String::new()
            });
        }
        scene
    };
    for strategy in ALL {
        let report = run(strategy, &mut scene());
        assert_eq!(report.verdict, "clean", "{strategy:?}");
        assert_eq!(report.outcomes.len(), 1);
    }
    assert!(run(Strategy::Dpor, &mut scene()).executions < 100);
    assert!(run(Strategy::StateCache, &mut scene()).states < 100);
}
