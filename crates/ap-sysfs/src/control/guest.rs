//! What guests and their hypervisor do. (`INTERFACES.md`, guest.)

use std::fmt::Write;

use ap_host::vfio_ap::OpenStage;
use ap_host::{Guest, Sink};
use ap_types::{Apqn, Uuid};

use super::ControlError;
use crate::errno::Errno;
use crate::tree::{Root, Tree};

const USAGE: &str =
    "expected start, stop, reset, list, show, aqic, protect, unmap, request, events, info or make";

/// Carries out one `guest` verb.
///
/// # Errors
/// [`ControlError`] names the word and what was expected, or carries the driver's errno.
pub fn guest(tree: &Tree, line: &str, held: Root, out: &dyn Sink) -> Result<String, ControlError> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    match words.as_slice() {
        ["start", name, id] => {
            let uuid = uuid(id)?;
            tree.host.guest_open(&uuid, name, held, out).map_err(|error| {
                let stage = match error.stage() {
                    OpenStage::IommuGroup => "iommu_group",
                    OpenStage::Group => "group",
                    OpenStage::Device => "device",
                };
                ControlError::errno(Errno::from(error), format!("{name}: {error} (at {stage})"))
            })?;
            Ok(String::new())
        }
        ["stop", name] => {
            each_opened(tree, name, held, |uuid, held| tree.host.guest_close(uuid, Some(name), held, out))?;
            Ok(String::new())
        }
        ["reset", name] => {
            each_opened(tree, name, held, |uuid, held| tree.host.guest_reset(uuid, Some(name), held, out))?;
            Ok(String::new())
        }
        ["request", name] => {
            let on =
                |uuid: &Uuid, held: Root<'_, '_>| tree.host.guest_request_irq(uuid, Some(name), true, held);
            each_opened(tree, name, held, on)?;
            Ok(String::new())
        }
        ["events", name] => {
            let count = |uuid: &Uuid, held: Root<'_, '_>| tree.host.guest_event_count(uuid, Some(name), held);
            let counts = each_opened(tree, name, held, count)?;
            Ok(format!("{}\n", counts.iter().map(|(_, count)| count).sum::<u64>()))
        }
        ["info", name] => {
            let mut text = String::new();
            let ask = |uuid: &Uuid, held: Root<'_, '_>| tree.host.guest_info(uuid, Some(name), held);
            for (uuid, info) in each_opened(tree, name, held, ask)? {
                let _ = writeln!(
                    text,
                    "{uuid} flags={} num_regions={} num_irqs={} irq0={},{}",
                    info.flags, info.num_regions, info.num_irqs, info.irq0.0, info.irq0.1
                );
            }
            Ok(text)
        }
        ["make", name] => {
            tree.host.make_guest(name, true, held);
            Ok(String::new())
        }
        ["make", name, "noapcb"] => {
            tree.host.make_guest(name, false, held);
            Ok(String::new())
        }
        ["list"] => Ok(list(tree, held)),
        ["show", name] => {
            let guest = named(tree, name, held)?;
            Ok(show(tree, &guest, held))
        }
        ["aqic", name, apqn, "on"] => aqic(tree, name, apqn, true, 3, 0x1000, held, out),
        ["aqic", name, apqn, "off"] => aqic(tree, name, apqn, false, 0, 0, held, out),
        ["aqic", name, apqn, "on", isc, nib] => {
            let isc = number(isc)?;
            if isc > 7 {
                return Err(ControlError::invalid(format!(
                    "`{isc}` is no interruption subclass: expected 0-7"
                )));
            }
            aqic(tree, name, apqn, true, isc, number(nib)?, held, out)
        }
        ["protect", name] => {
            let guest = named(tree, name, held)?;
            tree.host.guest_protect(&guest, held);
            Ok(String::new())
        }
        ["unmap", name, address] => {
            let guest = named(tree, name, held)?;
            tree.host.guest_unmap(&guest, number(address)?, held, out);
            Ok(String::new())
        }
        [
            verb @ ("start" | "stop" | "reset" | "show" | "aqic" | "protect" | "unmap" | "request" | "events"
            | "info" | "make"),
            ..,
        ] => Err(ControlError::invalid(format!("`guest {verb}`: wrong number of words; see `guest --help`"))),
        [verb, ..] => Err(ControlError::invalid(format!("`{verb}` is no guest verb: {USAGE}"))),
        [] => Err(ControlError::invalid(USAGE)),
    }
}

fn failed<E: std::fmt::Display>(name: &str, error: E) -> ControlError
where
    Errno: From<E>,
{
    let text = format!("{name}: {error}");
    ControlError::errno(Errno::from(error), text)
}

