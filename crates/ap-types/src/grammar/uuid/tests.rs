use std::format;
use std::string::ToString;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::grammar::device_name;

const TEXT: &str = "a0000001-0b00-4c00-8d00-00e000000002";

#[test]
fn both_cases_give_the_lower_case_name() {
    for text in [TEXT, "A0000001-0B00-4C00-8D00-00E000000002", "a0000001-0B00-4c00-8D00-00e000000002"] {
        assert_eq!(uuid(text.as_bytes()).unwrap().to_string(), TEXT);
    }
    let nil = "00000000-0000-0000-0000-000000000000";
    assert_eq!(uuid(nil.as_bytes()), Ok(Uuid([0; 16])), "also the nil UUID");
}

#[test]
fn byte_37_is_not_looked_at() {
    for last in 0..=255 {
        let mut text = Vec::from(TEXT);
        text.push(last);
        assert_eq!(uuid(&text).unwrap().to_string(), TEXT);
    }
}

#[test]
fn other_lengths_are_refused() {
    for len in (0..36).chain(38..64) {
        let text = format!("{TEXT}{:40}", "");
        assert_eq!(uuid(&text.as_bytes()[..len]), Err(UuidError::Length(len)));
    }
    let text = format!("{TEXT}\0junk");
    assert_eq!(uuid(text.as_bytes()), Err(UuidError::Length(41)), "the write's length, not the text's");
}

#[test]
fn every_place_has_its_characters() {
    for offset in 0..36 {
        let hyphen = matches!(offset, 8 | 13 | 18 | 23);
        for byte in 0..=255u8 {
            let mut text = Vec::from(TEXT);
            text[offset] = byte;
            let good = if hyphen { byte == b'-' } else { byte.is_ascii_hexdigit() };
            assert_eq!(uuid(&text).is_ok(), good, "{byte:02x} at {offset}");
            if !good {
                assert_eq!(uuid(&text), Err(UuidError::Unexpected { offset }));
            }
        }
    }
}

#[test]
fn errors_say_what_is_wrong() {
    assert_eq!(uuid(b"junk\n").unwrap_err().to_string(), "a UUID has 36 characters, not 5");
    let text = TEXT.replace('-', "_");
    assert_eq!(uuid(text.as_bytes()).unwrap_err().to_string(), "not a UUID: bad character at 8");
}

#[test]
fn device_names_lose_one_newline() {
    let rows: &[(&[u8], Option<&str>)] = &[
        (b"05.0047", Some("05.0047")),
        (b"05.0047\n", Some("05.0047")),
        (b"05.0047\n\n", Some("05.0047\n")),
        (b"05.0047\0junk\n", Some("05.0047")),
        (b"05.0047\n\0", Some("05.0047")),
        (b" 05.0047 ", Some(" 05.0047 ")),
        (b"\n", Some("")),
        (b"", Some("")),
        (b"05.0047\xff", None),
    ];
    for (text, name) in rows {
        assert_eq!(device_name(text), *name, "{text:?}");
    }
}

proptest! {
    #[test]
    fn what_is_shown_can_be_written(bytes: [u8; 16]) {
        let text = Uuid(bytes).to_string();
        prop_assert_eq!(&text, &text.to_lowercase());
        prop_assert_eq!(uuid(text.as_bytes()), Ok(Uuid(bytes)));
        prop_assert_eq!(uuid(text.to_uppercase().as_bytes()), Ok(Uuid(bytes)));
        let number = u128::from_be_bytes(bytes);
        prop_assert_eq!(text.replace('-', ""), format!("{number:032x}"));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 30..40)) {
        let _ = uuid(&bytes);
    }
}
