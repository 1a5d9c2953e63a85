//! What must hold, as functions over a snapshot. (Specification, page 4, "What must hold".)

use std::fmt;
use std::sync::Arc;

use ap_task::{DriverName, Flag, MdevId};
use ap_types::{AdapterId, AdapterMask, Apqn, DomainMask, Matrix, QueueSet, Uuid};
use ap_vfio::{Guest, Mdev, Mdevs, VFIO_AP};

use crate::snapshot::Snapshot;

/// An invariant of page 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Invariant {
    /// No queue is two mdevs' or two guests'.
    I1,
    /// No queue of an mdev is reserved for the host; a running guest's are bound to vfio_ap.
    I2,
    /// A shadow APCB has nothing but what is assigned, the host's, bound and passable.
    I3,
    /// Right after a filtering no adapter is missing that could be there.
    I4,
    /// A queue that changes hands was reset in between.
    I5,
    /// Records are linked exactly to the mdevs that have their queues.
    I6,
    /// A running guest's APCB is its mdev's shadow APCB.
    I7,
    /// Every operation answers as some order of the operations says.
    I8,
    /// No operation waits for ever.
    I9,
    /// No operation panics.
    I10,
    /// What was taken is given back.
    I11,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// An invariant over a state that does not hold, and how. Its text names queues, mdevs and guests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Broken {
    /// I1.
    #[error("mdevs {0} and {other} share a queue", other = other(.1))]
    MdevsShare(Uuid, Option<Uuid>),
    /// I1.
    #[error("guests {0} and {1} share a queue")]
    GuestsShare(String, String),
    /// I2.
    #[error("a queue of mdev {0} is reserved for the host")]
    Reserved(Uuid),
    /// I2.
    #[error("queue {queue} of running guest {guest} is bound to {}", driver.map_or("no driver", |driver| driver.0))]
    Stolen {
        /// The queue.
        queue: Apqn,
        /// Whose it is.
        guest: String,
        /// Who has it.
        driver: Option<DriverName>,
    },
    /// I3.
    #[error("the shadow APCB of {0} has what matrix and host don't")]
    ShadowTooLarge(Uuid),
    /// I3.
    #[error("the shadow APCB of {0} lacks a domain")]
    ShadowLacksDomain(Uuid),
    /// I3.
    #[error("the shadow APCB of {0} has a queue that is not bound to vfio_ap")]
    ShadowUnbound(Uuid),
    /// I3.
    #[error("a filtering left {0} a queue whose last reset failed")]
    ShadowFailed(Uuid),
    /// I4.
    #[error("adapter {0} is missing from the shadow APCB of {1}")]
    AdapterMissing(AdapterId, Uuid),
    /// I6.
    #[error("{drivers} queues have vfio_ap, {records} records")]
    RecordCount {
        /// How many queues are bound to it.
        drivers: usize,
        /// How many records it has.
        records: usize,
    },
    /// I6.
    #[error("queue {0} is linked to an mdev without it")]
    LinkedWithout(Apqn),
    /// I6.
    #[error("queue {0} of mdev {1} is not linked")]
    NotLinked(Apqn, Uuid),
    /// I6.
    #[error("queue {0} has a record but is not in the set of bound queues")]
    RecordNotBound(Apqn),
    /// I6.
    #[error("the set of bound queues has more than there are records")]
    BoundWithoutRecord,
    /// I6.
    #[error("the set of assigned queues is not that of the matrices")]
    AssignedSet,
    /// I7.
    #[error("the control domains of {0} are not assigned ∩ host's")]
    ControlDomains(Uuid),
    /// I7.
    #[error("the APCB of guest {0} is not its mdev's shadow APCB")]
    ApcbNotShadow(String),
    /// I7.
    #[error("the hook of guest {0} is not its mdev's")]
    HookNotMdevs(String),
    /// I11.
    #[error("pages of guest {0} are pinned for nothing")]
    PinsLeft(String),
    /// I11.
    #[error("interrupt registrations of guest {0} are left over")]
    RegistrationsLeft(String),
    /// I11.
    #[error("a group's number was not given back")]
    NumbersLeft,
    /// I11.
    #[error("queue {0} is gone, and its override is not")]
    OverrideLeft(Apqn),
}

fn other(uuid: &Option<Uuid>) -> String {
    uuid.map_or_else(String::new, |uuid| uuid.to_string())
}

