//! What is explored, and what must hold.
//!
//! - [`oracle`] says what is wrong, typed, and what kind of thing that is;
//! - [`scenario`] runs operations at the same time: every interleaving;
//! - [`sequences`] runs them one after the other: every sequence.

#![forbid(unsafe_code)]

pub mod oracle;
pub mod scenario;
pub mod sequences;
