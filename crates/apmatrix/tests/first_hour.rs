//! What somebody who has never seen a mainframe meets in the first hour: a test for each row of that list, named after
//! it.

#[allow(dead_code, reason = "other tests use more of it")]
#[path = "it/common.rs"]
mod common;
#[path = "first_hour/help.rs"]
mod help;
#[path = "first_hour/masks.rs"]
mod masks;
#[path = "first_hour/mistakes.rs"]
mod mistakes;
#[path = "first_hour/pseudo.rs"]
mod pseudo;
#[path = "first_hour/recording.rs"]
mod recording;
#[path = "first_hour/running.rs"]
mod running;
#[path = "first_hour/scenarios.rs"]
mod scenarios;
mod skip;
#[path = "first_hour/terminal.rs"]
mod terminal;
#[path = "first_hour/unseen.rs"]
mod unseen;
#[path = "first_hour/why.rs"]
mod why;
#[path = "first_hour/width.rs"]
mod width;
