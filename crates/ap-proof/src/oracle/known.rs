//! What the reference does although it breaks an invariant, and transcripts pin (`docs/deviations.md`).

use std::fmt;

use crate::oracle::broken::{Broken, HandOver};
use crate::oracle::hand::{Reset, User};

/// A known deviation that explorations meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Known {
    /// A guest opens an mdev without a filtering, and gets a queue whose last reset failed when the guest before it
    /// closed. vfio_ap knows that it failed, and the next filtering keeps the queue out.
    OpenedUnfiltered,
    /// The bus neither waits for the ZAPQ with which it takes a queue from a driver nor looks at its answer.
    BusDoesNotWait,
}

impl Known {
    /// All of them.
    pub const ALL: [Known; 2] = [Known::OpenedUnfiltered, Known::BusDoesNotWait];

    /// Its number.
    #[must_use]
    pub const fn number(self) -> &'static str {
        match self {
            Known::OpenedUnfiltered => "KNOWN-002",
            Known::BusDoesNotWait => "KNOWN-009",
        }
    }

    /// The known deviation that something broken is exactly.
    #[must_use]
    pub fn of(broken: &Broken) -> Option<Known> {
        match broken {
            Broken::HandOver(hand_over) => Known::of_hand_over(hand_over),
            Broken::State(_)
            | Broken::LeftUnreset { .. }
            | Broken::Disturbed { .. }
            | Broken::TakenFromMdev(_)
            | Broken::GivenBack(_)
            | Broken::Answer { .. }
            | Broken::FailedAndChanged
            | Broken::NothingToDoAndChanged
            | Broken::BoundAgainstMasks { .. }
            | Broken::NoOrder(_)
            | Broken::RefusedInNoOrder { .. }
            | Broken::InterruptsKept { .. }
            | Broken::RequestOfNobody(_)
            | Broken::NotFiltered(_)
            | Broken::Bus(_)
            | Broken::Vfio(_)
            | Broken::NotReturned(_) => None,
        }
    }

    fn of_hand_over(hand_over: &HandOver) -> Option<Known> {
        let HandOver { queue: _, from, to, reset, by_bus } = hand_over;
        match (reset, by_bus, from, to) {
            (Reset::Refused { .. } | Reset::Runs, true, ..) => Some(Known::BusDoesNotWait),
            (Reset::Refused { noted: true }, false, User::Former, User::Guest(_)) => {
                Some(Known::OpenedUnfiltered)
            }
            (Reset::Refused { noted: true }, false, User::Host | User::Guest(_), _)
            | (Reset::Refused { noted: true }, false, User::Former, User::Host | User::Former)
            | (Reset::Refused { noted: false } | Reset::Runs, false, ..)
            | (Reset::None, ..) => None,
        }
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}
