//! The fewest writes, in an order in which none is refused.
//!
//! # What is searched
//! Each mask and each mdev that changes is a *thing* with few places: where it is, what its old and new value have in
//! common (so that it gives without taking yet), and where it is to be. A thing that goes straight costs the writes that
//! it costs in any case; stopping over in the common part costs one more. So a path's cost is its stop-overs, and the
//! search goes by them, cheapest first.
//!
//! Going straight is never wrong where nothing that is still to come could be refused for it: such moves are made at
//! once, in a fixed order, and only what is left branches. Without a circle (mdevs that exchange queues) nothing
//! branches at all.
//!
//! # The bound
//! After [`MOST_NODES`] the search gives up, and everything that both gives and takes stops over. So a plan never has
//! more than [`Things::most`] writes, and with fewer nodes than that it has the fewest possible.

use std::collections::{BTreeMap, VecDeque};

use ap_files::desired::Give;
use ap_types::{AdapterMask, DomainMask, Matrix, QueueSet, Uuid};
use rustc_hash::FxHashSet;

use crate::state::{Masks, State};
use crate::target::Target;
use crate::write::{Delta, Write};

/// How many arrangements are looked at before everything stops over.
pub const MOST_NODES: usize = 20_000;

/// Where a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    /// Where it was.
    Old,
    /// With what old and new have in common.
    Common,
    /// With nothing.
    Empty,
    /// Where it is to be.
    New,
}

/// A mask that changes.
#[derive(Clone, Copy, Debug)]
struct MaskThing<M> {
    old: M,
    new: M,
}

/// An mdev that changes, comes or goes.
#[derive(Clone, Debug)]
struct MdevThing {
    uuid: Uuid,
    old: Matrix,
    common: Matrix,
    new: Matrix,
    comes: bool,
    goes: bool,
    held: bool,
    /// It is to be as it was, and has to empty for a mask's sake.
    steady: bool,
    /// The things whose old matrix has queues that the new one of this has.
    waits_for: Vec<usize>,
}

/// An arrangement: where every thing is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Node {
    masks: Masks,
    mdevs: Box<[Place]>,
}

/// A move of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    Apmask(AdapterMask),
    Aqmask(DomainMask),
    Mdev(usize, Place),
}

/// What changes, and what does not and still has a say.
pub(crate) struct Things {
    apmask: MaskThing<AdapterMask>,
    aqmask: MaskThing<DomainMask>,
    mdevs: Vec<MdevThing>,
    /// The queues of mdevs that do not change.
    fixed: QueueSet,
    /// The queues that are some mdev's in the end: never the host's on the way.
    assigned: QueueSet,
    in_use_whole: bool,
    /// Masks reserve queues; by overrides whoever plans gives each queue before it is assigned.
    by_masks: bool,
}

/// The order that was found.
pub(crate) struct Order {
    /// The writes.
    pub writes: Vec<Write>,
    /// Whether there are none with fewer.
    pub fewest: bool,
    /// How many more than there have to be.
    pub above: usize,
}

impl<M> MaskThing<M>
where
    M: Copy + PartialEq + std::ops::BitAnd<Output = M>,
{
    /// Whether stopping over differs from both ends.
    fn stops_over(&self) -> bool {
        let common = self.old & self.new;
        common != self.old && common != self.new
    }
}

impl MdevThing {
    fn at(&self, place: Place) -> &Matrix {
        match place {
            Place::Old => &self.old,
            Place::Common => &self.common,
            Place::Empty => &EMPTY,
            Place::New => &self.new,
        }
    }

    fn stops_over(&self) -> bool {
        !self.comes && !self.goes && self.common != self.old && self.common != self.new
    }

    /// The writes that bring it there.
    fn writes(&self, to: Place, put: &mut Vec<Write>) {
        if to == Place::New && self.goes {
            put.push(Write::Remove(self.uuid));
            return;
        }
        if self.comes {
            put.push(Write::Create(self.uuid));
            if self.new == Matrix::default() {
                return;
            }
        }
        put.push(Write::Config(self.uuid, *self.at(to)));
    }
}

const EMPTY: Matrix =
    Matrix { adapters: AdapterMask::EMPTY, domains: DomainMask::EMPTY, control_domains: DomainMask::EMPTY };

