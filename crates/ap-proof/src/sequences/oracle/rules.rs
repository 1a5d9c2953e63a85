//! Rules of pages 2 and 3 that an invariant over one state does not see, written down a second time.

use ap_host::Snapshot;
use ap_host::device::{DevState, QueueState, Sm};
use ap_host::driver::DriverId;
use ap_host::invariants::Broken;
use ap_host::vfio_ap::{Mdev, QueueStatus};
use ap_types::{Apqn, Matrix, ResponseCode};

use super::super::operation::Operation;
use super::super::world::{Ran, Seen, State};

/// Judges one transition by the rules.
pub(super) fn judge(
    before: &State,
    operation: &Operation,
    ok: bool,
    ran: &Ran,
    statuses: &[(Apqn, Option<QueueStatus>)],
    found: &mut Vec<Broken>,
) {
    let after = &ran.after.host;
    devices(operation, after, found);
    announcements(&before.host, operation, after, &ran.seen, found);
    host_queues(after, found);
    bindings(operation, ran.changed, after, found);
    records(after, found);
    states(after, statuses, found);
    left_guests(before, &ran.after, found);
    left_machine(after, &ran.seen, found);
    updates(&before.host, operation, after, found);
    if ran.seen.one_by_one && matches!(operation, Operation::Reset { .. }) {
        found.push(rule("page 3", "resets were waited for one by one".into()));
    }
    if ok {
        filtered(&before.host, operation, after, &ran.seen, found);
    }
}

fn rule(invariant: &'static str, what: String) -> Broken {
    Broken { invariant, what }
}

fn queues(state: &Snapshot) -> impl Iterator<Item = (Apqn, &QueueState)> {
    state.registry.queues.values().map(|queue| queue.apqn).zip(&state.queues)
}

