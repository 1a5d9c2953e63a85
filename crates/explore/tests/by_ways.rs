//! States by their ways: the same whoever walks them, in whatever order they learned; and in as few steps as can be.

mod crew;

use explore::{Audit, Explorer, Options, Report, Scene, Strategy};
use locks::hook::checkpoint;
use locks::{Condvar, Mutex, Tracked, Unordered, enter};

locks::hierarchy! { mod order { A => B => C } }

type World = (Mutex<order::A, u32>, Mutex<order::B, u32>, Mutex<order::C, u32>, Tracked<u32>, Condvar);

fn world() -> World {
    (
        Mutex::new(0, 0),
        Mutex::new(0, 0),
        Mutex::new(7, 0),
        Tracked::new("data", 0, 0),
        Condvar::new("moved", 0),
    )
}

fn options() -> Options {
    Options { audit: Audit::Off, max_steps: 500, ..Options::default() }
}

/// The verdict, what is wrong, and the outcomes.
type Told = (&'static str, Vec<String>, Vec<(Vec<String>, String)>);

fn told(report: &Report) -> Told {
    let mut violations: Vec<String> = report.violations.iter().map(|v| v.finding.what.clone()).collect();
    let mut outcomes: Vec<_> = report.outcomes.iter().map(|o| (o.results.clone(), o.state.clone())).collect();
    violations.sort();
    outcomes.sort();
    (report.verdict, violations, outcomes)
}

/// Explores by one and by several, which learn in other orders: the same levels, the same fingerprints, what every state
/// shows. Gives what came of every state; as few as are enough come to the same.
fn compare(make: impl Fn() -> Scene<World> + Sync) -> crew::Searched {
    let every = Options { strategy: Strategy::EveryState, ..options() };
    let plain = Explorer::new(every.clone()).run(&mut make());
    let few = compare_by(&make, &options(), &plain);
    let all = compare_by(&make, &every, &plain);
    assert_eq!((all.report.states, all.report.executions), (plain.states, plain.executions));
    assert!(few.report.states <= all.report.states);
    all
}

fn compare_by(
    make: &(impl Fn() -> Scene<World> + Sync),
    options: &Options,
    plain: &Report,
) -> crew::Searched {
    let one = crew::search(1, options, make).expect("it is explored");
    assert_eq!(told(&one.report), told(plain));
    for workers in [2, 3, 5] {
        let several = crew::search(workers, options, make).expect("it is explored");
        assert_eq!(several.levels, one.levels, "{workers} workers");
        assert_eq!(several.sum, one.sum, "{workers} workers: the fingerprints are others");
        let shown = |report: &Report| {
            let shown = report.violations.iter().map(|v| (v.finding.clone(), v.schedule.to_string()));
            shown.collect::<Vec<_>>()
        };
        assert_eq!(shown(&several.report), shown(&one.report), "{workers} workers");
        assert_eq!(told(&several.report), told(&one.report), "{workers} workers");
    }
    one
}

/// Objects that only some executions meet, and that whoever walks here meets in another order than who walks there.
#[test]
fn fingerprints_do_not_depend_on_who_learned_what_when() {
    let searched = compare(|| {
        let mut scene = Scene::new(world).state(|(a, b, c, ..)| {
            enter(|held| {
                format!("{} {} {}", a.look(held, |a| *a), b.look(held, |b| *b), c.look(held, |c| *c))
            })
        });
        for task in 0..3_u32 {
            scene = scene.task(format!("t{task}"), move |(a, b, c, ..)| {
                enter(|held| {
                    let (mut a, mut held) = a.lock(held);
                    *a = (*a + task) % 3;
                    if *a == task {
                        let (mut b, mut held) = b.lock(&mut held);
                        *b += 1;
                        if *b == 2 {
                            *c.lock(&mut held).0 += task;
                        }
                    }
                    a.to_string()
                })
            });
        }
        scene
    });
    assert_eq!(searched.report.verdict, "clean");
    assert!(searched.levels.len() > 6, "{:?}", searched.levels);
}

#[test]
fn a_deadlock_is_found_by_its_shortest_way() {
    let searched = compare(|| {
        Scene::new(world)
            .task("forth", |(a, b, ..)| {
                let token = Unordered::specimen();
                let (_a, _b) = (a.lock_unordered(&token), b.lock_unordered(&token));
                "ok".to_owned()
            })
            .task("back", |(a, b, ..)| {
                let token = Unordered::specimen();
                let (_b, _a) = (b.lock_unordered(&token), a.lock_unordered(&token));
                "ok".to_owned()
            })
    });
    let violation = &searched.report.violations[0];
    assert_eq!((searched.report.verdict, violation.switches, violation.trace.len()), ("deadlock", 1, 2));
    assert!(!searched.report.lock_order.cycles.is_empty());
}

/// A race makes accesses points: whoever meets it tells the others, and all begin anew.
#[test]
fn what_one_learns_makes_all_begin_anew() {
    let make = || {
        Scene::new(world)
            .task("writer", |(a, _, _, data, _)| {
                for _ in 0..3 {
                    enter(|held| drop(a.lock(held)));
                }
                data.with_mut(|data| *data += 1);
                "ok".to_owned()
            })
            .task("reader", |(_, b, _, data, _)| {
                enter(|held| drop(b.lock(held)));
                data.with(u32::to_string)
            })
    };
    let searched = compare(make);
    assert_eq!(searched.report.verdict, "race");
    assert_eq!(searched.report.outcomes.len(), 2, "the reader may see either");
    assert!(searched.begun > 1, "the race is met by walking only");
}

/// Two tasks that hand each other the turn for ever.
#[test]
fn executions_that_never_end_are_found() {
    let make = || {
        let mut scene = Scene::new(world);
        for me in 0..2_u32 {
            scene = scene.task(format!("player {me}"), move |(a, _, _, _, moved)| {
                loop {
                    checkpoint(u64::from(me));
                    let over = enter(|held| {
                        let (turn, _held) = a.lock(held);
                        let mut turn = moved.wait_while(turn, |turn| *turn % 2 != me && *turn < 10);
                        if *turn >= 10 {
                            return true;
                        }
                        *turn = 1 - me;
                        false
                    });
                    moved.notify_all();
                    if over {
                        return "over".to_owned();
                    }
                }
            });
        }
        scene
    };
    let searched = compare(make);
    assert_eq!(searched.report.verdict, "livelock");
    assert!(searched.report.violations[0].schedule.is_endless());
}
