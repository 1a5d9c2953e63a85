//! The state cache: every state once.
//!
//! A state is where each task stands and what all objects contain. States are walked through on the automata that
//! real executions taught; where an edge is missing, one execution is led to that place and takes it. This module
//! knows nothing of what a step does: `state` walks it.

mod found;
mod frame;
mod mend;
mod midway;

use rustc_hash::FxHashMap;

use super::claims::Relied;
use super::collect::{Collector, End, Limits, Searched, estimate};
use super::cycles::Cycles;
use super::executor::Executor;
use super::futures::Futures;
use super::log::{Entry, Log, Number};
use super::mode::Mode;
use super::objects::OpKind;
use super::persistent;
use super::state::{Missing, State, first, walk};
use super::tasks::{Tasks, members};
use super::visited::Visited;
use crate::report::Progress;
use frame::Frame;

/// Walks over all states.
pub(crate) fn every_state(executor: &mut Executor<'_, '_>, limits: &mut Limits<'_>) -> Searched {
    let collector = Collector::new(limits.stop_at_first, None);
    let mut walk = Walk::new(executor, limits, Mode::Learn, Visited::all(), collector);
    walk.watch_cycles();
    walk.searched()
}

/// Walks over all states of executions that begin with these steps, given by their tasks; from the first place after
/// them where others could go.
pub(crate) fn every_state_after(
    executor: &mut Executor<'_, '_>,
    limits: &mut Limits<'_>,
    first: &[u8],
) -> Searched {
    let collector = Collector::new(limits.stop_at_first, None);
    executor.conductor.control.borrow_mut().learned.single = first.len();
    let mut walk = Walk::new(executor, limits, Mode::Learn, Visited::all(), collector);
    walk.first = first.to_vec();
    walk.watch_cycles();
    let searched = walk.searched();
    executor.conductor.control.borrow_mut().learned.single = 0;
    searched
}

/// What came of a walk over as few states as are enough.
pub(super) struct Walked {
    pub searched: Searched,
    /// Whether it came so far that it left some out.
    pub left_out: bool,
    /// It was broken off, to begin anew with what it learned.
    pub again: bool,
}

/// Walks over as few states as are enough by what is learned; after `plain` states of which none is left out, and until
/// there are `most`, or until `patience` ends.
pub(super) fn over_all(
    executor: &mut Executor<'_, '_>,
    limits: &mut Limits<'_>,
    futures: &mut Futures,
    (plain, most, patience): (u64, u64, u64),
) -> Walked {
    let collector = Collector::new(limits.stop_at_first, None);
    let mut walk = Walk::new(executor, limits, Mode::Learn, Visited::all(), collector);
    walk.watch_cycles();
    (walk.later, walk.plain) = (Some(std::mem::take(futures)), plain);
    (walk.most, walk.patience) = (most, patience);
    let searched = walk.searched();
    let (left_out, again) = (walk.futures.is_some(), walk.again);
    *futures = walk.futures.take().or(walk.later.take()).expect("one of both");
    Walked { searched, left_out, again }
}

/// Walks over the states of executions with at most so many context switches, in search of these findings.
pub(crate) fn bounded(
    executor: &mut Executor<'_, '_>,
    limits: &mut Limits<'_>,
    bound: u32,
    wanted: Vec<u32>,
) -> Searched {
    let collector = Collector::new(limits.stop_at_first, Some(wanted));
    Walk::new(executor, limits, Mode::Learn, Visited::bounded(bound), collector).searched()
}

/// Walks over all states in which pasts of this task are told apart. What it finds is of no use, but everything that
/// the task does after each of these pasts is executed, and compared with what was learned before.
pub(crate) fn audit(
    executor: &mut Executor<'_, '_>,
    limits: &mut Limits<'_>,
    task: usize,
    pasts: usize,
) -> Searched {
    let mode = Mode::Audit { task, pasts };
    Walk::new(executor, limits, mode, Visited::all(), Collector::new(false, None)).searched()
}

