//! The small shell language in which people and scenarios operate an emulated machine, in-process.
//!
//! The crate knows no terminal, no real file and no host. It parses text ([`parse()`]) and runs it against a
//! [`World`]: the tree's files, the verbs `hw`, `guest` and `events`, and machine time. [`FilesystemWorld`] is the
//! World over an [`ap_sysfs::Filesystem`].
//!
//! The language is a subset of the shell's: what is accepted means what `sh` would do with it, and what is not
//! supported (pipes, `while`, functions, here-documents, arithmetic) is a [`ParseError`] that says so, with its
//! place and what to write instead.
//!
//! * Words: `'single'` and `"double"` quotes, backslash, `$NAME`, `${NAME}`, `${NAME:-TEXT}`, `$?`, `$!`, `$(LIST)`,
//!   `*` and `?` over the tree's names, comments.
//! * Lists: `;`, newline, `&&`, `||`, `!`, `&`; `for X in WORDS; do …; done`, `if …; then …; elif …; else …; fi`,
//!   `{ …; }`.
//! * `> PATH` and `>> PATH`: one open, and one write with all of a command's output. `2>`, `2>&1`, `>&2`,
//!   `/dev/null`.
//!
//! # Inside
//!
//! Each module builds on those above it only:
//!
//! ```text
//! place, outcome, names, quote, foreground   words that all others use
//! operator, world, filesystem, fake          what a script runs against
//! ast, error, parse                          text to a script
//! run: context, expand, redirect, jobs, …    what a script does; a command is an entry in a table
//! builtin                                    that table
//! check, shell, task, fuzz                   what is offered: all of it put together
//! ```
//!
//! Nothing that is parsed can run for ever: loops are bounded by their word lists, and commands, nesting, words
//! and captured output by limits.
//!
//! # Examples
//!
//! ```
//! use ap_shell::{Shell, Stream, fake::FakeWorld};
//!
//! let script = ap_shell::parse("echo +4 > /sys/bus/ap/apmask && cat /sys/bus/ap/apmask", "example").unwrap();
//! let mut shell = Shell::new(FakeWorld::with_files(&[("/sys/bus/ap/apmask", "0x0\n")]));
//! let mut printed = String::new();
//! let status = shell.run(&script, &mut |stream, text| {
//!     assert_eq!(stream, Stream::Out);
//!     printed.push_str(text);
//! });
//! assert_eq!((status.code, printed.as_str()), (0, "+4\n"));
//! ```

#![forbid(unsafe_code)]

mod ast;
mod builtin;
mod check;
mod error;
pub mod fake;
mod filesystem;
mod foreground;
mod fuzz;
mod names;
mod operator;
mod outcome;
mod parse;
mod place;
mod quote;
mod run;
mod shell;
mod task;
mod world;

pub use ast::Script;
pub use builtin::commands;
pub use check::UnknownCommand;
pub use error::{ParseError, visible};
pub use filesystem::FilesystemWorld;
pub use foreground::Foreground;
pub use fuzz::fuzz_entry;
pub use operator::{ControlFiles, Operator, OperatorError};
pub use outcome::{Cause, Failing, Status, Stream};
pub use parse::parse;
pub use place::Place;
pub use quote::quote;
pub use run::context::Command;
pub use shell::Shell;
pub use task::{TaskResult, run_task, run_task_within};
pub use world::{Failure, JobId, World, Written};
