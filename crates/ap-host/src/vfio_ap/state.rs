//! What vfio_ap knows, all of it under M.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use ap_types::{Apqn, HostConfig, Matrix, QueueSet, ResponseCode, Uuid};

use super::guest::Guest;
use super::links::Links;
use super::mdev::MdevDevice;

/// How many mdevs there can be.
pub const INSTANCES: u32 = 65_536;

/// An mdev's number: ascending in the order of creation, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MdevId(pub u32);

/// **M**: the contents of every mdev and queue record, and vfio_ap's copy of the host configuration.
#[derive(Clone, Default)]
pub struct Mdevs {
    /// The host configuration as vfio_ap knows it; `None` without QCI, and while the driver is not loaded.
    pub config: Option<HostConfig>,
    /// All mdevs, oldest first.
    pub list: BTreeMap<MdevId, Mdev>,
    /// Their names.
    pub by_uuid: BTreeMap<Uuid, MdevId>,
    /// Records of the queues that are bound to vfio_ap.
    pub queues: BTreeMap<u16, QueueRecord>,
    /// Which queue is linked to which mdev.
    pub links: Links,
    /// The same as a set.
    pub bound: QueueSet,
    /// Bound queues whose last reset did not end well.
    pub failed: QueueSet,
    /// The queues of all mdevs' matrices.
    pub assigned: QueueSet,
    /// The next mdev's number.
    pub next_id: u32,
    /// The driver is being unloaded: no mdev is made, none is opened.
    pub leaving: bool,
    /// IOMMU groups in use.
    pub iommu_groups: BTreeSet<u32>,
    /// VFIO groups in use.
    pub vfio_groups: BTreeSet<u32>,
    /// VFIO device numbers in use.
    pub vfio_devices: BTreeSet<u32>,
}

/// Where an mdev is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MdevPhase {
    /// Usable.
    Live,
    /// Its removal waits for the guest that holds it; `asked`: how often the guest was asked.
    Removing {
        /// How often the guest was to be asked to let go, whether or not it had registered an interrupt for that.
        asked: u32,
        /// When it is asked next, in milliseconds of machine time.
        next: u64,
        /// Whether the device itself goes, too, or only loses its driver.
        whole: bool,
    },
    /// It was unbound from its driver: only the device is left.
    Unbound,
}

impl MdevPhase {
    /// Whether the device is on its bus with the files that every mdev has: not while its removal waits. Losing
    /// only its driver does not take it away, also not while that waits.
    #[must_use]
    pub fn on_bus(self) -> bool {
        !matches!(self, MdevPhase::Removing { whole: true, .. })
    }
}

/// What an administrator assigned to a guest, and what the guest gets of it.
#[derive(Clone)]
pub struct Mdev {
    /// Its name.
    pub uuid: Uuid,
    /// Where it is in its life.
    pub phase: MdevPhase,
    /// What was assigned.
    pub matrix: Matrix,
    /// The shadow APCB: what the guest really gets.
    pub shadow: Matrix,
    /// Adapters, domains and control domains that the machine is adding ("being added").
    pub adding: Matrix,
    /// The shadow APCB is what a filtering made of it, and nothing that filtering looks at has changed since. It
    /// is for invariants only (I4 of page 4).
    pub fresh: bool,
    /// The guest that it is attached to.
    pub guest: Option<Arc<Guest>>,
    /// A guest (also one without APCB) has it open; its name.
    pub opener: Option<Arc<Guest>>,
    /// The request interrupt, and how often it was signalled.
    pub request: Option<u64>,
    /// Its IOMMU group.
    pub iommu_group: u32,
    /// Its VFIO group.
    pub vfio_group: u32,
    /// Its VFIO device number.
    pub vfio_device: u32,
    /// Its device lock.
    pub device: Arc<MdevDevice>,
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

impl Mdev {
    /// Whether a running guest's APCB is this mdev's shadow APCB.
    #[must_use]
    pub fn running(&self) -> bool {
        self.guest.is_some()
    }
}

impl Mdevs {
    /// A fingerprint of all that operations and invariants decide by, also of what [`Hash`] leaves out: numbers
    /// that are lock keys, what a guest was asked, whether a filtering is fresh.
    pub(crate) fn exactly(&self) -> u64 {
        let key = |guest: &Option<Arc<Guest>>| guest.as_ref().map(|guest| guest.kvm.object().key);
        let numbers: Vec<_> = self
            .list
            .iter()
            .map(|(id, mdev)| (id, mdev.phase, mdev.fresh, mdev.request, key(&mdev.guest), key(&mdev.opener)))
            .collect();
        locks::hook::fingerprint(&(self, numbers, self.next_id, self.leaving))
    }

    /// A live mdev.
    #[must_use]
    pub fn live(&self, id: MdevId) -> Option<&Mdev> {
        self.list.get(&id).filter(|mdev| mdev.phase == MdevPhase::Live)
    }

    /// The mdev of that name, whatever phase it is in.
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

    /// Whether a running guest has the queue in its APCB.
    #[must_use]
    pub fn in_running_guest(&self, apqn: Apqn) -> bool {
        self.linked_mdev(apqn)
            .and_then(|id| self.list.get(&id))
            .is_some_and(|mdev| mdev.running() && mdev.shadow.contains(apqn))
    }

    /// The guest of an mdev.
    #[must_use]
    pub fn guest_of(&self, id: MdevId) -> Option<Arc<Guest>> {
        self.list.get(&id).and_then(|mdev| mdev.guest.clone())
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

    /// Highest adapter and domain ids that may be assigned. (Page 3, "Assigning"; page 1.)
    #[must_use]
    pub fn highest_ids(&self) -> (u8, u8) {
        match self.config {
            Some(config) if config.features.contains(ap_types::Features::APXA) => (config.na, config.nd),
            _ => (63, 15),
        }
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

/// Numbers (ids, stamps, groups) are left out where they only say what came first.
impl Hash for Mdevs {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.config.hash(state);
        for mdev in self.list.values() {
            mdev.hash(state);
        }
        for (apqn, record) in self.queues.iter() {
            apqn.hash(state);
            let link = self.links.mdev(Apqn::from_u16(*apqn));
            let mdev = link.and_then(|id| self.list.get(&id)).map(|mdev| mdev.uuid);
            (mdev, link.is_some(), record.last_reset, &record.irq).hash(state);
        }
    }
}

impl Hash for Mdev {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let phase = match self.phase {
            MdevPhase::Live => 0,
            MdevPhase::Removing { whole, .. } => 1 + u8::from(whole),
            MdevPhase::Unbound => 3,
        };
        (self.uuid, phase, self.matrix, self.shadow, self.adding).hash(state);
        self.guest.as_ref().map(|guest| &guest.name).hash(state);
        self.opener.as_ref().map(|guest| &guest.name).hash(state);
        self.request.is_some().hash(state);
        (self.iommu_group, self.vfio_group, self.vfio_device).hash(state);
    }
}
