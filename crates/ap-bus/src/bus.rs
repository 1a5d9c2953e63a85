//! The bus: its data under its locks, and looking at them.

use std::hash::Hash;
use std::sync::Arc;

use ap_machine::Hardware;
use ap_task::order;
use ap_task::order::Devices;
use ap_task::{DriverName, Kernel};
use ap_types::{AdapterId, AdapterMask, Apqn, DomainMask};
use locks::{After, Clock, Held, Mutex, Nothing, RwLock, Ticket};

use crate::device::{Card, DeviceName, DeviceRef, DriverInfo, IsDevice, QueueDevice};
use crate::ownership::Ownership;
use crate::registry::Registry;

/// The AP bus of a host. See the crate's page.
pub struct Bus {
    pub(crate) hw: Arc<dyn Hardware>,
    pub(crate) kernel: Kernel,
    pub(crate) tickets: Ticket,
    pub(crate) scan: Mutex<order::Scan, ()>,
    pub(crate) ownership: Mutex<order::Perms, Ownership>,
    pub(crate) switches: Mutex<order::Switches, ()>,
    pub(crate) registry: RwLock<order::Devices, Registry>,
    /// What is shown of the registered drivers. Of the registry's level, and never held together with it: only loading
    /// and unloading writes it, and nearly everybody reads it.
    pub(crate) shown: RwLock<order::Devices, Vec<DriverInfo>>,
}

impl Bus {
    /// A bus on that hardware, of that kernel, whose module is not loaded.
    #[must_use]
    pub fn new(hw: Arc<dyn Hardware>, kernel: Kernel) -> Self {
        Bus {
            hw,
            kernel,
            tickets: Ticket::new(1),
            scan: Mutex::new(0, ()),
            ownership: Mutex::new(0, Ownership::default()),
            switches: Mutex::new(0, ()),
            registry: RwLock::with_fingerprint(0, Registry::default(), Registry::exactly),
            shown: RwLock::new(1, Vec::new()),
        }
    }

    /// The machine that it runs on.
    #[must_use]
    pub fn hardware(&self) -> &Arc<dyn Hardware> {
        &self.hw
    }

