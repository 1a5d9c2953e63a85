//! apmask and aqmask as people say them, in machine files and in desired states.

use std::ops::Range;

use ap_sysfs::ids::{LeadingZero, MaskSlip};
use ap_types::Mask;
use ap_types::grammar::mask_write;
use serde::Deserialize;
use toml::Spanned;

use super::ids::{IdSchema, Item, WrongIds, range_of_text};
use crate::error::Problem;

/// A mask: words, or ids.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "this is no mask, expected ids or a text, like \"all\"")]
pub(crate) enum MaskText {
    /// A number.
    Id(i64),
    /// Words.
    Text(String),
    /// Numbers and words.
    List(Vec<IdText>),
}

/// An id or a range of a list.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum IdText {
    /// A number.
    Id(i64),
    /// A hex string or a range.
    Text(String),
}

/// The shape of [`MaskText`], for the JSON schema.
#[derive(schemars::JsonSchema)]
#[serde(untagged)]
#[allow(dead_code)]
pub(crate) enum MaskSchema {
    /// An id.
    Id(u8),
    /// "all", "none", "all but 4,10", "4,10-12", or what the kernel takes.
    Text(String),
    /// Ids.
    List(Vec<IdSchema>),
}

/// What a mask is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskWish<M> {
    /// Exactly this.
    Exactly(M),
    /// These ids set, those cleared, the rest as it is: the kernel's relative text.
    Change {
        /// Set.
        set: M,
        /// Cleared.
        clear: M,
    },
}

impl<M> MaskWish<M>
where
    M: Copy + std::ops::Sub<Output = M> + std::ops::BitOr<Output = M>,
{
    /// The mask that is wanted where this one is.
    #[must_use]
    pub fn resolve(&self, now: M) -> M {
        match *self {
            MaskWish::Exactly(mask) => mask,
            MaskWish::Change { set, clear } => (now - clear) | set,
        }
    }
}

const HELP: &str = "ids and ranges (\"4,10-12\", [4, \"0x0a\"]), \"all\", \"none\", \"all but 4,10\", or what the kernel \
                    takes: \"0xf000…\" (from id 0 on), \"+4,-10\" (the rest as it is)";

/// What the mask of a file says.
pub(crate) fn wish<M>(text: &Spanned<MaskText>) -> Result<MaskWish<M>, Problem>
where
    M: Mask + FromIterator<M::Id> + std::ops::Not<Output = M>,
{
    let span = text.span();
    match text.get_ref() {
        MaskText::Id(id) => Ok(MaskWish::Exactly(number::<M>(*id, &span)?.collect())),
        MaskText::Text(words) => of_words(words.trim(), &span),
        MaskText::List(items) => {
            let mut all = Vec::new();
            for item in items {
                match item {
                    IdText::Id(id) => all.extend(number::<M>(*id, &span)?),
                    IdText::Text(word) => all.extend(range::<M>(word.trim(), &span)?),
                }
            }
            Ok(MaskWish::Exactly(all.into_iter().collect()))
        }
    }
}

/// What the mask of a machine file says, whose host begins with all. A text that can be the kernel's is the kernel's: `10` is
/// the digits of a mask there, and no id.
pub(super) fn of_machine<M>(text: &Spanned<MaskText>) -> Result<M, Problem>
where
    M: Mask
        + FromIterator<M::Id>
        + std::ops::Not<Output = M>
        + std::ops::Sub<Output = M>
        + std::ops::BitOr<Output = M>,
{
    let all = || !M::from_words([0; 4]);
    match text.get_ref() {
        MaskText::Text(words) if is_absolute(words) => kernel(all(), words, &text.span()),
        _ => Ok(wish::<M>(text)?.resolve(all())),
    }
}

