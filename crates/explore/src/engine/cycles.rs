//! Finds states from which a fair execution goes on for ever, while the states are walked through.
//!
//! States form a graph with cycles only if tasks say, by a checkpoint, that they are where they were before. A
//! strongly connected component in which every task that can take a step anywhere takes one inside it holds an
//! execution that is fair to all tasks and never ends. (Tarjan's algorithm, along the walk's stack.) This
//! module knows nothing of what states are made of.

use rustc_hash::FxHashMap;

use super::tasks::{Tasks, members};
use crate::program::Finding;
use crate::verdict;

/// What is known of a state on the walk's stack.
#[derive(Default)]
struct Mark {
    index: u32,
    low: u32,
    /// The tasks that take steps inside the component, and those that can take any step in it.
    steps: Tasks,
    enabled: Tasks,
    /// How many states of the component's stack lie below this one.
    below: usize,
    /// A path that closes a cycle.
    path: Option<Vec<u8>>,
}

#[derive(Default)]
pub(crate) struct Cycles {
    open: FxHashMap<u64, u32>,
    stack: Vec<u64>,
    marks: Vec<Mark>,
    next: u32,
}

/// A component whose execution goes on for ever.
pub(crate) struct Endless {
    tasks: Tasks,
    pub path: Vec<u8>,
}

impl Endless {
    pub(crate) fn finding(&self, names: &[String]) -> Finding {
        let names: Vec<&str> = members(self.tasks).map(|task| names[task].as_str()).collect();
        let (go, end) = if names.len() == 1 { ("goes", "ends") } else { ("go", "end") };
        let what = format!("{} {go} round for ever, and never {end}", names.join(" and "));
        Finding::new(verdict::LIVELOCK, what)
    }
}

impl Cycles {
    /// A new state is entered; its tasks that can go on are given.
    pub(crate) fn enter(&mut self, fingerprint: u64, enabled: Tasks) {
        let index = self.next;
        self.next += 1;
        self.open.insert(fingerprint, index);
        let below = self.stack.len();
        self.stack.push(fingerprint);
        self.marks.push(Mark { index, low: index, enabled, below, ..Mark::default() });
    }

    /// Whether the walk is above that state.
    pub(crate) fn is_open(&self, fingerprint: u64) -> bool {
        self.open.contains_key(&fingerprint)
    }

    /// Whether a step leads back to the state on top, or to one below it.
    pub(crate) fn comes_back(&self) -> bool {
        self.marks.last().is_some_and(|mark| mark.low < mark.index || mark.path.is_some())
    }

    /// A step by the task leads from the state on top to one that was entered before.
    pub(crate) fn meets(&mut self, fingerprint: u64, task: usize, path: &[u8]) {
        let Some(&index) = self.open.get(&fingerprint) else { return };
        let mark = self.marks.last_mut().expect("a step begins somewhere");
        mark.low = mark.low.min(index);
        mark.steps |= 1 << task;
        mark.path.get_or_insert_with(|| path.to_vec());
    }

    /// The state on top, which was entered by a step of this task, is left for good.
    pub(crate) fn leave(&mut self, task: Option<usize>) -> Option<Endless> {
        let mark = self.marks.pop().expect("it was entered");
        if mark.low < mark.index {
            let parent = self.marks.last_mut().expect("it is not the first");
            parent.low = parent.low.min(mark.low);
            parent.steps |= mark.steps | task.map_or(0, |task| 1 << task);
            parent.enabled |= mark.enabled;
            parent.path = parent.path.take().or(mark.path);
            return None;
        }
        for fingerprint in self.stack.drain(mark.below..) {
            self.open.remove(&fingerprint);
        }
        let path = mark.path?;
        (mark.enabled & !mark.steps == 0).then_some(Endless { tasks: mark.steps, path })
    }
}
