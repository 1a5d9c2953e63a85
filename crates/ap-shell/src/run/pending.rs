//! Writes that do not return at once: waited for in the foreground, and answered.
//!
//! It knows a single write and the command that it belongs to, and nothing of what comes after that command.

use std::sync::Arc;

use super::context::{Context, Flow};
use super::state::Parked;
use crate::outcome::Status;
use crate::world::{Failure, JobId};

/// Waits in the foreground for a write. If nothing that is due can end it, it becomes a job; but whoever sits at a prompt
/// waits before it, as at any shell, until he has enough of it.
pub(super) fn settle(context: &mut Context<'_>, parked: Parked, source: &str) -> Result<Status, Flow> {
    if let Some(answer) = context.world.wait(parked.job) {
        return Ok(answered(context, &parked, answer));
    }
    if context.in_job || context.state.foreground.is_none() {
        let whom = whom(context, parked.job);
        let number = context.state.enlist(Arc::default(), source.into(), Some(parked));
        context.complain(&format!(
            "sh: `{source}` does not return{whom}: it goes on as job {number} (let happen what it waits for, then \
             `wait {number}`)"
        ));
        return Ok(Status::interrupted());
    }
    if let Some(answer) = linger(context, parked.job, &format!("sh: `{source}`")) {
        return Ok(answered(context, &parked, answer));
    }
    // What it has done so far stays done: a call that waits is not taken back by a signal.
    let number = context.state.enlist(Arc::default(), source.into(), Some(parked));
    context
        .complain(&format!("sh: it goes on as job {number}: `jobs` shows it, `wait {number}` waits again"));
    Err(Flow::Interrupted(context.note(Status::interrupted())))
}

/// What a write waits for, after what is said before it.
fn whom(context: &mut Context<'_>, job: JobId) -> String {
    context.world.waits_for(job).map_or_else(String::new, |whom| format!(": {whom}"))
}

/// Waits for a write as long as whoever sits at the prompt wants; machine time passes as his does. `None` if he has
/// enough, or nobody sits there.
pub(super) fn linger(context: &mut Context<'_>, job: JobId, what: &str) -> Option<Result<usize, Failure>> {
    context.state.foreground.as_ref()?;
    let whom = whom(context, job);
    context.complain(&format!("{what} waits{whom} (^C: it goes on in the background)"));
    loop {
        if context.state.interrupted() {
            return None;
        }
        let passed = context.state.foreground.as_ref()?.pause();
        context.world.sleep(passed);
        if let Some(answer) = context.world.poll(job) {
            return Some(answer);
        }
    }
}

/// The status of a command whose write has returned.
pub(super) fn answered(context: &mut Context<'_>, parked: &Parked, answer: Result<usize, Failure>) -> Status {
    match answer {
        Ok(_) => parked.status,
        Err(failure) => write_failed(context, &parked.at, &parked.path, failure),
    }
}

/// Says that a write failed: where the command stands, which file, and what it answered.
pub(super) fn write_failed(
    context: &mut Context<'_>,
    (script, line): &(Arc<str>, u32),
    path: &str,
    failure: Failure,
) -> Status {
    let Failure { errno, at_open } = failure;
    if at_open {
        let hint =
            context.hint(path, errno, "it is only read").map_or_else(String::new, |hint| format!("; {hint}"));
        let name = errno.name();
        context.complain(&format!("{script}:{line}: {path}: cannot be written: {errno} ({name}){hint}"));
    } else {
        let hint = if context.state.interactive { "; `why` says the reason" } else { "" };
        context.complain(&format!("{script}:{line}: {path}: {errno} ({}){hint}", errno.name()));
    }
    Status::failed(errno)
}
