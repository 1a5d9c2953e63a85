//! The state cache: every state once.
//!
//! A state is where each task stands and what all objects contain. States are walked through on the automata that
//! real executions taught; where an edge is missing, one execution is led to that place and takes it.

use rustc_hash::FxHashMap;

use super::collect::{Collector, End, Limits, estimate};
use super::cycles::Cycles;
use super::deadlock::Deadlock;
use super::executor::Executor;
use super::fpset::FpSet;
use super::model::{Phase, Tasks, members, mix};
use super::objects::OpKind;
use super::state::{Missing, State, follow, walk};
use crate::program::Finding;
use crate::report::Progress;

struct Frame {
    state: State,
    todo: Tasks,
    width: u32,
    /// The task of the step before, and how often tasks took turns up to here.
    last: Option<usize>,
    switches: u32,
    /// The length of the path up to here.
    steps: usize,
    /// It is watched for cycles.
    marked: bool,
}

/// How states are remembered.
enum Visited {
    Set(FpSet),
    /// With the fewest switches by which a state was reached by a step of the same task.
    Bounded {
        fewest: FxHashMap<u64, u32>,
        bound: u32,
        hit: bool,
    },
}

/// A walk over all states.
pub(crate) struct Walk<'e, 'c, 'p, 'l, 'a> {
    executor: &'e mut Executor<'c, 'p>,
    limits: &'l mut Limits<'a>,
    pub collector: Collector,
    visited: Visited,
    frames: Vec<Frame>,
    depth: usize,
    /// The tasks chosen up to the present state, and the tasks of all steps.
    choices: Vec<u8>,
    path: Vec<u8>,
    /// What the real execution did so far.
    live: Vec<u8>,
    begun: bool,
    found: Vec<(u32, usize)>,
    terminals: FxHashMap<u64, usize>,
    /// Watches for executions that never end; only where there can be cycles.
    cycles: Option<Cycles>,
    /// The deepest path.
    pub deepest: usize,
    /// Whether to stop when one of these was found.
    wanted: Option<Vec<u32>>,
    cut: bool,
}

impl<'e, 'c, 'p, 'l, 'a> Walk<'e, 'c, 'p, 'l, 'a> {
    /// A walk over all states.
    pub(crate) fn new(executor: &'e mut Executor<'c, 'p>, limits: &'l mut Limits<'a>) -> Self {
        Walk {
            executor,
            limits,
            collector: Collector::default(),
            visited: Visited::Set(FpSet::new()),
            frames: Vec::new(),
            depth: 0,
            choices: Vec::new(),
            path: Vec::new(),
            live: Vec::new(),
            begun: false,
            found: Vec::new(),
            terminals: FxHashMap::default(),
            cycles: None,
            deepest: 0,
            wanted: None,
            cut: false,
        }
    }

    /// A walk that looks for these findings in executions with at most so many context switches.
    pub(crate) fn bounded(
        executor: &'e mut Executor<'c, 'p>,
        limits: &'l mut Limits<'a>,
        bound: u32,
        wanted: Vec<u32>,
    ) -> Self {
        let mut walk = Walk::new(executor, limits);
        walk.visited = Visited::Bounded { fewest: FxHashMap::default(), bound, hit: false };
        walk.wanted = Some(wanted);
        walk
    }

    /// How many states there are.
    pub(crate) fn states(&self) -> u64 {
        match &self.visited {
            Visited::Set(set) => set.len() as u64,
            Visited::Bounded { fewest, .. } => fewest.len() as u64,
        }
    }

    /// Whether the bound on switches kept anything from being walked.
    pub(crate) fn bound_hit(&self) -> bool {
        matches!(self.visited, Visited::Bounded { hit: true, .. })
    }

    pub(crate) fn run(&mut self) -> End {
        let checkpoints = self.executor.conductor.control.borrow().checkpoints;
        self.cycles = (checkpoints && matches!(self.visited, Visited::Set(_))).then(Cycles::default);
        if !self.enter_first() {
            return self.end();
        }
        loop {
            if self.cut || self.restart() {
                return self.end();
            }
            let frame = &mut self.frames[self.depth];
            if frame.todo == 0 {
                self.leave();
                if self.depth == 0 {
                    return self.end();
                }
                self.depth -= 1;
                self.choices.pop();
                continue;
            }
            let task = match frame.last {
                Some(last) if frame.todo >> last & 1 == 1 => last,
                _ => frame.todo.trailing_zeros() as usize,
            };
            frame.todo &= !(1 << task);
            if !self.advance(task) {
                return self.end();
            }
            self.choices.push(task as u8);
            self.depth += 1;
            self.enter();
            let (executions, states, depth) = (self.collector.executions, self.states(), self.depth);
            let frames = &self.frames[..=self.depth];
            if self.limits.tick(256, |elapsed| Progress {
                executions,
                states,
                depth,
                elapsed,
                done: estimate(frames.iter().map(|f| (f.width - f.todo.count_ones().min(f.width), f.width))),
            }) {
                self.cut = true;
            }
        }
    }

