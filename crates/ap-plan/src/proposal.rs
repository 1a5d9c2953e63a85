//! One mask for a whole target, with which the masks are in no mdev's way.
//!
//! Knows the state and the target; not what else is in the way, nor the order of writes.

use std::fmt;

use ap_types::{AdapterMask, DomainMask, Mask, Matrix};

use crate::meaning::of_mask;
use crate::state::State;
use crate::target::Target;

/// A mask in place of the one that a desired file says, or beside what it says.
pub(crate) struct Proposal {
    first: Said,
    /// The file names what the mdevs are to have.
    turned: bool,
    /// The other mask, where the file says nothing of either.
    or: Option<Said>,
}

/// A mask as a desired file says it.
struct Said {
    key: &'static str,
    text: String,
    /// How many queues the host loses by it.
    queues: usize,
}

impl Proposal {
    /// The one that leaves every mdev its queues that are there, and takes the fewest others from the host; of the mask that
    /// the file changes, if it changes one of them. `None`: no mdev that is listed needs any.
    ///
    /// Queues are reserved as a product, so that all the adapters or all the domains have to go.
    pub(crate) fn of(state: &State, target: &Target) -> Option<Proposal> {
        let (mut needed, mut listed) = (Matrix::default(), false);
        for (mdev, matrix) in &target.mdevs {
            let (reserved, _) = state.split(&target.masks.reserved_of(matrix));
            if reserved.has_queues() {
                needed.adapters |= reserved.adapters;
                needed.domains |= reserved.domains;
                listed |= target.listed.contains(mdev);
            }
        }
        if !listed {
            return None;
        }
        let host = &state.queues.host;
        let by_adapter: usize = needed.adapters.iter().map(|adapter| host.row(adapter).count()).sum();
        let by_domain: usize = needed.domains.iter().map(|domain| host.column(domain).count()).sum();
        let changes =
            (target.masks.adapters != state.masks.adapters, target.masks.domains != state.masks.domains);
        let of_adapters = match changes {
            (true, false) => true,
            (false, true) => false,
            _ => by_adapter <= by_domain,
        };
        let (old, new): (AdapterMask, _) = (state.masks.adapters, target.masks.adapters);
        let apmask = Proposal::mask("apmask", old, new, needed.adapters, by_adapter);
        let (old, new): (DomainMask, _) = (state.masks.domains, target.masks.domains);
        let aqmask = Proposal::mask("aqmask", old, new, needed.domains, by_domain);
        let (mut proposal, other) = if of_adapters { (apmask, aqmask) } else { (aqmask, apmask) };
        proposal.or = (changes == (false, false)).then_some(other.first);
        Some(proposal)
    }

    fn mask<M>(key: &'static str, old: M, new: M, needed: M, queues: usize) -> Proposal
    where
        M: Mask
            + PartialEq
            + IntoIterator<Item = M::Id>
            + std::ops::Not<Output = M>
            + std::ops::Sub<Output = M>,
    {
        let turned = new != old && new == needed;
        let text = if new == old {
            // Beside what the file says: relative to what the host has.
            let terms = needed.into_iter().map(|id| format!("-{}", Into::<u8>::into(id)));
            terms.collect::<Vec<_>>().join(",")
        } else {
            let keeps = if turned { !needed } else { new - needed };
            of_mask(keeps)
        };
        Proposal { first: Said { key, text, queues }, turned, or: None }
    }
}

impl Proposal {
    /// Whether the file names what the mdevs are to have, and not what the host keeps.
    pub(crate) fn is_turned(&self) -> bool {
        self.turned
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Proposal { first: Said { key, text, queues }, turned, or } = self;
        write!(f, "[host] {key} = \"{text}\"")?;
        let count =
            |queues: &usize| if *queues == 1 { "1 queue".to_owned() } else { format!("{queues} queues") };
        match (turned, queues) {
            (true, _) => write!(f, ": {key} is what the host keeps, and not what the mdevs are to have")?,
            (false, 0) => {}
            (false, queues) => write!(f, " (the host gives up {})", count(queues))?,
        }
        match or {
            Some(Said { key, text, queues }) => write!(f, ", or {key} = \"{text}\" ({})", count(queues)),
            None => Ok(()),
        }
    }
}
