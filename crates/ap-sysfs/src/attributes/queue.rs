//! The attributes of a queue. (Specification, pages 2 and 3.)

use ap_host::Sink;
use ap_host::device::{DevState, Sm};
use ap_host::driver::DriverId;
use ap_host::hardware::AdapterFacts;
use ap_host::secure::Association;
use ap_types::Mode;
use ap_types::grammar::{boolean_word, scanned_decimal, strict};

use super::{Attribute, line, ro, rw, synth};
use crate::errno::Errno;
use crate::node::Dir;
use crate::tree::{Object, Root, Tree};

pub(super) const QUEUE: &[Attribute] = &[
    ro("ap_functions", show_functions),
    ro("chkstop", |_, _, o, _, _| queue(o, |_, s| u8::from(s.chkstop).to_string())),
    ro("config", |_, _, o, _, _| queue(o, |_, s| u8::from(s.config).to_string())),
    ro("interrupt", show_interrupt),
    ro("load", |_, _, _, _, _| line(0)).when(host_bound),
    ro("mkvps", show_mkvps).when(answers),
    rw(
        "online",
        |_, _, o, held, _| {
            let Object::Queue(queue, state) = o else { return Err(Errno::ENODEV) };
            let _ = (queue, held);
            line(u8::from(state.config && !state.chkstop && state.online))
        },
        store_online,
    )
    .when(host_bound),
    ro("op_modes", |t, _, o, held, out| {
        let facts = facts(t, o, held, out)?;
        line(facts.map(|facts| facts.op_modes).unwrap_or_default())
    })
    .when(ep11),
    ro("pendingq_count", |_, _, _, _, _| line(0)),
    rw(
        "request_count",
        |_, _, o, _, _| {
            queue(o, |_, s| if s.state == DevState::Uninitiated { "-".into() } else { "0".into() })
        },
        |_, _, _, _, _, _| Ok(()),
    ),
    ro("requestq_count", |_, _, _, _, _| line(0)),
    rw(
        "reset",
        |_, _, o, _, _| {
            queue(o, |_, s| match s.sm {
                Sm::ResetStart | Sm::ResetWait => "Reset in progress.".into(),
                Sm::SetIrqWait | Sm::Idle => "No Reset Timer set.".into(),
            })
        },
        |t, _, o, _, held, out| {
            let Object::Queue(queue, _) = o else { return Err(Errno::ENODEV) };
            Ok(t.host.reset_queue(queue, held, out)?)
        },
    ),
    rw("se_associate", show_association, store_associate).when(secure),
    rw("se_bind", show_bind, store_bind).when(secure),
    ro("status", show_status).when(guest_bound),
    rw("uevent", synth::show, synth::store),
];

fn host_bound(object: &Object) -> bool {
    matches!(object, Object::Queue(_, state) if state.driver == Some(DriverId::Cex4Queue))
}

fn guest_bound(object: &Object) -> bool {
    // Not while the driver lets it go: its record may be gone then.
    matches!(object, Object::Queue(_, state)
        if state.driver == Some(DriverId::VfioAp) && state.state != DevState::ShuttingDown)
}

fn mode(object: &Object) -> Option<Mode> {
    match object {
        Object::Queue(queue, _) => Some(queue.card.mode),
        _ => None,
    }
}

fn ep11(object: &Object) -> bool {
    host_bound(object) && mode(object) == Some(Mode::Ep11)
}

fn answers(object: &Object) -> bool {
    host_bound(object) && matches!(mode(object), Some(Mode::Ep11 | Mode::Cca))
}

fn secure(object: &Object) -> bool {
    matches!(object, Object::Queue(queue, _) if queue.secure_execution)
}

fn queue(
    object: &Object,
    show: impl FnOnce(&ap_host::device::QueueDevice, &ap_host::device::QueueState) -> String,
) -> Result<Vec<u8>, Errno> {
    let Object::Queue(queue, state) = object else { return Err(Errno::ENODEV) };
    line(show(queue, state))
}

fn show_functions(tree: &Tree, _: Dir, object: &Object, held: Root, _: &dyn Sink) -> Result<Vec<u8>, Errno> {
    let Object::Queue(queue, _) = object else { return Err(Errno::ENODEV) };
    let (_, info) = tree.host.test_queue(queue, &mut held.at())?;
    line(format_args!("0x{:08X}", info.functions()))
}

fn show_interrupt(tree: &Tree, _: Dir, object: &Object, held: Root, _: &dyn Sink) -> Result<Vec<u8>, Errno> {
    let Object::Queue(queue, state) = object else { return Err(Errno::ENODEV) };
    if state.sm == Sm::SetIrqWait {
        return line("Enable Interrupt pending.");
    }
    let (status, _) = tree.host.hardware().tapq(queue.apqn, &mut held.at());
    line(if status.irq_enabled() { "Interrupts enabled." } else { "Interrupts disabled." })
}

