//! The known name that somebody may have meant: one answer for keys of files, commands, attributes, machines.

use std::cmp::Ordering;

/// The known name that is nearest to `word`; `None` only if nothing is known.
///
/// Near is what takes few insertions, removals, replacements and swaps of neighbours; among equals, what begins alike, then the longer.
#[must_use]
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    ranked(word, known).map(|(name, _)| name)
}

/// The known name that is nearest to `word`, if it is so near that it may have been meant.
#[must_use]
pub fn meant<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let length = word.chars().count();
    if length > LONGEST {
        return None;
    }
    let (name, distance) = ranked(word, known)?;
    let near = distance <= 1 + length / 3 && distance < name.chars().count();
    (near && !differ_by_digits(word, name)).then_some(name)
}

/// The known name that a number stands for: `04`, or `4`, for `card04`.
#[must_use]
pub fn numbered<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let digits = format!("{word:0>2}");
    let is_number = (1..=2).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let letters = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphabetic());
    known
        .into_iter()
        .filter(|_| is_number)
        .find(|name| name.strip_suffix(digits.as_str()).is_some_and(letters))
}

/// Below which directories of the tree people look for a short path.
pub const BELOW: [&str; 6] = [
    "",
    "bus/ap/",
    "devices/vfio_ap/matrix/",
    "bus/ap/devices/",
    "bus/ap/drivers/",
    "devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/",
];

/// The only known name that begins so: `62177883` of a UUID.
#[must_use]
pub fn begun<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let mut found = known.into_iter().filter(|name| word.len() >= 4 && name.starts_with(word));
    found.next().filter(|_| found.next().is_none())
}

/// Whether two names differ by their digits only: `card99` is another card than `card00`, and not that one mistyped.
fn differ_by_digits(one: &str, other: &str) -> bool {
    let letters =
        |name: &str| name.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    one != other && letters(one) == letters(other)
}

/// A word that is longer than this is no mistyped name, but a text.
const LONGEST: usize = 32;

/// The nearest name and how many edits it is away.
fn ranked<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<(&'k str, usize)> {
    let begins = |name: &str| word.chars().zip(name.chars()).take_while(|(a, b)| a == b).count();
    let order = |(a, x): &(&str, usize), (b, y): &(&str, usize)| match x.cmp(y) {
        // A letter that was left out is likelier than one that was mistaken for another.
        Ordering::Equal => begins(b).cmp(&begins(a)).then_with(|| b.len().cmp(&a.len())),
        other => other,
    };
    let lower = word.to_lowercase();
    let distance = |name: &str| {
        // Another case is one edit, in however many letters.
        let other_case = strsim::osa_distance(&lower, &name.to_lowercase()) + 1;
        strsim::osa_distance(word, name).min(other_case)
    };
    known.into_iter().map(|name| (name, distance(name))).min_by(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_meant_only_when_it_is_near() {
        let names = ["cat", "echo", "readlink", "["];
        assert_eq!(meant("ehco", names), Some("echo"));
        assert_eq!(meant("catt", names), Some("cat"));
        assert_eq!(meant("redlnk", names), Some("readlink"));
        assert_eq!(meant("pa", ["bus", "ap"]), Some("ap"));
        assert_eq!(meant("apxa", ["APSC", "APXA", "QACT"]), Some("APXA"));
        assert_eq!(meant("QCI", ["apft", "qci", "vm"]), Some("qci"));
        assert_eq!(meant("x", names), None);
        assert_eq!(meant("card99", ["card00", "card01"]), None);
        assert_eq!(meant("", names), None);
        assert_eq!(meant("mdevctl", names), None);
        assert_eq!(meant(&"cat".repeat(11), names), None);
    }

    #[test]
    fn a_number_stands_for_the_name_that_ends_with_it() {
        let names = ["04.0004", "04.0006", "card04", "cardab"];
        assert_eq!(numbered("04", names), Some("card04"));
        assert_eq!(numbered("4", names), Some("card04"));
        assert_eq!(numbered("ab", names), Some("cardab"));
        for none in ["5", "0004", "d04", "", "x"] {
            assert_eq!(numbered(none, names), None, "{none}");
        }
    }

    #[test]
    fn a_beginning_stands_for_the_only_name_that_has_it() {
        let names = ["62177883-f1bb", "62177884-f1bb", "a0000000-0000"];
        assert_eq!(begun("62177883", names), Some("62177883-f1bb"));
        assert_eq!(begun("6217788", names), None);
        assert_eq!(begun("a00", names), None);
    }

    #[test]
    fn something_is_always_nearest_and_a_common_beginning_decides() {
        assert_eq!(nearest("qpan", ["state", "apqn"]), Some("apqn"));
        assert_eq!(nearest("mdevctl", ["cat", "mdev"]), Some("mdev"));
        assert_eq!(nearest("ax", ["bx", "ay"]), Some("ay"));
        assert_eq!(nearest("anything", []), None);
    }
}
