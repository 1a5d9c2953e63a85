//! `apmatrix hw`: what the machine's operator does.

use std::io::Write as _;

use ap_sysfs::control::HW;
use ap_sysfs::control::command::KEYS;
use ap_sysfs::ids::RULE;
use clap::builder::PossibleValuesParser;

use crate::commands::{Root, verbs};
use crate::control::Control;
use crate::error::Outcome;
use crate::terminal::{Table, width};

/// Do what the machine's operator does: plug, unplug, configure, break
///
/// For the machine of `apmatrix run` around it, or one that is mounted (`--root`): the line is written to its control
/// file. In `apmatrix shell` the verbs are commands of their own.
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = format!(
        "Verbs:\n{}\n{}\n\n\
        Keys of `fault` and `set`:\n{}\n\
        Examples:\n  \
        apmatrix hw plug 9\n  \
        apmatrix hw unplug .71\n  \
        apmatrix hw --root /mnt/ap fault 04.0006 rc=4",
        verbs(&HW),
        RULE,
        keys()
    )
)]
pub struct Args {
    #[command(flatten)]
    root: Root,
    /// The verb
    #[arg(value_name = "VERB", value_parser = PossibleValuesParser::new(HW.names()))]
    verb: String,
    /// Its arguments
    #[arg(value_name = "ARGS", allow_hyphen_values = true, trailing_var_arg = true)]
    arguments: Vec<String>,
}

/// What help says of the keys of `fault` and `set`, a line each.
#[must_use]
pub fn keys() -> String {
    let mut table = Table::indented(2);
    for key in KEYS.iter().filter(|key| key.command != "ap") {
        table.row([key.name, &format!("{}; {}", key.meaning, key.values)]);
    }
    table.render(width())
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let line = [std::slice::from_ref(&args.verb), &args.arguments].concat().join(" ");
    let answer = Control::of(&args.root.root)?.verb("hw", "hw", &line)?;
    write!(anstream::stdout(), "{answer}")?;
    Ok(0)
}
