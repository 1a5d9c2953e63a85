//! What a command is, and all that it may touch while a script runs.
//!
//! Everything that runs, each command among it, works on a [`Context`]: the World, what the shell keeps, where output
//! goes, how much may still be done, and which command is to blame if something fails. It does not know which commands
//! there are nor how a list runs; the shell, which is above both, puts that in as a [`Language`].

use std::sync::Arc;

use ap_sysfs::nearest::{begun, meant, numbered};
use ap_sysfs::{Entry, Errno};

use super::output::{Channel, MAX_BYTES, Output};
use super::state::{Parked, State};
use crate::ast::{Item, Step};
use crate::error::visible;
use crate::outcome::{Cause, Failing, Status, Stream};
use crate::place::Place;
use crate::world::{Failure, World, Written};

/// How many words a command may have.
pub(crate) const MAX_FIELDS: usize = 1 << 18;

/// The longest path that is looked up.
pub(crate) const MAX_PATH: usize = 4096;

/// Why a list is left before its end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flow {
    /// The shell ends.
    Exit(Status),
    /// Somebody has the command end, and all that it stands in; the shell goes on.
    Interrupted(Status),
    /// The innermost loop ends.
    Break,
    /// The innermost loop goes on with its next word.
    Continue,
}

/// How a simple command ended, or that it has not.
pub(crate) enum Ran {
    /// It ended.
    Done(Status),
    /// Its write has not returned.
    Pending(Parked),
}

/// What a command does with its arguments.
pub(crate) type Run = fn(&mut Context<'_>, &[String]) -> Result<Status, Flow>;

/// Runs the commands of a list.
pub(crate) type RunList = fn(&mut Context<'_>, &[Item]) -> Result<Status, Flow>;

/// A command of the shell.
#[derive(Debug)]
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// How it is written.
    pub usage: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Whether running it does more than printing what it was told.
    pub(crate) effects: bool,
    pub(crate) run: Run,
}

/// What stands above a context, and is given to it: there is one for all shells.
pub(crate) struct Language {
    /// All commands, by name.
    pub commands: &'static [Command],
    /// How the list of a `$(…)` runs.
    pub run_list: RunList,
}

/// One run of a script.
pub(crate) struct Context<'a> {
    pub world: &'a mut dyn World,
    pub state: &'a mut State,
    pub output: Output<'a>,
    language: &'static Language,
    script: Arc<str>,
    /// What may still be done.
    left: u64,
    /// Around how many conditions we are: inside one, a failure stops nothing.
    pub conditions: u32,
    /// Around how many loops we are.
    pub loops: u32,
    /// Whether it is a background job that runs.
    pub in_job: bool,
    /// The simple command that runs.
    place: Place,
    source: Arc<str>,
    /// What was last complained about.
    complaint: String,
    /// What `wait` found to have failed, in place of `wait` itself.
    pub blamed: Option<Failing>,
    /// The status of the last `$(…)` in the command that runs.
    pub substituted: Option<Status>,
}

impl<'a> Context<'a> {
    /// Before the first command of `script`.
    pub fn new(
        language: &'static Language,
        world: &'a mut dyn World,
        state: &'a mut State,
        sink: &'a mut dyn FnMut(Stream, &str),
        script: Arc<str>,
    ) -> Context<'a> {
        let left = state.budget;
        Context {
            world,
            state,
            output: Output::new(sink),
            language,
            script,
            left,
            conditions: 0,
            loops: 0,
            in_job: false,
            place: Place::START,
            source: "".into(),
            complaint: String::new(),
            blamed: None,
            substituted: None,
        }
    }

    /// All commands, by name.
    pub fn commands(&self) -> &'static [Command] {
        self.language.commands
    }

    /// The command of that name.
    pub fn find(&self, name: &str) -> Option<&'static Command> {
        self.commands().iter().find(|command| command.name == name)
    }

    /// The command that is probably meant by a name that none has.
    pub fn meant_by(&self, name: &str) -> Option<&'static str> {
        meant(name, self.commands().iter().map(|command| command.name))
    }

    /// Runs a list.
    pub fn run_list(&mut self, list: &[Item]) -> Result<Status, Flow> {
        (self.language.run_list)(self, list)
    }

    /// The name of the script and the place of the command that runs.
    pub fn whereabouts(&self) -> (Arc<str>, Place) {
        (self.script.clone(), self.place)
    }
}

