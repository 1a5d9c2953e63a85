//! `apmatrix completions`: what shells complete.

use std::io::Write as _;

use clap_complete::Shell;

use crate::error::Outcome;

/// Print a shell's completions
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix completions bash > /etc/bash_completion.d/apmatrix\n  \
    apmatrix completions fish > ~/.config/fish/completions/apmatrix.fish")]
pub struct Args {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

/// Runs the command, for the command line that is described.
pub fn run(args: &Args, mut described: clap::Command) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut described, "apmatrix", &mut text);
    anstream::stdout().write_all(&text)?;
    Ok(0)
}