    /// The kernel that it is part of.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// The machine's time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.hw.clock()
    }

    /// **S**: held by whoever must see no scan begin or end.
    #[must_use]
    pub fn scanning(&self) -> &Mutex<order::Scan, ()> {
        &self.scan
    }

    /// **P**: who owns a queue. Held by whoever decides by it, until what was decided is done.
    #[must_use]
    pub fn ownership(&self) -> &Mutex<order::Perms, Ownership> {
        &self.ownership
    }

    /// apmask and aqmask.
    ///
    /// # Locks
    /// Takes P.
    pub fn masks(&self, held: &mut Held<'_, Nothing>) -> (AdapterMask, DomainMask) {
        self.ownership.look(held, |ownership| (ownership.adapters, ownership.domains))
    }

    /// Whether a mask was written and they are not all ones: then no override can be.
    ///
    /// # Locks
    /// Takes P.
    pub fn masks_in_use(&self, held: &mut Held<'_, Nothing>) -> bool {
        self.ownership.look(held, |ownership| ownership.overrides.masks_in_use)
    }

    /// Looks at the bus's lists; of what was seen only the answer counts (`locks::mark`).
    ///
    /// # Locks
    /// The registry's, for reading.
    #[track_caller]
    pub fn look<H, R: Hash>(&self, held: &mut Held<'_, H>, look: impl Fn(&Registry) -> R) -> R
    where
        Devices: After<H>,
    {
        self.registry.look(held, look)
    }

    /// Goes through the bus's lists; all that was seen counts.
    ///
    /// # Locks
    /// The registry's, for reading.
    #[track_caller]
    pub fn read<H, R>(&self, held: &mut Held<'_, H>, read: impl FnOnce(&Registry) -> R) -> R
    where
        Devices: After<H>,
    {
        read(&self.registry.read(held).0)
    }

    /// Looks for devices: which ones there are counts, over time, too.
    #[track_caller]
    fn devices<H, D, R>(&self, held: &mut Held<'_, H>, look: impl Fn(&Registry) -> R) -> R
    where
        Devices: After<H>,
        for<'r> &'r R: IntoIterator<Item = &'r D>,
        D: IsDevice,
    {
        let which = |found: &R| {
            let names: Vec<(DeviceName, u32)> = found.into_iter().map(IsDevice::which).collect();
            locks::hook::fingerprint(&names)
        };
        self.registry.look_by(held, look, which)
    }

    /// Changes a setting of the bus.
    ///
    /// # Locks
    /// The registry's, for writing.
    pub fn configure<H, R>(&self, held: &mut Held<'_, H>, change: impl FnOnce(&mut Registry) -> R) -> R
    where
        Devices: After<H>,
    {
        change(&mut self.registry.write(held).0)
    }

    /// Whether a driver of that name is registered.
    ///
    /// # Locks
    /// That of the list of drivers, for reading.
    pub fn has_driver<H>(&self, name: DriverName, held: &mut Held<'_, H>) -> bool
    where
        Devices: After<H>,
    {
        self.driver_info(name, held).is_some()
    }

    /// What is shown of the registered driver of that name.
    ///
    /// # Locks
    /// That of the list of drivers, for reading.
    pub fn driver_info<H>(&self, name: DriverName, held: &mut Held<'_, H>) -> Option<DriverInfo>
    where
        Devices: After<H>,
    {
        self.shown.look(held, |shown| shown.iter().find(|driver| driver.name == name).copied())
    }

    /// What is shown of the registered drivers, in that order.
    ///
    /// # Locks
    /// That of the list of drivers, for reading.
    pub fn drivers<H>(&self, held: &mut Held<'_, H>) -> Vec<DriverInfo>
    where
        Devices: After<H>,
    {
        self.shown.look(held, Clone::clone)
    }

    /// The device of that name.
    ///
    /// # Locks
    /// The registry's, for reading.
    pub fn find<H>(&self, name: DeviceName, held: &mut Held<'_, H>) -> Option<DeviceRef>
    where
        Devices: After<H>,
    {
        self.devices(held, |registry| match name {
            DeviceName::Card(id) => registry.cards.get(&id).cloned().map(DeviceRef::Card),
            DeviceName::Queue(apqn) => registry.queues.get(&apqn).cloned().map(DeviceRef::Queue),
        })
    }

    /// The card of that adapter.
    ///
    /// # Locks
    /// The registry's, for reading.
    pub fn card<H>(&self, id: AdapterId, held: &mut Held<'_, H>) -> Option<Arc<Card>>
    where
        Devices: After<H>,
    {
        self.devices(held, |registry| registry.cards.get(&id).cloned())
    }

    /// The queue of that APQN.
    ///
    /// # Locks
    /// The registry's, for reading.
    pub fn queue<H>(&self, apqn: Apqn, held: &mut Held<'_, H>) -> Option<Arc<QueueDevice>>
    where
        Devices: After<H>,
    {
        self.devices(held, |registry| registry.queues.get(&apqn).cloned())
    }

    /// All devices in the order in which they were made.
    ///
    /// # Locks
    /// The registry's, for reading.
    pub fn devices_in_order<H>(&self, held: &mut Held<'_, H>) -> Vec<DeviceRef>
    where
        Devices: After<H>,
    {
        self.devices(held, |registry| registry.order.values().cloned().collect::<Vec<_>>())
    }

    /// All queue devices in the order in which they were made.
    ///
    /// # Locks
    /// The registry's, for reading.
    pub fn queues_in_order<H>(&self, held: &mut Held<'_, H>) -> Vec<Arc<QueueDevice>>
    where
        Devices: After<H>,
    {
        self.devices(held, |registry| registry.made_order().cloned().collect::<Vec<_>>())
    }

    /// The queue devices of a card, ascending by domain.
    ///
    /// # Locks
    /// The registry's, for reading.
    pub fn queues_of<H>(&self, card: AdapterId, held: &mut Held<'_, H>) -> Vec<Arc<QueueDevice>>
    where
        Devices: After<H>,
    {
        self.devices(held, |registry| registry.queues_of(card).cloned().collect::<Vec<_>>())
    }

    /// Chooses the default domain, which must be one that exists and that aqmask reserves for the host.
    ///
    /// # Errors
    /// [`DomainError`] (`EINVAL`).
    ///
    /// # Locks
    /// P, and under it the registry's, for writing: aqmask can't change in between.
    pub fn choose_domain(&self, domain: u8, held: &mut Held<'_, Nothing>) -> Result<(), DomainError> {
        // Lock order: P -> Devices
        let (ownership, mut held) = self.ownership.lock(held);
        let (mut registry, _held) = self.registry.write(&mut held);
        if domain > registry.max_domain || !ownership.domains.contains(domain.into()) {
            return Err(DomainError);
        }
        registry.default_domain = Some(domain);
        Ok(())
    }

    /// How many queue devices are bound, and how many there are; and whether the first scan is over.
    ///
    /// # Locks
    /// The registry's, for reading; A of each queue, one at a time.
    pub fn bindings(&self, held: &mut Held<'_, Nothing>) -> Bindings {
        // One look: whether the first scan is over is known with the queues.
        let (queues, scanned) = self.registry.look_by(
            held,
            |registry| (registry.made_order().cloned().collect::<Vec<_>>(), registry.scanned()),
            |(queues, scanned)| {
                let queues: Vec<_> = queues.iter().map(IsDevice::which).collect();
                locks::hook::fingerprint(&(queues, scanned))
            },
        );
        let bound = queues.iter().filter(|queue| queue.is_bound(held)).count();
        Bindings { bound, queues: queues.len(), scanned }
    }
}

/// How far binding has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bindings {
    /// Queue devices that are bound.
    pub bound: usize,
    /// Queue devices.
    pub queues: usize,
    /// Whether the first scan is over.
    pub scanned: bool,
}

/// Not a domain that can be the default one (`EINVAL`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the domain does not exist, or is not the host's")]
pub struct DomainError;
