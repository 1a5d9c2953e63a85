//! What to beware of in a desired file on a host, a sentence each: what it does without saying so, and ids that name
//! nothing.
//!
//! Knows the file and the state; not the writes. Nothing here is in the way of a plan.

use ap_files::DesiredFile;
use ap_files::desired::MaskWish;
use ap_types::{AdapterMask, DomainMask, Matrix};

use crate::reason::{adapters, domains};
use crate::state::State;

/// What to beware of if that file is carried out on a host in that state.
#[must_use]
pub fn notes(state: &State, desired: &DesiredFile) -> Vec<String> {
    let there: AdapterMask = state.cards.keys().copied().collect();
    let mut notes = Vec::new();
    if let Some(MaskWish::Change { clear, .. }) = desired.apmask
        && !(clear - there).is_empty()
    {
        notes.push(format!("apmask: {} not there", are(clear - there)));
    }
    for mdev in &desired.mdevs {
        let old = state.mdevs.get(&mdev.uuid).map(|mdev| mdev.matrix).unwrap_or_default();
        let Matrix { adapters, domains: usage, control_domains: control } = mdev.matrix;
        if mdev.control_by_default && control != old.control_domains {
            let which = match control.is_empty() {
                true => "none, as it has no domains".to_owned(),
                false => format!("those of `domains` ({})", domains(&control)),
            };
            notes.push(format!(
                "mdev {}: its control domains are to be {which}, since the file does not say: write `control_domains = []` for none",
                mdev.uuid
            ));
        }
        let absent = (adapters - old.adapters) - there;
        if !absent.is_empty() {
            notes.push(format!("mdev {}: {} not there; its guest gets what comes later", mdev.uuid, are(absent)));
        }
        let absent: DomainMask = (usage - old.domains) - state.config.domains;
        if state.config_told() && !absent.is_empty() {
            let verb = if absent.count() == 1 { "is" } else { "are" };
            notes.push(format!(
                "mdev {}: {} {verb} not there; its guest gets what comes later",
                mdev.uuid,
                domains(&absent)
            ));
        }
    }
    notes
}

/// `adapters 8-255 are`.
fn are(mask: AdapterMask) -> String {
    format!("{} {}", adapters(&mask), if mask.count() == 1 { "is" } else { "are" })
}
