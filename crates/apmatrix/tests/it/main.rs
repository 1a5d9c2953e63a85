//! The command and its parts, from outside.

mod cli;
mod common;
mod ls;
mod mount;
mod mutants;
mod shell;
mod transcripts;
