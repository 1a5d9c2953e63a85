//! apmask and aqmask as people say them.

use std::ops::Range;

use ap_sysfs::ids::LeadingZero;
use ap_types::Mask;
use ap_types::grammar::mask_write;
use toml::Spanned;

use super::format::{IdText, MaskText};
use crate::error::Problem;
use crate::machine::ids::{Item, WrongIds, range_of_text};

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
pub(super) fn wish<M>(text: &Spanned<MaskText>) -> Result<MaskWish<M>, Problem>
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
        return Err(Problem::new(span.clone(), message, format!("expected {}", zero.instead())));
    }
    let kernel = |old: M| {
        mask_write(old, words.as_bytes()).map_err(|error| {
            Problem::new(span.clone(), format!("not a mask: {error}"), "expected what the kernel takes")
                .help(HELP)
        })
    };
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
