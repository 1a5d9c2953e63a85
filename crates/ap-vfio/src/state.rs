//! What vfio_ap knows, all of it under M.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use ap_task::MdevId;
use ap_task::order::Device;
use ap_task::state::Unhashed;
use ap_types::{AdapterMask, Apqn, DomainMask, Features, HostConfig, Matrix, QueueSet, ResponseCode, Uuid};
use locks::Mutex;

use crate::guest::Guest;
use crate::links::Links;

/// How many mdevs there can be.
pub const INSTANCES: u32 = 65_536;

/// Mdevs by number, that is by age. Two lists are the same state if they have the same mdevs in the same order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ByAge(BTreeMap<MdevId, Mdev>);

impl Hash for ByAge {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.len().hash(state);
        self.0.values().for_each(|mdev| mdev.hash(state));
    }
}

impl Deref for ByAge {
    type Target = BTreeMap<MdevId, Mdev>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for ByAge {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// **M**: the contents of every mdev and queue record, and vfio_ap's copy of the host configuration.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Mdevs {
    /// The host configuration as vfio_ap knows it; `None` without QCI, and while the driver is not loaded.
    pub config: Option<HostConfig>,
    /// All mdevs, oldest first.
    pub list: ByAge,
    /// Their names.
    pub by_uuid: Unhashed<BTreeMap<Uuid, MdevId>>,
    /// Records of the queues that are bound to vfio_ap.
    pub queues: BTreeMap<Apqn, QueueRecord>,
    /// Which queue is linked to which mdev. (A function of the matrices, by I1 and I6.)
    pub links: Unhashed<Links>,
    /// The queues that have records, as a set.
    pub bound: Unhashed<QueueSet>,
    /// Bound queues whose last reset did not end well.
    pub failed: Unhashed<QueueSet>,
    /// The queues of all mdevs' matrices.
    pub assigned: Unhashed<QueueSet>,
    /// The next mdev's number.
    pub next_id: Unhashed<u32>,
    /// The driver is being unloaded or loaded, or not loaded: no mdev is made, none is opened.
    pub leaving: Unhashed<bool>,
    /// How often the driver was loaded.
    pub load: Unhashed<u32>,
    /// The numbers that mdevs have.
    pub numbers: Unhashed<Numbers>,
}

/// Numbers in use: each mdev with a driver has one of each kind, the lowest that was free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// IOMMU groups.
    pub iommu_groups: BTreeSet<u32>,
    /// VFIO groups.
    pub vfio_groups: BTreeSet<u32>,
    /// VFIO devices.
    pub vfio_devices: BTreeSet<u32>,
}

impl Numbers {
    /// Takes the lowest free number of each kind.
    pub(crate) fn take(&mut self) -> Groups {
        Groups {
            iommu_group: lowest_free(&mut self.iommu_groups),
            vfio_group: lowest_free(&mut self.vfio_groups),
            vfio_device: lowest_free(&mut self.vfio_devices),
        }
    }

    /// Gives them back.
    pub(crate) fn give_back(&mut self, groups: &Groups) {
        self.iommu_groups.remove(&groups.iommu_group);
        self.vfio_groups.remove(&groups.vfio_group);
        self.vfio_devices.remove(&groups.vfio_device);
    }
}

fn lowest_free(used: &mut BTreeSet<u32>) -> u32 {
    // Mostly there is no gap, and tens of thousands of mdevs need no look at each.
    let whole = used.last().is_none_or(|last| *last as usize + 1 == used.len());
    let number = if whole {
        used.len()
    } else {
        used.iter().zip(0..).take_while(|(used, free)| **used == *free).count()
    } as u32;
    used.insert(number);
    number
}

/// The numbers of one mdev.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Groups {
    /// Its IOMMU group.
    pub iommu_group: u32,
    /// Its VFIO group.
    pub vfio_group: u32,
    /// Its VFIO device number.
    pub vfio_device: u32,
}

/// The highest ids of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// The highest adapter id.
    pub adapter: u8,
    /// The highest id of a usage or control domain.
    pub domain: u8,
}

impl Limits {
    /// Those of a host configuration. (Page 3, "Assigning"; page 1.)
    #[must_use]
    pub fn of(config: Option<&HostConfig>) -> Limits {
        match config {
            Some(config) if config.features.contains(Features::APXA) => {
                Limits { adapter: config.na, domain: config.nd }
            }
            _ => Limits { adapter: 63, domain: 15 },
        }
    }