fn uuid(text: &str) -> Result<Uuid, ControlError> {
    ap_types::grammar::uuid(text.as_bytes())
        .ok()
        .filter(|_| text.len() == 36)
        .ok_or_else(|| ControlError::invalid(format!("`{text}` is no UUID")))
}

fn number(text: &str) -> Result<u64, ControlError> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
    .ok_or_else(|| ControlError::invalid(format!("`{text}` is no number")))
}

fn named(tree: &Tree, name: &str, held: Root) -> Result<std::sync::Arc<Guest>, ControlError> {
    tree.host.guest_named(name, held).ok_or_else(|| {
        ControlError::errno(Errno::ENOENT, format!("no guest `{name}`; `guest start {name} UUID` makes one"))
    })
}

/// Does something to each mdev that a guest has open. One that it no longer has when its turn comes is left out.
fn each_opened<T, E>(
    tree: &Tree,
    name: &str,
    held: Root<'_, '_>,
    mut act: impl FnMut(&Uuid, Root<'_, '_>) -> Result<T, E>,
) -> Result<Vec<(Uuid, T)>, ControlError>
where
    E: std::fmt::Display,
    Errno: From<E>,
{
    named(tree, name, held)?;
    let open: Vec<Uuid> = tree.host.with_mdevs(held, |mdevs| {
        let mine = mdevs.list.values().filter(|m| m.opener.as_ref().is_some_and(|guest| guest.name == name));
        mine.map(|mdev| mdev.uuid).collect()
    });
    let mut done = Vec::new();
    for uuid in open {
        match act(&uuid, held).map_err(|error| failed(name, error)) {
            Ok(value) => done.push((uuid, value)),
            Err(error) if error.errno == Errno::ENOENT => {}
            Err(error) => return Err(error),
        }
    }
    if done.is_empty() {
        return Err(ControlError::errno(
            Errno::ENOENT,
            format!("guest `{name}` has no mediated device open"),
        ));
    }
    Ok(done)
}

#[expect(clippy::too_many_arguments, reason = "the verb's words and the task's context")]
fn aqic(
    tree: &Tree,
    name: &str,
    apqn: &str,
    on: bool,
    isc: u64,
    nib: u64,
    held: Root,
    out: &dyn Sink,
) -> Result<String, ControlError> {
    let apqn: Apqn = apqn
        .parse()
        .map_err(|_| ControlError::invalid(format!("`{apqn}` is no APQN: expected AA.DDDD in hex")))?;
    let guest = named(tree, name, held)?;
    let gr0 = 0x0300_0000 | u64::from(apqn.to_u16());
    let gr1 = if on { 1 << 47 | isc } else { 0 };
    let status = tree.host.guest_pqap(&guest, gr0, gr1, nib, held, out);
    let code = (status >> 16) as u8;
    Ok(format!("status {status:08x} (response code {code:02x})\n"))
}

fn list(tree: &Tree, held: Root) -> String {
    let mut text = String::new();
    for guest in tree.host.guests(held) {
        let open: Vec<String> = tree.host.with_mdevs(held, |mdevs| {
            let mine = mdevs
                .list
                .values()
                .filter(|mdev| mdev.opener.as_ref().is_some_and(|opener| opener.name == guest.name));
            mine.map(|mdev| mdev.uuid.to_string()).collect()
        });
        let open = if open.is_empty() { "-".to_owned() } else { open.join(",") };
        let _ = writeln!(text, "{} {open}", guest.name);
    }
    text
}

/// What a guest sees: its APCB's queues, and what its interrupts hold.
fn show(tree: &Tree, guest: &Guest, held: Root) -> String {
    let state = *guest.kvm.lock(held).0;
    let hook = guest.hook.read(held).0.is_some();
    let memory = guest.memory.lock(held).0.clone();
    let mut text = String::new();
    let _ = writeln!(text, "name {}", guest.name);
    let _ = writeln!(text, "hook {}", u8::from(hook));
    let _ = writeln!(text, "nset {}", state.set_count);
    let _ = writeln!(text, "nclear {}", state.clear_count);
    let _ = writeln!(text, "apm {}", state.apcb.adapters);
    let _ = writeln!(text, "aqm {}", state.apcb.domains);
    let _ = writeln!(text, "adm {}", state.apcb.control_domains);
    for apqn in state.apcb.queues() {
        let _ = writeln!(text, "queue {apqn}");
    }
    for address in memory.pinned.keys() {
        let _ = writeln!(text, "pinned {address:x}");
    }
    let _ = tree;
    text
}
