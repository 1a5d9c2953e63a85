//! `apmatrix machine`: the machines there are, and machine files.

mod kernels;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use ap_files::machine::{self, BUILT_IN, Notes};
use ap_files::{FileError, MachineFile};
use serde::Serialize;

use crate::commands::plan::tell_notes;
use crate::commands::print_json;
use crate::complete;
use crate::error::{CliError, Outcome};
use crate::schema::{Named, of};
use crate::terminal::{Table, findings, width, wrapped};

/// List, show and check machines
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  \
    apmatrix machine list\n  \
    apmatrix machine list --kernels                     what newer kernels do differently\n  \
    apmatrix machine show default > mine.toml           a file to begin with\n  \
    apmatrix machine check mine.toml\n  \
    apmatrix machine schema > machine.schema.json       for editors"
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the built-in machines, or the kernels
    #[command(after_help = "Examples:\n  \
        apmatrix machine list\n  \
        apmatrix machine list --kernels                     what newer kernels do differently")]
    List {
        /// List the kernels instead: what each does differently
        #[arg(long)]
        kernels: bool,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Print a machine's file
    #[command(after_help = "Examples:\n  \
        apmatrix machine show default > mine.toml           a file to begin with\n  \
        apmatrix machine show mine.toml --json")]
    Show {
        /// A built-in machine or a machine file
        #[arg(value_name = "M", add = complete::machines())]
        machine: String,
        /// Print one JSON document: the machine file, key by key
        #[arg(long)]
        json: bool,
    },
    /// Check a machine file
    #[command(after_help = "Example:\n  \
        apmatrix machine check mine.toml")]
    Check {
        /// The file, or a built-in machine
        #[arg(value_name = "FILE", add = complete::machines())]
        file: PathBuf,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON schema of machine files
    #[command(after_help = "Example:\n  \
        apmatrix machine schema > machine.schema.json       for editors")]
    Schema,
}

#[derive(Serialize, schemars::JsonSchema)]
struct List {
    schema: &'static str,
    machines: Vec<Listed>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Listed {
    name: &'static str,
    about: &'static str,
    adapters: usize,
    domains: usize,
    queues: usize,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Checked<'a> {
    schema: &'static str,
    file: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adapters: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domains: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queues: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<&'a str>,
    /// What else is wrong, by line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<Mistake<'a>>,
    /// What to beware of, a sentence each, though nothing is wrong.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
}

/// Something that is wrong with a file.
#[derive(Serialize, schemars::JsonSchema)]
struct Mistake<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<&'a str>,
}

impl<'a> From<&'a FileError> for Mistake<'a> {
    fn from(error: &'a FileError) -> Mistake<'a> {
        let expected = Some(error.expected()).filter(|expected| !expected.is_empty());
        Mistake { line: error.line(), message: error.to_string(), expected }
    }
}

/// What it prints.
pub const SCHEMAS: [Named; 3] = [
    Named::new("kernels", "the kernels: `apmatrix machine list --kernels --json`", of::<kernels::Document>),
    Named::new(
        "machine-check",
        "a machine file, checked: `apmatrix machine check --json`",
        of::<Checked<'static>>,
    ),
    Named::new("machines", "the built-in machines: `apmatrix machine list --json`", of::<List>),
];

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    match &args.what {
        What::List { kernels: true, json: true } => print_json(&kernels::document()).map(|()| 0),
        What::List { kernels: true, json: false } => {
            write!(anstream::stdout(), "{}", kernels::text())?;
            Ok(0)
        }
        What::List { kernels: false, json } => list(*json),
        What::Show { machine, json } => show(machine, *json),
        What::Check { file, json } => check(file, *json),
        What::Schema => {
            writeln!(anstream::stdout(), "{}", machine::schema())?;
            Ok(0)
        }
    }
}

fn list(json: bool) -> Outcome {
    let mut machines = Vec::new();
    let mut table = Table::indented(0);
    for built_in in BUILT_IN {
        let machine = MachineFile::parse(built_in.name, built_in.text)?;
        table.row([built_in.name, &format!("{}: {machine}", built_in.about)]);
        machines.push(Listed {
            name: built_in.name,
            about: built_in.about,
            adapters: machine.adapters.len(),
            domains: machine.domains.iter().count(),
            queues: machine.queue_count(),
        });
    }
    if json {
        print_json(&List { schema: "apmatrix.machines/1", machines })?;
    } else {
        write!(anstream::stdout(), "{}", table.render(width()))?;
    }
    Ok(0)
}

fn show(name: &str, json: bool) -> Outcome {
    let text = machine::source(name)?;
    let kernel = MachineFile::parse(name, &text)?.kernel;
    kernel.taken().iter().for_each(|taken| eprintln!("{taken}"));
    let mut document = toml::from_str::<toml::Table>(&text).unwrap_or_default();
    let said = document.contains_key("kernel");
    if json {
        document.entry("kernel").or_insert_with(|| kernel.to_string().into());
        print_json(&document)?;
    } else if said {
        write!(anstream::stdout(), "{text}")?;
    } else {
        write!(
            anstream::stdout(),
            "# kernel = \"{kernel}\"   (the default; `apmatrix machine list --kernels`)\n{text}"
        )?;
    }
    Ok(0)
}

fn check(file: &Path, json: bool) -> Outcome {
    // A file of the name of a built-in machine is what is to be checked.
    let built_in = file.to_str().filter(|name| machine::built_in(name).is_some() && !file.exists());
    let read = built_in.map_or_else(|| MachineFile::read_noted(file), MachineFile::load_noted);
    let checked = read.map(|(machine, Notes { ids, defaults })| (machine, [ids, defaults].concat()));
    if !json {
        let (machine, notes) = checked?;
        writeln!(findings(), "{}", wrapped(&format!("ok: {}: {machine}", machine.name), width(), 2))?;
        tell_notes(&notes)?;
        return Ok(0);
    }
    let empty = Checked {
        schema: "apmatrix.machine-check/1",
        file: file.display().to_string(),
        ok: false,
        name: None,
        adapters: None,
        domains: None,
        queues: None,
        line: None,
        message: None,
        expected: None,
        others: Vec::new(),
        notes: &[],
    };
    match &checked {
        Ok((machine, notes)) => print_json(&Checked {
            ok: true,
            notes,
            name: Some(&machine.name),
            adapters: Some(machine.adapters.len()),
            domains: Some(machine.domains.iter().count()),
            queues: Some(machine.queue_count()),
            ..empty
        })?,
        Err(error) => print_json(&Checked {
            line: error.line(),
            message: Some(error.to_string()),
            expected: Some(error.expected()).filter(|expected| !expected.is_empty()),
            others: error.others().iter().map(Mistake::from).collect(),
            ..empty
        })?,
    }
    checked.map(|_| 0).map_err(CliError::from)
}
