//! What tasks announce, and who hears it.

#![forbid(unsafe_code)]

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use explore::{Explorer, Finding, Options, Outcome, Program, Report, Strategy, Task};
use locks::{Ghost, Mutex, enter, hook};

locks::hierarchy! { mod order { Mask => Log } }

/// What a mask write announces between its store and what follows.
struct Stored {
    mask: u32,
}

struct World {
    mask: Mutex<order::Mask, u32>,
    log: Mutex<order::Log, Vec<u32>>,
    ghost: Ghost<u32>,
}

impl World {
    fn new() -> Self {
        World { mask: Mutex::new(0, 0), log: Mutex::new(0, Vec::new()), ghost: Ghost::new("ghost", 0, 0) }
    }

    fn write(&self, mask: u32) {
        enter(|held| *self.mask.lock(held).0 = mask);
        hook::announce(|| Stored { mask });
        enter(|held| *self.mask.lock(held).0 += 100);
    }
}

/// Two tasks that write; `listens` says who hears the first one.
struct Writes<F> {
    listens: F,
    world: Option<Rc<World>>,
}

impl<F: Fn(&Rc<World>) -> Option<explore::Listener>> Program for Writes<F> {
    fn begin(&mut self) -> Vec<Task> {
        let world = Rc::new(World::new());
        self.world = Some(world.clone());
        // Of the set-up nobody hears.
        hook::announce(|| Stored { mask: 99 });
        let write = |name: &str, mask| {
            let world = world.clone();
            Task::silent(name, move || world.write(mask))
        };
        let first = write("first", 1);
        let first = match (self.listens)(&world) {
            Some(listener) => first.listening(listener),
            None => first,
        };
        vec![first, write("second", 2)]
    }

    fn finish(&mut self, _: &[String]) -> Outcome {
        let world = self.world.as_ref().expect("begun");
        // Nor of what oracles say.
        hook::announce(|| Stored { mask: 98 });
        let state = enter(|held| {
            let (mask, mut held) = world.mask.lock(held);
            format!("{} {:?}", *mask, *world.log.lock(&mut held).0)
        });
        Outcome { state, findings: Vec::new() }
    }
}

const ALL: [Strategy; 3] = [Strategy::StateCache, Strategy::Dpor, Strategy::Dfs];

fn explored(strategy: Strategy, listens: impl Fn(&Rc<World>) -> Option<explore::Listener>) -> Report {
    let mut program = Writes { listens, world: None };
    Explorer::new(Options { strategy, ..Options::default() }).run(&mut program)
}

fn outcomes(report: &Report) -> Vec<&str> {
    let mut outcomes: Vec<&str> = report.outcomes.iter().map(|outcome| outcome.state.as_str()).collect();
    outcomes.sort_unstable();
    outcomes
}

#[test]
fn only_the_listener_of_the_task_hears() {
    for strategy in ALL {
        let heard = Rc::new(RefCell::new(Vec::new()));
        let report = explored(strategy, |_| {
            let heard = heard.clone();
            Some(Rc::new(move |what: &dyn Any| {
                heard.borrow_mut().push(what.downcast_ref::<Stored>().expect("the only type").mask);
            }))
        });
        assert_eq!(report.verdict, "clean");
        let heard = heard.borrow();
        assert!(!heard.is_empty() && heard.iter().all(|mask| *mask == 1), "{heard:?}");
        // Listening alone is no step.
        assert_eq!(outcomes(&report), outcomes(&explored(strategy, |_| None)));
    }
}

#[test]
fn a_listener_may_take_steps_and_others_go_between_them() {
    for strategy in ALL {
        let report = explored(strategy, |world| {
            let world = world.clone();
            Some(Rc::new(move |what: &dyn Any| {
                let stored = what.downcast_ref::<Stored>().expect("the only type").mask;
                enter(|held| {
                    let (mask, mut held) = world.mask.lock(held);
                    world.log.lock(&mut held).0.extend([stored, *mask]);
                });
                world.ghost.update(|ghost| *ghost += 1);
            }))
        });
        assert_eq!(report.verdict, "clean", "{strategy:?}");
        // The listener saw the mask as its own task left it, as the other stored it, or as the other finished it.
        let seen: Vec<&str> =
            outcomes(&report).iter().map(|state| &state[state.find('[').unwrap()..]).collect();
        for log in ["[1, 1]", "[1, 2]", "[1, 101]", "[1, 102]"] {
            assert!(seen.contains(&log), "{strategy:?}: {seen:?}");
        }
    }
}

#[test]
fn a_listener_may_find_something_and_its_trace_replays() {
    let listens = |world: &Rc<World>| -> Option<explore::Listener> {
        let world = world.clone();
        Some(Rc::new(move |_: &dyn Any| {
            let mask = enter(|held| *world.mask.lock(held).0);
            if mask == 2 {
                locks::violation("overtaken", || "the other wrote before the bindings followed".to_owned());
            }
        }))
    };
    let mut program = Writes { listens, world: None };
    let mut explorer = Explorer::new(Options::default());
    let report = explorer.run(&mut program);
    assert_eq!(report.verdict, "overtaken");
    let violation = &report.violations[0];
    let replay = explorer.replay(&mut program, &violation.schedule).unwrap();
    assert_eq!(replay.trace, violation.trace);
    assert_eq!(replay.findings, [Finding::new("overtaken", "the other wrote before the bindings followed")]);
}

/// Announces when it is dropped.
struct LastWords;

impl Drop for LastWords {
    fn drop(&mut self) {
        hook::announce(|| "last words");
    }
}

/// A task that waits for ever, and one that finds something wrong.
struct Abandons(Rc<Cell<u32>>);

impl Program for Abandons {
    fn begin(&mut self) -> Vec<Task> {
        let mutex = Rc::new(Mutex::<order::Mask, u32>::new(0, 0));
        let changed = Rc::new(locks::Condvar::new("changed", 0));
        let heard = self.0.clone();
        let waits = move || {
            let _words = LastWords;
            enter(|held| {
                let (guard, _held) = mutex.lock(held);
                drop(changed.wait(guard));
            });
        };
        vec![Task::silent("waits", waits).daemon().listening(Rc::new(move |_| heard.set(heard.get() + 1)))]
    }

    fn finish(&mut self, _: &[String]) -> Outcome {
        Outcome::default()
    }
}

#[test]
fn nothing_is_heard_of_an_execution_that_is_abandoned() {
    let heard = Rc::new(Cell::new(0));
    let report = Explorer::new(Options::default()).run(&mut Abandons(heard.clone()));
    assert_eq!((report.verdict, heard.get()), ("clean", 0));
    // No listener outlives the exploration.
    assert_eq!(Rc::strong_count(&heard), 1);
}

#[test]
fn a_panic_of_a_listener_is_one_of_its_task() {
    let report = explored(Strategy::StateCache, |_| Some(Rc::new(|_: &dyn Any| panic!("cannot bear it"))));
    assert_eq!(report.verdict, "panic");
    assert!(report.violations[0].finding.what.starts_with("first: cannot bear it"));
}
