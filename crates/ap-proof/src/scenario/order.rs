//! One one-after-the-other order of turns.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use explore::Listener;
use fibers::{Fiber, Pool, Progress};
use locks::Object;
use locks::hook::{self, Hook, Kind, Step};

use crate::scenario::background::Due;
use crate::scenario::definition::{Mistake, Part};
use crate::scenario::notes::Notes;
use crate::scenario::outcome::{Ended, Outcome};
use crate::scenario::stage::{Actor, Cast, Stage};
use crate::scenario::sweeps::Sweeps;
use crate::scenario::turn::{Call, Turn};
use crate::scenario::words::FinalState;

/// The most steps of one turn: a scan of the largest machine takes some hundred thousand.
const MOST_STEPS: usize = 20_000_000;

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
    /// Who hears what each task announces.
    listeners: RefCell<Vec<Listener>>,
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
            Kind::Lock
            | Kind::TryLock
            | Kind::ReadLock
            | Kind::TryReadLock
            | Kind::Wait
            | Kind::Read
            | Kind::Write
            | Kind::Free
            | Kind::Ghost
            | Kind::Look
            | Kind::Looked
            | Kind::Sleep(_) => {}
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

    fn announced(&self, what: &dyn Any) {
        // A handle of its own: the task may be suspended in the listener.
        let listener = self.listeners.borrow().get(self.current.get()).cloned();
        if let Some(listener) = listener {
            listener(what);
        }
    }

    fn exploring(&self) -> bool {
        true
    }
}

/// Where a task may be suspended. It does not own the order, which has those who hear the tasks, which have this.
struct Boundary(Weak<Shared>);

impl Turn for Boundary {
    fn before(&self, call: Call) {
        let Some(shared) = self.0.upgrade() else { return };
        match call {
            Call::Revision if !shared.relaxed => return,
            Call::Revision | Call::Any => {}
        }
        shared.begun.borrow_mut()[shared.current.get()] += 1;
        shared.suspend(At::Ready);
    }

    fn sweeps(&self, what: Sweeps) {
        if let Some(shared) = self.0.upgrade() {
            shared.sweeps.set(shared.sweeps.get().or(what));
        }
    }
}

/// No task: the driver itself.
const NOBODY: usize = usize::MAX;

/// One order of turns, as far as it was played.
pub(super) struct Order {
    shared: Rc<Shared>,
    fibers: Vec<Fiber>,
    results: Vec<Rc<Cell<Option<Ended>>>>,
    answers: Vec<Rc<Cell<u64>>>,
    notes: Vec<Rc<Notes>>,
    due: Rc<Due>,
    daemons: Vec<bool>,
    turns: usize,
}

