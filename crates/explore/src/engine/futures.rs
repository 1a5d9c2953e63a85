//! What a task may still do: the closure over all that it was seen to do.
//!
//! From a place of a task's automaton the learned edges lead on; the union of what all steps on the way do is the
//! task's *future* there. It is what the search so far knows: an edge that is learned later may add to it. So where a
//! choice relied on what a future no longer says ([`claims`](super::claims)), it is made again, until everything that was
//! relied on holds by all that was learned ([`Futures::drop_broken`], [`Futures::has_more`]). The search is then right
//! by this argument: take a shortest execution with a step that was never seen. All steps before it were seen, so the
//! futures by which the claims hold contain them and the step's own lock; the reduced search takes an execution
//! that is the same but for the order of independent steps, and sees the step. A contradiction.
//!
//! The argument is about the states in which the walk stood. It needs that the walk stood wherever others must be able to
//! go first: that each place which it ran through belongs to a [transaction](super::transactions) by all that was learned,
//! and not only by what was known then. No claim says so. So every place that belonged to one by what was known at any
//! time, and belongs to none by what is known later, makes the search begin anew ([`Futures::renew`]). It does not matter
//! whether anything was known of what follows the place: a task that is met when it announces its step stands at a place of
//! which nothing more is known, and it is run through all the same. The contrary does no harm: where a place was none of
//! a transaction, the walk stood, and may have looked at more than it had to.
//!
//! *Futures end at locks that are held.* What a task can do before another one moves ends where it asks for a lock that
//! the other one holds: `Futures::before` is the future up to there.
//!
//! What a step does is its own place's row, and those of all places that it runs through: steps that others can't go
//! before, and the rest of its transaction.
//!
//! This module knows nothing of states.

