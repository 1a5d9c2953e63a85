//! The hook of an exploration: what tasks call.
//!
//! It passes on what tasks announce, suspends them where others may go first, and asks the program's oracle. It knows
//! nothing of who chooses the tasks that go on.

use std::any::Any;
use std::cell::RefCell;

use locks::Object;
use locks::hook::{Hook, Observed, Step};

use super::control::Control;
use super::objects::{self, ObjectId, Op, OpKind};
use super::run::Note;
use crate::program::{Finding, Listener, Program};

/// The hook of an exploration.
pub(crate) struct Conductor<'p> {
    pub control: RefCell<Control>,
    pub program: RefCell<&'p mut dyn Program>,
    /// Who hears what each task announces. (Apart from `control`, since whoever listens may take steps.)
    pub listeners: RefCell<Vec<Option<Listener>>>,
}

impl<'p> Conductor<'p> {
    /// The hook of an exploration whose tasks take at most so many steps in one go.
    pub(crate) fn new(program: &'p mut dyn Program, max_steps: usize) -> Self {
        Conductor {
            control: RefCell::new(Control::new(max_steps)),
            program: RefCell::new(program),
            listeners: RefCell::default(),
        }
    }

    /// Asks the program's oracle, if a watched lock was released and all of them are free.
    #[inline]
    pub(crate) fn settle(&self) {
        let mut control = self.control.borrow_mut();
        let Control { learned, run, mode, .. } = &mut *control;
        if !std::mem::take(&mut run.settle) || run.is_bypassed() || !run.model.is_settled(&learned.objects) {
            return;
        }
        let state = run.model.seen(&learned.objects);
        if mode.learns() && learned.settled.contains_key(&state) {
            return;
        }
        run.hush();
        drop(control);
        let findings = self.program.borrow_mut().settled();
        let mut control = self.control.borrow_mut();
        let Control { learned, run, mode, .. } = &mut *control;
        run.unhush();
        let numbers: Box<[u32]> = findings.into_iter().map(|finding| learned.finding(finding)).collect();
        let steps = run.taken.len();
        run.found.extend(numbers.iter().map(|&number| (number, steps)));
        if mode.learns() {
            learned.settled.insert(state, numbers);
        }
    }
}

