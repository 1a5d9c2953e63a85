//! A queue's state machine as far as attributes show it. (Specification, page 2, "The queue's state".)

use std::sync::Arc;

use ap_machine::Hardware;
use ap_task::order::Queue;
use ap_task::{Task, Work};
use ap_types::{ResponseCode, zapq_order_key};
use locks::{After, Held, Nothing};

use crate::bind::steady;
use crate::bus::Bus;
use crate::device::{DevState, QueueDevice, QueueState, Sm, Use};

/// How long after a reset was started the bus polls, in milliseconds.
pub const POLL_INTERVAL: u64 = 40;

/// Why a queue was not reset by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResetError {
    /// The queue is lent to somebody whom a reset would disturb (`EBUSY`).
    #[error("the queue is lent by its driver")]
    Lent,
    /// The device is gone (`ENODEV`).
    #[error("no such device")]
    Gone,
}

/// What only an exploration wants to know (`locks::hook::announce`): a queue is to be polled.
///
/// Whoever does background work polls all queues at once ([`Bus::poll`]); an exploration takes them apart.
pub struct ToPoll {
    /// The queue.
    pub queue: Arc<QueueDevice>,
    /// When.
    pub when: PollWhen,
}

/// When a queue is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollWhen {
    /// Soon.
    Due,
    /// Soon, though its last poll found nothing new: its interrupts are being enabled, and a reset by somebody else has
    /// switched them off. It is polled so for ever.
    Again,
    /// Whenever another one is: it is in error now, and every poll looks at it, though none is asked for.
    InError,
}

/// A queue whose state machine takes a step: A is held, and `now` does not change meanwhile.
pub(crate) struct Stepping<'a> {
    pub hw: &'a dyn Hardware,
    pub queue: &'a QueueDevice,
    pub state: &'a mut QueueState,
    pub now: Use,
}

impl Stepping<'_> {
    /// Initialises the queue for use by the bus: operating, and a reset is started. One that is lent is left alone:
    /// its state goes on as if the reset had succeeded (`DEV-004`).
    pub(crate) fn init(&mut self, task: &mut Task<'_, Queue>) {
        self.state.state = DevState::Operating;
        self.state.sm = Sm::ResetStart;
        match self.now {
            Use::Lent => self.state.sm = Sm::Idle,
            Use::Free => self.reset_start(task),
        }
    }

    /// Starts a reset; with the F bit while the queue is to be unbound.
    pub(crate) fn reset_start(&mut self, task: &mut Task<'_, Queue>) {
        match self.hw.rapq(self.queue.apqn, self.state.secure.unbinding, task).response_code() {
            ResponseCode::NORMAL | ResponseCode::RESET_IN_PROGRESS => {
                self.state.secure.reset_accepted();
                self.state.sm = Sm::ResetWait;
                self.poll_later(task);
            }
            _ => self.fails(),
        }
    }

    /// One step.
    pub(crate) fn step(&mut self, task: &mut Task<'_, Queue>) {
        match (self.state.sm, self.now) {
            (Sm::ResetStart | Sm::SetIrqWait, Use::Lent) => self.state.sm = Sm::Idle,
            (Sm::ResetStart, Use::Free) => self.reset_start(task),
            (Sm::ResetWait, _) => self.reset_poll(task),
            (Sm::SetIrqWait, Use::Free) => self.irq_poll(task),
            (Sm::Idle, _) => {}
        }
    }

    /// Looks once whether a reset has ended.
    fn reset_poll(&mut self, task: &mut Task<'_, Queue>) {
        let interrupts = self.queue.interrupts && self.now == Use::Free;
        let (status, info) = self.hw.tapq(self.queue.apqn, task);
        match status.response_code() {
            ResponseCode::NORMAL => {
                self.state.secure.seen = info.bind_state();
                if interrupts {
                    self.enable_interrupts(task);
                } else {
                    self.state.sm = Sm::Idle;
                }
            }
            ResponseCode::BUSY | ResponseCode::RESET_IN_PROGRESS => self.poll_later(task),
            // Later polls repeat the TAPQ: only a RAPQ that was refused is repeated (page 6, F05).
            _ => self.fails(),
        }
    }

    fn enable_interrupts(&mut self, task: &mut Task<'_, Queue>) {
        let apqn = self.queue.apqn;
        match self.hw.aqic(apqn, true, task).response_code() {
            ResponseCode::Q_NOT_AVAIL
            | ResponseCode::DECONFIGURED
            | ResponseCode::CHECKSTOPPED
            | ResponseCode::INVALID_ADDRESS => {
                task.log(3, format!("ap: Registering adapter interrupts for AP device {apqn} failed"));
                self.state.sm = Sm::Idle;
            }
            _ => {
                self.state.sm = Sm::SetIrqWait;
                self.poll_later(task);
            }
        }
    }

    /// Looks once whether the queue's interrupts are on by now.
    fn irq_poll(&mut self, task: &mut Task<'_, Queue>) {
        let (status, _) = self.hw.tapq(self.queue.apqn, task);
        if status.irq_enabled() {
            self.state.sm = Sm::Idle;
            return;
        }
        match status.response_code() {
            ResponseCode::NORMAL | ResponseCode::BUSY | ResponseCode::RESET_IN_PROGRESS => {
                task.due(Work::Poll, POLL_INTERVAL);
                self.announce(PollWhen::Again);
            }
            _ => self.fails(),
        }
    }

    fn poll_later(&self, task: &mut Task<'_, Queue>) {
        task.due(Work::Poll, POLL_INTERVAL);
        self.announce(PollWhen::Due);
    }

    fn fails(&mut self) {
        if self.state.state != DevState::LetGo {
            self.state.state = DevState::Error;
        }
        self.announce(PollWhen::InError);
    }

    fn announce(&self, when: PollWhen) {
        if let Some(queue) = self.queue.this.upgrade() {
            locks::hook::announce(|| ToPoll { queue, when });
        }
    }
}

