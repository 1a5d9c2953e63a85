//! What may happen that else must not.

/// What may happen that else must not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    /// Running guests may lose queues that the desired state takes.
    pub unplug: bool,
}
