//! The hook of an exploration: what tasks call.

use std::cell::RefCell;

use locks::Object;
use locks::hook::{Hook, Step};

use super::control::Control;
use super::model::Model;
use super::objects::{self, Objects, Op, OpKind};
use crate::program::{Finding, Program};

/// The hook of an exploration.
pub(crate) struct Conductor<'p> {
    pub control: RefCell<Control>,
    pub program: RefCell<&'p mut dyn Program>,
}

impl Conductor<'_> {
    /// Asks the program's oracle, if a watched lock was released and all of them are free.
    #[inline]
    pub(crate) fn settle(&self) {
        let mut control = self.control.borrow_mut();
        if !control.settle {
            return;
        }
        control.settle = false;
        if control.bypassed() || !all_settled(&control.model, &control.objects) {
            return;
        }
        let state = control.model.hash;
        if control.recording && control.settled.contains_key(&state) {
            return;
        }
        control.hush();
        drop(control);
        let findings = self.program.borrow_mut().settled();
        let mut control = self.control.borrow_mut();
        control.unhush();
        let numbers: Box<[u32]> = findings.into_iter().map(|finding| control.finding(finding)).collect();
        let steps = control.events.len();
        control.found.extend(numbers.iter().map(|&number| (number, steps)));
        if control.recording {
            control.settled.insert(state, numbers);
        }
    }
}

/// Whether no watched lock is held.
pub(crate) fn all_settled(model: &Model, objects: &Objects) -> bool {
    (0..model.cells.len()).all(|id| !objects.get(id as u32).watched || model.free(id as u32))
}

impl Hook for Conductor<'_> {
    fn step(&self, step: Step) -> bool {
        let mut control = self.control.borrow_mut();
        if control.bypassed() {
            return true;
        }
        if control.relocked {
            control.relocked = false;
            return true;
        }
        self.meet(&mut control, step.object);
        control.forced = std::thread::panicking();
        let kind = OpKind::from(step.kind);
        if control.forced && kind.is_release() {
            // A panicking task can't be suspended: it takes this step when it is unwound.
            control.forced = false;
            let (task, object) = (control.current, control.object(step.object));
            control.unwound.push((task, Op { kind, object, mutex: object, at: step.at }));
            return true;
        }
        control.announce(step.kind.into(), step.object, None, &step);
        let task = control.current;
        let op = control.pending[task].expect("announced");
        let forced = control.forced;
        let mut point = control.every || control.is_point(task, &op);
        if !point && !forced {
            control.eager += 1;
            if control.eager > control.max_steps {
                // It spins without a scheduling point: from now on there is one.
                control.overrun = true;
                control.restart |= control.objects.spun(&op);
                point = true;
            }
        }
        if point && !forced {
            drop(control);
            fibers::suspend();
            return self.control.borrow().answer;
        }
        control.perform(task);
        control.forced = false;
        let answer = control.answer;
        drop(control);
        self.settle();
        answer
    }

    fn blocked(&self, step: Step) {
        let control = self.control.borrow();
        let name = objects::name(&step.object);
        let why = if control.quiet > 0 {
            "an oracle or the set-up asks for a lock that a task holds"
        } else if control.abandoned {
            "a destructor takes a lock while its execution is abandoned"
        } else {
            "two locks have one level and key, or one was taken outside the exploration"
        };
        drop(control);
        panic!("`{name}` is taken though nobody is known to hold it: {why}");
    }

    fn wait(&self, condvar: Step, mutex: Object) {
        let mut control = self.control.borrow_mut();
        if control.bypassed() {
            return;
        }
        self.meet(&mut control, condvar.object);
        if std::thread::panicking() {
            // A destructor waits: it finds itself woken at once, as conditions may.
            control.forced = true;
            control.announce(OpKind::Unlock, mutex, None, &condvar);
            let task = control.current;
            control.perform(task);
            control.forced = false;
            return;
        }
        control.announce(OpKind::Wait, condvar.object, Some(mutex), &condvar);
        drop(control);
        fibers::suspend();
        self.control.borrow_mut().relocked = true;
    }

    fn wants_contents(&self) -> bool {
        let control = self.control.borrow();
        control.recording && !control.bypassed()
    }

    fn observed(&self, object: Object, fingerprint: u64) {
        let mut control = self.control.borrow_mut();
        if !control.bypassed() {
            control.observed(object, fingerprint);
        }
    }

    fn published(&self, object: Object, fingerprint: u64) {
        let mut control = self.control.borrow_mut();
        if !control.bypassed() {
            self.meet(&mut control, object);
            control.published(object, fingerprint);
        }
    }

    fn milestone(&self, key: u64) {
        let mut control = self.control.borrow_mut();
        if control.recording && !control.bypassed() {
            control.milestone(key);
        }
    }

    fn checkpoint(&self, key: u64) {
        let mut control = self.control.borrow_mut();
        if control.recording && !control.bypassed() {
            control.checkpoint(key);
        }
    }

    fn wants_notes(&self) -> bool {
        let control = self.control.borrow();
        control.every && !control.bypassed()
    }

    fn note(&self, text: String) {
        let mut control = self.control.borrow_mut();
        let (task, steps) = (control.current, control.events.len());
        let started = control.started >> task & 1 == 1;
        control.notes.push((task, steps, started, text));
    }

    fn violation(&self, verdict: &'static str, what: String) {
        let mut control = self.control.borrow_mut();
        if !control.bypassed() {
            control.find(Finding { verdict, what });
        }
    }

    fn claim_root(&self) -> bool {
        let mut control = self.control.borrow_mut();
        if control.bypassed() {
            return true;
        }
        let bit = 1 << control.current;
        let free = control.roots & bit == 0;
        control.roots |= bit;
        free
    }

    fn release_root(&self) {
        let mut control = self.control.borrow_mut();
        if !control.bypassed() {
            let bit = 1 << control.current;
            control.roots &= !bit;
        }
    }

    fn exploring(&self) -> bool {
        true
    }
}

impl Conductor<'_> {
    /// Numbers an object that is met for the first time, and asks the program whether it watches it.
    #[inline]
    fn meet(&self, control: &mut Control, object: Object) {
        let (id, new) = control.objects.id(object);
        if new {
            // `settled` is never active here: tasks don't run inside it.
            control.objects.get_mut(id).watched = self.program.borrow().watches(&object);
        }
    }
}
