//! What a task may still do: the closure over all that it was seen to do.
//!
//! From a place of a task's automaton the learned edges lead on; the union of what all steps on the way do is the
//! task's *future* there. It is what the search so far knows: an edge that is learned later may add to it. So a search
//! that used a future which has grown since is repeated, until one ends in which nothing grew ([`Futures::renew`]); the last one is
//! then right by this argument: take a shortest execution with a step that was never seen. All steps before it were
//! seen, so the futures that were used contain them and the step's own lock; the reduced search takes an execution
//! that is the same but for the order of independent steps, and sees the step. A contradiction.
//!
//! *Futures end at locks that are held.* What a task can do before another one moves ends where it asks for a lock that
//! the other one holds: `Futures::before` is the future up to there.
//!
//! What a step does is its own place's row, and those of all places that it runs through: steps that others can't go
//! before, and the rest of its transaction.
//!
//! This module knows nothing of states.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::automaton::{Automaton, EdgeId, NodeId};
use super::effects::{Row, Shared, merge};
use super::lock_sets::{HeldId, LockSets};
use super::mistakes::Mistake;
use super::objects::{ObjectId, Objects, OpKind};
use super::reach::Reach;
use super::transactions;

/// A row's number.
pub(crate) type RowId = u32;

/// Rows, each once.
#[derive(Default)]
struct Rows {
    width: usize,
    words: Vec<u64>,
    numbers: FxHashMap<Box<[u64]>, RowId>,
}

impl Rows {
    fn clear(&mut self, width: usize) {
        *self = Rows { width, ..Rows::default() };
    }

    fn number(&mut self, row: &Row) -> RowId {
        if let Some(&number) = self.numbers.get(row) {
            return number;
        }
        let number = (self.words.len() / self.width.max(1)) as RowId;
        self.words.extend_from_slice(row);
        self.numbers.insert(row.into(), number);
        number
    }

    #[inline]
    fn get(&self, number: RowId) -> &Row {
        let at = number as usize * self.width;
        &self.words[at..at + self.width]
    }
}

/// The futures of one task's places, up to locks that are held: a row for each of its places, in their order.
type Before = Rc<[RowId]>;

/// What is known of all tasks' futures.
#[derive(Default)]
pub(crate) struct Futures {
    pub shared: Shared,
    rows: Rows,
    /// How much of the automaton is known.
    nodes: usize,
    edges: usize,
    /// For each place its number among those of its task, and whether anything is known of what follows.
    index: Vec<u32>,
    known: Vec<bool>,
    /// Each task's places.
    places: Vec<Vec<NodeId>>,
    /// For each place the edges that lead on.
    out: Vec<Vec<EdgeId>>,
    /// What the steps of each place and each edge do; the latter with all that they run through.
    own: Vec<RowId>,
    steps: Vec<RowId>,
    inside: Vec<bool>,
    before: FxHashMap<(HeldId, usize), Before>,
    woken: FxHashMap<(HeldId, NodeId), RowId>,
    /// The sets of locks that are held, and unions of them.
    locks: LockSets,
    unions: FxHashMap<(HeldId, HeldId), HeldId>,
    /// For each set the one without the locks that no other task uses.
    relevant: Vec<Option<HeldId>>,
    /// Whether something that was used has grown.
    grown: bool,
    mistake: Option<Mistake>,
    reach: Reach,
}

impl Futures {
    pub(crate) fn new(mistake: Option<Mistake>, reach: Reach) -> Self {
        Futures { mistake, reach, ..Futures::default() }
    }

    pub(crate) fn reach(&self) -> Reach {
        self.reach
    }

    /// None yet, of the same kind.
    fn empty(&self) -> Self {
        Futures::new(self.mistake, self.reach)
    }

    /// Whether so much was learned that the sets should be computed anew.
    pub(crate) fn is_stale(&self, automaton: &Automaton) -> bool {
        automaton.edges_len() > self.edges + self.edges / 16 + self.reach.edges
    }

    /// Whether anything that was used has grown.
    pub(crate) fn has_more(&self) -> bool {
        self.grown
    }

    /// Whether anything that was used since the last call has grown; computes the sets anew.
    pub(crate) fn take_grown(&mut self, automaton: &Automaton, objects: &Objects, transact: bool) -> bool {
        self.renew(automaton, objects, transact);
        std::mem::take(&mut self.grown) && self.mistake != Some(Mistake::OneRound)
    }

