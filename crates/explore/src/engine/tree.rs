//! The search over real executions: all of them (DFS), or one of each class (source-DPOR with sleep sets).
//!
//! Both execute anew from the beginning for each execution, along the choices on the stack.

use super::clocks::Vc;
use super::collect::{Collector, End, Limits, Path, estimate};
use super::deadlock::Deadlock;
use super::depend::{Event, dependent, effective, races};
use super::executor::Executor;
use super::model::{MAX_TASKS, Tasks, members};
use super::objects::Op;
use crate::report::Progress;

/// A choice on the stack.
pub(crate) struct Frame {
    pub enabled: Tasks,
    pub backtrack: Tasks,
    pub done: Tasks,
    pub sleep: Tasks,
    pub current: u8,
    /// The steps that the tasks were about to take.
    pub pending: [Option<Op>; MAX_TASKS],
    /// Context switches up to and with the choice.
    switches: u32,
}

/// The search.
pub(crate) struct Tree<'e, 'c, 'p, 'l, 'a> {
    executor: &'e mut Executor<'c, 'p>,
    limits: &'l mut Limits<'a>,
    pub collector: Collector,
    frames: Vec<Frame>,
    events: Vec<Event>,
    reduced: bool,
    bound: Option<u32>,
    pub bound_hit: bool,
    wanted: Option<Vec<u32>>,
    pub deepest: usize,
    cut: bool,
}

impl<'e, 'c, 'p, 'l, 'a> Tree<'e, 'c, 'p, 'l, 'a> {
    /// A search over all executions, or, if `reduced`, over one of each class.
    pub(crate) fn new(executor: &'e mut Executor<'c, 'p>, limits: &'l mut Limits<'a>, reduced: bool) -> Self {
        Tree {
            executor,
            limits,
            collector: Collector::default(),
            frames: Vec::new(),
            events: Vec::new(),
            reduced,
            bound: None,
            bound_hit: false,
            wanted: None,
            deepest: 0,
            cut: false,
        }
    }

    /// A search for these findings in executions with at most so many context switches.
    pub(crate) fn bounded(
        executor: &'e mut Executor<'c, 'p>,
        limits: &'l mut Limits<'a>,
        bound: u32,
        wanted: Vec<u32>,
    ) -> Self {
        Tree { bound: Some(bound), wanted: Some(wanted), ..Tree::new(executor, limits, false) }
    }

    pub(crate) fn run(&mut self) -> End {
        {
            let mut control = self.executor.conductor.control.borrow_mut();
            control.recording = false;
            control.reduced = self.reduced;
        }
        let end = self.search();
        self.executor.abandon();
        self.executor.conductor.control.borrow_mut().reduced = false;
        end
    }

    fn search(&mut self) -> End {
        loop {
            self.execute();
            self.collector.executions += 1;
            if self.executor.conductor.control.borrow().restart {
                return End::Restart;
            }
            let (executions, depth, frames) = (self.collector.executions, self.frames.len(), &self.frames);
            let done = |frame: &Frame| (frame.done.count_ones(), frame.backtrack.count_ones());
            let late = self.limits.tick(64, |elapsed| Progress {
                executions,
                states: 0,
                depth,
                elapsed,
                done: estimate(frames.iter().map(done)),
            });
            if self.cut || !self.backtrack() {
                return if self.cut { End::Cut } else { End::Exhausted };
            }
            if late || self.collector.executions >= self.limits.max_executions {
                return End::Cut;
            }
        }
    }

    /// Executes along the choices on the stack, and on to the end.
    fn execute(&mut self) {
        self.executor.begin();
        let replayed = self.frames.len();
        for index in 0..replayed {
            let task = self.frames[index].current as usize;
            let fresh = index + 1 == replayed && index >= self.events.len();
            self.step(task, fresh);
        }
        let asleep = self.go_on();
        let path = self.path();
        self.deepest = self.deepest.max(path.len());
        let (found, overrun) = {
            let control = self.executor.conductor.control.borrow();
            (control.found.clone(), control.overrun)
        };
        for (finding, steps) in found {
            self.violation(finding, &path[..steps]);
        }
        if self.reduced {
            self.blocked_races();
        }
        if overrun || path.len() > self.limits.max_steps {
            if !self.executor.conductor.control.borrow().restart {
                let finding = super::cache::livelock(self.limits.max_steps);
                let number = self.executor.conductor.control.borrow_mut().finding(finding);
                self.violation(number, &path);
                self.cut = true;
            }
            return;
        }
        if asleep {
            return self.executor.drain(1000);
        }
        self.ended(&path);
    }

