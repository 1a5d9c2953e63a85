//! Deadlocks: found, explained, shrunk, replayed.

use explore::{Explorer, Options, Scene, Schedule, Strategy};
use locks::{Condvar, Mutex, RwLock, Unordered};

locks::hierarchy! { mod order { A => B } }

struct World {
    a: Mutex<order::A, u32>,
    b: Mutex<order::B, u32>,
    changed: Condvar,
}

fn world() -> World {
    World { a: Mutex::new(0, 0), b: Mutex::new(0, 0), changed: Condvar::new("changed", 0) }
}

fn abba() -> Scene<World> {
    Scene::new(world)
        .task("forth", |world| {
            let token = Unordered::specimen();
            let _a = world.a.lock_unordered(&token);
            *world.b.lock_unordered(&token) += 1;
            "ok".into()
        })
        .task("back", |world| {
            let token = Unordered::specimen();
            let _b = world.b.lock_unordered(&token);
            *world.a.lock_unordered(&token) += 1;
            "ok".into()
        })
}

fn with(strategy: Strategy) -> Explorer {
    Explorer::new(Options { strategy, ..Options::default() })
}

const ALL: [Strategy; 3] = [Strategy::StateCache, Strategy::Dpor, Strategy::Dfs];

#[test]
fn abba_is_found_with_its_cycle_by_every_strategy() {
    for strategy in ALL {
        let report = with(strategy).run(&mut abba());
        assert_eq!(report.verdict, "deadlock", "{strategy:?}");
        assert!(report.exhausted);
        assert_eq!(report.violations.len(), 1);
        let violation = &report.violations[0];
        assert_eq!(
            violation.finding.what,
            "forth waits for `B`, held by back; back waits for `A`, held by forth"
        );
        assert!(violation.fewest);
        assert_eq!(violation.switches, 1);
        assert_eq!(violation.schedule.to_string().split('~').next(), Some("0.1"));
        let cycle = &violation.deadlock.as_ref().unwrap().cycle;
        assert_eq!(cycle.len(), 2);
        assert_eq!(cycle[0].holders[0].0, "back");
        assert!(cycle[0].at.contains("deadlock.rs:"), "{}", cycle[0].at);
        assert_eq!(report.outcomes.len(), 1);
        assert_eq!(report.lock_order.cycles.len(), 1);
    }
}

#[test]
fn a_schedule_replays_step_by_step() {
    let report = with(Strategy::StateCache).run(&mut abba());
    let violation = &report.violations[0];
    let schedule: Schedule = violation.schedule.to_string().parse().unwrap();
    let replay = with(Strategy::StateCache).replay(&mut abba(), &schedule).unwrap();
    assert_eq!(replay.trace, violation.trace);
    assert_eq!(replay.deadlock, violation.deadlock);
    assert_eq!(replay.findings, std::slice::from_ref(&violation.finding));
}

#[test]
fn wrong_schedules_are_errors() {
    let mut explorer = with(Strategy::StateCache);
    let mut fails =
        |text: &str| explorer.replay(&mut abba(), &text.parse().unwrap()).unwrap_err().to_string();
    assert_eq!(fails("2"), "step 1 is by task 2, but there are only 2 tasks (0 to 1)");
    assert_eq!(
        fails("0x3"),
        "the schedule ends after 3 steps, but forth, back can go on and nothing is wrong yet"
    );
    assert!(fails("0.1x2").contains("step 3 is by `back`, which waits for `A`"));
    assert!(fails("0x5").contains("step 5 is by `forth`, which has ended"));
    assert!(fails("0.1~0000").contains("checksum"));
}

#[test]
fn one_lock_twice_is_a_deadlock_with_itself() {
    for strategy in ALL {
        let mut scene = Scene::new(world).task("twice", |world| {
            let token = Unordered::specimen();
            let _a = world.a.lock_unordered(&token);
            let _again = world.a.lock_unordered(&token);
            String::new()
        });
        let report = with(strategy).run(&mut scene);
        assert_eq!(report.violations[0].finding.what, "twice waits for `A`, held by itself");
    }
}

