//! What happens inside an execution: the other end of `locks::hook`.

use locks::Object;
use locks::hook::Step;
use rustc_hash::FxHashMap;

use super::automaton::{Automaton, Edge, NodeId};
use super::clocks::Clocks;
use super::graph::{Graph, Holding};
use super::model::{MAX_TASKS, Model, Phase, Tasks, mix};
use super::objects::{ObjectId, Objects, Op, OpKind};
use crate::program::Finding;

/// A step that was taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub task: u8,
    pub op: Op,
    /// What a try-lock answered.
    pub ok: bool,
    /// It takes the mutex of a wait again.
    pub woken: bool,
}

/// The segment that a task executes, on its way to an edge.
struct Open {
    node: NodeId,
    input: u64,
    edge: Edge,
}

/// The state of an execution, and what is kept over all of them.
pub(crate) struct Control {
    // Kept.
    pub objects: Objects,
    pub graph: Graph,
    pub automaton: Automaton,
    pub findings: Vec<Finding>,
    /// What oracles over settled states found, by the fingerprint of all objects.
    pub settled: FxHashMap<u64, Box<[u32]>>,
    /// Fingerprints of objects' contents at the beginning; 0 where not met yet.
    initial: Vec<u64>,
    pub names: Vec<String>,
    /// Why nothing that is found can be trusted.
    pub problem: Option<String>,
    /// Steps of this exploration, over all executions.
    pub steps: u64,
    /// It was learned that more must be told apart: all begins anew.
    pub restart: bool,
    /// Tasks say what their state depends on, so that they may come to a state again.
    pub checkpoints: bool,

    // How to execute.
    /// Contents are observed and automata learned.
    pub recording: bool,
    /// Every step is one that others may go before.
    pub every: bool,
    /// The search leaves out interleavings that differ by independent steps.
    pub reduced: bool,
    /// The most steps in one go.
    pub max_steps: usize,

    // This execution.
    pub model: Model,
    pub clocks: Clocks,
    pub pending: [Option<Op>; MAX_TASKS],
    pub(super) forced: bool,
    pub held: Vec<Vec<Holding>>,
    /// What tasks released while they panicked: steps that are still to be taken, in the order of the list.
    pub(super) unwound: Vec<(usize, Op)>,
    pub current: usize,
    /// Above zero: steps are not announced (set-up, oracles).
    pub(super) quiet: u32,
    pub abandoned: bool,
    pub(super) relocked: bool,
    pub(super) answer: bool,
    pub(super) roots: Tasks,
    /// Tasks that took a step. The first is always one that others may go before.
    pub(super) started: Tasks,
    pub events: Vec<Event>,
    /// What was found, and after how many steps.
    pub found: Vec<(u32, usize)>,
    /// What tasks said of their steps: who, after how many steps, whether it had taken one, and what.
    pub notes: Vec<(usize, usize, bool, String)>,
    /// A task took more steps in one go than may be.
    pub overrun: bool,
    pub(super) eager: usize,
    pub(super) settle: bool,
    pub(super) history: [u64; MAX_TASKS],
    /// The history at the last checkpoint.
    base: [u64; MAX_TASKS],
    pub nodes: [NodeId; MAX_TASKS],
    open: Option<Open>,
    numbers: FxHashMap<(&'static str, String), u32>,
}

impl Control {
    pub(crate) fn new() -> Self {
        Control {
            objects: Objects::default(),
            graph: Graph::default(),
            automaton: Automaton::default(),
            findings: Vec::new(),
            settled: FxHashMap::default(),
            initial: Vec::new(),
            names: Vec::new(),
            problem: None,
            steps: 0,
            restart: false,
            checkpoints: false,
            recording: false,
            every: false,
            reduced: false,
            max_steps: usize::MAX,
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
            events: Vec::new(),
            found: Vec::new(),
            notes: Vec::new(),
            overrun: false,
            eager: 0,
            settle: false,
            history: [0; MAX_TASKS],
            base: [0; MAX_TASKS],
            nodes: [0; MAX_TASKS],
            open: None,
            numbers: FxHashMap::default(),
        }
    }

    /// Prepares for an execution of so many tasks.
    pub(crate) fn reset(&mut self, tasks: usize) {
        self.model.reset(tasks);
        self.clocks.reset();
        self.clocks.causal = self.reduced;
        self.pending = [None; MAX_TASKS];
        self.held.resize_with(tasks, Vec::new);
        self.held.iter_mut().for_each(Vec::clear);
        self.unwound.clear();
        self.abandoned = false;
        self.relocked = false;
        self.roots = 0;
        self.started = 0;
        self.events.clear();
        self.found.clear();
        self.notes.clear();
        self.overrun = false;
        self.settle = false;
        self.open = None;
        for (task, history) in self.history.iter_mut().enumerate() {
            *history = mix(0xB0A7, task as u64);
        }
        self.base = self.history;
    }

