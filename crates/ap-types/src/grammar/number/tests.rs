use std::string::{String, ToString};
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

type Strict = Result<u64, NumberError>;
type Scanned = Result<i32, NumberError>;
type Word = Result<bool, NumberError>;

const INVALID: NumberError = NumberError::Invalid;

/// The table of page 5, one text a row.
#[test]
fn table_of_page_5() {
    let rows: &[(&str, Strict, Scanned, Scanned, Word)] = &[
        ("5", Ok(5), Ok(5), Ok(5), Err(INVALID)),
        ("5\n", Ok(5), Ok(5), Ok(5), Err(INVALID)),
        ("+5", Ok(5), Err(INVALID), Err(INVALID), Err(INVALID)),
        ("-1", Err(INVALID), Ok(-1), Ok(-1), Err(INVALID)),
        (" 5", Err(INVALID), Ok(5), Ok(5), Err(INVALID)),
        ("5 ", Err(INVALID), Ok(5), Ok(5), Err(INVALID)),
        ("5x", Err(INVALID), Ok(5), Ok(5), Err(INVALID)),
        ("5\n\n", Err(INVALID), Ok(5), Ok(5), Err(INVALID)),
        ("0x10", Ok(16), Ok(0), Ok(16), Ok(false)),
        ("010", Ok(8), Ok(10), Ok(8), Ok(false)),
        ("0x", Err(INVALID), Ok(0), Ok(0), Ok(false)),
        ("08", Err(INVALID), Ok(8), Ok(0), Ok(false)),
        ("0b1", Err(INVALID), Ok(0), Ok(0), Ok(false)),
        ("0o7", Err(INVALID), Ok(0), Ok(0), Ok(false)),
        ("\n", Err(INVALID), Err(INVALID), Err(INVALID), Err(INVALID)),
        ("abc", Err(INVALID), Err(INVALID), Err(INVALID), Err(INVALID)),
        ("4294967301", Ok(4_294_967_301), Ok(5), Ok(5), Err(INVALID)),
        ("18446744073709551616", Err(NumberError::Range), Ok(0), Ok(0), Ok(true)),
        ("10", Ok(10), Ok(10), Ok(10), Ok(true)),
        ("off", Err(INVALID), Err(INVALID), Err(INVALID), Ok(false)),
        ("of", Err(INVALID), Err(INVALID), Err(INVALID), Ok(false)),
    ];
    for (text, strict_value, decimal, with_prefixes, word) in rows {
        let bytes = text.as_bytes();
        assert_eq!(strict(bytes), *strict_value, "strict {text:?}");
        assert_eq!(scanned_decimal(bytes), *decimal, "scanned decimal {text:?}");
        assert_eq!(scanned_prefixed(bytes), *with_prefixes, "scanned with prefixes {text:?}");
        assert_eq!(boolean_word(bytes), *word, "boolean {text:?}");
    }
}

#[test]
fn strict_further_texts() {
    for text in
        ["", "+", "++5", "+-5", "-0", "+\n", "5\n5", "\n5", "0x\n", "0xg", "1e1", "4,5", "0x 1", "\r5"]
    {
        assert_eq!(strict(text.as_bytes()), Err(INVALID), "{text:?}");
    }
    assert_eq!(strict(b"0"), Ok(0));
    assert_eq!(strict(b"00"), Ok(0));
    assert_eq!(strict(b"+0X1f\n"), Ok(31));
    assert_eq!(strict(b"+010\n"), Ok(8));
    assert_eq!(strict(b"18446744073709551615\n"), Ok(u64::MAX));
    assert_eq!(strict(b"0xffffffffffffffff"), Ok(u64::MAX));
    assert_eq!(strict(b"01777777777777777777777\n"), Ok(u64::MAX));
    assert_eq!(strict(b"0x00000000000000000000000001"), Ok(1));
    assert_eq!(strict(b"0x10000000000000000"), Err(NumberError::Range));
    // 2^65: the last digit overflows twice, by the product and by the sum.
    assert_eq!(strict(b"36893488147419103232"), Err(NumberError::Range));
    assert_eq!(strict(b"02000000000000000000000"), Err(NumberError::Range));
    assert_eq!(strict(b"99999999999999999999999\n"), Err(NumberError::Range));
}

#[test]
fn a_nul_ends_every_text() {
    assert_eq!(strict(b"5\0junk"), Ok(5));
    assert_eq!(strict(b"5\n\0\n"), Ok(5));
    assert_eq!(strict(b"\x004\n"), Err(INVALID));
    assert_eq!(scanned_decimal(b"5\x005"), Ok(5));
    assert_eq!(scanned_prefixed(b"0x\x0010"), Ok(0));
    assert_eq!(scanned_decimal(b"\x005"), Err(INVALID));
    assert_eq!(scanned_prefixed(b"  -\x005"), Err(INVALID));
    assert_eq!(boolean_word(b"\x001"), Err(INVALID));
    assert_eq!(boolean_word(b"o\0n"), Err(INVALID));
}

