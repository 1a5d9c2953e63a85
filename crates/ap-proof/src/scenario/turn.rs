//! When a task may make its next call: at once, or when an order of calls has come to it. Knows no tree and no task.

/// What a task is about to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Call {
    /// Write a file.
    Write(String),
    /// A verb of the machine's operator.
    Hw(String),
    /// Revise the bindings after a mask was stored: the second half of a write.
    Revision,
    /// Anything else.
    Other,
}

/// What is asked before each call of a task.
pub(super) trait Turn {
    fn before(&self, call: &Call);
}

/// Every call is made when the task comes to it.
pub(super) struct AtOnce;

impl Turn for AtOnce {
    fn before(&self, _call: &Call) {}
}
