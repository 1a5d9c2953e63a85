//! Runs operations as tasks on stacks of their own, so that one that waits holds up nobody.
//!
//! It knows when a task can go on: a lock was released, a condition notified, a time has come. It decides nothing
//! else; tasks run in the order in which they were started.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use fibers::{Fiber, Pool, Progress};
use locks::hook::{self, Hook, Kind, Object, Step};

/// A task's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(pub u64);

/// What a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Nothing: it can run.
    Ready,
    /// A lock that another task holds.
    Lock(Object),
    /// A condition to be notified.
    Condition(Object),
    /// A time, in milliseconds.
    Until(u64),
}

#[derive(Default)]
struct Shared {
    current: Cell<Option<TaskId>>,
    waits: RefCell<BTreeMap<TaskId, Waits>>,
    roots: RefCell<Vec<TaskId>>,
}

impl Shared {
    fn suspend(&self, waits: Waits) {
        if std::thread::panicking() {
            return;
        }
        let Some(task) = self.current.get() else { return };
        self.waits.borrow_mut().insert(task, waits);
        fibers::suspend();
    }

    fn wake(&self, which: impl Fn(Waits) -> bool) {
        for waits in self.waits.borrow_mut().values_mut() {
            if which(*waits) {
                *waits = Waits::Ready;
            }
        }
    }
}

impl Hook for Shared {
    fn step(&self, step: Step) -> bool {
        match step.kind {
            Kind::Unlock | Kind::ReadUnlock => self.wake(|waits| waits == Waits::Lock(step.object)),
            Kind::Notify => self.wake(|waits| waits == Waits::Condition(step.object)),
            Kind::Sleep(until) => self.suspend(Waits::Until(until)),
            _ => {}
        }
        true
    }

    fn blocked(&self, step: Step) {
        self.suspend(Waits::Lock(step.object));
    }

    fn wait(&self, condvar: Step, mutex: Object) {
        self.wake(|waits| waits == Waits::Lock(mutex));
        self.suspend(Waits::Condition(condvar.object));
    }

    fn violation(&self, _verdict: &'static str, _what: String) {}

    fn claim_root(&self) -> bool {
        let Some(task) = self.current.get() else { return true };
        let mut roots = self.roots.borrow_mut();
        if roots.contains(&task) {
            return false;
        }
        roots.push(task);
        true
    }

    fn release_root(&self) {
        let current = self.current.get();
        self.roots.borrow_mut().retain(|task| Some(*task) != current);
    }

    fn exploring(&self) -> bool {
        false
    }
}

/// The tasks of one session.
#[derive(Default)]
pub struct Runner {
    pool: Pool,
    tasks: BTreeMap<TaskId, Fiber>,
    next: u64,
    shared: Rc<Shared>,
    panics: Vec<(TaskId, String)>,
}

impl Runner {
    /// Adds a task; it does not run yet.
    pub fn start(&mut self, body: impl FnOnce() + 'static) -> TaskId {
        let id = TaskId(self.next);
        self.next += 1;
        self.tasks.insert(id, self.pool.fiber(body));
        self.shared.waits.borrow_mut().insert(id, Waits::Ready);
        id
    }

    /// Whether no task is under way.
    pub fn idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Whether a task has ended.
    pub fn ended(&self, task: TaskId) -> bool {
        !self.tasks.contains_key(&task)
    }

    /// What a task waits for.
    pub fn waits(&self, task: TaskId) -> Waits {
        self.shared.waits.borrow().get(&task).copied().unwrap_or(Waits::Ready)
    }

    /// The earliest time that a task waits for.
    pub fn next_wake(&self) -> Option<u64> {
        let waits = self.shared.waits.borrow();
        waits.values().filter_map(|w| if let Waits::Until(at) = w { Some(*at) } else { None }).min()
    }

    /// Wakes the tasks whose time has come.
    pub fn wake_until(&mut self, now: u64) {
        self.shared.wake(|waits| matches!(waits, Waits::Until(at) if at <= now));
    }

    /// Runs all tasks until each has ended or waits.
    pub fn run(&mut self) {
        loop {
            let ready =
                self.shared.waits.borrow().iter().find(|(_, w)| **w == Waits::Ready).map(|(id, _)| *id);
            let Some(id) = ready else { break };
            self.resume(id);
        }
    }

    fn resume(&mut self, id: TaskId) {
        let Some(fiber) = self.tasks.get_mut(&id) else {
            self.shared.waits.borrow_mut().remove(&id);
            return;
        };
        self.shared.current.set(Some(id));
        let shared = self.shared.clone();
        let progress = hook::install(shared, || fiber.resume());
        self.shared.current.set(None);
        match progress {
            Progress::Yielded => {}
            ended => {
                if let Progress::Panicked(panic) = ended {
                    self.panics.push((id, panic.to_string()));
                }
                self.tasks.remove(&id);
                self.shared.waits.borrow_mut().remove(&id);
                self.shared.roots.borrow_mut().retain(|task| *task != id);
                // What a task held is free now, also if it ended in a panic.
                self.shared.wake(|waits| matches!(waits, Waits::Lock(_)));
            }
        }
    }

    /// The tasks that ended in a panic since the last question, with its text.
    pub fn panics(&mut self) -> Vec<(TaskId, String)> {
        std::mem::take(&mut self.panics)
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let shared = self.shared.clone();
        let tasks = std::mem::take(&mut self.tasks);
        hook::install(shared, || drop(tasks));
    }
}
