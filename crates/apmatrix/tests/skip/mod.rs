//! How a test says what it leaves out here: on standard error, past the harness, which keeps what tests that pass print to
//! itself. With `APMATRIX_NO_SKIPS=1`, as CI has it where everything is there, what is left out is a failure.
//!
//! Knows no test, and not what they need.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fmt::Display;
use std::io::Write as _;

/// Says a line past the harness.
pub fn tell(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Whether nothing may be left out.
fn forbidden() -> bool {
    std::env::var_os("APMATRIX_NO_SKIPS").is_some_and(|value| value == "1")
}

/// Says what is left out and why, in a line.
///
/// # Panics
/// If nothing may be left out.
pub fn skip(what: &str, why: impl Display) {
    skip_all([format!("{what}: {why}")]);
}

/// The same for several, a line each: `WHAT: WHY`.
pub fn skip_all(lines: impl IntoIterator<Item = String>) {
    let lines: Vec<String> = lines.into_iter().map(|line| one(&line)).collect();
    lines.iter().for_each(|line| tell(&format!("SKIPPED {line}")));
    assert!(
        lines.is_empty() || !forbidden(),
        "APMATRIX_NO_SKIPS=1, and this was left out: {}",
        lines.join("; ")
    );
}

/// Says what is left out that CI may lack, too, or that has to be asked for: never a failure.
pub fn pass_over(what: &str, why: impl Display) {
    tell(&format!("SKIPPED {}", one(&format!("{what}: {why}"))));
}

/// On one line.
fn one(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
