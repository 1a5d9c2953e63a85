//! What guests and their hypervisor do. (`INTERFACES.md`, guest.)

use std::fmt::Write;
use std::sync::Arc;

use ap_types::Uuid;
use ap_vfio::{Guest, IRQ, IrqTarget, OpenError, OpenStage};

use crate::control::error::ControlError;
use crate::control::verb::{Verbs, verb};
use crate::errno::Errno;
use crate::tree::{Doing, Root, Tree};

/// The verbs of the control file `guests`.
pub const GUEST: Verbs = Verbs {
    command: "guest",
    list: &[
        verb("start", "NAME UUID", "a guest opens the mediated device", start),
        verb("stop", "NAME", "a guest closes all mediated devices that it has open", stop),
        verb("reset", "NAME", "a guest resets the mediated devices that it has open", reset),
        verb("list", "", "the guests, and what each has open", list),
        verb("show", "NAME", "what the guest sees", show),
        verb(
            "aqic",
            "NAME APQN on|off [ISC NIB]",
            "a guest asks for the interrupts of a queue, or wants no more",
            aqic,
        ),
        verb("protect", "NAME", "a guest becomes protected (Secure Execution)", protect),
        verb("unmap", "NAME ADDRESS", "a page of the guest's memory is gone", unmap),
        verb("request", "NAME", "a guest wants to be told when it is to let go", request),
        verb("events", "NAME", "how often a guest was asked to let go since the last question", events),
        verb("config-irq", "NAME on|off", "a guest wants to be told when its queues change", config_irq),
        verb("changes", "NAME", "how often a guest was told of changes since the last question", changes),
        verb("info", "NAME", "what a guest's devices say of themselves", info),
        verb(
            "make",
            "NAME [noapcb]",
            "a guest is there that has nothing open yet; noapcb: one without an APCB",
            make,
        ),
    ],
};

/// Carries out one `guest` verb.
///
/// # Errors
/// [`ControlError`] names the word and what was expected, or carries the driver's errno.
///
/// # Locks
/// What the verb's operation takes; to find the guest its list's.
pub fn guest(tree: &Tree, line: &str, task: Doing) -> Result<String, ControlError> {
    GUEST.run(tree, line, task)
}

/// What a verb answers that was given the right number of words.
type Answer = Result<Option<String>, ControlError>;

/// Nothing is to be said.
fn done() -> Answer {
    Ok(Some(String::new()))
}

fn start(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    let [name, id] = words else { return Ok(None) };
    let uuid = uuid(id)?;
    tree.host.vfio.guest_open(&uuid, name, task).map_err(|error| {
        let stage = match error.stage() {
            OpenStage::IommuGroup => "looking for its IOMMU group",
            OpenStage::Group => "opening its group, /dev/vfio/N",
            OpenStage::Device => "opening the device in its group",
        };
        let remedy = remedy(tree, &error, &uuid, task);
        let text = format!("guest {name} cannot have mdev {uuid}: {error} ({stage}){remedy}");
        ControlError::errno(Errno::from(error), text)
    })?;
    done()
}

/// What makes it possible to open an mdev.
fn remedy(tree: &Tree, error: &OpenError, uuid: &Uuid, held: Root) -> String {
    let (mdevs, holder) = tree.host.vfio.look(held, |mdevs| {
        let all: Vec<String> = mdevs.list.values().map(|mdev| mdev.uuid.to_string()).collect();
        let found = mdevs.list.values().find(|mdev| mdev.uuid == *uuid);
        (all, found.and_then(|mdev| Some(mdev.opening()?.by.name.clone())))
    });
    match (error, holder) {
        (OpenError::NoMdev, _) if mdevs.is_empty() => {
            "; there are none: write a UUID to …/vfio_ap-passthrough/create, or `mdevctl start`".to_owned()
        }
        (OpenError::NoMdev, _) => {
            let shown: Vec<&str> = mdevs.iter().take(3).map(String::as_str).collect();
            let more = if mdevs.len() > 3 { " and others" } else { "" };
            format!("; there are {}{more}", shown.join(", "))
        }
        (OpenError::HasMdev, _) => {
            "; another guest can have it: `guest start` it under another name".to_owned()
        }
        (_, Some(guest)) => format!("; `guest stop {guest}` lets it go"),
        _ => String::new(),
    }
}