impl Things {
    pub(crate) fn of(state: &State, target: &Target) -> Things {
        let mut mdevs: Vec<MdevThing> = Vec::new();
        let mut fixed = QueueSet::new();
        let changed = Matrix {
            adapters: target.masks.adapters ^ state.masks.adapters,
            domains: target.masks.domains ^ state.masks.domains,
            ..EMPTY
        };
        let could_veto = |matrix: &Matrix| {
            let meets =
                changed.adapters.intersects(&matrix.adapters) || changed.domains.intersects(&matrix.domains);
            state.kernel.in_use_whole && matrix.has_queues() && meets
        };
        let mut all: BTreeMap<&Uuid, (Option<&Matrix>, Option<&Matrix>, bool)> = BTreeMap::new();
        for (uuid, mdev) in &state.mdevs {
            all.insert(uuid, (Some(&mdev.matrix), None, mdev.holder.is_some()));
        }
        for (uuid, matrix) in &target.mdevs {
            all.entry(uuid).or_insert((None, None, false)).1 = Some(matrix);
        }
        for (uuid, (old, new, held)) in all {
            let (from, to) = (*old.unwrap_or(&EMPTY), *new.unwrap_or(&EMPTY));
            let steady = old == new;
            if steady && (held || !could_veto(&to)) {
                fixed.insert_product(&to.adapters, &to.domains);
                continue;
            }
            let mut common = from.shared(&to);
            // Control domains are nobody's alone: they need no stop-over.
            common.control_domains = to.control_domains;
            mdevs.push(MdevThing {
                uuid: *uuid,
                old: from,
                common,
                new: to,
                comes: old.is_none(),
                goes: new.is_none(),
                held,
                steady,
                waits_for: Vec::new(),
            });
        }
        for at in 0..mdevs.len() {
            let new = mdevs[at].new;
            let others = mdevs.iter().enumerate();
            let others = others.filter(|(other, thing)| *other != at && thing.old.shares_queue(&new));
            mdevs[at].waits_for = others.map(|(other, _)| other).collect();
        }
        Things {
            apmask: MaskThing { old: state.masks.adapters, new: target.masks.adapters },
            aqmask: MaskThing { old: state.masks.domains, new: target.masks.domains },
            mdevs,
            fixed,
            assigned: target.assigned(),
            in_use_whole: state.kernel.in_use_whole,
            by_masks: target.give == Give::Masks,
        }
    }

    /// The writes that there have to be in any case: one for each thing, two for an mdev that is made and gets a matrix.
    pub(crate) fn least(&self) -> usize {
        let masks =
            usize::from(self.apmask.old != self.apmask.new) + usize::from(self.aqmask.old != self.aqmask.new);
        let mdevs = self.mdevs.iter().filter(|thing| !thing.steady);
        masks + mdevs.map(|thing| 1 + usize::from(thing.comes && thing.new != EMPTY)).sum::<usize>()
    }

    /// The most writes that a plan ever has.
    pub(crate) fn most(&self) -> usize {
        let masks = usize::from(self.apmask.stops_over()) + usize::from(self.aqmask.stops_over());
        let mdevs = self.mdevs.iter().map(|thing| match thing.steady {
            true => 2,
            false => usize::from(thing.stops_over() || self.in_use_whole && !thing.comes),
        });
        // Where a write asks about each id on its own, a mask may take twice what it can.
        let parts = if self.in_use_whole { 2 * masks_that_add(self) } else { 0 };
        self.least() + masks + parts + mdevs.sum::<usize>()
    }

    fn start(&self) -> Node {
        Node {
            masks: Masks { adapters: self.apmask.old, domains: self.aqmask.old },
            mdevs: self
                .mdevs
                .iter()
                .map(|thing| if thing.steady { Place::New } else { Place::Old })
                .collect(),
        }
    }

    fn done(&self, node: &Node) -> bool {
        node.masks == Masks { adapters: self.apmask.new, domains: self.aqmask.new }
            && node.mdevs.iter().all(|place| *place == Place::New)
    }

    /// Whether a mask write that sets these ids is answered with success, and gives the host no queue that is to be
    /// an mdev's.
    fn may_add(&self, node: &Node, adapters: AdapterMask, domains: DomainMask, whole: Matrix) -> bool {
        if self.assigned.intersects_product(&adapters, &domains) {
            return false;
        }
        let asked = if self.in_use_whole { whole } else { Matrix { adapters, domains, ..EMPTY } };
        !self.fixed.intersects_product(&asked.adapters, &asked.domains)
            && self.mdevs.iter().zip(&node.mdevs).all(|(thing, place)| !thing.at(*place).shares_queue(&asked))
    }

