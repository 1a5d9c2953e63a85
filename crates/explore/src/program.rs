//! What is explored: a program of tasks, and what it says about its ends. This module knows nothing of how it is explored.

use std::any::Any;
use std::rc::Rc;

use locks::Object;

/// Hears what a task announces; see [`Task::listening`].
pub type Listener = Rc<dyn Fn(&dyn Any)>;

/// A task: it runs at the same time as all others of its program.
pub struct Task {
    /// The name that traces print.
    pub name: String,
    /// What it does; the text it returns is its *result*.
    pub body: Box<dyn FnOnce() -> String>,
    /// Whether it may be left waiting on a condition when all others have ended (a worker that waits for more).
    pub daemon: bool,
    /// Who hears what it announces, if anybody does.
    pub listener: Option<Listener>,
}

impl Task {
    /// A task that must end.
    ///
    /// The result must say all that an outcome is told apart by, besides the program's final state.
    pub fn new(name: impl Into<String>, body: impl FnOnce() -> String + 'static) -> Self {
        Task { name: name.into(), body: Box::new(body), daemon: false, listener: None }
    }

    /// A task that must end and whose result is empty.
    pub fn silent(name: impl Into<String>, body: impl FnOnce() + 'static) -> Self {
        Task::new(name, move || {
            body();
            String::new()
        })
    }

    /// Allows the task to be left waiting on a condition variable when all others have ended.
    #[must_use]
    pub fn daemon(mut self) -> Self {
        self.daemon = true;
        self
    }

    /// Lets `listener` hear what the task announces with [`locks::hook::announce`], and only this task.
    ///
    /// It is called by the task, at the place where it announces: it may take locks, update a `Ghost` or take any other
    /// step, and others may go before these as before the task's own. So it is part of what the task does: it must do
    /// the same whenever the task observed the same, and whatever it remembers for later lies in locks, `Tracked` or
    /// `Ghost` objects. Like the rest of the task it isn't executed again where an exploration comes to a transition
    /// that it knows. A panic in it is a panic of the task.
    ///
    /// Nothing is heard of what is announced during the set-up, in oracles, and by destructors while an execution is
    /// abandoned.
    #[must_use]
    pub fn listening(mut self, listener: Listener) -> Self {
        self.listener = Some(listener);
        self
    }
}

/// Something that must not be, and when it is said to be so.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Finding {
    /// The kind of thing that is wrong, in one word: one of [`verdict`](crate::verdict), or an oracle's own.
    pub verdict: &'static str,
    /// What is wrong, in a sentence that is the same for all interleavings that show the same thing.
    pub what: String,
}

impl Finding {
    /// Says in words what is wrong, under a verdict: one of [`verdict`](crate::verdict) or a word of the oracle's own.
    pub fn new(verdict: &'static str, what: impl Into<String>) -> Self {
        Finding { verdict, what: what.into() }
    }
}

/// How one execution ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The final state, in words; together with the tasks' results it is what outcomes are told apart by.
    pub state: String,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

/// A program to explore.
///
/// It must be deterministic: tasks do the same whenever they observe the same. Whatever tasks share lies in locks,
/// `Tracked` or `Ghost` objects, whose fingerprints tell all that tasks may base a decision on.
pub trait Program {
    /// Sets up a new execution and gives its tasks. No step in here is a scheduling point.
    fn begin(&mut self) -> Vec<Task>;

    /// Looks at the end of an execution in which all tasks returned; `results` are in the tasks' order.
    fn finish(&mut self, results: &[String]) -> Outcome;

    /// What sentences call an object; `None`: its level, and its key where that says anything.
    fn called(&self, _object: &Object) -> Option<String> {
        None
    }

    /// Whether [`Program::settled`] is about this lock.
    fn watches(&self, _object: &Object) -> bool {
        false
    }

    /// Called whenever a watched lock was released and none of the watched locks is held but for reading: the place for
    /// an invariant that holds while nobody may change what they protect, of which alone it must tell. It may take
    /// watched locks, readers-writer locks for reading, and any lock that no task holds.
    fn settled(&mut self) -> Vec<Finding> {
        Vec::new()
    }
}
