//! The host and its parts.

use std::sync::Arc;

use ap_bus::Bus;
use ap_machine::Hardware;
use ap_task::order::{Devices, Modules};
use ap_task::{Kernel, Task, Work};
use ap_vfio::VfioAp;
use locks::{After, Clock, Held, Mutex, Nothing, RwLock};

use crate::core::{Core, Loaded};

/// A host. See the crate's page.
pub struct Host {
    /// The AP bus.
    pub bus: Bus,
    /// vfio_ap, whether or not its module is loaded.
    pub vfio: Arc<VfioAp>,
    pub(crate) modules: Mutex<Modules, ()>,
    /// Of the registry's level, and never held together with it: what only loading modules changes.
    pub(crate) core: RwLock<Devices, Core>,
}

impl Host {
    /// A host on that hardware, with the default kernel and no module loaded.
    #[must_use]
    pub fn new(hw: Arc<dyn Hardware>) -> Self {
        Host::with_kernel(hw, Kernel::default())
    }

    /// A host on that hardware, with that kernel and no module loaded.
    #[must_use]
    pub fn with_kernel(hw: Arc<dyn Hardware>, kernel: Kernel) -> Self {
        Host {
            bus: Bus::new(hw.clone(), kernel),
            vfio: Arc::new(VfioAp::new(hw, kernel)),
            modules: Mutex::new(0, ()),
            core: RwLock::with_fingerprint(2, Core::default(), Core::exactly),
        }
    }

    /// The kernel that it runs.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        self.bus.kernel()
    }

    /// The machine's time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.bus.clock()
    }

    /// Which modules are loaded.
    ///
    /// # Locks
    /// That of the modules' state, for reading.
    pub fn loaded<H>(&self, held: &mut Held<'_, H>) -> Loaded
    where
        Devices: After<H>,
    {
        self.core.read(held).0.loaded
    }

    /// Which modules are loaded, and the settings that come with them.
    ///
    /// # Locks
    /// That of the modules' state, for reading.
    pub fn core<H>(&self, held: &mut Held<'_, H>) -> Core
    where
        Devices: After<H>,
    {
        *self.core.read(held).0
    }

    /// Changes a setting that comes with a module.
    ///
    /// # Locks
    /// That of the modules' state, for writing.
    pub fn configure(&self, held: &mut Held<'_, Nothing>, change: impl FnOnce(&mut Core)) {
        change(&mut self.core.write(held).0);
    }

    /// Does background work that an operation asked for.
    ///
    /// # Locks
    /// As [`Bus::poll`], [`Bus::periodic_scan`], [`VfioAp::relay_requests`].
    pub fn run(&self, work: Work, task: &mut Task<'_, Nothing>) {
        match work {
            Work::Poll => self.bus.poll(task),
            Work::Scan => self.bus.periodic_scan(task),
            Work::Relay => self.vfio.relay_requests(task),
        }
    }
}