impl Order {
    /// Its beginning: each task stands before its first turn.
    pub(super) fn new(stage: &Stage, pool: &Pool, relaxed: bool) -> Order {
        let count = stage.tasks() + 1;
        let shared = Rc::new(Shared {
            current: Cell::new(NOBODY),
            at: RefCell::new(vec![At::Ready; count]),
            roots: RefCell::new(vec![false; count]),
            relaxed,
            begun: RefCell::new(vec![0; count]),
            sweeps: Cell::default(),
            steps: Cell::new(0),
            listeners: RefCell::default(),
        });
        // Under the hook, because what oracles look at is changed only there.
        let begin = || stage.begin(|_| Rc::new(Boundary(Rc::downgrade(&shared))));
        let Cast { actors, answers, notes, due } = hook::install(shared.clone(), begin);
        let (fibers, results, daemons) = (Vec::new(), Vec::new(), Vec::new());
        let mut play = Order { shared, fibers, results, answers, notes, due, daemons, turns: 0 };
        for Actor { body, daemon, listener, .. } in actors {
            play.shared.listeners.borrow_mut().push(listener);
            let slot: Rc<Cell<Option<Ended>>> = Rc::default();
            let result = slot.clone();
            play.fibers.push(pool.fiber(move || {
                result.set(Some(body()));
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
        let progress = hook::install(shared, || self.fibers[task].resume());
        self.shared.current.set(NOBODY);
        match progress {
            Progress::Yielded => {}
            ended => {
                self.shared.at.borrow_mut()[task] = At::Ended;
                if matches!(ended, Progress::Panicked(_)) {
                    self.results[task].set(Some(Ended::Panicked));
                }
            }
        }
    }

    /// A task takes its next turn.
    pub(super) fn take(&mut self, task: usize) {
        self.turns += 1;
        self.shared.steps.set(0);
        self.resume(task);
    }

    /// The tasks whose next turn can begin.
    pub(super) fn choices(&self) -> Vec<usize> {
        let at = self.shared.at.borrow();
        (0..at.len()).filter(|task| at[*task] == At::Ready).collect()
    }

    /// Where everything stands.
    pub(super) fn state(&self, stage: &Stage) -> u64 {
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
        let results: Vec<Option<Ended>> = self.results.iter().map(|slot| slot.get()).collect();
        // The background's turns are all alike.
        let begun = self.shared.begun.borrow()[..stage.tasks()].to_vec();
        let stands = (at, answers, results, begun);
        hook::fingerprint(&(stands, self.due.fingerprint(), stage.look().fingerprint()))
    }

    /// What the scenario's author did wrong, as far as this play shows it.
    pub(super) fn mistake(&self) -> Option<Mistake> {
        for (task, notes) in self.notes.iter().enumerate() {
            if let Some(misuse) = notes.mistake.borrow().clone() {
                return Some(misuse.in_part(Part::Task(task)));
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

    /// That a task never ends.
    pub(super) fn endless(&self, task: usize) -> Mistake {
        let part = if task < self.notes.len() { Part::Task(task) } else { Part::Task(0) };
        Mistake {
            part,
            line: self.notes.get(task).map_or(1, |notes| notes.line.get()),
            what: "the task never ends: it goes on after very many steps".to_owned(),
            remedy: "let it do less: a shorter loop, a smaller count of a fault".to_owned(),
        }
    }

    /// Whether all that must end have ended.
    pub(super) fn finished(&self) -> bool {
        let at = self.shared.at.borrow();
        at.iter().zip(&self.daemons).all(|(at, daemon)| *at == At::Ended || *daemon)
    }
}

impl Order {
    /// How many turns were taken.
    pub(super) fn turns(&self) -> usize {
        self.turns
    }

    /// What was done that goes from device to device.
    pub(super) fn sweeps(&self) -> Sweeps {
        self.shared.sweeps.get()
    }

    /// What it ended in; all tasks have.
    pub(super) fn outcome(&self, stage: &Stage) -> Outcome {
        let results = self.results[..stage.tasks()].iter();
        let results = results.map(|slot| slot.get().unwrap_or(Ended::Failed)).collect();
        Outcome { results, state: FinalState::of(&stage.look()) }
    }
}

impl Drop for Order {
    fn drop(&mut self) {
        let (shared, fibers) = (self.shared.clone(), std::mem::take(&mut self.fibers));
        hook::install(shared, || drop(fibers));
    }
}

#[cfg(test)]
mod tests {
    use ap_sysfs::{Filesystem as _, Session};

    use super::*;
    use crate::scenario::definition::{Scenario, Task};

    /// Each scenario of a long list would keep its queues' hands, six megabytes.
    #[test]
    fn an_order_that_is_over_leaves_nothing_behind() {
        let script = |text: &str| ap_shell::parse(text, "test").expect("shell text");
        let task = |name: &str| Task { name: name.into(), script: script("cat /sys/bus/ap/apmask") };
        let tasks = vec![task("one"), task("two")];
        let mut session = Session::new();
        session.insmod("ap", "").expect("the module loads");
        session.advance(500);
        let scenario = Scenario { title: "a test".into(), setup: script("true"), tasks };
        let stage = Stage::new(&scenario, session).expect("it has no mistake");
        let mut order = Order::new(&stage, &Pool::new(1 << 20), false);
        let left = Rc::downgrade(&order.shared);
        order.take(0);
        drop(order);
        assert_eq!(left.strong_count(), 0, "somebody still has it");
    }
}
