//! What a search learns while it goes back and chooses again: small programs on which it once missed something.
//!
//! Each is explored in all orders of its tasks and with every reach, and must say what a walk over every state says.

use std::collections::BTreeSet;

use explore::{Audit, Explorer, Finding, Mistake, Options, Reach, Report, Scene, Strategy, Violation};
use locks::hook::checkpoint;
use locks::{Mutex, Unordered, marked};

locks::hierarchy! { mod order { M } }

type World = Vec<Mutex<order::M, u8>>;

/// So many mutexes, all with 0.
fn world(mutexes: u32) -> World {
    (0..mutexes).map(|key| Mutex::new(key, 0)).collect()
}

/// What a report says is possible, whatever the tasks' order.
fn said(report: &Report) -> (BTreeSet<Vec<String>>, BTreeSet<Finding>) {
    let results = |results: &[String]| {
        let mut results = results.to_vec();
        results.sort();
        results
    };
    (
        report.outcomes.iter().map(|outcome| results(&outcome.results)).collect(),
        report.violations.iter().map(|violation| violation.finding.clone()).collect(),
    )
}

/// All orders of so many things.
fn orders(many: usize) -> Vec<Vec<usize>> {
    if many == 0 {
        return vec![Vec::new()];
    }
    let with_last = |order: Vec<usize>| {
        (0..many).map(move |at| {
            let mut order = order.clone();
            order.insert(at, many - 1);
            order
        })
    };
    orders(many - 1).into_iter().flat_map(with_last).collect()
}

