//! A task's calls, each of which waits for its turn, and is looked at for mistakes of the scenario's author.

use std::cell::Cell;
use std::rc::Rc;

use ap_shell::{Failure, JobId, OperatorError, Place, World, Written};
use ap_sysfs::{Entry, Errno, Ino};

use crate::scenario::notes::Notes;
use crate::scenario::told::Told;
use crate::scenario::turn::{AtOnce, Call, Turn};

/// How often a call is made anew because its file went.
const MOST_ATTEMPTS: usize = 4;

/// A [`World`] whose every call waits for its turn.
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
        self.turn.before(call);
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
        locks::hook::note(|| Told::Line(place.line).to_string());
    }

    fn read(&mut self, path: &str) -> Result<Vec<u8>, Errno> {
        self.turn(Call::Any);
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
        self.turn(Call::Any);
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
        self.turn(Call::Any);
        let answer = self.world.list(path);
        self.checked(path, answer)
    }

    fn stat(&mut self, path: &str, follow: bool) -> Result<Entry, Errno> {
        self.turn(Call::Any);
        self.world.stat(path, follow)
    }

    fn readlink(&mut self, path: &str) -> Result<String, Errno> {
        self.turn(Call::Any);
        self.world.readlink(path)
    }

    fn hw(&mut self, args: &str) -> Result<String, OperatorError> {
        self.turn(Call::Any);
        let mut words = args.split_ascii_whitespace();
        if self.setup
            && words.next() == Some("advance")
            && !self.notes.may_pass(words.next().and_then(|time| time.parse().ok()).unwrap_or(0))
        {
            return Ok(String::new());
        }
        let answer = self.world.hw(args);
        self.understood("hw", args, answer)
    }

    fn guest(&mut self, args: &str) -> Result<String, OperatorError> {
        self.turn(Call::Any);
        let answer = self.world.guest(args);
        self.understood("guest", args, answer)
    }

    fn events(&mut self, args: &str) -> Result<String, OperatorError> {
        let remedy = "leave it out: the report's traces tell what happened".to_owned();
        self.notes.mistake("a scenario keeps no events".to_owned(), remedy);
        self.world.events(args)
    }

    fn sleep(&mut self, milliseconds: u64) {
        self.turn(Call::Any);
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
