//! Why an apply, a confirmation, a revert or a recovery did nothing: data, and a sentence each.
//!
//! Knows the lock's, the import's and the journal's errors; not what a user is to do about them.

use ap_files::journal::JournalError;

use crate::import::ImportError;
use crate::lock::LockError;
use crate::tree::Fault;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The lock.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The host cannot be read.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The host is another one than the plan was made for.
    #[error("the host is not as it was when the plan was made: {}", .0.join("; "))]
    Stale(Vec<String>),
    /// An earlier apply has not ended.
    #[error("an earlier apply ({0}) was interrupted")]
    Interrupted(String),
    /// An earlier apply is not confirmed.
    #[error("an earlier apply ({0}) waits to be confirmed")]
    Unconfirmed(String),
    /// There is none to confirm, to revert.
    #[error("there is no apply to {0}: none has been made on this host since it came up")]
    NoApply(&'static str),
    /// It stays already: it was confirmed, or needed no confirmation.
    #[error("there is nothing to {what}: the last apply ({id}) is in force, and stays")]
    Stays {
        /// What was to be done with it.
        what: &'static str,
        /// What it is called.
        id: String,
    },
    /// It was to be confirmed before, and will be taken back at once.
    #[error("it is too late to confirm: the time of the last apply ({id}) was over {}, and it is taken back now", ago(*since))]
    TooLate {
        /// What it is called.
        id: String,
        /// How many seconds ago the time was over.
        since: u64,
    },
    /// It is being taken back, by somebody who is at it or was interrupted.
    #[error("there is nothing to {what}: the last apply ({id}) is being taken back, since {why}")]
    GoesBack {
        /// What was to be done with it.
        what: &'static str,
        /// What it is called.
        id: String,
        /// Why it is taken back.
        why: String,
    },
    /// It has been taken back.
    #[error("there is nothing to {what}: the last apply ({id}) was taken back{}, since {why}; nothing of it is in force", .since.map_or_else(String::new, |since| format!(" {}", ago(since))))]
    TakenBack {
        /// What was to be done with it.
        what: &'static str,
        /// What it is called.
        id: String,
        /// Why it was taken back.
        why: String,
        /// How many seconds ago, if that is known.
        since: Option<u64>,
    },
    /// The journal cannot be read or written.
    #[error("the journal: {0}")]
    Desk(Fault),
    /// The journal is not one.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The first write is not allowed: nothing was done.
    #[error("{0}")]
    Denied(Fault),
}

/// A time that is over, for people: `40 s ago`, `3 min ago`.
fn ago(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        _ => format!("{} h ago", seconds / 3600),
    }
}
