//! Checkpoints and marks that leave something out: the audit finds them, and accuses nobody else.

use std::collections::BTreeSet;
use std::time::Duration;

use explore::{Audit, Explorer, Options, Report, Scene, Strategy, verdict};
use locks::hook::{checkpoint, fingerprint};
use locks::{Clock, Mark, Mutex, enter, marked};

locks::hierarchy! { mod order { A => B => C } }

struct World {
    a: Mutex<order::A, u32>,
    b: Mutex<order::B, u32>,
    c: Mutex<order::C, u32>,
    clock: Clock,
}

impl World {
    fn new() -> Self {
        World { a: Mutex::new(0, 0), b: Mutex::new(0, 0), c: Mutex::new(0, 0), clock: Clock::new(0) }
    }

    fn look(&self) -> u32 {
        enter(|held| *self.a.lock(held).0)
    }

    const TOUCHES: u32 = line!() + 2;
    fn touch(&self) {
        enter(|held| drop(self.b.lock(held)));
    }

    /// Sets what the other task looks at, and uses the locks that it uses afterwards, so that others can go before
    /// each of its steps.
    fn set(&self) -> String {
        enter(|held| *self.a.lock(held).0 += 1);
        self.touch();
        enter(|held| drop(self.c.lock(held)));
        String::new()
    }
}

