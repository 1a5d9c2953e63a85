//! The tree as a task of a scenario sees it: calls that are made where the task runs, with its own sink.

use std::cell::Cell;
use std::rc::Rc;

use ap_shell::{Operator, OperatorError};
use ap_sysfs::control;
use ap_sysfs::node::Dir;
use ap_sysfs::{Answer, Called, Change, Entry, Errno, Event, Filesystem, Ino, Session, Token, Tree};
use ap_task::Task;
use locks::{enter, hook};

use crate::scenario::sink::TaskSink;
use crate::scenario::sweeps::Sweeps;
use crate::scenario::told::Told;
use crate::scenario::watch::Guest;

/// What a task may do to the machine, without a session in between: every call takes the host's locks itself.
///
/// After each call the explorer is told of what the task goes on from ([`hook::checkpoint`]): the answers so far.
pub(super) struct TaskTree {
    tree: Rc<Tree>,
    sink: Rc<TaskSink>,
    /// What the task was answered so far.
    answers: Rc<Cell<u64>>,
    /// The node that was read or written last.
    used: Rc<Cell<Ino>>,
}

impl TaskTree {
    pub(super) fn new(tree: Rc<Tree>, sink: Rc<TaskSink>, answers: Rc<Cell<u64>>) -> TaskTree {
        TaskTree { tree, sink, answers, used: Rc::new(Cell::new(Ino(0))) }
    }

    /// Tells which node was read or written last.
    pub(super) fn used(&self) -> Rc<Cell<Ino>> {
        self.used.clone()
    }

    fn note<T: std::hash::Hash>(&self, answer: &T) {
        self.answers.set(hook::fingerprint(&(self.answers.get(), answer)));
        hook::checkpoint(self.answers.get());
    }

    fn noted<T: std::hash::Hash>(&self, answer: Result<T, Errno>) -> Result<T, Errno> {
        match &answer {
            Ok(value) => self.note(value),
            Err(errno) => self.note(errno),
        }
        answer
    }

    /// Tells, too, what a call that somebody made is refused with.
    fn told<T>(&self, answer: Result<T, Errno>) -> Result<T, Errno> {
        if let Err(errno) = &answer {
            hook::note(|| Told::Answered(*errno).to_string());
        }
        answer
    }

    fn entry_noted(&self, answer: Result<Entry, Errno>) -> Result<Entry, Errno> {
        match &answer {
            Ok(entry) => self.note(&(entry.ino.0, entry.kind)),
            Err(errno) => self.note(errno),
        }
        answer
    }
}

impl Filesystem for TaskTree {
    fn lookup(&mut self, parent: Ino, name: &str) -> Result<Entry, Errno> {
        let dir = Dir::from_ino(parent)?;
        self.entry_noted(enter(|held| self.tree.lookup(dir, name, held)))
    }

    fn entry(&mut self, ino: Ino) -> Result<Entry, Errno> {
        self.entry_noted(enter(|held| self.tree.entry(ino, held)))
    }

    fn parent(&mut self, ino: Ino) -> Result<Ino, Errno> {
        let parent = enter(|held| self.tree.parent(ino, held));
        self.noted(parent.map(|ino| ino.0)).map(Ino)
    }

    fn entries(&mut self, ino: Ino) -> Result<Vec<Entry>, Errno> {
        let dir = Dir::from_ino(ino)?;
        let entries = enter(|held| self.tree.entries(dir, held))?;
        self.note(&entries.iter().map(|entry| (entry.name.as_str(), entry.kind)).collect::<Vec<_>>());
        Ok(entries)
    }

    fn readlink(&mut self, ino: Ino) -> Result<String, Errno> {
        self.noted(enter(|held| self.tree.readlink(ino, held)))
    }

    fn show(&mut self, ino: Ino) -> Called<Vec<u8>> {
        self.used.set(ino);
        let shown = enter(|held| self.tree.show(ino, &mut Task::new(held, &*self.sink)));
        Called::Done(self.noted(self.told(shown)))
    }

    fn store(&mut self, ino: Ino, data: &[u8]) -> Called<usize> {
        self.used.set(ino);
        self.sink.begin(None);
        self.sink.sweeps(Sweeps::of_store(ino));
        let stored = enter(|held| self.tree.store(ino, data, &mut Task::new(held, &*self.sink)));
        if stored.is_ok() {
            hook::note(|| "answers 0: it is written".to_owned());
        }
        Called::Done(self.noted(self.told(stored)))
    }

    fn finished(&mut self) -> Vec<(Token, Answer)> {
        Vec::new()
    }

    fn changes(&mut self) -> Vec<Change> {
        Vec::new()
    }

    fn events(&mut self) -> Vec<Event> {
        Vec::new()
    }

    fn advance(&mut self, milliseconds: u64) {
        self.tree.host.clock().sleep(milliseconds);
    }

    fn next_due(&self) -> Option<u64> {
        None
    }
}

/// The verbs of a task.
pub(super) struct TaskVerbs;

fn no_events() -> OperatorError {
    OperatorError::new(Errno::EOPNOTSUPP, "events: a scenario keeps none; look at the trace instead")
}

impl Operator<TaskTree> for TaskVerbs {
    fn hw(&mut self, on: &mut TaskTree, args: &str) -> Result<String, OperatorError> {
        on.sink.begin(None);
        on.sink.sweeps(Sweeps::of_hw(args));
        let answer = enter(|held| control::hw(&on.tree, args, &mut Task::new(held, &*on.sink)));
        on.sink.changed();
        let _ = on.told(answer.as_ref().map_err(|error| error.errno));
        on.note(&answer.as_ref().map_err(|error| error.errno));
        answer.map_err(OperatorError::from)
    }

    fn guest(&mut self, on: &mut TaskTree, args: &str) -> Result<String, OperatorError> {
        // Each verb's second word is the guest's name.
        on.sink.begin(args.split_ascii_whitespace().nth(1).map(Guest::from));
        let answer = enter(|held| control::guest(&on.tree, args, &mut Task::new(held, &*on.sink)));
        let _ = on.told(answer.as_ref().map_err(|error| error.errno));
        on.note(&answer.as_ref().map_err(|error| error.errno));
        answer.map_err(OperatorError::from)
    }

    fn events(&mut self, _on: &mut TaskTree, _args: &str) -> Result<String, OperatorError> {
        Err(no_events())
    }
}

/// The verbs of a set-up, which runs over a session.
pub(super) struct SessionVerbs;

impl Operator<Session> for SessionVerbs {
    fn hw(&mut self, on: &mut Session, args: &str) -> Result<String, OperatorError> {
        on.hw(args).map_err(OperatorError::from)
    }

    fn guest(&mut self, on: &mut Session, args: &str) -> Result<String, OperatorError> {
        on.guest(args).map_err(OperatorError::from)
    }

    fn events(&mut self, _on: &mut Session, _args: &str) -> Result<String, OperatorError> {
        Err(no_events())
    }
}
