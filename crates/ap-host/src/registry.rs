//! The driver core's lists: devices, drivers, and what the bus knows about the machine.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use ap_types::{AdapterId, AdapterMask, Apqn, DomainMask, HostConfig};
use locks::{After, Held};

use crate::Host;
use crate::device::{Card, QueueDevice};
use crate::driver::{DeviceName, DriverId};
use crate::module::Loaded;
use crate::order::{Devices, Queue};
use crate::zcdn::ZcryptNodes;

/// A device of the AP bus.
#[derive(Clone)]
pub enum DeviceRef {
    /// A card.
    Card(Arc<Card>),
    /// A queue.
    Queue(Arc<QueueDevice>),
}

impl DeviceRef {
    /// Its driver, and when it was bound.
    pub fn binding<H>(&self, held: &mut Held<'_, H>) -> (Option<DriverId>, u64)
    where
        Queue: After<H>,
    {
        match self {
            DeviceRef::Card(card) => {
                let (state, _held) = card.state.lock(held);
                (state.driver, state.bound_at.0)
            }
            DeviceRef::Queue(queue) => {
                let (state, _held) = queue.state.lock(held);
                (state.driver, state.bound_at.0)
            }
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> DeviceName {
        match self {
            DeviceRef::Card(card) => DeviceName::Card(card.id),
            DeviceRef::Queue(queue) => DeviceName::Queue(queue.apqn),
        }
    }
}

/// Which modules and drivers there are. A leaf.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Core {
    /// Modules that are loaded.
    pub loaded: Loaded,
    /// Registered drivers, in that order.
    pub drivers: Vec<DriverId>,
}

/// What the bus knows. A leaf: nothing but A and the machine is taken under it.
#[derive(Clone)]
pub struct Registry {
    /// Card devices.
    pub cards: BTreeMap<u8, Arc<Card>>,
    /// Queue devices, by APQN.
    pub queues: BTreeMap<u16, Arc<QueueDevice>>,
    /// All devices in the order in which they were made.
    pub order: BTreeMap<u64, DeviceRef>,
    /// `drivers_autoprobe` of the buses ap, matrix, mdev.
    pub autoprobe: bool,
    /// … matrix.
    pub autoprobe_matrix: bool,
    /// … mdev.
    pub autoprobe_mdev: bool,
    /// The host configuration of the last scan; `None` without QCI.
    pub config: Option<HostConfig>,
    /// Highest adapter id, taken once.
    pub max_adapter: u8,
    /// Highest domain id, taken once.
    pub max_domain: u8,
    /// The default domain.
    pub default_domain: Option<u8>,
    /// Scans so far.
    pub scans: u64,
    /// Seconds between scans.
    pub config_time: u32,
    /// Nanoseconds.
    pub poll_timeout: u64,
    /// As written.
    pub poll_thread: bool,
    /// Whether adapter interrupts are used.
    pub interrupts: bool,
    /// Whether Linux runs as a Secure Execution guest with APSB.
    pub secure_execution: bool,
    /// How often "bindings complete" was announced.
    pub complete_count: u32,
    /// Module parameters of `ap` as given.
    pub parameters: Parameters,
    /// Generations of devices, by lock key.
    pub generations: BTreeMap<u32, u32>,
    /// Additional device nodes of zcrypt.
    pub zcrypt_nodes: ZcryptNodes,
}

/// Module parameters of `ap`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Parameters {
    /// `apmask=`.
    pub apmask: Option<String>,
    /// `aqmask=`.
    pub aqmask: Option<String>,
    /// `useirq=`.
    pub useirq: Option<i32>,
    /// `poll_thread=`.
    pub poll_thread: Option<i32>,
}

impl Default for Registry {
    fn default() -> Self {
        Registry {
            cards: BTreeMap::new(),
            queues: BTreeMap::new(),
            order: BTreeMap::new(),
            autoprobe: true,
            autoprobe_matrix: true,
            autoprobe_mdev: true,
            config: None,
            max_adapter: 63,
            max_domain: 15,
            default_domain: None,
            scans: 0,
            config_time: 30,
            poll_timeout: 250_000,
            poll_thread: false,
            interrupts: false,
            secure_execution: false,
            complete_count: 0,
            parameters: Parameters::default(),
            generations: BTreeMap::new(),
            zcrypt_nodes: ZcryptNodes::default(),
        }
    }
}

/// Counters and generations are left out: they would make every state a new one.
impl Hash for Registry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for card in self.cards.values() {
            (card.id, card.hwtype, card.raw_hwtype, card.functions, card.depth, card.max_message).hash(state);
        }
        for queue in self.queues.values() {
            (queue.apqn, queue.secure_execution).hash(state);
        }
        (self.autoprobe, self.autoprobe_matrix, self.autoprobe_mdev).hash(state);
        self.config.hash(state);
        (self.max_adapter, self.max_domain, self.default_domain, self.scans == 0).hash(state);
        (self.config_time, self.poll_timeout, self.poll_thread, self.interrupts).hash(state);
        self.parameters.hash(state);
        self.zcrypt_nodes.hash(state);
    }
}

