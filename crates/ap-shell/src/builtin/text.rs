//! `echo` prints its words.

use crate::outcome::Status;
use crate::run::context::{Context, Flow};

pub(super) fn echo(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    let (newline, words) = match args.split_first() {
        Some((first, rest)) if first == "-n" => ("", rest),
        _ => ("\n", args),
    };
    context.print((words.join(" ") + newline).as_bytes());
    Ok(Status::OK)
}
