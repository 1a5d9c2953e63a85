//! Ids in machine files: numbers, hex strings, ranges, lists of these.

use std::fmt;

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
    let item = match text.split_once('-') {
        Some((first, last)) => id(first).zip(id(last)),
        None => id(text).map(|id| (id, id)),
    };
    let item = item.filter(|(first, last)| first <= last).map(|(first, last)| Item { first, last });
    item.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &EXPECTED))
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
            pattern = r"^(0[xX][0-9a-fA-F]{1,2}|[0-9]{1,3})(-(0[xX][0-9a-fA-F]{1,2}|[0-9]{1,3}))?$"
        ))]
        String,
    ),
}
