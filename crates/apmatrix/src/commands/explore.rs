//! `apmatrix explore`: every interleaving, every sequence.

pub(super) mod args;
pub(super) mod cluster;
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
    if !args.scenarios.is_empty() {
        if super::explore_levels::are_meant(args) {
            return super::explore_levels::run(args);
        }
        return super::explore_scenarios::run(args);
    }
    if args.sequences {
        return super::explore_sequences::run(&super::explore_sequences::Wanted {
            alphabet: args.alphabet.as_deref(),
            kernel: args.kernel.as_ref().map(|choice| choice.kernel),
            depth: args.depth,
            budget: args.budget,
            jobs: args.threads(),
            hosts: args.hosts.as_deref().zip(args.process),
            checkpoint: args.checkpoint.as_deref(),
            json: args.json,
        });
    }
    if args.hosts.is_some() || args.checkpoint.is_some() || args.workers.is_some() {
        return Err(CliError::usage("say what the workers are to explore: a scenario, or `--sequences`")
            .hint("`apmatrix explore --list` says what there is"));
    }
    Err(CliError::usage("say what to explore: a scenario, or `--specimen ID`")
        .hint("`apmatrix explore --list` says what there is"))
}

#[cfg(test)]
mod tests;
