//! Whether the answer is the one that masks and matrices ask for: none else, and no spurious one. (I8, I9.)

use ap_host::Snapshot;
use ap_sysfs::Errno;
use ap_task::DriverName;
use ap_types::{AdapterId, Apqn, DomainId, Matrix};
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
            let new = on && !before.bus.ownership.adapters.contains(AdapterId(id));
            let taken = mdevs.list.values().any(|mdev| {
                mdev.matrix.adapters.contains(AdapterId(id))
                    && mdev.matrix.domains.intersects(&before.bus.ownership.domains)
            });
            if new && taken { Err(Errno::EBUSY) } else { Ok(()) }
        }
        Operation::Aqmask { on, id } => {
            let new = on && !before.bus.ownership.domains.contains(DomainId(id));
            let taken = mdevs.list.values().any(|mdev| {
                mdev.matrix.domains.contains(DomainId(id))
                    && mdev.matrix.adapters.intersects(&before.bus.ownership.adapters)
            });
            if new && taken { Err(Errno::EBUSY) } else { Ok(()) }
        }
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

fn assigned(before: &Snapshot, mdev: u8, new: &Matrix) -> Result<(), Errno> {
    let own = MDEVS[usize::from(mdev)];
    if before.bus.ownership.adapters.intersects(&new.adapters)
        && before.bus.ownership.domains.intersects(&new.domains)
    {
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
    if before.bus.ownership.reserved(apqn) == default { Ok(()) } else { Err(Errno::ENODEV) }
}
