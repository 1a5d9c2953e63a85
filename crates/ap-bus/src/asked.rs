//! The question whether queues are in use, and who says yes.

use ap_types::{AdapterMask, Apqn, DomainMask, Matrix, QueueSet};

/// Adapters and domains: all queues of their product.
type Product = (AdapterMask, DomainMask);

/// The queues that would become the host's if a mask were stored: what drivers are asked about.
///
/// Bit rows, never a list of queues: whoever answers intersects sets. (Specification, page 2, "Writing a mask"; page
/// 7, where queues have overrides.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// They become the host's, whoever has them, and whether or not they exist.
    added: Product,
    /// Of these, those that the asked driver has are taken from it.
    taken: Option<Product>,
}

impl Asked {
    /// All queues of a product of adapters and domains.
    #[must_use]
    pub fn product(adapters: AdapterMask, domains: DomainMask) -> Asked {
        Asked { added: (adapters, domains), taken: None }
    }

    /// And, of this product, the queues that the asked driver has.
    #[must_use]
    pub fn and_taken(self, taken: (AdapterMask, DomainMask)) -> Asked {
        Asked { taken: Some(taken), ..self }
    }

    /// Whether it is about none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let none = |(adapters, domains): &Product| adapters.is_empty() || domains.is_empty();
        none(&self.added) && self.taken.as_ref().is_none_or(none)
    }

    /// Whether it is about one of these, all of which the asked driver has.
    #[must_use]
    pub fn meets(&self, queues: &QueueSet) -> bool {
        self.meets_wanted(queues, queues)
    }

    /// Whether it is about one of these, of which the asked driver has those in `bound`: it may have promised others
    /// that it does not have yet.
    #[must_use]
    pub fn meets_wanted(&self, wanted: &QueueSet, bound: &QueueSet) -> bool {
        wanted.intersects_product(&self.added.0, &self.added.1)
            || self
                .taken
                .as_ref()
                .is_some_and(|(adapters, domains)| wanted.intersects_within(bound, adapters, domains))
    }

    /// Whether a queue of a matrix becomes the host's, whoever has it.
    #[must_use]
    pub fn adds(&self, matrix: &Matrix) -> bool {
        matrix.adapters.intersects(&self.added.0) && matrix.domains.intersects(&self.added.1)
    }

    /// Of a matrix the queues that it is about, as [`Asked::meets_wanted`] means it; the added ones, or, if there are
    /// none, the taken ones. Ascending.
    #[must_use]
    pub fn of(&self, matrix: &Matrix, bound: &QueueSet) -> Vec<Apqn> {
        let within = |(adapters, domains): &Product| Matrix {
            adapters: matrix.adapters & *adapters,
            domains: matrix.domains & *domains,
            control_domains: DomainMask::EMPTY,
        };
        let added = within(&self.added);
        if added.has_queues() {
            return added.queues().collect();
        }
        let Some(taken) = self.taken.as_ref().map(within) else { return Vec::new() };
        bound.intersection_product(&taken.adapters, &taken.domains).collect()
    }
}

/// Who uses a queue that was asked about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// Its name, as its driver calls it.
    pub name: String,
}