    /// Chooses steps until there are none; `true` if all that could go on are asleep.
    fn go_on(&mut self) -> bool {
        loop {
            let enabled = self.executor.enabled();
            let (steps, overrun) = {
                let control = self.executor.conductor.control.borrow();
                (control.events.len(), control.overrun)
            };
            if enabled == 0 || overrun || steps > self.limits.max_steps {
                return false;
            }
            let sleep = self.sleep();
            let mut candidates = enabled & !sleep;
            let last = self.frames.last().map(|frame| frame.current as usize);
            let before = self.frames.last().map_or(0, |frame| frame.switches);
            if let (Some(bound), Some(last)) = (self.bound, last)
                && before >= bound
            {
                self.bound_hit |= candidates & !(1 << last) != 0;
                candidates &= 1 << last;
            }
            if candidates == 0 {
                return true;
            }
            let task = match last {
                Some(last) if candidates >> last & 1 == 1 => last,
                _ => candidates.trailing_zeros() as usize,
            };
            self.frames.push(Frame {
                enabled,
                backtrack: if self.reduced { 1 << task } else { candidates },
                done: 0,
                sleep,
                current: task as u8,
                pending: self.pending(),
                switches: before + u32::from(last.is_some_and(|last| last != task)),
            });
            self.step(task, true);
        }
    }

    /// The steps that tasks are about to take.
    fn pending(&self) -> [Option<Op>; MAX_TASKS] {
        if !self.reduced {
            return [None; MAX_TASKS];
        }
        let control = self.executor.conductor.control.borrow();
        std::array::from_fn(|task| control.pending[task].map(|op| effective(op, control.model.phases[task])))
    }

    /// The tasks whose steps were explored from a state before, and that nothing since touched.
    fn sleep(&self) -> Tasks {
        let (true, Some(frame), Some(event)) = (self.reduced, self.frames.last(), self.events.last()) else {
            return 0;
        };
        let control = self.executor.conductor.control.borrow();
        let candidates = (frame.sleep | frame.done) & !(1 << frame.current);
        let sleeps = |&task: &usize| {
            frame.pending[task].is_some_and(|op| !dependent(&op, &event.op, &control.objects))
        };
        members(candidates).filter(sleeps).fold(0, |set, task| set | 1 << task)
    }

    fn step(&mut self, task: usize, fresh: bool) {
        if !self.reduced || !fresh {
            self.executor.step(task);
            return;
        }
        let (op, before) = self.about(task);
        self.executor.step(task);
        let control = self.executor.conductor.control.borrow();
        let event = Event { task, op, before, after: control.clocks.at[task] };
        races(&mut self.frames, &self.events, &event, &control.objects);
        drop(control);
        self.events.push(event);
    }

    fn about(&self, task: usize) -> (Op, Vc) {
        let control = self.executor.conductor.control.borrow();
        let op = control.pending[task].expect("a chosen task has a pending step");
        (effective(op, control.model.phases[task]), control.clocks.at[task])
    }

    /// Steps that could never be taken race, too: with those that took what they wait for.
    fn blocked_races(&mut self) {
        let control = self.executor.conductor.control.borrow();
        for task in 0..control.model.tasks {
            let phase = control.model.phases[task];
            if let Some(op) = control.pending[task]
                && !matches!(phase, super::model::Phase::Waiting(_))
                && !control.model.enabled(task, &op)
            {
                let before = control.clocks.at[task];
                let event = Event { task, op: effective(op, phase), before, after: before };
                races(&mut self.frames, &self.events, &event, &control.objects);
            }
        }
    }

    fn path(&self) -> Path {
        self.executor.conductor.control.borrow().events.iter().map(|event| event.task).collect()
    }

    fn violation(&mut self, finding: u32, path: &[u8]) {
        self.collector.violation(finding, path);
        self.cut |= self.limits.stop_at_first;
        if let Some(wanted) = &mut self.wanted {
            wanted.retain(|&wanted| wanted != finding);
            self.cut |= wanted.is_empty();
        }
    }

    fn ended(&mut self, path: &[u8]) {
        let stuck = self.executor.unfinished();
        if stuck != 0 {
            let mut control = self.executor.conductor.control.borrow_mut();
            let finding = Deadlock::of(&control.model, &control.pending, stuck)
                .finding(&control.objects, &control.names);
            let number = control.finding(finding);
            drop(control);
            return self.violation(number, path);
        }
        let (results, outcome) = self.executor.finish();
        for finding in &outcome.findings {
            let number = self.executor.conductor.control.borrow_mut().finding(finding.clone());
            self.violation(number, path);
        }
        self.collector.outcome(results, outcome, path);
    }

    /// Goes to the next choice; `false` if there is none.
    fn backtrack(&mut self) -> bool {
        while let Some(frame) = self.frames.last_mut() {
            frame.done |= 1 << frame.current;
            let candidates = frame.backtrack & !frame.done & !frame.sleep;
            if candidates == 0 {
                self.frames.pop();
                continue;
            }
            let task = candidates.trailing_zeros() as usize;
            let before = self.frames.len().checked_sub(2).map(|index| &self.frames[index]);
            let (last, switches) = before.map_or((None, 0), |frame| (Some(frame.current), frame.switches));
            let depth = self.frames.len();
            let frame = &mut self.frames[depth - 1];
            frame.current = task as u8;
            frame.switches = switches + u32::from(last.is_some_and(|last| last as usize != task));
            self.events.truncate(depth - 1);
            return true;
        }
        false
    }
}
