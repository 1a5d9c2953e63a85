//! `apmatrix exec`: a command in a machine that runs.

use std::ffi::OsString;
use std::io::Write as _;

use ap_sysfs::modules;

use crate::commands::print_json;
use crate::complete;
use crate::error::Outcome;
use crate::running;

/// Run a command in a machine that was started by `apmatrix run --name NAME`
///
/// The command has the run's /sys, /dev and network, as if it had been started there, but in your directory, and ends
/// with the run. Exits with the command's status.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix run --name lab                             in one terminal\n  \
    apmatrix exec lab -- apmatrix ls                    in another one\n  \
    apmatrix exec lab                                   a shell there\n  \
    apmatrix exec --list --json")]
pub struct Args {
    /// Say which machines run
    #[arg(long)]
    list: bool,
    /// With --list: print one JSON document
    #[arg(long, requires = "list")]
    json: bool,
    /// The machine's name
    #[arg(value_name = "NAME", required_unless_present_any = ["list", "json"], conflicts_with = "list", add = complete::running_names())]
    name: Option<String>,
    /// The command and its arguments; default: $SHELL
    #[arg(trailing_var_arg = true, value_name = "CMD", value_hint = clap::ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
}

/// What is printed.
#[derive(serde::Serialize, schemars::JsonSchema)]
pub struct Running {
    schema: &'static str,
    /// The names of the machines that run, ascending.
    names: Vec<String>,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let Some(name) = args.name.as_deref().filter(|_| !args.list) else {
        let names = running::names()?;
        if args.json {
            print_json(&Running { schema: "apmatrix.running/1", names })?;
        } else if names.is_empty() {
            writeln!(
                anstream::stderr(),
                "no machine runs that has a name: `apmatrix run --name lab` starts one"
            )?;
        } else {
            let mut out = anstream::stdout();
            names.iter().try_for_each(|name| writeln!(out, "{name}"))?;
        }
        return Ok(0);
    };
    let entrance = running::find(name)?;
    let shell =
        || std::env::var_os("SHELL").filter(|shell| !shell.is_empty()).unwrap_or_else(|| "/bin/sh".into());
    let command = if args.command.is_empty() { vec![shell()] } else { args.command.clone() };
    let modules = modules::files().iter().map(|module| module.name).collect();
    let ended = ap_fuse::enter(&entrance, modules, &command)?;
    ended.follow();
    Ok(u8::try_from(ended.status()).unwrap_or(125))
}
