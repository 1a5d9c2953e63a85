//! `apmatrix man`: manual pages.

use std::fs;
use std::path::PathBuf;

use crate::cli::{self, Outcome};
use crate::error::{CliError, said};

/// Write manual pages, one per command
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  apmatrix man ~/.local/share/man/man1")]
pub struct Args {
    /// Where to; it is made if it isn't there
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub directory: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let failed = |error: std::io::Error| {
        CliError::environment(format!("{}: {}", args.directory.display(), said(&error)))
    };
    fs::create_dir_all(&args.directory).map_err(failed)?;
    clap_mangen::generate_to(cli::command(), &args.directory).map_err(failed)?;
    Ok(0)
}
