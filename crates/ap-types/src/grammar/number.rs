//! Numbers and boolean words (page 5, "Numbers").

use core::error::Error;
use core::fmt;

use super::nul::before_nul;

/// Why a text is not a number (or boolean word).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberError {
    /// It doesn't have the form (`EINVAL`).
    Invalid,
    /// It has, but is 2^64 or more (`ERANGE`, for `remove` `EINVAL`).
    Range,
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "not a number of the expected form",
            Self::Range => "the number does not fit into 64 bits",
        })
    }
}

impl Error for NumberError {}

/// A number at the start of a text.
pub(super) struct Number {
    /// The value modulo 2^64.
    pub(super) value: u64,
    /// Whether the value is 2^64 or more.
    pub(super) overflow: bool,
    /// How many bytes of the text it takes, prefix included; at least one.
    pub(super) len: usize,
}

/// Takes a number with C prefixes from the start of a text: `0x` or `0X` and a digit hex, a leading `0`
/// octal, else decimal.
pub(super) fn prefixed(text: &[u8]) -> Option<Number> {
    match text {
        [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit() => {
            let number = digits(&text[2..], 16)?;
            Some(Number { len: number.len + 2, ..number })
        }
        [b'0', ..] => digits(text, 8),
        _ => digits(text, 10),
    }
}

/// Takes as many digits as there are from the start of a text.
fn digits(text: &[u8], radix: u32) -> Option<Number> {
    let mut number = Number { value: 0, overflow: false, len: 0 };
    for &byte in text {
        let Some(digit) = char::from(byte).to_digit(radix) else { break };
        let (product, high) = number.value.overflowing_mul(u64::from(radix));
        let (sum, carry) = product.overflowing_add(u64::from(digit));
        number.value = sum;
        number.overflow |= high | carry;
        number.len += 1;
    }
    (number.len > 0).then_some(number)
}

/// Parses a **strict** number: optional `+`, then digits (`0x`/`0X` hex, leading `0` octal, else decimal),
/// then at most one newline.
///
/// # Errors
/// [`NumberError::Range`] for 2^64 and more, [`NumberError::Invalid`] for anything else.
pub fn strict(text: &[u8]) -> Result<u64, NumberError> {
    let text = before_nul(text);
    let unsigned = text.strip_prefix(b"+").unwrap_or(text);
    let number = prefixed(unsigned).ok_or(NumberError::Invalid)?;
    match &unsigned[number.len..] {
        b"" | b"\n" if number.overflow => Err(NumberError::Range),
        b"" | b"\n" => Ok(number.value),
        _ => Err(NumberError::Invalid),
    }
}

/// Parses a **scanned** decimal number: leading white space, optional `-`, at least one digit; whatever
/// follows is ignored. The value is taken modulo 2^32, signed.
///
/// # Errors
/// [`NumberError::Invalid`] if there is no digit where one must be.
pub fn scanned_decimal(text: &[u8]) -> Result<i32, NumberError> {
    scanned(text, |text| digits(text, 10))
}

/// Parses a **scanned** number with C prefixes: as [`scanned_decimal`], but `0x`/`0X` hex and leading `0`
/// octal.
///
/// # Errors
/// [`NumberError::Invalid`] if there is no digit where one must be.
pub fn scanned_prefixed(text: &[u8]) -> Result<i32, NumberError> {
    scanned(text, prefixed)
}

fn scanned(text: &[u8], take: fn(&[u8]) -> Option<Number>) -> Result<i32, NumberError> {
    let text = before_nul(text);
    let start = text.iter().position(|byte| !is_space(*byte)).ok_or(NumberError::Invalid)?;
    let (negative, unsigned) = match &text[start..] {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    // 2^32 divides 2^64, so cutting the value twice is cutting it once.
    let value = take(unsigned).ok_or(NumberError::Invalid)?.value as i32;
    Ok(if negative { value.wrapping_neg() } else { value })
}

/// White space as C has it: unlike Rust's ASCII white space with the vertical tab.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Parses a boolean word: by the first character `1 y Y t T` true, `0 n N f F` false; after `o O` by the
/// second `n N` true, `f F` false. The rest is not looked at.
///
/// # Errors
/// [`NumberError::Invalid`] for anything else.
pub fn boolean_word(text: &[u8]) -> Result<bool, NumberError> {
    match before_nul(text) {
        [b'1' | b'y' | b'Y' | b't' | b'T', ..] => Ok(true),
        [b'0' | b'n' | b'N' | b'f' | b'F', ..] => Ok(false),
        [b'o' | b'O', b'n' | b'N', ..] => Ok(true),
        [b'o' | b'O', b'f' | b'F', ..] => Ok(false),
        _ => Err(NumberError::Invalid),
    }
}

#[cfg(test)]
mod tests;
