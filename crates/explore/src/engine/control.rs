//! What happens inside an execution: the other end of `locks::hook`.
//!
//! Steps are announced and taken here: they change the execution that runs and teach what is learned over all of
//! them. This module knows nothing of stacks or programs, nor of who chooses the steps.

use locks::Object;
use locks::hook::Observed;

use super::automaton::{Edge, NodeId};
use super::learned::Learned;
use super::mistakes::Mistake;
use super::mode::Mode;
use super::model::Phase;
use super::objects::{At, ObjectId, Op, OpKind};
use super::past::Past;
use super::problem::{self, Differs, Problem};
use super::run::{Open, Run, Taken};
use crate::program::Finding;

/// What is known, how executions are run, and the one that is running.
pub(crate) struct Control {
    pub learned: Learned,
    pub mode: Mode,
    /// The most steps that a task may take in one go.
    pub max_steps: usize,
    pub run: Run,
    /// A mistake to make on purpose.
    pub mistake: Option<Mistake>,
}

impl Control {
    pub(crate) fn new(max_steps: usize) -> Self {
        Control { learned: Learned::default(), mode: Mode::Plain, max_steps, run: Run::new(), mistake: None }
    }

    /// Prepares for an execution of so many tasks.
    pub(crate) fn reset(&mut self, tasks: usize) {
        self.run.reset(tasks, self.mode.is_reduced());
    }

    /// Where a task stands that has not run yet.
    pub(crate) fn root(&mut self, task: usize) -> NodeId {
        let mut counts = Past::new(task).counts;
        if self.mode.audits(task) {
            counts = super::past::Whole::new().mark(counts);
        }
        self.learned.automaton.node(task, counts, None, true, std::iter::empty(), None)
    }

    /// Begins the first segment of a task, before its first step.
    pub(crate) fn starts(&mut self, task: usize) {
        self.run.current = task;
        self.run.eager = 0;
        if self.mode.learns() {
            self.run.nodes[task] = self.root(task);
            let counts = Past::new(task).counts;
            self.run.plain[task] =
                self.learned.automaton.node(task, counts, None, true, std::iter::empty(), None);
            self.open(task, 0);
        }
    }

    fn open(&mut self, task: usize, input: u64) {
        let run = &mut self.run;
        let (node, plain, forgot) = (run.nodes[task], run.plain[task], run.pasts[task].forgot);
        run.open = Some(Open { node, plain, input, edge: Edge::default(), forgot });
    }

    /// The task is about to take this step.
    pub(super) fn announce(&mut self, kind: OpKind, object: ObjectId, mutex: Option<ObjectId>, at: At) -> Op {
        let op = Op { kind, object, mutex: mutex.unwrap_or(object), at };
        self.announce_op(op);
        op
    }

    fn announce_op(&mut self, op: Op) {
        let (learned, task) = (&mut self.learned, self.run.current);
        match op.kind {
            OpKind::TryLock | OpKind::TryReadLock => learned.restart |= learned.objects.tries(op.object),
            OpKind::Read | OpKind::Write | OpKind::Free => learned.objects.track(op.object),
            _ => {}
        }
        learned.restart |= learned.objects.uses(task, &op);
        let (held, path) = (&self.run.held[task], self.run.taken.iter().map(|taken| taken.task));
        // (A task that panics leaves its locks by steps as well.)
        if let Some(look) = held.last().filter(|held| held.looks && !op.kind.is_release())
            && learned.problem.is_none()
        {
            let (looks, steps) =
                (problem::look(look, &learned.objects), problem::step(&op, held, &learned.objects));
            let name = &learned.names[task];
            let words =
                format!("task `{name}` takes a step inside {looks}: {steps}; a look's closure only looks");
            learned.problem = Some(Problem::Other(words));
        }
        if op.kind == OpKind::Wait {
            // It will ask for the mutex again, holding all that it holds besides.
            let asks = Op { kind: OpKind::Lock, object: op.mutex, ..op };
            let others: Vec<_> = held.iter().filter(|held| held.object != op.mutex).copied().collect();
            learned.graph.asks(task, &asks, &others, path);
        } else {
            learned.graph.asks(task, &op, held, path);
        }
        self.run.pending[task] = Some(op);
        if self.mode.learns() {
            self.close(Some(op));
        }
    }