impl Broken {
    /// Which invariant does not hold.
    #[must_use]
    pub fn invariant(&self) -> Invariant {
        match self {
            Broken::MdevsShare(..) | Broken::GuestsShare(..) => Invariant::I1,
            Broken::Reserved(_) | Broken::Stolen { .. } => Invariant::I2,
            Broken::ShadowTooLarge(_)
            | Broken::ShadowLacksDomain(_)
            | Broken::ShadowUnbound(_)
            | Broken::ShadowFailed(_) => Invariant::I3,
            Broken::AdapterMissing(..) => Invariant::I4,
            Broken::RecordCount { .. }
            | Broken::LinkedWithout(_)
            | Broken::NotLinked(..)
            | Broken::RecordNotBound(_)
            | Broken::BoundWithoutRecord
            | Broken::AssignedSet => Invariant::I6,
            Broken::ControlDomains(_) | Broken::ApcbNotShadow(_) | Broken::HookNotMdevs(_) => Invariant::I7,
            Broken::PinsLeft(_)
            | Broken::RegistrationsLeft(_)
            | Broken::NumbersLeft
            | Broken::OverrideLeft(_) => Invariant::I11,
        }
    }
}

/// All invariants that hold whenever no operation is in progress. Empty: all hold.
#[must_use]
pub fn check(state: &Snapshot) -> Vec<Broken> {
    let mut found = Vec::new();
    exclusive(state, &mut found);
    not_stolen(state, &mut found);
    filtered(state, &mut found);
    maximal(state, &mut found);
    linked(state, &mut found);
    control_domains(state, &mut found);
    not_leaked(state, &mut found);
    found
}

fn driver_of(state: &Snapshot, apqn: Apqn) -> Option<DriverName> {
    let index = state.bus.registry.queues.keys().position(|key| *key == apqn)?;
    state.bus.queues.get(index).and_then(|queue| queue.driver())
}

/// I1: no queue is in the matrix of two mdevs, or in the APCB of two guests.
pub fn exclusive(state: &Snapshot, found: &mut Vec<Broken>) {
    exclusive_mdevs(&state.vfio.mdevs, found);
    let apcbs: Vec<(&str, Matrix)> =
        state.vfio.guests.iter().map(|guest| (guest.guest.name.as_str(), guest.kvm.apcb)).collect();
    exclusive_guests(&apcbs, found);
}

/// I1, of mdevs: what may be asked whenever M is free.
pub fn exclusive_mdevs(mdevs: &Mdevs, found: &mut Vec<Broken>) {
    let mdevs: Vec<&Mdev> = mdevs.list.values().filter(|m| m.matrix.has_queues()).collect();
    if mdevs.len() > 1 {
        let mut seen = QueueSet::new();
        for mdev in &mdevs {
            if seen.intersects_product(&mdev.matrix.adapters, &mdev.matrix.domains) {
                let other = mdevs.iter().find(|m| m.uuid != mdev.uuid && m.matrix.shares_queue(&mdev.matrix));
                found.push(Broken::MdevsShare(mdev.uuid, other.map(|other| other.uuid)));
            }
            seen.insert_product(&mdev.matrix.adapters, &mdev.matrix.domains);
        }
    }
}

/// I1, of guests' APCBs, by name: what may be asked whenever G and K are free.
pub fn exclusive_guests(apcbs: &[(&str, Matrix)], found: &mut Vec<Broken>) {
    for (index, (a, apcb)) in apcbs.iter().enumerate().filter(|(_, (_, apcb))| apcb.has_queues()) {
        for (b, other) in &apcbs[index + 1..] {
            if apcb.shares_queue(other) {
                found.push(Broken::GuestsShare((*a).to_owned(), (*b).to_owned()));
            }
        }
    }
}

/// I2: no queue of an mdev's matrix is reserved for the host; a running guest's are bound to vfio_ap.
///
/// Where queues have overrides, what the masks reserve says nothing of a queue that was assigned under one: there the
/// first half is about steps, not states ("nothing takes a queue of an mdev", page 7), and oracles watch them.
pub fn not_stolen(state: &Snapshot, found: &mut Vec<Broken>) {
    if !state.kernel.has(Flag::DriverOverride) {
        for mdev in state.vfio.mdevs.list.values() {
            if state.bus.ownership.reserves_any(&mdev.matrix.adapters, &mdev.matrix.domains) {
                found.push(Broken::Reserved(mdev.uuid));
            }
        }
    }
    for guest in &state.vfio.guests {
        if let Some(queue) = not_bound(&state.vfio.mdevs, &guest.kvm.apcb) {
            let (guest, driver) = (guest.guest.name.clone(), driver_of(state, queue));
            found.push(Broken::Stolen { queue, guest, driver });
        }
    }
}

