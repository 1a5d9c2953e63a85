//! The files that users write and read: machines, scenarios, transcripts; their checks, their errors, their schemas.
//!
//! A file's text becomes a typed value ([`MachineFile`], [`ScenarioFile`], [`transcript::Line`]) or an error that
//! points to the place and says what was expected there ([`FileError`]). [`boot()`] makes a running host of a machine
//! file: what the file says goes into the machine as [`ap_machine::Change`]s, to the modules and to mediated devices by
//! calls; no text lies in between.
//!
//! # What belongs here
//! Formats, what they mean, and what is wrong with them, so that every front end reads the same files and says the same
//! of them. What is done with them (exploring a scenario, replaying a transcript, reports) is the front ends'.
//! Shell text in scenarios is kept as text with its place: who runs it parses it, and [`ScenarioFile::wrong`] points to
//! a line of it.
//!
//! # Input and output
//! Everything is read from text but for [`read`], which reads the file that somebody named: a scenario names its
//! machine's file, and errors must say which of the two cannot be read. Nothing is written, no directory is listed, no
//! archive opened.

#![forbid(unsafe_code)]

pub mod boot;
pub mod desired;
mod error;
pub mod journal;
mod json_schema;
pub mod kernel;
pub mod machine;
mod problem;
mod read;
pub mod scenario;
pub mod state;
pub mod transcript;

pub use boot::{BootError, boot};
pub use desired::DesiredFile;
pub use error::FileError;
pub use kernel::KernelChoice;
pub use machine::MachineFile;
pub use read::{ReadError, read, said};
pub use scenario::ScenarioFile;
