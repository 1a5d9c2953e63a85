//! What a shell keeps from one script to the next: variables, the current directory, options, jobs.
//!
//! It is data: what happens to it is decided by those who run scripts.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ast::Step;
use crate::foreground::Foreground;
use crate::outcome::{Failing, Status};
use crate::world::JobId;

/// How many jobs may wait at once.
pub(crate) const MAX_JOBS: usize = 1024;

/// What a subshell has a copy of.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub variables: Arc<BTreeMap<String, String>>,
    /// Bytes in the variables.
    pub size: usize,
    pub cwd: String,
    /// The status of the last command: `$?`.
    pub last: Status,
    pub errexit: bool,
    pub nounset: bool,
    pub xtrace: bool,
}

impl Environment {
    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: String) {
        self.unset(name);
        self.size += name.len() + value.len();
        Arc::make_mut(&mut self.variables).insert(name.to_owned(), value);
    }

    /// Forgets a variable.
    pub fn unset(&mut self, name: &str) {
        if self.variables.contains_key(name)
            && let Some(value) = Arc::make_mut(&mut self.variables).remove(name)
        {
            self.size -= name.len() + value.len();
        }
    }
}

/// A command whose write has not returned.
#[derive(Clone, Debug)]
pub(crate) struct Parked {
    pub job: JobId,
    pub path: String,
    /// The command's own status, if the write succeeds.
    pub status: Status,
    /// Where the command stands: script and line.
    pub at: (Arc<str>, u32),
}

/// A list in the background.
#[derive(Debug)]
pub(crate) struct Job {
    pub number: u32,
    pub steps: Arc<[Step]>,
    /// The index of the step that waits or comes next.
    pub next: usize,
    pub env: Environment,
    pub source: Arc<str>,
    /// The write that it waits for.
    pub waiting: Option<Parked>,
    pub status: Status,
    /// Whether its end was told.
    pub told: bool,
    /// The failure that nobody has waited for.
    pub failing: Option<Failing>,
}

impl Job {
    /// Whether it has not ended.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// As `jobs` shows it.
    pub fn describe(&self) -> String {
        let state = match (self.is_waiting(), self.status) {
            (true, _) => "Running".to_owned(),
            (false, Status { code: 0, .. }) => "Done".to_owned(),
            (false, Status { code, errno: None }) => format!("Exit {code}"),
            (false, Status { code, errno: Some(errno) }) => format!("Exit {code} ({})", errno.name()),
        };
        format!("[{}] {state:<10} {}", self.number, self.source)
    }
}

/// What is kept from one script to the next.
#[derive(Debug)]
pub(crate) struct State {
    pub env: Environment,
    /// The jobs, by ascending numbers.
    pub jobs: Vec<Job>,
    pub last_job: u32,
    pub exited: bool,
    pub interactive: bool,
    /// As a scenario's task: the first failing command ends it.
    pub strict: bool,
    pub failing: Option<Failing>,
    /// What one script may do.
    pub budget: u64,
    /// How a complaint is laid out where it is printed.
    pub layout: Option<fn(&str) -> String>,
    /// Who sits at the prompt.
    pub foreground: Option<Box<dyn Foreground>>,
}

impl State {
    /// That of a fresh shell.
    pub fn new() -> State {
        let env = Environment {
            variables: Arc::default(),
            size: 0,
            cwd: "/sys".to_owned(),
            last: Status::OK,
            errexit: false,
            nounset: false,
            xtrace: false,
        };
        State {
            env,
            jobs: Vec::new(),
            last_job: 0,
            exited: false,
            interactive: false,
            strict: false,
            failing: None,
            budget: 50_000_000,
            layout: None,
            foreground: None,
        }
    }

    /// Whether the running command is to end; it is asked once.
    pub fn interrupted(&self) -> bool {
        self.foreground.as_ref().is_some_and(|who| who.interrupted())
    }

    /// A variable's value; `?` and `!` are the last status and the last job.
    pub fn value(&self, name: &str) -> Option<String> {
        match name {
            "?" => Some(self.env.last.code.to_string()),
            "!" => (self.last_job > 0).then(|| self.last_job.to_string()),
            _ => self.env.variables.get(name).cloned(),
        }
    }

    /// Adds a job, with a copy of the variables; its number.
    pub fn enlist(&mut self, steps: Arc<[Step]>, source: Arc<str>, waiting: Option<Parked>) -> u32 {
        // Only the last statuses are kept for `wait N`.
        if self.jobs.len() >= 2 * MAX_JOBS {
            self.jobs.retain(Job::is_waiting);
        }
        self.last_job += 1;
        self.jobs.push(Job {
            number: self.last_job,
            steps,
            next: 0,
            env: self.env.clone(),
            source,
            waiting,
            status: Status::OK,
            told: false,
            failing: None,
        });
        self.last_job
    }

    /// The job of that number.
    pub fn job(&mut self, number: u32) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.number == number)
    }
}
