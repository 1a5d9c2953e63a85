//! What must hold, as functions over a snapshot. (Specification, page 4, "What must hold".)

use std::sync::Arc;

use ap_types::{AdapterMask, Apqn, DomainMask, Matrix, QueueSet};

use crate::device::QueueState;
use crate::driver::DriverId;
use crate::snapshot::Snapshot;
use crate::vfio_ap::{Mdev, MdevPhase, Mdevs};

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Broken {
    /// Which: `I1` to `I7`, `I11`.
    pub invariant: &'static str,
    /// What is wrong, naming queues, mdevs and guests.
    pub what: String,
}

fn broken(invariant: &'static str, what: String) -> Broken {
    Broken { invariant, what }
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

fn driver_of(state: &Snapshot, apqn: Apqn) -> Option<DriverId> {
    let index = state.registry.queues.keys().position(|key| *key == apqn.to_u16())?;
    state.queues.get(index).and_then(|queue: &QueueState| queue.driver)
}

/// I1: no queue is in the matrix of two mdevs, or in the APCB of two guests.
pub fn exclusive(state: &Snapshot, found: &mut Vec<Broken>) {
    exclusive_mdevs(&state.mdevs, found);
    let apcbs: Vec<(&str, Matrix)> =
        state.guests.iter().map(|guest| (guest.guest.name.as_str(), guest.kvm.apcb)).collect();
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
                let other = other.map_or_else(String::new, |other| other.uuid.to_string());
                found.push(broken("I1", format!("mdevs {} and {other} share a queue", mdev.uuid)));
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
                found.push(broken("I1", format!("guests {a} and {b} share a queue")));
            }
        }
    }
}

/// I2: no queue of an mdev's matrix is reserved for the host; a running guest's are bound to vfio_ap.
pub fn not_stolen(state: &Snapshot, found: &mut Vec<Broken>) {
    for mdev in state.mdevs.list.values() {
        if state.perms.reserves_any(&mdev.matrix.adapters, &mdev.matrix.domains) {
            found.push(broken("I2", format!("a queue of mdev {} is reserved for the host", mdev.uuid)));
        }
    }
    for guest in &state.guests {
        let apcb = &guest.kvm.apcb;
        if apcb.has_queues() && !state.mdevs.bound.contains_product(&apcb.adapters, &apcb.domains) {
            let stolen = apcb.queues().find(|apqn| driver_of(state, *apqn) != Some(DriverId::VfioAp));
            if let Some(apqn) = stolen {
                let driver = driver_of(state, apqn).map_or("no driver", DriverId::name);
                found.push(broken(
                    "I2",
                    format!("queue {apqn} of running guest {} is bound to {driver}", guest.guest.name),
                ));
            }
        }
    }
}

/// I3: a shadow APCB is a subset of matrix and host configuration, has all its domains, and all its queues are bound;
/// right after a filtering they are passable, too.
pub fn filtered(state: &Snapshot, found: &mut Vec<Broken>) {
    let host = state.mdevs.host();
    for mdev in state.mdevs.list.values().filter(|mdev| mdev.phase != MdevPhase::Unbound) {
        let (shadow, uuid) = (&mdev.shadow, mdev.uuid);
        let allowed = mdev.matrix.shared(&host);
        if !shadow.adapters.is_subset(&allowed.adapters) || !shadow.domains.is_subset(&allowed.domains) {
            found.push(broken("I3", format!("the shadow APCB of {uuid} has what matrix and host don't")));
        }
        let adding = !mdev.adding.domains.is_empty() || !mdev.adding.adapters.is_empty();
        if shadow.domains != allowed.domains && !adding {
            found.push(broken("I3", format!("the shadow APCB of {uuid} lacks a domain")));
        }
        if !state.mdevs.bound.contains_product(&shadow.adapters, &shadow.domains) {
            found.push(broken(
                "I3",
                format!("the shadow APCB of {uuid} has a queue that is not bound to vfio_ap"),
            ));
        }
        if mdev.fresh && !state.mdevs.failed.adapters_having_any(&shadow.adapters, &shadow.domains).is_empty()
        {
            found.push(broken("I3", format!("a filtering left {uuid} a queue whose last reset failed")));
        }
    }
}

/// I4: right after a filtering no adapter is missing that could be there.
pub fn maximal(state: &Snapshot, found: &mut Vec<Broken>) {
    let host = state.mdevs.host();
    for mdev in state.mdevs.list.values().filter(|mdev| mdev.fresh && mdev.phase == MdevPhase::Live) {
        let allowed = mdev.matrix.shared(&host);
        let missing: AdapterMask = allowed.adapters - mdev.shadow.adapters;
        if missing.is_empty() {
            continue;
        }
        let out = state.mdevs.bound.adapters_missing_any(&missing, &allowed.domains)
            | state.mdevs.failed.adapters_having_any(&missing, &allowed.domains);
        if let Some(adapter) = (missing - out).first() {
            found.push(broken(
                "I4",
                format!("adapter {adapter} is missing from the shadow APCB of {}", mdev.uuid),
            ));
        }
    }
}

