//! When a task may make its next call: at once, or when an order of calls has come to it. Knows no tree and no task.

use crate::scenario::sweeps::Sweeps;

/// What a task is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Call {
    /// Revise the bindings after a mask was stored: the second half of a write.
    Revision,
    /// Any call: a file is read or written, a verb, the machine's notice of a change.
    Any,
}

/// Who says when calls are made.
pub(super) trait Turn {
    /// A task is about to make a call; returns when it may.
    fn before(&self, call: Call);

    /// The call that is being made is not one piece.
    fn sweeps(&self, what: Sweeps);
}

/// Every call is made when the task comes to it.
pub(super) struct AtOnce;

impl Turn for AtOnce {
    fn before(&self, _call: Call) {}

    fn sweeps(&self, _what: Sweeps) {}
}
