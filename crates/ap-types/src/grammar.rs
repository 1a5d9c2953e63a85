//! The texts that are written to attributes and given as module parameters.
//!
//! Every function takes the bytes of one write; a NUL byte ends the text (page 5, "Files"). Nothing here
//! panics, whatever the bytes are. That a write of no bytes does nothing and succeeds is for the caller to
//! know: it holds for every attribute.

mod config;
mod mask;
mod nul;
mod number;
mod uuid;

pub use self::config::{ConfigError, ap_config};
pub use self::mask::{MaskError, mask_parameter, mask_write};
pub use self::number::{NumberError, boolean_word, scanned_decimal, scanned_prefixed, strict};
pub use self::uuid::{Uuid, UuidError, uuid};

/// Returns the device name that was written to `bind`, `unbind` or `drivers_probe` (page 5).
///
/// A NUL ends it, then one trailing newline is ignored. `None` if it is not UTF-8: no device has such a
/// name.
///
/// # Examples
/// ```
/// use ap_types::grammar::device_name;
///
/// assert_eq!(device_name(b"05.0047\n"), Some("05.0047"));
/// assert_eq!(device_name(b"05.0047\n\n"), Some("05.0047\n"));
/// ```
pub fn device_name(text: &[u8]) -> Option<&str> {
    let text = nul::before_nul(text);
    core::str::from_utf8(text.strip_suffix(b"\n").unwrap_or(text)).ok()
}
