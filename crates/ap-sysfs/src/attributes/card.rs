//! The attributes of a card. (Specification, page 2.)

use ap_bus::Through;
use ap_bus::zcrypt::CEX4CARD;
use ap_machine::AdapterFacts;
use ap_types::grammar::scanned_decimal;
use ap_types::{Mode, type_string};

use crate::attribute::{Attribute, line, ro, rw};
use crate::errno::Errno;
use crate::objects::card::CardView;
use crate::tree::{Doing, Tree};

/// `/sys/devices/ap/cardAA`.
pub(crate) const CARD: &[Attribute<CardView>] = &[
    ro("API_ordinalnr", |t, card, task| fact(t, card, task, |f| f.api_ordinal.to_string())).when(is_ep11),
    ro("FW_version", |t, card, task| fact(t, card, task, |f| format!("{}.{}", f.firmware.0, f.firmware.1)))
        .when(is_ep11),
    ro("ap_functions", |_, card, _| line(format_args!("0x{:08X}", card.device.functions))),
    ro("chkstop", |_, card, _| line(u8::from(card.state.chkstop))),
    rw("config", |_, card, _| line(u8::from(card.state.config)), store_config),
    ro("depth", |_, card, _| line(card.device.depth)),
    ro("hwtype", |_, card, _| line(card.device.hwtype)),
    ro("load", |_, _, _| line(0)).when(is_bound),
    ro("max_msg_size", |_, card, _| line(card.device.max_message)),
    ro("modalias", |_, card, _| line(format_args!("ap:t{:02X}", card.device.hwtype))),
    rw("online", |_, card: &CardView, _| line(u8::from(is_online(card))), store_online).when(is_bound),
    ro("op_modes", |t, card, task| fact(t, card, task, |f| f.op_modes.clone())).when(is_ep11),
    ro("pendingq_count", |_, _, _| line(0)),
    ro("raw_hwtype", |_, card, _| line(card.device.raw_hwtype)),
    rw("request_count", |_, _, _| line(0), |_, _, _, _| Ok(())),
    ro("requestq_count", |_, _, _| line(0)),
    ro("serialnr", show_serial).when(answers),
    ro("type", |_, card: &CardView, _| line(type_string(card.device.hwtype, card.device.mode)))
        .when(is_bound),
];

fn is_bound(_: &Tree, card: &CardView) -> bool {
    card.driver() == Some(CEX4CARD)
}

fn is_ep11(tree: &Tree, card: &CardView) -> bool {
    is_bound(tree, card) && card.device.mode == Mode::Ep11
}

fn answers(tree: &Tree, card: &CardView) -> bool {
    is_bound(tree, card) && matches!(card.device.mode, Mode::Ep11 | Mode::Cca)
}

/// Whether it can be used, as `online` shows it.
pub(crate) fn is_online(CardView { state, .. }: &CardView) -> bool {
    state.config && !state.chkstop && state.online
}

/// What an adapter says of itself; an empty line if it doesn't answer.
fn fact(
    tree: &Tree,
    card: &CardView,
    task: Doing,
    show: impl FnOnce(&AdapterFacts) -> String,
) -> Result<Vec<u8>, Errno> {
    told(tree, card, Through::Any, task, show)
}

/// Its serial number; that of a CCA adapter is asked for otherwise with some kernels (page 7).
fn show_serial(tree: &Tree, card: &CardView, task: Doing) -> Result<Vec<u8>, Errno> {
    let cca = card.device.mode == Mode::Cca;
    let through = if cca { Through::DefaultDomain } else { Through::Any };
    told(tree, card, through, task, |facts| facts.serial.clone())
}

fn told(
    tree: &Tree,
    card: &CardView,
    through: Through<'_>,
    task: Doing,
    show: impl FnOnce(&AdapterFacts) -> String,
) -> Result<Vec<u8>, Errno> {
    line(tree.host.bus.ask_adapter(&card.device, through, task)?.as_ref().map(show).unwrap_or_default())
}

fn store_config(tree: &Tree, card: &CardView, data: &[u8], task: Doing) -> Result<(), Errno> {
    let on = switch(data)?;
    if tree.host.bus.configure_card(&card.device, on, task) { Ok(()) } else { Err(Errno::ENODEV) }
}

fn store_online(tree: &Tree, card: &CardView, data: &[u8], task: Doing) -> Result<(), Errno> {
    Ok(tree.host.bus.switch_card(&card.device, switch(data)?, task)?)
}

/// A scanned number that is 0 or 1; `EINVAL` otherwise.
pub(crate) fn switch(data: &[u8]) -> Result<bool, Errno> {
    match scanned_decimal(data)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Errno::EINVAL),
    }
}