    /// Ends the open segment with the step that the task is about to take.
    fn close(&mut self, op: Option<Op>) {
        let (run, automaton) = (&mut self.run, &mut self.learned.automaton);
        let task = run.current;
        let counts = run.pasts[task].counts;
        let held = run.held[task].iter().map(|held| (held.object, held.read));
        let before = run.open.as_ref().and_then(|open| automaton.edge(open.plain, open.input));
        let before = before.map(|edge| edge.next);
        let plain = automaton.node(task, counts, op, run.forced, held.clone(), before);
        run.plain[task] = plain;
        run.nodes[task] = plain;
        let Some(mut open) = run.open.take() else { return };
        open.edge.next = plain;
        if self.mode.audits(task) {
            let node = automaton.node(task, run.whole.mark(counts), op, run.forced, held, None);
            run.nodes[task] = node;
            let edge = Edge { next: node, ..open.edge.clone() };
            if let Err(edge) = automaton.learn(open.node, open.input, edge) {
                self.differs(&open, open.node, &edge);
            }
        }
        if let Err(edge) =
            self.learned.automaton.learn(open.plain, open.input, std::mem::take(&mut open.edge))
        {
            self.differs(&open, open.plain, &edge);
        }
    }

    /// Takes note of a segment in which the task did something else than before, though it observed the same.
    #[cold]
    fn differs(&mut self, open: &Open, from: NodeId, edge: &Edge) {
        if self.learned.problem.is_some() {
            return;
        }
        let (run, learned) = (&self.run, &self.learned);
        let (task, automaton) = (run.current, &learned.automaton);
        let known = automaton.edge(from, open.input).expect("an edge differs from one that is known");
        let before = automaton.get(from);
        let held = &run.held[task];
        let after = open.forgot.and_then(|forgot| {
            let last = run.taken[..forgot.steps].iter().rfind(|taken| usize::from(taken.task) == task);
            last.map(|last| problem::step(&last.op, held, &learned.objects))
        });
        let differs = Differs {
            task,
            name: learned.names[task].clone(),
            what: problem::difference(before, edge, known, held, &learned.objects, automaton),
            forgot: open.forgot,
            path: run.path(),
            after,
            place: None,
        };
        self.learned.problem = Some(Problem::Differs(differs));
    }

    /// Goes on with a task that panicked: it takes the steps that it left, up to one that others may go before.
    /// Says whether it took one; it has ended if there is none left.
    pub(crate) fn unwinds(&mut self, task: usize) -> Option<bool> {
        let index = self.run.unwound.iter().position(|(by, _)| *by == task)?;
        let (_, op) = self.run.unwound.remove(index);
        self.run.current = task;
        self.announce_op(op);
        let takes = !self.is_point(task, &op);
        if takes {
            self.perform(task);
        }
        Some(takes)
    }

    /// Whether others may go before this step of the task.
    pub(super) fn is_point(&self, task: usize, op: &Op) -> bool {
        self.mode.stops_everywhere()
            || self.run.taken.len() < self.learned.single
            || self.run.started >> task & 1 == 0
            || self.learned.objects.is_point(task, op, self.mode.is_reduced())
            || !self.run.model.enabled(task, op)
    }

    /// Whether the task stops before the step that it announced, so that others may go first.
    pub(super) fn stops_before(&mut self, task: usize, op: &Op) -> bool {
        if self.is_point(task, op) {
            return true;
        }
        self.run.eager += 1;
        if self.run.eager <= self.max_steps {
            return false;
        }
        // It spins without a point: from now on there is one.
        self.run.overrun = true;
        self.learned.restart |= self.learned.objects.spun(op);
        true
    }

    /// Takes the pending step of an enabled task; says whether the task goes on then (one that waits does not).
    pub(crate) fn perform(&mut self, task: usize) -> bool {
        let op = self.run.pending[task].expect("an enabled task has a pending step");
        let woken = self.run.model.phases[task] == Phase::Woken;
        // Where automata are learned nobody asks clocks.
        let clocked = !self.mode.learns();
        if clocked && !self.run.forced && self.is_point(task, &op) {
            self.run.clocks.turn(task);
        }
        let run = &mut self.run;
        run.started |= 1 << task;
        if clocked && op.kind == OpKind::Notify && !woken {
            for other in 0..run.model.tasks {
                if run.model.phases[other] == Phase::Waiting(op.object) {
                    run.clocks.wakes(task, other);
                }
            }
        }
        let ok = run.model.perform(task, &op);
        self.learned.steps += 1;
        let taken = Taken { task: task as u8, op, ok, woken };
        run.taken.push(taken);
        if clocked {
            self.order(&taken);
        }
        self.run.hold(task, &taken);
        let waits = op.kind == OpKind::Wait && !woken;
        self.run.settle |= self.learned.objects.settles(&op, waits);
        self.run.answer = ok;
        if waits {
            return false;
        }
        self.run.pending[task] = None;
        if self.mode.learns() {
            self.observes(&taken);
        }
        true
    }

