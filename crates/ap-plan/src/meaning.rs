//! What a text that is written to a mask or to `ap_config` means, in ids: nobody reads masks in hex, and numbers are mistaken
//! for masks, and masks for numbers.
//!
//! Knows the texts and nothing of the host: not what is there, nor whether it would be refused.

use ap_sysfs::ids::{LeadingZero, listed};
use ap_types::grammar::{ap_config, mask_write};
use ap_types::{AdapterMask, DomainMask, Mask, Matrix};

use crate::reason::{adapters, domains};
use crate::write::Store;

/// What to beware of in a text, a sentence each; and whether it is one that says all of its file, so that the ids that it
/// does not name mean something, too.
pub(crate) fn of_text(store: &Store) -> (Vec<String>, bool) {
    let file = store.path.rsplit('/').next().unwrap_or_default();
    let mut notes: Vec<String> =
        octal(file, &store.text).or_else(|| unsigned(file, &store.text)).into_iter().collect();
    if file == "ap_config" {
        notes.extend(of_config(&store.text));
        return (notes, true);
    }
    let whole = whole(file, &store.text);
    let is_whole = whole.is_some();
    notes.extend(whole);
    (notes, is_whole)
}

/// What a matrix has: `adapter 4, domains 6, 71`; `nothing`.
#[must_use]
pub fn of_matrix(matrix: &Matrix) -> String {
    let mut all = Vec::new();
    if !matrix.adapters.is_empty() {
        all.push(adapters(&matrix.adapters));
    }
    if !matrix.domains.is_empty() {
        all.push(domains(&matrix.domains));
    }
    if !matrix.control_domains.is_empty() {
        all.push(format!("control {}", domains(&matrix.control_domains)));
    }
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
}

/// A whole mask as a desired state says it: `all`, `none`, `all but 4, 10`, `4-7`.
#[must_use]
pub fn of_mask<M: Mask + std::ops::Not<Output = M>>(mask: M) -> String {
    let (has, has_not) = (listed(mask.members().map(Into::into)), listed((!mask).members().map(Into::into)));
    match (has.as_str(), has_not.as_str()) {
        ("", _) => "none".to_owned(),
        (_, "") => "all".to_owned(),
        _ if has_not.len() <= has.len() || mask.has_highest() => format!("all but {has_not}"),
        _ => has,
    }
}

/// That a text is a whole mask, where it looks as if its sign was forgotten.
fn unsigned(file: &str, text: &str) -> Option<String> {
    let what = match file {
        "apmask" => "adapter",
        "aqmask" => "domain",
        _ => return None,
    };
    let text = text.trim();
    // Who writes 0x0 means none at all.
    let hex = text.strip_prefix("0x").filter(|digits| digits.contains(|digit| digit != '0'));
    let short = |digits: &str| (1..=3).contains(&digits.len());
    let looks = match hex {
        Some(digits) => short(digits) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => short(text) && text.bytes().all(|byte| byte.is_ascii_digit()),
    };
    looks.then(|| {
        format!("without + or - {text} is the left end of a mask that says of every {what} whether the host has it")
    })
}

/// That a number is octal, where its file takes such numbers.
fn octal(file: &str, text: &str) -> Option<String> {
    let takes = ["apmask", "aqmask", "ap_domain"].contains(&file) || file.contains("assign_");
    let zero = LeadingZero::find(text).filter(|_| takes)?;
    let octal = zero.octal?;
    Some(format!("`{}` begins with 0, so that it is octal: it means {octal}", zero.text))
}

/// What a whole mask says, which nobody reads in hex.
fn whole(file: &str, text: &str) -> Option<String> {
    fn said<M: Mask + std::ops::Not<Output = M>>(mask: M, what: &str, ids: fn(&M) -> String) -> String {
        match mask {
            none if none == M::default() => format!("no {what} is the host's"),
            all if !all == M::default() => format!("all {what}s are the host's"),
            most if most.has_highest() => format!("all are the host's but {}", ids(&!most)),
            few => format!("the host's are {} and no other", ids(&few)),
        }
    }
    let text = text.as_bytes();
    let said = match file {
        _ if text.starts_with(b"+") || text.starts_with(b"-") => return None,
        "apmask" => said(mask_write(AdapterMask::EMPTY, text).ok()?, "adapter", adapters),
        "aqmask" => said(mask_write(DomainMask::EMPTY, text).ok()?, "domain", domains),
        _ => return None,
    };
    Some(format!("it is a whole mask: {said}"))
}