    /// Computes the sets anew, if anything was learned since; takes note of what has grown.
    pub(crate) fn renew(&mut self, automaton: &Automaton, objects: &Objects, transact: bool) {
        if automaton.edges_len() == self.edges && automaton.len() == self.nodes {
            return;
        }
        let none = self.empty();
        let old = std::mem::replace(self, none);
        self.compute(automaton, objects, transact);
        let same = old.rows.width == self.rows.width;
        let follows = same && self.follow(&old, automaton, objects);
        self.grown = old.grown || follows || self.has_grown(&old);
    }

    /// Begins a search.
    pub(crate) fn begin(&mut self, automaton: &Automaton, objects: &Objects, transact: bool) {
        if self.mistake == Some(Mistake::StaleSharing) && self.nodes > 0 {
            return self.renew(automaton, objects, transact);
        }
        *self = self.empty();
        self.compute(automaton, objects, transact);
    }

    fn compute(&mut self, automaton: &Automaton, objects: &Objects, transact: bool) {
        self.shared = Shared::new(objects);
        let width = self.shared.width();
        self.rows.clear(width);
        self.locks = automaton.locks().clone();
        (self.nodes, self.edges) = (automaton.len(), automaton.edges_len());
        self.inside = if transact {
            transactions::inside(automaton, objects, self.mistake)
        } else {
            vec![false; self.nodes]
        };
        self.out = vec![Vec::new(); self.nodes];
        for (edge, (from, _)) in automaton.edges().enumerate() {
            self.out[from as usize].push(edge as EdgeId);
        }
        let mut row = vec![0; width];
        for node in 0..self.nodes as NodeId {
            let place = automaton.get(node);
            while self.places.len() <= place.task {
                self.places.push(Vec::new());
            }
            self.index.push(self.places[place.task].len() as u32);
            self.places[place.task].push(node);
            // Who waits goes nowhere before it is notified; what it does then is learned when it is.
            let waits = place.op.is_some_and(|op| op.kind == OpKind::Wait);
            self.known.push(place.op.is_none() || waits || !self.out[node as usize].is_empty());
            row.fill(0);
            if let Some(op) = &place.op {
                self.shared.add(&mut row, objects, op);
            }
            let number = self.rows.number(&row);
            self.own.push(number);
        }
        if self.mistake == Some(Mistake::LearnedSilence) {
            self.silence(automaton, objects);
        }
        self.run_through(automaton, objects);
    }

    /// What steps do with all that they run through.
    fn run_through(&mut self, automaton: &Automaton, objects: &Objects) {
        let goes_on = |node: NodeId| {
            let place = automaton.get(node);
            let point = place.op.as_ref().is_none_or(|op| objects.is_point(place.task, op, false));
            let inside = self.inside[node as usize] && self.mistake != Some(Mistake::FirstStepOnly);
            place.op.is_some() && (place.forced || !point || inside)
        };
        let (none, nodes) = (Vec::new(), 0..self.nodes as NodeId);
        let follows = |node: NodeId| if goes_on(node) { &self.out[node as usize] } else { &none };
        let all: Vec<NodeId> = nodes.clone().collect();
        let after = closure(
            &all,
            self.rows.width,
            |node, row| {
                if goes_on(node) {
                    merge(row, self.rows.get(self.own[node as usize]));
                }
            },
            |node| follows(node).iter().map(|&edge| automaton.edge_at(edge).next as usize),
        );
        let mut row = vec![0; self.rows.width];
        self.steps = automaton
            .edges()
            .map(|(from, edge)| {
                row.fill(0);
                merge(&mut row, self.rows.get(self.own[from as usize]));
                let at = edge.next as usize * self.rows.width;
                merge(&mut row, &after[at..at + self.rows.width]);
                row.clone()
            })
            .collect::<Vec<_>>()
            .into_iter()
            .map(|row| self.rows.number(&row))
            .collect();
    }