/// Who is to blame.
impl Context<'_> {
    /// From now on it is this command that runs.
    pub fn at(&mut self, step: &Step) {
        self.place = step.place;
        self.source = step.source.clone();
    }

    /// Remembers the command that runs as the one that failed, if it did.
    pub fn note(&mut self, status: Status) -> Status {
        if !status.is_ok() {
            let blamed = self.blamed.take();
            let cause = if self.exhausted() { Cause::Budget } else { Cause::Command };
            self.state.failing = Some(blamed.unwrap_or_else(|| Failing {
                cause,
                errno: status.errno,
                status: status.code,
                line: self.place.line,
                column: self.place.column,
                command: self.source.to_string(),
                message: self.complaint.clone(),
            }));
        }
        status
    }

    /// Applies a step's `!`, and remembers it if it failed by that.
    pub fn judge(&mut self, step: &Step, status: Status) -> Status {
        if !step.negated {
            return status;
        }
        if !status.is_ok() {
            return Status::OK;
        }
        self.at(step);
        self.forget_complaint();
        self.note(Status::of(1))
    }

    /// What was said up to here is no reason for a failure.
    pub fn forget_complaint(&mut self) {
        self.complaint.clear();
    }
}

/// Limits.
impl Context<'_> {
    /// Pays for work; whoever waits for its end can have it end here.
    pub fn charge(&mut self, cost: u64) -> Result<(), Flow> {
        if self.state.interrupted() {
            return Err(Flow::Interrupted(self.note(Status::interrupted())));
        }
        if self.left < cost {
            self.left = 0;
            return Err(self.abort("the script does more than it may: stopped"));
        }
        self.left -= cost;
        Ok(())
    }

    /// Pays for text.
    pub fn charge_bytes(&mut self, bytes: usize) -> Result<(), Flow> {
        self.charge(bytes as u64 / 64)
    }

    /// Whether the limit was reached: then subshells end, too.
    pub fn exhausted(&self) -> bool {
        self.left == 0
    }

    /// Complains, and ends the shell.
    pub fn abort(&mut self, message: &str) -> Flow {
        self.complain(&format!("sh: {message}"));
        Flow::Exit(self.note(Status::of(2)))
    }

    /// Sets a variable, within the limit.
    pub fn assign(&mut self, name: &str, value: String) -> Result<(), Flow> {
        if self.state.env.size + name.len() + value.len() > MAX_BYTES {
            return Err(self.abort("the variables are larger than 16 MiB"));
        }
        self.charge_bytes(value.len())?;
        self.state.env.set(name, value);
        Ok(())
    }
}