fn stop(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    let [name] = words else { return Ok(None) };
    each_opened(tree, name, task, |uuid, task| tree.host.vfio.guest_close(uuid, Some(name), task))?;
    done()
}

fn reset(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    let [name] = words else { return Ok(None) };
    each_opened(tree, name, task, |uuid, task| tree.host.vfio.guest_reset(uuid, Some(name), task))?;
    done()
}

fn request(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    let [name] = words else { return Ok(None) };
    each_opened(tree, name, task, |uuid, task| {
        tree.host.vfio.guest_request_irq(uuid, Some(name), true, task)
    })?;
    done()
}

fn events(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    let [name] = words else { return Ok(None) };
    let counts =
        each_opened(tree, name, task, |uuid, task| tree.host.vfio.guest_event_count(uuid, Some(name), task))?;
    Ok(Some(format!("{}\n", counts.iter().map(|(_, count)| count).sum::<u64>())))
}

fn config_irq(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    let (name, target) = match words {
        [name, "on"] => (name, IrqTarget::Eventfd),
        [name, "off"] => (name, IrqTarget::Off),
        _ => return Ok(None),
    };
    each_opened(tree, name, task, |uuid, task| {
        tree.host.vfio.guest_config_irq(uuid, Some(name), target, task)
    })?;
    done()
}

fn changes(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    let [name] = words else { return Ok(None) };
    let counts = each_opened(tree, name, task, |uuid, task| {
        tree.host.vfio.guest_config_count(uuid, Some(name), task)
    })?;
    Ok(Some(format!("{}\n", counts.iter().map(|(_, count)| count).sum::<u64>())))
}

fn info(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    let [name] = words else { return Ok(None) };
    let mut text = String::new();
    let all = each_opened(tree, name, task, |uuid, task| tree.host.vfio.guest_info(uuid, Some(name), task))?;
    for (uuid, info) in all {
        let _ = writeln!(
            text,
            "{uuid} flags={} num_regions={} num_irqs={} irq0={},{}",
            info.flags, info.num_regions, info.num_irqs, IRQ.0, IRQ.1
        );
    }
    Ok(Some(text))
}

fn make(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    let (name, has_apcb) = match words {
        [name] => (name, true),
        [name, "noapcb"] => (name, false),
        _ => return Ok(None),
    };
    tree.host.vfio.make_guest(name, has_apcb, task);
    done()
}

fn protect(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    let [name] = words else { return Ok(None) };
    let guest = named(tree, name, task)?;
    tree.host.vfio.guest_protect(&guest, task);
    done()
}

fn unmap(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    let [name, address] = words else { return Ok(None) };
    let guest = named(tree, name, task)?;
    tree.host.vfio.guest_unmap(&guest, number(address)?, task);
    done()
}

fn failed<E: std::fmt::Display>(name: &str, error: E) -> ControlError
where
    Errno: From<E>,
{
    let text = format!("{name}: {error}");
    ControlError::errno(Errno::from(error), text)
}

fn uuid(text: &str) -> Result<Uuid, ControlError> {
    ap_types::grammar::uuid(text.as_bytes()).ok().filter(|_| text.len() == 36).ok_or_else(|| {
        ControlError::invalid(format!(
            "`{text}` is no UUID: expected 36 characters like 62177883-f1bb-47f0-914d-32a22e3a8804"
        ))
    })
}

fn number(text: &str) -> Result<u64, ControlError> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
    .ok_or_else(|| {
        ControlError::invalid(format!("`{text}` is no number: expected digits, or 0x and hex digits"))
    })
}

