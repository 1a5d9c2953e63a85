//! One-after-the-other orders: the outcomes that a scenario may have. (Specification, page 4, I8.)
//!
//! A task's *turn* is one call (a file read or written, a verb). Turns are never interrupted, but for a call that
//! waits (a removal for its guest): others go on then, and it goes on in a later turn. All orders of turns are
//! played, each state once. Background work (one poll of the resetting queues) is a turn, too.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use fibers::{Fiber, Pool, Progress};
use locks::Object;
use locks::hook::{self, Hook, Kind, Step};
use rustc_hash::FxHashSet;

use super::sink::Due;
use super::stage::{Actor, Cast, Stage};
use super::state::describe;
use super::turn::{Call, Turn};
use super::world::{self, Notes};
use super::{Mistake, Part};

/// The most turns of one order: more than that never ends.
const MOST_TURNS: usize = 2_000;
/// The most steps of one turn: a scan of the largest machine takes some hundred thousand.
const MOST_STEPS: usize = 20_000_000;
/// The size of a task's stack.
const STACK: usize = 256 * 1024;

/// The tasks' results and the final state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Outcome {
    /// In the tasks' order.
    pub results: Vec<String>,
    /// In words.
    pub state: String,
}

/// Calls that go from device to device, of which page 4 (I8) promises nothing in one piece but masks and matrices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sweeps {
    /// `drivers_autoprobe` is switched, or the host's drivers come or go: bindings.
    pub bindings: bool,
    /// A scan takes over what the machine says of a device: configured, checkstopped, and what is switched on then.
    pub flags: bool,
}

/// What all orders end in.
#[derive(Clone, Debug, Default)]
pub struct Serial {
    /// The outcomes.
    pub outcomes: BTreeSet<Outcome>,
    /// The first mistake of the scenario's author that a task came to.
    pub mistake: Option<Mistake>,
    /// Whether all orders were played.
    pub complete: bool,
    /// What goes from device to device in it, and so reaches some before and some after what meets it.
    pub sweeps: Sweeps,
    /// How many were played, to an end or to a known state.
    pub orders: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Its next turn can begin.
    Ready,
    Lock(Object),
    Condition(Object),
    /// It took so many steps in one turn that it never ends.
    Endless,
    Ended,
}

struct Shared {
    current: Cell<usize>,
    at: RefCell<Vec<At>>,
    roots: RefCell<Vec<bool>>,
    /// Whether the revision of bindings is a turn of its own.
    relaxed: bool,
    /// How many turns each task began: where it stands, as far as its answers don't tell (`sleep`).
    begun: RefCell<Vec<usize>>,
    sweeps: Cell<Sweeps>,
    /// Steps in this turn.
    steps: Cell<usize>,
}

impl Shared {
    fn suspend(&self, at: At) {
        if std::thread::panicking() {
            return;
        }
        let current = self.current.get();
        self.at.borrow_mut()[current] = at;
        fibers::suspend();
    }

    fn wake(&self, which: impl Fn(At) -> bool) {
        for at in self.at.borrow_mut().iter_mut() {
            if which(*at) {
                *at = At::Ready;
            }
        }
    }
}

impl Hook for Shared {
    fn step(&self, step: Step) -> bool {
        if self.current.get() == NOBODY {
            return true;
        }
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > MOST_STEPS {
            self.suspend(At::Endless);
        }
        match step.kind {
            Kind::Unlock | Kind::ReadUnlock => self.wake(|at| at == At::Lock(step.object)),
            Kind::Notify => self.wake(|at| at == At::Condition(step.object)),
            _ => {}
        }
        true
    }

    fn blocked(&self, step: Step) {
        self.suspend(At::Lock(step.object));
    }

    fn wait(&self, condvar: Step, mutex: Object) {
        self.wake(|at| at == At::Lock(mutex));
        self.suspend(At::Condition(condvar.object));
    }