    fn may(&self, node: &Node, step: Move) -> bool {
        let now = node.masks;
        match step {
            Move::Apmask(to) => {
                let added = to - now.adapters;
                // What is cleared must be set again by whoever takes the write back.
                let whole = Matrix { adapters: to ^ now.adapters, domains: DomainMask::ALL, ..EMPTY };
                self.may_add(node, added, now.domains, whole)
            }
            Move::Aqmask(to) => {
                let added = to - now.domains;
                let whole = Matrix { adapters: AdapterMask::ALL, domains: to ^ now.domains, ..EMPTY };
                self.may_add(node, now.adapters, added, whole)
            }
            Move::Mdev(at, Place::New) => {
                let thing = &self.mdevs[at];
                !(self.by_masks && now.matrix().shares_queue(&thing.new))
                    && thing.waits_for.iter().all(|other| node.mdevs[*other] != Place::Old)
            }
            // With less than it had, nothing is in the way.
            Move::Mdev(..) => true,
        }
    }

    /// Whether an mdev with its new matrix could be in the way of a mask write that is still to come.
    fn could_veto(&self, node: &Node, new: &Matrix) -> bool {
        if !self.in_use_whole || !new.has_queues() {
            return false;
        }
        let now = node.masks;
        (self.apmask.new ^ now.adapters).intersects(&new.adapters)
            || (self.aqmask.new ^ now.domains).intersects(&new.domains)
    }

    /// Makes every move that is never wrong.
    fn settle(&self, node: &mut Node, path: &mut Vec<Move>) {
        loop {
            let before = path.len();
            for at in 0..self.mdevs.len() {
                let step = Move::Mdev(at, Place::New);
                if node.mdevs[at] != Place::New
                    && self.may(node, step)
                    && !self.could_veto(node, &self.mdevs[at].new)
                {
                    node.go(step);
                    path.push(step);
                }
            }
            if path.len() == before {
                return;
            }
        }
    }

    /// Masks go straight, stop over in what old and new have in common, or, where a write asks about each added id on
    /// its own, take what nobody has now.
    fn mask_choices(&self, node: &Node, moves: &mut Vec<(Move, usize)>) {
        let now = node.masks;
        let (mut adapters, mut domains) = (self.fixed.adapters(), self.fixed.domains());
        for (thing, place) in
            self.mdevs.iter().zip(&node.mdevs).filter(|(thing, place)| thing.at(**place).has_queues())
        {
            adapters |= thing.at(*place).adapters;
            domains |= thing.at(*place).domains;
        }
        let new = self.apmask.new;
        if now.adapters != new {
            moves.push((Move::Apmask(new), 0));
            let common = now.adapters & new;
            let (set, clear) = ((new - now.adapters) - adapters, (now.adapters - new) - adapters);
            let mut over = vec![common];
            if self.in_use_whole {
                let part = now.adapters - clear;
                over.extend([common | set, now.adapters | set, part, part | set]);
            }
            over.retain(|to| *to != now.adapters && *to != new);
            over.dedup();
            moves.extend(over.into_iter().map(|to| (Move::Apmask(to), 1)));
        }
        let new = self.aqmask.new;
        if now.domains != new {
            moves.push((Move::Aqmask(new), 0));
            let common = now.domains & new;
            let (set, clear) = ((new - now.domains) - domains, (now.domains - new) - domains);
            let mut over = vec![common];
            if self.in_use_whole {
                let part = now.domains - clear;
                over.extend([common | set, now.domains | set, part, part | set]);
            }
            over.retain(|to| *to != now.domains && *to != new);
            over.dedup();
            moves.extend(over.into_iter().map(|to| (Move::Aqmask(to), 1)));
        }
    }

    /// Whether stopping over with nothing could help, and nobody minds.
    fn may_empty(&self, thing: &MdevThing) -> bool {
        self.in_use_whole && !thing.held && !thing.comes && !thing.goes && thing.new != EMPTY
    }

    /// The moves of which one has to be tried, with what each costs more.
    fn choices(&self, node: &Node) -> Vec<(Move, usize)> {
        let mut moves = Vec::new();
        self.mask_choices(node, &mut moves);
        for (at, (thing, place)) in self.mdevs.iter().zip(&node.mdevs).enumerate() {
            if *place == Place::New {
                if thing.steady && self.could_veto(node, &thing.new) {
                    // And back again.
                    moves.push((Move::Mdev(at, Place::Empty), 2));
                }
                continue;
            }
            moves.push((Move::Mdev(at, Place::New), 0));
            if *place == Place::Old && thing.stops_over() {
                moves.push((Move::Mdev(at, Place::Common), 1));
            }
            if self.may_empty(thing) && *place == Place::Old && thing.old != EMPTY {
                moves.push((Move::Mdev(at, Place::Empty), 1));
            }
        }
        moves.retain(|(step, _)| self.may(node, *step));
        moves
    }