    /// The mistake of concluding from what was seen that a section changes nothing.
    fn silence(&mut self, automaton: &Automaton, objects: &Objects) {
        let nothing = self.rows.number(&vec![0; self.rows.width]);
        for node in 0..self.nodes {
            let place = automaton.get(node as NodeId);
            let Some(op) = place.op.filter(|op| op.kind == OpKind::Lock) else { continue };
            let quiet = |edge: &EdgeId| {
                let edge = automaton.edge_at(*edge);
                let next = automaton.get(edge.next).op;
                let ends = next.is_some_and(|next| next.kind == OpKind::Unlock && next.object == op.object);
                edge.published.is_empty() && ends && !objects.get(op.object).tried
            };
            if !self.out[node].is_empty() && self.out[node].iter().all(quiet) {
                let mut row = vec![0; self.rows.width];
                self.shared.add(&mut row, objects, &super::objects::Op { kind: OpKind::Look, ..op });
                self.own[node] =
                    if row.iter().all(|&word| word == 0) { nothing } else { self.rows.number(&row) };
            }
        }
    }

    /// Whether anything that was known before says less than now.
    fn has_grown(&self, old: &Futures) -> bool {
        if old.nodes == 0 {
            return false;
        }
        if old.rows.width != self.rows.width {
            return true;
        }
        let step = |edge: usize| less(old.rows.get(old.steps[edge]), self.rows.get(self.steps[edge]));
        let left = |node: usize| old.inside[node] && !self.inside[node] && old.known[node];
        if (0..old.edges).any(step) || (0..old.nodes).any(left) {
            return true;
        }
        false
    }

    /// Computes what is to come for all sets of locks that were asked about; says whether any of it says more than before.
    fn follow(&mut self, old: &Futures, automaton: &Automaton, objects: &Objects) -> bool {
        let mut grown = false;
        for (&(held, task), before) in &old.before {
            let held = self.locks.number(old.locks.get(held).iter().copied());
            let now = self.compute_before(automaton, held, task);
            grown |= before.iter().zip(&*now).enumerate().any(|(at, (&old_row, &new_row))| {
                let known = old.known[old.places[task][at] as usize];
                known && less(old.rows.get(old_row), self.rows.get(new_row))
            });
            self.before.insert((held, task), now);
        }
        for (&(held, node), &before) in &old.woken {
            let held = self.locks.number(old.locks.get(held).iter().copied());
            let now = self.before_woken(automaton, objects, held, node);
            grown |= less(old.rows.get(before), self.rows.get(now));
        }
        grown
    }

    /// What a task does from each of its places on until it asks for one of these locks.
    fn compute_before(&mut self, automaton: &Automaton, held: HeldId, task: usize) -> Before {
        let locks = self.locks.get(held);
        let stops = |node: NodeId| {
            automaton.get(node).op.is_some_and(|op| match op.kind {
                OpKind::Lock => locks.iter().any(|&(id, _)| id == op.object),
                OpKind::ReadLock | OpKind::Look => locks.iter().any(|&(id, read)| id == op.object && !read),
                _ => false,
            })
        };
        let none = Vec::new();
        let words = closure(
            &self.places[task],
            self.rows.width,
            |node, row| {
                if !stops(node) {
                    merge(row, self.rows.get(self.own[node as usize]));
                }
            },
            |node| {
                let out = if stops(node) { &none } else { &self.out[node as usize] };
                out.iter().map(|&edge| self.index[automaton.edge_at(edge).next as usize] as usize)
            },
        );
        words.chunks(self.rows.width.max(1)).map(|row| self.rows.number(row)).collect()
    }

    /// The row of what a task may do from a place on, which must be known, until it asks for one of these locks.
    #[inline]
    pub(crate) fn before(&mut self, automaton: &Automaton, held: HeldId, node: NodeId) -> RowId {
        let task = automaton.get(node).task;
        let index = self.index[node as usize] as usize;
        if let Some(before) = self.before.get(&(held, task)) {
            return before[index];
        }
        let rows = self.compute_before(automaton, held, task);
        let row = rows[index];
        self.before.insert((held, task), rows);
        row
    }

    /// The same of a task that waits there, or was notified: its wait is over.
    pub(crate) fn before_woken(
        &mut self,
        automaton: &Automaton,
        objects: &Objects,
        held: HeldId,
        node: NodeId,
    ) -> RowId {
        if let Some(&row) = self.woken.get(&(held, node)) {
            return row;
        }
        let op = automaton.get(node).op.expect("it waits");
        let mut row = vec![0; self.rows.width];
        self.shared.add_woken(&mut row, objects, &op);
        for edge in self.out[node as usize].clone() {
            let next = automaton.edge_at(edge).next;
            let before = self.before(automaton, held, next);
            merge(&mut row, self.rows.get(before));
        }
        let row = self.rows.number(&row);
        self.woken.insert((held, node), row);
        row
    }