#[test]
fn a_lost_wakeup_is_a_deadlock_and_a_held_condition_is_none() {
    let scene = |lost: bool| {
        Scene::new(world)
            .task("waits", move |world| {
                locks::enter(|held| {
                    let (mut a, _held) = world.a.lock(held);
                    if lost {
                        a = world.changed.wait(a);
                    } else {
                        a = world.changed.wait_while(a, |a| *a == 0);
                    }
                    a.to_string()
                })
            })
            .task("notifies", |world| {
                locks::enter(|held| *world.a.lock(held).0 = 1);
                world.changed.notify_all();
                String::new()
            })
    };
    for strategy in ALL {
        let report = with(strategy).run(&mut scene(true));
        assert_eq!(report.verdict, "deadlock");
        assert_eq!(
            report.violations[0].finding.what,
            "waits waits on `changed`, and nobody is left to notify it"
        );
        let report = with(strategy).run(&mut scene(false));
        assert_eq!(report.verdict, "clean", "{strategy:?} {:?}", report.violations);
    }
}

#[test]
fn a_daemon_may_be_left_waiting() {
    for strategy in ALL {
        let mut scene = Scene::new(world)
            .daemon("worker", |world| {
                locks::enter(|held| {
                    let (mut a, _held) = world.a.lock(held);
                    loop {
                        while *a > 0 {
                            *a -= 1;
                        }
                        a = world.changed.wait(a);
                    }
                })
            })
            .task("work", |world| {
                locks::enter(|held| *world.a.lock(held).0 += 1);
                world.changed.notify_all();
                String::new()
            })
            .state(|world| locks::enter(|held| world.a.lock(held).0.to_string()));
        let report = with(strategy).run(&mut scene);
        assert_eq!(report.verdict, "clean", "{:?}", report.violations);
        assert_eq!(report.outcomes.len(), 1);
        assert_eq!(report.outcomes[0].state, "0");
    }
}

#[test]
fn what_tasks_say_of_their_steps_is_in_the_trace() {
    let mut scene = Scene::new(world).task("speaks", |world| {
        locks::hook::note(|| "begins".into());
        let token = Unordered::specimen();
        let a = world.a.lock_unordered(&token);
        locks::hook::note(|| format!("finds {}", *a));
        drop(a);
        locks::hook::note(|| "is done".into());
        "ok".into()
    });
    let replay = with(Strategy::StateCache).replay(&mut scene, &"0x2".parse().unwrap()).unwrap();
    let notes: Vec<_> = replay.trace.iter().map(|step| (step.step, step.notes.join(", "))).collect();
    assert_eq!(notes, [("lock", "begins, finds 0".to_owned()), ("unlock", "is done".to_owned())]);
}

/// Explorers that go by one account of who holds what would all be wrong alike.
#[test]
fn who_has_tried_to_read_and_let_go_keeps_no_writer_waiting() {
    for strategy in ALL {
        let mut scene = Scene::new(|| RwLock::<order::A, u32>::new(0, 0))
            .task("reads", |lock: &RwLock<order::A, u32>| {
                let token = Unordered::specimen();
                lock.try_read_unordered(&token).map_or_else(|| "busy".into(), |value| value.to_string())
            })
            .task("writes", |lock| {
                let token = Unordered::specimen();
                *lock.write_unordered(&token) += 1;
                "ok".into()
            });
        let report = with(strategy).run(&mut scene);
        assert_eq!(report.verdict, "clean", "{strategy:?}");
        let seen: Vec<&str> = report.outcomes.iter().map(|outcome| outcome.results[0].as_str()).collect();
        assert_eq!(std::collections::BTreeSet::from_iter(seen), ["0", "1", "busy"].into(), "{strategy:?}");
    }
}
