//! The search over all executions (DFS), or over one of each class (source-DPOR with sleep sets).
//!
//! Both keep the choices of the present execution on a stack, and go back to the last that can be made differently.
//! This module knows nothing of what executions show.

use super::clocks::Vc;
use super::collect::estimate;
use super::depend::{Turn, dependent, effective, races};
use super::executions::Scheduler;
use super::executor::Executor;
use super::mode::Mode;
use super::model::Phase;
use super::objects::{Objects, Op};
use super::tasks::{MAX_TASKS, Tasks, members};

/// A choice on the stack.
struct Frame {
    enabled: Tasks,
    /// The tasks that must be tried here, and those that were.
    backtrack: Tasks,
    done: Tasks,
    /// The tasks that need not be tried here.
    sleep: Tasks,
    current: u8,
    /// The steps that the tasks were about to take.
    pending: [Option<Op>; MAX_TASKS],
    /// Context switches up to and with the choice.
    switches: u32,
}

/// The search.
#[derive(Default)]
pub(crate) struct Tree {
    frames: Vec<Frame>,
    /// The steps that belong to the choices on the stack, for a reduced search.
    turns: Vec<Turn>,
    reduced: bool,
    /// The most context switches.
    bound: Option<u32>,
    /// Whether the bound kept anything from being tried.
    pub bound_hit: bool,
    begun: bool,
    /// How many choices of those on the stack were made in the present execution.
    depth: usize,
    /// The step of a choice that is made for the first time, and the task's causal clock before it.
    about: Option<(usize, Op, Vc)>,
}

impl Tree {
    /// A search over all executions, or, if `reduced`, over one of each class.
    pub(crate) fn new(reduced: bool) -> Self {
        Tree { reduced, ..Tree::default() }
    }

    /// A search over all executions with at most so many context switches.
    pub(crate) fn bounded(bound: u32) -> Self {
        Tree { bound: Some(bound), ..Tree::default() }
    }

    /// Makes a new choice; `None` if no task can go on, or all that can are asleep.
    fn choose(&mut self, executor: &Executor<'_, '_>) -> Option<usize> {
        let enabled = executor.enabled();
        let sleep = self.sleep(executor);
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
            return None;
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
            pending: self.pending(executor),
            switches: before + u32::from(last.is_some_and(|last| last != task)),
        });
        Some(task)
    }

    /// The steps that tasks are about to take.
    fn pending(&self, executor: &Executor<'_, '_>) -> [Option<Op>; MAX_TASKS] {
        if !self.reduced {
            return [None; MAX_TASKS];
        }
        let run = &executor.conductor.control.borrow().run;
        std::array::from_fn(|task| run.pending[task].map(|op| effective(op, run.model.phases[task])))
    }

    /// The tasks whose steps were explored from a state before, and that nothing since touched.
    fn sleep(&self, executor: &Executor<'_, '_>) -> Tasks {
        let (true, Some(frame), Some(turn)) = (self.reduced, self.frames.last(), self.turns.last()) else {
            return 0;
        };
        let objects = &executor.conductor.control.borrow().learned.objects;
        let candidates = (frame.sleep | frame.done) & !(1 << frame.current);
        let sleeps = |&task: &usize| frame.pending[task].is_some_and(|op| !dependent(&op, &turn.op, objects));
        members(candidates).filter(sleeps).fold(0, |set, task| set | 1 << task)
    }

    /// Notes which choices must be made differently because of the races of a step.
    fn races(&mut self, turn: &Turn, objects: &Objects) {
        let frames = &mut self.frames;
        races(&self.turns, turn, objects, |index, initials| {
            let frame = &mut frames[index];
            let initials = initials & frame.enabled;
            if initials == 0 {
                frame.backtrack |= frame.enabled;
            } else if initials & frame.backtrack == 0 {
                let own = initials >> turn.task & 1 == 1;
                let task = if own { turn.task } else { initials.trailing_zeros() as usize };
                frame.backtrack |= 1 << task;
            }
        });
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
            self.turns.truncate(depth - 1);
            return true;
        }
        false
    }
}

impl Scheduler for Tree {
    const PATIENCE: u32 = 64;

    fn mode(&self) -> Mode {
        if self.reduced { Mode::Reduced } else { Mode::Plain }
    }

    fn next_execution(&mut self) -> bool {
        self.depth = 0;
        !std::mem::replace(&mut self.begun, true) || self.backtrack()
    }

    fn next_task(&mut self, executor: &Executor<'_, '_>) -> Option<usize> {
        let task = match self.frames.get(self.depth) {
            Some(frame) => frame.current as usize,
            None => self.choose(executor)?,
        };
        if self.reduced && self.turns.len() <= self.depth {
            let run = &executor.conductor.control.borrow().run;
            let op = run.pending[task].expect("a chosen task has a pending step");
            self.about = Some((task, effective(op, run.model.phases[task]), run.clocks.at[task]));
        }
        self.depth += 1;
        Some(task)
    }

    fn stepped(&mut self, executor: &Executor<'_, '_>) {
        if let Some((task, op, before)) = self.about.take() {
            let control = executor.conductor.control.borrow();
            let turn = Turn { task, op, before, after: control.run.clocks.at[task] };
            self.races(&turn, &control.learned.objects);
            self.turns.push(turn);
        }
    }

    /// Steps that could never be taken race, too: with those that took what they wait for.
    fn ended(&mut self, executor: &Executor<'_, '_>) {
        if !self.reduced {
            return;
        }
        let control = executor.conductor.control.borrow();
        let run = &control.run;
        for task in 0..run.model.tasks {
            let phase = run.model.phases[task];
            if let Some(op) = run.pending[task]
                && !matches!(phase, Phase::Waiting(_))
                && !run.model.enabled(task, &op)
            {
                let before = run.clocks.at[task];
                let turn = Turn { task, op: effective(op, phase), before, after: before };
                self.races(&turn, &control.learned.objects);
            }
        }
    }

    fn progress(&self) -> (usize, f64) {
        let done = |frame: &Frame| (frame.done.count_ones(), frame.backtrack.count_ones());
        (self.frames.len(), estimate(self.frames.iter().map(done)))
    }
}