    fn restart(&self) -> bool {
        self.executor.conductor.control.borrow().restart
    }

    fn end(&mut self) -> End {
        self.executor.abandon();
        if self.restart() {
            End::Restart
        } else if self.cut {
            End::Cut
        } else {
            End::Exhausted
        }
    }

    fn problem(&mut self, problem: String) {
        self.executor.conductor.control.borrow_mut().problem.get_or_insert(problem);
        self.cut = true;
    }

    /// Walks to the state in which every task stands before its first step.
    fn enter_first(&mut self) -> bool {
        self.begin();
        let tasks = self.executor.tasks();
        let mut state = State::new(tasks);
        let mut control = self.executor.conductor.control.borrow_mut();
        for task in 0..tasks {
            let root = control.root(task);
            state.nodes[task] = root;
            if follow(&mut control, &mut state, task, root, 0, &mut self.found, &self.path).is_err() {
                drop(control);
                self.problem("the tasks begin in different ways".to_owned());
                return false;
            }
        }
        drop(control);
        let frame = Frame {
            state,
            todo: 0,
            width: 0,
            last: None,
            switches: 0,
            steps: self.path.len(),
            marked: false,
        };
        self.frames.push(frame);
        self.report();
        self.enter();
        true
    }

    fn begin(&mut self) {
        self.executor.conductor.control.borrow_mut().recording = true;
        self.executor.begin();
        self.live.clear();
        self.begun = true;
    }

    /// Leads the real execution to the present state.
    fn sync(&mut self) -> bool {
        if !self.begun || !self.choices.starts_with(&self.live) {
            if self.begun {
                self.executor.drain(self.limits.max_steps.min(1000));
                if self.restart() {
                    return false;
                }
            }
            self.begin();
        }
        for index in self.live.len()..self.choices.len() {
            if !self.execute(self.choices[index] as usize) {
                return false;
            }
        }
        true
    }

    fn execute(&mut self, task: usize) -> bool {
        if self.executor.enabled() >> task & 1 == 0 {
            self.problem(
                "an execution took another way than before: the program is not deterministic".to_owned(),
            );
            return false;
        }
        self.executor.step(task);
        self.live.push(task as u8);
        // What was learned changes which steps are told apart: choices mean something else now.
        !self.restart()
    }

    /// Walks a step of the task from the present state into the next frame; executes it if it is not known.
    fn advance(&mut self, task: usize) -> bool {
        if self.frames.len() == self.depth + 1 {
            let state = State::new(self.frames[0].state.model.tasks);
            self.frames.push(Frame {
                state,
                todo: 0,
                width: 0,
                last: None,
                switches: 0,
                steps: 0,
                marked: false,
            });
        }
        for _ in 0..2 {
            let (before, after) = self.frames.split_at_mut(self.depth + 1);
            let (frame, next) = (&before[self.depth], &mut after[0]);
            next.state.copy(&frame.state);
            next.last = Some(task);
            next.switches = frame.switches + u32::from(frame.last.is_some_and(|last| last != task));
            self.path.truncate(frame.steps);
            self.found.clear();
            let mut control = self.executor.conductor.control.borrow_mut();
            match walk(
                &mut control,
                &mut next.state,
                task,
                &mut self.path,
                &mut self.found,
                self.limits.max_steps,
            ) {
                Ok(()) => {
                    next.steps = self.path.len();
                    drop(control);
                    self.report();
                    return !self.restart();
                }
                Err(Missing::Endless) => {
                    drop(control);
                    self.livelock();
                    return false;
                }
                Err(Missing::Edge) => {}
            }
            drop(control);
            if !self.sync() || !self.execute(task) {
                return false;
            }
            if self.executor.conductor.control.borrow().overrun {
                self.livelock();
                return false;
            }
        }
        self.problem("a step that was just executed is not known".to_owned());
        false
    }

    /// Notes what the last step found.
    fn report(&mut self) {
        for (finding, steps) in std::mem::take(&mut self.found) {
            self.violation(finding, steps);
        }
    }

    fn violation(&mut self, finding: u32, steps: usize) {
        self.collector.violation(finding, &self.path[..steps]);
        self.cut |= self.limits.stop_at_first;
        if let Some(wanted) = &mut self.wanted {
            wanted.retain(|&wanted| wanted != finding);
            self.cut |= wanted.is_empty();
        }
    }

