//! What to beware of in a machine file, a sentence each: what it means without saying so, and ids that name nothing.
//!
//! Knows the file alone. Nothing here is wrong: the machine boots as it is.

use ap_sysfs::ids::listed;
use ap_types::{AdapterMask, Mask};

use super::format::File;
use super::masks::{MaskText, looks_like_an_id};
use super::model::MachineFile;

/// What to beware of, a sentence each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Ids that name nothing, and masks that read like an id.
    pub ids: Vec<String>,
    /// Defaults that are others in desired states.
    pub defaults: Vec<String>,
}

/// Masks that read like an id.
pub(super) fn masks(file: &File) -> Vec<String> {
    let masks = [("apmask", "adapter", &file.apmask), ("aqmask", "domain", &file.aqmask)];
    let note = |(key, noun, text): (&str, &str, &Option<toml::Spanned<MaskText>>)| {
        let id = looks_like_an_id(text.as_ref()?.get_ref())?;
        Some(format!(
            "{key}: digits alone are the left end of the kernel's whole mask, and no {noun}: write `{key} = [{id}]` for {noun} {id} \
             alone, `{key} = \"all but {id}\"` for all others"
        ))
    };
    masks.into_iter().filter_map(note).collect()
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
