//! `apmatrix mount`: the tree on a directory.

use std::path::PathBuf;

use ap_files::boot::factory;
use ap_fuse::MountOptions;

use crate::commands::MachineArgs;
use crate::error::Outcome;
use crate::terminal::told;

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
    pub machine: MachineArgs,
    /// An empty directory
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub directory: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let machine = args.machine.load()?;
    let (summary, directory) = (machine.to_string(), args.directory.display().to_string());
    let ready = move || {
        eprintln!("{}", told(&format!("mounted on {directory}: {summary}; ends with SIGINT or SIGTERM")));
    };
    ap_fuse::mount(&MountOptions::new(&args.directory), factory(machine), ready)?;
    Ok(0)
}
