//! Who owns a queue: apmask, aqmask, and the drivers that are asked about them. (Specification, page 2.)

use ap_task::DriverName;
use ap_types::{AdapterMask, Apqn, DomainMask};

use crate::device::Driver;
use crate::overrides::Overrides;

/// What **P** guards: what the host's default drivers own, and who is asked before that becomes more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ownership {
    /// apmask: adapters.
    pub adapters: AdapterMask,
    /// aqmask: domains.
    pub domains: DomainMask,
    /// What overrides say, where the kernel has them.
    pub overrides: Overrides,
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
            overrides: Overrides::default(),
            announced: false,
            drivers: Vec::new(),
        }
    }
}

impl Ownership {
    /// Whether the masks reserve a queue for the host.
    #[must_use]
    pub fn reserved(&self, apqn: Apqn) -> bool {
        self.adapters.contains(apqn.adapter) && self.domains.contains(apqn.domain)
    }

    /// Whether the masks reserve some queue of the product for the host.
    #[must_use]
    pub fn reserves_any(&self, adapters: &AdapterMask, domains: &DomainMask) -> bool {
        self.adapters.intersects(adapters) && self.domains.intersects(domains)
    }

    /// Whether the masks reserve every queue for the host: both are all ones.
    #[must_use]
    pub fn reserves_all(&self) -> bool {
        self.adapters == AdapterMask::ALL && self.domains == DomainMask::ALL
    }

    /// Whether a driver may have a queue: its override says so, or, without one, the masks do.
    #[must_use]
    pub fn allows(&self, apqn: Apqn, driver: &Driver) -> bool {
        match self.overrides.of(apqn) {
            Some(name) => name.names(driver.name()),
            None => self.reserved(apqn) == driver.is_default(),
        }
    }

    /// Whether a queue stays as it is when its owner is looked at anew. One that nobody has stays so, unless an
    /// override or the masks say who should.
    #[must_use]
    pub fn agrees(&self, apqn: Apqn, driver: Option<&Driver>) -> bool {
        match driver {
            Some(driver) => self.allows(apqn, driver),
            None => self.overrides.of(apqn).is_none() && !self.reserved(apqn),
        }
    }

    /// The registered driver of that name.
    #[must_use]
    pub fn driver(&self, name: DriverName) -> Option<&Driver> {
        self.drivers.iter().find(|driver| driver.name() == name)
    }
}
