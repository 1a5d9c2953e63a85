//! Every sequence of operations of an alphabet on a tiny machine, breadth first.
//!
//! Most defects of the past need no concurrency at all. Each operation runs on the real code, from every state that
//! was reached before; states are told apart by a 128-bit fingerprint, so the first sequence that breaks something
//! is a shortest one.
//!
//! An [`Operation`] is carried out by `perform` on the machine of `tiny`, alone (`alone`) and recorded (`recorder`);
//! `bench` puts that together and knows `state`s. What it did is judged by `answers` (the answer that sets alone give),
//! `rules` (of pages 2 and 3), the invariants, and `hands` (what the oracle of clean hand-over is told). A [`Walker`] goes to a
//! state and runs every operation of an [`Alphabet`] from there; a [`Report`] says what came of all of it. How states are
//! remembered, what is counted level by level, and how the work is shared by threads, processes and machines, is no concern of
//! this module: the crate `ap-cluster` does that.

mod alone;
mod alphabet;
mod answers;
mod bench;
mod hands;
mod judge;
mod operation;
mod perform;
mod recorder;
mod report;
mod rules;
mod single;
mod state;
mod tiny;
mod walker;

pub use alphabet::{Alphabet, alphabet, alphabets};
pub use operation::{Operation, Plugged, ResetFault};
pub use report::{Report, Violation};
pub use single::{judge, judge_on};
pub use walker::{Astray, Came, Walker};
