//! `echo`.

use crate::run::{Flow, Interp};
use crate::shell::Status;

pub(super) fn echo(interp: &mut Interp<'_>, args: &[String]) -> Result<Status, Flow> {
    let (newline, words) = match args.split_first() {
        Some((first, rest)) if first == "-n" => ("", rest),
        _ => ("\n", args),
    };
    interp.print((words.join(" ") + newline).as_bytes());
    Ok(Status::OK)
}
