//! `apmatrix run`: a command with a private /sys that is the machine.

use std::ffi::OsString;
use std::time::Duration;

use ap_files::boot::factory;
use ap_files::said;
use ap_fuse::RunOptions;

use crate::arguments::whole;
use crate::commands::MachineArgs;
use crate::error::{CliError, Outcome};
use crate::running::Named;
use crate::stand_ins;
use crate::terminal::told;

/// Run a command with a private /sys that is the machine
///
/// Nothing on this host changes: the tree is in a namespace of its own that ends with the command. So are copies of
/// /etc/mdevctl.d and /etc/udev/rules.d: definitions go with the machine that they are about. modprobe and its like load
/// and unload the machine's modules only; the nodes of its devices are in a /dev of its own. The command has a network
/// of its own, too, with nothing but the loopback: `pip install`, `curl` and services of the host do not reach anything
/// there; --no-uevents keeps the host's. Works as root and, where user namespaces are allowed, as an ordinary user, who
/// is root inside (uid 0, and only there). Exits with the command's status (128 and the
/// signal's number if one killed it; of SIGINT and SIGQUIT it dies itself), 125 if it could not be started.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix run                                        a shell on the machine `default`\n  \
    apmatrix run --machine tiny -- ls /sys/bus/ap/devices\n  \
    apmatrix run -- bash -c 'echo -10 > /sys/bus/ap/apmask; lszcrypt -V'\n  \
    apmatrix run --name lab                             and from another terminal:\n  \
    apmatrix exec lab -- apmatrix ls")]
pub struct Args {
    /// Which machine.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// Pin the tree's server and the command to this CPU: faster, more even
    #[arg(long, value_name = "N", value_parser = whole::<usize>, allow_negative_numbers = true)]
    pub cpu: Option<usize>,
    /// Send no uevents into the namespace, and keep the host's network
    #[arg(long)]
    pub no_uevents: bool,
    /// Give the machine a name, by which `apmatrix exec` finds it from another terminal
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Say which calls wait, and for whom, after so many seconds; 0: never
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = whole::<u64>, allow_negative_numbers = true)]
    pub tell_waits: u64,
    /// The command and its arguments; default: $SHELL
    #[arg(trailing_var_arg = true, value_name = "CMD", value_hint = clap::ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

/// Runs the command; `own` are the names of this program's commands.
pub fn run(args: &Args, own: &[String]) -> Outcome {
    let machine = args.machine.load()?;
    let mut options = RunOptions::default();
    options.command.clone_from(&args.command);
    options.cpu = args.cpu;
    options.uevents = !args.no_uevents;
    options.label.clone_from(&machine.name);
    options.modules = ap_sysfs::modules::files();
    options.stand_ins = stand_ins::all();
    options.tell_waits_after = Some(Duration::from_secs(args.tell_waits)).filter(|after| !after.is_zero());
    options.layout = told;
    let named = args.name.as_deref().map(Named::take).transpose()?;
    options.entrance = named.as_ref().map(|named| named.path().to_owned());
    let ended = ap_fuse::run(&options, factory(machine));
    drop(named);
    let ended = ended.map_err(|error| with_tip(error, &args.command, own))?;
    ended.follow();
    // A status beyond 255 does not exist.
    Ok(u8::try_from(ended.status()).unwrap_or(125))
}

/// A command that is not there, but is one of this program's: what was meant.
fn with_tip(error: ap_fuse::Error, command: &[OsString], own: &[String]) -> CliError {
    if let ap_fuse::Error::CommandNotExecutable { command, source } = &error {
        let status = u8::try_from(error.exit_status()).unwrap_or(125);
        return CliError::status(status, format!("{command}: {}", said(source)))
            .hint("it is no program that may be run: `chmod +x` makes a script one");
    }
    let missing = matches!(error, ap_fuse::Error::CommandNotFound(_));
    let shown = CliError::from(error);
    let Some(name) = command.first().and_then(|name| name.to_str()).filter(|_| missing) else { return shown };
    if own.iter().any(|known| known == name) {
        return shown.hint(format!("`apmatrix run -- apmatrix {name}` runs that command of apmatrix"));
    }
    shown.hint("the command has to be a program on PATH; `apmatrix run` alone starts a shell")
}
