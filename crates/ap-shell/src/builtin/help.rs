//! `help`.

use super::{commands, find, names};
use crate::nearest::nearest;
use crate::run::{Flow, Interp};
use crate::shell::Status;

const LANGUAGE: &str = "
Also: NAME=value  $NAME  ${NAME:-text}  $?  $!  $(command)  'quotes' \"quotes\"  # comment
      COMMAND > PATH (one write)  2> /dev/null  a && b  a || b  ! a  a; b  a & (then wait, jobs)  * and ? in paths
      for X in WORDS; do …; done   if …; then …; elif …; else …; fi   { …; }
";

pub(super) fn help(interp: &mut Interp<'_>, args: &[String]) -> Result<Status, Flow> {
    match args {
        [] => {
            for command in commands() {
                interp.print_line(&format!("{:<30} {}", command.usage, command.summary));
            }
            interp.print(LANGUAGE.as_bytes());
            Ok(Status::OK)
        }
        [name, ..] => match find(name) {
            Some(command) => {
                interp.print_line(&format!("{}\n  {}", command.usage, command.summary));
                Ok(Status::OK)
            }
            None => {
                let hint = match nearest(name, names()) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => "`help` lists the commands".to_owned(),
                };
                interp.complain(&format!("help: there is no command {name} ({hint})"));
                Ok(Status::of(1))
            }
        },
    }
}