    fn violation(&self, _verdict: &'static str, _what: String) {}

    fn claim_root(&self) -> bool {
        match self.roots.borrow_mut().get_mut(self.current.get()) {
            Some(root) => !std::mem::replace(root, true),
            None => true,
        }
    }

    fn release_root(&self) {
        if let Some(root) = self.roots.borrow_mut().get_mut(self.current.get()) {
            *root = false;
        }
    }

    fn exploring(&self) -> bool {
        true
    }
}

struct Boundary(Rc<Shared>);

impl Turn for Boundary {
    fn before(&self, call: &Call) {
        if *call == Call::Revision && !self.0.relaxed {
            return;
        }
        let mut sweeps = self.0.sweeps.get();
        match call {
            Call::Write(path) => {
                sweeps.bindings |= path.ends_with("/drivers_autoprobe");
                sweeps.flags |= path.ends_with("/scans");
            }
            Call::Hw(args) => {
                sweeps.bindings |= args.contains("zcrypt");
                sweeps.flags |= !args.contains("modules");
            }
            Call::Revision | Call::Other => {}
        }
        self.0.sweeps.set(sweeps);
        self.0.begun.borrow_mut()[self.0.current.get()] += 1;
        self.0.suspend(At::Ready);
    }
}

/// No task: the driver itself.
const NOBODY: usize = usize::MAX;

/// A play that goes on from turn to turn.
struct Play {
    shared: Rc<Shared>,
    fibers: Vec<Fiber>,
    results: Vec<Rc<RefCell<Option<String>>>>,
    answers: Vec<Rc<Cell<u64>>>,
    notes: Vec<Rc<Notes>>,
    due: Rc<Due>,
    daemons: Vec<bool>,
    turns: usize,
}

impl Play {
    fn new(stage: &Stage, pool: &Pool, relaxed: bool) -> Play {
        let count = stage.tasks() + 1;
        let shared = Rc::new(Shared {
            current: Cell::new(NOBODY),
            at: RefCell::new(vec![At::Ready; count]),
            roots: RefCell::new(vec![false; count]),
            relaxed,
            begun: RefCell::new(vec![0; count]),
            sweeps: Cell::default(),
            steps: Cell::new(0),
        });
        // Under the hook, because what oracles look at is changed only there.
        let begin = || stage.begin(|_| Rc::new(Boundary(shared.clone())));
        let Cast { actors, answers, notes, due } = hook::install(&*shared, begin);
        let (fibers, results, daemons) = (Vec::new(), Vec::new(), Vec::new());
        let mut play = Play { shared, fibers, results, answers, notes, due, daemons, turns: 0 };
        for Actor { body, daemon, .. } in actors {
            let slot: Rc<RefCell<Option<String>>> = Rc::default();
            let result = slot.clone();
            play.fibers.push(pool.fiber(move || {
                let text = body();
                *result.borrow_mut() = Some(text);
            }));
            play.results.push(slot);
            play.daemons.push(daemon);
        }
        // Each goes to the beginning of its first turn.
        for task in 0..count {
            play.resume(task);
        }
        play
    }

    fn resume(&mut self, task: usize) {
        self.shared.current.set(task);
        let shared = self.shared.clone();
        let progress = hook::install(&*shared, || self.fibers[task].resume());
        self.shared.current.set(NOBODY);
        match progress {
            Progress::Yielded => {}
            ended => {
                self.shared.at.borrow_mut()[task] = At::Ended;
                if matches!(ended, Progress::Panicked(_)) {
                    *self.results[task].borrow_mut() = Some("panic".to_owned());
                }
            }
        }
    }

    fn take(&mut self, task: usize) {
        self.turns += 1;
        self.shared.steps.set(0);
        self.resume(task);
    }

    /// The tasks whose next turn can begin.
    fn choices(&self) -> Vec<usize> {
        let at = self.shared.at.borrow();
        (0..at.len()).filter(|task| at[*task] == At::Ready).collect()
    }

