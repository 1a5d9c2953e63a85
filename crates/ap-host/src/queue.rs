//! A queue's state machine as far as attributes show it. (Specification, page 2, "The queue's state".)

use std::sync::Arc;

use ap_types::{Apqn, ResponseCode};
use locks::{After, Held, Nothing};

use crate::Host;
use crate::device::{DevState, QueueDevice, QueueState, Sm};
use crate::driver::DriverId;
use crate::event::Sink;
use crate::order::{Mdevs, Queue};

/// How long after a reset was started the bus polls, in milliseconds.
pub const POLL_INTERVAL: u64 = 40;

/// Why a queue was not reset by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResetError {
    /// The queue is in a running guest's APCB (`EBUSY`).
    #[error("the queue is in use by a running guest")]
    InGuest,
    /// The device is gone (`ENODEV`).
    #[error("no such device")]
    Gone,
}

impl Host {
    /// Initialises a queue for use by the bus: operating, and a reset is started unless the queue is a running
    /// guest's, whose RAPQ is left out (`DEV-004`).
    ///
    /// # Locks
    /// Takes M, so that no guest can get the queue between the look and the reset, then A.
    pub(crate) fn start_queue<H>(&self, queue: &Arc<QueueDevice>, held: &mut Held<'_, H>, out: &dyn Sink)
    where
        Mdevs: After<H>,
    {
        // Lock order: M -> A
        let (mdevs, mut held) = self.mdevs.lock(held);
        let in_guest = mdevs.in_running_guest(queue.apqn);
        let (mut state, mut held) = queue.state.lock(&mut held);
        self.init_queue(queue.apqn, &mut state, in_guest, &mut held, out);
    }

    /// The same with A held already. `in_guest`: the state goes on as if the reset had succeeded.
    pub(crate) fn init_queue(
        &self,
        apqn: Apqn,
        state: &mut QueueState,
        in_guest: bool,
        held: &mut Held<'_, Queue>,
        out: &dyn Sink,
    ) {
        state.state = DevState::Operating;
        state.sm = Sm::ResetStart;
        if in_guest {
            state.sm = Sm::Idle;
        } else {
            self.reset_start(apqn, state, false, held, out);
        }
    }

    /// Starts a reset; `unbind`: with the F bit.
    pub(crate) fn reset_start(
        &self,
        apqn: Apqn,
        state: &mut QueueState,
        unbind: bool,
        held: &mut Held<'_, Queue>,
        out: &dyn Sink,
    ) {
        match self.hw.rapq(apqn, unbind, held, out).response_code() {
            ResponseCode::NORMAL | ResponseCode::RESET_IN_PROGRESS => {
                state.sm = Sm::ResetWait;
                out.poll(apqn, POLL_INTERVAL);
            }
            _ => {
                state.state = DevState::Error;
                out.in_error(apqn);
            }
        }
    }

    /// Polls a reset once.
    fn reset_poll(
        &self,
        apqn: Apqn,
        state: &mut QueueState,
        interrupts: bool,
        held: &mut Held<'_, Queue>,
        out: &dyn Sink,
    ) {
        match self.hw.tapq(apqn, held).0.response_code() {
            ResponseCode::NORMAL if interrupts => self.enable_interrupts(apqn, state, held, out),
            ResponseCode::NORMAL => state.sm = Sm::Idle,
            ResponseCode::BUSY | ResponseCode::RESET_IN_PROGRESS => out.poll(apqn, POLL_INTERVAL),
            _ => {
                // In error a reset is to be started: each later poll repeats the RAPQ (page 2).
                state.state = DevState::Error;
                state.sm = Sm::ResetStart;
                out.in_error(apqn);
            }
        }
    }

    fn enable_interrupts(
        &self,
        apqn: Apqn,
        state: &mut QueueState,
        held: &mut Held<'_, Queue>,
        out: &dyn Sink,
    ) {
        match self.hw.aqic(apqn, true, held, out).response_code() {
            ResponseCode::Q_NOT_AVAIL
            | ResponseCode::DECONFIGURED
            | ResponseCode::CHECKSTOPPED
            | ResponseCode::INVALID_ADDRESS => {
                out.log(3, format!("ap: Registering adapter interrupts for AP device {apqn} failed"));
                state.sm = Sm::Idle;
            }
            _ => {
                state.sm = Sm::SetIrqWait;
                out.poll(apqn, POLL_INTERVAL);
            }
        }
    }

    /// Polls all queues that have a driver and are neither uninitiated, deconfigured nor checkstopped.
    ///
    /// # Locks
    /// Per queue: A, or M and A where an instruction might go to a guest's queue.
    pub fn poll(&self, held: &mut Held<'_, Nothing>, out: &dyn Sink) {
        let (queues, interrupts) = {
            let (registry, _held) = self.registry.read(held);
            let queues: Vec<Arc<QueueDevice>> = registry.made_order().cloned().collect();
            (queues, registry.interrupts)
        };
        for queue in queues {
            self.poll_device(&queue, interrupts, held, out);
        }
    }

    /// Polls one queue, as [`Host::poll`] polls all.
    ///
    /// # Locks
    /// A, or M and A where an instruction might go to a guest's queue.
    pub fn poll_one(&self, apqn: Apqn, held: &mut Held<'_, Nothing>, out: &dyn Sink) {
        let (queue, interrupts) = {
            let (registry, _held) = self.registry.read(held);
            (registry.queues.get(&apqn.to_u16()).cloned(), registry.interrupts)
        };
        if let Some(queue) = queue {
            self.poll_device(&queue, interrupts, held, out);
        }
    }

    fn poll_device(
        &self,
        queue: &Arc<QueueDevice>,
        interrupts: bool,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) {
        let due = |state: &QueueState| {
            state.driver.is_some()
                && !matches!(state.state, DevState::Uninitiated | DevState::ShuttingDown)
                && state.config
                && !state.chkstop
                && state.sm != Sm::Idle
        };
        let driver = {
            let (state, _held) = queue.state.lock(held);
            if !due(&state) {
                return;
            }
            state.driver
        };
        if driver == Some(DriverId::VfioAp) {
            // Lock order: M -> A
            let (mdevs, mut held) = self.mdevs.lock(held);
            let in_guest = mdevs.in_running_guest(queue.apqn);
            let (mut state, mut held) = queue.state.lock(&mut held);
            if due(&state) {
                self.poll_queue(queue.apqn, &mut state, interrupts, in_guest, &mut held, out);
            }
        } else {
            let (mut state, mut held) = queue.state.lock(held);
            if due(&state) {
                self.poll_queue(queue.apqn, &mut state, interrupts, false, &mut held, out);
            }
        }
    }

    /// One step of the state machine.
    pub(crate) fn poll_queue(
        &self,
        apqn: Apqn,
        state: &mut QueueState,
        interrupts: bool,
        in_guest: bool,
        held: &mut Held<'_, Queue>,
        out: &dyn Sink,
    ) {
        match state.sm {
            Sm::ResetStart if in_guest => state.sm = Sm::Idle,
            Sm::ResetStart => self.reset_start(apqn, state, false, held, out),
            Sm::ResetWait => self.reset_poll(apqn, state, interrupts && !in_guest, held, out),
            Sm::SetIrqWait if in_guest => state.sm = Sm::Idle,
            Sm::SetIrqWait => self.irq_poll(apqn, state, held, out),
            Sm::Idle => {}
        }
    }

    /// Looks once whether the queue's interrupts are on by now.
    fn irq_poll(&self, apqn: Apqn, state: &mut QueueState, held: &mut Held<'_, Queue>, out: &dyn Sink) {
        let (status, _) = self.hw.tapq(apqn, held);
        if status.irq_enabled() {
            state.sm = Sm::Idle;
            return;
        }
        match status.response_code() {
            ResponseCode::NORMAL | ResponseCode::BUSY | ResponseCode::RESET_IN_PROGRESS => {
                out.poll_again(apqn, POLL_INTERVAL);
            }
            _ => {
                state.state = DevState::Error;
                state.sm = Sm::ResetStart;
                out.in_error(apqn);
            }
        }
    }

    /// The `reset` attribute's store.
    ///
    /// # Errors
    /// [`ResetError::InGuest`] (`EBUSY`, and nothing happened), [`ResetError::Gone`].
    ///
    /// # Locks
    /// M, then A.
    pub fn reset_queue(
        &self,
        queue: &Arc<QueueDevice>,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), ResetError> {
        // Lock order: M -> A
        let (mdevs, mut held) = self.mdevs.lock(held);
        if mdevs.in_running_guest(queue.apqn) {
            return Err(ResetError::InGuest);
        }
        let (mut state, mut held) = queue.state.lock(&mut held);
        state.sm = Sm::ResetStart;
        if matches!(state.state, DevState::Operating | DevState::Error) {
            self.reset_start(queue.apqn, &mut state, false, &mut held, out);
        }
        Ok(())
    }
}