/// Whether a poll looks at a queue: not if it is uninitiated, deconfigured or checkstopped, or has no driver; nor if it
/// is going and perhaps still lent (page 6, F16; `DEV-004`).
fn is_due(state: &QueueState) -> bool {
    state.binding.is_some()
        && !matches!(state.state, DevState::Uninitiated | DevState::ShuttingDown)
        && state.config
        && !state.chkstop
        && state.sm != Sm::Idle
}

impl QueueDevice {
    /// Its driver, which gives it back, has it lent to nobody any more, and goes on with what it has to do. Whoever
    /// is taking the queue waits for that.
    ///
    /// # Locks
    /// A.
    pub fn let_go<H>(&self, held: &mut Held<'_, H>)
    where
        Queue: After<H>,
    {
        let (mut state, _held) = self.state.lock(held);
        if state.state == DevState::ShuttingDown {
            state.state = DevState::LetGo;
        }
    }
}

impl Bus {
    /// Polls all queues that have a driver and are neither uninitiated, deconfigured nor checkstopped, in the order of
    /// the reference's hash table (page 6, F07; page 3 says which); equal ones: last bound first.
    ///
    /// # Locks
    /// The registry's, for reading. Per queue: A; then A, what its driver takes, and A.
    pub fn poll(&self, task: &mut Task<'_, Nothing>) {
        // Of many queues few are due: only those are put in order. One that becomes due meanwhile has a poll of its own.
        let mut due = Vec::new();
        for queue in self.queues_in_order(task) {
            let since = queue.state.look(task, |state| {
                state.binding.as_ref().filter(|_| is_due(state)).map(|binding| *binding.since)
            });
            due.extend(since.map(|since| (zapq_order_key(queue.apqn), std::cmp::Reverse(since), queue)));
        }
        due.sort_by_key(|(key, since, _)| (*key, *since));
        for (.., queue) in due {
            self.poll_device(&queue, task);
        }
    }

    /// Polls one queue, as [`Bus::poll`] polls all. One that is gone has no driver, so nothing happens to it.
    ///
    /// # Locks
    /// A; then A, what its driver takes, and A.
    pub fn poll_device(&self, queue: &QueueDevice, task: &mut Task<'_, Nothing>) {
        let due = |state: &QueueState| {
            let driver = state.binding.as_ref().map(|binding| binding.driver.clone());
            driver.filter(|_| is_due(state)).map(|driver| (state.state == DevState::LetGo, driver))
        };
        let Some((free, driver)) = queue.state.look(task, due) else { return };
        if free {
            // Its driver is busy with it and need not be asked: it has said that the queue is free.
            let (mut state, mut task) = task.lock(&queue.state);
            if state.state == DevState::LetGo && is_due(&state) {
                Stepping { hw: &*self.hw, queue, state: &mut state, now: Use::Free }.step(&mut task);
                return;
            }
        }
        // D is not held: whoever has taken the queue from that driver since has it polled again.
        steady(Some(&driver), queue, &mut task.at(), |state, now, task| {
            let still = state.binding.as_ref().is_some_and(|binding| binding.driver == driver);
            if still && is_due(state) {
                Stepping { hw: &*self.hw, queue, state, now }.step(task);
            }
        });
    }

    /// The `reset` attribute's store.
    ///
    /// # Errors
    /// [`ResetError::Lent`] (`EBUSY`, and nothing happened), [`ResetError::Gone`] (`ENODEV`).
    ///
    /// # Locks
    /// D of the queue, what its driver takes, A.
    pub fn reset_queue(
        &self,
        queue: &Arc<QueueDevice>,
        task: &mut Task<'_, Nothing>,
    ) -> Result<(), ResetError> {
        let done = self.with_steady(queue, task, |state, now, task| {
            if now == Use::Lent {
                return Err(ResetError::Lent);
            }
            state.sm = Sm::ResetStart;
            if matches!(state.state, DevState::Operating | DevState::Error) {
                Stepping { hw: &*self.hw, queue, state, now }.reset_start(task);
            }
            Ok(())
        });
        done.unwrap_or(Err(ResetError::Gone))
    }
}