/// What to beware of in a text for `ap_config`: masks that look like ids, and parts that are not there or too many.
fn of_config(text: &str) -> Vec<String> {
    let Ok(matrix) = ap_config(text.as_bytes()) else { return Vec::new() };
    let (line, parts) = parts(text);
    let mut notes = Vec::new();
    let all = of_matrix(&matrix);
    if parts.iter().any(|part| looks_like_an_id(part)) {
        notes.push(format!(
            "each part is a whole mask, of which the leftmost bit is that of id 0, and no id: {line} means {all}"
        ));
    } else if matrix != Matrix::default() {
        // Masks are mistaken for each other, and nobody reads them.
        notes.push(format!("it says {all}"));
    }
    if parts.len() > 3 {
        notes.push("what follows the third part is ignored".to_owned());
    }
    let names = ["adapters", "domains", "control domains"];
    let empty = |(number, name): (usize, &&'static str)| {
        parts.get(number).is_none_or(|part| part.is_empty()).then_some(*name)
    };
    let none: Vec<&str> = names.iter().enumerate().filter_map(empty).collect();
    if let [first @ .., last] = none.as_slice() {
        let which =
            if first.is_empty() { (*last).to_owned() } else { format!("{} and {last}", first.join(", ")) };
        let what = if none.len() == 1 { "an empty part is" } else { "empty parts are" };
        notes.push(format!("{what} the mask of none: the mdev is to have no {which}"));
    }
    notes
}

/// The line of a text for `ap_config`, and its parts.
fn parts(text: &str) -> (&str, Vec<&str>) {
    let line = text.split('\n').next().unwrap_or_default();
    (line, line.split(',').collect())
}

/// Whether a part of a text for `ap_config` looks as if an id was meant: `4`, `71`.
fn looks_like_an_id(part: &str) -> bool {
    (1..=3).contains(&part.len())
        && part.bytes().all(|byte| byte.is_ascii_digit())
        && part.bytes().any(|b| b != b'0')
}

/// What to write to a mask, or to `ap_config`, where it looks as if ids were meant; `None`: that is not so.
pub(crate) fn meant_as_ids(store: &Store) -> Option<String> {
    let file = store.path.rsplit('/').next().unwrap_or_default();
    let id = store.text.trim();
    if unsigned(file, id).is_some() && looks_like_an_id(id) && id.parse::<u8>().is_ok() {
        let what = if file == "apmask" { "adapter" } else { "domain" };
        return Some(format!(
            "write -{id} if the host is to give {what} {id} up, +{id} if it is to have it; a whole mask has 0x and 64 digits"
        ));
    }
    let (_, parts) = store.path.ends_with("/ap_config").then(|| parts(&store.text))?;
    let [adapter, domain, control] = *parts.as_slice() else { return None };
    let mask = |part: &str| {
        let id: u8 = Some(part).filter(|part| looks_like_an_id(part))?.parse().ok()?;
        let digit = 8 >> (id % 4);
        Some(format!("0x{digit:0>width$}", width = usize::from(id / 4) + 1))
    };
    let masks = [mask(adapter)?, mask(domain)?, mask(control)?].join(",");
    Some(format!("write {masks} for adapter {adapter}, domain {domain} and control domain {control}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const U: &str = "62177883-f1bb-47f0-914d-32a22e3a8804";

    #[test]
    fn a_text_for_ap_config_that_means_something_else_is_noted() {
        let path = format!("devices/vfio_ap/matrix/{U}/ap_config");
        let noted = |text: &str| of_config(&format!("{text}\n"));
        let store = |text: &str| Store { path: path.clone(), text: format!("{text}\n") };
        assert_eq!(
            noted("4,6,6"),
            [
                "each part is a whole mask, of which the leftmost bit is that of id 0, and no id: 4,6,6 means adapter 1, \
              domains 1-2, control domains 1-2"
            ]
        );
        assert_eq!(
            meant_as_ids(&store("4,6,71")),
            Some(
                "write 0x08,0x02,0x000000000000000001 for adapter 4, domain 6 and control domain 71"
                    .to_owned()
            )
        );
        for other in ["0x4,6,6", "4,6", "4,,6", "4,6,6,6", "4,6,300", "0,6,6"] {
            assert_eq!(meant_as_ids(&store(other)), None, "{other}");
        }
        let mask =
            |text: &str| meant_as_ids(&Store { path: "bus/ap/apmask".into(), text: format!("{text}\n") });
        assert_eq!(
            mask("10"),
            Some(
                "write -10 if the host is to give adapter 10 up, +10 if it is to have it; a whole mask has 0x and 64 digits"
                    .to_owned()
            )
        );
        for other in ["-10", "0x10", "999", "0x0", "+10"] {
            assert_eq!(mask(other), None, "{other}");
        }
        assert_eq!(
            noted("0x08,0x02"),
            [
                "it says adapter 4, domain 6",
                "an empty part is the mask of none: the mdev is to have no control domains"
            ]
        );
        assert_eq!(
            noted(",,"),
            [
                "empty parts are the mask of none: the mdev is to have no adapters, domains and control domains"
            ]
        );
        assert_eq!(
            noted("0x08,0x02,0x02,0x02"),
            ["it says adapter 4, domain 6, control domain 6", "what follows the third part is ignored"]
        );
        assert_eq!(noted("0x08,0x02,0x02"), ["it says adapter 4, domain 6, control domain 6"]);
        assert_eq!(noted("0x0,0x0,0x0"), [""; 0]);
    }
}