/// I2, of running guests: what may be asked whenever G, K and M are free.
pub fn guests_have_theirs(mdevs: &Mdevs, guests: &[(Arc<Guest>, Matrix)], found: &mut Vec<Broken>) {
    for (guest, apcb) in guests {
        if let Some(queue) = not_bound(mdevs, apcb) {
            found.push(Broken::Stolen { queue, guest: guest.name.clone(), driver: None });
        }
    }
}

/// The first queue of a running guest that vfio_ap does not have.
fn not_bound(mdevs: &Mdevs, apcb: &Matrix) -> Option<Apqn> {
    if !apcb.has_queues() || mdevs.bound.contains_product(&apcb.adapters, &apcb.domains) {
        return None;
    }
    apcb.queues().find(|apqn| !mdevs.bound.contains(*apqn))
}

/// I3: a shadow APCB is a subset of matrix and host configuration, has all its domains, and all its queues are bound;
/// right after a filtering they are passable, too.
pub fn filtered(state: &Snapshot, found: &mut Vec<Broken>) {
    let host = state.vfio.mdevs.host();
    for mdev in state.vfio.mdevs.list.values().filter(|mdev| !mdev.life.is_unbound()) {
        let (shadow, uuid) = (&mdev.shadow, mdev.uuid);
        let allowed = mdev.matrix.shared(&host);
        if !shadow.adapters.is_subset(&allowed.adapters) || !shadow.domains.is_subset(&allowed.domains) {
            found.push(Broken::ShadowTooLarge(uuid));
        }
        let adding = !mdev.adding.domains.is_empty() || !mdev.adding.adapters.is_empty();
        if shadow.domains != allowed.domains && !adding {
            found.push(Broken::ShadowLacksDomain(uuid));
        }
        if !state.vfio.mdevs.bound.contains_product(&shadow.adapters, &shadow.domains) {
            found.push(Broken::ShadowUnbound(uuid));
        }
        if *mdev.fresh
            && !state.vfio.mdevs.failed.adapters_having_any(&shadow.adapters, &shadow.domains).is_empty()
        {
            found.push(Broken::ShadowFailed(uuid));
        }
    }
}

/// I4: right after a filtering no adapter is missing that could be there.
pub fn maximal(state: &Snapshot, found: &mut Vec<Broken>) {
    let host = state.vfio.mdevs.host();
    for mdev in state.vfio.mdevs.list.values().filter(|mdev| *mdev.fresh && mdev.life.is_live()) {
        let allowed = mdev.matrix.shared(&host);
        let missing: AdapterMask = allowed.adapters - mdev.shadow.adapters;
        if missing.is_empty() {
            continue;
        }
        let out = state.vfio.mdevs.bound.adapters_missing_any(&missing, &allowed.domains)
            | state.vfio.mdevs.failed.adapters_having_any(&missing, &allowed.domains);
        if let Some(adapter) = (missing - out).first() {
            found.push(Broken::AdapterMissing(adapter, mdev.uuid));
        }
    }
}

/// I6: a queue record links to an mdev exactly if its APQN is in that mdev's matrix; the sets say the same.
pub fn linked(state: &Snapshot, found: &mut Vec<Broken>) {
    linked_records(&state.vfio.mdevs, found);
    let drivers = state.bus.queues.iter().filter(|queue| queue.driver() == Some(VFIO_AP)).count();
    let records = state.vfio.mdevs.queues.len();
    if drivers != records {
        found.push(Broken::RecordCount { drivers, records });
    }
}

/// I6, as far as M alone tells: what may be asked whenever M is free.
pub fn linked_records(mdevs: &Mdevs, found: &mut Vec<Broken>) {
    for apqn in mdevs.queues.keys().copied() {
        match mdevs.linked_mdev(apqn) {
            Some(id) => {
                let holds = mdevs.list.get(&id).is_some_and(|mdev| mdev.matrix.contains(apqn));
                if !holds {
                    found.push(Broken::LinkedWithout(apqn));
                }
            }
            None => {
                if let Some(mdev) = mdevs.list.values().find(|mdev| mdev.matrix.contains(apqn)) {
                    found.push(Broken::NotLinked(apqn, mdev.uuid));
                }
            }
        }
        if !mdevs.bound.contains(apqn) {
            found.push(Broken::RecordNotBound(apqn));
        }
    }
    if mdevs.bound.len() != mdevs.queues.len() {
        found.push(Broken::BoundWithoutRecord);
    }
    let mut union = QueueSet::new();
    for mdev in mdevs.list.values() {
        union.insert_product(&mdev.matrix.adapters, &mdev.matrix.domains);
    }
    if union != *mdevs.assigned {
        found.push(Broken::AssignedSet);
    }
}

