//! `apmatrix hw`: what the machine's operator does.

use std::io::Write as _;

use crate::cli::Outcome;
use crate::commands::Root;
use crate::control::Control;

/// Do what the machine's operator does: plug, unplug, configure, break
///
/// Writes the line to the control file of a mounted tree.
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Verbs:\n  \
    plug|unplug AP[-AP] | .DOM[-DOM] | AP.DOM           adapters, usage domains, into or out of the configuration\n  \
    control plug|unplug DOM[-DOM]                       control domains\n  \
    configure|deconfigure AP\n  \
    checkstop|repair AP | APQN\n  \
    type AP CEX8C                                       another adapter in its place\n  \
    fault APQN KEY=VALUE…                               rc busy rip resetlat zrc trc bs irq\n  \
    set KEY=VALUE…                                      na nd flags fac12 fac15 fac65 se instr vm\n  \
    modules load|unload NAME [PARAMS]                   ap zcrypt zcrypt_cex4 mdev vfio_ap\n  \
    advance MILLISECONDS                                machine time\n\n\
    Examples:\n  \
    apmatrix hw plug 9\n  \
    apmatrix hw unplug .71\n  \
    apmatrix hw --root /mnt/ap fault 04.0006 rc=4"
)]
pub struct Args {
    #[command(flatten)]
    root: Root,
    /// The verb
    #[arg(value_name = "VERB", value_parser = VERBS)]
    verb: String,
    /// Its arguments
    #[arg(value_name = "ARGS", allow_hyphen_values = true, trailing_var_arg = true)]
    arguments: Vec<String>,
}

const VERBS: [&str; 12] = [
    "plug",
    "unplug",
    "control",
    "configure",
    "deconfigure",
    "checkstop",
    "repair",
    "type",
    "fault",
    "set",
    "modules",
    "advance",
];

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let line = [std::slice::from_ref(&args.verb), &args.arguments].concat().join(" ");
    let answer = Control::of(&args.root.root)?.verb("hw", "hw", &line)?;
    write!(anstream::stdout(), "{answer}")?;
    Ok(0)
}
