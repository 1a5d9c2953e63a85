//! Who waits for whom at the end of an execution. This module knows nothing of how the execution came there.

use super::model::{Model, Phase};
use super::objects::{ObjectId, Objects, Op};
use super::tasks::{MAX_TASKS, Tasks, members};
use crate::program::Finding;
use crate::verdict;

/// A task that can't go on.
#[derive(Clone, Debug)]
pub(crate) struct Stuck {
    pub task: usize,
    /// What it waits for.
    pub object: ObjectId,
    /// It waits for a notification.
    pub condition: bool,
    pub op: Op,
    /// Who holds the object.
    pub holders: Vec<usize>,
}

/// Tasks that can't go on, none of which ever will.
pub(crate) struct Deadlock {
    /// Each waits for the next, and the last for the first; empty if some wait for nobody.
    pub cycle: Vec<Stuck>,
    /// The others.
    pub others: Vec<Stuck>,
}

impl Deadlock {
    /// The deadlock of a state in which none of these tasks can go on.
    pub(crate) fn of(model: &Model, pending: &[Option<Op>; MAX_TASKS], stuck: Tasks) -> Self {
        let all: Vec<Stuck> = members(stuck).filter_map(|task| of_task(model, pending, task)).collect();
        let cycle = cycle(&all);
        let others = all.iter().filter(|stuck| cycle.iter().all(|&index| all[index].task != stuck.task));
        Deadlock {
            others: others.cloned().collect(),
            cycle: cycle.iter().map(|&index| all[index].clone()).collect(),
        }
    }

    pub(crate) fn finding(&self, objects: &Objects, names: &[String]) -> Finding {
        let parts: Vec<String> =
            self.cycle.iter().chain(&self.others).map(|stuck| words(stuck, objects, names)).collect();
        Finding::new(verdict::DEADLOCK, parts.join("; "))
    }
}

/// What keeps a task from going on, unless it has ended.
pub(crate) fn of_task(model: &Model, pending: &[Option<Op>; MAX_TASKS], task: usize) -> Option<Stuck> {
    let op = pending[task]?;
    let (object, condition) = match model.phases[task] {
        Phase::Waiting(condition) => (condition, true),
        Phase::Woken => (op.mutex, false),
        _ => (op.object, false),
    };
    let cell = model.cell(object);
    let holds = |&task: &usize| cell.writer == task as u8 + 1 || cell.readers >> (4 * task) & 15 != 0;
    Some(Stuck { task, object, condition, op, holders: (0..model.tasks).filter(holds).collect() })
}

/// The indices of a cycle, beginning with the task of the smallest number.
fn cycle(stuck: &[Stuck]) -> Vec<usize> {
    let index = |task: usize| stuck.iter().position(|stuck| stuck.task == task);
    for start in 0..stuck.len() {
        let mut path = vec![start];
        if close(stuck, &index, &mut path) {
            return path;
        }
    }
    Vec::new()
}

fn close(stuck: &[Stuck], index: &impl Fn(usize) -> Option<usize>, path: &mut Vec<usize>) -> bool {
    let last = path[path.len() - 1];
    for next in stuck[last].holders.iter().filter_map(|&holder| index(holder)) {
        if next == path[0] {
            return true;
        }
        if next > path[0] && !path.contains(&next) {
            path.push(next);
            if close(stuck, index, path) {
                return true;
            }
            path.pop();
        }
    }
    false
}

fn words(stuck: &Stuck, objects: &Objects, names: &[String]) -> String {
    let (task, object) = (&names[stuck.task], objects.called(stuck.object));
    if stuck.condition {
        return format!("{task} waits on `{object}`, and nobody is left to notify it");
    }
    let holders: Vec<&str> = stuck
        .holders
        .iter()
        .map(|&holder| if holder == stuck.task { "itself" } else { names[holder].as_str() })
        .collect();
    if holders.is_empty() {
        return format!("{task} waits for `{object}`");
    }
    format!("{task} waits for `{object}`, held by {}", holders.join(" and "))
}
