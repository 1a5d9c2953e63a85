//! The three masks that are written to an mdev's `ap_config` (page 3).

use core::error::Error;
use core::fmt;

use super::mask::{MaskError, absolute};
use super::nul::before_nul;
use crate::mask::{AdapterMask, DomainMask};
use crate::matrix::Matrix;

/// As many bytes of a write count; the rest is ignored. Three whole masks and a newline fit.
const CONSIDERED: usize = 201;

/// Why a text is not a configuration; the errno is always `EINVAL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The text ends before the second token has been ended by `,` or newline.
    MissingMask {
        /// How many tokens have been ended, 0 or 1.
        found: usize,
    },
    /// A token is not an absolute mask.
    BadMask {
        /// Which one, 0-2: adapters, domains, control domains.
        token: usize,
        /// What is wrong with it; offsets count from the start of the token.
        source: MaskError,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingMask { found } => {
                write!(f, "three masks are needed, the text ends in number {}", found + 1)
            }
            Self::BadMask { token, .. } => {
                let names = ["adapters", "domains", "control domains"];
                write!(f, "bad mask of {}", names.get(*token).unwrap_or(&"more"))
            }
        }
    }
}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::MissingMask { .. } => None,
            Self::BadMask { source, .. } => Some(source),
        }
    }
}

/// Parses what is written to `ap_config`: three absolute masks, of adapters, domains and control domains
/// (page 3).
///
/// Each token is ended by `,` or newline, the third also by the end of the text; what follows it is
/// ignored. An empty token is the zero mask. Only the first 201 bytes count.
///
/// # Errors
/// Any error means `EINVAL`, and that nothing changes.
pub fn ap_config(text: &[u8]) -> Result<Matrix, ConfigError> {
    let text = before_nul(&text[..text.len().min(CONSIDERED)]);
    let mut tokens = text.split(|byte| matches!(byte, b',' | b'\n'));
    let mut words = [crate::bits::NONE; 3];
    for (token, words) in words.iter_mut().enumerate() {
        // That a token follows is what says that the one before it was ended.
        let found = token.saturating_sub(1);
        let text = tokens.next().ok_or(ConfigError::MissingMask { found })?;
        *words = absolute(text).map_err(|source| ConfigError::BadMask { token, source })?;
    }
    let [adapters, domains, control_domains] = words;
    Ok(Matrix {
        adapters: AdapterMask::from_words(adapters),
        domains: DomainMask::from_words(domains),
        control_domains: DomainMask::from_words(control_domains),
    })
}

#[cfg(test)]
mod tests;