    /// Whether a matrix has nothing above them.
    #[must_use]
    pub fn hold(&self, matrix: &Matrix) -> bool {
        let (adapters, domains) = self.masks();
        (matrix.adapters - adapters).is_empty()
            && (matrix.domains - domains).is_empty()
            && (matrix.control_domains - domains).is_empty()
    }

    /// A matrix without what is above them.
    #[must_use]
    pub fn cut(&self, matrix: &Matrix) -> Matrix {
        let (adapters, domains) = self.masks();
        Matrix {
            adapters: matrix.adapters & adapters,
            domains: matrix.domains & domains,
            control_domains: matrix.control_domains & domains,
        }
    }

    fn masks(&self) -> (AdapterMask, DomainMask) {
        (AdapterMask::up_to(self.adapter), DomainMask::up_to(self.domain))
    }
}

/// Where an mdev is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Life {
    /// Usable; who has it open.
    Live(Option<Opening>),
    /// Its removal waits for the guest that holds it, or ends just now.
    Removing(Option<Opening>, Removing),
    /// It was unbound from its driver: only the device is left.
    Unbound,
}

/// That an mdev is open.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Opening {
    /// The guest that opened it: with an APCB, then the mdev's shadow APCB is its APCB; or without one.
    pub by: Arc<Guest>,
    /// The request interrupt, if it was registered, and how often it was signalled.
    pub request: Option<Unhashed<u64>>,
    /// The descriptor that it last registered for the configuration interrupt, and can read.
    pub config: Unhashed<Option<Eventfd>>,
}

/// A descriptor that counts signals: one of those that were registered for an mdev's configuration interrupt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Eventfd(u32);

/// An mdev's configuration interrupt: the second one of its device, which tells that its guest's APCB was set.
/// (Page 7, "The configuration interrupt".)
///
/// What was registered stays so when its user closes the device, and is signalled for whoever opens it next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConfigIrq {
    registered: Option<Unhashed<Eventfd>>,
    /// The descriptors that somebody may still read, and how often each was signalled since.
    counts: Unhashed<BTreeMap<Eventfd, u64>>,
    next: Unhashed<u32>,
}

impl ConfigIrq {
    /// Registers a new descriptor instead of the one before, which keeps what it has counted until that is read.
    pub fn register(&mut self) -> Eventfd {
        let new = Eventfd(*self.next);
        *self.next += 1;
        self.counts.retain(|_, count| *count > 0);
        self.counts.insert(new, 0);
        self.registered = Some(Unhashed(new));
        new
    }

    /// Nobody is signalled any more.
    pub(crate) fn unregister(&mut self) {
        self.registered = None;
    }

    /// Whether somebody is signalled.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.registered.is_some()
    }

    /// Whoever is registered is signalled.
    pub fn signal(&mut self) {
        if let Some(count) = self.registered.as_ref().and_then(|fd| self.counts.get_mut(&fd.0)) {
            *count += 1;
        }
    }

    /// How often a descriptor was signalled since it was last read.
    pub(crate) fn take(&mut self, fd: Eventfd) -> u64 {
        self.counts.get_mut(&fd).map(std::mem::take).unwrap_or_default()
    }
}

/// How far a removal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Removing {
    /// How often the guest was to be asked to let go, whether or not it had registered an interrupt for that.
    pub asked: Unhashed<u32>,
    /// When it is asked next, in milliseconds of machine time.
    pub next: Unhashed<u64>,
    /// Whether the device itself goes, too, or only loses its driver.
    pub whole: bool,
    /// Its guest's APCB was cleared, and nothing is given to it until it lets go.
    pub cleared: bool,
}

/// An mdev's device lock.
pub struct MdevDevice {
    /// **D**: whether the device is still there; held over removal.
    pub device: Mutex<Device, bool>,
}

/// A device is itself and no other.
impl PartialEq for MdevDevice {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for MdevDevice {}

/// What an administrator assigned to a guest, and what the guest gets of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Mdev {
    /// Its name.
    pub uuid: Uuid,
    /// Where it is in its life.
    pub life: Life,
    /// What was assigned.
    pub matrix: Matrix,
    /// The shadow APCB: what the guest really gets.
    pub shadow: Matrix,
    /// The highest ids that may be assigned: those of the host configuration when the mdev was made (page 6, F02).
    pub limits: Limits,
    /// The highest ids of the shadow APCB: those of the host configuration when it was last filtered (page 6, F02b).
    pub shadow_limits: Limits,
    /// Adapters, domains and control domains that the machine is adding ("being added").
    pub adding: Matrix,
    /// The shadow APCB is what a filtering made of it, and nothing that filtering looks at has changed since. It
    /// is for invariants only (I4 of page 4).
    pub fresh: Unhashed<bool>,
    /// Its configuration interrupt.
    pub config: ConfigIrq,
    /// Its numbers; free for others once it is unbound.
    pub groups: Groups,
    /// Its device lock.
    pub device: Unhashed<Arc<MdevDevice>>,
}

