//! Rules of pages 2 and 3 that an invariant over one state does not see, written down a second time.

use ap_bus::device::{DevState, QueueState, Sm};
use ap_host::Snapshot;
use ap_types::{Apqn, Matrix, ResponseCode};
use ap_vfio::{Mdev, QueueStatus, VFIO_AP};

use crate::oracle::{Broken, BusRule, VfioRule};
use crate::sequences::operation::{MDEVS, Operation};
use crate::sequences::recorder::Seen;
use crate::sequences::state::{Returned, State};

/// Judges one transition by the rules.
pub(super) fn judge(
    before: &State,
    operation: &Operation,
    returned: &Returned,
    statuses: &[(Apqn, Option<QueueStatus>)],
    found: &mut Vec<Broken>,
) {
    let Returned { answer, changed, seen, after } = returned;
    let (all_after, after) = (after, &after.host);
    devices(operation, after, found);
    announcements(&before.host, operation, after, seen, found);
    host_queues(after, found);
    bindings(operation, *changed, after, found);
    taken(&before.host, after, found);
    records(after, found);
    states(after, statuses, found);
    left_guests(before, all_after, found);
    left_machine(after, seen, found);
    requests(before, operation, seen, found);
    updates(&before.host, operation, after, found);
    if seen.one_by_one && matches!(operation, Operation::Reset { .. }) {
        found.push(VfioRule::OneByOne.into());
    }
    if answer.is_ok() {
        filtered(&before.host, operation, after, seen, found);
    }
}

fn queues(state: &Snapshot) -> impl Iterator<Item = (Apqn, &QueueState)> {
    state.bus.registry.queues.values().map(|queue| queue.apqn).zip(&state.bus.queues)
}

/// Whether the machine has a queue, and it is neither deconfigured nor checkstopped.
fn well(state: &Snapshot, apqn: Apqn) -> bool {
    let config = &state.machine.config;
    let adapter = config.adapters.get(&apqn.adapter);
    exists(state, apqn) && adapter.is_some_and(|adapter| !adapter.deconfigured && !adapter.checkstopped)
}

fn exists(state: &Snapshot, apqn: Apqn) -> bool {
    let qci = &state.machine.config.qci;
    qci.adapters.contains(apqn.adapter) && qci.domains.contains(apqn.domain)
}

fn scans(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Scan | Operation::Plug { .. } | Operation::Configure { .. } | Operation::Checkstop { .. }
    )
}

/// After a scan there is a device for every queue that the machine has, and no other.
fn devices(operation: &Operation, after: &Snapshot, found: &mut Vec<Broken>) {
    if !scans(operation) {
        return;
    }
    let qci = after.machine.config.qci.matrix();
    let there = after.bus.registry.queues.values().map(|queue| queue.apqn);
    if !there.eq(qci.queues()) {
        found.push(BusRule::Devices.into());
    }
}

/// "Bindings complete" is announced once when all queues are bound, and again only after a probe.
fn announcements(
    before: &Snapshot,
    operation: &Operation,
    after: &Snapshot,
    seen: &Seen,
    found: &mut Vec<Broken>,
) {
    if seen.bound && after.bus.ownership.announced {
        found.push(BusRule::StillAnnounced.into());
    }
    if *operation == Operation::Scan {
        let complete = after.bus.queues.iter().all(|queue| queue.binding.is_some());
        let due = complete && !before.bus.ownership.announced;
        if seen.announced != u32::from(due) {
            found.push(BusRule::Announced { times: seen.announced, due: u32::from(due) }.into());
        }
    }
}

/// A queue that the host's driver is ready to use has its interrupts on.
fn host_queues(after: &Snapshot, found: &mut Vec<Broken>) {
    for (apqn, queue) in queues(after) {
        let ready = queue.is_hosts()
            && queue.state == DevState::Operating
            && queue.sm == Sm::Idle
            && well(after, apqn);
        let on = after.machine.queues.iter().any(|(known, queue)| *known == apqn && queue.irq);
        if ready && after.bus.registry.interrupts && !on {
            found.push(BusRule::InterruptsOff(apqn).into());
        }
    }
}

/// When a mask write returns, bindings agree with the masks; a queue without driver need not have one unless it is
/// the host's now.
fn bindings(operation: &Operation, changed: bool, after: &Snapshot, found: &mut Vec<Broken>) {
    if !changed || !matches!(operation, Operation::Apmask { .. } | Operation::Aqmask { .. }) {
        return;
    }
    for (apqn, queue) in queues(after) {
        if queue.is_hosts() != after.bus.ownership.reserved(apqn) {
            found.push(Broken::BoundAgainstMasks { queue: apqn, driver: queue.driver() });
        }
    }
}

