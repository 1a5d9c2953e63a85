//! `apmatrix confirm`, `revert`, `recover`: of the last apply.

use std::io::Write as _;
use std::path::Path;

use ap_apply::apply::{Options, Outcome as Applied, confirm, recover, revert, was_taken_back};

use crate::commands::apply::{Run, ended, lacking, refused, tell};
use crate::commands::plan::tell_notes;
use crate::commands::{Root, print_json};
use crate::control::DIRECTORY;
use crate::error::{CliError, Outcome};
use crate::plan::boot;
use crate::plan::desk::FileDesk;
use crate::plan::document::AppliedDocument;
use crate::plan::guard::{self, Watched};
use crate::plan::tree::FileTree;
use crate::plan::watch::{Ends, watched};

/// Confirm the last apply: it stays
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  apmatrix apply desired.toml --confirm 60 && apmatrix confirm")]
pub struct ConfirmArgs {
    #[command(flatten)]
    root: Root,
    #[command(flatten)]
    run: Run,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Take the last apply back
///
/// On the host as it runs; what `apply --boot` has kept for the next boot stays.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  apmatrix revert")]
pub struct RevertArgs {
    #[command(flatten)]
    root: Root,
    #[command(flatten)]
    run: Run,
    /// Watch over the apply that is called so, and take it back if it is not confirmed
    #[arg(long, value_name = "ID", hide = true, requires = "parent")]
    guard: Option<String>,
    /// The process that applies
    #[arg(long, value_name = "PID", hide = true, requires = "guard")]
    parent: Option<u32>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// End an apply that was interrupted: forward if all its steps are done, else back
///
/// An apply that was killed, or that stopped in between. What it does it says; where there is nothing to recover it does
/// nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  apmatrix recover")]
pub struct RecoverArgs {
    #[command(flatten)]
    root: Root,
    #[command(flatten)]
    run: Run,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// That the directory of an apply is there, if one was named: it is not made to look into it.
fn journaled(run: &Run, verb: &str) -> Result<(), CliError> {
    match &run.run_dir {
        Some(directory) if !directory.is_dir() => {
            let there = format!("there is no directory {}", directory.display());
            Err(CliError::failed(format!(
                "there is no apply to {verb}: {there}, where it would be written down"
            ))
            .hint("name the one that `apmatrix apply --run-dir` was given, or leave it out"))
        }
        _ => Ok(()),
    }
}

/// Runs `confirm`.
pub fn run_confirm(args: &ConfirmArgs) -> Outcome {
    let root = &args.root.root;
    journaled(&args.run, "confirm")?;
    let mut desk = FileDesk::new(&args.run.directory(root), root);
    let options = Options { wait: args.run.wait, ..Options::default() };
    let id = confirm(&mut desk, &options, &mut tell).map_err(|error| refused(error, root))?;
    if args.json {
        print_json(&AppliedDocument::of(&Applied::After { confirm_by: None }))?;
    } else {
        writeln!(anstream::stdout(), "confirmed: apply {id} stays")?;
    }
    Ok(0)
}

/// Whether all is as it was before, or as it is to be.
fn whole(outcome: &Applied) -> bool {
    match outcome {
        Applied::Nothing | Applied::After { .. } => true,
        Applied::Before { lacking, .. } => lacking.is_empty(),
        Applied::Stopped(_) => false,
    }
}

/// Runs `revert`.
pub fn run_revert(args: &RevertArgs) -> Outcome {
    let root = &args.root.root;
    if let (Some(id), Some(parent)) = (&args.guard, args.parent) {
        guard::watch(&args.run.directory(root), root, &Watched { id, parent });
        return Ok(0);
    }
    journaled(&args.run, "revert")?;
    let (mut tree, mut desk) = (FileTree::new(root), FileDesk::new(&args.run.directory(root), root));
    let options = Options { wait: args.run.wait, ..Options::default() };
    let outcome = watched(Ends::Recovery, tell, |tell| revert(&mut tree, &mut desk, &options, tell))
        .map_err(|error| refused(error, root))?;
    let status = ended(&outcome, args.json).map(|_| u8::from(!whole(&outcome)))?;
    // Files are those of the host whose tree `/sys` is; what an emulated one boots with is in its machine file.
    if root == Path::new("/sys") && !root.join(DIRECTORY).is_dir() {
        tell_notes(boot::stays(Path::new("/etc")).as_slice())?;
    }
    Ok(status)
}

/// Runs `recover`.
pub fn run_recover(args: &RecoverArgs) -> Outcome {
    let root = &args.root.root;
    journaled(&args.run, "recover")?;
    let (mut tree, mut desk) = (FileTree::new(root), FileDesk::new(&args.run.directory(root), root));
    let options = Options { wait: args.run.wait, ..Options::default() };
    let outcome = watched(Ends::Recovery, tell, |tell| recover(&mut tree, &mut desk, &options, tell))
        .map_err(|error| refused(error, root))?;
    let status = ended(&outcome, args.json)?;
    // It may have been taken back when nobody was there to be told.
    let unheard = outcome == Applied::Nothing && was_taken_back(&mut desk);
    let lacking = if unheard { lacking(root) } else { Vec::new() };
    tell_notes(&lacking)?;
    Ok(if lacking.is_empty() { status } else { 1 })
}
