//! A final state in words: what user space and guests can tell apart. (Specification, page 4, I8.)

use std::fmt::Write;

use ap_host::device::QueueState;
use ap_host::driver::DriverId;
use ap_host::module::Module;
use ap_host::registry::Registry;
use ap_host::snapshot::GuestSnapshot;
use ap_host::vfio_ap::{Mdev, MdevPhase};
use ap_host::{MdevId, Snapshot};
use ap_types::{Apqn, Matrix, ResponseCode};

/// The state in words, a line each; two states with the same words are one outcome.
///
/// Left out is what page 4 lets differ: how often things happened, what a queue's state machine went through on its
/// way, whether a queue that is not the host's was switched on before.
pub(super) fn describe(state: &Snapshot) -> String {
    let mut text = String::new();
    let loaded: Vec<&str> =
        Module::ALL.iter().filter(|m| !state.core.loaded.has(**m)).map(|m| m.name()).collect();
    if !loaded.is_empty() {
        let _ = writeln!(text, "not loaded: {}", loaded.join(" "));
    }
    let _ = writeln!(text, "apmask {}", short(&state.perms.adapters.to_string()));
    let _ = writeln!(text, "aqmask {}", short(&state.perms.domains.to_string()));
    settings(&state.registry, &mut text);
    cards(state, &mut text);
    queues(state, &mut text);
    for (id, mdev) in &state.mdevs.list {
        describe_mdev(state, *id, mdev, &mut text);
    }
    guests(state, &mut text);
    text
}

/// What the bus's attributes set.
fn settings(registry: &Registry, text: &mut String) {
    let _ = write!(text, "bus config_time {}", registry.config_time);
    if let Some(domain) = registry.default_domain {
        let _ = write!(text, " ap_domain {domain}");
    }
    let _ = write!(text, " poll_timeout {}", registry.poll_timeout);
    flag(text, registry.poll_thread, "poll_thread");
    flag(text, !registry.autoprobe, "no autoprobe");
    text.push('\n');
}

