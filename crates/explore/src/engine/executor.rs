//! Executes a program for real, one step of one task at a time.
//!
//! This module knows nothing of who chooses the tasks, nor of what is done with what they did.

use std::cell::RefCell;
use std::rc::Rc;

use fibers::{Fiber, Pool, Progress};

use super::conductor::Conductor;
use super::mode::Mode;
use super::model::Phase;
use super::tasks::{MAX_TASKS, Tasks};
use crate::program::{Finding, Outcome};
use crate::verdict;

/// The result of a task that panicked.
const PANICKED: &str = "panic";

/// A driver of real executions. It begins one after the other; each reuses the stacks of the one before.
pub(crate) struct Executor<'c, 'p> {
    pub conductor: &'c Conductor<'p>,
    pool: Pool,
    fibers: Vec<Fiber>,
    results: Rc<RefCell<Vec<String>>>,
    daemons: Tasks,
    running: bool,
    /// How many executions were begun.
    pub begun: u64,
}

impl<'c, 'p> Executor<'c, 'p> {
    pub(crate) fn new(conductor: &'c Conductor<'p>, stack: usize) -> Self {
        Executor {
            conductor,
            pool: Pool::of_thread(stack),
            fibers: Vec::new(),
            results: Rc::default(),
            daemons: 0,
            running: false,
            begun: 0,
        }
    }

    /// Begins an execution; every task stands before its first step then.
    ///
    /// # Panics
    /// If the program has more than [`MAX_TASKS`] tasks.
    pub(crate) fn begin(&mut self) {
        self.abandon();
        self.begun += 1;
        let tasks = self.conductor.program.borrow_mut().begin();
        assert!(
            tasks.len() <= MAX_TASKS,
            "{} tasks are more than the {MAX_TASKS} that can be explored",
            tasks.len()
        );
        self.daemons = 0;
        let mut control = self.conductor.control.borrow_mut();
        control.reset(tasks.len());
        let names = &mut control.learned.names;
        if names.len() != tasks.len() {
            *names = tasks.iter().map(|task| task.name.clone()).collect();
        }
        let mut results = self.results.borrow_mut();
        results.clear();
        results.resize(tasks.len(), String::new());
        drop(results);
        let mut listeners = self.conductor.listeners.borrow_mut();
        for (index, task) in tasks.into_iter().enumerate() {
            listeners.push(task.listener);
            self.daemons |= Tasks::from(task.daemon) << index;
            let (results, body) = (self.results.clone(), task.body);
            self.fibers.push(self.pool.fiber(move || {
                let result = body();
                results.borrow_mut()[index] = result;
            }));
        }
        drop(listeners);
        control.run.unhush();
        self.running = true;
        drop(control);
        for task in 0..self.fibers.len() {
            self.conductor.control.borrow_mut().starts(task);
            self.resume(task);
        }
    }

    /// How executions are run from the next one on.
    pub(crate) fn set_mode(&mut self, mode: Mode) {
        self.abandon();
        self.conductor.control.borrow_mut().mode = mode;
    }

    pub(crate) fn tasks(&self) -> usize {
        self.fibers.len()
    }

    /// The tasks that can take their pending step.
    pub(crate) fn enabled(&self) -> Tasks {
        self.conductor.control.borrow().run.enabled()
    }

    /// Whether the task can take its pending step.
    pub(crate) fn can_go_on(&self, task: usize) -> bool {
        let run = &self.conductor.control.borrow().run;
        run.pending[task].as_ref().is_some_and(|op| run.model.enabled(task, op))
    }

    /// The tasks that have not ended, but for those that may be left waiting and do.
    pub(crate) fn unfinished(&self) -> Tasks {
        let control = self.conductor.control.borrow();
        let unfinished = |&task: &usize| match control.run.model.phases[task] {
            Phase::Ended => false,
            Phase::Waiting(_) => self.daemons >> task & 1 == 0,
            _ => true,
        };
        (0..self.fibers.len()).filter(unfinished).fold(0, |set, task| set | 1 << task)
    }

    pub(crate) fn daemons(&self) -> Tasks {
        self.daemons
    }

    /// Takes the pending step of an enabled task, and all that follow at once.
    #[inline]
    pub(crate) fn step(&mut self, task: usize) {
        let mut control = self.conductor.control.borrow_mut();
        control.run.current = task;
        control.run.eager = 0;
        let goes_on = control.perform(task);
        drop(control);
        self.conductor.settle();
        if !goes_on {
            return;
        }
        if self.fibers[task].ended() {
            self.unwinds(task);
        } else {
            self.resume(task);
        }
    }

    /// Goes on with a task that panicked.
    fn unwinds(&mut self, task: usize) {
        loop {
            let mut control = self.conductor.control.borrow_mut();
            match control.unwinds(task) {
                None => return control.ended(task, PANICKED),
                Some(false) => return,
                Some(true) => {}
            }
            drop(control);
            self.conductor.settle();
        }
    }

    fn resume(&mut self, task: usize) {
        match self.fibers[task].resume() {
            Progress::Yielded => {}
            Progress::Returned => {
                let results = self.results.borrow();
                self.conductor.control.borrow_mut().ended(task, &results[task]);
            }
            Progress::Panicked(panic) => {
                let mut control = self.conductor.control.borrow_mut();
                let what = format!("{}: {panic}", control.learned.names[task]);
                control.run.current = task;
                control.find(Finding::new(verdict::PANIC, what));
                drop(control);
                self.results.borrow_mut()[task] = PANICKED.to_owned();
                self.unwinds(task);
            }
        }
    }

    /// Lets the program look at the end of an execution in which no task is unfinished.
    pub(crate) fn finish(&mut self) -> (Vec<String>, Outcome) {
        self.unwind();
        let results = self.results.take();
        let outcome = self.conductor.program.borrow_mut().finish(&results);
        (results, outcome)
    }

    /// Ends the execution where it stands.
    pub(crate) fn abandon(&mut self) {
        self.unwind();
    }

    /// Goes on with the execution in any way, for at most so many steps: quicker than unwinding it, and automata
    /// are learned on the way.
    pub(crate) fn drain(&mut self, steps: usize) {
        for _ in 0..steps {
            let enabled = self.enabled();
            if enabled == 0 || self.conductor.control.borrow().run.overrun {
                break;
            }
            self.step(enabled.trailing_zeros() as usize);
        }
    }

    fn unwind(&mut self) {
        if !std::mem::take(&mut self.running) {
            return;
        }
        let mut control = self.conductor.control.borrow_mut();
        control.run.abandoned = true;
        control.run.hush();
        drop(control);
        self.fibers.clear();
        // What they hold is dropped where nothing is borrowed: it may have destructors that take locks.
        let listeners = self.conductor.listeners.take();
        drop(listeners);
    }
}

impl Drop for Executor<'_, '_> {
    fn drop(&mut self) {
        self.unwind();
    }
}