/// I6: a queue record links to an mdev exactly if its APQN is in that mdev's matrix; the sets say the same.
pub fn linked(state: &Snapshot, found: &mut Vec<Broken>) {
    linked_records(&state.mdevs, found);
    let drivers = state.queues.iter().filter(|queue| queue.driver == Some(DriverId::VfioAp)).count();
    let records = state.mdevs.queues.len();
    if drivers != records {
        found.push(broken("I6", format!("{drivers} queues have vfio_ap, {records} records")));
    }
}

/// I6, as far as M alone tells: what may be asked whenever M is free.
pub fn linked_records(mdevs: &Mdevs, found: &mut Vec<Broken>) {
    for key in mdevs.queues.keys() {
        let apqn = Apqn::from_u16(*key);
        match mdevs.linked_mdev(apqn) {
            Some(id) => {
                let holds = mdevs.list.get(&id).is_some_and(|mdev| mdev.matrix.contains(apqn));
                if !holds {
                    found.push(broken("I6", format!("queue {apqn} is linked to an mdev without it")));
                }
            }
            None => {
                if let Some(mdev) = mdevs.list.values().find(|mdev| mdev.matrix.contains(apqn)) {
                    found.push(broken("I6", format!("queue {apqn} of mdev {} is not linked", mdev.uuid)));
                }
            }
        }
        if !mdevs.bound.contains(apqn) {
            found.push(broken(
                "I6",
                format!("queue {apqn} has a record but is not in the set of bound queues"),
            ));
        }
    }
    if mdevs.bound.len() != mdevs.queues.len() {
        found.push(broken("I6", "the set of bound queues has more than there are records".into()));
    }
    let mut union = QueueSet::new();
    for mdev in mdevs.list.values() {
        union.insert_product(&mdev.matrix.adapters, &mdev.matrix.domains);
    }
    if union != mdevs.assigned {
        found.push(broken("I6", "the set of assigned queues is not that of the matrices".into()));
    }
}

/// I7: the shadow's control domains are assigned and the host's; a running guest's APCB is the shadow APCB, and its
/// hook is its mdev's.
pub fn control_domains(state: &Snapshot, found: &mut Vec<Broken>) {
    let host = state.mdevs.host();
    for mdev in state.mdevs.list.values().filter(|mdev| mdev.phase != MdevPhase::Unbound) {
        let wanted: DomainMask = mdev.matrix.control_domains & host.control_domains;
        if mdev.shadow.control_domains != wanted && mdev.adding.control_domains.is_empty() {
            found.push(broken(
                "I7",
                format!("the control domains of {} are not assigned ∩ host's", mdev.uuid),
            ));
        }
    }
    for guest in &state.guests {
        let name = &guest.guest.name;
        let mine =
            state.mdevs.list.iter().find(|(_, mdev)| {
                mdev.guest.as_ref().is_some_and(|holder| Arc::ptr_eq(holder, &guest.guest))
            });
        let (apcb, hook) = match mine {
            Some((id, mdev)) => (mdev.shadow, Some(*id)),
            None => (Matrix::default(), None),
        };
        if guest.kvm.apcb != apcb {
            found.push(broken("I7", format!("the APCB of guest {name} is not its mdev's shadow APCB")));
        }
        if guest.hook != hook {
            found.push(broken("I7", format!("the hook of guest {name} is not its mdev's")));
        }
    }
}

/// I11: pinned pages and interrupt registrations are exactly those that queue records hold; numbers are given back.
pub fn not_leaked(state: &Snapshot, found: &mut Vec<Broken>) {
    for guest in &state.guests {
        let name = &guest.guest.name;
        let mut pinned = std::collections::BTreeMap::new();
        let mut gisc = [0u32; 8];
        for irq in state.mdevs.queues.values().filter_map(|record| record.irq.as_ref()) {
            if irq.guest == *name {
                *pinned.entry(irq.address).or_insert(0u32) += 1;
                gisc[usize::from(irq.isc & 7)] += 1;
            }
        }
        if pinned != guest.memory.pinned {
            found.push(broken("I11", format!("pages of guest {name} are pinned for nothing")));
        }
        if gisc != guest.memory.gisc {
            found.push(broken("I11", format!("interrupt registrations of guest {name} are left over")));
        }
    }
    let mdevs = &state.mdevs;
    let grouped = mdevs.list.values().filter(|mdev| mdev.phase != MdevPhase::Unbound).count();
    if mdevs.iommu_groups.len() != grouped
        || mdevs.vfio_groups.len() != grouped
        || mdevs.vfio_devices.len() != grouped
    {
        found.push(broken("I11", "a group's number was not given back".into()));
    }
}