fn named(tree: &Tree, name: &str, held: Root) -> Result<Arc<Guest>, ControlError> {
    tree.host.vfio.guest_named(name, held).ok_or_else(|| {
        let others: Vec<String> =
            tree.host.vfio.guests(held).iter().map(|guest| guest.name.clone()).collect();
        let there = match others.as_slice() {
            [] => format!("there are none; `guest start {name} UUID` makes one"),
            all => format!("there are {}; `guest start {name} UUID` makes another one", all.join(", ")),
        };
        ControlError::errno(Errno::ENOENT, format!("there is no guest `{name}`: {there}"))
    })
}

/// Does something to each mdev that a guest has open. One that it no longer has when its turn comes is left out.
fn each_opened<T, E>(
    tree: &Tree,
    name: &str,
    task: Doing<'_, '_>,
    mut act: impl FnMut(&Uuid, Doing<'_, '_>) -> Result<T, E>,
) -> Result<Vec<(Uuid, T)>, ControlError>
where
    E: std::fmt::Display,
    Errno: From<E>,
{
    named(tree, name, task)?;
    let open: Vec<Uuid> = tree.host.vfio.look(task, |mdevs| {
        let mine = mdevs.list.values().filter(|m| m.opening().is_some_and(|opening| opening.by.name == name));
        mine.map(|mdev| mdev.uuid).collect()
    });
    let mut done = Vec::new();
    for uuid in open {
        match act(&uuid, task).map_err(|error| failed(name, error)) {
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

fn aqic(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    let (name, apqn, gr1, nib) = match words {
        [name, apqn, "on"] => (name, apqn, Some(3), 0x1000),
        [name, apqn, "off"] => (name, apqn, None, 0),
        [name, apqn, "on", isc, nib] => {
            let isc = number(isc)?;
            if isc > 7 {
                let text = format!("`{isc}` is no interruption subclass: expected 0-7");
                return Err(ControlError::invalid(text));
            }
            (name, apqn, Some(isc), number(nib)?)
        }
        _ => return Ok(None),
    };
    let apqn = crate::ids::queue(apqn).map_err(|error| ControlError::invalid(error.to_string()))?;
    let guest = named(tree, name, task)?;
    let gr0 = 0x0300_0000 | u64::from(apqn.to_u16());
    let gr1 = gr1.map_or(0, |isc| 1 << 47 | isc);
    let status = tree.host.vfio.guest_pqap(&guest, gr0, gr1, nib, task);
    let code = (status >> 16) as u8;
    Ok(Some(format!("status {status:08x} (response code {code:02x})\n")))
}

fn list(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    Ok(words.is_empty().then(|| guests(tree, task)))
}

/// The guests, a line each: its name, and the mdevs that it has open, or `-`.
///
/// # Locks
/// The list of guests', for reading; M.
pub(crate) fn guests(tree: &Tree, held: Root) -> String {
    let mut text = String::new();
    for guest in tree.host.vfio.guests(held) {
        let open: Vec<String> = tree.host.vfio.look(held, |mdevs| {
            let mine = mdevs
                .list
                .values()
                .filter(|mdev| mdev.opening().is_some_and(|opening| opening.by.name == guest.name));
            mine.map(|mdev| mdev.uuid.to_string()).collect()
        });
        let open = if open.is_empty() { "-".to_owned() } else { open.join(",") };
        let _ = writeln!(text, "{} {open}", guest.name);
    }
    text
}

/// What a guest sees: its APCB's queues, and what its interrupts hold.
fn show(tree: &Tree, words: &[&str], task: Doing) -> Answer {
    let [name] = words else { return Ok(None) };
    let guest = named(tree, name, task)?;
    let state = *guest.kvm.lock(task).0;
    let hook = guest.hook.read(task).0.is_some();
    let memory = guest.memory.lock(task).0.clone();
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
    Ok(Some(text))
}
