//! The shell: a World, and what is kept from one script to the next.
//!
//! Here the runner, which knows no builtin, is given the table of them.

use std::sync::Arc;

use crate::ast::Script;
use crate::builtin;
use crate::foreground::Foreground;
use crate::outcome::{Status, Stream};
use crate::run::context::{Context, Flow, Language};
use crate::run::state::State;
use crate::run::{self, jobs};
use crate::world::World;

/// What every run of a script is given: the commands, and how their substitutions run.
static LANGUAGE: Language = Language { commands: builtin::COMMANDS, run_list: run::list };

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
        let mut context = self.context(output, script.name.clone());
        let status = match run::list(&mut context, &script.list) {
            Ok(status) => status,
            Err(Flow::Exit(status)) => {
                context.state.exited = true;
                status
            }
            Err(Flow::Interrupted(status)) => status,
            Err(Flow::Break | Flow::Continue) => context.state.env.last,
        };
        self.state.env.last = status;
        status
    }

    /// Tells of jobs that ended since they were last told of: for a prompt.
    pub fn notify(&mut self, output: &mut dyn FnMut(Stream, &str)) {
        jobs::notify(&mut self.context(output, "sh".into()));
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

    /// Lays out complaints that are printed, and not collected: for a terminal that has a width.
    pub fn set_layout(&mut self, layout: fn(&str) -> String) {
        self.state.layout = Some(layout);
    }

    /// Somebody sits at a prompt: a command ends, with status 130, as soon as he wants it, and a write that waits is
    /// waited for in the foreground until then.
    pub fn set_foreground(&mut self, foreground: Box<dyn Foreground>) {
        self.state.foreground = Some(foreground);
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

    /// What is kept from one script to the next.
    pub(crate) fn state(&mut self) -> &mut State {
        &mut self.state
    }

    /// Waits for all jobs, at a task's end.
    pub(crate) fn settle_jobs(&mut self, output: &mut dyn FnMut(Stream, &str)) {
        jobs::wait_for_all(&mut self.context(output, "sh".into()));
    }

    fn context<'a>(&'a mut self, output: &'a mut dyn FnMut(Stream, &str), script: Arc<str>) -> Context<'a> {
        Context::new(&LANGUAGE, &mut self.world, &mut self.state, output, script)
    }
}
