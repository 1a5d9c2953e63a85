//! `apmatrix schema`: the JSON schema of everything that is printed or read.

use std::ffi::OsStr;
use std::io::Write as _;

use ap_sysfs::nearest::meant;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use schemars::Schema;
use serde_json::Value;

use crate::commands::{
    events, exec, explore, explore_scenarios, explore_sequences, guest, machine, print_json, serve,
};
use crate::error::{CliError, Outcome};
use crate::inventory::Inventory;
use crate::plan::document::{AppliedDocument, FitsDocument, NoPlanDocument, PlanDocument};
use crate::replay::report;
use crate::schema::{Named, of};
use crate::terminal::{Table, width};
use crate::why;

/// Print the JSON schema of a document or a file format
///
/// Every document of `--json` and every file that is read names its format in the key `schema`, like apmatrix.ls/1. Keys
/// may be added to a document; none is removed or gets another meaning without a new number.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix schema                                     the names\n  \
    apmatrix schema ls\n  \
    apmatrix schema machine > machine.schema.json       for editors")]
pub struct Args {
    /// The name, as `apmatrix schema` lists it; apmatrix.ls/1 is understood, too
    #[arg(value_name = "NAME", add = names())]
    name: Option<String>,
}

/// The names, for the completion of shells.
fn names() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        let word = word.to_string_lossy();
        let known = all().into_iter().filter(|named| named.name.starts_with(&*word));
        known
            .map(|named| CompletionCandidate::new(named.name).help(Some(named.about.into())))
            .collect::<Vec<_>>()
    })
}

/// A schema that is written down as text.
fn parsed(text: &str) -> Schema {
    serde_json::from_str::<Value>(text).ok().and_then(|value| value.try_into().ok()).unwrap_or_default()
}

/// Everything that has a schema.
#[must_use]
pub fn all() -> Vec<Named> {
    let mut all = vec![
        Named::new(
            "applied",
            "how an apply, a revert, a recovery or a confirmation ended",
            of::<AppliedDocument>,
        ),
        Named::new("fits", "whether mdevs fit another host: `apmatrix fits --json`", of::<FitsDocument>),
        Named::new("ls", "cards and queues: `apmatrix ls --json`", of::<Inventory>),
        Named::new("no-plan", "why there is no plan: `apmatrix plan --json`", of::<NoPlanDocument>),
        Named::new("plan", "a plan: `apmatrix plan --json`; `apply` reads it", of::<PlanDocument>),
        Named::new("replay", "what came of transcripts: `apmatrix replay --json`", report::schema),
        Named::new("running", "the machines that run: `apmatrix exec --list --json`", of::<exec::Running>),
        Named::new("state", "the control file kernel/debug/apmatrix/state", ap_files::state::schema),
        Named::new("why", "why a write is refused: `apmatrix why --json`", of::<why::Document<'static>>),
        Named::new("desired", "a file that is read: what is wanted of a host", || {
            parsed(&ap_files::desired::schema())
        }),
        Named::new("machine", "a file that is read: a machine", || parsed(&ap_files::machine::schema())),
        Named::new("scenario", "a file that is read: operations at the same time", || {
            parsed(&ap_files::scenario::schema())
        }),
        Named::new("journal", "a line of the journal of an apply", of::<ap_files::journal::Record>),
    ];
    for some in [
        &events::SCHEMAS[..],
        &explore::SCHEMAS,
        &explore_scenarios::SCHEMAS,
        &explore_sequences::SCHEMAS,
        &guest::SCHEMAS,
        &machine::SCHEMAS,
        &serve::SCHEMAS,
    ] {
        all.extend_from_slice(some);
    }
    all.sort_by_key(|named| named.name);
    all
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let all = all();
    let Some(name) = &args.name else {
        let mut table = Table::indented(0);
        all.iter().for_each(|named| table.row([named.name, named.about]));
        write!(anstream::stdout(), "{}", table.render(width()))?;
        return Ok(0);
    };
    let short = name.strip_prefix("apmatrix.").unwrap_or(name);
    let short = short.strip_suffix("/1").unwrap_or(short);
    let Some(named) = all.iter().find(|named| named.name == short) else {
        let error = CliError::usage(format!("there is no document or file `{name}`"));
        let error = match meant(short, all.iter().map(|named| named.name)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        };
        return Err(error.hint("`apmatrix schema` lists the names"));
    };
    print_json(&named.document())?;
    Ok(0)
}