impl Registry {
    /// A fingerprint of all that operations decide by, also of what [`Hash`] leaves out: which devices there are by
    /// lock key, in which order, and how often there was a scan.
    pub(crate) fn exactly(&self) -> u64 {
        let order: Vec<(DeviceName, u32)> = self
            .order
            .values()
            .map(|device| match device {
                DeviceRef::Card(card) => (device.name(), card.generation),
                DeviceRef::Queue(queue) => (device.name(), queue.generation),
            })
            .collect();
        locks::hook::fingerprint(&(self, order, &self.generations, self.scans))
    }

    /// The adapters and usage domains that exist for the bus. (Page 1: without QCI all up to the highest ids.)
    #[must_use]
    pub fn configured(&self) -> (AdapterMask, DomainMask) {
        let adapters = AdapterMask::up_to(self.max_adapter);
        let domains = DomainMask::up_to(self.max_domain);
        match self.config.filter(|config| !config.features.is_empty()) {
            Some(config) => (config.adapters & adapters, config.domains & domains),
            None => (adapters, domains),
        }
    }

    /// All queue devices in the order in which they were made.
    pub fn made_order(&self) -> impl Iterator<Item = &Arc<QueueDevice>> {
        self.order.values().filter_map(|device| match device {
            DeviceRef::Queue(queue) => Some(queue),
            DeviceRef::Card(_) => None,
        })
    }

    /// The next generation of a device with that lock key.
    pub fn next_generation(&mut self, key: u32) -> u32 {
        let generation = self.generations.entry(key).or_insert(0);
        *generation += 1;
        *generation
    }

    /// The queue devices of a card, ascending by domain.
    pub fn queues_of(&self, card: AdapterId) -> impl Iterator<Item = &Arc<QueueDevice>> {
        let first = u16::from(card.0) << 8;
        self.queues.range(first..=first | 0xff).map(|(_, queue)| queue)
    }
}

impl Host {
    /// The device of that name.
    pub fn find<H>(&self, name: DeviceName, held: &mut Held<'_, H>) -> Option<DeviceRef>
    where
        Devices: After<H>,
    {
        let (registry, _held) = self.registry.read(held);
        match name {
            DeviceName::Card(id) => registry.cards.get(&id.0).cloned().map(DeviceRef::Card),
            DeviceName::Queue(apqn) => registry.queues.get(&apqn.to_u16()).cloned().map(DeviceRef::Queue),
        }
    }

    /// The card of that adapter.
    pub fn card<H>(&self, id: AdapterId, held: &mut Held<'_, H>) -> Option<Arc<Card>>
    where
        Devices: After<H>,
    {
        self.registry.read(held).0.cards.get(&id.0).cloned()
    }

    /// The queue of that APQN.
    pub fn queue<H>(&self, apqn: Apqn, held: &mut Held<'_, H>) -> Option<Arc<QueueDevice>>
    where
        Devices: After<H>,
    {
        self.registry.read(held).0.queues.get(&apqn.to_u16()).cloned()
    }

    /// All devices in the order in which they were made.
    pub fn devices_in_order<H>(&self, held: &mut Held<'_, H>) -> Vec<DeviceRef>
    where
        Devices: After<H>,
    {
        self.registry.read(held).0.order.values().cloned().collect()
    }

    /// All queue devices in the order in which they were made.
    pub fn queues_in_order<H>(&self, held: &mut Held<'_, H>) -> Vec<Arc<QueueDevice>>
    where
        Devices: After<H>,
    {
        self.registry.read(held).0.made_order().cloned().collect()
    }
}
