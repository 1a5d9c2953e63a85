//! How each operation is carried out.

use std::sync::Arc;

use ap_bus::device::DeviceName;
use ap_machine::{AdapterChange, Answers, Change, Fault, Ids};
use ap_sysfs::Errno;
use ap_task::{DriverName, MdevId, Task};
use ap_types::{AdapterId, AdapterMask, Apqn, DomainId, DomainMask, ResponseCode, Uuid};
use ap_vfio::{Mdev, Part};
use locks::{Held, Nothing};

use crate::sequences::operation::{GuestNumber, MDEVS, Operation, Plugged, ResetFault};
use crate::sequences::tiny::Tiny;

type Doing<'a, 't> = &'a mut Task<'t, Nothing>;
type Answer = Result<(), Errno>;

/// Carries out an operation; `None` if it makes no sense here: there is nothing to do it to.
pub(super) fn perform(on: &Tiny, operation: &Operation, task: Doing<'_, '_>) -> Option<Answer> {
    let (bus, vfio) = (&on.host.bus, &on.host.vfio);
    Some(match *operation {
        Operation::Apmask { on, id } => bus.write_apmask(&bit(on, id), task).map_err(Errno::from),
        Operation::Aqmask { on, id } => bus.write_aqmask(&bit(on, id), task).map_err(Errno::from),
        Operation::Adapter { mdev, on: add, id } => assign(on, mdev, add, adapter, id, task)?,
        Operation::Domain { mdev, on: add, id } => assign(on, mdev, add, domain, id, task)?,
        Operation::Control { mdev, on: add, id } => {
            let mdev = live(on, mdev, task)?;
            vfio.assign_control_domain(mdev, add, id.into(), task).map_err(Errno::from)
        }
        Operation::Config { mdev, adapters, domains, control } => {
            let mdev = live(on, mdev, task)?;
            let new = Operation::matrix(adapters, domains, control);
            vfio.write_ap_config(bus, mdev, new, task).map_err(Errno::from)
        }
        Operation::Create { mdev } => {
            vfio.create_mdev(MDEVS[usize::from(mdev)], task).map(drop).map_err(Errno::from)
        }
        Operation::Remove { mdev } => remove(on, mdev, task)?,
        Operation::Start { guest, mdev } => {
            let uuid = &MDEVS[usize::from(mdev)];
            vfio.guest_open(uuid, GuestNumber(guest).name(), task).map_err(Errno::from)
        }
        Operation::Stop { guest } => stop(on, guest, task)?,
        Operation::Reset { guest } => {
            let uuid = *open(on, guest, task).first()?;
            vfio.guest_reset(&uuid, None, task).map_err(Errno::from)
        }
        Operation::Request { guest } => {
            let uuid = *open(on, guest, task).first()?;
            vfio.guest_request_irq(&uuid, None, true, task).map_err(Errno::from)
        }
        Operation::Interrupts { guest, on: enable, apqn } => {
            open(on, guest, task).first()?;
            let gr1 = if enable { 1 << 47 | 3 } else { 0 };
            let gr0 = 0x0300_0000 | u64::from(apqn.to_u16());
            vfio.guest_pqap(&on.guests[usize::from(guest)], gr0, gr1, 0x1000, task);
            Ok(())
        }
        Operation::Plug { on: add, what } => operate(on, &plugged(add, what), task),
        Operation::Configure { on: configure, adapter } => {
            let change = AdapterChange { deconfigured: Some(!configure), ..AdapterChange::default() };
            operate(on, &Change::Adapter(AdapterMask::single(AdapterId(adapter)), change), task)
        }
        Operation::Checkstop { on: stop, adapter } => {
            let change = AdapterChange { checkstopped: Some(stop), ..AdapterChange::default() };
            operate(on, &Change::Adapter(AdapterMask::single(AdapterId(adapter)), change), task)
        }
        Operation::Fault { apqn, fault } => {
            let fault = match fault {
                ResetFault::Fails => {
                    Fault::Resets(Answers { code: ResponseCode::OTHERWISE_CHANGED, times: 1 })
                }
                ResetFault::Lasts(looks) => Fault::ResetLatency(looks.into()),
            };
            on.machine.change(&Change::fault(apqn, fault), &mut task.at());
            Ok(())
        }
        Operation::Override { apqn, to } => {
            let queue = bus.queue(apqn, task)?;
            let text = format!("{}\n", to.map_or("", |driver| driver.0));
            bus.write_driver_override(&queue, text.as_bytes(), task).map_err(Errno::from)
        }
        Operation::Bind { driver, on: bind, apqn } => rebind(on, driver, bind, apqn, task),
        Operation::Scan => {
            bus.force_scan(task);
            Ok(())
        }
    })
}

