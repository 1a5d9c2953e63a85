//! Redirections: one open and one write with all of a command's output.
//!
//! It knows of the command only that it is to run once its output has somewhere to go.

use std::sync::Arc;

use super::context::{Context, Flow, Ran};
use super::expand;
use super::output::{Channel, MAX_BYTES};
use super::pending::{settle, write_failed};
use super::state::Parked;
use crate::ast::{Redirect, Target};
use crate::outcome::{Status, Stream};
use crate::world::Written;

/// A redirection whose path is known.
pub(super) struct Redirected {
    stream: Stream,
    to: To,
}

enum To {
    Path(String),
    Same(Stream),
    Null,
}

/// Expands the redirections; `None` if one is ambiguous, which was said.
pub(super) fn targets(
    context: &mut Context<'_>,
    redirects: &[Redirect],
) -> Result<Option<Vec<Redirected>>, Flow> {
    let mut all = Vec::new();
    for redirect in redirects {
        let to = match &redirect.target {
            Target::Same(stream) => To::Same(*stream),
            Target::Path(word) => {
                let mut fields = expand::fields(context, std::slice::from_ref(word))?;
                match (fields.len(), fields.pop()) {
                    (1, Some(path)) if path == "/dev/null" => To::Null,
                    (1, Some(path)) => To::Path(path),
                    (0, _) => {
                        context.complain("sh: ambiguous redirect: the path expands to nothing");
                        return Ok(None);
                    }
                    (count, _) => {
                        let what = format!("sh: ambiguous redirect: the path expands to {count} words");
                        context.complain(&what);
                        return Ok(None);
                    }
                }
            }
        };
        all.push(Redirected { stream: redirect.stream, to });
    }
    Ok(Some(all))
}

/// Runs `command` with its output going where `redirects` say.
///
/// A command with effects does not run if a path cannot be opened.
pub(super) fn redirected(
    context: &mut Context<'_>,
    redirects: Vec<Redirected>,
    effects: bool,
    command: impl FnOnce(&mut Context<'_>) -> Result<Status, Flow>,
) -> Result<Ran, Flow> {
    let (outside, first) = (context.output.channels(), context.output.depth());
    // The paths for which output is collected; the buffers of the first and all others follow one another.
    let mut paths = Vec::new();
    for redirect in redirects {
        let channel = match redirect.to {
            To::Null => Channel::Drop,
            To::Same(Stream::Out) => context.output.out,
            To::Same(Stream::Err) => context.output.err,
            To::Path(path) => {
                paths.push(path);
                context.output.capture()
            }
        };
        match redirect.stream {
            Stream::Out => context.output.out = channel,
            Stream::Err => context.output.err = channel,
        }
    }
    let inside = context.output.channels();
    context.output.restore(outside);
    let opened = effects || paths.len() > 1;
    if opened {
        for path in &paths {
            if let Written::Done(Err(failure)) = context.write(path, b"") {
                context.output.collected(first);
                let at = place(context);
                return Ok(Ran::Done(write_failed(context, &at, path, failure)));
            }
        }
    }
    context.output.restore(inside);
    let result = command(context);
    context.output.restore(outside);
    let collected = context.output.collected(first);
    let mut ran = Ran::Done(result?);
    for (path, data) in paths.into_iter().zip(&collected) {
        if !opened || !data.is_empty() {
            ran = deliver(context, ran, path, data)?;
        }
    }
    Ok(ran)
}

/// Writes what was collected; the status becomes the write's if that fails.
fn deliver(context: &mut Context<'_>, ran: Ran, path: String, data: &[u8]) -> Result<Ran, Flow> {
    let status = match ran {
        Ran::Done(status) => status,
        Ran::Pending(parked) => settle(context, parked, "a write before")?,
    };
    if data.len() > MAX_BYTES {
        return Err(context.abort("more than 16 MiB of output for a file"));
    }
    Ok(match context.write(&path, data) {
        Written::Done(Ok(_)) => Ran::Done(status),
        Written::Done(Err(failure)) => Ran::Done({
            let at = place(context);
            write_failed(context, &at, &path, failure)
        }),
        Written::Pending(job) => Ran::Pending(Parked { job, path, status, at: place(context) }),
    })
}

/// Where the command that runs stands: script and line.
fn place(context: &Context<'_>) -> (Arc<str>, u32) {
    let (script, place) = context.whereabouts();
    (script, place.line)
}
