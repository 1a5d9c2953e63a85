//! Where a text ends.

/// Returns the bytes before the first NUL.
pub(crate) fn before_nul(text: &[u8]) -> &[u8] {
    match text.iter().position(|&byte| byte == 0) {
        Some(nul) => &text[..nul],
        None => text,
    }
}
