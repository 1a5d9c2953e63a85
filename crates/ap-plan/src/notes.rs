//! What to beware of in a desired file on a host, or in a single write to it, a sentence each: what it does without saying
//! so, and ids that name nothing.
//!
//! Knows the state and what is asked of it; not the rules. Nothing here is in the way of a plan or of a write.

use ap_files::DesiredFile;
use ap_files::desired::{DesiredMdev, MaskWish};
use ap_sysfs::ids::listed;
use ap_types::grammar::{mask_write, strict};
use ap_types::{AdapterId, AdapterMask, Apqn, DomainId, DomainMask, Mask, Matrix};

use crate::meaning;
use crate::proposal::Proposal;
use crate::reading::{Reading, read};
use crate::reason::{adapters, domains};
use crate::state::State;
use crate::target::Target;
use crate::write::Store;

/// How many mdevs a sentence names.
const MOST_NAMED: usize = 3;

/// The ids that a wish names for the host to leave: those of `-4,-10` and of `all but 4,10`, not what a list leaves out.
fn left<M>(wish: MaskWish<M>) -> M
where
    M: Mask + std::ops::Not<Output = M>,
{
    match wish {
        MaskWish::Change { clear, .. } => clear,
        MaskWish::Exactly(mask) if mask.has_highest() => !mask,
        MaskWish::Exactly(_) => M::default(),
    }
}

/// That the host keeps only what a mask lists, if that is less than half of what is there: who lists a few may mean what is to
/// be given up.
fn few<M>(key: &str, wish: Option<MaskWish<M>>, there: M, said: fn(&M) -> String) -> Option<String>
where
    M: Mask + IntoIterator<Item = M::Id> + std::ops::BitAnd<Output = M>,
{
    let MaskWish::Exactly(mask) = wish? else { return None };
    let kept = mask & there;
    let ids: Vec<u8> = kept.into_iter().map(Into::into).collect();
    let few = !mask.has_highest() && !ids.is_empty() && 2 * ids.len() < there.into_iter().count();
    few.then(|| {
        format!(
            "{key}: a list is what the host keeps, {} and no other; write `{key} = \"all but {}\"` if that is what it gives up",
            said(&kept),
            listed(ids)
        )
    })
}

/// What to beware of if that file is carried out on a host in that state: ids that are not there first.
#[must_use]
pub fn notes(state: &State, desired: &DesiredFile) -> Vec<String> {
    let mut notes = doubtful(state, desired);
    notes.extend(kept(state, desired));
    notes.extend(desired.mdevs.iter().filter_map(|mdev| emptied(state, mdev)));
    notes.extend(control_domains(state, desired));
    notes
}

/// Masks that leave the host little of what is there.
fn kept(state: &State, desired: &DesiredFile) -> impl Iterator<Item = String> {
    let cards: AdapterMask = state.cards.keys().copied().collect();
    let adapters = few("apmask", desired.apmask, cards, adapters);
    adapters.into_iter().chain(few("aqmask", desired.aqmask, state.config.domains, domains))
}

/// What in a file may be why there is no plan: ids that are not there, mdevs of which it lists nothing, and a mask that keeps
/// little, unless what is in the way says what to write instead.
#[must_use]
pub fn of_no_plan(state: &State, desired: &DesiredFile) -> Vec<String> {
    let mut notes = doubtful(state, desired);
    let proposal = Proposal::of(state, &Target::of(state, desired));
    if !proposal.is_some_and(|proposal| proposal.is_turned()) {
        notes.extend(kept(state, desired));
    }
    notes
}

