//! What the machine's operator does. (`INTERFACES.md`, hw.)

use ap_host::Sink;
use ap_host::machine::queue_change;
use ap_host::module::Module;
use ap_types::{Apqn, ResponseCode};

use super::ControlError;
use crate::errno::Errno;
use crate::tree::{Root, Tree};

const USAGE: &str = "expected plug, unplug, control, configure, deconfigure, checkstop, repair, type, fault, set, \
                     modules or advance";

/// The most milliseconds of one `advance`.
const YEAR: u64 = 365 * 86_400_000;

/// Carries out one `hw` verb.
///
/// # Errors
/// [`ControlError`] names the word and what was expected.
pub fn hw(tree: &Tree, line: &str, held: Root, out: &dyn Sink) -> Result<String, ControlError> {
    let mut words = line.split_ascii_whitespace();
    let verb = words.next().unwrap_or("");
    let rest: Vec<&str> = words.collect();
    match (verb, rest.as_slice()) {
        ("plug", [what]) => plug(tree, what, true, held)?,
        ("unplug", [what]) => plug(tree, what, false, held)?,
        ("control", ["plug", domains]) => machine(tree, &format!("adm +{}", ids(domains)?), held)?,
        ("control", ["unplug", domains]) => machine(tree, &format!("adm -{}", ids(domains)?), held)?,
        ("configure", [adapter]) => machine(tree, &format!("ap {} deconf=0", id(adapter)?), held)?,
        ("deconfigure", [adapter]) => machine(tree, &format!("ap {} deconf=1", id(adapter)?), held)?,
        ("checkstop", [what]) => checkstop(tree, what, true, held)?,
        ("repair", [what]) => checkstop(tree, what, false, held)?,
        ("type", [adapter, name]) => set_type(tree, id(adapter)?, name, held)?,
        ("fault", [apqn, pairs @ ..]) if !pairs.is_empty() => return fault(tree, apqn, pairs, held),
        ("set", pairs) if !pairs.is_empty() => return set(tree, pairs, held, out),
        ("modules", ["load", name, parameters @ ..]) => {
            let module = module(name)?;
            return done(tree.host.load_module(module, &parameters.join(" "), held, out), name);
        }
        ("modules", ["unload", name]) => {
            return done(tree.host.unload_module(module(name)?, held, out), name);
        }
        ("advance", [milliseconds]) => {
            let parsed = milliseconds.parse().ok().filter(|time| *time <= YEAR);
            let milliseconds = parsed.ok_or_else(|| {
                ControlError::invalid(format!("`{milliseconds}` is no number of milliseconds up to a year"))
            })?;
            tree.host.clock.sleep(milliseconds);
            return Ok(String::new());
        }
        ("raw", words) if !words.is_empty() => {
            machine(tree, &words.join(" "), held)?;
            return Ok(String::new());
        }
        ("pqap", [name, gr0, gr1, gr2]) => return pqap(tree, name, [gr0, gr1, gr2], held, out),
        (
            "plug" | "unplug" | "control" | "configure" | "deconfigure" | "checkstop" | "repair" | "type"
            | "fault" | "set" | "modules" | "advance",
            _,
        ) => {
            return Err(ControlError::invalid(format!(
                "`hw {verb}`: wrong number of words; see `hw --help`"
            )));
        }
        _ => return Err(ControlError::invalid(format!("`{verb}` is no hw verb: {USAGE}"))),
    }
    out.notice();
    tree.host.force_scan(held, out);
    Ok(String::new())
}

fn machine(tree: &Tree, command: &str, held: Root) -> Result<(), ControlError> {
    tree.machine.command(command, &mut held.at()).map_err(|error| ControlError::invalid(error.to_string()))
}

fn number(text: &str) -> Result<u8, ControlError> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u8::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| {
        ControlError::invalid(format!("`{text}` is no id: expected 0-255, or 0x and hex digits"))
    })
}

fn id(text: &str) -> Result<u8, ControlError> {
    number(text)
}

/// `A` or `A-B`, for the machine's lists.
fn ids(text: &str) -> Result<String, ControlError> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (number(low)?, number(high)?);
    if low > high {
        return Err(ControlError::invalid(format!("`{text}`: the range is the wrong way round")));
    }
    Ok(format!("{low}-{high}"))
}

fn apqn(text: &str) -> Result<Apqn, ControlError> {
    text.parse().map_err(|_| ControlError::invalid(format!("`{text}` is no APQN: expected AA.DDDD in hex")))
}

fn plug(tree: &Tree, what: &str, on: bool, held: Root) -> Result<(), ControlError> {
    let sign = if on { '+' } else { '-' };
    if let Some(domains) = what.strip_prefix('.') {
        return machine(tree, &format!("aqm {sign}{}", ids(domains)?), held);
    }
    if what.contains('.') {
        let apqn = apqn(what)?;
        let rc = if on { 0 } else { ResponseCode::Q_NOT_AVAIL.0 };
        tree.machine.queue_with(apqn, &mut held.at(), |queue| queue.rc = rc);
        if on {
            furnish(tree, &apqn.adapter.0.to_string(), held)?;
            machine(tree, &format!("apm +{}", apqn.adapter.0), held)?;
            machine(tree, &format!("aqm +{}", apqn.domain.0), held)?;
        }
        return Ok(());
    }
    let adapters = ids(what)?;
    if on {
        furnish(tree, &adapters, held)?;
    }
    machine(tree, &format!("apm {sign}{adapters}"), held)
}

