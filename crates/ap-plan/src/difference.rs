//! In what two hosts' facts differ, in the words of people: which adapters and domains went, and which came.
//!
//! Knows the texts that [`State::facts`](crate::State::facts) writes, as a plan's file keeps them; not what follows from
//! a difference.

use std::collections::{BTreeMap, BTreeSet};

use ap_sysfs::ids::listed;
use ap_types::grammar::{ap_config, mask_write};
use ap_types::{AdapterMask, DomainMask, Mask, Matrix};

/// What is different, a line each, of two hosts' facts.
#[must_use]
pub fn differences(was: &BTreeMap<String, String>, is: &BTreeMap<String, String>) -> Vec<String> {
    let keys: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    keys.into_iter()
        .filter_map(|key| {
            let told = match (was.get(key), is.get(key)) {
                (Some(was), Some(is)) if was == is => return None,
                (Some(was), Some(is)) => changed(key, was, is),
                (Some(_), None) => " is gone".to_owned(),
                (None, Some(is)) => format!(" has come: {}", said(key, is)),
                (None, None) => return None,
            };
            // A card by its name: a number of an adapter is decimal, and this one is hex.
            let called = key.strip_prefix("adapter ").map_or(key.clone(), |digits| format!("card{digits}"));
            Some(called + &told)
        })
        .collect()
}

/// Whose the ids are that a guest gets.
const GUEST: &str = "its guest";

/// A fact taken apart.
#[derive(Debug, Default)]
struct Fact<'a> {
    /// Its sets of ids, by whose they are and what the ids name.
    sets: BTreeMap<(String, &'static str), [u64; 4]>,
    /// Its words.
    word: Option<&'a str>,
    /// Who has it open.
    holder: Option<&'a str>,
}

