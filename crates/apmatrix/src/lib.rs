//! What the command line is made of: machine files, transcripts, reports, commands.

#![forbid(unsafe_code)]

pub mod machine;
pub mod replay;
