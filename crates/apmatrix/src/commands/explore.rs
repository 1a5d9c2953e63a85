//! `apmatrix explore`: every interleaving, every sequence.

pub(super) mod args;
pub(super) mod json;
mod list;
pub(super) mod report;
pub(super) mod specimen;
mod telling;
mod trace;

use ap_files::KernelChoice;

use crate::error::{CliError, Outcome};
use crate::schema::{Named, of};

pub use args::{Args, Engine};

/// What it prints.
pub const SCHEMAS: [Named; 4] = [
    Named::new(
        "explore-list",
        "what can be explored: `apmatrix explore --list --json`",
        of::<list::Document>,
    ),
    Named::new("specimen", "a specimen: `apmatrix explore --specimen ID --json`", of::<json::Document>),
    Named::new(
        "specimen-replayed",
        "a schedule of a specimen: `… --replay SCHEDULE --json`",
        of::<json::Replayed>,
    ),
    Named::new(
        "v12",
        "the table of the series: `apmatrix explore --specimen v12 --json`",
        of::<json::Series>,
    ),
];

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    if let Some(taken) = args.kernel.as_ref().and_then(KernelChoice::taken) {
        eprintln!("{taken}");
    }
    if args.list {
        return list::run(args.json);
    }
    if let Some(id) = &args.specimen {
        return specimen::run(id, args);
    }
    let only = [("--hosts", args.hosts.is_some()), ("--checkpoint", args.checkpoint.is_some())];
    if let Some((option, _)) = only.iter().find(|(_, given)| *given && !args.sequences) {
        return Err(CliError::usage(format!(
            "`{option}` is for `--sequences`: one process explores a scenario, from its beginning to its end"
        ))
        .hint("several scenario files are explored at once, as many as `--jobs` says"));
    }
    if !args.scenarios.is_empty() {
        return super::explore_scenarios::run(args);
    }
    if args.sequences {
        return super::explore_sequences::run(&super::explore_sequences::Wanted {
            alphabet: args.alphabet.as_deref(),
            kernel: args.kernel.as_ref().map(|choice| choice.kernel),
            depth: args.depth,
            budget: args.budget,
            jobs: args.jobs,
            hosts: args.hosts.as_deref().zip(args.process),
            checkpoint: args.checkpoint.as_deref(),
            json: args.json,
        });
    }
    Err(CliError::usage("say what to explore: a scenario, or `--specimen ID`")
        .hint("`apmatrix explore --list` says what there is"))
}

#[cfg(test)]
mod tests;
