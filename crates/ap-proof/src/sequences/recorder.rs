//! What the oracles need of an operation's events.

use std::cell::{Cell, RefCell};

use ap_task::{Action, Event, Instruction, Sink, Subject, Uevent, Work};
use ap_types::{Apqn, ResponseCode};

/// Something that matters for whose data is in which queue.
pub(super) enum Step {
    /// An instruction was issued.
    Instruction(Instruction),
    /// A driver has waited for its reset.
    ResetEnded {
        /// Of this queue.
        queue: Apqn,
        /// The answer that it goes by.
        noted: ResponseCode,
    },
    /// The bus took a queue from its driver.
    Unbound(Apqn),
}

/// What the rules need of an operation's events.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// ZAPQs, in the order of issue.
    pub zapqs: Vec<(Apqn, ResponseCode)>,
    /// How often "bindings complete" was announced.
    pub announced: u32,
    /// A device was bound after the last announcement.
    pub bound: bool,
    /// A reset was begun only after another queue's had been waited for.
    pub one_by_one: bool,
    /// A guest was asked to let go; whether through its request interrupt.
    pub asked: Option<bool>,
}

/// Keeps what happens while an operation runs.
#[derive(Default)]
pub(super) struct Recorder {
    steps: RefCell<Vec<Step>>,
    seen: RefCell<Seen>,
    poll_in: Cell<Option<u64>>,
}

impl Recorder {
    /// Keeps a step.
    pub(super) fn step(&self, step: Step) {
        self.steps.borrow_mut().push(step);
    }

    /// A guest was asked to let go; whether through its request interrupt.
    pub(super) fn asked(&self, signalled: bool) {
        self.seen.borrow_mut().asked = Some(signalled);
    }

    /// Whether a queue's first ZAPQ came after another queue's reset had been waited for.
    pub(super) fn one_by_one(&self) -> bool {
        let mut begun: Vec<(Apqn, ResponseCode)> = Vec::new();
        let mut waited = false;
        for step in &*self.steps.borrow() {
            match step {
                Step::Instruction(Instruction::Zapq(apqn, code)) => {
                    if waited && !begun.iter().any(|(known, _)| known == apqn) {
                        return true;
                    }
                    begun.push((*apqn, *code));
                }
                Step::ResetEnded { queue, .. } => {
                    let last = begun.iter().rev().find(|(known, _)| known == queue);
                    waited |= last.is_some_and(|(_, code)| *code == ResponseCode::NORMAL);
                }
                Step::Instruction(_) | Step::Unbound(_) => {}
            }
        }
        false
    }

    /// Gives each step to `follow`, in order, and forgets them.
    pub(super) fn drain(&self, mut follow: impl FnMut(Step)) {
        let mut steps = self.steps.borrow_mut();
        for step in steps.drain(..) {
            if let Step::Instruction(Instruction::Zapq(apqn, code)) = step {
                self.seen.borrow_mut().zapqs.push((apqn, code));
            }
            follow(step);
        }
    }

    /// Forgets the steps.
    pub(super) fn clear(&self) {
        self.steps.borrow_mut().clear();
    }

    /// Takes what was seen since it was taken last.
    pub(super) fn take(&self) -> Seen {
        self.seen.take()
    }

    /// When the bus polls next, in milliseconds from now.
    pub(super) fn poll_in(&self) -> Option<u64> {
        self.poll_in.get()
    }

    /// Sets when the bus polls next.
    pub(super) fn set_poll_in(&self, milliseconds: Option<u64>) {
        self.poll_in.set(milliseconds);
    }
}

impl Sink for Recorder {
    fn event(&self, event: Event) {
        match event {
            Event::Instruction(instruction) => self.step(Step::Instruction(instruction)),
            Event::Uevent(Uevent { action: Action::Bind, subject, .. }) => {
                let device = matches!(subject, Subject::Card { .. } | Subject::Queue { .. });
                self.seen.borrow_mut().bound |= device;
            }
            Event::Uevent(Uevent {
                action: Action::Unbind, subject: Subject::Queue { apqn, .. }, ..
            }) => self.step(Step::Unbound(apqn)),
            Event::Uevent(uevent) if uevent.extra.iter().any(|(key, _)| key == "BINDINGS") => {
                let mut seen = self.seen.borrow_mut();
                seen.announced += 1;
                seen.bound = false;
            }
            Event::Uevent(_) | Event::Log { .. } => {}
        }
    }

    fn due(&self, work: Work, in_ms: u64) {
        match work {
            Work::Poll => {
                let soonest = self.poll_in.get().map_or(in_ms, |before| before.min(in_ms));
                self.poll_in.set(Some(soonest));
            }
            // The periodic scan is an operation of the alphabet; guests are asked to let go without a sequence.
            Work::Scan | Work::Relay => {}
        }
    }
}