/// A queue that is bound to vfio_ap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueueRecord {
    /// The answer of its last reset.
    pub last_reset: ResponseCode,
    /// What its guest's interrupts hold.
    pub irq: Option<IrqResources>,
}

/// What a guest's interrupt request holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IrqResources {
    /// The interruption subclass, 0-7.
    pub isc: u8,
    /// The pinned page's address.
    pub address: u64,
    /// The guest's name.
    pub guest: String,
}

impl Life {
    /// Usable: not being removed, and with its driver.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self, Life::Live(_))
    }

    /// Whether only the device is left.
    #[must_use]
    pub fn is_unbound(&self) -> bool {
        matches!(self, Life::Unbound)
    }

    /// Whether the device is on its bus with the files that every mdev has: not while its removal waits. Losing
    /// only its driver does not take it away, also not while that waits.
    #[must_use]
    pub fn on_bus(&self) -> bool {
        !matches!(self, Life::Removing(_, Removing { whole: true, .. }))
    }

    /// Who has it open.
    #[must_use]
    pub fn opening(&self) -> Option<&Opening> {
        match self {
            Life::Live(opening) | Life::Removing(opening, _) => opening.as_ref(),
            Life::Unbound => None,
        }
    }

    fn opening_mut(&mut self) -> Option<&mut Option<Opening>> {
        match self {
            Life::Live(opening) | Life::Removing(opening, _) => Some(opening),
            Life::Unbound => None,
        }
    }
}

impl Mdev {
    /// Who has it open.
    #[must_use]
    pub fn opening(&self) -> Option<&Opening> {
        self.life.opening()
    }

    /// Who has it open, to change what he registered.
    pub(crate) fn opening_mut(&mut self) -> Option<&mut Opening> {
        self.life.opening_mut()?.as_mut()
    }

    /// What `guest_matrix` shows of the shadow APCB: nothing above its limits.
    #[must_use]
    pub fn shown_shadow(&self) -> Matrix {
        self.shadow_limits.cut(&self.shadow)
    }

    /// The guest whose APCB is this mdev's shadow APCB.
    #[must_use]
    pub fn guest(&self) -> Option<&Arc<Guest>> {
        self.opening().map(|opening| &opening.by).filter(|guest| guest.has_apcb)
    }

    /// Whether a running guest's APCB is this mdev's shadow APCB.
    #[must_use]
    pub fn running(&self) -> bool {
        self.guest().is_some()
    }

    /// Whoever has it open closes it.
    pub(crate) fn close(&mut self) {
        if let Some(opening) = self.life.opening_mut() {
            *opening = None;
        }
    }

    /// Whether its guest gets nothing more: its queues were taken at once when the removal began.
    #[must_use]
    pub fn is_cleared(&self) -> bool {
        matches!(self.life, Life::Removing(_, Removing { cleared: true, .. }))
    }

    /// Its removal begins; who has it open keeps it so.
    pub(crate) fn begins_removal(&mut self, whole: bool) {
        let opening = self.life.opening_mut().and_then(Option::take);
        let removing = Removing { asked: Unhashed(0), next: Unhashed(0), whole, cleared: false };
        self.life = Life::Removing(opening, removing);
    }

    /// All that operations and invariants decide by, also what `Hash` leaves out.
    fn exactly(&self) -> u64 {
        let Mdev {
            uuid,
            life,
            matrix,
            shadow,
            limits,
            shadow_limits,
            adding,
            fresh,
            config,
            groups,
            device: _,
        } = self;
        let opening = life.opening().map(|Opening { by, request, config }| {
            (by.kvm.object().key, by.has_apcb, request.map(|count| count.0), config.0)
        });
        let removing = match life {
            Life::Live(_) => None,
            Life::Removing(_, Removing { asked, next, whole, cleared }) => {
                Some(Some((asked.0, next.0, whole, cleared)))
            }
            Life::Unbound => Some(None),
        };
        let ConfigIrq { registered, counts, next } = config;
        let config = (registered.map(|fd| fd.0), &counts.0, next.0);
        let matrices = (matrix, limits, shadow, shadow_limits, adding);
        locks::hook::fingerprint(&(uuid, opening, removing, matrices, fresh.0, config, groups))
    }
}