/// A walk over states.
struct Walk<'e, 'c, 'p, 'l, 'a> {
    executor: &'e mut Executor<'c, 'p>,
    limits: &'l mut Limits<'a>,
    mode: Mode,
    collector: Collector,
    visited: Visited,
    frames: Vec<Frame>,
    depth: usize,
    /// The steps that every execution begins with.
    first: Vec<u8>,
    /// The tasks chosen up to the present state, and the tasks of all steps.
    choices: Vec<u8>,
    path: Vec<u8>,
    /// What the real execution did so far.
    live: Vec<u8>,
    begun: bool,
    found: Vec<(u32, usize)>,
    /// The outcomes of states in which all tasks have ended.
    terminals: FxHashMap<u64, usize>,
    /// Watches for executions that never end; only where there can be cycles.
    cycles: Option<Cycles>,
    /// Tells which tasks are enough; all are taken without it.
    futures: Option<Futures>,
    /// The same, from so many states on: what was taken before stays taken.
    later: Option<Futures>,
    plain: u64,
    /// The states after which it ends.
    most: u64,
    /// It begins anew when so many states taught nothing, and something that was used before has grown; and when it
    /// learned something last.
    patience: u64,
    taught: (usize, u64),
    again: bool,
    /// Others were put off for a task that sleeps.
    slept: bool,
    /// The states that it took steps from, while futures tell which.
    log: Log,
    /// It goes back to states that it has left; with the only task, if any, that can move in a circle of states.
    mending: Option<Tasks>,
    /// It goes to a state that it was in, by a step that ran through so many places.
    retraces: Option<usize>,
}

impl<'e, 'c, 'p, 'l, 'a> Walk<'e, 'c, 'p, 'l, 'a> {
    fn new(
        executor: &'e mut Executor<'c, 'p>,
        limits: &'l mut Limits<'a>,
        mode: Mode,
        visited: Visited,
        collector: Collector,
    ) -> Self {
        Walk {
            executor,
            limits,
            mode,
            collector,
            visited,
            frames: Vec::new(),
            depth: 0,
            first: Vec::new(),
            choices: Vec::new(),
            path: Vec::new(),
            live: Vec::new(),
            begun: false,
            found: Vec::new(),
            terminals: FxHashMap::default(),
            cycles: None,
            futures: None,
            later: None,
            plain: 0,
            most: u64::MAX,
            patience: u64::MAX,
            taught: (0, 0),
            again: false,
            slept: false,
            log: Log::default(),
            mending: None,
            retraces: None,
        }
    }

    fn watch_cycles(&mut self) {
        let returning = self.executor.conductor.control.borrow().learned.returning;
        self.cycles = returning.then(Cycles::default);
    }

    fn searched(&mut self) -> Searched {
        if self.enter_first() {
            self.run();
            self.mend();
        }
        self.executor.abandon();
        let end = if self.restart() {
            End::Restart
        } else if self.collector.cut {
            End::Cut
        } else {
            End::Exhausted
        };
        let (states, bounded) = (self.visited.len(), self.visited.is_bounded());
        self.again &= end == End::Cut;
        Searched { collector: std::mem::take(&mut self.collector), end, states, bounded }
    }

    /// Walks on, until nothing is left to be done.
    fn run(&mut self) {
        while !self.is_over() {
            let frame = &mut self.frames[self.depth];
            if frame.todo == 0 {
                self.leave();
                if self.depth == 0 {
                    return;
                }
                let points = self.frames[self.depth].points;
                self.depth -= 1;
                self.choices.truncate(self.choices.len() - points);
                continue;
            }
            let task = match frame.last {
                Some(last) if frame.todo >> last & 1 == 1 => last,
                _ => frame.todo.trailing_zeros() as usize,
            };
            frame.todo &= !(1 << task);
            if !self.advance(task) {
                return;
            }
            self.depth += 1;
            let points = self.frames[self.depth].points;
            self.choices.extend(std::iter::repeat_n(task as u8, points));
            self.enter();
            self.tick();
        }
    }

