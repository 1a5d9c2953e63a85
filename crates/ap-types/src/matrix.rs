//! A matrix: adapters × usage domains, plus control domains (page 1, "Terms").

use core::iter::FusedIterator;

use crate::id::{AdapterId, Apqn, DomainId};
use crate::mask::{AdapterMask, DomainMask, Ids};

/// A set of adapters × a set of usage domains, plus a set of control domains.
///
/// Its queues are the full Cartesian product; a single queue cannot be left out. An mdev's assignments
/// and its shadow APCB are matrices (page 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Matrix {
    /// The adapters.
    pub adapters: AdapterMask,
    /// The usage domains.
    pub domains: DomainMask,
    /// The control domains; they are part of no queue.
    pub control_domains: DomainMask,
}

impl Matrix {
    /// Says whether a queue is one of the product.
    pub const fn contains(&self, apqn: Apqn) -> bool {
        self.adapters.contains(apqn.adapter) && self.domains.contains(apqn.domain)
    }

    /// Lists the queues, ascending by adapter, then domain.
    pub const fn queues(&self) -> Queues {
        Queues::new(&self.adapters, &self.domains)
    }

    /// Returns the number of queues, 0-65536.
    pub const fn queue_count(&self) -> usize {
        self.adapters.count() * self.domains.count()
    }

    /// Says whether there is a queue: not so with adapters only, or domains only.
    pub const fn has_queues(&self) -> bool {
        !self.adapters.is_empty() && !self.domains.is_empty()
    }

    /// Says whether a queue is in both products, that is, whether they intersect in both dimensions.
    pub const fn shares_queue(&self, other: &Self) -> bool {
        self.adapters.intersects(&other.adapters) && self.domains.intersects(&other.domains)
    }

    /// The matrix whose only queue is this one, without control domains.
    #[must_use]
    pub fn of_queue(queue: Apqn) -> Self {
        Matrix {
            adapters: AdapterMask::single(queue.adapter),
            domains: DomainMask::single(queue.domain),
            control_domains: DomainMask::EMPTY,
        }
    }

    /// Returns what both matrices have, in each of the three sets.
    ///
    /// Its queues are exactly the shared ones: the intersection of two products is a product.
    #[must_use]
    pub fn shared(&self, other: &Self) -> Self {
        Self {
            adapters: self.adapters & other.adapters,
            domains: self.domains & other.domains,
            control_domains: self.control_domains & other.control_domains,
        }
    }
}

/// The queues of a product of adapters and domains, ascending by adapter, then domain.
#[derive(Clone, Debug)]
pub struct Queues {
    adapter: Option<AdapterId>,
    /// The adapters after `adapter`.
    adapters: Ids<AdapterId>,
    /// The domains left of `adapter`.
    row: Ids<DomainId>,
    domains: DomainMask,
}

impl Queues {
    const fn new(adapters: &AdapterMask, domains: &DomainMask) -> Self {
        let (adapter, rest) = match adapters.first() {
            Some(first) => (Some(first), adapters.without(first)),
            None => (None, AdapterMask::EMPTY),
        };
        Self { adapter, adapters: rest.iter(), row: domains.iter(), domains: *domains }
    }
}

impl Iterator for Queues {
    type Item = Apqn;

    fn next(&mut self) -> Option<Apqn> {
        loop {
            let adapter = self.adapter?;
            if let Some(domain) = self.row.next() {
                return Some(Apqn::new(adapter, domain));
            }
            self.adapter = self.adapters.next();
            self.row = self.domains.iter();
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = match self.adapter {
            Some(_) => self.row.len() + self.adapters.len() * self.domains.count(),
            None => 0,
        };
        (count, Some(count))
    }
}

impl ExactSizeIterator for Queues {}
impl FusedIterator for Queues {}

#[cfg(test)]
mod tests;
