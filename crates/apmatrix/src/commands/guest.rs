//! `apmatrix guest`: guests on mediated devices.

use std::io::Write as _;

use ap_files::state;
use ap_sysfs::control::GUEST;
use clap::builder::PossibleValuesParser;
use serde::Serialize;

use crate::commands::{Root, print_json, verbs};
use crate::control::Control;
use crate::error::{CliError, Outcome};
use crate::schema::{Named, of};

/// Start, stop and watch guests on mediated devices
///
/// For the machine of `apmatrix run` around it, or one that is mounted (`--root`): the line is written to its control
/// file. In `apmatrix shell` the verbs are commands of their own.
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = format!(
        "Verbs:\n{}\n\
        A guest that was stopped stays in the list, with `-` for what it has open: it holds nothing, and can be started \
        again. The list goes with the machine.\n\n\
        Examples:\n  \
        apmatrix guest start g1 62177883-f1bb-47f0-914d-32a22e3a8804\n  \
        apmatrix guest list --json",
        verbs(&GUEST)
    )
)]
pub struct Args {
    #[command(flatten)]
    root: Root,
    /// Print one JSON document (list, show)
    #[arg(long)]
    json: bool,
    /// The verb
    #[arg(value_name = "VERB", value_parser = PossibleValuesParser::new(GUEST.names()))]
    verb: String,
    /// Its arguments
    #[arg(value_name = "ARGS")]
    arguments: Vec<String>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Guests<'a> {
    schema: &'static str,
    guests: Vec<Guest<'a>>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Guest<'a> {
    name: &'a str,
    mdevs: Vec<&'a str>,
}

/// What it prints.
pub const SCHEMAS: [Named; 2] = [
    Named::new("guest-show", "what a guest sees: `apmatrix guest show NAME --json`", of::<Shown>),
    Named::new("guests", "the guests: `apmatrix guest list --json`", of::<Guests<'static>>),
];

/// What `guest show` says: the facts of its lines, as [`add`] puts them into a document.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "it describes what is made key by key")]
struct Shown {
    schema: String,
    name: String,
    /// Whether a mediated device holds its hook: 0 or 1.
    hook: u64,
    /// How often its masks were set.
    nset: u64,
    /// How often its masks were cleared.
    nclear: u64,
    /// Adapters, usage domains and control domains that it has, as masks.
    apm: String,
    aqm: String,
    adm: String,
    /// Its queues; left out if it has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queues: Vec<String>,
    /// Addresses that are pinned for its interrupts, in hex; left out if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pinneds: Vec<String>,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let control = Control::of(&args.root.root)?;
    if args.verb == "list" && args.arguments.is_empty() {
        let text = control.show("guests")?;
        if args.json {
            print_json(&Guests { schema: "apmatrix.guests/1", guests: guests(&text) })?;
        } else {
            write!(anstream::stdout(), "{text}")?;
        }
        return Ok(0);
    }
    let answer = answer(&control, args)?;
    if args.json {
        let mut facts = serde_json::Map::new();
        facts.insert("schema".into(), format!("apmatrix.guest-{}/1", args.verb).into());
        for (key, value) in answer.lines().filter_map(|line| line.split_once(' ')) {
            add(&mut facts, key, value);
        }
        print_json(&facts)?;
    } else {
        write!(anstream::stdout(), "{answer}")?;
    }
    Ok(0)
}

/// What the verb says. The kernel's files cannot answer a line; what `show` asks is in `state`.
fn answer(control: &Control, args: &Args) -> Result<String, CliError> {
    if let ("show", [name]) = (args.verb.as_str(), args.arguments.as_slice())
        && let Some(guests) = control.read("state").ok().and_then(|text| state::guests(&text))
    {
        let guest = guests.iter().find(|guest| guest.name == *name);
        let none = || {
            let names: Vec<&str> = guests.iter().map(|guest| guest.name.as_str()).collect();
            let there = match names.as_slice() {
                [] => "there are none".to_owned(),
                names => format!("there are {}", names.join(", ")),
            };
            CliError::failed(format!("there is no guest `{name}`"))
                .hint(format!("{there}; `apmatrix guest start {name} UUID` makes one"))
        };
        return guest.map(ToString::to_string).ok_or_else(none);
    }
    let line = [std::slice::from_ref(&args.verb), &args.arguments].concat().join(" ");
    control.verb("guest", "guests", &line)
}

/// Adds a fact; the ones that a guest can have several of are lists.
fn add(facts: &mut serde_json::Map<String, serde_json::Value>, key: &str, value: &str) {
    match key {
        "queue" | "pinned" => {
            let list = facts.entry(format!("{key}s")).or_insert_with(|| serde_json::Value::Array(Vec::new()));
            if let Some(list) = list.as_array_mut() {
                list.push(value.into());
            }
        }
        "hook" | "nset" | "nclear" => {
            let number = value.parse::<u64>().map_or_else(|_| value.into(), serde_json::Value::from);
            facts.insert(key.to_owned(), number);
        }
        _ => drop(facts.insert(key.to_owned(), value.into())),
    }
}

/// Lines of `NAME UUID,…`, `-` for none.
fn guests(text: &str) -> Vec<Guest<'_>> {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .map(|(name, uuids)| Guest { name, mdevs: uuids.split(',').filter(|uuid| *uuid != "-").collect() })
        .collect()
}
