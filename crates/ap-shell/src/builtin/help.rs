//! `help` shows the table of commands, whichever it is, and the rest of the language in a few lines.

use crate::outcome::Status;
use crate::run::context::{Context, Flow};

const LANGUAGE: &str = "
Also: NAME=value  $NAME  ${NAME:-text}  $?  $!  $(command)  'quotes' \"quotes\"  # comment
      COMMAND > PATH (one write)  2> /dev/null  a && b  a || b  ! a  a; b  a & (then wait, jobs)  * and ? in paths
      for X in WORDS; do …; done   if …; then …; elif …; else …; fi   { …; }
";

pub(super) fn help(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    match args {
        [] => {
            for command in context.commands() {
                context.print_line(&format!("{:<30} {}", command.usage, command.summary));
            }
            context.print(LANGUAGE.as_bytes());
            Ok(Status::OK)
        }
        [name, ..] => match context.find(name) {
            Some(command) => {
                context.print_line(&format!("{}\n  {}", command.usage, command.summary));
                Ok(Status::OK)
            }
            None => {
                let hint = match context.meant_by(name) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => "`help` lists the commands".to_owned(),
                };
                context.complain(&format!("help: there is no command {name} ({hint})"));
                Ok(Status::of(1))
            }
        },
    }
}
