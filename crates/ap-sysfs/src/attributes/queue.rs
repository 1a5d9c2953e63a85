//! The attributes of a queue. (Specification, pages 2 and 3.)

use ap_bus::Through;
use ap_bus::device::{DevState, Sm};
use ap_bus::secure::Association;
use ap_machine::{AdapterFacts, Pattern};
use ap_types::Mode;
use ap_types::grammar::{boolean_word, strict};
use ap_vfio::{QueueStatus, VFIO_AP};

use crate::attribute::{Attribute, line, ro, rw};
use crate::attributes::card::switch;
use crate::errno::Errno;
use crate::objects::queue::QueueView;
use crate::tree::{Doing, Tree};

/// `/sys/devices/ap/cardAA/AA.DDDD`.
pub(crate) const QUEUE: &[Attribute<QueueView>] = &[
    ro("ap_functions", show_functions),
    ro("chkstop", |_, queue, _| line(u8::from(queue.state.chkstop))),
    ro("config", |_, queue, _| line(u8::from(queue.state.config))),
    rw("driver_override", show_override, |t, queue: &QueueView, data, task| {
        Ok(t.host.bus.write_driver_override(&queue.device, data, task)?)
    })
    .when(|_, queue| queue.device.overridable),
    ro("interrupt", show_interrupt),
    ro("load", |_, _, _| line(0)).when(is_hosts),
    ro("mkvps", show_mkvps).when(answers),
    rw("online", |_, queue: &QueueView, _| line(u8::from(is_online(queue))), store_online).when(is_hosts),
    ro("op_modes", |t, queue, task| line(facts(t, queue, task)?.map(|f| f.op_modes).unwrap_or_default()))
        .when(is_ep11),
    ro("pendingq_count", |_, _, _| line(0)),
    rw("request_count", show_request_count, |_, _, _, _| Ok(())),
    ro("requestq_count", |_, _, _| line(0)),
    rw("reset", show_reset, |t, queue, _, task| Ok(t.host.bus.reset_queue(&queue.device, task)?)),
    rw("se_associate", show_association, store_associate).when(is_secure),
    rw("se_bind", show_bind, store_bind).when(is_secure),
    ro("status", show_status).when(is_guests),
];

fn is_hosts(_: &Tree, queue: &QueueView) -> bool {
    queue.is_hosts()
}

fn is_guests(_: &Tree, queue: &QueueView) -> bool {
    // Not while the driver lets it go: its record may be gone then.
    queue.driver() == Some(VFIO_AP) && !matches!(queue.state.state, DevState::ShuttingDown | DevState::LetGo)
}

fn is_ep11(_: &Tree, queue: &QueueView) -> bool {
    queue.is_hosts() && queue.mode() == Mode::Ep11
}

fn answers(_: &Tree, queue: &QueueView) -> bool {
    queue.is_hosts() && matches!(queue.mode(), Mode::Ep11 | Mode::Cca)
}

fn is_secure(_: &Tree, queue: &QueueView) -> bool {
    queue.device.secure_execution
}

/// Whether it can be used, as `online` shows it.
pub(crate) fn is_online(QueueView { state, .. }: &QueueView) -> bool {
    state.config && !state.chkstop && state.online
}

fn show_override(tree: &Tree, queue: &QueueView, task: Doing) -> Result<Vec<u8>, Errno> {
    let name = tree.host.bus.driver_override(&queue.device, task);
    let name = name.as_ref().map_or(&[][..], |name| name.as_bytes());
    Ok([name, b"\n"].concat())
}

fn show_request_count(_: &Tree, queue: &QueueView, _: Doing) -> Result<Vec<u8>, Errno> {
    line(if queue.state.state == DevState::Uninitiated { "-" } else { "0" })
}

fn show_reset(_: &Tree, queue: &QueueView, _: Doing) -> Result<Vec<u8>, Errno> {
    line(match queue.state.sm {
        Sm::ResetStart | Sm::ResetWait => "Reset in progress.",
        Sm::SetIrqWait | Sm::Idle => "No Reset Timer set.",
    })
}

fn show_functions(tree: &Tree, queue: &QueueView, task: Doing) -> Result<Vec<u8>, Errno> {
    let (_, info) = tree.host.bus.test_queue(&queue.device, &mut task.at())?;
    line(format_args!("0x{:08X}", info.functions()))
}

