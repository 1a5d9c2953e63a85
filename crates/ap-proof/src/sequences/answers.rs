//! Whether the answer is the one that masks and matrices ask for: none else, and no spurious one. (I8, I9.)

use ap_host::Snapshot;
use ap_sysfs::Errno;
use ap_task::{DriverName, Flag};
use ap_types::{AdapterId, AdapterMask, Apqn, DomainId, DomainMask, Matrix};
use ap_vfio::Mdevs;

use crate::oracle::{Broken, Expected};
use crate::sequences::operation::{GuestNumber, MDEVS, Operation};

/// Judges an answer.
pub(super) fn judge(
    before: &Snapshot,
    operation: &Operation,
    result: Result<(), Errno>,
    found: &mut Vec<Broken>,
) {
    let should = if matches!(operation, Operation::Reset { .. }) {
        Expected::OkOrEio
    } else {
        Expected::Exactly(expected(before, operation))
    };
    if !should.allows(result) {
        found.push(Broken::Answer { is: result, should });
    }
}

/// The answer, by sets alone. (Specification, pages 2 and 3.)
fn expected(before: &Snapshot, operation: &Operation) -> Result<(), Errno> {
    let mdevs = &before.vfio.mdevs;
    match *operation {
        Operation::Apmask { on, id } => {
            let (id, ownership) = (AdapterId(id), &before.bus.ownership);
            let mut masks = (ownership.adapters, ownership.domains);
            let changes = if on { masks.0.insert(id) } else { masks.0.remove(id) };
            let whole = before.kernel.has(Flag::InUseWhole);
            let added = |matrix: &Matrix| {
                on && matrix.adapters.contains(id)
                    && (matrix.domains.intersects(&ownership.domains) || whole && matrix.has_queues())
            };
            mask_write(before, changes, masks, added)
        }
        Operation::Aqmask { on, id } => {
            let (id, ownership) = (DomainId(id), &before.bus.ownership);
            let mut masks = (ownership.adapters, ownership.domains);
            let changes = if on { masks.1.insert(id) } else { masks.1.remove(id) };
            let whole = before.kernel.has(Flag::InUseWhole);
            let added = |matrix: &Matrix| {
                on && matrix.domains.contains(id)
                    && (matrix.adapters.intersects(&ownership.adapters) || whole && matrix.has_queues())
            };
            mask_write(before, changes, masks, added)
        }
        Operation::Override { .. } if before.bus.ownership.overrides.masks_in_use => Err(Errno::EINVAL),
        Operation::Adapter { mdev, on: true, id } => {
            let Some(old) = matrix(mdevs, mdev) else { return Ok(()) };
            let mut new = old;
            if new.adapters.insert(AdapterId(id)) { assigned(before, mdev, &new) } else { Ok(()) }
        }
        Operation::Domain { mdev, on: true, id } => {
            let Some(old) = matrix(mdevs, mdev) else { return Ok(()) };
            let mut new = old;
            if new.domains.insert(DomainId(id)) { assigned(before, mdev, &new) } else { Ok(()) }
        }
        Operation::Config { mdev, adapters, domains, control } => {
            assigned(before, mdev, &Operation::matrix(adapters, domains, control))
        }
        Operation::Create { mdev } => {
            if find(mdevs, mdev).is_some() {
                Err(Errno::EEXIST)
            } else {
                Ok(())
            }
        }
        Operation::Start { guest, mdev } => opened(before, guest, mdev),
        Operation::Bind { driver, on, apqn } => bound(before, driver, on, apqn),
        // What the alphabets do with these is never refused: ids are small enough, and whoever is not there is not asked.
        Operation::Adapter { on: false, .. }
        | Operation::Domain { on: false, .. }
        | Operation::Control { .. }
        | Operation::Remove { .. }
        | Operation::Stop { .. }
        | Operation::Reset { .. }
        | Operation::Request { .. }
        | Operation::Interrupts { .. }
        | Operation::Plug { .. }
        | Operation::Configure { .. }
        | Operation::Checkstop { .. }
        | Operation::Fault { .. }
        | Operation::Override { .. }
        | Operation::Scan => Ok(()),
    }
}

/// Whether what is asked for is so already: then nothing may happen. (Pages 2 and 3.)
pub(super) fn nothing_to_do(before: &Snapshot, operation: &Operation) -> bool {
    let (perms, mdevs) = (&before.bus.ownership, &before.vfio.mdevs);
    match *operation {
        Operation::Apmask { on, id } => perms.adapters.contains(AdapterId(id)) == on,
        Operation::Aqmask { on, id } => perms.domains.contains(DomainId(id)) == on,
        Operation::Adapter { mdev, on, id } => {
            matrix(mdevs, mdev).is_some_and(|m| m.adapters.contains(AdapterId(id)) == on)
        }
        Operation::Domain { mdev, on, id } => {
            matrix(mdevs, mdev).is_some_and(|m| m.domains.contains(DomainId(id)) == on)
        }
        Operation::Control { mdev, on, id } => {
            matrix(mdevs, mdev).is_some_and(|m| m.control_domains.contains(DomainId(id)) == on)
        }
        Operation::Override { apqn, to } => match (perms.overrides.of(apqn), to) {
            (Some(name), Some(driver)) => name.names(driver),
            (name, driver) => name.is_none() && driver.is_none(),
        },
        Operation::Config { .. }
        | Operation::Create { .. }
        | Operation::Remove { .. }
        | Operation::Start { .. }
        | Operation::Stop { .. }
        | Operation::Reset { .. }
        | Operation::Request { .. }
        | Operation::Interrupts { .. }
        | Operation::Plug { .. }
        | Operation::Configure { .. }
        | Operation::Checkstop { .. }
        | Operation::Fault { .. }
        | Operation::Bind { .. }
        | Operation::Scan => false,
    }
}