impl Hook for Conductor<'_> {
    fn step(&self, step: Step) -> bool {
        let mut control = self.control.borrow_mut();
        if control.run.is_bypassed() || std::mem::take(&mut control.run.relocked) {
            return true;
        }
        let object = self.meet(&mut control, step.object);
        let kind = OpKind::from(step.kind);
        let (task, forced) = (control.run.current, std::thread::panicking());
        if forced && kind.is_release() {
            // A panicking task can't be suspended: it takes this step when it is unwound.
            control.run.forced = false;
            control.run.unwound.push((task, Op { kind, object, mutex: object, at: step.at }));
            return true;
        }
        control.run.forced = forced;
        let op = control.announce(kind, object, None, step.at);
        if !forced && control.stops_before(task, &op) {
            drop(control);
            fibers::suspend();
            return self.control.borrow().run.answer;
        }
        control.perform(task);
        control.run.forced = false;
        let answer = control.run.answer;
        drop(control);
        self.settle();
        answer
    }

    fn blocked(&self, step: Step) {
        let control = self.control.borrow();
        let name = objects::name(&step.object);
        let why = if control.run.quiet > 0 {
            "an oracle or the set-up asks for a lock that a task holds"
        } else if control.run.abandoned {
            "a destructor takes a lock while its execution is abandoned"
        } else {
            "two locks have one level and key, or one was taken outside the exploration"
        };
        drop(control);
        panic!("`{name}` is taken though nobody is known to hold it: {why}");
    }

    fn wait(&self, condvar: Step, mutex: Object) {
        let mut control = self.control.borrow_mut();
        if control.run.is_bypassed() {
            return;
        }
        let condition = self.meet(&mut control, condvar.object);
        let mutex = control.learned.object(mutex);
        if std::thread::panicking() {
            // A destructor waits: it finds itself woken at once, as conditions may.
            control.run.forced = true;
            control.announce(OpKind::Unlock, mutex, None, condvar.at);
            let task = control.run.current;
            control.perform(task);
            control.run.forced = false;
            return;
        }
        control.announce(OpKind::Wait, condition, Some(mutex), condvar.at);
        drop(control);
        fibers::suspend();
        self.control.borrow_mut().run.relocked = true;
    }

    fn wants_contents(&self) -> bool {
        let control = self.control.borrow();
        control.mode.learns() && !control.run.is_bypassed()
    }

    fn observed(&self, object: Object, fingerprint: u64) {
        let mut control = self.control.borrow_mut();
        if !control.run.is_bypassed() {
            control.observed(object, fingerprint);
        }
    }

    fn published(&self, object: Object, fingerprint: u64) {
        let mut control = self.control.borrow_mut();
        if !control.run.is_bypassed() {
            let object = self.meet(&mut control, object);
            control.published(object, fingerprint);
        }
    }

    fn mark(&self) -> Observed {
        let run = &self.control.borrow().run;
        run.pasts[run.current].mark()
    }

    fn forgets(&self, mark: &mut Observed, key: u64) {
        let mut control = self.control.borrow_mut();
        if control.mode.learns() && !control.run.is_bypassed() {
            control.forgets(mark, key);
        }
    }

    fn keeps(&self, object: Object) {
        let mut control = self.control.borrow_mut();
        if !control.run.is_bypassed() {
            control.keeps(object);
        }
    }

    fn checkpoint(&self, key: u64) {
        let mut control = self.control.borrow_mut();
        if control.mode.learns() && !control.run.is_bypassed() {
            control.checkpoint(key);
        }
    }

    fn wants_notes(&self) -> bool {
        let control = self.control.borrow();
        control.mode.notes() && !control.run.is_bypassed()
    }

    fn note(&self, text: String) {
        let run = &mut self.control.borrow_mut().run;
        let (task, steps) = (run.current, run.taken.len());
        let started = run.started >> task & 1 == 1;
        run.notes.push(Note { task, steps, started, text });
    }

    fn announced(&self, what: &dyn Any) {
        let control = self.control.borrow();
        if control.run.is_bypassed() {
            return;
        }
        let task = control.run.current;
        drop(control);
        // A handle of its own: the task may be suspended in the listener, and abandoned there.
        let listener = self.listeners.borrow().get(task).cloned().flatten();
        if let Some(listener) = listener {
            listener(what);
        }
    }

    fn violation(&self, verdict: &'static str, what: String) {
        let mut control = self.control.borrow_mut();
        if !control.run.is_bypassed() {
            control.find(Finding::new(verdict, what));
        }
    }

    fn claim_root(&self) -> bool {
        let mut control = self.control.borrow_mut();
        if control.run.is_bypassed() {
            return true;
        }
        let bit = 1 << control.run.current;
        let free = control.run.roots & bit == 0;
        control.run.roots |= bit;
        free
    }

    fn release_root(&self) {
        let mut control = self.control.borrow_mut();
        if !control.run.is_bypassed() {
            let bit = 1 << control.run.current;
            control.run.roots &= !bit;
        }
    }

    fn exploring(&self) -> bool {
        true
    }
}

impl Conductor<'_> {
    /// The object's number. Of one that is met for the first time the program is asked whether it watches it and how it
    /// calls it.
    #[inline]
    fn meet(&self, control: &mut Control, object: Object) -> ObjectId {
        let (id, new) = control.learned.objects.id(object);
        if new {
            // `settled` is never active here: tasks don't run inside it.
            let program = self.program.borrow();
            if program.watches(&object) {
                control.learned.objects.watch(id);
            }
            if let Some(name) = program.called(&object) {
                control.learned.objects.call(id, name);
            }
        }
        id
    }
}
