//! What a task's operations report and announce, and to whom it goes.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use ap_bus::queue::ToPoll;
use ap_task::{Event, Notice, Sink, Work};

use crate::scenario::background::Due;
use crate::scenario::sweeps::Sweeps;
use crate::scenario::told::Told;
use crate::scenario::turn::{Call, Turn};
use crate::scenario::watch::{Guest, Taken, Watch};

/// The sink of one task, which hears its announcements, too.
pub(super) struct TaskSink {
    due: Rc<Due>,
    watch: Rc<Watch>,
    taken: Taken,
    turn: Rc<dyn Turn>,
    /// The guest that asks for the operation itself.
    asked_by: RefCell<Option<Guest>>,
}

impl TaskSink {
    /// The sink of a task that reports to these.
    pub(super) fn new(due: Rc<Due>, watch: Rc<Watch>, turn: Rc<dyn Turn>) -> TaskSink {
        TaskSink { due, watch, taken: Taken::default(), turn, asked_by: RefCell::default() }
    }

    /// Another operation of the task begins; a guest may have asked for it itself.
    pub(super) fn begin(&self, asked_by: Option<Guest>) {
        self.taken.begin();
        self.asked_by.replace(asked_by);
    }

    /// The machine's operator changed something.
    pub(super) fn changed(&self) {
        self.due.changed();
    }

    /// The call that is being made is not one piece.
    pub(super) fn sweeps(&self, what: Sweeps) {
        self.turn.sweeps(what);
    }

    /// Hears what the task announces, as far as it is a [`Notice`] or says that a queue is [`ToPoll`].
    pub(super) fn hear(&self, what: &dyn Any) {
        if let Some(ToPoll { queue, when }) = what.downcast_ref() {
            return self.due.poll(queue, *when);
        }
        let Some(notice) = what.downcast_ref::<Notice>() else { return };
        match *notice {
            Notice::MachineChanged => self.turn.before(Call::Any),
            Notice::Committed | Notice::Free => self.turn.before(Call::Revision),
            Notice::LetGo { queue, assigned } => self.taken.let_go(queue, assigned),
            Notice::ResetEnded { queue, noted } => self.watch.reset_ended(queue, noted),
            Notice::Asked { .. } => {}
        }
    }
}

impl Sink for TaskSink {
    fn event(&self, event: Event) {
        // A handle of its own: the task may be suspended in the oracle's step.
        let asked_by = self.asked_by.borrow().clone();
        if Told::is_of(&event) {
            locks::hook::note(|| Told::of(&event).to_string());
        }
        self.watch.see(&event, asked_by.as_ref(), &self.taken);
    }

    fn due(&self, work: Work, in_ms: u64) {
        match work {
            Work::Scan if in_ms == 0 => self.due.scan(),
            // Polls are asked for one by one, as notices; later scans and requests to guests are left out.
            Work::Poll | Work::Scan | Work::Relay => {}
        }
    }
}
