//! Transcripts: what was done to a machine, and what came of it, a JSON object per line. (`conformance/README.md`.)
//!
//! Before the first operation a line may name the kernel that was recorded ([`Lines::kernel`], page 7).
//!
//! A [`Line`] is one operation with its answer; [`Line::call`] says what it asks for. [`Lines`] reads them one after
//! the other from whatever has the text. Commands of the machine's operator stay text, in the recorder's words: it is
//! `ap_sysfs::control::command` that reads them.

mod call;
mod code;
mod line;
mod lines;

pub use call::{Call, GuestCall, LineError, bytes, text};
pub use code::Code;
pub use line::{Entries, Guest, Irq, IrqAnswer, Kernel, KernelWord, Kind, Line, LogLine, Node, Text, Uevent};
pub use lines::{Lines, TranscriptError};

/// The JSON schema of a line.
#[must_use]
pub fn schema() -> String {
    crate::json_schema::of::<Line>()
}

#[cfg(test)]
mod tests;
