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

/// bash takes `=` for the end of a word, and completes what is behind it: the words of an option and its value are joined
/// before the program is asked, and what stands before the value is cut off its answers.
const BASH: &str = r#"
_apmatrix_joined() {
    local -a joined=()
    local i last=-1 index=0 word
    for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
        word=${COMP_WORDS[i]}
        if ((i == COMP_CWORD)) && [[ $word != = ]]; then word=$2; fi
        if ((last > 0)) && [[ ${joined[last]} == --* && ( $word == = || ${joined[last]} == *= ) ]]; then
            joined[last]+=$word
        else
            joined+=("$word")
            last=$((last + 1))
        fi
        if ((i == COMP_CWORD)); then index=$last; fi
    done
    local -a COMP_WORDS=("${joined[@]}")
    local COMP_CWORD=$index
    word=${joined[index]}
    _clap_complete_apmatrix "$1" "$word" "$3"
    if [[ $word == --*=* && $COMP_WORDBREAKS == *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%%=*}="}")
    fi
}
complete -o nospace -o bashdefault -F _apmatrix_joined apmatrix
"#;

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let shells = Shells::builtins();
    let Some(shell) = shells.completer(&args.shell) else {
        return Err(CliError::usage(format!("`{}` is no shell that is known", args.shell)));
    };
    let mut text = Vec::new();
    shell.write_registration(VARIABLE, "apmatrix", "apmatrix", "apmatrix", &mut text)?;
    match args.shell.as_str() {
        "bash" => text.extend_from_slice(BASH.as_bytes()),
        "zsh" => text.extend_from_slice(ZSH.as_bytes()),
        _ => {}
    }
    anstream::stdout().write_all(&text)?;
    Ok(0)
}
