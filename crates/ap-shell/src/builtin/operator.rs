//! `hw`, `guest`, `events`: their arguments go to the World as a line.

use crate::operator::OperatorError;
use crate::run::{Flow, Interp};
use crate::shell::Status;

pub(super) fn hw(interp: &mut Interp<'_>, args: &[String]) -> Result<Status, Flow> {
    let answer = interp.world.hw(&args.join(" "));
    show(interp, "hw", answer)
}

pub(super) fn guest(interp: &mut Interp<'_>, args: &[String]) -> Result<Status, Flow> {
    let answer = interp.world.guest(&args.join(" "));
    show(interp, "guest", answer)
}

pub(super) fn events(interp: &mut Interp<'_>, args: &[String]) -> Result<Status, Flow> {
    let answer = interp.world.events(&args.join(" "));
    show(interp, "events", answer)
}

fn show(interp: &mut Interp<'_>, verb: &str, answer: Result<String, OperatorError>) -> Result<Status, Flow> {
    match answer {
        Ok(text) => {
            interp.charge_bytes(text.len())?;
            interp.print(text.as_bytes());
            if !text.is_empty() && !text.ends_with('\n') {
                interp.print(b"\n");
            }
            Ok(Status::OK)
        }
        Err(error) => {
            interp.complain(&format!("{verb}: {}", error.message.trim_end()));
            Ok(Status::failed(error.errno))
        }
    }
}
