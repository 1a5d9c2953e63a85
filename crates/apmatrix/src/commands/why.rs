//! `apmatrix why`: why a write was refused, or would be.

use std::io::Write as _;

use crate::commands::{MachineArgs, Root, print_json};
use crate::complete;
use crate::error::{CliError, Outcome};
use crate::plan::tree::FileTree;
use crate::terminal::width;
use crate::why::{Document, Explained, asked, last, nothing};
use ap_apply::tree::Tree;
use ap_files::boot;

/// Say why the last write was refused, or why a write would be
///
/// Without a write it is about the last one that the emulated host refused. It names the queues that are in the way,
/// whose they are, the rule, and the smallest change that lets the write through. It writes nothing.
///
/// Exits with 0, but with 1 if the write that was given would be refused.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix why                                        in `apmatrix run`: the last refusal\n  \
    apmatrix why --root /mnt/ap                         of a mounted machine\n  \
    apmatrix why /sys/bus/ap/apmask +4                  would that be refused, and why?\n  \
    apmatrix why --machine wide aqmask -6 --json")]
pub struct Args {
    #[command(flatten)]
    root: Root,
    /// Of a built-in machine or a machine file as it is right after it has booted, instead of a tree
    #[arg(long, value_name = "M", conflicts_with = "root", requires = "path", add = complete::machines())]
    machine: Option<String>,
    /// Print one JSON document: apmatrix.why/1
    #[arg(long)]
    json: bool,
    /// The file: below /sys, or shorter (apmask, UUID/assign_domain)
    #[arg(value_name = "PATH", add = complete::attributes())]
    path: Option<String>,
    /// What would be written to it, as `echo` would
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    text: Option<String>,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    if let (Some(path), None) = (&args.path, &args.text) {
        let error = CliError::usage(format!(
            "the following required arguments were not provided: <TEXT>, what would be written to `{path}`"
        ));
        return Err(error
            .hint("Usage: apmatrix why [PATH TEXT]; alone it tells of the last write that was refused")
            .hint(
                "`why` is about writes; who has a queue, and what keeps it from a guest, is told by `apmatrix view` at its cell; \
                 `apmatrix import` and `plan` note a guest that lacks an adapter",
            ));
    }
    let root = args.root.root.display().to_string();
    let write = args.path.as_deref().zip(args.text.as_deref());
    let mut booted;
    let mut files = FileTree::new(&args.root.root);
    let (tree, root): (&mut dyn Tree, &str) = match &args.machine {
        Some(name) => {
            booted = boot(&MachineArgs::named(name).load()?)?;
            (&mut booted, "/sys")
        }
        None => (&mut files, &root),
    };
    let Some(explained) = explain(tree, root, write)? else {
        if args.json {
            print_json(&Document::nothing())?;
        } else {
            write!(anstream::stdout(), "{}", nothing(tree, root, width())?)?;
        }
        return Ok(0);
    };
    if args.json {
        print_json(&explained.document())?;
    } else {
        write!(anstream::stdout(), "{}", explained.text(width()))?;
    }
    Ok(u8::from(explained.refused.is_none() && explained.is_refused()))
}

/// What there is to say about a write to that tree, or about the last one that was refused.
///
/// # Errors
/// If there is no such file, or the host cannot be read.
pub fn explain(
    tree: &mut dyn Tree,
    root: &str,
    write: Option<(&str, &str)>,
) -> Result<Option<Explained>, CliError> {
    match write {
        Some((path, text)) => {
            let text = if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
            asked(tree, root, path, &text).map(Some)
        }
        None => last(tree, root),
    }
}