/// The mdev of that number, if it is usable.
fn live(on: &Tiny, number: u8, held: &mut Held<'_, Nothing>) -> Option<MdevId> {
    let uuid = &MDEVS[usize::from(number)];
    on.host
        .vfio
        .look(held, |mdevs| mdevs.find(uuid).filter(|(_, mdev)| mdev.life.is_live()).map(|(id, _)| id))
}

/// The mdevs that a guest has open.
fn open(on: &Tiny, guest: u8, held: &mut Held<'_, Nothing>) -> Vec<Uuid> {
    let guest = &on.guests[usize::from(guest)];
    let holds = |mdev: &&Mdev| mdev.opening().is_some_and(|opening| Arc::ptr_eq(&opening.by, guest));
    on.host.vfio.look(held, |mdevs| mdevs.list.values().filter(holds).map(|mdev| mdev.uuid).collect())
}

fn assign(
    on: &Tiny,
    mdev: u8,
    add: bool,
    kind: fn(u8) -> Part,
    id: u8,
    task: Doing<'_, '_>,
) -> Option<Answer> {
    let mdev = live(on, mdev, task)?;
    let vfio = &on.host.vfio;
    let result = if add {
        vfio.assign(&on.host.bus, mdev, kind, id.into(), task)
    } else {
        vfio.unassign(mdev, kind, id.into(), task)
    };
    Some(result.map_err(Errno::from))
}

/// Removes an mdev; of one that a guest holds, the first half.
fn remove(on: &Tiny, mdev: u8, task: Doing<'_, '_>) -> Option<Answer> {
    let id = live(on, mdev, task)?;
    let vfio = &on.host.vfio;
    let open = vfio.look(task, |mdevs| mdevs.list.get(&id).is_some_and(|mdev| mdev.opening().is_some()));
    let result = if open { vfio.begin_removal(id, task) } else { vfio.remove_mdev(id, task) };
    Some(result.map_err(Errno::from))
}

/// A guest closes what it has open; removals that waited for that go on.
fn stop(on: &Tiny, guest: u8, task: Doing<'_, '_>) -> Option<Answer> {
    let open = open(on, guest, task);
    if open.is_empty() {
        return None;
    }
    let vfio = &on.host.vfio;
    for uuid in open {
        if let Err(error) = vfio.guest_close(&uuid, None, task) {
            return Some(Err(error.into()));
        }
        let waiting = vfio
            .look(task, |mdevs| mdevs.find(&uuid).filter(|(_, mdev)| !mdev.life.is_live()).map(|(id, _)| id));
        if let Some(id) = waiting
            && let Err(error) = vfio.finish_removal(id, task)
        {
            return Some(Err(error.into()));
        }
    }
    Some(Ok(()))
}

fn rebind(on: &Tiny, driver: DriverName, bind: bool, apqn: Apqn, task: Doing<'_, '_>) -> Answer {
    let (bus, name) = (&on.host.bus, DeviceName::Queue(apqn));
    let result = if bind { bus.bind(driver, name, task) } else { bus.unbind(driver, name, task) };
    result.map_err(Errno::from)
}

/// What the machine's operator does, and the machine's notice of it.
fn operate(on: &Tiny, change: &Change, task: Doing<'_, '_>) -> Answer {
    on.machine.change(change, &mut task.at());
    on.host.bus.force_scan(task);
    Ok(())
}

fn plugged(add: bool, what: Plugged) -> Change {
    fn ids<M>(add: bool, ids: M) -> Ids<M> {
        if add { Ids::Add(ids) } else { Ids::Remove(ids) }
    }
    match what {
        Plugged::Adapter(id) => Change::Adapters(ids(add, AdapterMask::single(AdapterId(id)))),
        Plugged::Domain(id) => Change::Domains(ids(add, DomainMask::single(DomainId(id)))),
        Plugged::Control(id) => Change::ControlDomains(ids(add, DomainMask::single(DomainId(id)))),
    }
}

fn bit(on: bool, id: u8) -> Vec<u8> {
    format!("{}{id}", if on { '+' } else { '-' }).into_bytes()
}

fn adapter(id: u8) -> Part {
    Part::Adapter(AdapterId(id))
}

fn domain(id: u8) -> Part {
    Part::Domain(DomainId(id))
}
