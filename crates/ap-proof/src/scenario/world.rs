//! The tree as a task of a scenario sees it: calls that are made where the task runs, with its own sink.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ap_shell::{Failing, Failure, JobId, Operator, OperatorError, Place, World, Written};
use ap_sysfs::control::{self, ControlError};
use ap_sysfs::names;
use ap_sysfs::node::{Dir, Node};
use ap_sysfs::{Answer, Called, Change, Entry, Errno, Event, Filesystem, Ino, Session, Token, Tree};
use locks::{enter, hook};

use super::sink::TaskSink;
use super::turn::{AtOnce, Call, Turn};

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

    fn entry_noted(&self, answer: Result<Entry, Errno>) -> Result<Entry, Errno> {
        match &answer {
            Ok(entry) => self.note(&(entry.ino.0, entry.kind)),
            Err(errno) => self.note(errno),
        }
        answer
    }
}

fn directory(ino: Ino) -> Result<Dir, Errno> {
    match Node::from_ino(ino) {
        Some(Node::Dir(dir)) => Ok(dir),
        Some(_) => Err(Errno::ENOTDIR),
        None => Err(Errno::ENOENT),
    }
}

impl Filesystem for TaskTree {
    fn lookup(&mut self, parent: Ino, name: &str) -> Result<Entry, Errno> {
        let dir = directory(parent)?;
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
        let dir = directory(ino)?;
        let entries = enter(|held| self.tree.entries(dir, held))?;
        self.note(&entries.iter().map(|entry| (entry.name.as_str(), entry.kind)).collect::<Vec<_>>());
        Ok(entries)
    }

    fn readlink(&mut self, ino: Ino) -> Result<String, Errno> {
        self.noted(enter(|held| self.tree.readlink(ino, held)))
    }

    fn show(&mut self, ino: Ino) -> Called<Vec<u8>> {
        self.used.set(ino);
        Called::Done(self.noted(enter(|held| self.tree.show(ino, held, &*self.sink))))
    }

    fn store(&mut self, ino: Ino, data: &[u8]) -> Called<usize> {
        self.used.set(ino);
        self.sink.begin();
        Called::Done(self.noted(enter(|held| self.tree.store(ino, data, held, &*self.sink))))
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
        self.tree.host.clock.sleep(milliseconds);
    }

    fn next_due(&self) -> Option<u64> {
        None
    }
}

/// The verbs of a task.
pub(super) struct TaskVerbs;

fn refused(error: ControlError) -> OperatorError {
    OperatorError::new(error.errno, error.text)
}

fn no_events() -> OperatorError {
    OperatorError::new(Errno::EOPNOTSUPP, "events: a scenario keeps none; look at the trace instead")
}

impl Operator<TaskTree> for TaskVerbs {
    fn hw(&mut self, on: &mut TaskTree, args: &str) -> Result<String, OperatorError> {
        on.sink.begin();
        let answer = enter(|held| control::hw(&on.tree, args, held, &*on.sink));
        on.sink.changed();
        on.note(&answer.as_ref().map_err(|error| error.errno));
        answer.map_err(refused)
    }

    fn guest(&mut self, on: &mut TaskTree, args: &str) -> Result<String, OperatorError> {
        on.sink.begin();
        let answer = enter(|held| control::guest(&on.tree, args, held, &*on.sink));
        on.note(&answer.as_ref().map_err(|error| error.errno));
        answer.map_err(refused)
    }

    fn events(&mut self, _on: &mut TaskTree, _args: &str) -> Result<String, OperatorError> {
        Err(no_events())
    }
}

/// The verbs of a set-up, which runs over a session.
pub(super) struct SessionVerbs;

impl Operator<Session> for SessionVerbs {
    fn hw(&mut self, on: &mut Session, args: &str) -> Result<String, OperatorError> {
        on.hw(args).map_err(refused)
    }

    fn guest(&mut self, on: &mut Session, args: &str) -> Result<String, OperatorError> {
        on.guest(args).map_err(refused)
    }

    fn events(&mut self, _on: &mut Session, _args: &str) -> Result<String, OperatorError> {
        Err(no_events())
    }
}

