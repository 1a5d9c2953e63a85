//! The Linux s390 AP bus and its vfio_ap driver, as a system of plain data under few locks.
//!
//! A [`Host`] is a machine with Linux on it: cards and queues, apmask and aqmask, drivers, mediated devices,
//! guests. Operations take the task's lock token ([`locks::Held`]) and a [`Sink`] for what they report; they create
//! no threads and know no clock but the machine's. Background work (a scan, a poll) is asked for through the sink and
//! run by whoever drives the host. Many hosts live in one process.
//!
//! Which locks there are, and in which order they are taken, says [`order`].

pub mod device;
pub mod driver;
pub mod event;
pub mod hardware;
pub mod invariants;
pub mod machine;
pub mod module;
pub mod order;
pub mod perms;
pub mod queue;
pub mod registry;
pub mod scan;
pub mod secure;
pub mod snapshot;
pub mod vfio_ap;
pub mod zcdn;
pub mod zcrypt;

use std::sync::Arc;

use locks::{Clock, Condvar, Mutex, RwLock, Ticket};

pub use event::{Action, Event, Instruction, Sink, Subject, Uevent, Work};
pub use hardware::Hardware;
pub use machine::Machine;
pub use snapshot::Snapshot;
pub use vfio_ap::{Guest, MdevId, Mdevs};

use perms::Perms;
use registry::{Core, Registry};

/// The list of guests.
pub type Vms = Vec<Arc<Guest>>;

/// A host. See the crate's page.
pub struct Host {
    pub(crate) hw: Arc<dyn Hardware>,
    /// The machine's time, in milliseconds.
    pub clock: Clock,
    pub(crate) tickets: Ticket,
    pub(crate) modules: Mutex<order::Modules, ()>,
    pub(crate) scan: Mutex<order::Scan, ()>,
    pub(crate) perms: Mutex<order::Perms, Perms>,
    pub(crate) guests: Mutex<order::Guests, ()>,
    pub(crate) mdevs: Mutex<order::Mdevs, Mdevs>,
    pub(crate) released: Condvar,
    pub(crate) vms: RwLock<order::Vms, VmList>,
    pub(crate) switches: Mutex<order::Switches, ()>,
    pub(crate) registry: RwLock<order::Devices, Registry>,
    /// Of the registry's level, and never held together with it: what only loading modules changes.
    pub(crate) core: RwLock<order::Devices, Core>,
}

/// The guests that exist, in the order in which they were made.
#[derive(Clone, Default)]
pub struct VmList(pub Vms);

impl std::hash::Hash for VmList {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        for guest in &self.0 {
            (&guest.name, guest.has_apcb).hash(state);
        }
    }
}

impl std::ops::Deref for VmList {
    type Target = Vms;
    fn deref(&self) -> &Vms {
        &self.0
    }
}

impl std::ops::DerefMut for VmList {
    fn deref_mut(&mut self) -> &mut Vms {
        &mut self.0
    }
}

impl Host {
    /// A host on that hardware, with no module loaded.
    #[must_use]
    pub fn new(hw: Arc<dyn Hardware>) -> Self {
        Host {
            hw,
            clock: Clock::new(0),
            tickets: Ticket::new(1),
            modules: Mutex::new(0, ()),
            scan: Mutex::new(0, ()),
            perms: Mutex::new(0, Perms::default()),
            guests: Mutex::new(0, ()),
            mdevs: Mutex::with_fingerprint(0, Mdevs::default(), Mdevs::exactly),
            released: Condvar::new("released", 0),
            vms: RwLock::new(0, VmList::default()),
            switches: Mutex::new(0, ()),
            registry: RwLock::with_fingerprint(0, Registry::default(), Registry::exactly),
            core: RwLock::new(1, Core::default()),
        }
    }

    /// The machine that it runs on.
    pub fn hardware(&self) -> &dyn Hardware {
        &*self.hw
    }

    /// Looks at what vfio_ap knows.
    ///
    /// # Locks
    /// M.
    pub fn with_mdevs<R>(
        &self,
        held: &mut locks::Held<'_, locks::Nothing>,
        look: impl FnOnce(&Mdevs) -> R,
    ) -> R {
        look(&self.mdevs.lock(held).0)
    }

    /// Looks at the lists of the driver core.
    ///
    /// # Locks
    /// The registry's, for reading.
    pub fn with_registry<R>(
        &self,
        held: &mut locks::Held<'_, locks::Nothing>,
        look: impl FnOnce(&Registry) -> R,
    ) -> R {
        look(&self.registry.read(held).0)
    }

    /// Looks at which modules and drivers there are.
    ///
    /// # Locks
    /// The driver core's, for reading.
    pub fn with_core<R>(
        &self,
        held: &mut locks::Held<'_, locks::Nothing>,
        look: impl FnOnce(&Core) -> R,
    ) -> R {
        look(&self.core.read(held).0)
    }

    /// Changes a setting of the bus.
    ///
    /// # Locks
    /// The registry's, for writing.
    pub fn configure_bus<R>(
        &self,
        held: &mut locks::Held<'_, locks::Nothing>,
        change: impl FnOnce(&mut Registry) -> R,
    ) -> R {
        change(&mut self.registry.write(held).0)
    }
}