    pub(crate) fn hush(&mut self) {
        self.quiet += 1;
    }

    pub(crate) fn unhush(&mut self) {
        self.quiet -= 1;
    }

    /// Where a task stands that has not run yet.
    pub(crate) fn root(&mut self, task: usize) -> NodeId {
        self.automaton.node(task, mix(0xB0A7, task as u64), None, true)
    }

    /// Begins the first segment of a task, before its first step.
    pub(crate) fn starts(&mut self, task: usize) {
        self.current = task;
        self.eager = 0;
        if self.recording {
            let node = self.root(task);
            self.open = Some(Open { node, input: 0, edge: Edge::default() });
        }
    }

    /// A task takes a step that others could have gone before.
    #[inline]
    pub(crate) fn start_eager(&mut self) {
        self.eager = 0;
    }

    pub(super) fn announce(&mut self, kind: OpKind, object: Object, mutex: Option<Object>, at: &Step) {
        let object = self.object(object);
        let mutex = mutex.map_or(object, |mutex| self.object(mutex));
        self.announce_op(Op { kind, object, mutex, at: at.at });
    }

    fn announce_op(&mut self, op: Op) {
        match op.kind {
            OpKind::TryLock | OpKind::TryReadLock => {
                let info = self.objects.get_mut(op.object);
                if !info.tried {
                    info.tried = true;
                    self.restart = true;
                }
            }
            OpKind::Read | OpKind::Write | OpKind::Free => self.objects.track(op.object),
            _ => {}
        }
        let task = self.current;
        self.restart |= self.objects.uses(task, &op);
        let path = self.events.iter().map(|event| event.task);
        if op.kind == OpKind::Wait {
            // It will ask for the mutex again, holding all that it holds besides.
            let asks = Op { kind: OpKind::Lock, object: op.mutex, ..op };
            let others: Vec<Holding> =
                self.held[task].iter().filter(|held| held.object != op.mutex).copied().collect();
            self.graph.asks(task, &asks, &others, path);
        } else {
            self.graph.asks(task, &op, &self.held[task], path);
        }
        self.pending[task] = Some(op);
        if self.recording {
            self.close(Some(op));
        }
    }

    pub(super) fn object(&mut self, object: Object) -> ObjectId {
        self.objects.id(object).0
    }

    /// Ends the open segment with the step that the task is about to take.
    fn close(&mut self, op: Option<Op>) {
        let task = self.current;
        let node = self.automaton.node(task, self.history[task], op, self.forced);
        self.nodes[task] = node;
        let Some(mut open) = self.open.take() else { return };
        open.edge.next = node;
        if !self.automaton.learn(open.node, open.input, open.edge) {
            let name = &self.names[task];
            self.problem.get_or_insert_with(|| {
                format!(
                    "task `{name}` does different things though it observed the same: contents that a fingerprint \
                     leaves out decide, or a checkpoint leaves something out"
                )
            });
        }
    }

    /// Goes on with a task that panicked: it takes the steps that it left, up to one that others may go before.
    /// Says whether it took one; it has ended if there is none left.
    pub(crate) fn unwinds(&mut self, task: usize) -> Option<bool> {
        let index = self.unwound.iter().position(|(by, _)| *by == task)?;
        let (_, op) = self.unwound.remove(index);
        self.current = task;
        self.announce_op(op);
        let takes = !self.every && !self.is_point(task, &op);
        if takes {
            self.perform(task);
        }
        Some(takes)
    }

    /// Whether others may go before this step of the task.
    pub(super) fn is_point(&self, task: usize, op: &Op) -> bool {
        self.started >> task & 1 == 0
            || self.objects.is_point(task, op, self.reduced)
            || !self.model.enabled(task, op)
    }

    /// Takes the pending step of an enabled task; says whether the task goes on then (one that waits does not).
    pub(crate) fn perform(&mut self, task: usize) -> bool {
        let op = self.pending[task].expect("an enabled task has a pending step");
        let woken = self.model.phases[task] == Phase::Woken;
        if !self.forced && self.is_point(task, &op) {
            self.clocks.event(task);
        }
        self.started |= 1 << task;
        if op.kind == OpKind::Notify && !woken {
            for other in 0..self.model.tasks {
                if self.model.phases[other] == Phase::Waiting(op.object) {
                    self.clocks.wakes(task, other);
                }
            }
        }
        let ok = self.model.perform(task, &op);
        self.steps += 1;
        self.events.push(Event { task: task as u8, op, ok, woken });
        if !self.recording {
            self.order(task, &op, ok, woken);
        }
        self.hold(task, &op, ok, woken);
        self.answer = ok;
        if op.kind == OpKind::Wait && !woken {
            return false;
        }
        self.pending[task] = None;
        if self.recording {
            let input = input(&self.model, &op, ok, woken);
            self.history[task] = mix(self.history[task], input);
            self.open = Some(Open { node: self.nodes[task], input, edge: Edge::default() });
        }
        true
    }