/// I7: the shadow's control domains are assigned and the host's; a running guest's APCB is the shadow APCB, and its
/// hook is its mdev's.
pub fn control_domains(state: &Snapshot, found: &mut Vec<Broken>) {
    let host = state.vfio.mdevs.host();
    for mdev in state.vfio.mdevs.list.values().filter(|mdev| !mdev.life.is_unbound()) {
        let wanted: DomainMask = mdev.matrix.control_domains & host.control_domains;
        if mdev.shadow.control_domains != wanted && mdev.adding.control_domains.is_empty() {
            found.push(Broken::ControlDomains(mdev.uuid));
        }
    }
    let guests: Vec<(Arc<Guest>, Matrix)> =
        state.vfio.guests.iter().map(|guest| (guest.guest.clone(), guest.kvm.apcb)).collect();
    guests_have_shadows(&state.vfio.mdevs, &guests, found);
    for guest in &state.vfio.guests {
        let mine = mdev_of(&state.vfio.mdevs, &guest.guest).map(|(id, _)| id);
        if *guest.hook != mine {
            found.push(Broken::HookNotMdevs(guest.guest.name.clone()));
        }
    }
}

/// The mdev whose shadow APCB is a guest's.
fn mdev_of<'m>(mdevs: &'m Mdevs, guest: &Arc<Guest>) -> Option<(MdevId, &'m Mdev)> {
    let mut all = mdevs.list.iter().map(|(id, mdev)| (*id, mdev));
    all.find(|(_, mdev)| mdev.guest().is_some_and(|holder| Arc::ptr_eq(holder, guest)))
}

/// I7, of APCBs: a running guest's is the shadow APCB of its mdev, or empty while that is being removed and its queues
/// were taken for it (page 7). What may be asked whenever G, K and M are free.
pub fn guests_have_shadows(mdevs: &Mdevs, guests: &[(Arc<Guest>, Matrix)], found: &mut Vec<Broken>) {
    for (guest, apcb) in guests {
        let mine = mdev_of(mdevs, guest).filter(|(_, mdev)| !mdev.is_cleared());
        if *apcb != mine.map(|(_, mdev)| mdev.shadow).unwrap_or_default() {
            found.push(Broken::ApcbNotShadow(guest.name.clone()));
        }
    }
}

/// I11: pinned pages and interrupt registrations are exactly those that queue records hold; numbers are given back, and
/// a queue that is gone has no override.
pub fn not_leaked(state: &Snapshot, found: &mut Vec<Broken>) {
    for guest in &state.vfio.guests {
        let name = &guest.guest.name;
        let mut pinned = std::collections::BTreeMap::new();
        let mut gisc = [0u32; 8];
        for irq in state.vfio.mdevs.queues.values().filter_map(|record| record.irq.as_ref()) {
            if irq.guest == *name {
                *pinned.entry(irq.address).or_insert(0u32) += 1;
                gisc[usize::from(irq.isc & 7)] += 1;
            }
        }
        if pinned != guest.memory.pinned {
            found.push(Broken::PinsLeft(name.clone()));
        }
        if gisc != guest.memory.gisc {
            found.push(Broken::RegistrationsLeft(name.clone()));
        }
    }
    let listed = &state.bus.registry.queues;
    let overridden = state.bus.ownership.overrides.queues().iter();
    found.extend(overridden.filter(|apqn| !listed.contains_key(apqn)).map(Broken::OverrideLeft));
    let mdevs = &state.vfio.mdevs;
    let grouped = mdevs.list.values().filter(|mdev| !mdev.life.is_unbound()).count();
    let numbers = &mdevs.numbers;
    let used = [numbers.iommu_groups.len(), numbers.vfio_groups.len(), numbers.vfio_devices.len()];
    if used != [grouped; 3] {
        found.push(Broken::NumbersLeft);
    }
}
