//! The lock-order graph of all executions: which lock was asked for while which was held.
//!
//! This module knows nothing of whether an execution ever deadlocked.

use rustc_hash::{FxHashMap, FxHashSet};

use super::mix::mix;
use super::objects::{At, ObjectId, Op, OpKind};

/// A lock that a task holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holding {
    pub object: ObjectId,
    pub read: bool,
    /// The task can't reach what it protects any more.
    pub kept: bool,
    /// It only looks, and takes no step until it has looked.
    pub looks: bool,
    pub at: At,
}

/// One way in which a task asked for a lock while it held another.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    pub task: usize,
    pub held_read: bool,
    pub held_at: At,
    pub asked_read: bool,
    pub asked_at: At,
    /// What else it held: a lock that two tasks both need keeps them apart.
    pub gates: Vec<(ObjectId, bool)>,
    /// The tasks of the steps that led there.
    pub witness: Vec<u8>,
}

/// A cycle: each lock was asked for by the task of the entry before it.
pub(crate) struct Cycle {
    pub edges: Vec<(ObjectId, ObjectId, Asking)>,
}

/// The graph. Cycles keep the first witness of each way.
#[derive(Default)]
pub(crate) struct Graph {
    seen: FxHashSet<u64>,
    edges: FxHashMap<(ObjectId, ObjectId), Vec<Asking>>,
    asked: Vec<Asked>,
}

/// That a task asked for a lock while it held others, and the tasks of the steps that led there.
pub(crate) struct Asked {
    pub task: usize,
    pub op: Op,
    pub held: Vec<Holding>,
    pub witness: Vec<u8>,
}

/// The most locks of a cycle that is looked for.
const LONGEST: usize = 8;

impl Graph {
    /// Notes that a task asks for a lock. A try-lock can't wait, so it is not asked for.
    #[inline]
    pub(crate) fn asks(&mut self, task: usize, op: &Op, held: &[Holding], path: impl Iterator<Item = u8>) {
        if held.is_empty() || !matches!(op.kind, OpKind::Lock | OpKind::ReadLock | OpKind::Look) {
            return;
        }
        let asked = (op.kind as u64) << 40 | (task as u64) << 32 | u64::from(op.object);
        let hash = held.iter().fold(mix(asked, op.at.line().into()), |hash, held| {
            mix(hash, u64::from(held.object) << 1 | u64::from(held.read))
        });
        if self.seen.insert(hash) {
            self.note(task, op, held, path.collect());
        }
    }

    #[cold]
    fn note(&mut self, task: usize, op: &Op, held: &[Holding], witness: Vec<u8>) {
        for holding in held {
            let gates = held.iter().filter(|gate| gate.object != holding.object);
            let asking = Asking {
                task,
                held_read: holding.read,
                held_at: holding.at,
                asked_read: op.kind.is_read(),
                asked_at: op.at,
                gates: gates.map(|gate| (gate.object, gate.read)).collect(),
                witness: witness.clone(),
            };
            self.edges.entry((holding.object, op.object)).or_default().push(asking);
        }
        self.asked.push(Asked { task, op: *op, held: held.to_vec(), witness });
    }

    /// All that was noted, in the order in which it was.
    pub(crate) fn asked(&self) -> &[Asked] {
        &self.asked
    }

    /// All edges.
    pub(crate) fn edges(&self) -> impl Iterator<Item = (ObjectId, ObjectId, &[Asking])> {
        self.edges.iter().map(|(&(held, asked), ways)| (held, asked, ways.as_slice()))
    }

    /// The cycles in which different tasks could wait for each other for ever: no two of them need a common lock,
    /// and no link is between two readers. Each set of locks is given once.
    pub(crate) fn cycles(&self) -> Vec<Cycle> {
        let after = self.entangled();
        let mut starts: Vec<ObjectId> = after.keys().copied().collect();
        starts.sort_unstable();
        let mut cycles = Vec::new();
        for start in starts {
            let mut path = vec![start];
            self.walk(&after, &mut path, &mut Vec::new(), &mut cycles);
        }
        cycles
    }

    /// Whether tasks could wait for each other in a circle of any length.
    pub(crate) fn is_entangled(&self, tasks: usize) -> bool {
        !self.entangled().is_empty() && (tasks > LONGEST || !self.cycles().is_empty())
    }

    /// The edges that may be part of a cycle: without those from or to locks before or after which there is
    /// nothing, again and again. Nothing is left of a graph without cycles.
    fn entangled(&self) -> FxHashMap<ObjectId, Vec<ObjectId>> {
        let mut left: Vec<(ObjectId, ObjectId)> = self.edges.keys().copied().collect();
        loop {
            let asked: FxHashSet<ObjectId> = left.iter().map(|edge| edge.1).collect();
            let held: FxHashSet<ObjectId> = left.iter().map(|edge| edge.0).collect();
            let before = left.len();
            left.retain(|(from, to)| asked.contains(from) && held.contains(to));
            if left.len() == before {
                break;
            }
        }
        left.sort_unstable();
        let mut after: FxHashMap<ObjectId, Vec<ObjectId>> = FxHashMap::default();
        for (from, to) in left {
            after.entry(from).or_default().push(to);
        }
        after
    }

    /// Extends a path of locks, whose smallest is the first, by all ways that can be together.
    fn walk(
        &self,
        after: &FxHashMap<ObjectId, Vec<ObjectId>>,
        path: &mut Vec<ObjectId>,
        ways: &mut Vec<Asking>,
        cycles: &mut Vec<Cycle>,
    ) {
        let (start, last) = (path[0], path[path.len() - 1]);
        for &next in after.get(&last).into_iter().flatten() {
            let closes = next == start;
            if !closes && (next < start || path.contains(&next) || path.len() == LONGEST) {
                continue;
            }
            for way in &self.edges[&(last, next)] {
                if !fits(ways, way, closes) {
                    continue;
                }
                ways.push(way.clone());
                if closes {
                    let known = cycles
                        .iter()
                        .any(|cycle| cycle.edges.iter().map(|edge| edge.0).eq(path.iter().copied()));
                    if path.len() > 1 && !known {
                        let edges = path.iter().zip(path.iter().skip(1).chain([&start]));
                        let edges = edges.zip(&*ways).map(|((&a, &b), way)| (a, b, way.clone())).collect();
                        cycles.push(Cycle { edges });
                    }
                } else {
                    path.push(next);
                    self.walk(after, path, ways, cycles);
                    path.pop();
                }
                ways.pop();
            }
        }
    }
}

/// Whether a task can be at this point of a cycle while others are at theirs.
fn fits(others: &[Asking], way: &Asking, closes: bool) -> bool {
    let linked = |asks: &Asking, holds: &Asking| !(asks.asked_read && holds.held_read);
    let apart = others.iter().all(|other| {
        other.task != way.task
            && other.gates.iter().all(|&(gate, read)| {
                way.gates.iter().all(|&(other, other_read)| gate != other || (read && other_read))
            })
    });
    apart
        && others.last().is_none_or(|before| linked(before, way))
        && (!closes || others.first().is_none_or(|first| linked(way, first)))
}
