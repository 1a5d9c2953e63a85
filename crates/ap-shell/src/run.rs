//! Runs a script's lists.

use std::sync::Arc;

use crate::ast::{Item, Node, Place, Simple, Step, Tie, Word};
use crate::builtin;
use crate::job::Parked;
use crate::nearest::nearest;
use crate::quote::quote;
use crate::shell::{State, Status, Stream};
use crate::task::Failing;
use crate::world::World;

/// Bytes that all words of a command, all variables, or a command's captured output may have.
pub(crate) const MAX_BYTES: usize = 16 << 20;

/// Why a list is left before its end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flow {
    Exit(Status),
    Break,
    Continue,
}

/// How a simple command ended, or that it has not.
pub(crate) enum Ran {
    Done(Status),
    Pending(Parked),
}

/// Where a stream goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Channel {
    Print(Stream),
    /// Into the buffer of that index.
    Capture(usize),
    Drop,
}

/// One run of a script.
pub(crate) struct Interp<'a> {
    pub world: &'a mut dyn World,
    pub state: &'a mut State,
    sink: &'a mut dyn FnMut(Stream, &str),
    script: Arc<str>,
    pub out: Channel,
    pub err: Channel,
    pub buffers: Vec<Vec<u8>>,
    /// What may still be done.
    left: u64,
    /// Around how many conditions we are: inside one, a failure stops nothing.
    conditions: u32,
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

