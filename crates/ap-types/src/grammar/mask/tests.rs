use std::collections::BTreeSet;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::id::{AdapterId, DomainId};
use crate::mask::{AdapterMask, DomainMask};

fn mask(ids: impl IntoIterator<Item = u8>) -> AdapterMask {
    AdapterMask::of(ids.into_iter().map(AdapterId))
}

/// The mask that the rows are written over: neighbours of what they change, and both ends.
fn old() -> AdapterMask {
    mask([0, 4, 7, 255])
}

fn write(text: &str) -> Result<AdapterMask, MaskError> {
    mask_write(old(), text.as_bytes())
}

/// The rows of the table of page 2 that succeed.
#[test]
fn table_of_page_2_ok() {
    let with = |ids: &[u8]| old() | mask(ids.iter().copied());
    let rows: &[(&str, AdapterMask)] = &[
        ("+5,,,+6", with(&[5, 6])),
        ("+5,\n", with(&[5])),
        ("+5\n+6\n", with(&[5, 6])),
        ("+5-6-7", with(&[5, 6]) - mask([7])),
        ("+5-6,-7", with(&[5, 6]) - mask([7])),
        ("+010", with(&[8])),
        ("+0X10", with(&[16])),
        ("-0,+18446744073709551616", with(&[0])),
        ("0xf", mask(0..4)),
        ("f", mask(0..4)),
        ("xf", mask(0..4)),
        ("\n", AdapterMask::EMPTY),
        ("x", AdapterMask::EMPTY),
        ("0x", AdapterMask::EMPTY),
        ("0", AdapterMask::EMPTY),
    ];
    for (text, new) in rows {
        assert_eq!(write(text), Ok(*new), "{text:?}");
    }
}

/// The rows of the table of page 2 that are `EINVAL`.
#[test]
fn table_of_page_2_einval() {
    let rows = [
        ",+5",
        "+5,6",
        "+5 ",
        "+5 +6",
        "+-5",
        "-5-",
        "-4--4",
        "+a",
        "+0x",
        "-0-0x",
        "+08",
        "+256",
        "+5-3",
        "+3-300",
        "-99999999999999999999",
        "0Xff",
        "0xxff",
        "0xfg",
        " 0xff",
        "0xff ",
        "0xff,0xff",
        "\n\n",
    ];
    for text in rows {
        assert!(write(text).is_err(), "{text:?} gave {:?}", write(text));
    }
    for digits in ["0".repeat(65), "f".repeat(65), format!("{}\n\n", "f".repeat(64))] {
        assert!(write(&digits).is_err(), "{digits}");
        assert!(write(&format!("0x{digits}")).is_err(), "0x{digits}");
    }
}

#[test]
fn absolute_masks_are_filled_from_the_left() {
    assert_eq!(write("8"), Ok(mask([0])));
    assert_eq!(write("0x08\n"), Ok(mask([4])));
    assert_eq!(write("0X"), Err(MaskError::Unexpected { offset: 1, byte: b'X' }));
    assert_eq!(write("aBcD"), Ok(mask([0, 2, 4, 6, 7, 8, 9, 12, 13, 15])));
    assert_eq!(write(&"f".repeat(64)), Ok(AdapterMask::ALL));
    assert_eq!(write(&format!("0x{}1\n", "0".repeat(63))), Ok(mask([255])));
    assert_eq!(write(&format!("x{}", "F".repeat(64))), Ok(AdapterMask::ALL));
}

#[test]
fn relative_terms_apply_left_to_right() {
    assert_eq!(write("+0-255,-4"), Ok(AdapterMask::ALL - mask([4])));
    assert_eq!(write("-4,+0-255"), Ok(AdapterMask::ALL));
    assert_eq!(write("+5-5-5"), Ok(old()));
    assert_eq!(write("+5+6"), Ok(old() | mask([5, 6])));
    assert_eq!(write("-0-0xff"), Ok(AdapterMask::EMPTY));
    assert_eq!(write("+00-0X00\n\n,\n"), Ok(old()));
    assert_eq!(write("+18446744073709551621-18446744073709551622"), Ok(old() | mask([5, 6])));
}

#[test]
fn a_nul_ends_the_text() {
    assert_eq!(mask_write(old(), b"+5\0-4"), Ok(old().with(AdapterId(5))));
    assert_eq!(mask_write(old(), b"0xf\0g"), Ok(mask(0..4)));
    assert_eq!(mask_write(old(), b"\0+5"), Ok(AdapterMask::EMPTY));
    assert_eq!(mask_write(old(), b"+\x005"), Err(MaskError::MissingNumber { offset: 1 }));
    assert_eq!(mask_write(old(), b"f\n\0\n"), Ok(mask(0..4)));
}

#[test]
fn errors_say_where_and_what() {
    let message = |text| write(text).unwrap_err().to_string();
    assert_eq!(message("+5 "), "unexpected ` ` at offset 2");
    assert_eq!(message("f\n\n"), "unexpected `\\n` at offset 1");
    assert_eq!(message("0xfg"), "unexpected `g` at offset 3");
    assert_eq!(message("+5-"), "missing number at offset 3");
    assert_eq!(message("+3-300"), "300 is not in the range 0-255");
    assert_eq!(message("+5-3"), "the range 5-3 is reversed");
    assert_eq!(message(&"0".repeat(65)), "a mask has at most 64 hex digits");
}

