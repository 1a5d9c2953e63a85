//! What is explored, and what must hold: specimens of lock protocols of the past.

#![forbid(unsafe_code)]

pub mod scenario;
pub mod seed;
pub mod sequences;
