//! The question whether queues are in use, and who says yes.

use ap_types::{AdapterMask, DomainMask, Matrix, QueueSet};

/// The queues that would become the host's if a mask were stored: what drivers are asked about.
///
/// Bit rows, never a list of queues: whoever answers intersects sets. (Specification, page 2, "Writing a mask".)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    adapters: AdapterMask,
    domains: DomainMask,
}

impl Asked {
    /// All queues of a product of adapters and domains.
    #[must_use]
    pub fn product(adapters: AdapterMask, domains: DomainMask) -> Asked {
        Asked { adapters, domains }
    }

    /// Whether it is about none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.adapters.is_empty() || self.domains.is_empty()
    }

    /// Whether it is about one of these.
    #[must_use]
    pub fn meets(&self, queues: &QueueSet) -> bool {
        queues.intersects_product(&self.adapters, &self.domains)
    }

    /// What of a matrix it is about, without control domains.
    #[must_use]
    pub fn of(&self, matrix: &Matrix) -> Matrix {
        Matrix {
            adapters: matrix.adapters & self.adapters,
            domains: matrix.domains & self.domains,
            control_domains: DomainMask::EMPTY,
        }
    }
}

/// Who uses a queue that was asked about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// Its name, as its driver calls it.
    pub name: String,
}
