//! `apmatrix run`: a command with a private /sys that is the machine.

use std::ffi::OsString;

use ap_files::boot::factory;
use ap_fuse::RunOptions;

use crate::commands::MachineArgs;
use crate::error::Outcome;
use crate::stand_ins;

/// Run a command with a private /sys that is the machine
///
/// Nothing on this host changes: the tree is in a namespace of its own that ends with the command. So are copies of
/// /etc/mdevctl.d and /etc/udev/rules.d: definitions go with the machine that they are about. modprobe and its like load
/// and unload the machine's modules only; the nodes of its devices are in a /dev of its own. The command has a network
/// of its own, too, with nothing but the loopback: --no-uevents keeps the host's. Works as root and, where user
/// namespaces are allowed, as an ordinary user, who is root inside. Exits with the command's status (128 and the
/// signal's number if one killed it; of SIGINT and SIGQUIT it dies itself), 125 if it could not be started.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix run                                        a shell on the machine `default`\n  \
    apmatrix run --machine tiny -- ls /sys/bus/ap/devices\n  \
    apmatrix run -- sh -c 'echo -10 > /sys/bus/ap/apmask; lszcrypt -V'")]
pub struct Args {
    /// Which machine.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// Pin the tree's server and the command to this CPU: faster, more even
    #[arg(long, value_name = "N")]
    pub cpu: Option<usize>,
    /// Send no uevents into the namespace, and keep the host's network
    #[arg(long)]
    pub no_uevents: bool,
    /// The command and its arguments; default: $SHELL
    #[arg(trailing_var_arg = true, value_name = "CMD", value_hint = clap::ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let machine = args.machine.load()?;
    let mut options = RunOptions::default();
    options.command.clone_from(&args.command);
    options.cpu = args.cpu;
    options.uevents = !args.no_uevents;
    options.label.clone_from(&machine.name);
    options.modules = ap_sysfs::modules::files();
    options.stand_ins = stand_ins::all();
    let ended = ap_fuse::run(&options, factory(machine))?;
    ended.follow();
    // A status beyond 255 does not exist.
    Ok(u8::try_from(ended.status()).unwrap_or(125))
}