/// Whether a text is hex digits and nothing else, as the kernel's whole masks are.
fn is_absolute(words: &str) -> bool {
    let words = words.trim();
    let digits = words.strip_prefix("0x").or_else(|| words.strip_prefix('x')).unwrap_or(words);
    digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a mask of a machine file is written as a whole, and names no ids.
pub(super) fn is_whole(text: &MaskText) -> bool {
    matches!(text, MaskText::Text(words) if is_absolute(words))
}

/// Whether nothing is written where a mask is expected.
pub(super) fn is_empty(text: &MaskText) -> bool {
    match text {
        MaskText::Text(words) => words.trim().is_empty(),
        MaskText::List(ids) => ids.is_empty(),
        MaskText::Id(_) => false,
    }
}

/// The number that a mask of a machine file looks like, though it is the digits of a whole mask.
pub(super) fn looks_like_an_id(text: &MaskText) -> Option<u8> {
    match text {
        MaskText::Text(words) if words.len() <= 3 => words.parse().ok(),
        _ => None,
    }
}

/// What the kernel makes of a text.
fn kernel<M: Mask>(old: M, words: &str, span: &Range<usize>) -> Result<M, Problem> {
    mask_write(old, words.as_bytes()).map_err(|error| {
        if let Some(MaskSlip { what, instead: Some(instead) }) = MaskSlip::find(words) {
            return Problem::new(
                span.clone(),
                format!("not a mask: {what}"),
                format!("expected \"{instead}\""),
            );
        }
        Problem::new(span.clone(), format!("not a mask: {error}"), "expected what the kernel takes")
            .help(HELP)
    })
}

fn number<M: Mask>(id: i64, span: &Range<usize>) -> Result<impl Iterator<Item = M::Id> + use<M>, Problem> {
    let id = u8::try_from(id).map_err(|_| wrong(&id.to_string(), span))?;
    Ok(std::iter::once(M::Id::from(id)))
}

fn of_words<M>(words: &str, span: &Range<usize>) -> Result<MaskWish<M>, Problem>
where
    M: Mask + FromIterator<M::Id> + std::ops::Not<Output = M>,
{
    let all = || !M::from_words([0; 4]);
    let words_of = |list: &str| -> Result<M, Problem> {
        let mut ids = Vec::new();
        for word in list.split(',').map(str::trim) {
            ids.extend(range::<M>(word, span)?);
        }
        Ok(ids.into_iter().collect())
    };
    match words {
        "all" => return Ok(MaskWish::Exactly(all())),
        "none" => return Ok(MaskWish::Exactly(!all())),
        _ => {}
    }
    if let Some(list) = words.strip_prefix("all but ") {
        return Ok(MaskWish::Exactly(!words_of(list)?));
    }
    // The kernel takes a leading zero for octal; whoever reads the file may not.
    if let Some(zero) = LeadingZero::find(words).filter(|_| words.starts_with(['+', '-'])) {
        let message = format!("`{}` begins with 0", zero.text);
        return Err(Problem::new(span.clone(), message, format!("expected {}", zero.instead()))
            .help("the kernel takes a number that begins with 0 for octal"));
    }
    let kernel = |old: M| kernel(old, words, span);
    if words.starts_with(['+', '-']) {
        let (set, left) = (kernel(!all())?, kernel(all())?);
        return Ok(MaskWish::Change { set, clear: !left });
    }
    if let Some(digits) = words.strip_prefix("0x").filter(|digits| !digits.contains([',', '-'])) {
        if digits.len() <= 2
            && let Ok(id) = u8::from_str_radix(digits, 16)
        {
            let problem = Problem::new(
                span.clone(),
                format!("`{words}` can be the id {id} or the kernel's mask"),
                "expected one of the two, said so that nobody mistakes it",
            );
            return Err(problem.help(format!("the id: {id} or [\"{words}\"]; the mask: \"{words}0000\"")));
        }
        return Ok(MaskWish::Exactly(kernel(all())?));
    }
    Ok(MaskWish::Exactly(words_of(words)?))
}

/// `4`, `0x0a`, `4-7`.
fn range<M: Mask>(word: &str, span: &Range<usize>) -> Result<impl Iterator<Item = M::Id> + use<M>, Problem> {
    match range_of_text(word) {
        Ok(Item { first, last }) => Ok((first..=last).map(M::Id::from)),
        Err(WrongIds::NoId) => Err(wrong(word, span)),
        Err(other) => Err(Problem::new(span.clone(), other.what(word), other.expected())),
    }
}

fn wrong(word: &str, span: &Range<usize>) -> Problem {
    Problem::new(span.clone(), format!("`{word}` is no id"), "expected a mask of ids 0-255").help(HELP)
}
