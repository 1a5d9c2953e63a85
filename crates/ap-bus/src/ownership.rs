//! Who owns a queue: apmask, aqmask, and the drivers that are asked about them. (Specification, page 2.)

use ap_task::DriverName;
use ap_types::{AdapterMask, Apqn, DomainMask};

use crate::device::Driver;

/// What **P** guards: what the host's default drivers own, and who is asked before that becomes more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ownership {
    /// apmask: adapters.
    pub adapters: AdapterMask,
    /// aqmask: domains.
    pub domains: DomainMask,
    /// "Bindings complete" was announced and no probe came after it. It is here because every probe of a queue
    /// holds P anyway.
    pub announced: bool,
    /// The registered drivers, in that order. They are here because whoever asks or probes them holds P.
    pub drivers: Vec<Driver>,
}

impl Default for Ownership {
    fn default() -> Self {
        Ownership {
            adapters: AdapterMask::ALL,
            domains: DomainMask::ALL,
            announced: false,
            drivers: Vec::new(),
        }
    }
}

impl Ownership {
    /// Whether a queue is reserved for the host.
    #[must_use]
    pub fn reserved(&self, apqn: Apqn) -> bool {
        self.adapters.contains(apqn.adapter) && self.domains.contains(apqn.domain)
    }

    /// Whether some queue of the product is reserved for the host.
    #[must_use]
    pub fn reserves_any(&self, adapters: &AdapterMask, domains: &DomainMask) -> bool {
        self.adapters.intersects(adapters) && self.domains.intersects(domains)
    }

    /// The registered driver of that name.
    #[must_use]
    pub fn driver(&self, name: DriverName) -> Option<&Driver> {
        self.drivers.iter().find(|driver| driver.name() == name)
    }
}
