//! `test` and `[` say by their status whether something holds of texts, numbers or the tree.

use ap_sysfs::Kind;

use crate::outcome::Status;
use crate::run::context::{Context, Flow};

pub(super) fn bracket(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    match args.split_last() {
        Some((last, args)) if last == "]" => test(context, args),
        _ => Ok(context.misused("[", "the closing ] is missing")),
    }
}

pub(super) fn test(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut wanted = true;
    // `[ ! ]` tests the text `!`, and `[ ! = x ]` compares it.
    while args.len() > 1 && args[0] == "!" && !(args.len() == 3 && is_binary(args[1])) {
        args.remove(0);
        wanted = !wanted;
    }
    match holds(context, &args) {
        Ok(result) => Ok(Status::of(u8::from(result != wanted))),
        Err(what) => Ok(context.misused("test", &what)),
    }
}

fn is_binary(operator: &str) -> bool {
    matches!(operator, "=" | "==" | "!=" | "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge")
}

fn holds(context: &mut Context<'_>, args: &[&str]) -> Result<bool, String> {
    match *args {
        [] => Ok(false),
        [text] => Ok(!text.is_empty()),
        [operator, operand] => unary(context, operator, operand),
        [a, operator, b] if is_binary(operator) => binary(a, operator, b),
        [_, operator, _] => Err(format!("there is no operator {operator}")),
        _ => Err("too many words: use && and || between tests, and quote what may contain blanks".to_owned()),
    }
}

fn unary(context: &mut Context<'_>, operator: &str, operand: &str) -> Result<bool, String> {
    let follow = !matches!(operator, "-L" | "-h");
    match operator {
        "-n" => return Ok(!operand.is_empty()),
        "-z" => return Ok(operand.is_empty()),
        "-e" | "-f" | "-d" | "-L" | "-h" | "-r" | "-w" => {}
        _ => return Err(format!("there is no operator {operator}")),
    }
    let Ok(entry) = context.stat(operand, follow) else { return Ok(false) };
    Ok(match operator {
        "-f" => entry.kind == Kind::File,
        "-d" => entry.kind == Kind::Directory,
        "-L" | "-h" => entry.kind == Kind::Link,
        "-r" => entry.mode & 0o444 != 0,
        "-w" => entry.mode & 0o222 != 0,
        _ => true,
    })
}

fn binary(a: &str, operator: &str, b: &str) -> Result<bool, String> {
    match operator {
        "=" | "==" => return Ok(a == b),
        "!=" => return Ok(a != b),
        _ => {}
    }
    let number = |text: &str| text.trim().parse::<i64>().map_err(|_| format!("{text} is not a number"));
    let (a, b) = (number(a)?, number(b)?);
    Ok(match operator {
        "-eq" => a == b,
        "-ne" => a != b,
        "-lt" => a < b,
        "-le" => a <= b,
        "-gt" => a > b,
        _ => a >= b,
    })
}
