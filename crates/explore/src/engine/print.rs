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

use super::automaton::{Automaton, Node, NodeId};
use super::learned::Learned;
use super::lessons::{Edge, Place, Step};
use super::mix::mix;
use super::model::{Cell, Phase};
use super::objects::{At, ObjectId, Objects, Op};
use super::state::State;

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

    /// The fingerprint of a state whose places were all taken note of.
    pub(crate) fn state(&self, state: &mut State, objects: &Objects) -> u128 {
        let mut sum = Sum::default();
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
        for (id, cell) in state.model.cells.iter().enumerate().filter(|(_, cell)| **cell != Cell::default()) {
            let name = objects.get(id as ObjectId).name;
            let held = mix(mix(name, u64::from(cell.writer)), cell.content);
            sum.add(if cell.readers == 0 { held } else { mix(held, cell.readers) });
        }
        let object = |id: ObjectId| objects.get(id).name;
        state.knowledge.words(object, |tracked| objects.tracked_name(tracked), |word| sum.add(word));
        sum.end()
    }
}

/// All edges of an automaton from one on: where each begins, what is observed, and where it ends.
pub(crate) fn edges(automaton: &Automaton, prints: &Prints, from: usize) -> impl Iterator<Item = Edge> {
    automaton.edges().enumerate().skip(from).map(|(number, (place, edge))| {
        (prints.place(place), automaton.input(number), prints.place(edge.next))
    })
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

/// A sum of words in any order, of twice their size.
#[derive(Default)]
struct Sum(u64, u64);

impl Sum {
    #[inline]
    fn add(&mut self, word: u64) {
        self.0 = self.0.wrapping_add(mix(word, 0x51A7E));
        self.1 = self.1.wrapping_add(mix(word, 0xF1005));
    }

    fn end(self) -> u128 {
        u128::from(mix(self.0, 0x57A7E)) << 64 | u128::from(mix(self.1, 0xC0115))
    }
}
