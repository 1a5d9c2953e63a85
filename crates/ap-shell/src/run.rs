//! What runs: a script's lists, from their words up to jobs in the background.
//!
//! The modules build on one another, in this order:
//!
//! - `output` (where bytes go) and `state` (what the shell keeps) are data;
//! - `context` is all that a command may touch, and what a command is;
//! - `glob` and `expand` make texts of words, `pending` waits for writes, `redirect` carries output into files;
//! - `simple` runs a simple command, `jobs` lists in the background, and this module all other lists.
//!
//! No builtin is known here: they come in through the context.

pub(crate) mod context;
mod expand;
mod glob;
pub(crate) mod jobs;
pub(crate) mod output;
mod pending;
mod redirect;
mod simple;
pub(crate) mod state;

use self::context::{Context, Flow, Ran};
use crate::ast::{Item, Node, Step, Tie, Word};
use crate::outcome::Status;

/// Runs a list to its end.
pub(crate) fn list(context: &mut Context<'_>, list: &[Item]) -> Result<Status, Flow> {
    let mut status = Status::OK;
    for item in list {
        jobs::reap(context);
        if item.background {
            jobs::start(context, item)?;
            status = Status::OK;
        } else {
            status = steps(context, &item.steps)?;
        }
        context.state.env.last = status;
    }
    Ok(status)
}

fn steps(context: &mut Context<'_>, steps: &[Step]) -> Result<Status, Flow> {
    let mut status = Status::OK;
    let mut ran = 0;
    for (i, step) in steps.iter().enumerate() {
        if !step.tie.follows(status) {
            continue;
        }
        ran = i;
        let rest = &steps[i + 1..];
        // `set -e` forgives every command but a list's last; a task only those that `||` follows.
        let forgiven =
            if context.state.strict { rest.iter().any(|step| step.tie == Tie::Or) } else { !rest.is_empty() };
        let condition = u32::from(forgiven || step.negated);
        context.conditions += condition;
        let result = self::step(context, step);
        context.conditions -= condition;
        status = context.judge(step, result?);
        context.state.env.last = status;
    }
    if status.is_ok() || context.conditions > 0 {
        return Ok(status);
    }
    let last = &steps[ran];
    let simple = matches!(*last.command, Node::Simple(_));
    let stops = context.state.env.errexit && ran + 1 == steps.len() && simple && !last.negated;
    if context.state.strict || stops { Err(Flow::Exit(status)) } else { Ok(status) }
}

fn step(context: &mut Context<'_>, step: &Step) -> Result<Status, Flow> {
    match &*step.command {
        Node::Simple(simple) => {
            let status = match simple::simple(context, step, simple)? {
                Ran::Done(status) => status,
                Ran::Pending(parked) => pending::settle(context, parked, &step.source)?,
            };
            Ok(context.note(status))
        }
        Node::For { variable, words, body } => each(context, variable, words, body),
        Node::If { branches, otherwise } => {
            for (condition, body) in branches {
                context.conditions += 1;
                let result = list(context, condition);
                context.conditions -= 1;
                if result?.is_ok() {
                    return list(context, body);
                }
            }
            list(context, otherwise)
        }
        Node::Group(body) => list(context, body),
    }
}

fn each(context: &mut Context<'_>, variable: &str, words: &[Word], body: &[Item]) -> Result<Status, Flow> {
    let values = expand::fields(context, words)?;
    let mut status = Status::OK;
    for value in values {
        context.charge(1)?;
        context.assign(variable, value)?;
        context.loops += 1;
        let result = list(context, body);
        context.loops -= 1;
        match result {
            Ok(ended) => status = ended,
            Err(Flow::Break) => break,
            Err(Flow::Continue) => status = Status::OK,
            Err(leave @ (Flow::Exit(_) | Flow::Interrupted(_))) => return Err(leave),
        }
    }
    Ok(status)
}
