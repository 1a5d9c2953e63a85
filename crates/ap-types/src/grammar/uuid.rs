//! The UUID that is written to `create` (page 3, "Creating and removing mdevs").

use core::error::Error;
use core::fmt;

/// The name of a mediated device: 128 bits, most significant byte first.
///
/// Shown in lower case, `8-4-4-4-12`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

/// The length of the text form.
const LEN: usize = 36;

/// Says whether a hyphen stands at this offset of the text form.
const fn is_hyphen(offset: usize) -> bool {
    matches!(offset, 8 | 13 | 18 | 23)
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// Why a text is not the name of a mediated device; the errno is always `EINVAL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UuidError {
    /// The write has neither 36 nor 37 bytes.
    Length(
        /// How many it has.
        usize,
    ),
    /// The first 36 bytes are not a UUID.
    Unexpected {
        /// The offset of the first byte that is wrong, from 0.
        offset: usize,
    },
}

impl fmt::Display for UuidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(len) => write!(f, "a UUID has 36 characters, not {len}"),
            Self::Unexpected { offset } => write!(f, "not a UUID: bad character at {offset}"),
        }
    }
}

impl Error for UuidError {}

/// Parses what is written to `create`: 36 or 37 bytes, the first 36 a UUID in either case; byte 37 is not
/// looked at (page 3).
///
/// The length is that of the write, so a NUL doesn't shorten it; among the first 36 it is no hex digit.
///
/// # Errors
/// Any error means `EINVAL`.
pub fn uuid(text: &[u8]) -> Result<Uuid, UuidError> {
    if !matches!(text.len(), 36 | 37) {
        return Err(UuidError::Length(text.len()));
    }
    let mut bytes = [0; 16];
    let mut nibbles = 0;
    for (offset, &byte) in text[..LEN].iter().enumerate() {
        if is_hyphen(offset) {
            if byte != b'-' {
                return Err(UuidError::Unexpected { offset });
            }
            continue;
        }
        let Some(digit) = char::from(byte).to_digit(16) else {
            return Err(UuidError::Unexpected { offset });
        };
        // 36 characters without 4 hyphens: 32 nibbles, two per byte.
        bytes[nibbles / 2] = bytes[nibbles / 2] << 4 | digit as u8;
        nibbles += 1;
    }
    Ok(Uuid(bytes))
}

#[cfg(test)]
mod tests;
