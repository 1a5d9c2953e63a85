//! The shell: a World, and what is kept from one script to the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use ap_sysfs::Errno;

use crate::ast::Script;
use crate::job::Job;
use crate::run::{Flow, Interp};
use crate::task::Failing;
use crate::world::World;

/// Where text is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// What a command answers.
    Out,
    /// What it complains about.
    Err,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Status {
    /// `$?`: 0 for success.
    pub code: u8,
    /// The errno behind a failure, if there was one.
    pub errno: Option<Errno>,
}

impl Status {
    /// Success.
    pub const OK: Status = Status { code: 0, errno: None };

    /// A status without an errno.
    #[must_use]
    pub const fn of(code: u8) -> Status {
        Status { code, errno: None }
    }

    /// Status 1 because of `errno`.
    #[must_use]
    pub const fn failed(errno: Errno) -> Status {
        Status { code: 1, errno: Some(errno) }
    }

    /// Whether it is success.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        self.code == 0
    }
}

/// What a subshell has a copy of.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub variables: Arc<BTreeMap<String, String>>,
    /// Bytes in the variables.
    pub size: usize,
    pub cwd: String,
    pub last: Status,
    pub errexit: bool,
    pub nounset: bool,
    pub xtrace: bool,
}

/// What is kept from one script to the next.
#[derive(Debug)]
pub(crate) struct State {
    pub env: Environment,
    pub jobs: Vec<Job>,
    pub last_job: u32,
    pub exited: bool,
    pub interactive: bool,
    /// As a scenario's task: the first failing command ends it.
    pub strict: bool,
    pub failing: Option<Failing>,
    pub budget: u64,
}

impl State {
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
        }
    }
}

/// A shell over a World. Variables, the current directory (at first `/sys`), options and jobs stay from one
/// script to the next.
pub struct Shell<W> {
    world: W,
    state: State,
}

impl<W: World> Shell<W> {
    /// A fresh shell.
    pub fn new(world: W) -> Shell<W> {
        Shell { world, state: State::new() }
    }

    /// Runs `script` to its end; what it prints goes to `output` as it comes.
    pub fn run(&mut self, script: &Script, output: &mut dyn FnMut(Stream, &str)) -> Status {
        self.state.exited = false;
        let mut interp = Interp::new(&mut self.world, &mut self.state, output, script.name.clone());
        let status = match interp.list(&script.list) {
            Ok(status) => status,
            Err(Flow::Exit(status)) => {
                interp.state.exited = true;
                status
            }
            Err(Flow::Break | Flow::Continue) => interp.state.env.last,
        };
        self.state.env.last = status;
        status
    }

    /// Tells of jobs that ended since they were last told of: for a prompt.
    pub fn notify(&mut self, output: &mut dyn FnMut(Stream, &str)) {
        Interp::new(&mut self.world, &mut self.state, output, "sh".into()).notify();
    }

    /// Whether the last script ended by `exit`, by `set -e`, or because of an error that ends a shell.
    #[must_use]
    pub fn exited(&self) -> bool {
        self.state.exited
    }

    /// Makes it tell the number of a job that goes on in the background, as shells do at a prompt.
    pub fn set_interactive(&mut self, interactive: bool) {
        self.state.interactive = interactive;
    }

    /// Sets how much one script may do: a command is 1, and so are 64 bytes of words. At first 50 million.
    pub fn set_budget(&mut self, budget: u64) {
        self.state.budget = budget;
    }

    /// The numbers of the jobs that have not ended.
    #[must_use]
    pub fn running_jobs(&self) -> Vec<u32> {
        self.state.jobs.iter().filter(|job| job.is_waiting()).map(|job| job.number).collect()
    }

    /// The current directory.
    #[must_use]
    pub fn current_directory(&self) -> &str {
        &self.state.env.cwd
    }

    /// A variable's value.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.state.env.variables.get(name).map(String::as_str)
    }

    /// Sets a variable.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.state.env.set(name, value.to_owned());
    }

    /// The World.
    pub fn world(&mut self) -> &mut W {
        &mut self.world
    }

    /// Gives the World back.
    pub fn into_world(self) -> W {
        self.world
    }

    pub(crate) fn state(&mut self) -> &mut State {
        &mut self.state
    }

    pub(crate) fn settle_jobs(&mut self, output: &mut dyn FnMut(Stream, &str)) {
        Interp::new(&mut self.world, &mut self.state, output, "sh".into()).wait_for_all();
    }
}

impl Environment {
    pub fn set(&mut self, name: &str, value: String) {
        self.unset(name);
        self.size += name.len() + value.len();
        Arc::make_mut(&mut self.variables).insert(name.to_owned(), value);
    }

    pub fn unset(&mut self, name: &str) {
        if self.variables.contains_key(name)
            && let Some(value) = Arc::make_mut(&mut self.variables).remove(name)
        {
            self.size -= name.len() + value.len();
        }
    }
}
