//! When a task may make its next call: at once, or when an order of calls has come to it. Knows no tree and no task.

use ap_sysfs::Errno;

/// What a task is about to do: a file that it writes or reads, a verb.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Call {
    Write(String),
    Other,
}

/// What is asked before each call of a task; the answer is the errno of a call that is not to be made.
pub(super) trait Turn {
    fn before(&self, call: &Call) -> Option<Errno>;
}

/// Every call is made when the task comes to it.
pub(super) struct AtOnce;

impl Turn for AtOnce {
    fn before(&self, _call: &Call) -> Option<Errno> {
        None
    }
}
