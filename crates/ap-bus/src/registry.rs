//! The bus's lists: its devices, and what it knows about the machine.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use ap_task::state::{Counted, Unhashed};
use ap_types::{AdapterId, AdapterMask, Apqn, DomainMask, HostConfig};

use crate::device::{Card, DeviceName, DeviceRef, QueueDevice};
use crate::parameters::Parameters;
use crate::zcdn::ZcryptNodes;

/// What the bus knows. A leaf: nothing but A and the machine is taken under it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Registry {
    /// The bus is there: its module is loaded.
    pub present: bool,
    /// Card devices.
    pub cards: BTreeMap<AdapterId, Arc<Card>>,
    /// Queue devices.
    pub queues: BTreeMap<Apqn, Arc<QueueDevice>>,
    /// All devices in the order in which they were made.
    pub order: Unhashed<BTreeMap<u64, DeviceRef>>,
    /// `drivers_autoprobe`: new devices and drivers are matched.
    pub autoprobe: bool,
    /// The host configuration of the last scan; `None` if there was no QCI, or it had no flags, when `ap` was loaded.
    pub config: Option<HostConfig>,
    /// Highest adapter id, taken once.
    pub max_adapter: u8,
    /// Highest domain id, taken once.
    pub max_domain: u8,
    /// The default domain.
    pub default_domain: Option<u8>,
    /// Scans so far.
    pub scans: Counted,
    /// Seconds between scans.
    pub config_time: u32,
    /// Nanoseconds between two polls of the poll thread.
    pub poll_timeout: u64,
    /// Whether the poll thread runs, as `poll_thread` reads.
    pub poll_thread: bool,
    /// Whether adapter interrupts are used.
    pub interrupts: bool,
    /// Whether Linux runs under Secure Execution with APSB.
    pub secure_execution: bool,
    /// How often "bindings complete" was announced.
    pub complete_count: Unhashed<u32>,
    /// Whether that can be read, which the kernel decides.
    pub count_shown: bool,
    /// Module parameters of `ap` as given.
    pub parameters: Parameters,
    /// How many devices of each name there were.
    pub generations: Unhashed<BTreeMap<DeviceName, u32>>,
    /// Additional device nodes of zcrypt.
    pub zcrypt_nodes: ZcryptNodes,
}

/// Devices in the order in which they were made, told apart over time.
struct Made<'r>(&'r BTreeMap<u64, DeviceRef>);

impl Hash for Made<'_> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_usize(self.0.len());
        for device in self.0.values() {
            (device.name(), device.generation()).hash(hasher);
        }
    }
}

impl Default for Registry {
    fn default() -> Self {
        Registry {
            present: false,
            cards: BTreeMap::new(),
            queues: BTreeMap::new(),
            order: Unhashed::default(),
            autoprobe: true,
            config: None,
            max_adapter: 63,
            max_domain: 15,
            default_domain: None,
            scans: Counted(0),
            config_time: 30,
            poll_timeout: 250_000,
            poll_thread: false,
            interrupts: false,
            secure_execution: false,
            complete_count: Unhashed(0),
            count_shown: false,
            parameters: Parameters::default(),
            generations: Unhashed::default(),
            zcrypt_nodes: ZcryptNodes::default(),
        }
    }
}

impl Registry {
    /// A fingerprint of all that operations decide by, also of what `Hash` leaves out: which devices there are over
    /// time, and in which order, and how often there was a scan.
    ///
    /// Every field is named here: one that is added decides where it belongs, or this does not compile.
    pub(crate) fn exactly(&self) -> u64 {
        let Registry {
            present,
            cards,
            queues,
            order,
            autoprobe,
            config,
            max_adapter,
            max_domain,
            default_domain,
            scans,
            config_time,
            poll_timeout,
            poll_thread,
            interrupts,
            secure_execution,
            complete_count,
            count_shown,
            parameters,
            generations,
            zcrypt_nodes,
        } = self;
        let devices = (cards, queues, Made(&order.0), &generations.0);
        let machine = (config, max_adapter, max_domain, default_domain, interrupts, secure_execution);
        // Else it is only ever reported.
        let count = count_shown.then_some(complete_count.0);
        let scan = (present, scans.0, config_time, count);
        let settings = (autoprobe, poll_timeout, poll_thread, parameters, zcrypt_nodes);
        locks::hook::fingerprint(&(devices, machine, scan, settings))
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

    /// Whether the first scan is over.
    #[must_use]
    pub fn scanned(&self) -> bool {
        self.scans.0 > 0
    }

    /// All queue devices in the order in which they were made.
    pub fn made_order(&self) -> impl Iterator<Item = &Arc<QueueDevice>> {
        self.order.values().filter_map(|device| match device {
            DeviceRef::Queue(queue) => Some(queue),
            DeviceRef::Card(_) => None,
        })
    }

    /// The next generation of a device of that name.
    pub(crate) fn next_generation(&mut self, name: DeviceName) -> u32 {
        let generation = self.generations.entry(name).or_insert(0);
        *generation += 1;
        *generation
    }

    /// Lists a device that was made.
    pub(crate) fn add(&mut self, device: DeviceRef) {
        let made = match &device {
            DeviceRef::Card(card) => {
                self.cards.insert(card.id, card.clone());
                card.made
            }
            DeviceRef::Queue(queue) => {
                self.queues.insert(queue.apqn, queue.clone());
                queue.made
            }
        };
        self.order.insert(made, device);
    }

    /// Forgets a device that is gone.
    pub(crate) fn forget(&mut self, device: &DeviceRef) {
        let made = match device {
            DeviceRef::Card(card) => {
                self.cards.remove(&card.id);
                card.made
            }
            DeviceRef::Queue(queue) => {
                self.queues.remove(&queue.apqn);
                queue.made
            }
        };
        self.order.remove(&made);
    }

    /// The queue devices of a card, ascending by domain.
    pub fn queues_of(&self, card: AdapterId) -> impl Iterator<Item = &Arc<QueueDevice>> {
        let first = Apqn::from_u16(u16::from(card.0) << 8);
        let last = Apqn::from_u16(u16::from(card.0) << 8 | 0xff);
        self.queues.range(first..=last).map(|(_, queue)| queue)
    }
}