    fn livelock(&mut self) {
        let finding = livelock(self.limits.max_steps);
        let number = self.executor.conductor.control.borrow_mut().finding(finding);
        self.violation(number, self.path.len());
        self.cut = true;
    }

    /// Looks at the state that was walked to.
    fn enter(&mut self) {
        self.deepest = self.deepest.max(self.path.len());
        let frame = &mut self.frames[self.depth];
        frame.todo = 0;
        frame.width = 0;
        frame.marked = false;
        let fingerprint = frame.state.fingerprint();
        let fresh = match &mut self.visited {
            Visited::Set(set) => set.insert(fingerprint),
            Visited::Bounded { fewest, .. } => {
                let key = mix(fingerprint, frame.last.map_or(0, |last| last as u64 + 1));
                let before = fewest.entry(key).or_insert(u32::MAX);
                let fresh = frame.switches < *before;
                *before = frame.switches.min(*before);
                fresh
            }
        };
        if !fresh {
            self.collector.executions += 1;
            if let (Some(cycles), Some(last)) = (&mut self.cycles, frame.last) {
                cycles.meets(fingerprint, last, &self.path);
            }
            if let Some(&outcome) = self.terminals.get(&fingerprint) {
                self.collector.outcomes[outcome].executions += 1;
            }
            return;
        }
        if self.path.len() > self.limits.max_steps {
            return self.livelock();
        }
        let control = self.executor.conductor.control.borrow();
        let enabled = frame.state.enabled(&control);
        if enabled == 0 {
            drop(control);
            self.collector.executions += 1;
            return self.ended(fingerprint);
        }
        frame.todo = enabled;
        if let Some(cycles) = &mut self.cycles {
            cycles.enter(fingerprint, enabled);
            frame.marked = true;
        }
        match &mut self.visited {
            Visited::Set(_) => {
                // A sleep touches nothing: whether it comes before or after steps of others makes no difference.
                let sleeps = |&task: &usize| {
                    let node = control.automaton.get(frame.state.nodes[task]);
                    node.op.is_some_and(|op| op.kind == OpKind::Sleep)
                };
                if let Some(task) = members(enabled).find(sleeps) {
                    frame.todo = 1 << task;
                }
            }
            Visited::Bounded { bound, hit, .. } => {
                if let Some(last) = frame.last
                    && frame.switches == *bound
                {
                    *hit |= enabled != 1 << last;
                    frame.todo &= 1 << last;
                }
            }
        }
        frame.width = frame.todo.count_ones();
    }

    /// Leaves the present state for good.
    fn leave(&mut self) {
        let frame = &mut self.frames[self.depth];
        if !std::mem::take(&mut frame.marked) {
            return;
        }
        let cycles = self.cycles.as_mut().expect("it marked the state");
        if let Some(endless) = cycles.leave(frame.last) {
            let mut control = self.executor.conductor.control.borrow_mut();
            let finding = endless.finding(&control.names);
            let number = control.finding(finding);
            drop(control);
            self.collector.violation(number, &endless.path);
            self.cut |= self.limits.stop_at_first;
        }
    }

    /// Looks at a state in which no task can go on.
    fn ended(&mut self, fingerprint: u64) {
        let frame = &self.frames[self.depth];
        let unfinished = |&task: &usize| match frame.state.model.phases[task] {
            Phase::Ended => false,
            Phase::Waiting(_) => self.executor.daemons() >> task & 1 == 0,
            _ => true,
        };
        let stuck: Tasks =
            (0..frame.state.model.tasks).filter(unfinished).fold(0, |set, task| set | 1 << task);
        if stuck != 0 {
            let mut control = self.executor.conductor.control.borrow_mut();
            let deadlock = Deadlock::of(&frame.state.model, &frame.state.pending(&control), stuck);
            let finding = deadlock.finding(&control.objects, &control.names);
            let number = control.finding(finding);
            drop(control);
            return self.violation(number, self.path.len());
        }
        if !self.sync() {
            return;
        }
        let (results, outcome) = self.executor.finish();
        self.begun = false;
        for finding in &outcome.findings {
            let number = self.executor.conductor.control.borrow_mut().finding(finding.clone());
            self.violation(number, self.path.len());
        }
        let index = self.collector.outcome(results, outcome, &self.path);
        self.terminals.insert(fingerprint, index);
    }
}

pub(crate) fn livelock(steps: usize) -> Finding {
    Finding::new("livelock", format!("an execution goes on after {steps} steps"))
}
