//! What the command line is made of: machine files, transcripts, reports, commands.

#![forbid(unsafe_code)]

pub mod boot;
pub mod cli;
pub mod commands;
pub mod control;
pub mod demo_system;
pub mod error;
pub mod inventory;
pub mod machine;
pub mod replay;
pub mod scenario_file;
pub mod state;