    #[inline]
    fn tick(&mut self) {
        let (executions, states, depth) = (self.collector.executions, self.visited.len(), self.depth);
        let frames = &self.frames[..=self.depth];
        let late = self.limits.tick(256, |elapsed| {
            let done = frames.iter().map(|f| (f.width - f.todo.count_ones().min(f.width), f.width));
            Progress { executions, states, depth, elapsed, done: estimate(done) }
        });
        self.collector.cut |= late || states >= self.most || self.again;
    }

    /// Whether going on makes no sense.
    fn is_over(&self) -> bool {
        let learned = &self.executor.conductor.control.borrow().learned;
        self.collector.cut || learned.restart || (self.mode != Mode::Learn && learned.problem.is_some())
    }

    fn restart(&self) -> bool {
        self.executor.conductor.control.borrow().learned.restart
    }

    fn problem(&mut self, problem: String) {
        self.executor.conductor.control.borrow_mut().learned.complain(|| problem);
        self.collector.cut = true;
    }

    /// Walks to the state in which every task stands before its first step.
    fn enter_first(&mut self) -> bool {
        self.begin();
        let tasks = self.executor.tasks();
        let mut control = self.executor.conductor.control.borrow_mut();
        let state = first(&mut control, tasks, &mut self.found, &self.path);
        drop(control);
        let Ok(state) = state else {
            self.problem("the tasks begin in different ways".to_owned());
            return false;
        };
        self.frames.push(Frame { steps: self.path.len(), ..Frame::new(state) });
        self.report();
        self.enter();
        true
    }