/// Of a state in words only what page 4 (I8) demands of operations that meet: masks and matrices; no bindings, nor what
/// follows from them.
pub(super) fn masks_and_matrices(text: &str) -> String {
    let kept = text.lines().filter(|line| {
        ["not loaded", "apmask", "aqmask", "mdev"].iter().any(|beginning| line.starts_with(beginning))
    });
    kept.map(|line| line.split(" guest_matrix ").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// Of a state in words what is left when a scan, which goes from device to device, may have found some queues as they were
/// before and some as they were after. Cards are compared in full.
pub(super) fn without_flags(text: &str) -> String {
    let flags = [" deconfigured", " checkstopped", " offline"];
    let line = |line: &str| match line.starts_with("card") {
        true => line.to_owned(),
        false => flags.iter().fold(line.to_owned(), |line, flag| line.replace(flag, "")),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn cards(state: &Snapshot, text: &mut String) {
    for (card, at) in state.registry.cards.values().zip(&state.cards) {
        let driver = at.driver.map_or("-", DriverId::name);
        let _ = write!(text, "card{} {driver}", card.id);
        flag(text, !at.config, "deconfigured");
        flag(text, at.chkstop, "checkstopped");
        flag(text, !at.online && at.driver.is_some(), "offline");
        text.push('\n');
    }
}

fn queues(state: &Snapshot, text: &mut String) {
    for (queue, at) in state.registry.queues.values().zip(&state.queues) {
        let driver = at.driver.map_or("-", DriverId::name);
        let _ = write!(text, "{} {driver}", queue.apqn);
        queue_flags(text, at);
        if let Some(record) = state.mdevs.queues.get(&queue.apqn.to_u16()) {
            let linked = state.mdevs.linked_mdev(queue.apqn).and_then(|id| state.mdevs.list.get(&id));
            if let Some(mdev) = linked {
                let _ = write!(text, " linked to {}", mdev.uuid);
            }
            // Whether a queue was reset or deconfigured when its reset was asked for makes no difference to any filtering.
            if !matches!(
                record.last_reset,
                ResponseCode::NORMAL | ResponseCode::DECONFIGURED | ResponseCode::CHECKSTOPPED
            ) {
                let _ = write!(text, " last reset {}", record.last_reset);
            }
            if let Some(irq) = &record.irq {
                let _ = write!(text, " interrupts {} isc {} at {:x}", irq.guest, irq.isc, irq.address);
            }
        }
        text.push('\n');
    }
}

fn queue_flags(text: &mut String, at: &QueueState) {
    flag(text, !at.config, "deconfigured");
    flag(text, at.chkstop, "checkstopped");
    flag(text, !at.online && at.driver == Some(DriverId::Cex4Queue), "offline");
}

fn flag(text: &mut String, on: bool, word: &str) {
    if on {
        text.push(' ');
        text.push_str(word);
    }
}

fn describe_mdev(state: &Snapshot, id: MdevId, mdev: &Mdev, text: &mut String) {
    let phase = match mdev.phase {
        MdevPhase::Live => "",
        MdevPhase::Removing { .. } => " being removed",
        MdevPhase::Unbound => " without driver",
    };
    let _ = write!(text, "mdev {}{phase} matrix {}", mdev.uuid, matrix(&mdev.matrix));
    let _ = write!(text, " guest_matrix {}", matrix(&mdev.shadow));
    if mdev.adding != Matrix::default() {
        let _ = write!(text, " adding {}", matrix(&mdev.adding));
    }
    if let Some(opener) = &mdev.opener {
        let _ = write!(text, " held by {}", opener.name);
    }
    let _ = writeln!(text, " groups {} {} {}", mdev.iommu_group, mdev.vfio_group, mdev.vfio_device);
    let _ = (state, id);
}

fn guests(state: &Snapshot, text: &mut String) {
    let mut guests: Vec<_> = state.guests.iter().collect();
    guests.sort_by(|a, b| a.guest.name.cmp(&b.guest.name));
    // A guest that has nothing is as one that was never made.
    let idle = |guest: &&GuestSnapshot| {
        guest.hook.is_none()
            && !guest.kvm.protected
            && guest.kvm.apcb == Matrix::default()
            && guest.memory.pinned.is_empty()
    };
    for guest in guests.into_iter().filter(|guest| !idle(guest)) {
        let _ = write!(text, "guest {} {}", guest.guest.name, matrix(&guest.kvm.apcb));
        flag(text, guest.kvm.protected, "protected");
        let hook = guest.hook.and_then(|id| state.mdevs.list.get(&id));
        if let Some(mdev) = hook {
            let _ = write!(text, " of {}", mdev.uuid);
        }
        for (address, count) in &guest.memory.pinned {
            let _ = write!(text, " pinned {address:x}x{count}");
        }
        text.push('\n');
    }
}

/// A mask without the zeros at its end.
fn short(mask: &str) -> String {
    let trimmed = mask.trim_end_matches('0');
    if trimmed == "0x" { "0x0".to_owned() } else { trimmed.to_owned() }
}

/// The queues of a matrix, or the ids that make none, and its control domains.
fn matrix(matrix: &Matrix) -> String {
    let mut parts: Vec<String> = if matrix.has_queues() {
        matrix.queues().map(|apqn: Apqn| apqn.to_string()).collect()
    } else {
        let adapters = matrix.adapters.iter().map(|id| format!("{id}."));
        adapters.chain(matrix.domains.iter().map(|id| format!(".{id}"))).collect()
    };
    if !matrix.control_domains.is_empty() {
        let ids: Vec<String> = matrix.control_domains.iter().map(|id| id.to_string()).collect();
        parts.push(format!("control {}", ids.join(",")));
    }
    if parts.is_empty() { "none".to_owned() } else { parts.join(",") }
}