mod asked;

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::automaton::{Automaton, EdgeId, NodeId};
use super::claims::{ClaimId, Claims, Later};
use super::effects::{Row, Shared, merge};
use super::lock_sets::{HeldId, LockSets};
use super::mistakes::Mistake;
use super::objects::{ObjectId, Objects, OpKind};
use super::reach::Reach;
use super::tasks::Tasks;
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
    /// Each task's places, those that follow a place before it where that can be, and whether that can't be everywhere.
    orders: Vec<(Vec<u32>, bool)>,
    /// The sets of locks that are held, as far as other tasks use them, and unions of them.
    locks: LockSets,
    unions: FxHashMap<(HeldId, HeldId), HeldId>,
    /// For each of the automaton's sets the one without the locks that no other task uses.
    relevant: Vec<Option<HeldId>>,
    /// What choices relied on; whether it holds no more, and whether that is still to be looked at.
    pub claims: Claims,
    grown: bool,
    unchecked: bool,
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
        automaton.edges_len() > (self.edges + self.edges / 16).saturating_add(self.reach.edges)
    }

    /// Whether it is not known whether what choices relied on still holds.
    pub(crate) fn is_unchecked(&self) -> bool {
        self.unchecked
    }

    /// Whether what choices relied on holds no more.
    pub(crate) fn has_more(&mut self, automaton: &Automaton, objects: &Objects) -> bool {
        if std::mem::take(&mut self.unchecked) && !self.grown {
            self.grown = !self.broken(automaton, objects).is_empty();
        }
        self.grown
    }

    /// Drops what choices relied on and that holds no more; says whether there was any. `None` if only another search can
    /// mend it: transactions have become shorter, or executions might come to a state that they were in.
    pub(crate) fn drop_broken(
        &mut self,
        automaton: &Automaton,
        objects: &Objects,
        transact: bool,
    ) -> Option<bool> {
        self.renew(automaton, objects, transact);
        if self.grown || self.round().is_none() || self.mistake == Some(Mistake::OneRound) {
            return None;
        }
        self.unchecked = false;
        let broken = self.broken(automaton, objects);
        self.claims.drop(&broken);
        Some(!broken.is_empty())
    }

    /// The search is to begin anew.
    pub(crate) fn give_up(&mut self) {
        self.grown = true;
    }

    /// The tasks that can come to a place where they were, unless they are several. In a circle of states each task that
    /// moves goes round in its places: so these alone can move in one.
    pub(crate) fn round(&self) -> Option<Tasks> {
        let round = (0..self.places.len()).filter(|&task| self.orders[task].1);
        let round = round.fold(0, |tasks: Tasks, task| tasks | 1 << task);
        (round.count_ones() < 2).then_some(round)
    }

    /// Whether other tasks than these can go round by now.
    pub(crate) fn more_go_round(&self, watched: Tasks) -> bool {
        self.round() != Some(watched) && self.mistake != Some(Mistake::RoundOnce)
    }

    /// Computes the sets anew; whether what choices relied on holds no more, since the last call.
    pub(crate) fn take_grown(&mut self, automaton: &Automaton, objects: &Objects, transact: bool) -> bool {
        self.renew(automaton, objects, transact);
        self.has_more(automaton, objects);
        std::mem::take(&mut self.grown) && self.mistake != Some(Mistake::OneRound)
    }

    /// Computes the sets anew, if anything was learned since.
    pub(crate) fn renew(&mut self, automaton: &Automaton, objects: &Objects, transact: bool) {
        if automaton.edges_len() == self.edges && automaton.len() == self.nodes {
            return;
        }
        let none = self.empty();
        let old = std::mem::replace(self, none);
        self.compute(automaton, objects, transact);
        let counts = |node: usize| old.known[node] || self.mistake != Some(Mistake::UnknownRest);
        let left = |node: usize| old.inside[node] && !self.inside[node] && counts(node);
        self.grown =
            old.grown || (old.nodes > 0 && (old.rows.width != self.rows.width || (0..old.nodes).any(left)));
        (self.locks, self.unions, self.relevant) = (old.locks, old.unions, old.relevant);
        (self.claims, self.unchecked) = (old.claims, true);
    }

    /// What was relied on and is not so.
    fn broken(&mut self, automaton: &Automaton, objects: &Objects) -> Vec<ClaimId> {
        let claims = std::mem::take(&mut self.claims);
        let broken = claims.in_use().filter(|(_, claim)| !self.holds(claim, automaton, objects));
        let broken = broken.map(|(number, _)| number).collect();
        self.claims = claims;
        broken
    }

    /// The row of what a task may do from a place on.
    #[inline]
    pub(crate) fn later(&mut self, automaton: &Automaton, objects: &Objects, later: Later) -> RowId {
        if later.woken {
            self.before_woken(automaton, objects, later.held, later.node)
        } else {
            self.before(automaton, later.held, later.node)
        }
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
        self.orders = (0..self.places.len()).map(|task| self.order(automaton, task)).collect();
        self.run_through(automaton, objects);
    }

    /// A task's places by their numbers, those that follow a place before it, and whether some can't be.
    fn order(&self, automaton: &Automaton, task: usize) -> (Vec<u32>, bool) {
        let places = &self.places[task];
        let (mut order, mut cyclic) = (Vec::with_capacity(places.len()), false);
        // Whether a place was met, and whether all that follows it is in the order.
        let mut seen = vec![(false, false); places.len()];
        let mut stack: Vec<(u32, usize)> = Vec::new();
        for root in 0..places.len() as u32 {
            if !std::mem::replace(&mut seen[root as usize].0, true) {
                stack.push((root, 0));
            }
            while let Some((at, done)) = stack.last_mut() {
                let edges = &self.out[places[*at as usize] as usize];
                let Some(&edge) = edges.get(*done) else {
                    seen[*at as usize].1 = true;
                    order.push(*at);
                    stack.pop();
                    continue;
                };
                *done += 1;
                let next = self.index[automaton.edge_at(edge).next as usize];
                let (met, left) = &mut seen[next as usize];
                cyclic |= *met && !*left;
                if !std::mem::replace(met, true) {
                    stack.push((next, 0));
                }
            }
        }
        (order, cyclic)
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
        let order: Vec<u32> = self
            .orders
            .iter()
            .zip(&self.places)
            .flat_map(|((order, _), places)| order.iter().map(|&at| places[at as usize]))
            .collect();
        let after = closure(
            &all,
            (&order, self.orders.iter().any(|(_, cyclic)| *cyclic)),
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
        let (order, cyclic) = &self.orders[task];
        let words = closure(
            &self.places[task],
            (order, *cyclic),
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
        let width = self.rows.width.max(1);
        // Most places are followed by what is followed by the same.
        let mut last: Option<(&Row, RowId)> = None;
        let number = |row| {
            let number = match last {
                Some((same, number)) if same == row => number,
                _ => self.rows.number(row),
            };
            last = Some((row, number));
            number
        };
        words.chunks(width).map(number).collect()
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

    /// Whether the row notifies the condition.
    pub(crate) fn notifies(&self, row: RowId, condition: ObjectId) -> bool {
        self.shared.notifies(self.rows.get(row), condition)
    }

    /// The locks that the task of a place holds there, without those that no other task uses, and without `released`.
    #[inline]
    pub(crate) fn held(&mut self, automaton: &Automaton, node: NodeId, released: Option<ObjectId>) -> HeldId {
        let held = automaton.get(node).held;
        let held = self.relevant(automaton, held);
        let Some(released) = released else { return held };
        let locks: Vec<_> = self.locks.get(held).iter().copied().filter(|&(id, _)| id != released).collect();
        self.locks.number(locks.into_iter())
    }

    fn relevant(&mut self, automaton: &Automaton, held: HeldId) -> HeldId {
        let index = held as usize;
        if self.relevant.len() <= index {
            self.relevant.resize(index + 1, None);
        }
        if let Some(known) = self.relevant[index] {
            return known;
        }
        let counts = |&(id, _): &(ObjectId, bool)| self.shared.has(id);
        let locks: Vec<_> = automaton.locks().get(held).iter().copied().filter(counts).collect();
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

    /// Whether what a choice relied on matters.
    pub(crate) fn minds_claims(&self) -> bool {
        self.mistake != Some(Mistake::ChosenOnce)
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

/// The least rows such that each place's contains its own and those of all places that follow it. Places are given in
/// their order; what follows is named by its number in it. They are looked at in another order: those that follow
/// first, or, if places follow each other in a circle, again and again.
fn closure<F: Iterator<Item = usize>>(
    places: &[NodeId],
    (order, cyclic): (&[u32], bool),
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
        for at in order.iter().map(|&at| at as usize) {
            for next in follows(places[at]) {
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
        if !changed || !cyclic {
            return rows;
        }
    }
}