    /// The row of what an edge's step does; `None` if that is not known.
    #[inline]
    pub(crate) fn step(&self, edge: EdgeId) -> Option<RowId> {
        self.steps.get(edge as usize).copied()
    }

    /// The row of what the first step of a place does; it must be known.
    #[inline]
    pub(crate) fn own(&self, node: NodeId) -> RowId {
        self.own[node as usize]
    }

    /// Whether a task that stands there is inside a transaction.
    #[inline]
    pub(crate) fn is_inside(&self, node: NodeId) -> bool {
        self.inside.get(node as usize).copied().unwrap_or(false)
    }

    #[inline]
    pub(crate) fn conflict(&self, a: RowId, b: RowId, oracle: bool) -> bool {
        self.shared.conflict(self.rows.get(a), self.rows.get(b), oracle)
    }

    /// Whether the row changes the object.
    pub(crate) fn changes(&self, row: RowId, id: ObjectId) -> bool {
        self.shared.changes(self.rows.get(row), id)
    }

    /// The locks that the task of a place holds there, without those that no other task uses, and without `released`.
    #[inline]
    pub(crate) fn held(&mut self, automaton: &Automaton, node: NodeId, released: Option<ObjectId>) -> HeldId {
        let held = automaton.get(node).held;
        let held = self.relevant(held);
        let Some(released) = released else { return held };
        let locks: Vec<_> = self.locks.get(held).iter().copied().filter(|&(id, _)| id != released).collect();
        self.locks.number(locks.into_iter())
    }

    fn relevant(&mut self, held: HeldId) -> HeldId {
        let index = held as usize;
        if self.relevant.len() <= index {
            self.relevant.resize(index + 1, None);
        }
        if let Some(known) = self.relevant[index] {
            return known;
        }
        let counts = |&(id, _): &(ObjectId, bool)| self.shared.has(id);
        let locks: Vec<_> = self.locks.get(held).iter().copied().filter(counts).collect();
        let relevant = self.locks.number(locks.into_iter());
        self.relevant[index] = Some(relevant);
        relevant
    }

    /// The locks of both sets.
    pub(crate) fn union(&mut self, a: HeldId, b: HeldId) -> HeldId {
        if a == b || b == 0 {
            return a;
        }
        let locks = &mut self.locks;
        *self.unions.entry((a.min(b), a.max(b))).or_insert_with(|| {
            let both: Vec<_> = locks.get(a).iter().chain(locks.get(b)).copied().collect();
            locks.number(both.into_iter())
        })
    }

    /// Whether the set has a lock that the program's oracle watches.
    pub(crate) fn is_watched(&self, held: HeldId, objects: &Objects) -> bool {
        self.locks.get(held).iter().any(|&(id, read)| !read && objects.get(id).watched)
    }

    /// Whether a cycle ends the reduction.
    pub(crate) fn minds_cycles(&self) -> bool {
        self.mistake != Some(Mistake::IgnoredCycles)
    }

    /// Whether anything is known of what a task does that stands there.
    #[inline]
    pub(crate) fn knows(&self, node: NodeId) -> bool {
        self.known.get(node as usize).copied().unwrap_or(false)
    }
}

/// Whether the first row says less than the second.
fn less(old: &Row, new: &Row) -> bool {
    old.iter().zip(new).any(|(old, new)| new & !old != 0)
}

/// The least rows such that each place's contains its own and those of all places that follow it. Places are given in
/// their order; what follows is named by its number in it.
fn closure<F: Iterator<Item = usize>>(
    places: &[NodeId],
    width: usize,
    own: impl Fn(NodeId, &mut Row),
    follows: impl Fn(NodeId) -> F,
) -> Vec<u64> {
    let mut rows = vec![0; places.len() * width];
    for (at, &node) in places.iter().enumerate() {
        own(node, &mut rows[at * width..(at + 1) * width]);
    }
    loop {
        let mut changed = false;
        // Most places come before what follows them.
        for (at, &node) in places.iter().enumerate().rev() {
            for next in follows(node) {
                if next != at {
                    let (low, high) = rows.split_at_mut(at.max(next) * width);
                    let (into, from) = if at < next {
                        (&mut low[at * width..(at + 1) * width], &high[..width])
                    } else {
                        (&mut high[..width], &low[next * width..(next + 1) * width])
                    };
                    changed |= merge(into, from);
                }
            }
        }
        if !changed {
            return rows;
        }
    }
}
