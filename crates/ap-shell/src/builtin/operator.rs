//! `hw`, `guest`, `events` and `why` hand their arguments to the World as a line, and know no verb themselves.

use crate::operator::OperatorError;
use crate::outcome::Status;
use crate::run::context::{Context, Flow};

/// The program's own commands, by the names that its messages give them.
pub(super) fn program(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    let Some((verb, rest)) = args.split_first() else {
        return Ok(context.misused("apmatrix", "a verb is missing: ls, hw, guest, events or why"));
    };
    match verb.as_str() {
        "ls" => {
            let answer = context.world.inventory(rest);
            show(context, "apmatrix ls", answer)
        }
        "hw" => hw(context, rest),
        "guest" => guest(context, rest),
        "events" => events(context, rest),
        "why" => why(context, rest),
        "--help" | "-h" | "help" => {
            context.print_line(
                "Here the program has: apmatrix ls, hw, guest, events, why. `help` lists the rest.",
            );
            Ok(Status::OK)
        }
        other => {
            let what = format!(
                "`{other}` is no command here: ls, hw, guest, events and why are; leave the shell for others"
            );
            Ok(context.misused("apmatrix", &what))
        }
    }
}

pub(super) fn hw(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    let answer = context.world.hw(&args.join(" "));
    show(context, "hw", answer)
}

pub(super) fn guest(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    let answer = context.world.guest(&args.join(" "));
    show(context, "guest", answer)
}

pub(super) fn events(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    let answer = context.world.events(&args.join(" "));
    show(context, "events", answer)
}

pub(super) fn why(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    let answer = match args {
        [] => context.world.why(None),
        [path, text @ ..] if !text.is_empty() => {
            let path = match context.absolute(path) {
                Ok(path) => path,
                Err(errno) => return Ok(context.failed_on("why", path, errno)),
            };
            // What `echo` would write.
            let text = format!("{}\n", text.join(" "));
            context.world.why(Some((&path, &text)))
        }
        _ => return Ok(context.misused("why", "a path and a text are needed, or nothing")),
    };
    show(context, "why", answer)
}

fn show(
    context: &mut Context<'_>,
    verb: &str,
    answer: Result<String, OperatorError>,
) -> Result<Status, Flow> {
    match answer {
        Ok(text) => {
            context.charge_bytes(text.len())?;
            context.print(text.as_bytes());
            if !text.is_empty() && !text.ends_with('\n') {
                context.print(b"\n");
            }
            Ok(Status::OK)
        }
        Err(error) => {
            context.complain(&format!("{verb}: {}", error.message.trim_end()));
            Ok(Status::failed(error.errno))
        }
    }
}
