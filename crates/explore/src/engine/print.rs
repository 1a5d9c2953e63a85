//! Fingerprints of states that are the same in every exploration of a program, in whatever order it learned.
//!
//! Within one exploration a place of a task, an object and a tracked object are numbers, given as they are met: quick, and
//! of no use to anybody else. Several explorations that share out states need to call a state by what it is made of:
//!
//! - An object by its *name*: a fingerprint of its level, rank and key, which [`locks::Object`] says are the same in all
//!   executions.
//! - A task's place by its *past*, which is a fingerprint of contents and keys that it observed (`past`, with the names of
//!   the objects that it holds), and the step that it is about to take: kind, objects by name, place in the source by file, line
//!   and column, not by address.
//! - Contents by their fingerprints as they are compared in one exploration, too: 0 stands for what was there at the
//!   beginning. That is known before it is needed: contents come to be what they were at first only under a lock, whoever
//!   took it first in that execution observed what was there, and a task that changes what it made itself never compares it
//!   with a beginning.
//! - What is known of accesses to tracked data by the names of the objects and the numbers of the tasks.
//!
//! None of this depends on what was learned before. So equal states have equal fingerprints, whoever came to them; and states
//! that differ have different ones but for collisions of 64-bit words within each part, and of 128-bit sums of them. This
//! module knows nothing of how states are walked to.

use super::automaton::{self, Node, NodeId};
use super::learned::Learned;
use super::lessons::{Does, Edge, Place, Step};
use super::mix::mix;
use super::model::{Cell, Model, Phase};
use super::objects::{At, ObjectId, Objects, Op};
use super::state::State;
use crate::met::Found;

/// The fingerprints of a task's places, by their numbers.
#[derive(Default)]
pub(crate) struct Prints {
    places: Vec<u64>,
}

impl Prints {
    /// Takes note of places that were learned.
    pub(crate) fn renew(&mut self, learned: &Learned) {
        let (automaton, objects) = (&learned.automaton, &learned.objects);
        for node in self.places.len()..automaton.len() {
            self.places.push(place(automaton.get(node as NodeId), objects));
        }
    }

    /// The fingerprints of all places from one on.
    pub(crate) fn all(&self, from: usize) -> &[u64] {
        &self.places[from..]
    }

    /// The fingerprint of a place that was taken note of.
    pub(crate) fn place(&self, node: NodeId) -> u64 {
        self.places[node as usize]
    }

    /// The sum of what objects contain and who holds them.
    pub(crate) fn cells(&self, model: &Model, objects: &Objects) -> Sum {
        self.moved(Sum::default(), &Model::new(0), model, objects)
    }

    /// The same after steps, by the sum before them: few objects have changed.
    pub(crate) fn moved(&self, mut sum: Sum, from: &Model, to: &Model, objects: &Objects) -> Sum {
        for id in 0..from.cells.len().max(to.cells.len()) {
            let (before, after) = (from.cell(id as ObjectId), to.cell(id as ObjectId));
            if before != after {
                let name = objects.get(id as ObjectId).name;
                sum.leave(cell(name, &before));
                sum.add(cell(name, &after));
            }
        }
        sum
    }

    /// The fingerprint of a state whose places were all taken note of, with the sum of its cells.
    pub(crate) fn state(&self, state: &mut State, mut sum: Sum, objects: &Objects) -> u128 {
        // Drops what makes no difference.
        state.knowledge.normalise(&state.model);
        for (task, phase) in state.model.phases.iter().enumerate().take(state.model.tasks) {
            let phase = match phase {
                Phase::Ready | Phase::Ended => 0,
                Phase::Waiting(_) => 1,
                Phase::Woken => 2,
            };
            sum.add(mix(self.place(state.nodes[task]), phase + 0x7A5C));
        }
        let object = |id: ObjectId| objects.get(id).name;
        state.knowledge.words(object, |tracked| objects.tracked_name(tracked), |word| sum.add(word));
        sum.end()
    }
}

/// The word of an object's state; 0 is that of every object not touched yet.
fn cell(name: u64, cell: &Cell) -> u64 {
    if *cell == Cell::default() {
        return 0;
    }
    let held = mix(mix(name, u64::from(cell.writer)), cell.content);
    if cell.readers == 0 { held } else { mix(held, cell.readers) }
}

/// All edges of what was learned from one on: where each begins, what is observed, and what comes of it.
pub(crate) fn edges(learned: &Learned, prints: &Prints, from: usize) -> impl Iterator<Item = Edge> {
    let automaton = &learned.automaton;
    automaton.edges().enumerate().skip(from).map(move |(number, (place, edge))| {
        let does = Does { to: prints.place(edge.next), print: done(edge, learned) };
        (prints.place(place), automaton.input(number), does)
    })
}

/// The fingerprint of what a task does along an edge, which in one exploration is compared whenever it is executed again.
fn done(edge: &automaton::Edge, learned: &Learned) -> u64 {
    let name = |id: ObjectId| learned.objects.get(id).name;
    let published = edge.published.iter().map(|&(id, content)| mix(name(id), content));
    let found = edge.findings.iter().map(|&number| Found::of(learned.findings.get(number)).key);
    published.chain(found).fold(u64::from(edge.returns), mix)
}

/// All places from one on, by their fingerprints.
pub(crate) fn places(learned: &Learned, prints: &Prints, from: usize) -> impl Iterator<Item = (u64, Place)> {
    let (automaton, objects) = (&learned.automaton, &learned.objects);
    let name = |id: ObjectId| objects.get(id).name;
    (from..automaton.len()).map(move |node| {
        let place = automaton.get(node as NodeId);
        let step = place.op.map(|op| Step { kind: op.kind, object: name(op.object), mutex: name(op.mutex) });
        let mut held: Vec<_> =
            automaton.locks().get(place.held).iter().map(|&(id, read)| (name(id), read)).collect();
        held.sort_unstable();
        (prints.place(node as NodeId), Place { task: place.task as u8, forced: place.forced, step, held })
    })
}

fn place(node: &Node, objects: &Objects) -> u64 {
    let step = node.op.map_or(1, |op| step(&op, objects) ^ u64::from(node.forced));
    mix(mix(node.history, step), node.task as u64)
}

/// The fingerprint of a step and its place in the source.
pub(crate) fn step(op: &Op, objects: &Objects) -> u64 {
    let what = mix(op.kind as u64 + 2, objects.get(op.object).name);
    mix(mix(what, objects.get(op.mutex).name), at(op.at)) << 1
}

/// The fingerprint of a place in the source.
pub(crate) fn at(at: At) -> u64 {
    locks::hook::fingerprint(&(at.file(), at.line(), at.column()))
}

/// A sum of words in any order, of twice their size; 0 adds nothing.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sum(u64, u64);

impl Sum {
    fn halves(word: u64) -> (u64, u64) {
        if word == 0 { (0, 0) } else { (mix(word, 0x51A7E), mix(word, 0xF1005)) }
    }

    #[inline]
    fn add(&mut self, word: u64) {
        let (one, other) = Sum::halves(word);
        (self.0, self.1) = (self.0.wrapping_add(one), self.1.wrapping_add(other));
    }

    #[inline]
    fn leave(&mut self, word: u64) {
        let (one, other) = Sum::halves(word);
        (self.0, self.1) = (self.0.wrapping_sub(one), self.1.wrapping_sub(other));
    }

    fn end(self) -> u128 {
        u128::from(mix(self.0, 0x57A7E)) << 64 | u128::from(mix(self.1, 0xC0115))
    }
}
