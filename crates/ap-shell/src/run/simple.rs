//! A simple command: its words expanded, its redirections opened, then the builtin of its name.
//!
//! It knows neither lists nor jobs, and no builtin by name: they are in the context's table.

use super::context::{Context, Flow, Ran};
use super::{expand, redirect};
use crate::ast::{Simple, Step};
use crate::outcome::Status;
use crate::place::Place;
use crate::quote::quote;

/// Runs it up to its end or to a write that does not return.
pub(super) fn simple(context: &mut Context<'_>, step: &Step, simple: &Simple) -> Result<Ran, Flow> {
    context.charge(1)?;
    context.at(step);
    context.world.begins(step.place);
    context.forget_complaint();
    context.blamed = None;
    context.substituted = None;
    let words = expand::fields(context, &simple.words)?;
    let mut assignments = Vec::new();
    for (name, word) in &simple.assignments {
        let value = expand::single(context, word)?;
        if words.is_empty() {
            context.assign(name, value.clone())?;
        }
        assignments.push((name, value));
    }
    let Some(places) = redirect::targets(context, &simple.redirects)? else {
        return Ok(Ran::Done(Status::of(1)));
    };
    // A substitution ran commands of its own.
    context.at(step);
    trace(context, &assignments, &words);
    let Some((name, args)) = words.split_first() else {
        let status = context.substituted.unwrap_or(Status::OK);
        return redirect::redirected(context, places, false, |_| Ok(status));
    };
    match context.find(name) {
        Some(command) => {
            let run = |context: &mut Context<'_>| (command.run)(context, args);
            redirect::redirected(context, places, command.effects, run)
        }
        None => redirect::redirected(context, places, false, |context| {
            unknown(context, name);
            Ok(Status::of(127))
        }),
    }
}

fn unknown(context: &mut Context<'_>, name: &str) {
    let (script, Place { line, column }) = context.whereabouts();
    let hint = match context.meant_by(name) {
        Some(known) => format!("did you mean `{known}`?"),
        None => "`help` lists the commands; programs run under `apmatrix run`".to_owned(),
    };
    let name: String = name.chars().take(100).collect();
    context.complain(&format!("{script}:{line}:{column}: {name}: command not found ({hint})"));
}

/// Prints the command as `set -x` asks for it.
fn trace(context: &mut Context<'_>, assignments: &[(&String, String)], words: &[String]) {
    if !context.state.env.xtrace || assignments.is_empty() && words.is_empty() {
        return;
    }
    let mut line = "+".to_owned();
    for (name, value) in assignments {
        line += &format!(" {name}={}", quote(value));
    }
    for word in words {
        line += &format!(" {}", quote(word));
    }
    context.complain(&line);
    context.forget_complaint();
}
