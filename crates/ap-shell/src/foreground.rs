//! Somebody who sits at a prompt: who can have a command end, and before whom time passes while one waits.
//!
//! It knows no terminal, no signal and no clock: whoever has them says what happened.

use std::fmt;

/// Whoever sits at a prompt.
pub trait Foreground: fmt::Debug {
    /// Whether the command that runs is to end (^C). It is asked once: the next answer is about the next wish.
    fn interrupted(&self) -> bool;

    /// Lets a moment pass while a write waits, and says how many milliseconds it was.
    fn pause(&self) -> u64;
}
