//! `apmatrix completions`: what shells complete.

use std::io::Write as _;

use clap_complete::env::Shells;

use crate::complete::VARIABLE;
use crate::error::{CliError, Outcome};

/// Print a shell's completions
///
/// The shell asks the program, so that machines, scenarios, specimens and attributes are completed that there are.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix completions bash > /etc/bash_completion.d/apmatrix\n  \
    apmatrix completions zsh > ~/.zfunc/_apmatrix\n  \
    apmatrix completions fish > ~/.config/fish/completions/apmatrix.fish")]
pub struct Args {
    /// The shell
    #[arg(value_name = "SHELL", value_parser = ["bash", "zsh", "fish", "elvish", "powershell"])]
    pub shell: String,
}

/// A file of zsh's `fpath` is the function that is asked. The first time it has to answer, too: it is read only then.
const ZSH: &str = "if [[ $funcstack[1] = _apmatrix ]]; then _clap_dynamic_completer_apmatrix \"$@\"; fi\n";

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let shells = Shells::builtins();
    let Some(shell) = shells.completer(&args.shell) else {
        return Err(CliError::usage(format!("`{}` is no shell that is known", args.shell)));
    };
    let mut text = Vec::new();
    shell.write_registration(VARIABLE, "apmatrix", "apmatrix", "apmatrix", &mut text)?;
    if args.shell == "zsh" {
        text.extend_from_slice(ZSH.as_bytes());
    }
    anstream::stdout().write_all(&text)?;
    Ok(0)
}
