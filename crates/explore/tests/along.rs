//! Schedules: followed as far as they fit, and explored from where they end.

use std::collections::BTreeSet;

use explore::{Explorer, Options, ReplayError, Report, Scene, Schedule};
use locks::{Mutex, enter};

locks::hierarchy! { mod order { A } }

/// Each writes its number twice; the last one to write is seen.
fn scene(tasks: u32) -> Scene<Mutex<order::A, u32>> {
    let mut scene = Scene::new(|| Mutex::new(0, 0));
    for number in 1..=tasks {
        scene = scene.task(format!("task {number}"), move |world: &Mutex<order::A, u32>| {
            for _ in 0..2 {
                enter(|held| *world.lock(held).0 = number);
            }
            enter(|held| world.lock(held).0.to_string())
        });
    }
    scene
}

fn outcomes(report: &Report) -> BTreeSet<Vec<String>> {
    report.outcomes.iter().map(|outcome| outcome.results.clone()).collect()
}

fn schedule(text: &str) -> Schedule {
    text.parse().expect("a schedule")
}

#[test]
fn a_stale_schedule_is_followed_as_far_as_it_fits() {
    let followed = Explorer::default().follow(&mut scene(2), &schedule("0x2.1x2.0x100"));
    let error = followed.left.expect("it asks for too many steps");
    assert!(matches!(&error, ReplayError::Ended { task, .. } if task == "task 1"), "{error}");
    let ReplayError::Ended { step, .. } = error else { unreachable!() };
    // Everything before that step was done, and is told.
    assert_eq!(followed.replay.trace.len(), step - 1);
    assert_eq!(followed.replay.schedule.tasks().len(), step - 1);
    assert_eq!(followed.replay.trace[0].name, "task 1");

    let followed = Explorer::default().follow(&mut scene(2), &schedule("0.7"));
    assert!(matches!(followed.left, Some(ReplayError::NoSuchTask { step: 2, task: 7, .. })));
    assert_eq!(followed.replay.trace.len(), 1);
}

#[test]
fn a_schedule_that_is_cut_inside_a_lock_is_told_where_it_is_let_go() {
    locks::hierarchy! { mod two { A => B } }
    struct World {
        a: Mutex<two::A, u32>,
        b: Mutex<two::B, u32>,
    }
    // The first waits for the second, which waits for the third.
    let scene = || {
        Scene::new(|| World { a: Mutex::new(0, 0), b: Mutex::new(0, 0) })
            .task("last", |world: &World| enter(|held| world.a.lock(held).0.to_string()))
            .task("middle", |world: &World| {
                enter(|held| {
                    let (mut a, mut held) = world.a.lock(held);
                    *a += 1;
                    *world.b.lock(&mut held).0 += 1;
                });
                String::new()
            })
            .task("first", |world: &World| {
                enter(|held| *world.b.lock(held).0 += 1);
                String::new()
            })
    };
    let follow = |text: &str| Explorer::default().follow(&mut scene(), &schedule(text)).left;
    let Some(error @ ReplayError::Blocked { .. }) = follow("2.1.0") else { panic!("{:?}", follow("2.1.0")) };
    let ReplayError::Blocked { task, fits: Some(fits), .. } = &error else { panic!("{error}") };
    assert_eq!(task, "last");
    assert!(error.to_string().contains(&format!("`{fits}`")), "{error}");
    assert_eq!(fits.tasks()[..2], [2, 1], "it begins as it was asked for");
    assert_eq!(follow(&fits.to_string()), None, "it is a whole one");

    // Nobody lets go of what all wait for.
    let stuck = || {
        Scene::new(|| World { a: Mutex::new(0, 0), b: Mutex::new(0, 0) })
            .task("waits", |world: &World| enter(|held| world.a.lock(held).0.to_string()))
            .task("keeps", |world: &World| {
                enter(|held| {
                    let (a, _) = world.a.lock(held);
                    std::mem::forget(a);
                });
                String::new()
            })
    };
    let left = Explorer::default().follow(&mut stuck(), &schedule("1.0")).left;
    assert!(matches!(&left, Some(ReplayError::Blocked { fits: None, .. })), "{left:?}");
}

#[test]
fn exploring_after_a_schedule_shows_what_can_still_happen() {
    let all = Explorer::default().run(&mut scene(2));
    let explore = |text: &str| Explorer::default().after(&schedule(text)).run(&mut scene(2));
    let none = explore("");
    assert_eq!(outcomes(&none), outcomes(&all));
    // Every outcome is the only one after the whole of its schedule.
    for outcome in &all.outcomes {
        let report = explore(&outcome.schedule.to_string());
        assert_eq!((report.verdict, report.exhausted), ("clean", true));
        assert_eq!(outcomes(&report), BTreeSet::from([outcome.results.clone()]));
    }
    // The first task has ended: nobody is seen by it but itself.
    let ended = explore("0x6");
    assert_eq!(outcomes(&ended), BTreeSet::from([vec!["1".to_owned(), "2".to_owned()]]));
    // What can happen after a step is what can happen after it in either way.
    let (first, second) = (outcomes(&explore("0x2")), outcomes(&explore("1x2")));
    assert_eq!(&first | &second, outcomes(&all));
}

#[test]
fn a_schedule_that_does_not_fit_is_never_clean() {
    for text in ["0x100", "0.7", "0x6.1x6.0"] {
        let report = Explorer::default().after(&schedule(text)).run(&mut scene(2));
        assert_eq!((report.verdict, report.exhausted), ("unknown", false), "{text}");
        assert!(
            report.why.as_deref().is_some_and(|why| why.contains("the schedule does not fit")),
            "{:?}",
            report.why
        );
    }
}

#[test]
fn a_schedule_that_is_said_to_go_on_for_ever_must_come_back() {
    let replay = |text: &str| Explorer::default().replay(&mut scene(1), &schedule(text)).map(|_| ());
    assert!(matches!(replay("0x6+"), Err(ReplayError::Ends { steps: 6 })), "{:?}", replay("0x6+"));
    assert!(matches!(replay("0x2+"), Err(ReplayError::NotShown { steps: 2 })), "{:?}", replay("0x2+"));
}

#[test]
fn what_is_wrong_after_a_schedule_is_found_and_begins_so() {
    locks::hierarchy! { mod order { A => B } }
    struct World {
        a: Mutex<order::A, u32>,
        b: Mutex<order::B, u32>,
    }
    let scene = || {
        Scene::new(|| World { a: Mutex::new(0, 0), b: Mutex::new(0, 0) })
            .task("forth", |world: &World| {
                let token = locks::Unordered::specimen();
                let _a = world.a.lock_unordered(&token);
                *world.b.lock_unordered(&token) += 1;
                String::new()
            })
            .task("back", |world: &World| {
                let token = locks::Unordered::specimen();
                let _b = world.b.lock_unordered(&token);
                *world.a.lock_unordered(&token) += 1;
                String::new()
            })
    };
    let explore = |text: &str| Explorer::new(Options::default()).after(&schedule(text)).run(&mut scene());
    let after_one = explore("0");
    assert_eq!(after_one.verdict, "deadlock");
    assert_eq!(after_one.violations[0].schedule.tasks()[0], 0);
    // Once it has both, nothing is left to go wrong.
    assert!(explore("0x2").violations.is_empty());
    assert!(!explore("1").violations.is_empty());
}