/// An adapter that the machine never had is a CEX8C.
fn furnish(tree: &Tree, adapters: &str, held: Root) -> Result<(), ControlError> {
    let (low, high) = adapters.split_once('-').unwrap_or((adapters, adapters));
    for adapter in number(low)?..=number(high)? {
        let missing = tree.machine.look(&mut held.at(), |config| {
            config.adapters.get(&adapter).is_none_or(|adapter| adapter.hwtype == 0)
        });
        if missing {
            machine(tree, &format!("ap {adapter} type=14 mode=cca serial={}", serial(adapter)), held)?;
        }
    }
    Ok(())
}

/// A serial number derived from an adapter's id.
fn serial(adapter: u8) -> String {
    format!("93AADX{adapter:02X}")
}

fn checkstop(tree: &Tree, what: &str, on: bool, held: Root) -> Result<(), ControlError> {
    if what.contains('.') {
        let rc = if on { ResponseCode::CHECKSTOPPED.0 } else { 0 };
        tree.machine.queue_with(apqn(what)?, &mut held.at(), |queue| queue.rc = rc);
        return Ok(());
    }
    machine(tree, &format!("ap {} chkstop={}", id(what)?, u8::from(on)), held)
}

fn set_type(tree: &Tree, adapter: u8, name: &str, held: Root) -> Result<(), ControlError> {
    let bad =
        || ControlError::invalid(format!("`{name}` is no adapter type: expected CEX4 to CEX8 and A, C or P"));
    let rest = name.strip_prefix("CEX").ok_or_else(bad)?;
    let (generation, mode) = rest.split_at_checked(1).ok_or_else(bad)?;
    let generation: u8 = generation.parse().ok().filter(|g| (4..=8).contains(g)).ok_or_else(bad)?;
    let mode = match mode {
        "A" => "accel",
        "C" => "cca",
        "P" => "ep11",
        _ => return Err(bad()),
    };
    let hwtype = generation + 6;
    machine(tree, &format!("ap {adapter} type={hwtype} mode={mode} serial={}", serial(adapter)), held)
}

fn fault(tree: &Tree, name: &str, pairs: &[&str], held: Root) -> Result<String, ControlError> {
    let apqn = apqn(name)?;
    let mut changes = Vec::new();
    for pair in pairs {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| ControlError::invalid(format!("`{pair}`: expected KEY=VALUE")))?;
        changes.push(queue_change(key, value).map_err(|error| {
            ControlError::invalid(format!("{error}; the keys are rc busy rip resetlat zrc trc bs irq"))
        })?);
    }
    tree.machine.queue_with(apqn, &mut held.at(), |queue| changes.iter().for_each(|change| change(queue)));
    Ok(String::new())
}

fn set(tree: &Tree, pairs: &[&str], held: Root, out: &dyn Sink) -> Result<String, ControlError> {
    let mut qci = false;
    for pair in pairs {
        let key = pair.split('=').next().unwrap_or("");
        let command = if matches!(key, "na" | "nd" | "flags") { "qci" } else { "opt" };
        qci |= command == "qci";
        machine(tree, &format!("{command} {pair}"), held)?;
    }
    if qci {
        tree.host.force_scan(held, out);
    }
    Ok(String::new())
}

fn module(name: &str) -> Result<Module, ControlError> {
    Module::from_name(name).ok_or_else(|| {
        ControlError::invalid(format!(
            "`{name}` is no module: expected ap, zcrypt, zcrypt_cex4, mdev or vfio_ap"
        ))
    })
}

fn done(result: Result<(), ap_host::module::ModuleError>, name: &str) -> Result<String, ControlError> {
    result
        .map(|()| String::new())
        .map_err(|error| ControlError::errno(Errno::from(error), format!("{name}: {error}")))
}

fn pqap(
    tree: &Tree,
    name: &str,
    registers: [&str; 3],
    held: Root,
    out: &dyn Sink,
) -> Result<String, ControlError> {
    let guest = tree
        .host
        .guest_named(name, held)
        .ok_or_else(|| ControlError::errno(Errno::ENOENT, format!("no guest `{name}`")))?;
    let mut words = [0; 3];
    for (word, text) in words.iter_mut().zip(registers) {
        *word = match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        }
        .ok_or_else(|| ControlError::invalid(format!("`{text}` is no register content")))?;
    }
    let gr1 = tree.host.guest_pqap(&guest, words[0], words[1], words[2], held, out);
    Ok(format!("gr1={gr1:016x}\n"))
}
