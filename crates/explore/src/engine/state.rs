//! A state, and how a step leads to the next one without being executed.
//!
//! This module needs what was learned, and nothing else: it knows nothing of executions, nor of the order in which
//! states are walked to.

use super::automaton::NodeId;
use super::control::Control;
use super::knowledge::{self, Knowledge};
use super::learned::Learned;
use super::mix::mix;
use super::model::{FREED, Model, Phase};
use super::objects::{Op, OpKind};
use super::tasks::{MAX_TASKS, Tasks};

/// A state.
pub(crate) struct State {
    pub nodes: [NodeId; MAX_TASKS],
    pub model: Model,
    pub knowledge: Knowledge,
    /// A step on the way passed a checkpoint; whoever asks clears it before.
    pub returns: bool,
}

impl State {
    pub(crate) fn new(tasks: usize) -> Self {
        State {
            nodes: [0; MAX_TASKS],
            model: Model::new(tasks),
            knowledge: Knowledge::new(tasks),
            returns: false,
        }
    }

    pub(crate) fn copy(&mut self, from: &State) {
        self.nodes = from.nodes;
        self.model.clone_from(&from.model);
        self.knowledge.clone_from(&from.knowledge);
        self.returns = from.returns;
    }

    pub(crate) fn fingerprint(&mut self) -> u64 {
        let mut sum = self.model.hash.wrapping_add(self.knowledge.normalise(&self.model));
        for task in 0..self.model.tasks {
            let phase = match self.model.phases[task] {
                Phase::Ready | Phase::Ended => 0,
                Phase::Waiting(_) => 1,
                Phase::Woken => 2,
            };
            let place = u64::from(self.nodes[task]) << 2 | phase;
            sum = sum.wrapping_add(mix(place, task as u64 + 0x7A5C));
        }
        mix(sum, 0x57A7E)
    }

    pub(crate) fn enabled(&self, learned: &Learned) -> Tasks {
        let mut enabled = 0;
        for task in 0..self.model.tasks {
            if let Some(op) = &learned.automaton.get(self.nodes[task]).op
                && self.model.enabled(task, op)
            {
                enabled |= 1 << task;
            }
        }
        enabled
    }

    pub(crate) fn pending(&self, learned: &Learned) -> [Option<Op>; MAX_TASKS] {
        std::array::from_fn(|task| match self.model.phases[task] {
            Phase::Ended => None,
            _ => learned.automaton.get(self.nodes[task]).op,
        })
    }
}

/// Why a step can't be walked.
pub(crate) enum Missing {
    /// It was never executed.
    Edge,
    /// It does not end.
    Endless,
}

/// How far a walk came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The task stands where others may go first, or can't go on.
    Stands,
    /// It goes on at once: others can't tell.
    GoesOn,
    /// Others could go first, but need not: it is inside a transaction.
    Inside,
}

/// Walks the task's pending step and all that follow at once, to the end of its transaction. Counts in `points` the
/// places on the way before which others could have gone, and ends at the most of them. `inside` says of each place whether it
/// is inside a transaction; without it none is.
pub(crate) fn walk(
    learned: &mut Learned,
    inside: Option<&[bool]>,
    state: &mut State,
    task: usize,
    path: &mut Vec<u8>,
    found: &mut Vec<(u32, usize)>,
    (max_steps, most_points, points): (usize, usize, &mut usize),
) -> Result<(), Missing> {
    for _ in 0..=max_steps {
        let node = state.nodes[task];
        let woken = state.model.phases[task] == Phase::Woken;
        path.push(task as u8);
        if pending(learned, node).kind.is_access() {
            let op = *pending(learned, node);
            access(learned, state, task, &op, path.len(), found);
        }
        let op = pending(learned, node);
        let ok = state.model.perform(task, op);
        state.knowledge.perform(task, op, ok, woken);
        let waits = op.kind == OpKind::Wait && !woken;
        if learned.objects.settles(op, waits) {
            settle(learned, &state.model, path.len(), found)?;
        }
        if waits {
            return Ok(());
        }
        let input = state.model.input(op, ok, woken);
        match follow(learned, inside, state, task, (node, input), found, path)? {
            Next::Stands => return Ok(()),
            Next::GoesOn => {}
            Next::Inside => {
                // The step that leaves this place is the next walk's.
                if *points + 1 == most_points {
                    return Ok(());
                }
                *points += 1;
            }
        }
    }
    Err(Missing::Endless)
}

/// The step that a task is about to take at a place where it has not ended.
#[inline]
fn pending(learned: &Learned, node: NodeId) -> &Op {
    learned.automaton.get(node).op.as_ref().expect("a task that has not ended has a step")
}

/// The state in which every task stands before its first step.
pub(crate) fn first(
    control: &mut Control,
    tasks: usize,
    found: &mut Vec<(u32, usize)>,
    path: &[u8],
) -> Result<State, Missing> {
    let mut state = State::new(tasks);
    for task in 0..tasks {
        let root = control.root(task);
        state.nodes[task] = root;
        follow(&control.learned, None, &mut state, task, (root, 0), found, path)?;
    }
    Ok(state)
}

/// Follows an edge; says whether the task goes on at once.
fn follow(
    learned: &Learned,
    inside: Option<&[bool]>,
    state: &mut State,
    task: usize,
    (node, input): (NodeId, u64),
    found: &mut Vec<(u32, usize)>,
    path: &[u8],
) -> Result<Next, Missing> {
    let edge = learned.automaton.edge(node, input).ok_or(Missing::Edge)?;
    for &(object, content) in &edge.published {
        state.model.set_content(object, content);
    }
    found.extend(edge.findings.iter().map(|&finding| (finding, path.len())));
    state.nodes[task] = edge.next;
    state.returns |= edge.returns;
    let next = learned.automaton.get(edge.next);
    let Some(op) = &next.op else {
        state.model.phases[task] = Phase::Ended;
        return Ok(Next::Stands);
    };
    if next.forced {
        return Ok(Next::GoesOn);
    }
    if !state.model.enabled(task, op) {
        return Ok(Next::Stands);
    }
    Ok(match inside {
        _ if path.len() < learned.single => Next::Stands,
        _ if !learned.objects.is_point(task, op, false) => Next::GoesOn,
        Some(inside) if inside.get(edge.next as usize).copied().unwrap_or(false) => Next::Inside,
        _ => Next::Stands,
    })
}

fn access(
    learned: &mut Learned,
    state: &mut State,
    task: usize,
    op: &Op,
    steps: usize,
    found: &mut Vec<(u32, usize)>,
) {
    let tracked = learned.objects.get(op.object).tracked.expect("accesses are to tracked data");
    if !knowledge::fits(state.model.tasks, tracked + 1) {
        learned.complain(|| "too many tracked objects for the state cache: races may be missed".to_owned());
        return;
    }
    let freed = state.model.cell(op.object).writer == FREED;
    for race in state.knowledge.access(task, op, tracked, freed) {
        found.push((learned.race(&race), steps));
    }
}

fn settle(
    learned: &Learned,
    model: &Model,
    steps: usize,
    found: &mut Vec<(u32, usize)>,
) -> Result<(), Missing> {
    if model.is_settled(&learned.objects) {
        let findings = learned.settled.get(&model.seen(&learned.objects)).ok_or(Missing::Edge)?;
        found.extend(findings.iter().map(|&finding| (finding, steps)));
    }
    Ok(())
}
