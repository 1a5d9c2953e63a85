//! `apmatrix fits`: whether each mdev of one host fits another one.

use std::io::Write as _;
use std::path::Path;

use ap_plan::fits::fits;

use crate::commands::{Root, SYS, print_json};
use crate::complete;
use crate::error::{CliError, Outcome};
use crate::plan::document::FitsDocument;
use crate::plan::host::Host;
use crate::plan::show;
use crate::terminal::{findings, lines_wrapped, width, wrapped};

/// Say whether each mediated device of one host fits another one, and if not, why
///
/// Before a guest is migrated. A host is a machine file (`apmatrix import` writes one), a built-in machine, an archive of
/// /sys, or a directory that is one. Exit status 1: one does not fit.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix fits here.toml there.toml\n  \
    apmatrix fits there.toml --json                     this host's mdevs\n  \
    apmatrix fits here.toml /sys                        another host's mdevs on this one")]
pub struct Args {
    /// The host whose mdevs are to move, and the one that they are to move to; the first may be left out: --root
    #[arg(value_name = "SOURCE TARGET", num_args = 1..=2, required = true, add = complete::hosts())]
    hosts: Vec<String>,
    #[command(flatten)]
    root: Root,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let (source, target) = match args.hosts.as_slice() {
        [_, _] if args.root.root != Path::new(SYS) => {
            return Err(CliError::usage("`--root` is the source, and there are two hosts besides")
                .hint("name the target alone, or leave `--root` out"));
        }
        [source, target] => (Host::of_word(source), Host::of_word(target)),
        [target] => (Host::Root(args.root.root.clone()), Host::of_word(target)),
        _ => return Ok(2),
    };
    let (from, to) = (source.read()?, target.read()?);
    for (host, read) in [(&source, &from), (&target, &to)] {
        for note in &read.notes {
            writeln!(
                anstream::stderr(),
                "{}",
                wrapped(&format!("note: {}: {note}", host.name()), width(), 2)
            )?;
        }
    }
    let found = fits(&from.state, &to.state);
    if args.json {
        print_json(&FitsDocument::of(source.name(), target.name(), &found))?;
    } else {
        write!(findings(), "{}", lines_wrapped(&show::fits(&found), width()))?;
    }
    Ok(u8::from(found.iter().any(|fit| !fit.misfits.is_empty())))
}
