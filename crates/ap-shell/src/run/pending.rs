//! Writes that do not return at once: waited for in the foreground, and answered.
//!
//! It knows a single write and the command that it belongs to, and nothing of what comes after that command.

use std::sync::Arc;

use ap_sysfs::Errno;

use super::context::Context;
use super::state::Parked;
use crate::outcome::Status;
use crate::world::Failure;

/// Waits in the foreground for a write; if nothing can end it, it becomes a job.
pub(super) fn settle(context: &mut Context<'_>, parked: Parked, source: &str) -> Status {
    if let Some(answer) = context.world.wait(parked.job) {
        return answered(context, &parked, answer);
    }
    let number = context.state.enlist(Arc::default(), source.into(), Some(parked));
    context.complain(&format!(
        "sh: `{source}` does not return: it goes on as job {number} (let happen what it waits for, then `wait {number}`)"
    ));
    Status::interrupted()
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
        let hint = match errno {
            Errno::EACCES if !context.state.strict && context.stat(path, true).is_ok() => {
                "; it is only read".to_owned()
            }
            Errno::EACCES | Errno::ENOENT => {
                context.near(path).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
            }
            _ => String::new(),
        };
        let name = errno.name();
        context.complain(&format!("{script}:{line}: {path}: cannot be written: {errno} ({name}){hint}"));
    } else {
        let hint = if context.state.interactive { "; `why` says the reason" } else { "" };
        context.complain(&format!("{script}:{line}: {path}: {errno} ({}){hint}", errno.name()));
    }
    Status::failed(errno)
}