/// No queue of an mdev's matrix goes from vfio_ap to the host's driver by one operation.
fn taken(before: &Snapshot, after: &Snapshot, found: &mut Vec<Broken>) {
    let assigned = |apqn| before.vfio.mdevs.list.values().any(|mdev| mdev.matrix.contains(apqn));
    for (device, state) in before.bus.registry.queues.values().zip(&before.bus.queues) {
        let apqn = device.apqn;
        if state.driver() != Some(VFIO_AP) || after.bus.registry.queues.get(&apqn) != Some(device) {
            continue;
        }
        let hosts = queues(after).any(|(known, queue)| known == apqn && queue.is_hosts());
        if hosts && assigned(apqn) {
            found.push(Broken::TakenFromMdev(apqn));
        }
    }
}

fn passable(code: ResponseCode) -> bool {
    [ResponseCode::NORMAL, ResponseCode::DECONFIGURED, ResponseCode::CHECKSTOPPED].contains(&code)
}

/// Which queues a filter lets pass; and that interrupts are held only by the guest that has the mdev, or after a
/// reset that did not end well.
fn records(after: &Snapshot, found: &mut Vec<Broken>) {
    for (&apqn, record) in &after.vfio.mdevs.queues {
        if passable(record.last_reset) == after.vfio.mdevs.failed.contains(apqn) {
            found.push(VfioRule::Passes { queue: apqn, last_reset: record.last_reset }.into());
        }
        let Some(irq) = &record.irq else { continue };
        let mdev = after.vfio.mdevs.linked_mdev(apqn).and_then(|id| after.vfio.mdevs.list.get(&id));
        let holds = mdev.and_then(|mdev| mdev.guest()).is_some_and(|guest| guest.name == irq.guest);
        if !holds && passable(record.last_reset) {
            found.push(Broken::InterruptsKept { queue: apqn, guest: irq.guest.clone() });
        }
    }
}

/// What `status` says.
fn states(after: &Snapshot, statuses: &[(Apqn, Option<QueueStatus>)], found: &mut Vec<Broken>) {
    for (apqn, status) in statuses {
        let bound = queues(after).any(|(known, q)| known == *apqn && q.driver() == Some(VFIO_AP));
        let in_use = after.vfio.mdevs.list.values().any(|mdev| mdev.running() && mdev.shadow.contains(*apqn));
        let assigned = after.vfio.mdevs.list.values().any(|mdev| mdev.matrix.contains(*apqn));
        let should = match (bound, in_use, assigned) {
            (false, ..) => None,
            (true, true, _) => Some(QueueStatus::InUse),
            (true, false, true) => Some(QueueStatus::Assigned),
            (true, false, false) => Some(QueueStatus::Unassigned),
        };
        if *status != should {
            found.push(VfioRule::Status { queue: *apqn, is: *status, should }.into());
        }
    }
}

/// A removal asks the guest that has the mdev open, through the request interrupt if that guest has registered it.
fn requests(before: &State, operation: &Operation, seen: &Seen, found: &mut Vec<Broken>) {
    let (Operation::Remove { mdev }, Some(signalled)) = (operation, seen.asked) else { return };
    let uuid = MDEVS[usize::from(*mdev)];
    let opening = before.host.vfio.mdevs.find(&uuid).and_then(|(_, mdev)| mdev.opening());
    let registered = opening.is_some_and(|opening| before.has_request(&opening.by.name));
    match (signalled, registered) {
        (true, false) => found.push(Broken::RequestOfNobody(uuid)),
        (false, true) => found.push(VfioRule::NotRelayed(uuid).into()),
        (true, true) | (false, false) => {}
    }
}

/// A queue that left a running guest was reset, if it is still there to be reset.
fn left_guests(before: &State, after: &State, found: &mut Vec<Broken>) {
    for (old, new) in before.host.vfio.guests.iter().zip(&after.host.vfio.guests) {
        // Its queues were taken because its mdev is to be removed: they are reset when it lets go (page 7).
        let cleared =
            after.host.vfio.mdevs.list.values().any(|mdev| {
                mdev.is_cleared() && mdev.guest().is_some_and(|guest| guest.name == new.guest.name)
            });
        if cleared {
            continue;
        }
        for apqn in old.kvm.apcb.queues().filter(|apqn| !new.kvm.apcb.contains(*apqn)) {
            if after.unreset(apqn) && exists(&after.host, apqn) && exists(&before.host, apqn) {
                found.push(Broken::LeftUnreset { queue: apqn, guest: old.guest.name.clone() });
            }
        }
    }
}