fn show_interrupt(tree: &Tree, queue: &QueueView, task: Doing) -> Result<Vec<u8>, Errno> {
    if queue.state.sm == Sm::SetIrqWait {
        return line("Enable Interrupt pending.");
    }
    let (status, _) = tree.host.bus.hardware().tapq(queue.device.apqn, &mut task.at());
    line(if status.irq_enabled() { "Interrupts enabled." } else { "Interrupts disabled." })
}

fn show_status(tree: &Tree, queue: &QueueView, task: Doing) -> Result<Vec<u8>, Errno> {
    line(match tree.host.vfio.queue_status(queue.device.apqn, task).ok_or(Errno::ENODEV)? {
        QueueStatus::Unassigned => "unassigned",
        QueueStatus::Assigned => "assigned",
        QueueStatus::InUse => "in use",
    })
}

fn store_online(tree: &Tree, queue: &QueueView, data: &[u8], task: Doing) -> Result<(), Errno> {
    Ok(tree.host.bus.switch_queue(&queue.device, switch(data)?, task)?)
}

/// What the adapter says of itself through this very queue, if it answers.
fn facts(tree: &Tree, queue: &QueueView, task: Doing) -> Result<Option<AdapterFacts>, Errno> {
    Ok(tree.host.bus.ask_adapter(&queue.device.card, Through::Queue(&queue.device), task)?)
}

/// Master key verification patterns; of an adapter that doesn't answer nothing is known.
fn show_mkvps(tree: &Tree, queue: &QueueView, task: Doing) -> Result<Vec<u8>, Errno> {
    let keys = facts(tree, queue, task)?.map(|facts| facts.keys);
    let mut text = String::new();
    if queue.mode() == Mode::Ep11 {
        let register = |pattern: Option<Pattern>, there: &str, empty: &str| match pattern {
            Some(p) => format!("{there} 0x{p:016x}{p:016x}{p:016x}{p:016x}"),
            None => format!("{empty} -"),
        };
        let unknown = || "- -".to_owned();
        let current = keys.map_or_else(unknown, |keys| register(keys.current, "valid", "invalid"));
        let new = keys.map_or_else(unknown, |keys| register(keys.new, "committed", "empty"));
        return Ok(format!("WK CUR: {current}\nWK NEW: {new}\n").into_bytes());
    }
    for key in ["AES", "APKA", "ASYM"] {
        for register in ["NEW", "CUR", "OLD"] {
            let value = keys.map_or_else(
                || "- -".to_owned(),
                |keys| {
                    let (pattern, there, empty) = match register {
                        "NEW" => (keys.new, "full", "empty"),
                        "CUR" => (keys.current, "valid", "invalid"),
                        _ => (keys.old, "valid", "invalid"),
                    };
                    let state = if pattern.is_some() { there } else { empty };
                    format!("{state} 0x{:016x}", pattern.unwrap_or_default())
                },
            );
            text.push_str(&format!("{key} {register}: {value}\n"));
        }
    }
    Ok(text.into_bytes())
}

fn show_bind(tree: &Tree, queue: &QueueView, task: Doing) -> Result<Vec<u8>, Errno> {
    line(if tree.host.bus.is_bound(&queue.device, task)? { "bound" } else { "unbound" })
}

fn store_bind(tree: &Tree, queue: &QueueView, data: &[u8], task: Doing) -> Result<(), Errno> {
    let on = boolean_word(data)?;
    Ok(tree.host.bus.se_bind(&queue.device, on, task)?)
}

fn show_association(tree: &Tree, queue: &QueueView, task: Doing) -> Result<Vec<u8>, Errno> {
    match tree.host.bus.association(&queue.device, task)? {
        Association::None => line("-"),
        Association::With(secret) => line(format_args!("associated {secret}")),
        Association::Pending => line("association pending"),
        Association::Unassociated => line("unassociated"),
    }
}

fn store_associate(tree: &Tree, queue: &QueueView, data: &[u8], task: Doing) -> Result<(), Errno> {
    if queue.mode() == Mode::Accelerator {
        return Err(Errno::EINVAL);
    }
    let secret = strict(data)?;
    if secret > u64::from(u32::MAX) {
        return Err(Errno::ERANGE);
    }
    Ok(tree.host.bus.se_associate(&queue.device, secret, task)?)
}
