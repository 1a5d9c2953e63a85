//! The host's default drivers, as far as sysfs shows them. (Specification, page 2.)

use std::sync::Arc;

use ap_machine::Hardware;
use ap_task::order::Perms;
use ap_task::{Action, DriverName, Task};
use locks::Nothing;

use crate::bus::Bus;
use crate::device::{ApDriver, Card, DevState, DeviceKind, QueueDevice, Sm, Use};
use crate::queue::Stepping;

/// The module that both belong to.
const MODULE: &str = "zcrypt_cex4";
/// The name of the host's driver of cards.
pub const CEX4CARD: DriverName = DriverName("cex4card");
/// The name of the host's default driver of queues.
pub const CEX4QUEUE: DriverName = DriverName("cex4queue");

/// Why a device was not switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OnlineError {
    /// The card or queue is deconfigured or checkstopped, or gone (`ENODEV`).
    #[error("the device is deconfigured or checkstopped")]
    NotUsable,
    /// The value is neither 0 nor 1, or the queue's card is switched off (`EINVAL`).
    #[error("not a value for it now")]
    Invalid,
}

/// The host's driver of cards.
pub struct Cex4Card;

impl ApDriver for Cex4Card {
    fn name(&self) -> DriverName {
        CEX4CARD
    }

    fn module(&self) -> &'static str {
        MODULE
    }

    fn drives(&self) -> DeviceKind {
        DeviceKind::Card
    }

    fn is_default(&self) -> bool {
        true
    }

    fn probe_card(&self, card: &Card, _task: &mut Task<'_, Perms>) -> bool {
        card.has_mode()
    }

    fn probe(&self, _queue: &Arc<QueueDevice>, _task: &mut Task<'_, Perms>) -> bool {
        false
    }
}

/// The host's default driver of queues.
pub struct Cex4Queue {
    hw: Arc<dyn Hardware>,
}

impl Cex4Queue {
    /// The driver, for queues of that machine.
    #[must_use]
    pub fn new(hw: Arc<dyn Hardware>) -> Self {
        Cex4Queue { hw }
    }
}

impl ApDriver for Cex4Queue {
    fn name(&self) -> DriverName {
        CEX4QUEUE
    }

    fn module(&self) -> &'static str {
        MODULE
    }

    fn is_default(&self) -> bool {
        true
    }

    /// Takes a queue whose card has a driver, and initialises it.
    fn probe(&self, queue: &Arc<QueueDevice>, task: &mut Task<'_, Perms>) -> bool {
        if !queue.card.has_mode() || queue.card.state.look(task, |state| state.binding.is_none()) {
            return false;
        }
        let (mut state, mut task) = task.lock(&queue.state);
        state.online = true;
        if state.config && !state.chkstop {
            let mut machine = Stepping { hw: &*self.hw, queue, state: &mut state, now: Use::Free };
            machine.init(&mut task);
            machine.step(&mut task);
        } else {
            state.state = DevState::Operating;
            state.sm = Sm::ResetStart;
        }
        true
    }
}

impl Bus {
    /// Switches a card, and with it all its queues that `cex4queue` has, in the order in which they were bound.
    ///
    /// # Errors
    /// [`OnlineError`].
    ///
    /// # Locks
    /// Switches; under it A of the card, then A of each queue, one at a time.
    pub fn switch_card(
        &self,
        card: &Arc<Card>,
        on: bool,
        task: &mut Task<'_, Nothing>,
    ) -> Result<(), OnlineError> {
        let flag = vec![("ONLINE".to_owned(), u8::from(on).to_string())];
        // Else a queue could be switched on by whoever saw the card while it was.
        let (_switches, mut task) = task.lock(&self.switches);
        {
            let (mut state, task) = task.lock(&card.state);
            if on && (!state.config || state.chkstop) {
                return Err(OnlineError::NotUsable);
            }
            state.online = on;
            task.uevent_with(Action::Change, card.subject(state.driver()), flag.clone());
        }
        let queues = self.queues_of(card.id, &mut task);
        let mut bound = Vec::new();
        for queue in queues {
            let (state, _task) = task.lock(&queue.state);
            if state.driver() == Some(CEX4QUEUE)
                && let Some(since) = state.binding.as_ref().map(|binding| *binding.since)
            {
                bound.push((since, queue.clone()));
            }
        }
        bound.sort_by_key(|(at, _)| *at);
        for (_, queue) in bound {
            let (mut state, task) = task.lock(&queue.state);
            if state.driver() == Some(CEX4QUEUE) && std::mem::replace(&mut state.online, on) != on {
                task.uevent_with(Action::Change, queue.subject(state.driver()), flag.clone());
            }
        }
        Ok(())
    }

    /// Switches a queue.
    ///
    /// # Errors
    /// [`OnlineError`].
    ///
    /// # Locks
    /// Switches; under it A of the card, then A of the queue, one at a time.
    pub fn switch_queue(
        &self,
        queue: &Arc<QueueDevice>,
        on: bool,
        task: &mut Task<'_, Nothing>,
    ) -> Result<(), OnlineError> {
        let (_switches, mut task) = task.lock(&self.switches);
        let card = queue.card.state.lock(&mut task).0.clone();
        let (mut state, task) = task.lock(&queue.state);
        if on {
            if !state.config || state.chkstop || !card.config || card.chkstop {
                return Err(OnlineError::NotUsable);
            }
            if !card.online {
                return Err(OnlineError::Invalid);
            }
        }
        state.online = on;
        let flag = vec![("ONLINE".to_owned(), u8::from(on).to_string())];
        task.uevent_with(Action::Change, queue.subject(state.driver()), flag);
        Ok(())
    }
}
