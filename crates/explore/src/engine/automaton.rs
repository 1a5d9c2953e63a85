//! What tasks were seen to do: for each task an automaton, learned from real executions.
//!
//! A task is deterministic: where it stands (a [`Node`]: all that it observed so far, and the step it is about to
//! take) and what that step lets it observe (the *input*) decide what it publishes and where it stands next (an
//! [`Edge`]). So each edge needs to be executed once; interleavings are then walked through without executing
//! anything. This module knows nothing of what other tasks do, nor of why a history counts.

use rustc_hash::FxHashMap;

use super::lock_sets::{HeldId, Lock, LockSets};
use super::mix::mix;
use super::objects::{ObjectId, Op};

pub(crate) type NodeId = u32;

/// An edge's number, in the order in which they were learned.
pub(crate) type EdgeId = u32;

/// Where a task stands.
pub(crate) struct Node {
    /// The step it is about to take; none if it has ended.
    pub op: Option<Op>,
    /// It takes the step at once, whatever the step is (it is panicking).
    pub forced: bool,
    pub task: usize,
    /// The fingerprint of what it observed, as far as it counts.
    pub history: u64,
    /// The locks that it holds there.
    pub held: HeldId,
    /// What it is found by.
    hash: u64,
    /// The first edge that was learned, and its input: most places have no other.
    first: Option<(EdgeId, u64)>,
}

impl Node {
    /// Whether the task is about to take the same step, from the same place in the source, as at another node.
    pub(crate) fn is_same_step(&self, other: &Node) -> bool {
        let of = |node: &Node| node.op.map(|op| (op.kind, op.object, op.mutex, op.at));
        (of(self), self.forced) == (of(other), other.forced)
    }
}

/// What a task does from one step to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edge {
    pub next: NodeId,
    /// The contents it published, in order.
    pub published: Vec<(ObjectId, u64)>,
    /// What its oracles found.
    pub findings: Vec<u32>,
    /// It passed a checkpoint: it may come to a place where it was.
    pub returns: bool,
}

impl PartialEq for Edge {
    /// Each step that is executed again compares one. Most have no findings, and two empty lists are not compared byte for
    /// byte: where that is done by a masked load, as on processors with AVX-512, an address with nothing behind it costs
    /// 70 ns.
    fn eq(&self, other: &Self) -> bool {
        let Edge { next, published, findings, returns } = other;
        self.next == *next
            && self.returns == *returns
            && self.published == *published
            && self.findings.len() == findings.len()
            && (findings.is_empty() || self.findings == *findings)
    }
}

#[derive(Default)]
pub(crate) struct Automaton {
    nodes: Vec<Node>,
    by_hash: FxHashMap<u64, NodeId>,
    edges: Vec<Edge>,
    /// Where each edge begins, and what the step there let the task observe.
    from: Vec<NodeId>,
    inputs: Vec<u64>,
    /// All edges but the first of each place.
    by_input: FxHashMap<(NodeId, u64), EdgeId>,
    locks: LockSets,
}

impl Automaton {
    /// The node of a task with this history that is about to take this step, while it holds these locks. It is looked at
    /// first whether it is the `likely` one.
    pub(crate) fn node(
        &mut self,
        task: usize,
        history: u64,
        op: Option<Op>,
        forced: bool,
        held: impl Iterator<Item = Lock>,
        likely: Option<NodeId>,
    ) -> NodeId {
        let step = op.map_or(1, |op| {
            let what = (op.kind as u64) << 33 | u64::from(forced) << 32 | u64::from(op.object);
            mix(mix(what, u64::from(op.mutex)), std::ptr::from_ref(op.at) as usize as u64)
        });
        let hash = mix(mix(history, step), task as u64);
        if let Some(likely) = likely.filter(|&likely| self.get(likely).hash == hash) {
            return likely;
        }
        *self.by_hash.entry(hash).or_insert_with(|| {
            let held = self.locks.number(held);
            self.nodes.push(Node { op, forced, task, history, held, hash, first: None });
            u32::try_from(self.nodes.len() - 1).expect("fewer than 2^32 places")
        })
    }

    #[inline]
    pub(crate) fn get(&self, node: NodeId) -> &Node {
        &self.nodes[node as usize]
    }

    #[inline]
    pub(crate) fn edge(&self, node: NodeId, input: u64) -> Option<&Edge> {
        self.edge_number(node, input).map(|edge| self.edge_at(edge))
    }

    #[inline]
    pub(crate) fn edge_number(&self, node: NodeId, input: u64) -> Option<EdgeId> {
        match self.get(node).first {
            Some((edge, first)) if first == input => Some(edge),
            Some(_) => self.by_input.get(&(node, input)).copied(),
            None => None,
        }
    }

    #[inline]
    pub(crate) fn edge_at(&self, edge: EdgeId) -> &Edge {
        &self.edges[edge as usize]
    }

    /// All edges in the order of their numbers, each with the place where it begins.
    pub(crate) fn edges(&self) -> impl Iterator<Item = (NodeId, &Edge)> {
        self.from.iter().copied().zip(&self.edges)
    }

    /// What the step of the place where an edge begins let the task observe.
    pub(crate) fn input(&self, edge: usize) -> u64 {
        self.inputs[edge]
    }

    /// How many edges there are.
    pub(crate) fn edges_len(&self) -> usize {
        self.edges.len()
    }

    /// How many places there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The sets of locks that are held at places.
    pub(crate) fn locks(&self) -> &LockSets {
        &self.locks
    }

    /// Notes an edge that was executed.
    ///
    /// # Errors
    /// Gives the edge back if the same was executed before, and was another edge then.
    pub(crate) fn learn(&mut self, node: NodeId, input: u64, edge: Edge) -> Result<(), Edge> {
        if let Some(known) = self.edge(node, input) {
            return if *known == edge { Ok(()) } else { Err(edge) };
        }
        let number = u32::try_from(self.edges.len()).expect("fewer than 2^32 edges");
        self.edges.push(edge);
        self.from.push(node);
        self.inputs.push(input);
        match &mut self.nodes[node as usize].first {
            first @ None => *first = Some((number, input)),
            Some(_) => drop(self.by_input.insert((node, input), number)),
        }
        Ok(())
    }
}
