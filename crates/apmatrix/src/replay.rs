//! Recorded transcripts: reading them, doing what they say on a machine, and comparing what comes of it.
//!
//! The format is [`ap_files::transcript`], [`Target`] what a machine must be able to do, [`engine`] the loop over a
//! transcript's operations, [`rules`] the few things that are not compared, [`files`] files, directories and
//! archives, [`report`] what is printed. [`Recorded`] is a machine that answers from the transcript itself; it
//! tests the comparison.

pub mod engine;
pub mod facts;
pub mod files;
pub mod perform;
pub mod recorded;
pub mod report;
pub mod rules;
pub mod session;
pub mod target;
pub mod through;

pub use engine::{Difference, FileResult, Options, ReplayError, replay};
pub use facts::{Fact, Facts};
pub use files::{Input, inputs};
pub use recorded::Recorded;
pub use report::Report;
pub use session::InProcess;
pub use target::{
    Failure, Gave, GuestFacts, GuestState, Later, Listed, Sees, Stat, Target, TargetError, Ticket,
};
pub use through::Through;
