//! `apmatrix shell`: the tree in this process, without FUSE.

use std::path::PathBuf;

use crate::cli::Outcome;
use crate::commands::{Machine, not_here};

/// Operate a machine in this process: no FUSE, no privileges, machine time
///
/// Knows echo X > PATH, cat, ls, readlink, stat, tree, $VARS, #, &&, ||, ;, &, wait, sleep (of machine time), and the
/// verbs of `apmatrix hw`, `apmatrix guest` and `apmatrix events`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix shell                                      on a terminal: a prompt\n  \
    apmatrix shell --machine tiny -c 'echo -4 > /sys/bus/ap/apmask; ls /sys/bus/ap/drivers/vfio_ap'\n  \
    apmatrix shell try.sh")]
pub struct Args {
    /// Which machine.
    #[command(flatten)]
    pub machine: Machine,
    /// What to do, as text
    #[arg(short = 'c', value_name = "TEXT", conflicts_with = "script")]
    pub text: Option<String>,
    /// What to do, as a file
    #[arg(value_name = "SCRIPT", value_hint = clap::ValueHint::FilePath)]
    pub script: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    args.machine.load()?;
    Err(not_here("shell"))
}