/// Where a task stands, and the first mistake of its author that it came to.
#[derive(Default)]
pub(super) struct Notes {
    pub line: Cell<u32>,
    pub mistake: RefCell<Option<Mistake>>,
    /// In a set-up: how many milliseconds of machine time it let pass.
    pub passed: Cell<u64>,
    /// It was too many.
    pub too_long: RefCell<Option<Mistake>>,
}

/// What is wrong with a command: its line, what is wrong, and the remedy.
#[derive(Clone, Debug)]
pub(super) struct Mistake {
    pub line: u32,
    pub what: String,
    pub remedy: String,
}

/// How many milliseconds of machine time a set-up may let pass: an hour.
const LONGEST_SETUP: u64 = 3_600_000;

impl Notes {
    /// A command failed that can't have failed for a reason that is in the system: it was used in a wrong way, or the
    /// task does too much.
    pub(super) fn misused(&self, failing: &Failing) {
        if failing.errno.is_some() || failing.message.is_empty() {
            return;
        }
        let what = format!("`{}` fails: {}", failing.command, failing.message);
        let remedy = if failing.message.contains("does more than it may") {
            "let it do less: a scenario's task has a few commands, every order of which is tried"
        } else {
            "mend the command; one that may fail so is followed by `||`"
        };
        let remedy = remedy.to_owned();
        self.mistake.borrow_mut().get_or_insert(Mistake { line: failing.line, what, remedy });
    }

    /// Whether so many more milliseconds may pass in a set-up.
    fn may_pass(&self, milliseconds: u64) -> bool {
        let passed = self.passed.get().saturating_add(milliseconds);
        self.passed.set(passed);
        if passed > LONGEST_SETUP {
            self.too_long.borrow_mut().get_or_insert(Mistake {
                line: self.line.get(),
                what: "the set-up lets more than an hour of machine time pass".to_owned(),
                remedy: "expected less: a machine that was booted waits for nothing".to_owned(),
            });
        }
        passed <= LONGEST_SETUP
    }

    fn mistake(&self, what: String, remedy: String) {
        let line = self.line.get();
        self.mistake.borrow_mut().get_or_insert(Mistake { line, what, remedy });
    }

    /// A file was not there: can it ever be?
    fn missing(&self, path: &str, errno: Errno) {
        if !matches!(errno, Errno::ENOENT | Errno::EACCES | Errno::ENOTDIR) {
            return;
        }
        let known = names::fixed();
        let mut parts = path.split('/').filter(|name| !matches!(*name, "" | "." | "..")).peekable();
        let unknown = match parts.next() {
            Some("sys") => parts.find(|name| !known.contains(name) && !names::varies(name)),
            Some("dev") | None => None,
            Some(_) => {
                return self.mistake(
                    format!("there is no `{path}`"),
                    "expected a path below /sys: nothing else is there".to_owned(),
                );
            }
        };
        if let Some(name) = unknown {
            let last = parts.peek().is_none();
            let what = format!("there is no {} `{name}`", if last { "attribute" } else { "directory" });
            let remedy = match nearest(name, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`apmatrix shell -c 'ls DIR'` lists what a directory has".to_owned(),
            };
            self.mistake(what, format!("{remedy} ({path})"));
        }
    }

    /// A verb was refused: because it is none?
    fn refused(&self, verb: &str, args: &str, error: &OperatorError) {
        if error.errno == Errno::EINVAL && !error.message.contains("(at ") {
            self.mistake(format!("`{verb} {args}` is not understood"), error.message.clone());
        }
    }
}

/// The known name that differs least from `name`, if few letters do.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let near = known.iter().map(|known| (strsim::osa_distance(name, known), *known)).min()?;
    (near.0 <= 1 + name.len() / 4).then_some(near.1)
}

/// How often a call is made anew because its file went.
const MOST_ATTEMPTS: usize = 4;

/// A World whose every call waits for its turn.
///
/// A command opens its file and then reads or writes it. To whoever asks for an order of commands the two are one:
/// where the file goes in between (`ENODEV`), the command is as one that comes after, and is made anew.
pub(super) struct InTurn<W> {
    world: W,
    turn: Rc<dyn Turn>,
    notes: Rc<Notes>,
    used: Rc<Cell<Ino>>,
    /// Machine time passes.
    setup: bool,
}

