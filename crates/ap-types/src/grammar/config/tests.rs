use std::error::Error as _;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::grammar::mask_write;
use crate::id::{AdapterId, DomainId};
use crate::mask::Mask;

/// A matrix of at most one id in each set.
fn matrix(adapter: Option<u8>, domain: Option<u8>, control: Option<u8>) -> Matrix {
    Matrix {
        adapters: AdapterMask::of(adapter.map(AdapterId)),
        domains: DomainMask::of(domain.map(DomainId)),
        control_domains: DomainMask::of(control.map(DomainId)),
    }
}

/// The rows of the table of page 3 that succeed.
#[test]
fn table_of_page_3_ok() {
    let all = matrix(Some(4), Some(6), Some(6));
    let rows = [
        ("0x08,0x02,0x02", all),
        ("08,02,02", all),
        ("x08,x02,x02", all),
        ("0x08\n0x02\n0x02", all),
        ("0x08,0x02,0x02,junk", all),
        ("0x08,0x02\n", matrix(Some(4), Some(6), None)),
        ("0x08,\n", matrix(Some(4), None, None)),
        (",,", Matrix::default()),
        ("\n\n", Matrix::default()),
    ];
    for (text, expected) in rows {
        assert_eq!(ap_config(text.as_bytes()), Ok(expected), "{text:?}");
    }
}

/// The rows of the table of page 3 that are `EINVAL`.
#[test]
fn table_of_page_3_einval() {
    let rows = [
        "0x08",
        "0x08,0x02",
        "0x08\n",
        ",",
        "\n",
        "0x08, 0x02,0x02",
        "0x08,0x02,0x02 ",
        "0X08,0,0",
        "-4,+6,+6",
    ];
    for text in rows {
        assert!(ap_config(text.as_bytes()).is_err(), "{text:?} gave {:?}", ap_config(text.as_bytes()));
    }
    let long = "0".repeat(65);
    for text in [format!("{long},0,0"), format!("0,0x{long},0"), format!("0,0,{long}")] {
        assert!(ap_config(text.as_bytes()).is_err(), "{text:?}");
    }
}

#[test]
fn what_is_read_can_be_written() {
    let all = Matrix {
        adapters: AdapterMask::ALL,
        domains: DomainMask::single(DomainId(255)),
        control_domains: DomainMask::ALL,
    };
    let text = format!("{},{},{}\n", all.adapters, all.domains, all.control_domains);
    assert_eq!(text.len(), CONSIDERED);
    assert_eq!(ap_config(text.as_bytes()), Ok(all));
    assert_eq!(ap_config(text.trim_end().as_bytes()), Ok(all));
}

#[test]
fn only_201_bytes_count() {
    let full = format!("0x{0},0x{0},0x{0}", "f".repeat(64));
    assert_eq!(full.len(), 200);
    // A 65th digit in byte 201 is seen; junk from byte 202 on is not.
    assert!(ap_config(format!("{full}f").as_bytes()).is_err());
    let bare = format!("0x{0},0x{0},x{0}", "f".repeat(64));
    assert!(ap_config(format!("{bare}\n\njunk").as_bytes()).is_ok());
    let cut = format!("{},{:0<136},0", "0".repeat(64), "");
    assert!(ap_config(cut.as_bytes()).is_err(), "what would end the second token is not among them");
}

#[test]
fn a_nul_ends_the_text() {
    assert_eq!(ap_config(b"0x08,0x02,\0junk"), Ok(matrix(Some(4), Some(6), None)));
    assert_eq!(ap_config(b"0x08,0x02\0,0x02"), Err(ConfigError::MissingMask { found: 1 }));
    assert_eq!(ap_config(b"\0"), Err(ConfigError::MissingMask { found: 0 }));
    assert_eq!(ap_config(b""), Err(ConfigError::MissingMask { found: 0 }));
}

#[test]
fn what_follows_the_third_mask_is_ignored() {
    for text in ["0x08,0x02,0x02\n", "0x08,0x02,0x02\n\n\n", "0x08,0x02,0x02,\n", "0x08,0x02,0x02\n,zz"] {
        assert_eq!(ap_config(text.as_bytes()), Ok(matrix(Some(4), Some(6), Some(6))), "{text:?}");
    }
}

#[test]
fn errors_say_which_mask() {
    let error = ap_config(b"0x08,0x0g,").unwrap_err();
    assert_eq!(error.to_string(), "bad mask of domains");
    assert_eq!(error.source().unwrap().to_string(), "unexpected `g` at offset 3");
    let error = ap_config(b"0x08,0x02").unwrap_err();
    assert_eq!(error.to_string(), "three masks are needed, the text ends in number 2");
    assert!(error.source().is_none());
}

/// A second, naive parser: cuts one token after the other off the text; `None` for `EINVAL`.
fn naive_config(text: &str) -> Option<[[u64; 4]; 3]> {
    let counted: String = text.chars().take(201).collect();
    let mut rest = counted.split('\0').next()?;
    let mut masks = [[0; 4]; 3];
    for (at, mask) in masks.iter_mut().enumerate() {
        let end = rest.find([',', '\n']);
        let token = match end {
            Some(end) => &rest[..end],
            None if at == 2 => rest,
            None => return None,
        };
        if token.starts_with(['+', '-']) {
            return None;
        }
        *mask = mask_write(AdapterMask::EMPTY, token.as_bytes()).ok()?.words();
        rest = &rest[end.map_or(rest.len(), |end| end + 1)..];
    }
    Some(masks)
}

fn text() -> impl Strategy<Value = String> {
    let token = || prop_oneof![4 => "(0x|x)?[0-9a-f]{0,8}", 2 => "0x[0-9a-f]{62,65}", 1 => "[-+ 0-9xX]{0,5}"];
    prop_oneof![
        4 => (token(), "[,\n]", token(), "[,\n]", token(), "(|\n|,junk|[,\n]+| )")
            .prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f].concat()),
        2 => "[-,\n\0 0-9a-fx+]{0,16}",
        1 => "([0-9a-f]{0,64}[,\n]){0,4}[0-9a-f]{0,80}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn configurations_are_those_of_a_second_parser(text in text()) {
        let words = |matrix: Matrix| {
            let domains = [matrix.domains, matrix.control_domains].map(|mask| Mask::words(&mask));
            [matrix.adapters.words(), domains[0], domains[1]]
        };
        prop_assert_eq!(ap_config(text.as_bytes()).ok().map(words), naive_config(&text));
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = ap_config(&bytes);
    }
}
