//! `apmatrix import`: a host's state as a machine file.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use crate::commands::plan::tell_notes;
use crate::commands::{Root, print_json};
use crate::error::{CliError, Outcome};
use crate::plan::host::Host;

/// Read a host, real or emulated, and write it down as a machine file
///
/// Only reads. What a machine file cannot say is noted on standard error.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix import -o mine.toml                        this host, or inside `apmatrix run` the machine\n  \
    apmatrix import --archive sosreport.tar.xz\n  \
    apmatrix import --root /mnt/ap --json")]
pub struct Args {
    #[command(flatten)]
    root: Root,
    /// A tar file of a host's /sys (dbginfo.sh, sos report), plain or compressed by gzip or xz
    #[arg(long, value_name = "FILE", conflicts_with = "root", value_hint = clap::ValueHint::FilePath)]
    archive: Option<PathBuf>,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    output: Option<PathBuf>,
    /// Print one JSON document: the machine file, key by key
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let host = match &args.archive {
        Some(path) => Host::Archive(path.clone()),
        None => Host::Root(args.root.root.clone()),
    };
    let imported = host.read()?;
    tell_notes(&imported.notes)?;
    let text = imported.machine.to_text();
    match (&args.output, args.json) {
        (Some(path), _) => fs::write(path, text).map_err(|error| CliError::unwritten(path, error))?,
        (None, true) => {
            let document: toml::Table = text.parse().map_err(|error: toml::de::Error| {
                CliError::failed("what is written down reads as no file").because(error)
            })?;
            print_json(&document)?;
        }
        (None, false) => write!(anstream::stdout(), "{text}")?,
    }
    Ok(0)
}
