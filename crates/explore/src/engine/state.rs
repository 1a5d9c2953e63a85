//! A state, and how a step leads to the next one without being executed.

use super::automaton::NodeId;
use super::conductor::all_settled;
use super::control::{Control, input};
use super::knowledge::{self, Knowledge};
use super::model::{FREED, MAX_TASKS, Model, Phase, Tasks, mix};
use super::objects::{Op, OpKind};

/// A state.
pub(crate) struct State {
    pub nodes: [NodeId; MAX_TASKS],
    pub model: Model,
    knowledge: Knowledge,
}

impl State {
    pub(crate) fn new(tasks: usize) -> Self {
        State { nodes: [0; MAX_TASKS], model: Model::new(tasks), knowledge: Knowledge::new(tasks) }
    }

    pub(crate) fn copy(&mut self, from: &State) {
        self.nodes = from.nodes;
        self.model.clone_from(&from.model);
        self.knowledge.clone_from(&from.knowledge);
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

    pub(crate) fn enabled(&self, control: &Control) -> Tasks {
        let mut enabled = 0;
        for task in 0..self.model.tasks {
            if let Some(op) = &control.automaton.get(self.nodes[task]).op
                && self.model.enabled(task, op)
            {
                enabled |= 1 << task;
            }
        }
        enabled
    }

    pub(crate) fn pending(&self, control: &Control) -> [Option<Op>; MAX_TASKS] {
        std::array::from_fn(|task| match self.model.phases[task] {
            Phase::Ended => None,
            _ => control.automaton.get(self.nodes[task]).op,
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

/// Walks the task's pending step and all that follow at once.
pub(crate) fn walk(
    control: &mut Control,
    state: &mut State,
    task: usize,
    path: &mut Vec<u8>,
    found: &mut Vec<(u32, usize)>,
    max_steps: usize,
) -> Result<(), Missing> {
    for _ in 0..=max_steps {
        let node = state.nodes[task];
        let op = control.automaton.get(node).op.expect("a task that has not ended has a step");
        let woken = state.model.phases[task] == Phase::Woken;
        path.push(task as u8);
        if op.kind.is_access() {
            access(control, state, task, &op, path.len(), found);
        }
        let ok = state.model.perform(task, &op);
        state.knowledge.perform(task, &op, ok, woken);
        let waits = op.kind == OpKind::Wait && !woken;
        if (op.kind.is_release() || waits) && control.objects.get(op.mutex).watched {
            settle(control, &state.model, path.len(), found)?;
        }
        if waits {
            return Ok(());
        }
        let input = input(&state.model, &op, ok, woken);
        if !follow(control, state, task, node, input, found, path)? {
            return Ok(());
        }
    }
    Err(Missing::Endless)
}

/// Follows an edge; says whether the task goes on at once.
pub(crate) fn follow(
    control: &mut Control,
    state: &mut State,
    task: usize,
    node: NodeId,
    input: u64,
    found: &mut Vec<(u32, usize)>,
    path: &[u8],
) -> Result<bool, Missing> {
    let edge = control.automaton.edge(node, input).ok_or(Missing::Edge)?;
    for &(object, content) in &edge.published {
        state.model.set_content(object, content);
    }
    found.extend(edge.findings.iter().map(|&finding| (finding, path.len())));
    state.nodes[task] = edge.next;
    let next = control.automaton.get(edge.next);
    let Some(op) = &next.op else {
        state.model.phases[task] = Phase::Ended;
        return Ok(false);
    };
    Ok(next.forced || !control.objects.is_point(task, op, false) && state.model.enabled(task, op))
}

fn access(
    control: &mut Control,
    state: &mut State,
    task: usize,
    op: &Op,
    steps: usize,
    found: &mut Vec<(u32, usize)>,
) {
    let tracked = control.objects.get(op.object).tracked.expect("accesses are to tracked data");
    if !knowledge::fits(state.model.tasks, tracked + 1) {
        control.problem.get_or_insert_with(|| {
            "too many tracked objects for the state cache: races may be missed".to_owned()
        });
        return;
    }
    let freed = state.model.cell(op.object).writer == FREED;
    for race in state.knowledge.access(task, op, tracked, freed) {
        let info = control.objects.get_mut(race.object);
        if race.needs_interleaving() && !info.racy {
            info.racy = true;
            control.restart = true;
        }
        let finding = race.finding(&control.objects, &control.names);
        found.push((control.finding(finding), steps));
    }
}

fn settle(
    control: &Control,
    model: &Model,
    steps: usize,
    found: &mut Vec<(u32, usize)>,
) -> Result<(), Missing> {
    if all_settled(model, &control.objects) {
        let findings = control.settled.get(&model.hash).ok_or(Missing::Edge)?;
        found.extend(findings.iter().map(|&finding| (finding, steps)));
    }
    Ok(())
}