    /// Moves the clocks, and notes the races that the step completes.
    fn order(&mut self, task: usize, op: &Op, ok: bool, woken: bool) {
        for race in self.clocks.perform(task, op, ok, woken, &self.objects) {
            let info = self.objects.get_mut(race.object);
            if race.needs_interleaving() && !info.racy {
                info.racy = true;
                self.restart = true;
            }
            let finding = race.finding(&self.objects, &self.names);
            self.find(finding);
        }
    }

    /// Keeps account of what the task holds.
    fn hold(&mut self, task: usize, op: &Op, ok: bool, woken: bool) {
        let held = &mut self.held[task];
        let object = if woken { op.mutex } else { op.object };
        let read = matches!(op.kind, OpKind::ReadLock | OpKind::TryReadLock);
        if woken || (op.kind.is_acquire() && ok) {
            held.push(Holding { object, read, at: op.at });
            return;
        }
        if op.kind.is_release() || op.kind == OpKind::Wait {
            if let Some(index) = held.iter().rposition(|held| held.object == op.mutex) {
                held.remove(index);
            }
            self.settle |= self.objects.get(op.mutex).watched;
        }
    }

    /// What the task observed no longer counts, but for the contents of what it holds.
    pub(super) fn checkpoint(&mut self, key: u64) {
        let key = mix(key, self.current as u64 + 1);
        self.base[self.current] = key;
        self.forget(key);
    }

    /// The same for what was observed since the last checkpoint.
    pub(super) fn milestone(&mut self, key: u64) {
        self.forget(mix(self.base[self.current], key));
    }

    fn forget(&mut self, key: u64) {
        if !self.checkpoints {
            self.checkpoints = true;
            self.restart = true;
        }
        let task = self.current;
        let mut history = key;
        for held in &self.held[task] {
            history = mix(mix(history, held.object.into()), self.model.cell(held.object).content);
        }
        self.history[task] = history;
    }

    /// The number of a finding.
    pub(crate) fn finding(&mut self, finding: Finding) -> u32 {
        let next = self.findings.len() as u32;
        let key = (finding.verdict, finding.what.clone());
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.findings.push(finding);
        }
        number
    }

    /// Notes what was found just now.
    pub(crate) fn find(&mut self, finding: Finding) {
        let number = self.finding(finding);
        self.found.push((number, self.events.len()));
        if let Some(open) = &mut self.open {
            open.edge.findings.push(number);
        }
    }

    /// A task ended.
    pub(crate) fn ended(&mut self, task: usize, result: &str) {
        self.current = task;
        self.model.phases[task] = Phase::Ended;
        self.pending[task] = None;
        if self.recording {
            self.history[task] = mix(locks::hook::fingerprint(result), 0xE4D);
            self.close(None);
        }
    }

    pub(super) fn bypassed(&self) -> bool {
        self.quiet > 0 || self.abandoned
    }

    /// A content's fingerprint as it is compared: 0 stands for the beginning's.
    fn normal(&self, id: ObjectId, fingerprint: u64) -> u64 {
        match self.initial.get(id as usize) {
            Some(&initial) if initial == fingerprint => 0,
            _ => fingerprint,
        }
    }

    pub(super) fn observed(&mut self, object: Object, fingerprint: u64) {
        let id = self.object(object);
        let fingerprint = fingerprint.max(1);
        let content = self.model.cell(id).content;
        if content == 0 {
            let index = id as usize;
            if self.initial.len() <= index {
                self.initial.resize(index + 1, 0);
            }
            if self.initial[index] == 0 {
                self.initial[index] = fingerprint;
            }
        }
        if self.normal(id, fingerprint) != content {
            let name = self.objects.name(id);
            self.problem.get_or_insert_with(|| {
                format!("the contents of `{name}` changed while nobody held it (or two objects have one name and key)")
            });
        }
    }

    pub(super) fn published(&mut self, object: Object, fingerprint: u64) {
        let id = self.object(object);
        let content = self.normal(id, fingerprint.max(1));
        self.model.set_content(id, content);
        if let Some(open) = &mut self.open {
            open.edge.published.push((id, content));
        }
    }
}

/// What a step lets its task observe.
#[inline]
pub(crate) fn input(model: &Model, op: &Op, ok: bool, woken: bool) -> u64 {
    match op.kind {
        _ if woken => model.cell(op.mutex).content,
        OpKind::Lock | OpKind::TryLock | OpKind::ReadLock | OpKind::TryReadLock if ok => {
            model.cell(op.object).content
        }
        OpKind::TryLock | OpKind::TryReadLock => 1 << 63 | 0x7A11,
        OpKind::Read | OpKind::Write | OpKind::Ghost => model.cell(op.object).content,
        _ => 0,
    }
}
