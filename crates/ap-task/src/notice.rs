//! What only an exploration or an oracle wants to know.

use ap_types::{Apqn, ResponseCode};

/// Something that a task tells an exploration (`locks::hook::announce`); in production it is never made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// The machine was changed, and is about to tell the host, which scans then. In between others may go on.
    MachineChanged,
    /// A mask was stored; the bindings follow. In between others may go on (page 4, I8).
    Committed,
    /// A queue was taken from a driver that let P go meanwhile, and is about to be offered anew. In between others may
    /// go on.
    Free,
    /// vfio_ap lets a queue go: an mdev's matrix has it, or none.
    LetGo {
        /// The queue.
        queue: Apqn,
        /// Whether it is in an mdev's matrix.
        assigned: bool,
    },
    /// A queue's reset that its driver waits for has ended, however it ended.
    ResetEnded {
        /// The queue.
        queue: Apqn,
        /// The answer that its driver goes by from now on.
        noted: ResponseCode,
    },
    /// A guest is asked to let go of an mdev that is to be removed.
    Asked {
        /// Whether its request interrupt is signalled; else nothing is registered through which it could be asked.
        signalled: bool,
    },
}

impl Notice {
    /// Tells an exploration; nothing in production.
    #[inline]
    pub fn announce(self) {
        locks::hook::announce(|| self);
    }
}