    fn begin(&mut self) {
        self.executor.set_mode(self.mode);
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
        if !self.executor.can_go_on(task) {
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
            self.frames.push(Frame::new(state));
        }
        let mut executed = 0;
        loop {
            let mut points = 0;
            let (before, after) = self.frames.split_at_mut(self.depth + 1);
            let (frame, next) = (&before[self.depth], &mut after[0]);
            next.state.copy(&frame.state);
            next.last = Some(task);
            next.number = None;
            next.switches = frame.switches + u32::from(frame.last.is_some_and(|last| last != task));
            self.path.truncate(frame.steps);
            self.found.clear();
            let most_points = match (self.retraces, &self.futures) {
                (Some(points), _) => points,
                (None, Some(futures)) => futures.reach().points,
                (None, None) => usize::MAX,
            };
            let mut control = self.executor.conductor.control.borrow_mut();
            match walk(
                &mut control.learned,
                self.futures.as_ref().map(Futures::inside),
                &mut next.state,
                task,
                &mut self.path,
                &mut self.found,
                (self.limits.max_steps, most_points, &mut points),
            ) {
                Ok(()) => {
                    next.steps = self.path.len();
                    next.points = points + 1;
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
            // As far as it is known, and one step further.
            if points < executed {
                self.problem("a step that was just executed is not known".to_owned());
                return false;
            }
            if executed == 0 && !self.sync() {
                return false;
            }
            for _ in executed..=points {
                if !self.execute(task) {
                    return false;
                }
            }
            executed = points + 1;
            if self.executor.conductor.control.borrow().run.overrun {
                self.livelock();
                return false;
            }
        }
    }

    /// Goes on along the steps that every execution begins with. They may lead to a state twice, and what comes after
    /// it the first time is not looked at.
    fn goes_along(&mut self) {
        let frame = &mut self.frames[self.depth];
        let task = self.first[frame.steps];
        let control = self.executor.conductor.control.borrow();
        frame.todo = frame.state.enabled(&control.learned) & Tasks::checked_shl(1, task.into()).unwrap_or(0);
        frame.width = frame.todo.count_ones();
        if frame.todo == 0 {
            let step = frame.steps + 1;
            drop(control);
            self.problem(format!(
                "the schedule does not fit: its step {step} is by a task that can't go on there"
            ));
        }
    }

    /// Looks at the state that was walked to.
    fn enter(&mut self) {
        self.collector.deepest = self.collector.deepest.max(self.path.len());
        let frame = &mut self.frames[self.depth];
        frame.todo = 0;
        frame.width = 0;
        frame.marked = false;
        if frame.steps < self.first.len() {
            return self.goes_along();
        }
        let fingerprint = frame.state.fingerprint();
        if !self.visited.insert(fingerprint, frame.last, frame.switches) {
            self.collector.executions += 1;
            if let (Some(cycles), Some(last)) = (&mut self.cycles, frame.last) {
                let puts_off = self.slept || self.futures.as_ref().is_some_and(Futures::minds_cycles);
                if cycles.is_open(fingerprint) {
                    // Where there are cycles, what is put off could be put off for ever: now, or from later on.
                    let learned = &mut self.executor.conductor.control.borrow_mut().learned;
                    (learned.cyclic, learned.restart) =
                        (puts_off || learned.cyclic, puts_off || learned.restart);
                    self.plain = u64::MAX;
                }
                cycles.meets(fingerprint, last, &self.path);
            }
            if let (Some(round), Some(last)) = (self.mending, frame.last)
                && round >> last & 1 == 1
                && self.goes_round(last, fingerprint)
            {
                let learned = &mut self.executor.conductor.control.borrow_mut().learned;
                (learned.cyclic, learned.restart) = (true, true);
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
        let learned = &control.learned;
        let enabled = frame.state.enabled(learned);
        if enabled == 0 {
            drop(control);
            self.collector.executions += 1;
            return self.ended(fingerprint);
        }
        frame.todo = enabled;
        let mut relied = Relied::default();
        if let Some(cycles) = &mut self.cycles {
            cycles.enter(fingerprint, enabled);
            frame.marked = true;
        }
        let logs = self.later.is_some() || self.futures.is_some();
        if self.visited.len() > self.plain
            && let Some(mut futures) = self.later.take()
        {
            futures.begin(&learned.automaton, &learned.objects, !learned.entangled);
            midway::leave_out(&mut futures, learned, &mut self.frames[..self.depth], &mut self.log);
            self.futures = Some(futures);
        }
        let frame = &mut self.frames[self.depth];
        match &mut self.visited {
            Visited::All(_) => {
                // A sleep touches nothing: whether it comes before or after steps of others makes no difference, unless
                // it can come again and again.
                let sleeps = |&task: &usize| {
                    let node = control.learned.automaton.get(frame.state.nodes[task]);
                    node.op.is_some_and(|op| op.kind == OpKind::Sleep)
                };
                let sleeper = if learned.cyclic { None } else { members(enabled).find(sleeps) };
                if let Some(task) = sleeper {
                    frame.todo = 1 << task;
                    self.slept |= frame.todo != enabled;
                } else if let Some(futures) = &mut self.futures
                    && enabled & (enabled - 1) != 0
                {
                    let (automaton, objects) = (&learned.automaton, &learned.objects);
                    let states = self.visited.len();
                    if automaton.edges_len() != self.taught.0 {
                        self.taught = (automaton.edges_len(), states);
                    }
                    let quiet = states - self.taught.1 >= self.patience;
                    if quiet || futures.is_stale(automaton) {
                        futures.renew(automaton, objects, !learned.entangled);
                        if quiet {
                            // What nearly always finds nothing is looked for ever more rarely.
                            self.patience =
                                self.patience.saturating_mul(1 + u64::from(futures.is_unchecked()));
                            self.again |= futures.has_more(automaton, objects);
                        }
                    }
                    frame.todo =
                        persistent::choose(futures, automaton, objects, &frame.state, enabled, frame.last);
                    relied = futures.claims.last();
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
        if logs {
            let (task, points) = (frame.last.unwrap_or(0) as u8, frame.points as u8);
            let chosen = frame.todo;
            let before = self.depth.checked_sub(1).map_or(0, |depth| self.number_at(depth));
            let number = self.log.add(Entry { before, task, points, chosen, relied });
            self.frames[self.depth].number = Some(number);
        }
    }

    /// The number of the state at a depth, which steps are taken from.
    fn number_at(&self, depth: usize) -> Number {
        self.frames[depth].number.expect("steps are taken from it")
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
            let finding = endless.finding(&control.learned.names);
            let number = control.learned.finding(finding);
            drop(control);
            self.collector.violation(number, &endless.path);
        }
    }
}