/// What the task under test has in its hands when it comes through a checkpoint, or says what counts of what it observed
/// since a mark.
type Forgets = fn(mark: &mut Mark<'_>, local: u32);

/// A task that looks at `a`, forgets what it saw as `forgets` says, and goes on as `rest` says; another sets `a`.
fn scene(forgets: Forgets, rest: fn(&World, u32)) -> Scene<World> {
    Scene::new(World::new)
        .task("looks", move |world| {
            marked(|mark| {
                let seen = world.look();
                forgets(mark, seen);
                rest(world, seen);
            });
            String::new()
        })
        .task("sets", World::set)
        .state(|world| enter(|held| world.c.lock(held).0.to_string()))
}

/// Without a warm-up (`EveryState`) nothing is noticed by chance.
fn explore(strategy: Strategy, audit: Audit, scene: &mut Scene<World>) -> Report {
    Explorer::new(Options { strategy, audit, ..Options::default() }).run(scene)
}

fn outcomes(report: &Report) -> BTreeSet<(Vec<String>, String)> {
    report.outcomes.iter().map(|outcome| (outcome.results.clone(), outcome.state.clone())).collect()
}

const ONLY: u32 = line!() + 2;
fn bad_mark(mark: &mut Mark<'_>, _seen: u32) {
    mark.only(|| 7);
    stays();
}

const CHECKPOINT: u32 = line!() + 2;
fn bad_checkpoint(_: &mut Mark<'_>, _seen: u32) {
    checkpoint(7);
    stays();
}

/// Keeps the calls before it from being the last of their function, which the compiler may turn into jumps.
fn stays() {
    std::hint::black_box(());
}

fn good_mark(mark: &mut Mark<'_>, seen: u32) {
    mark.only(|| (7, seen));
}

fn good_checkpoint(_: &mut Mark<'_>, seen: u32) {
    checkpoint(fingerprint(&(7, seen)));
}

/// The audit says of this program that a key leaves something out, and where; without it, an outcome is missed and
/// nothing is said. With a complete key nothing is missed and nothing is said. Gives what the audit says.
fn found(rest: fn(&World, u32)) -> String {
    let mut said = BTreeSet::new();
    for (bad, good, line) in
        [(bad_mark as Forgets, good_mark as Forgets, ONLY), (bad_checkpoint, good_checkpoint, CHECKPOINT)]
    {
        let all = outcomes(&explore(Strategy::Dpor, Audit::Off, &mut scene(bad, rest)));
        let missed = explore(Strategy::EveryState, Audit::Off, &mut scene(bad, rest));
        assert_eq!((missed.verdict, &missed.why), (verdict::CLEAN, &None));
        assert!(outcomes(&missed).len() < all.len(), "{all:?}");

        let report = explore(Strategy::EveryState, Audit::Histories(2), &mut scene(bad, rest));
        assert_eq!((report.verdict, report.exhausted), (verdict::UNKNOWN, false));
        let why = report.why.unwrap();
        let place = format!("tests/audit.rs:{line} that it passed after unlock `A` leaves something out");
        assert!(why.contains(&place), "{why}");
        said.insert(why.split(';').next().unwrap().to_owned());

        let report = explore(Strategy::EveryState, Audit::Histories(2), &mut scene(good, rest));
        assert_eq!((report.verdict, &report.why), (verdict::CLEAN, &None));
        assert_eq!(outcomes(&report), all);
    }
    assert_eq!(said.len(), 1, "{said:?}");
    let said = said.pop_first().unwrap();
    let beginning = "task `looks` does different things though it observed the same: ";
    said.strip_prefix(beginning).unwrap_or_else(|| panic!("{said}")).to_owned()
}

fn at(line: u32) -> String {
    format!("{}:{line}", file!())
}

#[test]
fn a_difference_in_the_next_step_is_found() {
    const SETS: u32 = line!() + 4;
    let said = found(|world, seen| {
        world.touch();
        if seen == 1 {
            enter(|held| *world.c.lock(held).0 = 1);
        }
    });
    let (lock, unlock) = (at(SETS), "after unlock `B` it");
    assert!(
        said == format!("{unlock} goes on with lock `C` at {lock}, and ended at another time")
            || said == format!("{unlock} ends, and went on with lock `C` at {lock} at another time"),
        "{said}"
    );
}

#[test]
fn a_difference_several_steps_later_is_found() {
    let said = found(|world, seen| {
        for _ in 0..3 {
            world.touch();
            world.clock.sleep(1);
        }
        enter(|held| {
            let (_b, mut held) = world.b.lock(held);
            if seen == 1 {
                *world.c.lock(&mut held).0 = 1;
            }
        });
    });
    assert!(said.starts_with("after lock `B` at ") && said.contains("lock `C`"), "{said}");
}

#[test]
fn a_difference_in_contents_only_is_found() {
    const SETS: u32 = line!() + 3;
    let said = found(|world, seen| {
        world.touch();
        enter(|held| *world.c.lock(held).0 = seen);
    });
    let lock = at(SETS);
    assert_eq!(
        said,
        format!(
            "after lock `C` at {lock} it goes on with unlock `C` (taken at {lock}), and leaves other contents in `C` \
             than at another time"
        )
    );
}

#[test]
fn a_difference_that_a_later_key_leaves_out_as_well_is_found() {
    let rest = |world: &World, seen: u32| {
        marked(|mark| {
            for number in 0..3 {
                world.touch();
                mark.only(|| number);
            }
        });
        world.touch();
        enter(|held| *world.c.lock(held).0 = seen);
    };
    let report = explore(Strategy::EveryState, Audit::Histories(2), &mut scene(bad_mark, rest));
    assert!(report.why.unwrap().contains("leaves other contents in `C`"));
}

#[test]
fn a_difference_in_results_and_keys_and_oracles_is_found() {
    let looks = |rest: fn(&World, u32) -> String| {
        Scene::new(World::new)
            .task("looks", move |world| {
                marked(|mark| {
                    let seen = world.look();
                    bad_mark(mark, seen);
                    rest(world, seen)
                })
            })
            .task("sets", World::set)
    };
    let why = |rest| explore(Strategy::EveryState, Audit::Histories(2), &mut looks(rest)).why.unwrap();
    let result = why(|world, seen| {
        world.touch();
        seen.to_string()
    });
    assert!(result.contains("ends, with another result than at another time"), "{result}");
    let key = why(|world, seen| {
        marked(|mark| {
            world.touch();
            mark.only(|| seen);
            world.touch();
        });
        String::new()
    });
    assert!(
        key.contains(&format!("goes on with lock `B` at {}, with another key", at(World::TOUCHES))),
        "{key}"
    );
    let oracle = why(|world, seen| {
        world.touch();
        if seen == 1 {
            locks::violation("odd", || "it saw 1".to_owned());
        }
        world.touch();
        String::new()
    });
    assert!(oracle.contains("its oracles find something else"), "{oracle}");
}

#[test]
fn a_third_past_is_followed_if_three_are_asked_for() {
    // Only who saw 2 goes another way.
    let scene = || {
        let mut scene = Scene::new(World::new).task("looks", |world| {
            marked(|mark| {
                let seen = world.look();
                bad_mark(mark, seen);
                world.touch();
                if seen == 2 {
                    enter(|held| *world.c.lock(held).0 = 1);
                }
            });
            String::new()
        });
        for _ in 0..2 {
            scene = scene.task("adds", World::set);
        }
        scene
    };
    assert_eq!(explore(Strategy::EveryState, Audit::Off, &mut scene()).verdict, verdict::CLEAN);
    let report = explore(Strategy::EveryState, Audit::Histories(3), &mut scene());
    assert_eq!(report.verdict, verdict::UNKNOWN);
    assert_eq!(report.audit.unwrap().beyond, 0);
}

#[test]
fn an_audit_says_what_it_did_and_changes_nothing_else() {
    let mut scene = scene(good_checkpoint, |world, seen| {
        world.touch();
        enter(|held| *world.c.lock(held).0 = seen);
    });
    let plain = explore(Strategy::EveryState, Audit::Off, &mut scene);
    let audited = explore(Strategy::EveryState, Audit::Histories(2), &mut scene);
    assert!(plain.audit.is_none());
    let audit = audited.audit.unwrap();
    assert!(audit.finished && audit.runs > 0 && audit.states > 0);
    assert_eq!((audit.places, audit.compared, audit.beyond), (2, 0, 0), "each key has one past");
    let counts =
        |report: &Report| (report.executions, report.runs, report.states, report.steps, report.deepest);
    assert_eq!(counts(&plain), counts(&audited));
    for strategy in [Strategy::Dpor, Strategy::Dfs, Strategy::Random { seed: 0, executions: 3 }] {
        assert!(explore(strategy, Audit::Histories(2), &mut scene).audit.is_none(), "{strategy:?}");
    }
}

#[test]
fn an_audit_without_time_is_unfinished_and_says_so() {
    let mut scene = Scene::new(World::new);
    for name in ["a", "b", "c"] {
        scene = scene.task(name, |world| {
            for round in 0..2 {
                checkpoint(round);
                world.set();
            }
            String::new()
        });
    }
    let options = |audit_budget| Options { audit: Audit::Histories(2), audit_budget, ..Options::default() };
    let report = Explorer::new(options(Duration::ZERO)).run(&mut scene);
    assert_eq!((report.verdict, report.exhausted), (verdict::CLEAN, true));
    assert!(!report.audit.unwrap().finished);
    let report = Explorer::new(options(Duration::from_secs(600))).run(&mut scene);
    assert!(report.audit.unwrap().finished);
}

#[test]
fn an_audit_of_a_loop_without_end_ends() {
    let mut scene = Scene::new(World::new)
        .task("polls", |world| {
            loop {
                checkpoint(1);
                if world.look() == 1 {
                    return "seen".to_owned();
                }
                world.clock.sleep(10);
            }
        })
        .task("sets", |world| {
            enter(|held| *world.a.lock(held).0 = 1);
            String::new()
        });
    for pasts in [1, 2, 5] {
        let report = explore(Strategy::EveryState, Audit::Histories(pasts), &mut scene);
        assert_eq!((report.verdict, &report.why), (verdict::CLEAN, &None));
        assert!(report.audit.unwrap().finished);
    }
}
