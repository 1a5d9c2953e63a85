//! Turns a text into a word that expands to it.

use crate::names::RESERVED;

/// The shortest usual spelling of a word that expands to exactly `text`.
///
/// # Examples
///
/// ```
/// assert_eq!(ap_shell::quote("/sys/bus/ap"), "/sys/bus/ap");
/// assert_eq!(ap_shell::quote("it's"), r"'it'\''s'");
/// assert_eq!(ap_shell::quote(""), "''");
/// ```
#[must_use]
pub fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%=".contains(c);
    // `if` and `a=b` are words only where they are arguments, so quote what could be taken for something else.
    let reserved = RESERVED.contains(&text) || text.contains('=');
    if !text.is_empty() && text.chars().all(plain) && !reserved {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