#[test]
fn scanned_further_texts() {
    for text in ["", " ", "-", "- 5", "--5", "-+5", "+1-\n", "x5", ",5"] {
        assert_eq!(scanned_decimal(text.as_bytes()), Err(INVALID), "{text:?}");
        assert_eq!(scanned_prefixed(text.as_bytes()), Err(INVALID), "{text:?}");
    }
    assert_eq!(scanned_decimal(b" \t\n\x0b\x0c\r5"), Ok(5));
    assert_eq!(scanned_decimal(b"2147483648"), Ok(i32::MIN));
    assert_eq!(scanned_decimal(b"-2147483648"), Ok(i32::MIN));
    assert_eq!(scanned_decimal(b"4294967295"), Ok(-1));
    assert_eq!(scanned_decimal(b"-4294967301"), Ok(-5));
    assert_eq!(scanned_prefixed(b"-0x10"), Ok(-16));
    assert_eq!(scanned_prefixed(b"-010junk"), Ok(-8));
    assert_eq!(scanned_prefixed(b" 0X1g"), Ok(1));
    assert_eq!(scanned_prefixed(b"0107\n"), Ok(71));
}

#[test]
fn boolean_words_by_their_first_characters() {
    for text in ["1", "y", "Y", "t", "T", "yes\n", "true", "on", "oN", "On", "ON", "1x", "one"] {
        assert_eq!(boolean_word(text.as_bytes()), Ok(true), "{text:?}");
    }
    for text in ["0", "n", "N", "f", "F", "no\n", "false", "off", "oF", "Of", "OFF", "0x1"] {
        assert_eq!(boolean_word(text.as_bytes()), Ok(false), "{text:?}");
    }
    for text in ["", "\n", "o", "o\n", "O", "ox", " 1", "-1", "2", "+1", "x"] {
        assert_eq!(boolean_word(text.as_bytes()), Err(INVALID), "{text:?}");
    }
}

#[test]
fn errors_say_what_is_wrong() {
    assert_eq!(INVALID.to_string(), "not a number of the expected form");
    assert_eq!(NumberError::Range.to_string(), "the number does not fit into 64 bits");
}

/// The longest number with C prefixes at the start of a text, found by trying every length from the longest.
/// Returns its value modulo 2^64 and whether that is all of it.
fn naive_prefixed(text: &str) -> Option<(u64, bool, &str)> {
    (1..=text.len()).rev().find_map(|len| {
        let number = &text[..len];
        let (radix, digits) = if let Some(hex) = number.strip_prefix("0x").or(number.strip_prefix("0X")) {
            (16, hex)
        } else if number.starts_with('0') {
            (8, number)
        } else {
            (10, number)
        };
        // `from_str_radix` would take a sign.
        let valid = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
        valid.then(|| {
            let value = u128::from_str_radix(digits, radix).unwrap();
            (value as u64, value > u128::from(u64::MAX), &text[len..])
        })
    })
}

fn naive_strict(text: &str) -> Strict {
    let (value, overflow, rest) = naive_prefixed(text.strip_prefix('+').unwrap_or(text)).ok_or(INVALID)?;
    match (rest, overflow) {
        ("" | "\n", true) => Err(NumberError::Range),
        ("" | "\n", false) => Ok(value),
        _ => Err(INVALID),
    }
}

fn naive_scanned(text: &str, prefixes: bool) -> Scanned {
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let value = if prefixes {
        naive_prefixed(digits).ok_or(INVALID)?.0
    } else {
        let end = digits.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(digits.len());
        digits[..end].parse::<u128>().map_err(|_| INVALID)? as u64
    };
    Ok((i128::from(value) * sign).rem_euclid(1 << 32) as u32 as i32)
}

/// Texts of at most 30 characters, so that 128 bits hold every number.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ \t\n]{0,2}[+-]{0,2}(0|0x|0X)?[0-9a-f]{0,24}[\nx ]{0,2}",
        "[+-]?[0-9]{0,25}\n?",
        "[-+ 0-9xX\n]{0,10}",
    ]
}

proptest! {
    #[test]
    fn numbers_are_those_of_a_second_parser(text in text()) {
        let bytes = text.as_bytes();
        prop_assert_eq!(strict(bytes), naive_strict(&text));
        prop_assert_eq!(scanned_decimal(bytes), naive_scanned(&text, false));
        prop_assert_eq!(scanned_prefixed(bytes), naive_scanned(&text, true));
    }

    #[test]
    fn what_is_written_is_what_is_read(value: u64, signed: i32) {
        prop_assert_eq!(strict(std::format!("{value}\n").as_bytes()), Ok(value));
        prop_assert_eq!(strict(std::format!("+0x{value:x}").as_bytes()), Ok(value));
        prop_assert_eq!(strict(std::format!("0{value:o}").as_bytes()), Ok(value));
        prop_assert_eq!(scanned_decimal(std::format!("{signed}\n").as_bytes()), Ok(signed));
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = (strict(&bytes), scanned_decimal(&bytes), scanned_prefixed(&bytes), boolean_word(&bytes));
        let _ = super::super::device_name(&bytes);
    }
}