    /// The task goes on with what the step let it observe.
    fn observes(&mut self, taken: &Taken) {
        let (run, task) = (&mut self.run, usize::from(taken.task));
        let input = run.model.input(&taken.op, taken.ok, taken.woken);
        run.pasts[task].observes(input);
        if self.mode.audits(task) {
            run.whole.observes(input);
        }
        self.open(task, input);
    }

    /// Moves the clocks, and notes the races that the step completes.
    fn order(&mut self, taken: &Taken) {
        let task = usize::from(taken.task);
        let races = self.run.clocks.perform(task, &taken.op, taken.ok, taken.woken, &self.learned.objects);
        for race in races {
            let number = self.learned.race(&race);
            self.found(number);
        }
    }

    /// What the task observed no longer counts, but for the contents of what it holds.
    pub(super) fn checkpoint(&mut self, key: u64) {
        let (task, steps) = (self.run.current, self.run.taken.len());
        self.learned.returns();
        if let Some(open) = &mut self.run.open {
            open.edge.returns = true;
        }
        self.run.pasts[task].checkpoint(task, key, steps);
        self.forget(task);
    }

    /// What the task observed since the mark no longer counts, but for the key and the contents of what it holds.
    pub(super) fn forgets(&mut self, mark: &mut Observed, key: u64) {
        let (task, steps) = (self.run.current, self.run.taken.len());
        self.run.pasts[task].since(mark, key, steps);
        self.forget(task);
    }

    /// The task can't reach any more what that lock protects, which it holds.
    pub(super) fn keeps(&mut self, object: Object) {
        let id = self.learned.object(object);
        let held = &mut self.run.held[self.run.current];
        if let Some(holding) = held.iter_mut().rfind(|holding| holding.object == id) {
            holding.kept = true;
        }
    }

    fn forget(&mut self, task: usize) {
        self.learned.forgetful |= 1 << task;
        let run = &mut self.run;
        for held in &run.held[task] {
            let content = if held.kept { 0 } else { run.model.cell(held.object).content };
            let name = self.learned.objects.get(held.object).name;
            run.pasts[task].holds(name, held.read, content);
        }
        if let Mode::Audit { task: audited, pasts } = self.mode
            && audited == task
        {
            run.whole.comes_to(run.pasts[task].counts, &mut self.learned.pasts, pasts);
        }
        if run
            .sought
            .is_some_and(|(by, times)| by == task && run.pasts[task].forgot.is_some_and(|f| f.times == times))
        {
            run.seen = super::source::caller();
        }
    }

    /// Takes note of something that was found just now.
    pub(crate) fn find(&mut self, finding: Finding) {
        let number = self.learned.finding(finding);
        self.found(number);
        if let Some(open) = &mut self.run.open {
            open.edge.findings.push(number);
        }
    }

    fn found(&mut self, number: u32) {
        self.run.found.push((number, self.run.taken.len()));
    }

    /// A task ended.
    pub(crate) fn ended(&mut self, task: usize, result: &str) {
        let run = &mut self.run;
        run.current = task;
        run.model.phases[task] = Phase::Ended;
        run.pending[task] = None;
        if self.mode.learns() {
            run.pasts[task].ends(locks::hook::fingerprint(result));
            if self.mode.audits(task) {
                run.whole.ends();
            }
            self.close(None);
        }
    }

    /// The task acquired the object, whose contents have this fingerprint.
    pub(super) fn observed(&mut self, object: Object, fingerprint: u64) {
        let id = self.learned.object(object);
        let fingerprint = fingerprint.max(1);
        let content = self.run.model.cell(id).content;
        if content == 0 {
            self.learned.contains_at_first(id, fingerprint);
        }
        if self.learned.normal(id, fingerprint) != content {
            let name = self.learned.objects.called(id);
            self.learned.complain(|| {
                format!("the contents of `{name}` changed while nobody held it (or two objects have one name and key, or it was changed by a look)")
            });
        }
    }

    /// The task made the object, or is about to release it; its contents have this fingerprint.
    pub(super) fn published(&mut self, id: ObjectId, fingerprint: u64) {
        let content = self.learned.normal(id, fingerprint.max(1));
        // (Only what the task holds: something that it makes may be made anew with contents that it had before.)
        let held = self.run.held[self.run.current].iter().any(|holding| holding.object == id)
            || self.mistake == Some(Mistake::SilentMaking);
        if held && self.run.model.cell(id).content == content {
            return;
        }
        self.run.model.set_content(id, content);
        if let Some(open) = &mut self.run.open {
            open.edge.published.push((id, content));
        }
    }
}
