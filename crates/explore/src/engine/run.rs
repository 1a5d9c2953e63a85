//! The execution that is running: who holds what, who is about to do what, what was done.
//!
//! Nothing in here outlives the execution. This module knows nothing of what was learned before, nor of who chooses
//! the steps.

use super::automaton::{Edge, NodeId};
use super::clocks::Clocks;
use super::graph::Holding;
use super::mix::mix;
use super::model::{Model, Phase};
use super::objects::{Op, OpKind};
use super::past::{Forgot, Past, Whole};
use super::tasks::{MAX_TASKS, Tasks};

/// A step that was taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub task: u8,
    pub op: Op,
    /// What a try-lock answered; `true` for all others.
    pub ok: bool,
    /// After a wait the task took the mutex again.
    pub woken: bool,
}

/// What a task said of a step.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub task: usize,
    /// How many steps of all tasks came before.
    pub steps: usize,
    /// Whether the task had taken a step.
    pub started: bool,
    pub text: String,
}

/// The segment that a task executes: from a step that it took to the one that it will announce.
pub(crate) struct Open {
    /// Where it began, and where it would have begun had no pasts been told apart.
    pub node: NodeId,
    pub plain: NodeId,
    /// What the step let the task observe.
    pub input: u64,
    /// What it did so far.
    pub edge: Edge,
    /// Where the task had said last that something no longer counts.
    pub forgot: Option<Forgot>,
}

/// The state of an execution.
pub(crate) struct Run {
    pub model: Model,
    pub clocks: Clocks,
    /// The steps that tasks are about to take.
    pub pending: [Option<Op>; MAX_TASKS],
    /// The task takes its pending step at once, whatever it is (it is panicking).
    pub forced: bool,
    /// What each task holds.
    pub held: Vec<Vec<Holding>>,
    /// What tasks released while they panicked: steps that are still to be taken, in the order of the list.
    pub unwound: Vec<(usize, Op)>,
    /// The task that runs.
    pub current: usize,
    /// Above zero: steps are not announced (set-up, oracles).
    pub quiet: u32,
    /// The execution is over, and tasks are only unwound.
    pub abandoned: bool,
    /// The next step takes the mutex of a wait again, and was taken already.
    pub relocked: bool,
    /// What the last step answered.
    pub answer: bool,
    /// The tasks that have their root token.
    pub roots: Tasks,
    /// The tasks that took a step. The first is always one that others may go before.
    pub started: Tasks,
    pub taken: Vec<Taken>,
    /// What was found, and after how many steps.
    pub found: Vec<(u32, usize)>,
    pub notes: Vec<Note>,
    /// A task took more steps in one go than may be.
    pub overrun: bool,
    /// How many steps the task took in one go.
    pub eager: usize,
    /// A watched lock was released: the oracle wants to look.
    pub settle: bool,
    /// What each task observed, as far as it counts.
    pub pasts: [Past; MAX_TASKS],
    /// All that the audited task observed.
    pub whole: Whole,
    /// Where each task stands, and where it would stand had no pasts been told apart.
    pub nodes: [NodeId; MAX_TASKS],
    pub plain: [NodeId; MAX_TASKS],
    pub open: Option<Open>,
    /// Where which task said what counts is looked for in the source, and where it was seen.
    pub sought: Option<(usize, u32)>,
    pub seen: Option<String>,
}

impl Run {
    pub(crate) fn new() -> Self {
        Run {
            model: Model::new(0),
            clocks: Clocks::new(),
            pending: [None; MAX_TASKS],
            forced: false,
            held: Vec::new(),
            unwound: Vec::new(),
            current: 0,
            quiet: 1,
            abandoned: false,
            relocked: false,
            answer: true,
            roots: 0,
            started: 0,
            taken: Vec::new(),
            found: Vec::new(),
            notes: Vec::new(),
            overrun: false,
            eager: 0,
            settle: false,
            pasts: [Past::default(); MAX_TASKS],
            whole: Whole::new(),
            nodes: [0; MAX_TASKS],
            plain: [0; MAX_TASKS],
            open: None,
            sought: None,
            seen: None,
        }
    }

    /// Prepares for an execution of so many tasks; `causal` says whether clocks tell which steps depend on each other.
    pub(crate) fn reset(&mut self, tasks: usize, causal: bool) {
        self.model.reset(tasks);
        self.clocks.reset();
        self.clocks.causal = causal;
        self.pending = [None; MAX_TASKS];
        self.held.resize_with(tasks, Vec::new);
        self.held.iter_mut().for_each(Vec::clear);
        self.unwound.clear();
        self.abandoned = false;
        self.relocked = false;
        self.roots = 0;
        self.started = 0;
        self.taken.clear();
        self.found.clear();
        self.notes.clear();
        self.overrun = false;
        self.settle = false;
        self.open = None;
        self.pasts = std::array::from_fn(Past::new);
        self.whole = Whole::new();
        self.seen = None;
    }

    /// Steps are not announced from now on, until as many calls of [`Run::unhush`] followed.
    pub(crate) fn hush(&mut self) {
        self.quiet += 1;
    }

    pub(crate) fn unhush(&mut self) {
        self.quiet -= 1;
    }

    /// Whether steps are not announced: set-up and oracles, or the execution is over.
    pub(crate) fn is_bypassed(&self) -> bool {
        self.quiet > 0 || self.abandoned
    }

    /// The tasks of the steps that were taken.
    pub(crate) fn path(&self) -> Vec<u8> {
        self.taken.iter().map(|taken| taken.task).collect()
    }

    /// The tasks that can take their pending step.
    pub(crate) fn enabled(&self) -> Tasks {
        let enabled =
            |&task: &usize| self.pending[task].as_ref().is_some_and(|op| self.model.enabled(task, op));
        (0..self.model.tasks).filter(enabled).fold(0, |set, task| set | 1 << task)
    }

    /// The state, where executions are learned from: where each task stands and what all objects contain. (Not what is
    /// known of races.)
    pub(crate) fn stands(&self) -> u64 {
        (0..self.model.tasks).fold(self.model.hash, |sum, task| {
            let phase = match self.model.phases[task] {
                Phase::Ready => 0,
                Phase::Ended => 1,
                Phase::Waiting(_) => 2,
                Phase::Woken => 3,
            };
            mix(sum, u64::from(self.nodes[task]) << 2 | phase)
        })
    }

    /// Keeps account of what the task holds.
    pub(crate) fn hold(&mut self, task: usize, taken: &Taken) {
        let (op, held) = (&taken.op, &mut self.held[task]);
        if let Some(holding) = taken.takes() {
            held.push(holding);
        } else if (op.kind.is_release() || op.kind.is_wait())
            && let Some(index) = held.iter().rposition(|held| held.object == op.mutex)
        {
            held.remove(index);
        }
    }
}

impl Taken {
    /// What the task holds by this step.
    pub(crate) fn takes(&self) -> Option<Holding> {
        let op = &self.op;
        if self.woken {
            return Some(Holding { object: op.mutex, read: false, kept: false, looks: false, at: op.at });
        }
        (op.kind.is_acquire() && self.ok).then(|| Holding {
            object: op.object,
            read: op.kind.is_read(),
            kept: false,
            looks: op.kind == OpKind::Look,
            at: op.at,
        })
    }
}
