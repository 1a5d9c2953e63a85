//! What is judged, and how it is said: typed, and once for every way to explore.
//!
//! - [`Broken`] is something that does not hold, with the [`Law`] that it breaks and its [`Verdict`];
//! - [`hand`] is the oracle of clean hand-over (I5), which scenarios and sequences feed with what they see;
//! - [`Known`] tells what the reference does, too.
//!
//! Invariants over a state are those of [`ap_host::invariants`]; rules over one operation are the sequences'.

mod broken;
pub mod hand;
mod known;
mod verdict;

pub use broken::{Broken, BusRule, Difference, Expected, HandOver, Law, NoOrder, NotReturned, VfioRule};
pub use known::Known;
pub use verdict::Verdict;