impl Mdevs {
    /// A fingerprint of all that operations and invariants decide by, also of what `Hash` leaves out: numbers that
    /// are lock keys, what a guest was asked, whether a filtering is fresh.
    ///
    /// Every field is named here: one that is added decides where it belongs, or this does not compile.
    pub(crate) fn exactly(&self) -> u64 {
        let Mdevs {
            config,
            list,
            queues,
            links,
            next_id,
            leaving,
            load,
            // These say the same as the others, as sets and by name.
            by_uuid: _,
            bound: _,
            failed: _,
            assigned: _,
            numbers: _,
        } = self;
        let mdevs: Vec<(&MdevId, u64)> = list.iter().map(|(id, mdev)| (id, mdev.exactly())).collect();
        let queues: Vec<_> = queues.iter().map(|(apqn, record)| (apqn, record, links.mdev(*apqn))).collect();
        locks::hook::fingerprint(&(config, mdevs, queues, next_id.0, leaving.0, load.0))
    }

    /// A live mdev.
    #[must_use]
    pub fn live(&self, id: MdevId) -> Option<&Mdev> {
        self.list.get(&id).filter(|mdev| mdev.life.is_live())
    }

    /// The mdev of that name, wherever it is in its life.
    #[must_use]
    pub fn find(&self, uuid: &Uuid) -> Option<(MdevId, &Mdev)> {
        let id = *self.by_uuid.get(uuid)?;
        self.list.get(&id).map(|mdev| (id, mdev))
    }
    /// The mdev whose matrix has the queue.
    #[must_use]
    pub fn owner(&self, apqn: Apqn) -> Option<MdevId> {
        if !self.assigned.contains(apqn) {
            return None;
        }
        self.list.iter().rev().find(|(_, mdev)| mdev.matrix.contains(apqn)).map(|(id, _)| *id)
    }

    /// The mdev that a bound queue is linked to.
    #[must_use]
    pub fn linked_mdev(&self, apqn: Apqn) -> Option<MdevId> {
        self.links.mdev(apqn)
    }

    /// Whether a running guest has the queue in its APCB, which is empty from when its mdev's removal took the queues
    /// (`DEV-019`).
    #[must_use]
    pub fn in_running_guest(&self, apqn: Apqn) -> bool {
        self.linked_mdev(apqn)
            .and_then(|id| self.list.get(&id))
            .is_some_and(|mdev| mdev.running() && !mdev.is_cleared() && mdev.shadow.contains(apqn))
    }

    /// The guest of an mdev.
    #[must_use]
    pub fn guest_of(&self, id: MdevId) -> Option<Arc<Guest>> {
        self.list.get(&id).and_then(|mdev| mdev.guest().cloned())
    }

    /// How many mdevs can still be made.
    #[must_use]
    pub fn available(&self) -> u32 {
        INSTANCES - self.list.len() as u32
    }

    /// The host configuration's matrix, empty without QCI.
    #[must_use]
    pub fn host(&self) -> Matrix {
        self.config.map(|config| config.matrix()).unwrap_or_default()
    }

    /// Links a bound queue to an mdev.
    pub fn link(&mut self, id: MdevId, apqn: Apqn) {
        self.links.link(apqn, id);
    }

    /// Unlinks a bound queue from its mdev.
    pub fn unlink(&mut self, apqn: Apqn) {
        self.links.unlink(apqn);
    }

    /// All queues linked to an mdev, in the order in which a hash table of the reference gives them. (Page 3,
    /// "Order of all linked queues".)
    #[must_use]
    pub fn linked_queues(&self, id: MdevId) -> Vec<Apqn> {
        let Some(mdev) = self.list.get(&id) else { return Vec::new() };
        let mut linked: Vec<(u8, std::cmp::Reverse<u64>, Apqn)> = self
            .bound
            .intersection_product(&mdev.matrix.adapters, &mdev.matrix.domains)
            .filter(|apqn| self.links.mdev(*apqn) == Some(id))
            .map(|apqn| (ap_types::zapq_order_key(apqn), std::cmp::Reverse(self.links.stamp(apqn)), apqn))
            .collect();
        linked.sort_unstable();
        linked.into_iter().map(|(_, _, apqn)| apqn).collect()
    }

    /// The linked queues of a product, ascending by adapter, domain.
    #[must_use]
    pub fn linked_product(&self, id: MdevId, of: &Matrix) -> Vec<Apqn> {
        self.bound
            .intersection_product(&of.adapters, &of.domains)
            .filter(|apqn| self.linked_mdev(*apqn) == Some(id))
            .collect()
    }
}
