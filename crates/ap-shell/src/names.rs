//! Which words the language keeps for itself, and what a variable may be called.

/// Words that are no commands where a command may stand.
pub(crate) const RESERVED: [&str; 17] = [
    "!", "{", "}", "if", "then", "elif", "else", "fi", "for", "in", "do", "done", "while", "until", "case",
    "esac", "function",
];

/// Whether a variable can have this name.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(starts_name) && text.chars().all(continues_name)
}

/// Whether a variable's name can begin with this character.
pub(crate) fn starts_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

/// Whether a variable's name can go on with this character.
pub(crate) fn continues_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
