//! What the command line is made of: commands, replaying transcripts, playing scenarios, reports.

#![forbid(unsafe_code)]

pub mod arguments;
pub mod cli;
pub mod commands;
pub mod complete;
pub mod control;
pub mod demo_system;
pub mod diagnostic;
pub mod editor;
pub mod error;
pub mod inventory;
pub mod jobs;
pub mod live;
pub mod plan;
pub mod progress;
pub mod replay;
pub mod running;
pub mod scenario;
pub mod schema;
pub mod stand_ins;
pub mod states;
pub mod terminal;
pub mod timeline;
pub mod why;