fn show_status(tree: &Tree, _: Dir, object: &Object, held: Root, _: &dyn Sink) -> Result<Vec<u8>, Errno> {
    use ap_host::vfio_ap::QueueStatus;
    let Object::Queue(queue, _) = object else { return Err(Errno::ENODEV) };
    line(match tree.host.queue_status(queue.apqn, held).ok_or(Errno::ENODEV)? {
        QueueStatus::Unassigned => "unassigned",
        QueueStatus::Assigned => "assigned",
        QueueStatus::InUse => "in use",
    })
}

fn store_online(
    tree: &Tree,
    _: Dir,
    object: &Object,
    data: &[u8],
    held: Root,
    out: &dyn Sink,
) -> Result<(), Errno> {
    let Object::Queue(queue, _) = object else { return Err(Errno::ENODEV) };
    let on = match scanned_decimal(data)? {
        0 => false,
        1 => true,
        _ => return Err(Errno::EINVAL),
    };
    Ok(tree.host.switch_queue(queue, on, held, out)?)
}

fn facts(tree: &Tree, object: &Object, held: Root, out: &dyn Sink) -> Result<Option<AdapterFacts>, Errno> {
    let Object::Queue(queue, _) = object else { return Err(Errno::ENODEV) };
    Ok(tree.host.ask_adapter(queue.apqn.adapter, Some(queue), held, out))
}

/// Master key verification patterns: of an adapter that answers they are derived from its serial number.
fn show_mkvps(tree: &Tree, _: Dir, object: &Object, held: Root, out: &dyn Sink) -> Result<Vec<u8>, Errno> {
    let facts = facts(tree, object, held, out)?;
    let pattern = facts.map(|facts| locks::hook::fingerprint(&facts.serial));
    let mut text = String::new();
    if mode(object) == Some(Mode::Ep11) {
        match pattern {
            Some(p) => {
                text.push_str(&format!(
                    "WK CUR: valid 0x{p:016x}{p:016x}{p:016x}{p:016x}\nWK NEW: empty -\n"
                ));
            }
            None => text.push_str("WK CUR: - -\nWK NEW: - -\n"),
        }
        return Ok(text.into_bytes());
    }
    for key in ["AES", "APKA", "ASYM"] {
        for register in ["NEW", "CUR", "OLD"] {
            let value = match (pattern, register) {
                (None, _) => "- -".to_owned(),
                (Some(p), "CUR") => format!("valid 0x{p:016x}"),
                (Some(_), "NEW") => "empty 0x0000000000000000".to_owned(),
                (Some(_), _) => "invalid 0x0000000000000000".to_owned(),
            };
            text.push_str(&format!("{key} {register}: {value}\n"));
        }
    }
    Ok(text.into_bytes())
}

fn show_bind(tree: &Tree, _: Dir, object: &Object, held: Root, _: &dyn Sink) -> Result<Vec<u8>, Errno> {
    let Object::Queue(queue, _) = object else { return Err(Errno::ENODEV) };
    let (_, info) = tree.host.test_queue(queue, &mut held.at())?;
    line(if info.bind_state().is_bound() { "bound" } else { "unbound" })
}

fn store_bind(
    tree: &Tree,
    _: Dir,
    object: &Object,
    data: &[u8],
    held: Root,
    out: &dyn Sink,
) -> Result<(), Errno> {
    let Object::Queue(queue, _) = object else { return Err(Errno::ENODEV) };
    let on = boolean_word(data)?;
    Ok(tree.host.se_bind(queue, on, held, out)?)
}

fn show_association(
    tree: &Tree,
    _: Dir,
    object: &Object,
    held: Root,
    _: &dyn Sink,
) -> Result<Vec<u8>, Errno> {
    let Object::Queue(queue, _) = object else { return Err(Errno::ENODEV) };
    match tree.host.association(queue, held)? {
        Association::None => line("-"),
        Association::With(secret) => line(format_args!("associated {secret}")),
        Association::Pending => line("association pending"),
        Association::Unassociated => line("unassociated"),
    }
}

fn store_associate(
    tree: &Tree,
    _: Dir,
    object: &Object,
    data: &[u8],
    held: Root,
    out: &dyn Sink,
) -> Result<(), Errno> {
    let Object::Queue(queue, _) = object else { return Err(Errno::ENODEV) };
    if queue.card.mode == Mode::Accelerator {
        return Err(Errno::EINVAL);
    }
    let secret = strict(data)?;
    if secret > u64::from(u32::MAX) {
        return Err(Errno::ERANGE);
    }
    Ok(tree.host.se_associate(queue, secret, held, out)?)
}
