//! A state of the tiny machine, and what an operation makes of it.

use ap_host::Snapshot;
use ap_sysfs::Errno;
use ap_types::Apqn;

use crate::oracle::NotReturned;
use crate::sequences::hands::Hands;
use crate::sequences::operation::GuestNumber;
use crate::sequences::recorder::Seen;

/// A state: the host's with its machine's, what is due, and what the oracle of clean hand-over knows.
#[derive(Clone)]
pub(super) struct State {
    /// The host with its machine.
    pub host: Snapshot,
    /// A number for that.
    pub print: u128,
    /// Whose data may be in which queue.
    pub hands: Hands,
    /// Which guests have registered the request interrupt since they started.
    pub requests: Requests,
    /// When the next poll is due, from now.
    pub poll_in: Option<u64>,
}

/// Whether, by guest.
pub(super) type Requests = [bool; GuestNumber::ALL.len()];

impl State {
    /// Whether a queue's last user has let it go, and it was not reset since.
    pub(super) fn unreset(&self, apqn: Apqn) -> bool {
        self.hands.unreset(apqn)
    }

    /// Whether the guest of that name has registered the request interrupt since it started.
    pub(super) fn has_request(&self, guest: &str) -> bool {
        GuestNumber::named(guest).is_some_and(|guest| self.requests[usize::from(guest.0)])
    }

    /// A number for the whole state: equal states have equal ones.
    pub(super) fn fingerprint(&self) -> u128 {
        let rest = locks::hook::fingerprint(&(&self.hands, self.requests, self.poll_in));
        // Whether a filtering is fresh decides what must hold (I3, I4), so it tells states apart here.
        let mdevs = self.host.vfio.mdevs.list.values();
        let fresh = mdevs.fold(1u64, |bits, mdev| bits << 1 | u64::from(*mdev.fresh));
        let extra = u128::from(rest ^ fresh.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        self.print ^ extra.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    }
}

/// What became of an operation.
pub(super) enum Ran {
    /// It makes no sense here: there is nothing to do it to.
    Senseless,
    /// It returned.
    Returned(Returned),
    /// It did not return: the machine is of no use any more.
    NotReturned(NotReturned),
}

/// What an operation did that returned.
pub(super) struct Returned {
    /// Its answer.
    pub answer: Result<(), Errno>,
    /// Whether the host was another one when it returned, before any work that was left to be done.
    pub changed: bool,
    /// What happened meanwhile.
    pub seen: Seen,
    /// The state after that work.
    pub after: State,
}
