//! A script as a scenario's task: its result is the first failure.
//!
//! It is a use of the shell, which knows nothing of tasks but that the first failure may end a script.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ast::Script;
use crate::outcome::{Cause, Failing, Status, Stream};
use crate::shell::Shell;
use crate::world::World;

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskResult {
    /// All of it ran.
    Ok,
    /// It stopped at a failing command.
    Failed(Failing),
}

impl TaskResult {
    /// The result as scenarios write it: `ok`, an errno's name, or `failed` when the failure has no errno.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            TaskResult::Ok => "ok",
            TaskResult::Failed(Failing { errno: Some(errno), .. }) => errno.name(),
            TaskResult::Failed(_) => "failed",
        }
    }
}

/// Runs `script` as a task: it stops at the first failing command that is not followed by `||` and is no condition.
///
/// Jobs that it left in the background are waited for at its end, and the first of them that failed counts.
/// What it prints is dropped but for [`Failing::message`].
pub fn run_task(script: &Script, world: &mut dyn World) -> TaskResult {
    run(script, &mut Shell::new(world))
}

/// The same, with a limit on what the script may do ([`Shell::set_budget`]). It begins with these variables, and leaves
/// those that it ends with.
pub fn run_task_within(
    script: &Script,
    world: &mut dyn World,
    budget: u64,
    variables: &mut BTreeMap<String, String>,
) -> TaskResult {
    let mut shell = Shell::new(world);
    shell.set_budget(budget);
    for (name, value) in &*variables {
        shell.set_variable(name, value);
    }
    let result = run(script, &mut shell);
    *variables = Arc::unwrap_or_clone(std::mem::take(&mut shell.state().env.variables));
    result
}

fn run(script: &Script, shell: &mut Shell<&mut dyn World>) -> TaskResult {
    shell.state().strict = true;
    let output = &mut |_: Stream, _: &str| {};
    let status = shell.run(script, output);
    if !status.is_ok() {
        return TaskResult::Failed(failing(shell, status));
    }
    shell.settle_jobs(output);
    match shell.state().jobs.iter_mut().find_map(|job| job.failing.take()) {
        Some(failing) => TaskResult::Failed(failing),
        None => TaskResult::Ok,
    }
}

fn failing<W: World>(shell: &mut Shell<W>, status: Status) -> Failing {
    let unknown = || Failing {
        cause: Cause::Command,
        errno: None,
        status: 0,
        line: 1,
        column: 1,
        command: String::new(),
        message: String::new(),
    };
    let found = shell.state().failing.take().unwrap_or_else(unknown);
    Failing { errno: status.errno, status: status.code, ..found }
}
