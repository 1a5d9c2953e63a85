//! `apmatrix man`: manual pages.

use std::fs;
use std::path::PathBuf;

use ap_files::said;

use crate::error::{CliError, Outcome};

/// Write manual pages, one per command
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  apmatrix man ~/.local/share/man/man1")]
pub struct Args {
    /// Where to; it is made if it isn't there
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub directory: PathBuf,
}

/// Runs the command, for the command line that is described.
pub fn run(args: &Args, described: clap::Command) -> Outcome {
    let failed = |error: std::io::Error| {
        CliError::environment(format!("{}: {}", args.directory.display(), said(&error))).because(error)
    };
    fs::create_dir_all(&args.directory).map_err(failed)?;
    clap_mangen::generate_to(described, &args.directory).map_err(failed)?;
    Ok(0)
}
