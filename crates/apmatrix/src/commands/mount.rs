//! `apmatrix mount`: the tree on a directory.

use std::path::PathBuf;

use crate::cli::Outcome;
use crate::commands::{Machine, not_here};

/// Mount the tree on a directory, in the foreground
///
/// Ends, and unmounts, on SIGINT and SIGTERM.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix mount --machine wide /mnt/ap\n  \
    apmatrix ls --root /mnt/ap                          in another terminal")]
pub struct Args {
    /// Which machine.
    #[command(flatten)]
    pub machine: Machine,
    /// An empty directory
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub directory: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    args.machine.load()?;
    Err(not_here("mount"))
}