fn find(mdevs: &Mdevs, mdev: u8) -> Option<&ap_vfio::Mdev> {
    let uuid = MDEVS[usize::from(mdev)];
    mdevs.list.values().find(|mdev| mdev.uuid == uuid)
}

fn matrix(mdevs: &Mdevs, mdev: u8) -> Option<Matrix> {
    find(mdevs, mdev).map(|mdev| mdev.matrix)
}

/// The answer to a mask write that makes the masks so; `added`: whether it gives the host a queue of a matrix by a bit
/// that it adds. (Pages 2 and 7.)
fn mask_write(
    before: &Snapshot,
    changes: bool,
    (adapters, domains): (AdapterMask, DomainMask),
    added: impl Fn(&Matrix) -> bool,
) -> Result<(), Errno> {
    if !before.bus.ownership.overrides.is_empty() {
        return Err(Errno::EINVAL);
    }
    let mdevs = &before.vfio.mdevs;
    // An override was cleared while its queue was in use: the masks would give it to the host (DEV-018).
    let taken = |matrix: &Matrix| {
        before.kernel.has(Flag::DriverOverride)
            && matrix.queues().any(|apqn| {
                mdevs.queues.contains_key(&apqn)
                    && adapters.contains(apqn.adapter)
                    && domains.contains(apqn.domain)
            })
    };
    let in_use = mdevs.list.values().any(|mdev| added(&mdev.matrix) || taken(&mdev.matrix));
    if changes && in_use { Err(Errno::EBUSY) } else { Ok(()) }
}

/// Whether a queue is the host's, so that it can't be assigned. (Pages 2 and 7.)
fn is_hosts(before: &Snapshot, apqn: Apqn) -> bool {
    let ownership = &before.bus.ownership;
    let at = before.bus.registry.queues.keys().position(|key| *key == apqn);
    let bound = at.and_then(|at| before.bus.queues.get(at)).filter(|queue| queue.binding.is_some());
    match bound {
        Some(queue) if ownership.overrides.of(apqn).is_some() => queue.is_hosts(),
        _ => ownership.reserved(apqn),
    }
}

fn assigned(before: &Snapshot, mdev: u8, new: &Matrix) -> Result<(), Errno> {
    let own = MDEVS[usize::from(mdev)];
    if new.queues().any(|apqn| is_hosts(before, apqn)) {
        return Err(Errno::EADDRNOTAVAIL);
    }
    let others = before.vfio.mdevs.list.values().filter(|other| other.uuid != own);
    for other in others {
        if other.matrix.shares_queue(new) {
            return Err(Errno::EADDRINUSE);
        }
    }
    Ok(())
}

fn opened(before: &Snapshot, guest: u8, mdev: u8) -> Result<(), Errno> {
    let Some(mdev) = find(&before.vfio.mdevs, mdev).filter(|mdev| mdev.life.is_live()) else {
        return Err(Errno::ENOENT);
    };
    if mdev.opening().is_some() {
        return Err(Errno::EBUSY);
    }
    let name = GuestNumber(guest).name();
    let has_one = before
        .vfio
        .mdevs
        .list
        .values()
        .any(|other| other.opening().is_some_and(|opening| opening.by.name == name));
    if has_one { Err(Errno::EPERM) } else { Ok(()) }
}

fn bound(before: &Snapshot, driver: DriverName, on: bool, apqn: Apqn) -> Result<(), Errno> {
    let index = before.bus.registry.queues.keys().position(|key| *key == apqn);
    let Some(queue) = index.and_then(|at| before.bus.queues.get(at)) else { return Err(Errno::ENODEV) };
    if !on {
        return if queue.driver() == Some(driver) { Ok(()) } else { Err(Errno::ENODEV) };
    }
    if queue.binding.is_some() {
        return Err(Errno::EBUSY);
    }
    let default = before.bus.ownership.driver(driver).is_some_and(|driver| driver.is_default());
    let may = match before.bus.ownership.overrides.of(apqn) {
        Some(name) => name.names(driver),
        None => before.bus.ownership.reserved(apqn) == default,
    };
    if may { Ok(()) } else { Err(Errno::ENODEV) }
}