/// What is said.
impl Context<'_> {
    /// Prints an answer.
    pub fn print(&mut self, bytes: &[u8]) {
        self.output.emit(self.output.out, bytes);
    }

    /// Prints a line of an answer.
    pub fn print_line(&mut self, line: &str) {
        self.print(format!("{line}\n").as_bytes());
    }

    /// Prints a line that says what is wrong.
    pub fn complain(&mut self, line: &str) {
        let line = &visible(line);
        line.clone_into(&mut self.complaint);
        let layout = self.state.layout.filter(|_| matches!(self.output.err, Channel::Print(_)));
        let text = layout.map_or_else(|| line.to_owned(), |layout| layout(line));
        self.output.emit(self.output.err, format!("{text}\n").as_bytes());
    }

    /// Says how `command` is used.
    pub fn misused(&mut self, command: &str, what: &str) -> Status {
        let usage = self.find(command).map_or("", |command| command.usage);
        self.complain(&format!("{command}: {what} (usage: {usage})"));
        Status::of(2)
    }

    /// Says why `command` failed on `path`.
    pub fn failed_on(&mut self, command: &str, path: &str, errno: Errno) -> Status {
        let hint = self
            .hint(path, errno, "it is only written")
            .map_or_else(String::new, |hint| format!(" ({hint})"));
        self.complain(&format!("{command}: {path}: {errno}{hint}"));
        Status::failed(errno)
    }

    /// What there is to know about a path that cannot be opened; `denied` is said of a file that is there and may not be
    /// opened so. A task does not look: each look would be a step.
    pub fn hint(&mut self, path: &str, errno: Errno, denied: &str) -> Option<String> {
        if self.state.strict {
            return None;
        }
        match errno {
            Errno::EACCES if self.stat(path, true).is_ok() => Some(denied.to_owned()),
            Errno::EACCES | Errno::ENOENT => self.instead(path),
            Errno::EISDIR => Some(format!("it is a directory: `ls {path}` lists what is in it")),
            _ => None,
        }
    }

    /// What to try instead of a path that leads nowhere.
    fn instead(&mut self, path: &str) -> Option<String> {
        let full = self.absolute(path).ok()?;
        let mut names = full.split('/').filter(|name| !name.is_empty() && *name != ".");
        let mut at = String::new();
        let missing = loop {
            let name = names.next()?;
            let next = format!("{at}/{name}");
            if name != ".." && self.world.stat(&next, true).is_err() {
                break name;
            }
            at = next;
        };
        if self.world.stat(&format!("{at}/{missing}"), false).is_ok() {
            // It is there, and leads nowhere.
            return None;
        }
        let rest: String = names.map(|name| format!("/{name}")).collect();
        let entries = self.world.list(if at.is_empty() { "/" } else { &at }).ok()?;
        let others = entries.iter().map(|entry| entry.name.as_str()).filter(|name| *name != missing);
        let near = meant(missing, others.clone()).or_else(|| begun(missing, others));
        let near = near.map(|near| format!("{at}/{near}{rest}"));
        Some(match near.or_else(|| self.elsewhere(path)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if at.is_empty() => "there is nothing but /sys here".to_owned(),
            None => format!("there is no `{missing}` there: `ls {at}` lists what there is"),
        })
    }

    /// Where else a relative path may lead that leads nowhere here: below the places of the tree that people name in short.
    fn elsewhere(&mut self, path: &str) -> Option<String> {
        let (first, rest) =
            path.split_once('/').map_or((path, ""), |(first, _)| (first, &path[first.len()..]));
        if first.is_empty() || first.starts_with('.') {
            return None;
        }
        let places = self.world.places();
        let mut is_there = |path: &String| self.world.stat(path, true).is_ok();
        if let Some(found) = places.iter().map(|place| format!("{place}{path}")).find(|path| is_there(path)) {
            return Some(found);
        }
        for place in &places {
            let Ok(entries) = self.world.list(place) else { continue };
            let names = || entries.iter().map(|entry| entry.name.as_str());
            let near = numbered(first, names()).or_else(|| begun(first, names()));
            let near = near.or_else(|| meant(first, names()));
            let near = near.map(|near| format!("{place}{near}{rest}"));
            if let Some(near) = near.filter(|near| self.world.stat(near, true).is_ok()) {
                return Some(near);
            }
        }
        None
    }
}

/// The World's files, by paths that may be relative.
impl Context<'_> {
    /// Makes a path absolute.
    pub fn absolute(&self, path: &str) -> Result<String, Errno> {
        let full = match path.chars().next() {
            None => return Err(Errno::ENOENT),
            Some('/') => path.to_owned(),
            Some(_) => format!("{}/{path}", self.state.env.cwd.trim_end_matches('/')),
        };
        if full.len() > MAX_PATH { Err(Errno::ENAMETOOLONG) } else { Ok(full) }
    }

    /// [`World::read`].
    pub fn read(&mut self, path: &str) -> Result<Vec<u8>, Errno> {
        self.world.read(&self.absolute(path)?)
    }

    /// [`World::write`].
    pub fn write(&mut self, path: &str, data: &[u8]) -> Written {
        match self.absolute(path) {
            Ok(path) => self.world.write(&path, data),
            Err(errno) => Written::Done(Err(Failure::open(errno))),
        }
    }

    /// [`World::list`].
    pub fn list_directory(&mut self, path: &str) -> Result<Vec<Entry>, Errno> {
        self.world.list(&self.absolute(path)?)
    }

    /// [`World::stat`].
    pub fn stat(&mut self, path: &str, follow: bool) -> Result<Entry, Errno> {
        self.world.stat(&self.absolute(path)?, follow)
    }

    /// [`World::readlink`].
    pub fn readlink(&mut self, path: &str) -> Result<String, Errno> {
        self.world.readlink(&self.absolute(path)?)
    }
}
