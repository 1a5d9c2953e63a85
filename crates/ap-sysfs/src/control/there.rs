//! What is there for the verbs of `hw` to work on, and what they say otherwise.
//!
//! Commands of transcripts (`raw`) ask none of this: they describe hardware before it is there.

use std::hash::Hash;

use ap_machine::MachineConfig;
use ap_types::{AdapterId, AdapterMask, Apqn, DomainMask, Features};

use crate::control::error::ControlError;
use crate::errno::Errno;
use crate::tree::{Root, Tree};

/// Settings that the bus takes over when its module is loaded, and what they are about. (Pages 1 and 6.)
const TAKEN_AT_LOAD: [(&str, &str); 7] = [
    ("na", "the highest adapter id"),
    ("nd", "the highest domain id"),
    ("fac12", "whether there is QCI"),
    ("fac65", "whether adapter interrupts are used"),
    ("se", "whether Linux runs in a Secure Execution guest"),
    ("instr", "whether there are AP instructions"),
    ("vm", "whether Linux runs under z/VM"),
];

/// What to say of a setting that comes too late.
pub(super) fn too_late(tree: &Tree, key: &str, held: Root) -> Option<String> {
    let (_, what) = TAKEN_AT_LOAD.iter().find(|(known, _)| *known == key)?;
    let loaded = tree.host.bus.look(held, |registry| registry.present);
    loaded.then(|| {
        format!("{key}: the bus looks at {what} when `ap` is loaded, and it is: no effect until then\n")
    })
}

fn config<R: Hash>(tree: &Tree, held: Root, look: impl Fn(&MachineConfig) -> R) -> R {
    tree.machine.look(&mut held.at(), look)
}

/// The highest ids of adapters and domains that the bus has, or will have when it is loaded.
fn highest(tree: &Tree, held: Root) -> (u8, u8) {
    let taken = tree.host.bus.look(held, |bus| bus.present.then_some((bus.max_adapter, bus.max_domain)));
    taken.unwrap_or_else(|| {
        config(tree, held, |machine| {
            let or = |id: u8, usual: u8| if id == 0 { usual } else { id };
            match machine.qci {
                qci if machine.facilities.qci && qci.features.contains(Features::APXA) => {
                    (or(qci.na, 63), or(qci.nd, 15))
                }
                _ => (63, 15),
            }
        })
    })
}

fn above(ids: impl Iterator<Item = u8>, highest: u8, what: &str, key: &str) -> Result<(), ControlError> {
    let mut ids = ids;
    let Some(id) = ids.find(|id| *id > highest) else { return Ok(()) };
    Err(ControlError::invalid(format!(
        "{what} {id} is above the highest, {highest}: raise it with `hw set {key}={id}` before `ap` is loaded"
    )))
}

/// Adapters that may come: none is above the highest id.
pub(super) fn possible_adapters(tree: &Tree, ids: &AdapterMask, held: Root) -> Result<(), ControlError> {
    above(ids.iter().map(|id| id.0), highest(tree, held).0, "adapter", "na")
}

/// Domains that may come.
pub(super) fn possible_domains(tree: &Tree, ids: &DomainMask, held: Root) -> Result<(), ControlError> {
    above(ids.iter().map(|id| id.0), highest(tree, held).1, "domain", "nd")
}

/// `4, 6-9, 12`.
pub(super) fn listed(ids: impl Iterator<Item = u8>) -> String {
    let mut runs: Vec<(u8, u8)> = Vec::new();
    for id in ids {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == id => *last = id,
            _ => runs.push((id, id)),
        }
    }
    let run = |(first, last): (u8, u8)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    runs.into_iter().map(run).collect::<Vec<_>>().join(", ")
}

/// What to say of something that is not there.
pub(super) fn missing(what: &str, wanted: &str, there: &str) -> ControlError {
    let there = if there.is_empty() { "there are none".to_owned() } else { format!("there are {there}") };
    ControlError::errno(Errno::ENODEV, format!("{what} {wanted} is not there: {there}"))
}

/// An adapter that the machine has, configured or not.
pub(super) fn adapter(tree: &Tree, id: AdapterId, held: Root) -> Result<(), ControlError> {
    config(tree, held, |machine| {
        let mut there =
            machine.adapters.iter().filter(|(_, adapter)| adapter.hwtype != 0).map(|(id, _)| id.0);
        if there.clone().any(|known| known == id.0) {
            return Ok(());
        }
        Err(missing("adapter", &id.0.to_string(), &listed(&mut there)))
    })
}

/// A queue of an adapter that the machine has.
pub(super) fn queue(tree: &Tree, apqn: Apqn, held: Root) -> Result<(), ControlError> {
    adapter(tree, apqn.adapter, held)
}

/// What is to be known of a queue that is not in the configuration; empty if it is.
pub(super) fn not_yet(tree: &Tree, apqn: Apqn, held: Root) -> String {
    let there = config(tree, held, |machine| {
        (machine.qci.adapters.contains(apqn.adapter), machine.qci.domains.contains(apqn.domain))
    });
    let (what, id, verb) = match there {
        (true, true) => return String::new(),
        (false, _) => ("adapter", apqn.adapter.0, format!("{}", apqn.adapter.0)),
        (true, false) => ("domain", apqn.domain.0, format!(".{}", apqn.domain.0)),
    };
    format!("{what} {id} is not in the configuration: it counts from `hw plug {verb}` on\n")
}

/// A queue that is in the configuration.
pub(super) fn configured_queue(tree: &Tree, apqn: Apqn, held: Root) -> Result<(), ControlError> {
    config(tree, held, |machine| {
        let Apqn { adapter, domain } = apqn;
        let (adapters, domains) = (machine.qci.adapters, machine.qci.domains);
        if !adapters.contains(adapter) {
            return Err(missing("adapter", &adapter.0.to_string(), &listed(adapters.iter().map(|id| id.0))));
        }
        if !domains.contains(domain) {
            return Err(missing("domain", &domain.0.to_string(), &listed(domains.iter().map(|id| id.0))));
        }
        Ok(())
    })
}

/// Which of these adapters are in the configuration already; empty if none is.
pub(super) fn adapters_already(tree: &Tree, asked: &AdapterMask, held: Root) -> String {
    let there = config(tree, held, |machine| machine.qci.adapters & *asked);
    already("adapter", there.iter().map(|id| id.0))
}

/// Which of these domains are in the configuration already; empty if none is.
pub(super) fn domains_already(tree: &Tree, asked: &DomainMask, held: Root) -> String {
    let there = config(tree, held, |machine| machine.qci.domains & *asked);
    already("domain", there.iter().map(|id| id.0))
}

fn already(what: &str, ids: impl Iterator<Item = u8>) -> String {
    let ids: Vec<u8> = ids.collect();
    match ids.as_slice() {
        [] => String::new(),
        [id] => format!("{what} {id} is in the configuration already\n"),
        all => format!("{what}s {} are in the configuration already\n", listed(all.iter().copied())),
    }
}
