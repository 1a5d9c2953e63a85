//! Masks as they are written to `apmask` and `aqmask` (page 2, "Writing: the grammar").

use core::error::Error;
use core::fmt;

use super::nul::before_nul;
use super::number::prefixed;
use crate::bits::{self, Words};
use crate::mask::Mask;

/// Why a text is not a mask; the errno is always `EINVAL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MaskError {
    /// A byte that may not stand where it does; where a term must start, anything but a sign.
    Unexpected {
        /// Its offset in the text, from 0.
        offset: usize,
        /// The byte.
        byte: u8,
    },
    /// No number where there must be one.
    MissingNumber {
        /// The offset in the text where it should be.
        offset: usize,
    },
    /// A number that is no id.
    OutOfRange {
        /// The number modulo 2^64, above 255.
        number: u64,
    },
    /// A range that ends before it starts.
    Reversed {
        /// The number before the `-`.
        first: u8,
        /// The number after it.
        last: u8,
    },
    /// More than 64 hex digits.
    TooLong,
}

impl fmt::Display for MaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected { offset, byte } => {
                write!(f, "unexpected `{}` at offset {offset}", byte.escape_ascii())
            }
            Self::MissingNumber { offset } => write!(f, "missing number at offset {offset}"),
            Self::OutOfRange { number } => write!(f, "{number} is not in the range 0-255"),
            Self::Reversed { first, last } => write!(f, "the range {first}-{last} is reversed"),
            Self::TooLong => f.write_str("a mask has at most 64 hex digits"),
        }
    }
}

impl Error for MaskError {}

/// Returns the mask that `old` becomes by a write of `text` to `apmask` or `aqmask` (page 2).
///
/// A text that starts with `+` or `-` is relative to `old`; any other is an absolute mask, after which
/// one newline may stand. An empty text (not one byte before the NUL) is the absolute zero mask.
///
/// # Errors
/// Any error means `EINVAL`, and that nothing changes.
///
/// # Examples
/// ```
/// use ap_types::{AdapterId, AdapterMask, grammar::mask_write};
///
/// let old = AdapterMask::single(AdapterId(1));
/// let new = mask_write(old, b"+5-7,-6\n")?;
/// assert_eq!(new, AdapterMask::of([1, 5, 7].map(AdapterId)));
/// assert_eq!(mask_write(old, b"0x08")?, AdapterMask::single(AdapterId(4)));
/// # Ok::<(), ap_types::MaskError>(())
/// ```
pub fn mask_write<M: Mask>(old: M, text: &[u8]) -> Result<M, MaskError> {
    let text = before_nul(text);
    let words = match text {
        [b'+' | b'-', ..] => relative(old.words(), text)?,
        _ => absolute(text.strip_suffix(b"\n").unwrap_or(text))?,
    };
    Ok(M::from_words(words))
}

/// Returns the mask of the module parameters `apmask=` and `aqmask=` (page 2, "Module parameters").
///
/// The same grammar, but a relative text starts from the zero mask, and a bad one gives the zero mask.
pub fn mask_parameter<M: Mask>(text: &[u8]) -> M {
    mask_write(M::default(), text).unwrap_or_default()
}

/// Parses an absolute mask without newline: optional `0x` or `x`, then up to 64 hex digits from the left.
pub(super) fn absolute(text: &[u8]) -> Result<Words, MaskError> {
    let digits = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"x")).unwrap_or(text);
    let start = text.len() - digits.len();
    let mut words = bits::NONE;
    for (at, &byte) in digits.iter().enumerate() {
        let Some(digit) = char::from(byte).to_digit(16) else {
            return Err(MaskError::Unexpected { offset: start + at, byte });
        };
        let word = words.get_mut(at / 16).ok_or(MaskError::TooLong)?;
        *word |= u64::from(digit) << (60 - 4 * (at % 16));
    }
    Ok(words)
}

/// Applies the terms of a relative text, left to right.
fn relative(mut words: Words, text: &[u8]) -> Result<Words, MaskError> {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        let set = match byte {
            b'+' => true,
            b'-' => false,
            // Separators stand between and after terms; before the first there is a sign.
            b',' | b'\n' => continue,
            _ => return Err(MaskError::Unexpected { offset: at - 1, byte }),
        };
        let first = id(text, &mut at)?;
        let last = match text.get(at) {
            Some(b'-') => {
                at += 1;
                id(text, &mut at)?
            }
            _ => first,
        };
        if first > last {
            return Err(MaskError::Reversed { first, last });
        }
        let range = bits::range(first, last);
        words = if set { bits::or(&words, &range) } else { bits::and_not(&words, &range) };
    }
    Ok(words)
}

/// Takes an id, and moves the offset behind it.
fn id(text: &[u8], at: &mut usize) -> Result<u8, MaskError> {
    let number = prefixed(&text[*at..]).ok_or(MaskError::MissingNumber { offset: *at })?;
    *at += number.len;
    u8::try_from(number.value).map_err(|_| MaskError::OutOfRange { number: number.value })
}

#[cfg(test)]
mod tests;
