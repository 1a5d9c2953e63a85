//! Ids in machine files: numbers, hex strings, ranges, lists of these.

use std::fmt;

use ap_sysfs::ids::LeadingZero;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use toml::Spanned;

/// One item: ids from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub first: u8,
    pub last: u8,
}

/// What a place that takes ids says.
#[derive(Clone, Debug)]
pub(crate) enum Ids {
    One(Item),
    Many(Vec<Spanned<Item>>),
}

const EXPECTED: &str = "an id: a number 0-255, a hex string like \"0x16\" or a range like \"0-15\"";

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Item, D::Error> {
        struct OneItem;
        impl Visitor<'_> for OneItem {
            type Value = Item;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Item, E> {
                item_of_number(number)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Item, E> {
                item_of_text(text)
            }
        }
        deserializer.deserialize_any(OneItem)
    }
}

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ids, D::Error> {
        struct AnyIds;
        impl<'de> Visitor<'de> for AnyIds {
            type Value = Ids;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{EXPECTED}, or a list of these")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Ids, E> {
                item_of_number(number).map(Ids::One)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Ids, E> {
                item_of_text(text).map(Ids::One)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Ids, A::Error> {
                let mut ids = Vec::new();
                while let Some(item) = items.next_element()? {
                    ids.push(item);
                }
                Ok(Ids::Many(ids))
            }
        }
        deserializer.deserialize_any(AnyIds)
    }
}

fn item_of_number<E: de::Error>(number: i64) -> Result<Item, E> {
    let id = u8::try_from(number).map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &EXPECTED))?;
    Ok(Item { first: id, last: id })
}

fn item_of_text<E: de::Error>(text: &str) -> Result<Item, E> {
    range_of_text(text).map_err(|wrong| match wrong {
        WrongIds::NoId => E::invalid_value(de::Unexpected::Str(text), &EXPECTED),
        // As serde's own messages: what is wrong, and after a comma what was expected.
        _ => E::custom(format_args!("{}, {}", wrong.what(text), wrong.expected())),
    })
}

/// Why a text is no id and no range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WrongIds {
    /// It has another form.
    NoId,
    /// Its last id is below its first.
    Backwards { first: u8, last: u8 },
    /// A number begins with 0, and not everybody reads that alike.
    LeadingZero { instead: String },
}

impl WrongIds {
    /// What is wrong.
    pub(crate) fn what(&self, text: &str) -> String {
        match self {
            WrongIds::NoId => format!("`{text}` is no id"),
            WrongIds::Backwards { .. } => format!("`{text}` runs backwards"),
            WrongIds::LeadingZero { .. } => format!("`{text}` has a number that begins with 0"),
        }
    }

    /// What was expected.
    pub(crate) fn expected(&self) -> String {
        match self {
            WrongIds::NoId => format!("expected {EXPECTED}"),
            WrongIds::Backwards { first, last } => format!("expected \"{last}-{first}\""),
            WrongIds::LeadingZero { instead } => format!("expected {instead}"),
        }
    }
}

/// `4`, `0x0a`, `4-7`.
pub(crate) fn range_of_text(text: &str) -> Result<Item, WrongIds> {
    if let Some(zero) = LeadingZero::any(text) {
        let plain =
            |end: &str| LeadingZero::any(end).map_or_else(|| end.to_owned(), |zero| zero.decimal.to_string());
        let range = text.split_once('-').map(|(first, last)| format!("\"{}-{}\"", plain(first), plain(last)));
        return Err(WrongIds::LeadingZero { instead: range.unwrap_or_else(|| zero.instead()) });
    }
    let ends = match text.split_once('-') {
        Some((first, last)) => id(first).zip(id(last)),
        None => id(text).map(|id| (id, id)),
    };
    let (first, last) = ends.ok_or(WrongIds::NoId)?;
    if first > last { Err(WrongIds::Backwards { first, last }) } else { Ok(Item { first, last }) }
}

/// Decimal, or hex with `0x`.
fn id(text: &str) -> Option<u8> {
    let digits = |text: &str, radix: u32| {
        text.chars().all(|c| c.is_digit(radix)).then(|| u8::from_str_radix(text, radix).ok())?
    };
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => digits(hex, 16),
        None => digits(text, 10),
    }
}

/// The shape of [`Ids`], for the JSON schema.
#[derive(schemars::JsonSchema)]
#[serde(untagged)]
#[allow(dead_code)]
pub(crate) enum IdsSchema {
    One(IdSchema),
    Many(Vec<IdSchema>),
}

/// The shape of [`Item`].
#[derive(schemars::JsonSchema)]
#[serde(untagged)]
#[allow(dead_code)]
pub(crate) enum IdSchema {
    /// An id.
    Number(u8),
    /// A hex string or a range.
    Text(
        #[schemars(regex(
            pattern = r"^(0[xX][0-9a-fA-F]{1,2}|[0-9]|[1-9][0-9]{1,2})(-(0[xX][0-9a-fA-F]{1,2}|[0-9]|[1-9][0-9]{1,2}))?$"
        ))]
        String,
    ),
}
