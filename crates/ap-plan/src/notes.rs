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
            notes.push(format!(
                "mdev {}: {} not there; its guest gets what comes later",
                mdev.uuid,
                are(absent)
            ));
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

#[cfg(test)]
mod tests {
    use ap_files::MachineFile;

    use super::*;

    const U: &str = "62177883-f1bb-47f0-914d-32a22e3a8804";

    /// What is noted of a desired state, on a machine of adapters 4 and 10 with an mdev: adapter 4, domain 6, control domain 6.
    fn noted(desired: &str) -> Vec<String> {
        let machine = "schema = \"apmatrix.machine/1\"\ndomains = [6, 71]\napmask = \"-4\"\n[[adapter]]\nids = [4, 10]\n\
                       type = \"CEX8P\"\n[[mdev]]\nuuid = \"U\"\nadapters = 4\ndomains = 6\ncontrol_domains = 6\n";
        let machine = MachineFile::parse("m.toml", &machine.replace("\"U\"", &format!("\"{U}\"")))
            .expect("it is right");
        let desired = desired.replace("\"U\"", &format!("\"{U}\""));
        let desired = format!("schema = \"apmatrix.desired/1\"\n{desired}");
        notes(&State::of(&machine), &DesiredFile::parse("d.toml", &desired).expect("it is right"))
    }

    #[test]
    fn control_domains_that_the_file_does_not_say_are_noted_where_they_change() {
        let widened = noted("[[mdev]]\nuuid = \"U\"\nadapters = 4\ndomains = [6, 71]\n");
        assert_eq!(
            widened,
            [format!(
                "mdev {U}: its control domains are to be those of `domains` (domains 6, 71), since the file does not \
                 say: write `control_domains = []` for none"
            )]
        );
        assert_eq!(noted("[[mdev]]\nuuid = \"U\"\nadapters = 4\ndomains = 6\n"), [""; 0]);
        assert_eq!(
            noted("[[mdev]]\nuuid = \"U\"\nadapters = 4\ndomains = 6\ncontrol_domains = [71]\n"),
            [""; 0]
        );
    }

    #[test]
    fn ids_that_name_nothing_are_noted() {
        let all = noted(
            "[host]\napmask = \"-4,-9\"\n[[mdev]]\nuuid = \"U\"\nadapters = \"0-63\"\ndomains = [6, 7]\n\
             control_domains = 6\n",
        );
        assert_eq!(
            all,
            [
                "apmask: adapter 9 is not there".to_owned(),
                format!("mdev {U}: adapters 0-3, 5-9, 11-63 are not there; its guest gets what comes later"),
                format!("mdev {U}: domain 7 is not there; its guest gets what comes later"),
            ]
        );
        assert_eq!(noted("[host]\napmask = \"all but 9\"\n"), [""; 0]);
    }
}
