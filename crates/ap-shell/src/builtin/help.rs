//! `help` shows the table of commands, whichever it is, and the rest of the language in a few lines.

use crate::outcome::Status;
use crate::run::context::{Context, Flow};

const LANGUAGE: &str = "
Also: NAME=value  $NAME  ${NAME:-text}  $?  $!  $(command)  'quotes' \"quotes\"
      COMMAND > PATH (one write)  2> /dev/null  # comment  * and ? in paths
      a && b  a || b  ! a  a; b  a & (then wait, jobs)  { …; }
      for X in WORDS; do …; done   if …; then …; elif …; else …; fi
";

/// Where summaries begin, and how long a line is at the most: a terminal's usual width.
const COLUMN: usize = 31;
const WIDTH: usize = 80;

/// What a command's line says, in lines that are no longer than a terminal.
fn lines(usage: &str, summary: &str) -> String {
    let mut text = String::new();
    let mut line = format!("{usage:<COLUMN$}");
    for word in summary.split(' ') {
        let used = line.chars().count();
        if used + word.chars().count() > WIDTH && used > COLUMN {
            text.push_str(line.trim_end());
            text.push('\n');
            line = " ".repeat(COLUMN);
        }
        line.push_str(word);
        line.push(' ');
    }
    text.push_str(line.trim_end());
    text
}

pub(super) fn help(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    match args {
        [] => {
            for command in context.commands() {
                context.print_line(&lines(command.usage, command.summary));
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
