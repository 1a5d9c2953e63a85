//! The command and its parts, from outside.

mod cli;
mod common;
mod explore;
mod ls;
mod mistakes;
mod mount;
mod mutants;
mod plan;
mod recorded;
#[path = "../browser/tree.rs"]
mod recorded_tree;
mod schemas;
mod shell;
#[path = "../skip/mod.rs"]
mod skip;
#[path = "../browser/started.rs"]
mod started;
mod transcripts;
