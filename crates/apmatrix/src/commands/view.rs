//! `apmatrix view`: the matrix in the terminal, live.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ap_term::{Depth, screen};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::commands::KernelArgs;
use crate::complete;
use crate::error::{CliError, Outcome};
use crate::live::Hosted;

/// Which host is looked at.
#[derive(Clone, Debug, clap::Args)]
pub struct HostArgs {
    /// Where the tree is
    #[arg(long, value_name = "DIR", default_value = "/sys", value_hint = clap::ValueHint::DirPath)]
    root: PathBuf,
    /// Boot a built-in machine (default, tiny, wide, max) or a machine file, in this process
    #[arg(long, value_name = "M", conflicts_with = "root", add = complete::machines())]
    machine: Option<String>,
    /// Which kernel the machine runs.
    #[command(flatten)]
    kernel: KernelArgs,
}

impl HostArgs {
    /// The host, which lives from now on. `operable`: it may be operated, if it is emulated.
    ///
    /// # Errors
    /// If it is not there, or does not boot.
    pub fn open(&self, operable: bool) -> Result<Hosted, CliError> {
        match &self.machine {
            Some(machine) => Hosted::machine(self.kernel.load(machine)?, operable),
            None => Hosted::root(self.root.clone(), operable),
        }
    }
}

/// Look at the matrix in the terminal: whose each queue is, and why; live
///
/// A real host is only read. An emulated one can be operated: its machine is the one of `--machine`, or that of
/// `apmatrix run` around it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix view                                       this host, or inside `apmatrix run` the machine\n  \
    apmatrix view --machine tiny                        a machine to play with\n\n\
    `?` shows the keys, `q` ends.")]
pub struct Args {
    /// Which host.
    #[command(flatten)]
    host: HostArgs,
}

/// Runs the command.
pub fn run(args: &Args, colour: bool) -> Outcome {
    // What is wrong with the host would be wrong at a terminal, too.
    let live = args.host.open(true)?;
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(CliError::environment("`view` needs a terminal")
            .hint("for a file: `apmatrix ls`, `apmatrix ls --html FILE`; for a browser: `apmatrix serve`"));
    }
    let variable = |name| std::env::var(name).ok();
    if variable("TERM").as_deref() == Some("dumb") {
        return Err(CliError::environment(
            "`view` needs a terminal that moves its cursor, and TERM is `dumb`",
        )
        .hint("for plain text: `apmatrix ls`; for a browser: `apmatrix serve`"));
    }
    let depth = Depth::of(
        variable("NO_COLOR").as_deref(),
        variable("COLORTERM").as_deref(),
        variable("TERM").as_deref(),
    );
    let end = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        let hooked = signal_hook::flag::register(signal, end.clone());
        hooked.map_err(|error| CliError::environment(format!("signals: {error}")).because(error))?;
    }
    end_with_the_terminal();
    let shown = screen::run(&live, if colour { depth } else { Depth::None }, &end);
    shown.map_err(|error| CliError::environment(format!("the terminal: {error}")).because(error))?;
    Ok(0)
}

/// Ends the process when its terminal is gone: who reads keys then reads that there are none, again and again.
fn end_with_the_terminal() {
    std::thread::spawn(|| {
        let stdin = io::stdin();
        let mut terminal = [PollFd::new(&stdin, PollFlags::empty())];
        loop {
            match poll(&mut terminal, None) {
                // There is nothing to be put back as it was.
                Ok(_) if !terminal[0].revents().is_empty() => std::process::exit(0),
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    });
}