    /// The order with the fewest writes; `None` if there is none.
    pub(crate) fn order(&self) -> Option<Order> {
        let mut looked = 0;
        let mut seen = FxHashSet::default();
        // Paths by their stop-overs; more than one each for every thing there never are.
        let mut levels: Vec<VecDeque<(Node, Vec<Move>)>> = vec![VecDeque::new()];
        let (mut node, mut path) = (self.start(), Vec::new());
        self.settle(&mut node, &mut path);
        levels[0].push_back((node, path));
        let mut level = 0;
        while level < levels.len() {
            let Some((node, path)) = levels[level].pop_front() else {
                level += 1;
                continue;
            };
            if self.done(&node) {
                return Some(self.ordered(&path, true));
            }
            if !seen.insert(node.clone()) {
                continue;
            }
            looked += 1;
            if looked > MOST_NODES {
                return self.with_all_stop_overs();
            }
            for (step, cost) in self.choices(&node) {
                let (mut next, mut path) = (node.clone(), path.clone());
                next.go(step);
                path.push(step);
                self.settle(&mut next, &mut path);
                if !seen.contains(&next) {
                    while levels.len() <= level + cost {
                        levels.push(VecDeque::new());
                    }
                    levels[level + cost].push_back((next, path));
                }
            }
        }
        None
    }

    /// Everything gives first, then the masks change, then everything takes.
    fn with_all_stop_overs(&self) -> Option<Order> {
        let (mut node, mut path) = (self.start(), Vec::new());
        let go = |step: Move, node: &mut Node, path: &mut Vec<Move>| {
            let may = self.may(node, step);
            if may {
                node.go(step);
                path.push(step);
            }
            may
        };
        for (at, thing) in self.mdevs.iter().enumerate() {
            if thing.goes {
                go(Move::Mdev(at, Place::New), &mut node, &mut path);
            } else if self.may_empty(thing) {
                go(Move::Mdev(at, Place::Empty), &mut node, &mut path);
            } else if thing.stops_over() {
                go(Move::Mdev(at, Place::Common), &mut node, &mut path);
            }
        }
        if self.apmask.stops_over() {
            go(Move::Apmask(self.apmask.old & self.apmask.new), &mut node, &mut path);
        }
        if self.aqmask.stops_over() {
            go(Move::Aqmask(self.aqmask.old & self.aqmask.new), &mut node, &mut path);
        }
        for _ in 0..2 {
            if node.masks.adapters != self.apmask.new {
                go(Move::Apmask(self.apmask.new), &mut node, &mut path);
            }
            if node.masks.domains != self.aqmask.new {
                go(Move::Aqmask(self.aqmask.new), &mut node, &mut path);
            }
        }
        for at in 0..self.mdevs.len() {
            if node.mdevs[at] != Place::New {
                go(Move::Mdev(at, Place::New), &mut node, &mut path);
            }
        }
        self.done(&node).then(|| self.ordered(&path, false))
    }

    fn ordered(&self, path: &[Move], fewest: bool) -> Order {
        let writes = self.writes(path);
        let above = writes.len() - self.least();
        Order { writes, fewest, above }
    }

    fn writes(&self, path: &[Move]) -> Vec<Write> {
        let mut node = self.start();
        let mut writes = Vec::new();
        for step in path {
            let now = node.masks;
            match step {
                Move::Apmask(to) => writes.push(Write::Apmask(Delta::between(now.adapters, *to))),
                Move::Aqmask(to) => writes.push(Write::Aqmask(Delta::between(now.domains, *to))),
                Move::Mdev(at, to) => self.mdevs[*at].writes(*to, &mut writes),
            }
            node.go(*step);
        }
        writes
    }
}

fn masks_that_add(things: &Things) -> usize {
    let adapters = things.apmask.new - things.apmask.old;
    let domains = things.aqmask.new - things.aqmask.old;
    usize::from(!adapters.is_empty()) + usize::from(!domains.is_empty())
}

impl Node {
    fn go(&mut self, step: Move) {
        match step {
            Move::Apmask(to) => self.masks.adapters = to,
            Move::Aqmask(to) => self.masks.domains = to,
            Move::Mdev(at, to) => self.mdevs[at] = to,
        }
    }
}