/// That a running guest is left no queue at all: a line of its mdev may have been forgotten, or an id mistyped.
fn emptied(state: &State, mdev: &DesiredMdev) -> Option<String> {
    let now = state.mdevs.get(&mdev.uuid)?;
    let cards: AdapterMask = state.cards.keys().copied().collect();
    let Matrix { adapters, domains, .. } = mdev.matrix;
    let there = Matrix {
        adapters: adapters & cards,
        domains: if state.config_told() { domains & state.config.domains } else { domains },
        ..Matrix::default()
    };
    let holder = now.holder.as_ref().filter(|_| now.shadow.has_queues() && !there.has_queues())?;
    let why = if mdev.matrix.has_queues() { ": those that it is to have are not there" } else { "" };
    Some(format!("mdev {}: {holder}, which runs, keeps no queue of it{why}", mdev.uuid))
}

/// What in a file may be why there is no plan: ids that are not there, and mdevs of which it lists nothing.
fn doubtful(state: &State, desired: &DesiredFile) -> Vec<String> {
    let there: AdapterMask = state.cards.keys().copied().collect();
    let mut notes = Vec::new();
    let absent = desired.apmask.map(left).unwrap_or_default() - there;
    if !absent.is_empty() {
        notes.push(format!("apmask: {} not there", are(absent)));
    }
    let absent = desired.aqmask.map(left).unwrap_or_default() - state.config.domains;
    if state.config_told() && !absent.is_empty() {
        let verb = if absent.count() == 1 { "is" } else { "are" };
        notes.push(format!("aqmask: {} {verb} not there", domains(&absent)));
    }
    for mdev in &desired.mdevs {
        let old = state.mdevs.get(&mdev.uuid).map(|mdev| mdev.matrix).unwrap_or_default();
        if mdev.matrix == Matrix::default() && old.has_queues() {
            notes.push(format!(
                "mdev {}: the file lists nothing for it, so all is taken from it; `mdevctl list` says nothing of mdevs that \
                 mdevctl has not defined: leave those out",
                mdev.uuid
            ));
        }
        let Matrix { adapters, domains: usage, .. } = mdev.matrix;
        for (is_off, what, why) in
            [(true, "checkstopped", "broken"), (false, "deconfigured", "switched off, and take no requests")]
        {
            let had = |apqn: &Apqn| is_off && old.contains(*apqn);
            let found: Vec<Apqn> = state
                .off
                .intersection_product(&adapters, &usage)
                .filter(|apqn| state.checkstopped.contains(*apqn) == is_off && !had(apqn))
                .collect();
            match found.as_slice() {
                [] => {}
                [queue] => notes.push(format!(
                    "mdev {}: queue {queue}, which it is to have, is {what}: it is {}",
                    mdev.uuid,
                    why.replace("take ", "takes ")
                )),
                [first, ..] => notes.push(format!(
                    "mdev {}: {} queues that it is to have, {first} first, are {what}: they are {why}",
                    mdev.uuid,
                    found.len()
                )),
            }
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

/// Which control domains an mdev gets that its file does not say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unsaid {
    /// None, as it has no domains.
    NoDomains,
    /// None: a machine file has another default.
    MachineFile,
    /// Those of its domains.
    Domains,
}

/// Of an mdev, if people may not expect it.
fn unsaid(state: &State, mdev: &DesiredMdev) -> Option<Unsaid> {
    let old = state.mdevs.get(&mdev.uuid).map(|mdev| mdev.matrix).unwrap_or_default();
    let Matrix { domains: usage, control_domains: control, .. } = mdev.matrix;
    // In a machine file the default is none, which people do not expect of an mdev that gets domains.
    let none = control.is_empty() && !usage.is_empty() && old != mdev.matrix;
    (mdev.control_by_default && (control != old.control_domains || none)).then_some(
        match (control.is_empty(), usage.is_empty()) {
            (true, true) => Unsaid::NoDomains,
            (true, false) => Unsaid::MachineFile,
            (false, _) => Unsaid::Domains,
        },
    )
}

/// That mdevs get control domains which their file does not say: a sentence for all to which the same happens.
fn control_domains<'a>(state: &'a State, desired: &'a DesiredFile) -> impl Iterator<Item = String> + 'a {
    [Unsaid::NoDomains, Unsaid::MachineFile, Unsaid::Domains].into_iter().filter_map(move |kind| {
        let found = desired.mdevs.iter().filter(|mdev| unsaid(state, mdev) == Some(kind));
        let mdevs: Vec<&DesiredMdev> = found.collect();
        let (said, its, it_has) = match mdevs.as_slice() {
            [] => return None,
            [one] => (format!("mdev {}", one.uuid), "its", "it has"),
            more => {
                let named: Vec<String> =
                    more.iter().take(MOST_NAMED).map(|mdev| mdev.uuid.to_string()).collect();
                let rest = more.len().saturating_sub(MOST_NAMED);
                let rest = if rest == 0 { String::new() } else { format!(" and {rest} more") };
                (format!("mdevs {}{rest}", named.join(", ")), "their", "they have")
            }
        };
        let instead_of_none;
        let (which, instead) = match (kind, mdevs.as_slice()) {
            (Unsaid::NoDomains, _) => {
                (format!("none, as {it_has} no domains"), "`control_domains = []` for none")
            }
            (Unsaid::MachineFile, mdevs) => {
                instead_of_none = own_domain(mdevs);
                ("none, as in a machine file".to_owned(), instead_of_none.as_str())
            }
            (Unsaid::Domains, mdevs) => {
                let those = match mdevs {
                    [one] => format!("those of `domains` ({})", domains(&one.matrix.control_domains)),
                    _ => "those of `domains`".to_owned(),
                };
                (those, "`control_domains = []` for none (which is the default in machine files)")
            }
        };
        Some(format!(
            "{said}: {its} control domains are to be {which}, since the file does not say: write {instead}"
        ))
    })
}

/// How an mdev gets a control domain that it could mean: one of its own domains.
fn own_domain(mdevs: &[&DesiredMdev]) -> String {
    let domain = mdevs.iter().find_map(|mdev| mdev.matrix.domains.iter().next()).unwrap_or(DomainId(6));
    format!("`control_domains = [{0}]` for domain {0}", domain.0)
}

/// What to beware of in a write to a host in that state: ids that name nothing, that it changes nothing, and what stays
/// though people may think that it goes. Sentences without full stop.
#[must_use]
pub fn of_write(state: &State, store: &Store) -> Vec<String> {
    let file = store.path.rsplit('/').next().unwrap_or_default();
    let (mut notes, whole) = meaning::of_text(store);
    let Some((named, gives)) = named(file, &store.text).filter(|_| !whole) else { return notes };
    let there: AdapterMask = state.cards.keys().copied().collect();
    let later = if gives { "; its guest gets what comes later" } else { "" };
    let absent = named.adapters - there;
    if !absent.is_empty() {
        notes.push(format!("{} not there{later}", are(absent)));
    }
    let absent = named.domains - state.config.domains;
    if state.config_told() && !absent.is_empty() {
        let verb = if absent.count() == 1 { "is" } else { "are" };
        notes.push(format!("{} {verb} not there{later}", domains(&absent)));
    }
    let nothing = match read(state, store) {
        // A control domain is never refused, so nothing is read of it but its text.
        Reading::Nothing => file != "assign_control_domain",
        Reading::Takes(uuid, left) => state.mdevs.get(&uuid).is_some_and(|mdev| mdev.matrix == left),
        _ => false,
    };
    if nothing {
        notes.push("it changes nothing, as it is so already".to_owned());
    } else if let Reading::Takes(uuid, left) = read(state, store)
        && let Some(mdev) = state.mdevs.get(&uuid)
    {
        let stays = (mdev.matrix.domains - left.domains) & left.control_domains;
        if !stays.is_empty() {
            let (verb, each) =
                if stays.count() == 1 { ("stays", "it, too") } else { ("stay", "each of them, too") };
            notes.push(format!("control {} {verb}: unassign_control_domain takes {each}", domains(&stays)));
        }
    }
    notes
}

/// The ids that a write to a mask or an mdev names one by one, and whether it gives them to an mdev; `None`: it names none
/// so, or is none of these.
fn named(file: &str, text: &str) -> Option<(Matrix, bool)> {
    let mut named = Matrix::default();
    // What a whole mask says of ids that are not there is for later.
    let relative = text.starts_with(['+', '-']);
    match file {
        "apmask" if relative => {
            let set: AdapterMask = mask_write(AdapterMask::EMPTY, text.as_bytes()).ok()?;
            named.adapters = set | !mask_write(AdapterMask::ALL, text.as_bytes()).ok()?;
        }
        "aqmask" if relative => {
            let set: DomainMask = mask_write(DomainMask::EMPTY, text.as_bytes()).ok()?;
            named.domains = set | !mask_write(DomainMask::ALL, text.as_bytes()).ok()?;
        }
        "apmask" | "aqmask" => {}
        _ => {
            let id = u8::try_from(strict(text.as_bytes()).ok()?).ok()?;
            match file.strip_prefix("un").unwrap_or(file) {
                "assign_adapter" => drop(named.adapters.insert(AdapterId(id))),
                "assign_domain" => drop(named.domains.insert(DomainId(id))),
                // Nobody needs to have a domain that a guest may control.
                "assign_control_domain" => {}
                _ => return None,
            }
        }
    }
    Some((named, file.starts_with("assign_")))
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
    fn a_list_of_a_few_that_the_host_is_to_keep_is_noted() {
        let keys = "schema = \"apmatrix.machine/1\"\ndomains = [6, 71]\n[[adapter]]\nids = \"4-10\"\ntype = \"CEX8P\"\n";
        let state = State::of(&MachineFile::parse("m.toml", keys).expect("it is right"));
        let noted = |host: &str| {
            let text = format!("schema = \"apmatrix.desired/1\"\n[host]\n{host}\n");
            notes(&state, &DesiredFile::parse("d.toml", &text).expect("it is right"))
        };
        assert_eq!(
            noted("apmask = \"10\""),
            [
                "apmask: a list is what the host keeps, adapter 10 and no other; write `apmask = \"all but 10\"` if that is \
                 what it gives up"
            ]
        );
        assert_eq!(noted("apmask = \"5-6\"").len(), 1);
        for plain in [
            "apmask = \"4-8\"",
            "apmask = \"-10\"",
            "apmask = \"all but 4-8\"",
            "apmask = \"none\"",
            "aqmask = [6]",
        ] {
            assert_eq!(noted(plain), [""; 0], "{plain}");
        }
    }

    #[test]
    fn control_domains_that_the_file_does_not_say_are_noted_where_they_change() {
        let widened = noted("[[mdev]]\nuuid = \"U\"\nadapters = 4\ndomains = [6, 71]\n");
        assert_eq!(
            widened,
            [format!(
                "mdev {U}: its control domains are to be those of `domains` (domains 6, 71), since the file does not \
                 say: write `control_domains = []` for none (which is the default in machine files)"
            )]
        );
        assert_eq!(noted("[[mdev]]\nuuid = \"U\"\nadapters = 4\ndomains = 6\n"), [""; 0]);
        assert_eq!(
            noted("[[mdev]]\nuuid = \"U\"\nadapters = 4\ndomains = 6\ncontrol_domains = [71]\n"),
            [""; 0]
        );
    }

    #[test]
    fn several_mdevs_to_which_the_same_happens_are_one_note() {
        let mdev = |last: u8| format!("a0000000-0000-4000-8000-00000000000{last}");
        let desired =
            |last: u8| format!("[[mdev]]\nuuid = \"{}\"\nadapters = 4\ndomains = {last}\n", mdev(last));
        let said = noted(&[1, 2, 3, 4].map(desired).concat());
        let control: Vec<&String> = said.iter().filter(|note| note.contains("control domains")).collect();
        assert_eq!(
            control,
            [&format!(
                "mdevs {}, {}, {} and 1 more: their control domains are to be those of `domains`, since the file does \
                 not say: write `control_domains = []` for none (which is the default in machine files)",
                mdev(1),
                mdev(2),
                mdev(3)
            )]
        );
    }

    #[test]
    fn a_machine_file_that_does_not_say_control_domains_means_none() {
        let machine = "schema = \"apmatrix.machine/1\"\napmask = \"-4\"\ndomains = [6, 71]\n[[adapter]]\nids = [4, 10]\n\
                       type = \"CEX8P\"\n[[mdev]]\nuuid = \"U\"\nadapters = 4\ndomains = [6, 71]\n";
        let machine = machine.replace("\"U\"", &format!("\"{U}\""));
        let with =
            MachineFile::parse("m.toml", &format!("{machine}control_domains = 6\n")).expect("it is right");
        let desired = DesiredFile::parse("d.toml", &machine).expect("it is right");
        assert_eq!(
            notes(&State::of(&with), &desired),
            [format!(
                "mdev {U}: its control domains are to be none, as in a machine file, since the file does not say: write \
                 `control_domains = [6]` for domain 6"
            )]
        );
    }

    #[test]
    fn a_write_of_ids_that_name_nothing_is_noted_and_one_that_changes_nothing() {
        let machine = format!(
            "schema = \"apmatrix.machine/1\"\napmask = \"-4\"\ndomains = [6, 71]\n[[adapter]]\nids = [4, 10]\ntype = \"CEX8P\"\n\
             [[mdev]]\nuuid = \"{U}\"\nadapters = 4\ndomains = 6\n"
        );
        let state = State::of(&MachineFile::parse("m.toml", &machine).expect("it is right"));
        let noted = |file: &str, text: &str| {
            let directory = if file.ends_with("mask") { "bus/ap" } else { "devices/vfio_ap/matrix/U" };
            let path = format!("{}/{file}", directory.replace('U', U));
            of_write(&state, &Store { path, text: format!("{text}\n") })
        };
        let (later, same) = ("; its guest gets what comes later", "it changes nothing, as it is so already");
        assert_eq!(noted("assign_adapter", "12"), [format!("adapter 12 is not there{later}")]);
        assert_eq!(noted("assign_domain", "7"), [format!("domain 7 is not there{later}")]);
        assert_eq!(noted("unassign_adapter", "12"), ["adapter 12 is not there", same]);
        assert_eq!(noted("unassign_domain", "71"), [same]);
        assert_eq!(noted("assign_adapter", "4"), [same]);
        assert_eq!(noted("assign_control_domain", "9"), [""; 0]);
        assert_eq!(noted("apmask", "+77,-9,-10"), ["adapters 9, 77 are not there"]);
        assert_eq!(noted("aqmask", "+7"), ["domain 7 is not there", same]);
        assert_eq!(
            noted("apmask", "0xff"),
            [
                "without + or - 0xff is the left end of a mask that says of every adapter whether the host has it",
                "it is a whole mask: the host's are adapters 0-7 and no other"
            ]
        );
        assert_eq!(noted("aqmask", "0x0"), ["it is a whole mask: no domain is the host's"]);
        let but = format!("0x{}", "f7".repeat(32));
        assert!(
            noted("apmask", &but)[0]
                .starts_with("it is a whole mask: all are the host's but adapters 4, 12, 20")
        );
        assert_eq!(
            noted("ap_config", "0x18,0x60,0x18"),
            ["it says adapters 3-4, domains 1-2, control domains 3-4"]
        );
        assert_eq!(noted("apmask", "-9-"), [""; 0]);
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
        assert_eq!(noted("[host]\napmask = \"all but 9\"\n"), ["apmask: adapter 9 is not there"]);
        assert_eq!(
            noted("[host]\naqmask = \"all but 6, 16-90\"\n"),
            ["aqmask: domains 16-70, 72-90 are not there"]
        );
        assert_eq!(noted("[host]\naqmask = \"0-90\"\napmask = \"all but 4,10\"\n"), [""; 0]);
    }
}