    /// Where everything stands.
    fn state(&self, stage: &Stage) -> u64 {
        let at: Vec<(u8, u64)> = self
            .shared
            .at
            .borrow()
            .iter()
            .map(|at| match at {
                At::Ready => (0, 0),
                At::Lock(object) => (1, hook::fingerprint(object)),
                At::Condition(object) => (2, hook::fingerprint(object)),
                At::Ended => (3, 0),
                At::Endless => (4, 0),
            })
            .collect();
        let answers: Vec<u64> = self.answers.iter().map(|answers| answers.get()).collect();
        let results: Vec<Option<String>> = self.results.iter().map(|slot| slot.borrow().clone()).collect();
        // The background's turns are all alike.
        let begun = self.shared.begun.borrow()[..stage.tasks()].to_vec();
        let stands = (at, answers, results, begun);
        hook::fingerprint(&(stands, self.due.fingerprint(), stage.look().fingerprint()))
    }

    /// What the scenario's author did wrong, as far as this play shows it.
    fn mistake(&self) -> Option<Mistake> {
        for (task, notes) in self.notes.iter().enumerate() {
            if let Some(world::Mistake { line, what, remedy }) = notes.mistake.borrow().clone() {
                return Some(Mistake { part: Part::Task(task), line, what, remedy });
            }
        }
        let at = self.shared.at.borrow();
        let stuck = (0..self.notes.len()).find(|task| at[*task] != At::Ended)?;
        if at[stuck] == At::Endless {
            return Some(self.endless(stuck));
        }
        Some(Mistake {
            part: Part::Task(stuck),
            line: self.notes[stuck].line.get(),
            what: "the task never ends: this command waits, and nobody is left to end its wait".to_owned(),
            remedy: "add a task that does (a removal waits until `guest stop`), or order the commands"
                .to_owned(),
        })
    }

    fn endless(&self, task: usize) -> Mistake {
        let part = if task < self.notes.len() { Part::Task(task) } else { Part::Task(0) };
        Mistake {
            part,
            line: self.notes.get(task).map_or(1, |notes| notes.line.get()),
            what: "the task never ends: it goes on after very many steps".to_owned(),
            remedy: "let it do less: a shorter loop, a smaller count of a fault".to_owned(),
        }
    }

    fn finished(&self) -> bool {
        let at = self.shared.at.borrow();
        at.iter().zip(&self.daemons).all(|(at, daemon)| *at == At::Ended || *daemon)
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        let (shared, fibers) = (self.shared.clone(), std::mem::take(&mut self.fibers));
        hook::install(&*shared, || drop(fibers));
    }
}

/// Plays all orders of turns. `relaxed`: bindings are revised in a turn of its own after a mask was stored, and others
/// may go on in between (page 4, I8): a `bind` may then find that the driver is not the right one, or is by now.
pub(super) fn play_all(stage: &Stage, relaxed: bool, late: &dyn Fn() -> bool) -> Serial {
    let pool = Pool::new(STACK);
    let mut serial = Serial { complete: true, ..Serial::default() };
    let mut known: FxHashSet<u64> = FxHashSet::default();
    let mut todo: Vec<Vec<usize>> = vec![Vec::new()];
    while let Some(path) = todo.pop() {
        if late() {
            serial.complete = false;
            break;
        }
        serial.orders += 1;
        let mut play = Play::new(stage, &pool, relaxed);
        for choice in &path {
            play.take(*choice);
        }
        let mut path = path;
        loop {
            if !known.insert(play.state(stage)) {
                break;
            }
            let choices = play.choices();
            let Some((first, others)) = choices.split_first() else {
                serial.mistake = serial.mistake.or_else(|| play.mistake());
                if serial.mistake.is_some() {
                    return serial;
                }
                if play.finished() {
                    let results = play.results[..stage.tasks()].iter();
                    let results = results.map(|slot| slot.borrow().clone().unwrap_or_default()).collect();
                    serial.outcomes.insert(Outcome { results, state: describe(&stage.look()) });
                }
                break;
            };
            if play.turns > MOST_TURNS {
                serial.mistake = Some(play.endless(*first));
                return serial;
            }
            for other in others {
                let mut next = path.clone();
                next.push(*other);
                todo.push(next);
            }
            path.push(*first);
            play.take(*first);
        }
        serial.sweeps.bindings |= play.shared.sweeps.get().bindings;
        serial.sweeps.flags |= play.shared.sweeps.get().flags;
    }
    serial
}
