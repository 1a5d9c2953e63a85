//! What no plan can do, whatever the order of its writes: who holds what, and the smallest change.

use std::fmt;

use ap_types::{Apqn, Matrix, Uuid};

use crate::reason::{Queues, Refusal};
use crate::state::Holder;

/// Why there is no plan: everything that is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPlan {
    /// What is in the way, never empty.
    pub obstacles: Vec<Obstacle>,
}

/// Something that is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// What.
    pub what: What,
    /// The smallest change that would make it possible.
    pub remedy: String,
}

/// What is in the way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum What {
    /// The masks that are to be reserve queues of an mdev that is listed.
    #[error("mdev {mdev} is to have {}, which apmask and aqmask {} for the host", Queues(queues), when(*already))]
    Reserved {
        /// The mdev.
        mdev: Uuid,
        /// The queues.
        queues: Matrix,
        /// The masks do so already, and nothing else is asked of them.
        already: bool,
    },
    /// The masks that are to be reserve queues of an mdev that is kept.
    #[error(
        "the host is to have {}, which mdev {mdev} has{}; it is not listed and stays as it is",
        Queues(queues),
        and_held(holder)
    )]
    KeptFromHost {
        /// The mdev.
        mdev: Uuid,
        /// The queues.
        queues: Matrix,
        /// Who has it open.
        holder: Option<Holder>,
    },
    /// Two mdevs are to have the same queue; one of them is kept.
    #[error(
        "mdev {mdev} is to have {}, which mdev {other} has{}; it is not listed and stays as it is",
        Queues(queues),
        and_held(holder)
    )]
    KeptFromMdev {
        /// The mdev that is listed.
        mdev: Uuid,
        /// The queues.
        queues: Matrix,
        /// The mdev that has them.
        other: Uuid,
        /// Who has that open.
        holder: Option<Holder>,
    },
    /// A running guest would lose queues, and that is not allowed.
    #[error("{holder} would lose {} of mdev {mdev} while it runs", Queues(queues))]
    Unplug {
        /// The mdev.
        mdev: Uuid,
        /// Who has it open.
        holder: Holder,
        /// The queues.
        queues: Matrix,
    },
    /// A running guest would lose an adapter that it is to keep, since a queue of it is not there.
    #[error(
        "{holder} would lose adapter {} of mdev {mdev}, which it is to keep: queue {queue} {}, and an adapter is \
         passed whole or not at all",
        queue.adapter.0,
        lack
    )]
    Filtered {
        /// The mdev.
        mdev: Uuid,
        /// Who has it open.
        holder: Holder,
        /// The queue that is not there.
        queue: Apqn,
        /// What it lacks.
        lack: Lack,
    },
    /// A running guest's mdev would be removed.
    #[error("mdev {mdev} is to be removed, and {holder} holds it")]
    Removed {
        /// The mdev.
        mdev: Uuid,
        /// Who has it open.
        holder: Holder,
    },
    /// A mask can be changed, and not be changed back.
    #[error("{mask} is to be changed, and could not be changed back: {refusal}")]
    NoWayBack {
        /// Which.
        mask: &'static str,
        /// Why not.
        refusal: Refusal,
    },
    /// Everything is possible, and no order of it.
    #[error("what is to be changed cannot be changed in any order that can be taken back")]
    NoOrder,
    /// Queues are to be given by overrides, and this kernel has none.
    #[error("queues are to be given by driver_override, which this host's kernel does not have")]
    NoOverrides,
    /// Masks that are not all ones, with overrides.
    #[error(
        "queues are to be given by driver_override, and apmask and aqmask are not to be all ones: they exclude each other"
    )]
    MasksBesideOverrides,
    /// A queue that is to be assigned does not exist, where nothing can be over-provisioned.
    #[error(
        "mdev {mdev} is to have queue {queue}, which does not exist; with overrides nothing can be assigned before it is there"
    )]
    NotThere {
        /// The mdev.
        mdev: Uuid,
        /// The queue.
        queue: Apqn,
    },
    /// The way in which queues are given is to change while a guest runs.
    #[error(
        "queues are to be given in another way, for which all are the host's in between, and {holder} runs on mdev {mdev}"
    )]
    WayWhileRunning {
        /// The mdev.
        mdev: Uuid,
        /// Who has it open.
        holder: Holder,
    },
    /// A queue is to be changed, and that is refused, whatever was written before.
    #[error("queue {queue} is to be changed: {refusal}")]
    Queue {
        /// Which.
        queue: Apqn,
        /// Why not.
        refusal: Refusal,
    },
    /// A write is refused, whatever was written before.
    #[error("mdev {mdev} is to be changed: {refusal}")]
    Mdev {
        /// The mdev.
        mdev: Uuid,
        /// Why not.
        refusal: Refusal,
    },
    /// A mask write is refused, whatever was written before.
    #[error("{mask} is to be changed: {refusal}")]
    Mask {
        /// Which.
        mask: &'static str,
        /// Why not.
        refusal: Refusal,
    },
}

/// Why a queue cannot be passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// There is none.
    Absent,
    /// It has no driver.
    Unbound,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lack::Absent => "does not exist",
            Lack::Unbound => "is bound to no driver",
        })
    }
}

fn when(already: bool) -> &'static str {
    if already { "reserve" } else { "are to reserve" }
}

fn and_held(holder: &Option<Holder>) -> String {
    holder.as_ref().map_or_else(String::new, |holder| format!(" and {holder} holds"))
}

impl fmt::Display for NoPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.obstacles.iter().map(|obstacle| obstacle.what.to_string()).collect();
        f.write_str(&lines.join("; "))
    }
}

impl std::error::Error for NoPlan {}