/// Whether the machine has a queue, and it is neither deconfigured nor checkstopped.
fn well(state: &Snapshot, apqn: Apqn) -> bool {
    let config = &state.machine.config;
    let adapter = config.adapters.get(&apqn.adapter.0);
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
    let there = after.registry.queues.values().map(|queue| queue.apqn);
    if !there.eq(qci.queues()) {
        found.push(rule("page 2", "after a scan the devices are not the machine's queues".into()));
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
    if seen.bound && after.perms.announced {
        found.push(rule("page 2", "a device was bound, and bindings count as announced".into()));
    }
    if *operation == Operation::Scan {
        let complete = after.queues.iter().all(|queue| queue.driver.is_some());
        let due = complete && !before.perms.announced;
        if seen.announced != u32::from(due) {
            let text =
                format!("bindings complete: announced {} times, due {}", seen.announced, u32::from(due));
            found.push(rule("page 2", text));
        }
    }
}

/// A queue that the host's driver is ready to use has its interrupts on.
fn host_queues(after: &Snapshot, found: &mut Vec<Broken>) {
    for (apqn, queue) in queues(after) {
        let ready = queue.driver == Some(DriverId::Cex4Queue)
            && queue.state == DevState::Operating
            && queue.sm == Sm::Idle
            && well(after, apqn);
        let on = after.machine.queues.iter().any(|(known, queue)| *known == apqn && queue.irq);
        if ready && after.registry.interrupts && !on {
            found.push(rule("page 2", format!("the host waits for interrupts of {apqn}, which are off")));
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
        let right = match queue.driver {
            Some(driver) => driver.is_default() == after.perms.reserved(apqn),
            None => !after.perms.reserved(apqn),
        };
        if !right {
            let driver = queue.driver.map_or("no driver", DriverId::name);
            found.push(rule("I8", format!("after a mask write queue {apqn} has {driver}")));
        }
    }
}

fn passable(code: ResponseCode) -> bool {
    [ResponseCode::NORMAL, ResponseCode::DECONFIGURED, ResponseCode::CHECKSTOPPED].contains(&code)
}

/// Which queues a filter lets pass; and that interrupts are held only by the guest that has the mdev, or after a
/// reset that did not end well.
fn records(after: &Snapshot, found: &mut Vec<Broken>) {
    for mdev in after.mdevs.list.values() {
        if mdev.request.is_some() && mdev.opener.is_none() {
            found.push(rule("I11", format!("mdev {} keeps the request interrupt of nobody", mdev.uuid)));
        }
    }
    for (key, record) in after.mdevs.queues.iter() {
        let apqn = Apqn::from_u16(*key);
        if passable(record.last_reset) == after.mdevs.failed.contains(apqn) {
            let text =
                format!("queue {apqn}: its last reset answered {}, and it passes wrongly", record.last_reset);
            found.push(rule("page 3", text));
        }
        let Some(irq) = &record.irq else { continue };
        let mdev = after.mdevs.linked_mdev(apqn).and_then(|id| after.mdevs.list.get(&id));
        let holds = mdev.and_then(|mdev| mdev.guest.as_ref()).is_some_and(|guest| guest.name == irq.guest);
        if !holds && passable(record.last_reset) {
            found.push(rule("I11", format!("queue {apqn} still holds interrupts of guest {}", irq.guest)));
        }
    }
}

/// What `status` says.
fn states(after: &Snapshot, statuses: &[(Apqn, Option<QueueStatus>)], found: &mut Vec<Broken>) {
    for (apqn, status) in statuses {
        let bound = queues(after).any(|(known, q)| known == *apqn && q.driver == Some(DriverId::VfioAp));
        let in_use = after.guests.iter().any(|guest| guest.kvm.apcb.contains(*apqn));
        let assigned = after.mdevs.list.values().any(|mdev| mdev.matrix.contains(*apqn));
        let expected = match (in_use, assigned) {
            _ if !bound => None,
            (true, _) => Some(QueueStatus::InUse),
            (_, true) => Some(QueueStatus::Assigned),
            _ => Some(QueueStatus::Unassigned),
        };
        if *status != expected {
            found.push(rule(
                "page 3",
                format!("the status of {apqn} is {status:?} and should be {expected:?}"),
            ));
        }
    }
}

/// A queue that left a running guest was reset, if it is still there to be reset.
fn left_guests(before: &State, after: &State, found: &mut Vec<Broken>) {
    for (old, new) in before.host.guests.iter().zip(&after.host.guests) {
        for apqn in old.kvm.apcb.queues().filter(|apqn| !new.kvm.apcb.contains(*apqn)) {
            if after.unreset(apqn) && exists(&after.host, apqn) && exists(&before.host, apqn) {
                let name = &old.guest.name;
                found.push(rule("I5", format!("queue {apqn} left guest {name} and was not reset")));
            }
        }
    }
}

/// A queue that is out of the configuration gets the bus's ZAPQ and no other.
fn left_machine(after: &Snapshot, seen: &Seen, found: &mut Vec<Broken>) {
    for (index, (apqn, code)) in seen.zapqs.iter().enumerate() {
        let again = seen.zapqs[..index].iter().any(|(other, _)| other == apqn);
        if again && *code == ResponseCode::Q_NOT_AVAIL && !exists(after, *apqn) {
            found.push(rule("page 3", format!("queue {apqn} left the configuration and was reset twice")));
        }
    }
}

/// A guest is given masks only if they differ from what it has.
fn updates(before: &Snapshot, operation: &Operation, after: &Snapshot, found: &mut Vec<Broken>) {
    if matches!(operation, Operation::Start { .. }) {
        return;
    }
    for (old, new) in before.guests.iter().zip(&after.guests) {
        if old.kvm.apcb == new.kvm.apcb && old.kvm.set_count != new.kvm.set_count {
            let name = &old.guest.name;
            found.push(rule("page 3", format!("guest {name} was given the masks that it had")));
        }
    }
}

/// What a filtering makes of a matrix. (Page 3, "Filtering".)
fn filter(state: &Snapshot, mdev: &Mdev) -> Matrix {
    let host = state.machine.config.qci.matrix();
    let (wanted, domains) = (mdev.matrix.adapters & host.adapters, mdev.matrix.domains & host.domains);
    let passes = |apqn: Apqn| {
        let record = state.mdevs.queues.get(&apqn.to_u16());
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
    for (id, mdev) in &after.mdevs.list {
        let was = before.mdevs.list.get(id).map(|mdev| mdev.matrix);
        let filters = match operation {
            Operation::Adapter { on: true, .. }
            | Operation::Domain { on: true, .. }
            | Operation::Config { .. } => was.is_some_and(|was| {
                (was.adapters, was.domains) != (mdev.matrix.adapters, mdev.matrix.domains)
            }),
            Operation::Plug { on: true, .. } => {
                mdev.matrix.adapters.intersects(&came.adapters)
                    || mdev.matrix.domains.intersects(&came.domains)
            }
            Operation::Bind { driver: DriverId::VfioAp, on: true, apqn } => mdev.matrix.contains(*apqn),
            _ => false,
        };
        let reset = seen.zapqs.iter().any(|(apqn, _)| mdev.matrix.contains(*apqn));
        let should = filter(after, mdev);
        let is = mdev.shadow;
        if filters && !reset && (is.adapters, is.domains) != (should.adapters, should.domains) {
            let text = format!("the shadow APCB of {} is not what filtering makes of its matrix", mdev.uuid);
            found.push(rule("I4", text));
        }
    }
}
