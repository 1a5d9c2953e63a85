//! What to beware of in a machine file, a sentence each: what it means without saying so, and ids that name nothing.
//!
//! Knows the file alone. Nothing here is wrong: the machine boots as it is.

use ap_sysfs::ids::listed;
use ap_types::{AdapterMask, Mask};

use super::format::File;
use super::masks::{MaskText, is_empty, is_whole, looks_like_an_id};
use super::model::MachineFile;

/// What to beware of, a sentence each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Ids that name nothing, and masks that read like an id.
    pub ids: Vec<String>,
    /// Defaults that are others in desired states.
    pub defaults: Vec<String>,
}

/// Masks that read like an id, and those that say nothing.
pub(super) fn masks(file: &File) -> Vec<String> {
    let masks = [("apmask", "adapter", &file.apmask), ("aqmask", "domain", &file.aqmask)];
    let note = |(key, noun, text): (&str, &str, &Option<toml::Spanned<MaskText>>)| {
        if is_empty(text.as_ref()?.get_ref()) {
            return Some(format!(
                "{key}: it is empty, so the host keeps no {noun}, and no queue: write `{key} = \"none\"` to say so, or leave \
                 it out, and the host keeps all"
            ));
        }
        let id = looks_like_an_id(text.as_ref()?.get_ref())?;
        Some(format!(
            "{key}: digits alone are the left end of the kernel's whole mask, and no {noun}: write `{key} = [{id}]` for {noun} {id} \
             alone, `{key} = \"all but {id}\"` for all others"
        ))
    };
    masks.into_iter().filter_map(note).collect()
}

/// The masks of a file that name ids one by one or by ranges, and are not written as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Naming {
    adapters: bool,
    domains: bool,
}

impl Naming {
    pub(super) fn of(file: &File) -> Naming {
        let names = |text: &Option<toml::Spanned<MaskText>>| {
            text.as_ref().is_some_and(|text| !is_whole(text.get_ref()))
        };
        Naming { adapters: names(&file.apmask), domains: names(&file.aqmask) }
    }
}

/// Ids that a mask names, and that are not there.
pub(super) fn named(machine: &MachineFile, naming: Naming, notes: &mut Notes) {
    let there: AdapterMask = machine.adapters.iter().map(|adapter| adapter.id).collect();
    let apmask = naming.adapters.then(|| are("adapter", meant(machine.apmask) - there)).flatten();
    let aqmask = naming.domains.then(|| are("domain", meant(machine.aqmask) - machine.domains)).flatten();
    for (key, absent) in [("apmask", apmask), ("aqmask", aqmask)] {
        notes.ids.extend(absent.map(|absent| format!("{key}: {absent} not there")));
    }
}

/// The ids that a mask is written by: those in it or those out of it, whichever does not go up to the highest that can be.
fn meant<M: Mask + std::ops::Not<Output = M>>(mask: M) -> M {
    if mask.has_highest() { !mask } else { mask }
}

/// Mdevs of what is not there, and the default of their control domains.
pub(super) fn mdevs(machine: &MachineFile, notes: &mut Notes) {
    let there: AdapterMask = machine.adapters.iter().map(|adapter| adapter.id).collect();
    for mdev in &machine.mdevs {
        let (uuid, matrix) = (mdev.uuid, mdev.matrix);
        let absent = [
            are("adapter", matrix.adapters - there),
            are("domain", matrix.domains - machine.domains),
            are("control domain", matrix.control_domains - machine.control_domains),
        ];
        for absent in absent.into_iter().flatten() {
            notes.ids.push(format!("mdev {uuid}: {absent} not there; its guest gets what comes later"));
        }
        if mdev.control_by_default && !matrix.domains.is_empty() {
            notes.defaults.push(format!(
                "mdev {uuid}: it has no control domains, since the file does not say which: write `control_domains = []` to say so \
                 (a desired state takes those of `domains`)"
            ));
        }
    }
}

/// `adapters 4-5 are`; nothing of no ids.
fn are<M: Mask + IntoIterator<Item = M::Id>>(noun: &str, mask: M) -> Option<String> {
    let ids: Vec<u8> = mask.into_iter().map(Into::into).collect();
    let all = listed(ids.iter().copied());
    match ids.len() {
        0 => None,
        1 => Some(format!("{noun} {all} is")),
        _ => Some(format!("{noun}s {all} are")),
    }
}