#[test]
fn parameters_start_from_zero_and_never_fail() {
    assert_eq!(mask_parameter::<AdapterMask>(b"+4"), mask([4]));
    assert_eq!(mask_parameter::<AdapterMask>(b"-4"), AdapterMask::EMPTY);
    assert_eq!(mask_parameter::<AdapterMask>(b"+4-10"), mask(4..=10));
    assert_eq!(mask_parameter::<AdapterMask>(b"0x08"), mask([4]));
    assert_eq!(mask_parameter::<AdapterMask>(b"+300"), AdapterMask::EMPTY);
    assert_eq!(mask_parameter::<AdapterMask>(b"+4,junk"), AdapterMask::EMPTY);
    assert_eq!(mask_parameter::<DomainMask>(b"+6,+71"), DomainMask::of([DomainId(6), DomainId(71)]));
}

/// A second, naive parser: text to set, `None` for `EINVAL`.
fn naive_write(old: &BTreeSet<u8>, text: &str) -> Option<BTreeSet<u8>> {
    let text = text.split('\0').next()?;
    if text.starts_with(['+', '-']) {
        let mut ids = old.clone();
        let mut rest = text;
        while !rest.is_empty() {
            rest = naive_term(&mut ids, rest)?.trim_start_matches([',', '\n']);
        }
        return Some(ids);
    }
    let text = text.strip_suffix('\n').unwrap_or(text);
    let digits = text.strip_prefix("0x").or(text.strip_prefix('x')).unwrap_or(text);
    if digits.len() > 64 || !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let digits: Vec<u32> = format!("{digits:0<64}").chars().filter_map(|digit| digit.to_digit(16)).collect();
    Some((0..=255).filter(|id| digits[usize::from(id / 4)] & (8 >> (id % 4)) != 0).collect())
}

fn naive_term<'a>(ids: &mut BTreeSet<u8>, text: &'a str) -> Option<&'a str> {
    let (sign, rest) = text.split_at_checked(1)?;
    let (first, mut rest) = naive_number(rest)?;
    let mut last = first;
    if let Some(after) = rest.strip_prefix('-') {
        (last, rest) = naive_number(after)?;
    }
    if first > last || last > 255 {
        return None;
    }
    for id in first..=last {
        match sign {
            "+" => ids.insert(id as u8),
            "-" => ids.remove(&(id as u8)),
            _ => return None,
        };
    }
    Some(rest)
}

/// Takes the digits that the prefix allows, and weighs them modulo 2^64.
fn naive_number(text: &str) -> Option<(u64, &str)> {
    let hex = text.strip_prefix("0x").or(text.strip_prefix("0X"));
    let (radix, digits) = match hex {
        Some(digits) => (16, digits),
        None => (if text.starts_with('0') { 8 } else { 10 }, text),
    };
    let end = digits.find(|digit: char| !digit.is_digit(radix)).unwrap_or(digits.len());
    let weigh = |value: u128, digit: char| {
        (value * u128::from(radix) + u128::from(digit.to_digit(radix).unwrap())) % (1 << 64)
    };
    let value = digits[..end].chars().fold(0, weigh) as u64;
    (end > 0).then_some((value, &digits[end..]))
}

/// Texts of terms, nearly all of them well formed, some with one character put in.
fn relative_text() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        8 => (0..256u64).prop_map(|id| id.to_string()),
        2 => (0..256u64).prop_map(|id| format!("{id:#x}")),
        2 => (0..256u64).prop_map(|id| format!("0{id:o}")),
        1 => "[0-9]{18,22}",
        1 => (0..256u128).prop_map(|id| (id + (1 << 64)).to_string()),
    ];
    let ids = prop_oneof![
        number.clone().prop_map(|n| n.to_string()),
        (0..200u8, 0..60u8)
            .prop_map(|(first, more)| format!("{first}-{}", u16::from(first) + u16::from(more))),
        (number.clone(), number).prop_map(|(n, m)| format!("{n}-{m}")),
    ];
    let term = ("[+-]", ids, "[,\n]{0,2}").prop_map(|(sign, ids, end)| format!("{sign}{ids}{end}"));
    let text = prop::collection::vec(term, 1..6).prop_map(|terms| terms.concat());
    (text, prop::option::weighted(0.2, (any::<prop::sample::Index>(), "[-+,\n 0-9a-fxX]"))).prop_map(
        |(mut text, junk)| {
            if let Some((at, junk)) = junk {
                text.insert_str(at.index(text.len() + 1), &junk);
            }
            text
        },
    )
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => relative_text(),
        2 => "(0x|x)?[0-9a-fA-F]{0,70}\n{0,2}",
        1 => "(0x|x)?[0-9a-f]{62,65}[\ng ]?",
        2 => "[-+,\n\0 0-9a-fxX]{0,12}",
        1 => "[+-][-+,\n\0 0-9a-fxX]{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn writes_are_those_of_a_second_parser(words: [u64; 4], text in text()) {
        let old = AdapterMask::from_words(words);
        let ids = |mask: AdapterMask| mask.iter().map(|id| id.0).collect::<BTreeSet<u8>>();
        let naive = naive_write(&ids(old), &text);
        let new = mask_write(old, text.as_bytes());
        prop_assert_eq!(new.ok().map(ids), naive);
        // Both masks have one grammar.
        let domains = mask_write(DomainMask::from_words(words), text.as_bytes());
        prop_assert_eq!(domains.map(|mask| mask.words()), new.map(|mask| mask.words()));
    }

    #[test]
    fn what_is_shown_can_be_written(words: [u64; 4], old: [u64; 4]) {
        let mask = AdapterMask::from_words(words);
        let text = format!("{mask}\n");
        prop_assert_eq!(mask_write(AdapterMask::from_words(old), text.as_bytes()), Ok(mask));
        prop_assert_eq!(mask_parameter::<AdapterMask>(text.as_bytes()), mask);
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = mask_write(old(), &bytes);
        let _ = mask_parameter::<DomainMask>(&bytes);
    }
}
