//! Why nothing that an exploration says can be trusted.
//!
//! This module puts into words what went wrong. It knows nothing of how it was noticed.

use super::automaton::{Automaton, Edge, Node};
use super::graph::Holding;
use super::objects::{Objects, Op, place};
use super::past::Forgot;

/// What keeps the exploration from being trusted.
#[derive(Clone, Debug)]
pub(crate) enum Problem {
    /// A task did different things though it observed the same.
    Differs(Differs),
    /// Anything else, in a sentence.
    Other(String),
}

impl Problem {
    /// The problem in a sentence.
    pub(crate) fn words(&self) -> String {
        match self {
            Problem::Differs(differs) => differs.words(),
            Problem::Other(what) => what.clone(),
        }
    }
}

/// A task did different things though it observed the same.
#[derive(Clone, Debug)]
pub(crate) struct Differs {
    /// The task's number and name.
    pub task: usize,
    pub name: String,
    /// What it did this time, and what it had done before.
    pub what: String,
    /// The checkpoint, mark or look that it had come through last.
    pub forgot: Option<Forgot>,
    /// The tasks of all steps of the execution up to there.
    pub path: Vec<u8>,
    /// The step after which it came through that.
    pub after: Option<String>,
    /// Its place in the source, if it could be told.
    pub place: Option<String>,
}

impl Differs {
    fn words(&self) -> String {
        let Differs { name, what, .. } = self;
        let why = if self.forgot.is_some() {
            let place = self.place.as_ref().map_or(String::new(), |place| format!(" at {place}"));
            let after = self.after.as_deref().unwrap_or("its beginning");
            format!(
                "the checkpoint, mark or look{place} that it passed after {after} leaves something out, or contents \
                 that a fingerprint leaves out decide"
            )
        } else {
            "contents that a fingerprint leaves out decide".to_owned()
        };
        format!("task `{name}` does different things though it observed the same: {what}; {why}")
    }
}

/// A step in words, with its place in the source: of a release, where the lock was taken, if it is still held.
pub(crate) fn step(op: &Op, held: &[Holding], objects: &Objects) -> String {
    let taken = held.iter().rfind(|held| held.object == op.mutex);
    let words = format!("{} `{}`", op.kind.words(), objects.called(op.object));
    match taken {
        Some(taken) if op.kind.is_release() => format!("{words} (taken at {})", place(taken.at)),
        _ if op.kind.is_release() => words,
        _ => format!("{words} at {}", place(op.at)),
    }
}

/// A look in words, with its place in the source.
pub(crate) fn look(held: &Holding, objects: &Objects) -> String {
    format!("the look at `{}` at {}", objects.called(held.object), place(held.at))
}

/// Says in what an edge that was executed differs from the one that was known. `before` is the place that both begin
/// at, and `held` is what the task holds at the end of the edge that was executed.
pub(crate) fn difference(
    before: &Node,
    edge: &Edge,
    known: &Edge,
    held: &[Holding],
    objects: &Objects,
    automaton: &Automaton,
) -> String {
    let words = |node: &Node, goes_on: &str, ends: &str| match &node.op {
        Some(op) => format!("{goes_on} {}", step(op, held, objects)),
        None => ends.to_owned(),
    };
    let (now, then) = (automaton.get(edge.next), automaton.get(known.next));
    let (goes_on, went_on) = (words(now, "goes on with", "ends"), words(then, "went on with", "ended"));
    let after = match &before.op {
        Some(op) => format!("after {} it", step(op, held, objects)),
        None => "it begins and".to_owned(),
    };
    if !now.is_same_step(then) {
        return format!("{after} {goes_on}, and {went_on} at another time");
    }
    // (What is left as it was is not listed.)
    let differs = |one: &Edge, other: &Edge| {
        one.published
            .iter()
            .find(|published| !other.published.contains(published))
            .map(|published| published.0)
    };
    if let Some(object) = differs(edge, known).or_else(|| differs(known, edge)) {
        let name = objects.called(object);
        return format!("{after} {goes_on}, and leaves other contents in `{name}` than at another time");
    }
    if edge.published != known.published {
        return format!("{after} {goes_on}, and leaves contents in another order than at another time");
    }
    if edge.findings != known.findings {
        return format!("{after} {goes_on}, and its oracles find something else than at another time");
    }
    let what = if now.op.is_some() { "key" } else { "result" };
    format!("{after} {goes_on}, with another {what} than at another time")
}