/// A queue that is out of the configuration gets the bus's ZAPQ and no other.
fn left_machine(after: &Snapshot, seen: &Seen, found: &mut Vec<Broken>) {
    for (index, (apqn, code)) in seen.zapqs.iter().enumerate() {
        let again = seen.zapqs[..index].iter().any(|(other, _)| other == apqn);
        if again && *code == ResponseCode::Q_NOT_AVAIL && !exists(after, *apqn) {
            found.push(VfioRule::ResetTwice(*apqn).into());
        }
    }
}

/// A guest is given masks only if they differ from what it has.
fn updates(before: &Snapshot, operation: &Operation, after: &Snapshot, found: &mut Vec<Broken>) {
    if matches!(operation, Operation::Start { .. }) {
        return;
    }
    for (old, new) in before.vfio.guests.iter().zip(&after.vfio.guests) {
        if old.kvm.apcb == new.kvm.apcb && old.kvm.set_count != new.kvm.set_count {
            found.push(VfioRule::SameMasks(old.guest.name.clone()).into());
        }
    }
}

/// What a filtering makes of a matrix. (Page 3, "Filtering".)
fn filter(state: &Snapshot, mdev: &Mdev) -> Matrix {
    let host = state.machine.config.qci.matrix();
    let (wanted, domains) = (mdev.matrix.adapters & host.adapters, mdev.matrix.domains & host.domains);
    let passes = |apqn: Apqn| {
        let record = state.vfio.mdevs.queues.get(&apqn);
        record.is_some_and(|record| passable(record.last_reset))
    };
    let adapters = wanted
        .iter()
        .filter(|adapter| domains.iter().all(|domain| passes(Apqn::new(*adapter, domain))))
        .collect();
    Matrix { adapters, domains, control_domains: mdev.matrix.control_domains & host.control_domains }
}

/// Right after an operation that filters, and that reset none of an mdev's queues, its shadow APCB is what the
/// filter makes of its matrix.
fn filtered(
    before: &Snapshot,
    operation: &Operation,
    after: &Snapshot,
    seen: &Seen,
    found: &mut Vec<Broken>,
) {
    let (old, new) = (before.machine.config.qci.matrix(), after.machine.config.qci.matrix());
    let came = Matrix {
        adapters: new.adapters - old.adapters,
        domains: new.domains - old.domains,
        control_domains: new.control_domains - old.control_domains,
    };
    for (id, mdev) in after.vfio.mdevs.list.iter() {
        let was = before.vfio.mdevs.list.get(id).map(|mdev| mdev.matrix);
        let filters = match *operation {
            Operation::Adapter { on: true, .. }
            | Operation::Domain { on: true, .. }
            | Operation::Config { .. } => was.is_some_and(|was| {
                (was.adapters, was.domains) != (mdev.matrix.adapters, mdev.matrix.domains)
            }),
            Operation::Plug { on: true, .. } => {
                mdev.matrix.adapters.intersects(&came.adapters)
                    || mdev.matrix.domains.intersects(&came.domains)
            }
            Operation::Bind { driver, on: true, apqn } => driver == VFIO_AP && mdev.matrix.contains(apqn),
            Operation::Apmask { .. }
            | Operation::Aqmask { .. }
            | Operation::Adapter { on: false, .. }
            | Operation::Domain { on: false, .. }
            | Operation::Control { .. }
            | Operation::Create { .. }
            | Operation::Remove { .. }
            | Operation::Start { .. }
            | Operation::Stop { .. }
            | Operation::Reset { .. }
            | Operation::Request { .. }
            | Operation::Interrupts { .. }
            | Operation::Plug { on: false, .. }
            | Operation::Configure { .. }
            | Operation::Checkstop { .. }
            | Operation::Fault { .. }
            | Operation::Override { .. }
            | Operation::Bind { on: false, .. }
            | Operation::Scan => false,
        };
        let reset = seen.zapqs.iter().any(|(apqn, _)| mdev.matrix.contains(*apqn));
        let should = filter(after, mdev);
        let is = mdev.shadow;
        if filters && !reset && (is.adapters, is.domains) != (should.adapters, should.domains) {
            found.push(Broken::NotFiltered(mdev.uuid));
        }
    }
}