impl<'a> Interp<'a> {
    pub fn new(
        world: &'a mut dyn World,
        state: &'a mut State,
        sink: &'a mut dyn FnMut(Stream, &str),
        script: Arc<str>,
    ) -> Interp<'a> {
        let left = state.budget;
        Interp {
            world,
            state,
            sink,
            script,
            out: Channel::Print(Stream::Out),
            err: Channel::Print(Stream::Err),
            buffers: Vec::new(),
            left,
            conditions: 0,
            loops: 0,
            in_job: false,
            place: Place { line: 1, column: 1 },
            source: "".into(),
            complaint: String::new(),
            blamed: None,
            substituted: None,
        }
    }

    pub fn list(&mut self, list: &[Item]) -> Result<Status, Flow> {
        let mut status = Status::OK;
        for item in list {
            self.reap();
            if item.background {
                self.start(item)?;
                status = Status::OK;
            } else {
                status = self.steps(&item.steps)?;
            }
            self.state.env.last = status;
        }
        Ok(status)
    }

    fn steps(&mut self, steps: &[Step]) -> Result<Status, Flow> {
        let mut status = Status::OK;
        let mut ran = 0;
        for (i, step) in steps.iter().enumerate() {
            if !follows(step.tie, status) {
                continue;
            }
            ran = i;
            let rest = &steps[i + 1..];
            // `set -e` forgives every command but a list's last; a task only those that `||` follows.
            let forgiven = if self.state.strict {
                rest.iter().any(|step| step.tie == Tie::Or)
            } else {
                !rest.is_empty()
            };
            let condition = u32::from(forgiven || step.negated);
            self.conditions += condition;
            let result = self.step(step);
            self.conditions -= condition;
            status = self.judge(step, result?);
            self.state.env.last = status;
        }
        if status.is_ok() || self.conditions > 0 {
            return Ok(status);
        }
        let last = &steps[ran];
        let simple = matches!(*last.command, Node::Simple(_));
        let stops = self.state.env.errexit && ran + 1 == steps.len() && simple && !last.negated;
        if self.state.strict || stops { Err(Flow::Exit(status)) } else { Ok(status) }
    }

    /// Applies `!` and remembers a failure.
    pub fn judge(&mut self, step: &Step, status: Status) -> Status {
        if !step.negated {
            return status;
        }
        if !status.is_ok() {
            return Status::OK;
        }
        (self.place, self.source) = (step.place, step.source.clone());
        self.complaint.clear();
        self.note(Status::of(1))
    }

    fn step(&mut self, step: &Step) -> Result<Status, Flow> {
        match &*step.command {
            Node::Simple(simple) => {
                let ran = self.simple(step, simple)?;
                let status = match ran {
                    Ran::Done(status) => status,
                    Ran::Pending(parked) => self.settle(parked, &step.source),
                };
                Ok(self.note(status))
            }
            Node::For { variable, words, body } => self.each(variable, words, body),
            Node::If { branches, otherwise } => {
                for (condition, body) in branches {
                    self.conditions += 1;
                    let result = self.list(condition);
                    self.conditions -= 1;
                    if result?.is_ok() {
                        return self.list(body);
                    }
                }
                self.list(otherwise)
            }
            Node::Group(body) => self.list(body),
        }
    }

    fn each(&mut self, variable: &str, words: &[Word], body: &[Item]) -> Result<Status, Flow> {
        let values = self.fields(words)?;
        let mut status = Status::OK;
        for value in values {
            self.charge(1)?;
            self.assign(variable, value)?;
            self.loops += 1;
            let result = self.list(body);
            self.loops -= 1;
            match result {
                Ok(ended) => status = ended,
                Err(Flow::Break) => break,
                Err(Flow::Continue) => status = Status::OK,
                Err(exit) => return Err(exit),
            }
        }
        Ok(status)
    }

    pub fn simple(&mut self, step: &Step, simple: &Simple) -> Result<Ran, Flow> {
        self.charge(1)?;
        self.at(step);
        self.world.begins(step.place);
        self.complaint.clear();
        self.blamed = None;
        self.substituted = None;
        let words = self.fields(&simple.words)?;
        let mut assignments = Vec::new();
        for (name, word) in &simple.assignments {
            let value = self.single(word)?;
            if words.is_empty() {
                self.assign(name, value.clone())?;
            }
            assignments.push((name, value));
        }
        let Some(places) = self.targets(&simple.redirects)? else {
            return Ok(Ran::Done(Status::of(1)));
        };
        // A substitution ran commands of its own.
        self.at(step);
        self.trace(&assignments, &words);
        let Some((name, args)) = words.split_first() else {
            let status = self.substituted.unwrap_or(Status::OK);
            return self.redirected(places, "sh", false, |_| Ok(status));
        };
        match builtin::find(name) {
            Some(command) => {
                let effects = command.has_effects();
                self.redirected(places, name, effects, |interp| command.run(interp, args))
            }
            None => {
                let name = name.clone();
                self.redirected(places, "sh", false, |interp| {
                    interp.unknown(&name);
                    Ok(Status::of(127))
                })
            }
        }
    }

    fn at(&mut self, step: &Step) {
        self.place = step.place;
        self.source = step.source.clone();
    }

    fn unknown(&mut self, name: &str) {
        let Place { line, column } = self.place;
        let hint = match nearest(name, builtin::names()) {
            Some(known) => format!("did you mean `{known}`?"),
            None => "`help` lists the commands; programs run under `apmatrix run`".to_owned(),
        };
        let name: String = name.chars().take(100).collect();
        self.complain(&format!(
            "{}:{line}:{column}: {name}: command not found ({hint})",
            self.script.clone()
        ));
    }

    fn trace(&mut self, assignments: &[(&String, String)], words: &[String]) {
        if !self.state.env.xtrace || assignments.is_empty() && words.is_empty() {
            return;
        }
        let mut line = "+".to_owned();
        for (name, value) in assignments {
            line += &format!(" {name}={}", quote(value));
        }
        for word in words {
            line += &format!(" {}", quote(word));
        }
        self.complain(&line);
        self.complaint.clear();
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

    /// Remembers the command that runs as the one that failed, if it did.
    pub fn note(&mut self, status: Status) -> Status {
        if !status.is_ok() {
            let blamed = self.blamed.take();
            self.state.failing = Some(blamed.unwrap_or_else(|| Failing {
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

    /// [`Interp::note`] for a job's command.
    pub fn note_at(&mut self, step: &Step, status: Status) -> Status {
        self.at(step);
        self.note(status)
    }

    /// Pays for work.
    pub fn charge(&mut self, cost: u64) -> Result<(), Flow> {
        if self.left < cost {
            self.left = 0;
            return Err(self.abort("the script does more than it may: stopped"));
        }
        self.left -= cost;
        Ok(())
    }

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

    /// Prints an answer.
    pub fn print(&mut self, bytes: &[u8]) {
        self.emit(self.out, bytes);
    }

    /// Prints a line of an answer.
    pub fn print_line(&mut self, line: &str) {
        self.print(format!("{line}\n").as_bytes());
    }

    /// Prints a line that says what is wrong.
    pub fn complain(&mut self, line: &str) {
        line.clone_into(&mut self.complaint);
        self.emit(self.err, format!("{line}\n").as_bytes());
    }

    fn emit(&mut self, channel: Channel, bytes: &[u8]) {
        match channel {
            Channel::Print(_) if bytes.is_empty() => {}
            Channel::Print(stream) => (self.sink)(stream, &String::from_utf8_lossy(bytes)),
            Channel::Capture(index) => {
                // One byte more than allowed shows that it was too much.
                let buffer = &mut self.buffers[index];
                let room = (MAX_BYTES + 1).saturating_sub(buffer.len());
                buffer.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Channel::Drop => {}
        }
    }
}

/// Whether a step tied by `tie` runs after `status`.
pub(crate) fn follows(tie: Tie, status: Status) -> bool {
    match tie {
        Tie::First => true,
        Tie::And => status.is_ok(),
        Tie::Or => !status.is_ok(),
    }
}