impl<W: World> InTurn<W> {
    pub(super) fn new(world: W, turn: Rc<dyn Turn>, notes: Rc<Notes>, used: Rc<Cell<Ino>>) -> InTurn<W> {
        InTurn { world, turn, notes, used, setup: false }
    }

    /// The same for a set-up, which runs alone.
    pub(super) fn for_setup(world: W, notes: Rc<Notes>) -> InTurn<W> {
        let turn = Rc::new(AtOnce);
        InTurn { world, turn, notes, used: Rc::new(Cell::new(ap_sysfs::ROOT)), setup: true }
    }

    /// Whether the file at `path` is another one than was used last, or gone.
    fn went(&mut self, path: &str) -> bool {
        let used = self.used.get();
        self.world.stat(path, true).map(|entry| entry.ino) != Ok(used)
    }

    fn turn(&self, call: Call) {
        self.turn.before(&call);
    }

    fn checked<T>(&self, path: &str, answer: Result<T, Errno>) -> Result<T, Errno> {
        if let Err(errno) = &answer {
            self.notes.missing(path, *errno);
        }
        answer
    }

    fn understood(
        &self,
        verb: &str,
        args: &str,
        answer: Result<String, OperatorError>,
    ) -> Result<String, OperatorError> {
        if let Err(error) = &answer {
            self.notes.refused(verb, args, error);
        }
        answer
    }
}

impl<W: World> World for InTurn<W> {
    fn begins(&mut self, place: Place) {
        self.notes.line.set(place.line);
    }

    fn read(&mut self, path: &str) -> Result<Vec<u8>, Errno> {
        self.turn(Call::Other);
        let mut answer = self.world.read(path);
        for _ in 1..MOST_ATTEMPTS {
            if answer != Err(Errno::ENODEV) || !self.went(path) {
                break;
            }
            answer = self.world.read(path);
        }
        self.checked(path, answer)
    }

    fn write(&mut self, path: &str, data: &[u8]) -> Written {
        self.turn(Call::Write(path.to_owned()));
        let mut written = self.world.write(path, data);
        let gone = Written::Done(Err(Failure::write(Errno::ENODEV)));
        for _ in 1..MOST_ATTEMPTS {
            if written != gone || !self.went(path) {
                break;
            }
            written = self.world.write(path, data);
        }
        if let Written::Done(Err(failure)) = &written
            && failure.at_open
        {
            self.notes.missing(path, failure.errno);
        }
        written
    }

    fn list(&mut self, path: &str) -> Result<Vec<Entry>, Errno> {
        self.turn(Call::Other);
        let answer = self.world.list(path);
        self.checked(path, answer)
    }

    fn stat(&mut self, path: &str, follow: bool) -> Result<Entry, Errno> {
        self.turn(Call::Other);
        self.world.stat(path, follow)
    }

    fn readlink(&mut self, path: &str) -> Result<String, Errno> {
        self.turn(Call::Other);
        self.world.readlink(path)
    }

    fn hw(&mut self, args: &str) -> Result<String, OperatorError> {
        self.turn(Call::Hw(args.to_owned()));
        if self.setup
            && let Some(milliseconds) = args.trim().strip_prefix("advance ")
            && !self.notes.may_pass(milliseconds.trim().parse().unwrap_or(0))
        {
            return Ok(String::new());
        }
        let answer = self.world.hw(args);
        self.understood("hw", args, answer)
    }

    fn guest(&mut self, args: &str) -> Result<String, OperatorError> {
        self.turn(Call::Other);
        let answer = self.world.guest(args);
        self.understood("guest", args, answer)
    }

    fn events(&mut self, args: &str) -> Result<String, OperatorError> {
        let remedy = "leave it out: the report's traces tell what happened".to_owned();
        self.notes.mistake("a scenario keeps no events".to_owned(), remedy);
        self.world.events(args)
    }

    fn sleep(&mut self, milliseconds: u64) {
        self.turn(Call::Other);
        if !self.setup || self.notes.may_pass(milliseconds) {
            self.world.sleep(milliseconds);
        }
    }

    fn poll(&mut self, job: JobId) -> Option<Result<usize, Failure>> {
        self.world.poll(job)
    }

    fn wait(&mut self, job: JobId) -> Option<Result<usize, Failure>> {
        self.world.wait(job)
    }
}
