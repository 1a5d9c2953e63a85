//! The attributes of a card. (Specification, page 2.)

use ap_host::Sink;
use ap_host::driver::DriverId;
use ap_host::hardware::AdapterFacts;
use ap_types::grammar::scanned_decimal;
use ap_types::{Mode, type_string};

use super::{Attribute, line, ro, rw, synth};
use crate::errno::Errno;
use crate::node::Dir;
use crate::tree::{Object, Root, Tree};

pub(super) const CARD: &[Attribute] = &[
    ro("API_ordinalnr", |t, _, o, held, out| fact(t, o, held, out, |f| f.api_ordinal.to_string())).when(ep11),
    ro("FW_version", |t, _, o, held, out| {
        fact(t, o, held, out, |f| format!("{}.{}", f.firmware.0, f.firmware.1))
    })
    .when(ep11),
    ro("ap_functions", |_, _, o, _, _| card(o, |c, _| format!("0x{:08X}", c.functions))),
    ro("chkstop", |_, _, o, _, _| card(o, |_, s| u8::from(s.chkstop).to_string())),
    rw("config", |_, _, o, _, _| card(o, |_, s| u8::from(s.config).to_string()), store_config),
    ro("depth", |_, _, o, _, _| card(o, |c, _| c.depth.to_string())),
    ro("hwtype", |_, _, o, _, _| card(o, |c, _| c.hwtype.to_string())),
    ro("load", |_, _, _, _, _| line(0)).when(bound),
    ro("max_msg_size", |_, _, o, _, _| card(o, |c, _| c.max_message.to_string())),
    ro("modalias", |_, _, o, _, _| card(o, |c, _| format!("ap:t{:02X}", c.hwtype))),
    rw(
        "online",
        |_, _, o, _, _| card(o, |_, s| u8::from(s.config && !s.chkstop && s.online).to_string()),
        store_online,
    )
    .when(bound),
    ro("op_modes", |t, _, o, held, out| fact(t, o, held, out, |f| f.op_modes.clone())).when(ep11),
    ro("pendingq_count", |_, _, _, _, _| line(0)),
    ro("raw_hwtype", |_, _, o, _, _| card(o, |c, _| c.raw_hwtype.to_string())),
    rw("request_count", |_, _, _, _, _| line(0), |_, _, _, _, _, _| Ok(())),
    ro("requestq_count", |_, _, _, _, _| line(0)),
    ro("serialnr", |t, _, o, held, out| fact(t, o, held, out, |f| f.serial.clone())).when(answers),
    ro("type", |_, _, o, _, _| card(o, |c, _| type_string(c.hwtype, c.mode))).when(bound),
    rw("uevent", synth::show, synth::store),
];

fn bound(object: &Object) -> bool {
    matches!(object, Object::Card(_, state) if state.driver == Some(DriverId::Cex4Card))
}

fn ep11(object: &Object) -> bool {
    bound(object) && matches!(object, Object::Card(card, _) if card.mode == Mode::Ep11)
}

fn answers(object: &Object) -> bool {
    bound(object) && matches!(object, Object::Card(card, _) if matches!(card.mode, Mode::Ep11 | Mode::Cca))
}

fn card(
    object: &Object,
    show: impl FnOnce(&ap_host::device::Card, &ap_host::device::CardState) -> String,
) -> Result<Vec<u8>, Errno> {
    let Object::Card(card, state) = object else { return Err(Errno::ENODEV) };
    line(show(card, state))
}

fn fact(
    tree: &Tree,
    object: &Object,
    held: Root,
    out: &dyn Sink,
    show: impl FnOnce(&AdapterFacts) -> String,
) -> Result<Vec<u8>, Errno> {
    let Object::Card(card, _) = object else { return Err(Errno::ENODEV) };
    line(tree.host.ask_adapter(card.id, None, held, out).as_ref().map(show).unwrap_or_default())
}

fn store_config(
    tree: &Tree,
    _: Dir,
    object: &Object,
    data: &[u8],
    held: Root,
    out: &dyn Sink,
) -> Result<(), Errno> {
    let Object::Card(card, _) = object else { return Err(Errno::ENODEV) };
    let on = match scanned_decimal(data)? {
        0 => false,
        1 => true,
        _ => return Err(Errno::EINVAL),
    };
    if tree.host.configure_card(card, on, held, out) { Ok(()) } else { Err(Errno::ENODEV) }
}

fn store_online(
    tree: &Tree,
    _: Dir,
    object: &Object,
    data: &[u8],
    held: Root,
    out: &dyn Sink,
) -> Result<(), Errno> {
    let Object::Card(card, _) = object else { return Err(Errno::ENODEV) };
    let on = match scanned_decimal(data)? {
        0 => false,
        1 => true,
        _ => return Err(Errno::EINVAL),
    };
    Ok(tree.host.switch_card(card, on, held, out)?)
}
