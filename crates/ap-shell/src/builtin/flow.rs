//! The builtins that only steer the shell, and touch no file: `true`, `false`, `exit`, `break`, `continue`, `set`,
//! `unset`.

use crate::names::is_name;
use crate::outcome::Status;
use crate::quote::quote;
use crate::run::context::{Context, Flow};

pub(super) fn yes(_: &mut Context<'_>, _: &[String]) -> Result<Status, Flow> {
    Ok(Status::OK)
}

pub(super) fn no(_: &mut Context<'_>, _: &[String]) -> Result<Status, Flow> {
    Ok(Status::of(1))
}

pub(super) fn exit(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    let status = match args {
        [] => context.state.env.last,
        [number] => match number.parse::<u8>() {
            Ok(code) => Status::of(code),
            Err(_) => return Ok(context.misused("exit", &format!("{number} is not a status from 0 to 255"))),
        },
        _ => return Ok(context.misused("exit", "too many words")),
    };
    // Without a number it is the failure before that counts.
    if !args.is_empty() {
        context.note(status);
    }
    Err(Flow::Exit(status))
}

pub(super) fn leave(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    jump(context, args, "break", Flow::Break)
}

pub(super) fn again(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    jump(context, args, "continue", Flow::Continue)
}

fn jump(context: &mut Context<'_>, args: &[String], name: &str, flow: Flow) -> Result<Status, Flow> {
    if !args.is_empty() {
        return Ok(context.misused(name, "it takes no number, and leaves the innermost loop"));
    }
    if context.loops == 0 {
        return Ok(context.misused(name, "only meaningful in a loop"));
    }
    Err(flow)
}

pub(super) fn set(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    if args.is_empty() {
        let variables = context.state.env.variables.clone();
        for (name, value) in variables.iter() {
            context.print_line(&format!("{name}={}", quote(value)));
        }
        return Ok(Status::OK);
    }
    for word in args {
        let on = word.starts_with('-');
        let letters = word.strip_prefix(['-', '+']).unwrap_or("");
        if letters.is_empty() || letters.chars().any(|letter| !"eux".contains(letter)) {
            return Ok(context.misused("set", &format!("{word} is no option")));
        }
        for letter in letters.chars() {
            let env = &mut context.state.env;
            match letter {
                'e' => env.errexit = on,
                'u' => env.nounset = on,
                _ => env.xtrace = on,
            }
        }
    }
    Ok(Status::OK)
}

pub(super) fn unset(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    for name in args {
        if !is_name(name) {
            return Ok(context.misused("unset", &format!("{name} is no variable's name")));
        }
        context.state.env.unset(name);
    }
    Ok(Status::OK)
}
