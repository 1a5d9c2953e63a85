//! Whether the answer is the one that masks and matrices ask for: none else, and no spurious one. (I8, I9.)

use ap_host::driver::DriverId;
use ap_host::invariants::Broken;
use ap_host::vfio_ap::MdevPhase;
use ap_host::{Mdevs, Snapshot};
use ap_sysfs::Errno;
use ap_types::{AdapterId, Apqn, DomainId, Matrix, Uuid};

use super::super::operation::{GUESTS, Operation, UUIDS};

/// Judges an answer.
pub(super) fn judge(
    before: &Snapshot,
    operation: &Operation,
    result: Result<(), Errno>,
    found: &mut Vec<Broken>,
) {
    if matches!(operation, Operation::Reset { .. }) {
        if !matches!(result, Ok(()) | Err(Errno::EIO)) {
            found.push(wrong("ok or EIO".into(), result));
        }
        return;
    }
    let expected = expected(before, operation);
    if result != expected {
        let invariant = if result == Err(Errno::EBUSY) || result == Err(Errno::EAGAIN) { "I9" } else { "I8" };
        found.push(Broken { invariant, ..wrong(name(expected), result) });
    }
}

fn wrong(expected: String, result: Result<(), Errno>) -> Broken {
    Broken { invariant: "I8", what: format!("the answer is {} and should be {expected}", name(result)) }
}

fn name(result: Result<(), Errno>) -> String {
    result.map_or_else(|errno| errno.name().to_owned(), |()| "ok".to_owned())
}

/// The answer, by sets alone. (Specification, pages 2 and 3.)
fn expected(before: &Snapshot, operation: &Operation) -> Result<(), Errno> {
    let mdevs = &before.mdevs;
    match *operation {
        Operation::Apmask { on, id } => {
            let new = on && !before.perms.adapters.contains(AdapterId(id));
            let taken = mdevs.list.values().any(|mdev| {
                mdev.matrix.adapters.contains(AdapterId(id))
                    && mdev.matrix.domains.intersects(&before.perms.domains)
            });
            if new && taken { Err(Errno::EBUSY) } else { Ok(()) }
        }
        Operation::Aqmask { on, id } => {
            let new = on && !before.perms.domains.contains(DomainId(id));
            let taken = mdevs.list.values().any(|mdev| {
                mdev.matrix.domains.contains(DomainId(id))
                    && mdev.matrix.adapters.intersects(&before.perms.adapters)
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
        _ => Ok(()),
    }
}

/// Whether what is asked for is so already: then nothing may happen. (Pages 2 and 3.)
pub(super) fn nothing_to_do(before: &Snapshot, operation: &Operation) -> bool {
    let (perms, mdevs) = (&before.perms, &before.mdevs);
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
        _ => false,
    }
}

fn uuid(mdev: u8) -> Option<Uuid> {
    ap_types::grammar::uuid(UUIDS[usize::from(mdev)].as_bytes()).ok()
}

fn find(mdevs: &Mdevs, mdev: u8) -> Option<&ap_host::vfio_ap::Mdev> {
    let uuid = uuid(mdev)?;
    mdevs.list.values().find(|mdev| mdev.uuid == uuid)
}

fn matrix(mdevs: &Mdevs, mdev: u8) -> Option<Matrix> {
    find(mdevs, mdev).map(|mdev| mdev.matrix)
}

fn assigned(before: &Snapshot, mdev: u8, new: &Matrix) -> Result<(), Errno> {
    let own = uuid(mdev);
    if before.perms.adapters.intersects(&new.adapters) && before.perms.domains.intersects(&new.domains) {
        return Err(Errno::EADDRNOTAVAIL);
    }
    let others = before.mdevs.list.values().filter(|other| Some(other.uuid) != own);
    for other in others {
        if other.matrix.shares_queue(new) {
            return Err(Errno::EADDRINUSE);
        }
    }
    Ok(())
}

fn opened(before: &Snapshot, guest: u8, mdev: u8) -> Result<(), Errno> {
    let Some(mdev) = find(&before.mdevs, mdev).filter(|mdev| mdev.phase == MdevPhase::Live) else {
        return Err(Errno::ENOENT);
    };
    if mdev.opener.is_some() {
        return Err(Errno::EBUSY);
    }
    let name = GUESTS[usize::from(guest)];
    let has_one = before
        .mdevs
        .list
        .values()
        .any(|other| other.opener.as_ref().is_some_and(|opener| opener.name == name));
    if has_one { Err(Errno::EPERM) } else { Ok(()) }
}

fn bound(before: &Snapshot, driver: DriverId, on: bool, apqn: Apqn) -> Result<(), Errno> {
    let index = before.registry.queues.keys().position(|key| *key == apqn.to_u16());
    let Some(queue) = index.and_then(|at| before.queues.get(at)) else { return Err(Errno::ENODEV) };
    if !on {
        return if queue.driver == Some(driver) { Ok(()) } else { Err(Errno::ENODEV) };
    }
    if queue.driver.is_some() {
        return Err(Errno::EBUSY);
    }
    if before.perms.reserved(apqn) == driver.is_default() { Ok(()) } else { Err(Errno::ENODEV) }
}