/// Explores the scene of each order of four tasks with every reach; `whole` is what a walk over every state must say. Says in
/// how many states it was chosen again.
fn agrees(scene: impl Fn(&[usize]) -> Scene<World>, whole: impl Fn(&Report)) -> u64 {
    let reaches = [
        ("default", Reach::default()),
        ("always", Reach::ALWAYS),
        ("short", Reach::SHORT),
        ("late", Reach::LATE),
        ("lazy", Reach::LAZY),
        ("midway", Reach::MIDWAY),
        ("midway, lazy", Reach::MIDWAY_LAZY),
    ];
    let (mut wrong, mut again) = (Vec::new(), 0);
    for order in orders(4) {
        let explore = |strategy, reach| {
            let options = Options { strategy, reach, max_steps: 500, ..Options::default() };
            Explorer::new(options).run(&mut scene(&order))
        };
        let every = explore(Strategy::EveryState, Reach::default());
        assert!(every.exhausted, "{order:?}: {:?}", every.why);
        whole(&every);
        for (name, reach) in reaches {
            let cache = explore(Strategy::StateCache, reach);
            again += cache.chosen_again;
            if said(&cache) != said(&every) || !cache.exhausted {
                wrong.push(format!("{order:?} {name}: {}, {} states", cache.verdict, cache.states));
            }
            leads(&cache, || scene(&order));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    again
}

/// Each outcome's schedule leads to it.
fn leads(report: &Report, scene: impl Fn() -> Scene<World>) {
    for outcome in &report.outcomes {
        let replay = Explorer::default().replay(&mut scene(), &outcome.schedule);
        let replay = replay.unwrap_or_else(|error| panic!("{}: {error}", outcome.schedule));
        assert_eq!(replay.outcome, Some((outcome.results.clone(), outcome.state.clone())));
    }
}

/// Locks a mutex, if the value is the one that it is asked for with; its content becomes the value, and then perhaps
/// another. Which section it was and the value is all that is remembered.
#[derive(Clone, Copy)]
struct Section {
    mutex: usize,
    guard: Option<u8>,
    sets: Option<u8>,
}

const fn section(mutex: usize) -> Section {
    Section { mutex, guard: None, sets: None }
}

impl Section {
    const fn sets(self, value: u8) -> Self {
        Section { sets: Some(value), ..self }
    }

    const fn only_if(self, value: u8) -> Self {
        Section { guard: Some(value), ..self }
    }
}

/// A task that goes through sections.
fn sections(world: &World, sections: &[Section]) -> String {
    let token = Unordered::specimen();
    let mut value = 0;
    marked(|mark| {
        for (place, section) in sections.iter().enumerate() {
            if section.guard.is_some_and(|guard| guard != value) {
                continue;
            }
            let mut content = world[section.mutex].lock_unordered(&token);
            value = *content;
            if let Some(new) = section.sets {
                *content = new;
            }
            drop(content);
            mark.only(|| (place, value));
        }
    });
    value.to_string()
}

/// Mutexes.
const L: usize = 0;
const G: usize = 1;
const X: usize = 2;
const K: usize = 3;
const F: usize = 4;
const LAPS: usize = 5;

/// What one of three tasks does of which each comes to its last section only after another one's.
fn in_a_ring(task: usize) -> [Section; 4] {
    match task {
        0 => [section(L), section(G).sets(1), section(X), section(L).only_if(1).sets(1)],
        1 => [section(K), section(F), section(G), section(F).only_if(0).sets(1)],
        _ => [section(X), section(K), section(F), section(X).only_if(1).sets(1)],
    }
}

/// Three tasks of which each does its last section only after another one's, and one that waits in a circle for the end.
///
/// That D goes round is possible only after A's last section, which is first met while states are chosen again: before
/// nobody was known to go round, and the circle was not looked for. The search said `clean`.
#[test]
fn a_circle_that_is_learned_while_states_are_chosen_again_is_found() {
    let scene = |order: &[usize]| {
        order.iter().fold(Scene::new(|| world(5)), |scene, &task| {
            scene.task(["A", "B", "C", "D"][task], move |world: &World| {
                if task < 3 {
                    return sections(world, &in_a_ring(task));
                }
                let token = Unordered::specimen();
                loop {
                    checkpoint(0);
                    let value = world[L].look_unordered(&token, |value| *value);
                    if value != 1 {
                        return value.to_string();
                    }
                }
            })
        })
    };
    let again = agrees(scene, |every| {
        let whats: Vec<&str> = every.violations.iter().map(|v| v.finding.what.as_str()).collect();
        assert_eq!(whats, ["D goes round for ever, and never ends"]);
    });
    assert!(again > 0, "nothing was chosen again");
}

/// The same, but D is known to come to places where it was before anything is chosen again: it counts laps first, and each is
/// another state. So nobody new goes round when the circle is closed, and it is found only as it is looked for.
#[test]
fn a_circle_of_one_that_was_known_to_go_round_is_found() {
    let scene = |order: &[usize]| {
        order.iter().fold(Scene::new(|| world(6)), |scene, &task| {
            scene.task(["A", "B", "C", "D"][task], move |world: &World| {
                if task < 3 {
                    return sections(world, &in_a_ring(task));
                }
                let token = Unordered::specimen();
                loop {
                    checkpoint(0);
                    let mut laps = world[LAPS].lock_unordered(&token);
                    *laps += 1;
                    if *laps == 2 {
                        break;
                    }
                }
                loop {
                    checkpoint(1);
                    let value = world[L].look_unordered(&token, |value| *value);
                    if value != 1 {
                        return value.to_string();
                    }
                }
            })
        })
    };
    let again = agrees(scene, |every| {
        let whats: Vec<&str> = every.violations.iter().map(|v| v.finding.what.as_str()).collect();
        assert_eq!(whats, ["D goes round for ever, and never ends"]);
    });
    assert!(again > 0, "nothing was chosen again");
}

/// A place that belonged to a transaction when its step was announced, and was come to from outside later.
///
/// A's last section is all the same whether it wrote to `m` before, so its place is come to from within the transaction
/// that holds `l`, and by what ends it. Nothing was known of what follows it then, so that it got shorter went
/// unnoticed, and the outcome in which B goes between was missed.
#[test]
fn a_transaction_that_becomes_shorter_hides_no_outcome() {
    let scene = |order: &[usize]| {
        order.iter().fold(Scene::new(|| world(4)), |scene, &task| {
            scene.task(["A", "B", "C", "D"][task], move |world: &World| {
                let token = Unordered::specimen();
                let (y, l, m, n) = (0, 1, 2, 3);
                let lock = |mutex: usize| world[mutex].lock_unordered(&token);
                match task {
                    0 => marked(|mark| {
                        let value = *lock(y);
                        let _held = lock(l);
                        if value == 1 {
                            *lock(m) = 1;
                        }
                        mark.only(|| 0);
                        format!("n {}", *lock(n))
                    }),
                    1 => {
                        let value = *lock(m);
                        *lock(n) = 1;
                        format!("m {value}")
                    }
                    2 => {
                        for mutex in [l, y, m] {
                            drop(lock(mutex));
                        }
                        "C".to_owned()
                    }
                    _ => {
                        *lock(y) = 1;
                        "D".to_owned()
                    }
                }
            })
        })
    };
    agrees(scene, |every| {
        let between = ["C", "D", "m 1", "n 1"].map(str::to_owned).to_vec();
        assert!(said(every).0.contains(&between), "{:?}", said(every).0);
    });
}

/// What a task may still do grows by a way between two places that were both known: there is no new place by which to notice.
///
/// A comes to `l` if `h` or `g` is 1, and remembers which only by where it looks at `g`. That it can come there by `g` is
/// learned last, after B went early where A was not known to come to `l` any more.
#[test]
fn a_way_between_known_places_that_is_learned_last_counts() {
    let scene = |order: &[usize]| {
        order.iter().fold(Scene::new(|| world(3)), |scene, &task| {
            scene.task(["D", "Q", "A", "B"][task], move |world: &World| {
                let token = Unordered::specimen();
                let (h, g, l) = (0, 1, 2);
                let lock = |mutex: usize| world[mutex].lock_unordered(&token);
                match task {
                    0 => {
                        let value = std::mem::replace(&mut *lock(h), 1);
                        format!("D {value}")
                    }
                    1 => {
                        let value = *lock(h);
                        if value == 2 {
                            *lock(g) = 1;
                        }
                        format!("Q {value}")
                    }
                    2 => marked(|mark| {
                        let value = std::mem::replace(&mut *lock(h), 2);
                        mark.only(|| value == 1);
                        let (goes, kept) = if value == 1 {
                            world[g].look_and_keep_unordered(&token, |_| true)
                        } else {
                            world[g].look_and_keep_unordered(&token, |value| *value == 1)
                        };
                        mark.only(|| goes);
                        let seen = goes.then(|| *lock(l));
                        drop(kept);
                        format!("A {seen:?}")
                    }),
                    _ => {
                        *lock(l) = 1;
                        "B".to_owned()
                    }
                }
            })
        })
    };
    agrees(scene, |every| {
        let late = ["A Some(0)", "B", "D 2", "Q 2"].map(str::to_owned).to_vec();
        assert!(said(every).0.contains(&late), "{:?}", said(every).0);
    });
}

/// One goes round for ever before anything is left out, and two others must go in both orders.
///
/// A circle that is met while nothing is left out is nothing to be careful about then. But the walk may begin to leave steps
/// out midway, and the one who goes round be enough where the circle begins: the others would be put off for ever.
#[test]
fn a_circle_that_was_met_before_anything_was_left_out_counts() {
    let scene = |order: &[usize]| {
        order.iter().fold(Scene::new(|| world(4)), |scene, &task| {
            scene.task(["D", "B", "A", "C"][task], move |world: &World| {
                let token = Unordered::specimen();
                let lock = |mutex: usize| world[mutex].lock_unordered(&token);
                match task {
                    0 => loop {
                        checkpoint(0);
                        if world[L].look_unordered(&token, |value| *value) == 1 {
                            return "D".to_owned();
                        }
                    },
                    1 => {
                        let value = *lock(G);
                        for mutex in [X, K] {
                            *lock(mutex) += 1;
                        }
                        assert!(value != 1, "B sees it");
                        "B".to_owned()
                    }
                    2 => {
                        *lock(G) = 1;
                        for mutex in [X, K] {
                            *lock(mutex) += 1;
                        }
                        "A".to_owned()
                    }
                    _ => {
                        drop(lock(L));
                        "C".to_owned()
                    }
                }
            })
        })
    };
    let (mut wrong, mut missed) = (Vec::new(), 0);
    for order in orders(4) {
        let explore = |strategy, reach, mistake| {
            let options = Options {
                strategy,
                reach,
                mistake,
                max_steps: 500,
                audit: Audit::Off,
                shrink: false,
                ..Options::default()
            };
            Explorer::new(options).run(&mut scene(&order))
        };
        let every = explore(Strategy::EveryState, Reach::default(), None);
        let seen = |violation: &Violation| violation.finding.what.contains("B sees it");
        assert!(every.exhausted && every.violations.iter().any(seen), "{:?}", said(&every));
        for plain in (1..every.states).step_by(5) {
            let cache = explore(Strategy::StateCache, Reach::midway(plain), None);
            if said(&cache) != said(&every) {
                wrong.push(format!("{order:?} {plain}: {} of {} states", cache.states, every.states));
            }
            let careless = explore(Strategy::StateCache, Reach::midway(plain), Some(Mistake::IgnoredCycles));
            missed += u32::from(said(&careless) != said(&every));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(missed > 0, "who is careless about circles misses nothing of this program");
}
