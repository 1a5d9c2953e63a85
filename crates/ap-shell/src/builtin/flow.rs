//! What only steers: `true`, `false`, `exit`, `break`, `continue`, `set`, `unset`.

use crate::parse::is_name;
use crate::run::{Flow, Interp};
use crate::shell::Status;

pub(super) fn yes(_: &mut Interp<'_>, _: &[String]) -> Result<Status, Flow> {
    Ok(Status::OK)
}

pub(super) fn no(_: &mut Interp<'_>, _: &[String]) -> Result<Status, Flow> {
    Ok(Status::of(1))
}

pub(super) fn exit(interp: &mut Interp<'_>, args: &[String]) -> Result<Status, Flow> {
    let status = match args {
        [] => interp.state.env.last,
        [number] => match number.parse::<u8>() {
            Ok(code) => Status::of(code),
            Err(_) => return Ok(interp.misused("exit", &format!("{number} is not a status from 0 to 255"))),
        },
        _ => return Ok(interp.misused("exit", "too many words")),
    };
    // Without a number it is the failure before that counts.
    if !args.is_empty() {
        interp.note(status);
    }
    Err(Flow::Exit(status))
}

pub(super) fn leave(interp: &mut Interp<'_>, args: &[String]) -> Result<Status, Flow> {
    jump(interp, args, "break", Flow::Break)
}

pub(super) fn again(interp: &mut Interp<'_>, args: &[String]) -> Result<Status, Flow> {
    jump(interp, args, "continue", Flow::Continue)
}

fn jump(interp: &mut Interp<'_>, args: &[String], name: &str, flow: Flow) -> Result<Status, Flow> {
    if !args.is_empty() {
        return Ok(interp.misused(name, "it takes no number, and leaves the innermost loop"));
    }
    if interp.loops == 0 {
        return Ok(interp.misused(name, "only meaningful in a loop"));
    }
    Err(flow)
}

pub(super) fn set(interp: &mut Interp<'_>, args: &[String]) -> Result<Status, Flow> {
    if args.is_empty() {
        let variables = interp.state.env.variables.clone();
        for (name, value) in variables.iter() {
            interp.print_line(&format!("{name}={}", crate::quote::quote(value)));
        }
        return Ok(Status::OK);
    }
    for word in args {
        let on = word.starts_with('-');
        let letters = word.strip_prefix(['-', '+']).unwrap_or("");
        if letters.is_empty() || letters.chars().any(|letter| !"eux".contains(letter)) {
            return Ok(interp.misused("set", &format!("{word} is no option")));
        }
        for letter in letters.chars() {
            let env = &mut interp.state.env;
            match letter {
                'e' => env.errexit = on,
                'u' => env.nounset = on,
                _ => env.xtrace = on,
            }
        }
    }
    Ok(Status::OK)
}

pub(super) fn unset(interp: &mut Interp<'_>, args: &[String]) -> Result<Status, Flow> {
    for name in args {
        if !is_name(name) {
            return Ok(interp.misused("unset", &format!("{name} is no variable's name")));
        }
        interp.state.env.unset(name);
    }
    Ok(Status::OK)
}
