//! Why a guest does not get what is assigned to its mdev: [`State::filtered`] in words.

use std::fmt;

use ap_types::{AdapterId, AdapterMask, Apqn, DomainId, DomainMask};

use crate::state::{Mdev, State};

/// What of an mdev's matrix its guest does not get, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filtered {
    /// The machine does not give this host the adapter.
    NoAdapter(AdapterId),
    /// The machine does not give this host the domain.
    NoDomain(DomainId),
    /// A whole adapter is left out, because one of its queues is not there for it.
    Queue {
        /// The first such queue.
        queue: Apqn,
        /// How it is not there.
        how: Gone,
        /// How many others of this adapter there are.
        others: usize,
    },
    /// Nothing is in the way any more: the adapter comes with the next filtering.
    NotYet(AdapterId),
}

/// How a queue is not there for vfio_ap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gone {
    /// There is no such device.
    Missing,
    /// The host's own driver has it.
    Host,
    /// No driver has it.
    Unbound,
}

impl fmt::Display for Filtered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Filtered::NoAdapter(id) => {
                write!(f, "adapter {id} is filtered out because the host does not have it")
            }
            Filtered::NoDomain(id) => {
                write!(f, "domain {id} is filtered out because the host does not have it")
            }
            Filtered::Queue { queue, how, others } => {
                let how = match how {
                    Gone::Missing => "is missing",
                    Gone::Host => "is bound to the host's driver",
                    Gone::Unbound => "is bound to no driver",
                };
                write!(f, "adapter {} is filtered out because {queue} {how}", queue.adapter)?;
                match others {
                    0 => Ok(()),
                    1 => f.write_str(", and 1 more of its queues is not there"),
                    _ => write!(f, ", and {others} more of its queues are not there"),
                }
            }
            Filtered::NotYet(id) => {
                write!(
                    f,
                    "adapter {id} is filtered out still: nothing is missing, and the next filtering lets it through"
                )
            }
        }
    }
}

impl State {
    /// Why the guest of an mdev does not get all of its matrix: for each adapter and domain that is left out.
    #[must_use]
    pub fn why_filtered(&self, mdev: &Mdev) -> Vec<Filtered> {
        let (adapters, domains) = self.configured();
        let mut found = Vec::new();
        for domain in mdev.matrix.domains - domains {
            found.push(Filtered::NoDomain(domain));
        }
        let wanted = mdev.matrix.domains & domains;
        for adapter in mdev.matrix.adapters - mdev.shadow.adapters {
            if !adapters.contains(adapter) {
                found.push(Filtered::NoAdapter(adapter));
                continue;
            }
            let gone = wanted - self.queues.vfio.row(adapter);
            let Some(domain) = gone.iter().next() else {
                // Without a usage domain there is no queue that could reach a guest.
                if !wanted.is_empty() {
                    found.push(Filtered::NotYet(adapter));
                }
                continue;
            };
            let queue = Apqn::new(adapter, domain);
            let how = match (self.queues.host.contains(queue), self.exists(queue)) {
                (true, _) => Gone::Host,
                (false, true) => Gone::Unbound,
                (false, false) => Gone::Missing,
            };
            found.push(Filtered::Queue { queue, how, others: gone.count() - 1 });
        }
        found
    }

    /// The adapters and domains that this host has; a machine that does not tell is known by its devices.
    fn configured(&self) -> (AdapterMask, DomainMask) {
        if !self.config_told() {
            let all = [&self.queues.host, &self.queues.vfio, &self.queues.none];
            let domains = all.iter().fold(DomainMask::EMPTY, |domains, set| domains | set.domains());
            return (self.cards.keys().copied().collect(), domains);
        }
        (self.config.adapters, self.config.domains)
    }
}

impl Filtered {
    /// The adapter that is left out, if one is.
    #[must_use]
    pub fn adapter(&self) -> Option<AdapterId> {
        match self {
            Filtered::NoAdapter(id) | Filtered::NotYet(id) => Some(*id),
            Filtered::Queue { queue, .. } => Some(queue.adapter),
            Filtered::NoDomain(_) => None,
        }
    }

    /// Whether a queue of the matrix does not reach the guest for this reason.
    #[must_use]
    pub fn explains(&self, apqn: Apqn) -> bool {
        match self {
            Filtered::NoDomain(id) => *id == apqn.domain,
            _ => self.adapter() == Some(apqn.adapter),
        }
    }
}