impl<'a> Fact<'a> {
    /// What the fact of that name says; `None` if it is not one of those that have sets.
    fn read(key: &str, text: &'a str) -> Option<Fact<'a>> {
        let mut fact = Fact::default();
        match key.split(' ').next()? {
            "apmask" => fact.add(String::new(), "adapter", mask::<AdapterMask>(text)?),
            "aqmask" => fact.add(String::new(), "domain", mask::<DomainMask>(text)?),
            "configuration" => fact.matrix("", text)?,
            "adapter" => {
                // A type without name is two words: `type 20 host=…`.
                let start = text.find('=').map_or(text.len(), |at| text[..at].rfind(' ').unwrap_or(at));
                let (word, sets) = text.split_at(start);
                fact.word = Some(word);
                for set in sets.split_whitespace() {
                    let (name, row) = set.rsplit_once('=')?;
                    let whose = match name {
                        "host" => "the host".to_owned(),
                        "none" => "no driver".to_owned(),
                        "off" => "what is deconfigured or checkstopped".to_owned(),
                        _ => match name.strip_prefix("override=") {
                            Some(driver) => format!("the override to {driver}"),
                            None => name.to_owned(),
                        },
                    };
                    fact.add(whose, "domain", mask::<DomainMask>(row)?);
                }
            }
            "mdev" => {
                for (number, part) in text.split(", ").enumerate() {
                    match part.split_once(' ') {
                        None if number == 0 => fact.matrix("", part)?,
                        Some(("guest", part)) => fact.matrix(GUEST, part)?,
                        Some(("held", part)) => fact.holder = part.strip_prefix("by "),
                        _ => return None,
                    }
                }
            }
            _ => return None,
        }
        Some(fact)
    }

    fn add(&mut self, whose: String, noun: &'static str, ids: [u64; 4]) {
        self.sets.insert((whose, noun), ids);
    }

    fn matrix(&mut self, whose: &str, text: &str) -> Option<()> {
        let Matrix { adapters, domains, control_domains } = ap_config(text.as_bytes()).ok()?;
        self.add(whose.to_owned(), "adapter", adapters.words());
        self.add(whose.to_owned(), "domain", domains.words());
        self.add(whose.to_owned(), "control domain", control_domains.words());
        Some(())
    }
}

/// The ids of an absolute mask.
fn mask<M: Mask>(text: &str) -> Option<[u64; 4]> {
    mask_write(M::default(), text.as_bytes()).ok().map(|mask: M| mask.words())
}

/// `adapters 4-5`; nothing of no ids.
fn named(noun: &str, words: [u64; 4]) -> Option<String> {
    let mask = DomainMask::from_words(words);
    let several = if mask.count() == 1 { "" } else { "s" };
    (!mask.is_empty()).then(|| format!("{noun}{several} {}", listed(mask.iter().map(|id| id.0))))
}

/// How a fact was and how it is, where they differ.
fn changed(key: &str, was: &str, is: &str) -> String {
    let Some((before, after)) = Fact::read(key, was).zip(Fact::read(key, is)) else {
        return format!(" was {was} and is {is}");
    };
    let mut parts = Vec::new();
    if before.word != after.word {
        parts.push(format!(
            "was {} and is {}",
            before.word.unwrap_or("nothing"),
            after.word.unwrap_or("nothing")
        ));
    }
    let sets: BTreeSet<&(String, &str)> = before.sets.keys().chain(after.sets.keys()).collect();
    let guests = |fact: &Fact<'_>| fact.sets.keys().any(|(whose, _)| whose == GUEST);
    // What a guest gets stands there only where it is not what follows from the rest.
    let told = guests(&before) && guests(&after);
    if !told && (guests(&before) || guests(&after)) {
        parts.push("what its guest gets has changed".to_owned());
    }
    for set @ (whose, noun) in sets.into_iter().filter(|(whose, _)| told || whose != GUEST) {
        let of = |fact: &Fact<'_>| fact.sets.get(set).copied().unwrap_or_default();
        let (before, after) = (of(&before), of(&after));
        let whose = if whose.is_empty() { String::new() } else { format!("{whose} ") };
        let beyond =
            |some: [u64; 4], other: [u64; 4]| named(noun, std::array::from_fn(|at| some[at] & !other[at]));
        parts.extend(beyond(before, after).map(|ids| format!("{whose}lost {ids}")));
        parts.extend(beyond(after, before).map(|ids| format!("{whose}got {ids}")));
    }
    if before.holder != after.holder {
        parts.extend(before.holder.map(|holder| format!("was held by {holder}")));
        parts.push(
            after.holder.map_or("nobody has it open".to_owned(), |holder| format!("is held by {holder}")),
        );
    }
    format!(": {}", parts.join(", "))
}

/// What a fact says.
fn said(key: &str, text: &str) -> String {
    let Some(fact) = Fact::read(key, text) else { return text.to_owned() };
    let mut parts: Vec<String> = fact.word.map(str::to_owned).into_iter().collect();
    for ((whose, noun), ids) in &fact.sets {
        let whose = if whose.is_empty() { String::new() } else { format!("{whose}: ") };
        parts.extend(named(noun, *ids).map(|ids| format!("{whose}{ids}")));
    }
    parts.extend(fact.holder.map(|holder| format!("held by {holder}")));
    if parts.is_empty() { "it has nothing".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use ap_files::MachineFile;

    use super::*;
    use crate::State;

    const U: &str = "62177883-f1bb-47f0-914d-32a22e3a8804";

    fn facts(lines: &str, mdev: &str) -> BTreeMap<String, String> {
        let mdev =
            if mdev.is_empty() { String::new() } else { format!("[[mdev]]\nuuid = \"{U}\"\n{mdev}\n") };
        let text = format!(
            "schema = \"apmatrix.machine/1\"\ndomains = [6, 71]\ncontrol_domains = 6\n{lines}\n[[adapter]]\nids = [4, 10]\ntype = \"CEX8P\"\n{mdev}"
        );
        State::of(&MachineFile::parse("m.toml", &text).expect("it is right")).facts()
    }

    #[test]
    fn what_went_and_what_came_is_named_and_no_mask_is_shown() {
        let was = facts("apmask = \"-4\"", "adapters = 4\ndomains = 6");
        let is = facts("apmask = \"-10\"", "");
        assert_eq!(
            differences(&was, &is),
            [
                "card04: the host got domains 6, 71, vfio_ap lost domains 6, 71".to_owned(),
                "card0a: the host lost domains 6, 71, vfio_ap got domains 6, 71".to_owned(),
                "apmask: lost adapter 10, got adapter 4".to_owned(),
                format!("mdev {U} is gone"),
            ]
        );
        assert_eq!(differences(&is, &was).last(), Some(&format!("mdev {U} has come: adapter 4, domain 6")));
        let is =
            facts("apmask = \"-4\"", &format!("domains = [6, 71]\n[[guest]]\nname = \"g1\"\nmdev = \"{U}\""));
        assert_eq!(
            differences(&was, &is),
            [format!("mdev {U}: lost adapter 4, got domain 71, is held by guest g1")]
        );
        assert_eq!(
            differences(&is, &was),
            [format!("mdev {U}: got adapter 4, lost domain 71, was held by guest g1, nobody has it open")]
        );
    }

    #[test]
    fn facts_that_nobody_writes_are_told_as_they_are() {
        let of = |text: &str| BTreeMap::from([("apmask".to_owned(), text.to_owned())]);
        assert_eq!(differences(&of("all"), &of("0x0")), ["apmask was all and is 0x0"]);
        let vfio = |text: &str| BTreeMap::from([("vfio_ap".to_owned(), text.to_owned())]);
        assert_eq!(
            differences(&vfio("loaded"), &vfio("not loaded")),
            ["vfio_ap was loaded and is not loaded"]
        );
    }
}
