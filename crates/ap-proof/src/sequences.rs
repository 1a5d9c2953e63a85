//! Every sequence of operations of an alphabet on a tiny machine, breadth first.
//!
//! Most defects of the past need no concurrency at all. Each operation runs on the real code, from every state that
//! was reached before; states are told apart by a 128-bit fingerprint, so the first sequence that breaks something
//! is a shortest one.

mod alphabet;
mod hands;
mod known;
mod operation;
mod oracle;
mod report;
mod search;
mod world;

pub use alphabet::{Alphabet, alphabet, alphabets};
pub use operation::{Fault, Operation, Place};
pub use report::{Report, Violation};
pub use search::{Options, Progress, explore, judge};
