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
mod schemas;
mod shell;
mod transcripts;
