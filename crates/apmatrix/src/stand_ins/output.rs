//! What is printed for whoever still reads.

use std::io::Write as _;

/// Prints a line. Whoever no longer reads has what he wanted.
pub fn print(line: &str) {
    print_raw(&format!("{line}\n"));
}

/// Prints a text.
pub fn print_raw(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
