//! The host's default drivers, as far as sysfs shows them. (Specification, page 2.)

use std::sync::Arc;

use ap_types::{AdapterId, Mode};
use locks::{Held, Nothing};

use crate::Host;
use crate::device::{Card, DevState, QueueDevice, Sm};
use crate::driver::DriverId;
use crate::event::{Action, Sink};
use crate::hardware::AdapterFacts;
use crate::order::{Perms, Queue};

/// Why a device was not switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OnlineError {
    /// The card or queue is deconfigured or checkstopped, or gone (`ENODEV`).
    #[error("the device is deconfigured or checkstopped")]
    NotUsable,
    /// The value is neither 0 nor 1, or the queue's card is switched off (`EINVAL`).
    #[error("not a value for it now")]
    Invalid,
}

impl Host {
    /// `cex4queue` probes a queue.
    pub(crate) fn cex4_probe_queue(
        &self,
        queue: &Arc<QueueDevice>,
        held: &mut Held<'_, Perms>,
        out: &dyn Sink,
    ) -> bool {
        if !queue.card.has_mode() || queue.card.state.lock(held).0.driver.is_none() {
            return false;
        }
        let interrupts = self.registry.read(held).0.interrupts;
        let (mut state, mut held) = queue.state.lock(held);
        state.online = true;
        if state.config && !state.chkstop {
            self.init_queue(queue.apqn, &mut state, false, &mut held, out);
            self.poll_queue(queue.apqn, &mut state, interrupts, false, &mut held, out);
        } else {
            state.state = DevState::Operating;
            state.sm = Sm::ResetStart;
        }
        true
    }

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
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), OnlineError> {
        let flag = vec![("ONLINE".to_owned(), u8::from(on).to_string())];
        // Else a queue could be switched on by whoever saw the card while it was.
        let (_switches, mut held) = self.switches.lock(held);
        let held = &mut held;
        {
            let (mut state, _held) = card.state.lock(held);
            if on && (!state.config || state.chkstop) {
                return Err(OnlineError::NotUsable);
            }
            state.online = on;
            out.uevent_with(Action::Change, card.subject(state.driver), flag.clone());
        }
        let queues: Vec<Arc<QueueDevice>> = self.registry.read(held).0.queues_of(card.id).cloned().collect();
        let mut bound = Vec::new();
        for queue in queues {
            let (state, _held) = queue.state.lock(held);
            if state.driver == Some(DriverId::Cex4Queue) {
                bound.push((state.bound_at.0, queue.clone()));
            }
        }
        bound.sort_by_key(|(at, _)| *at);
        for (_, queue) in bound {
            let (mut state, _held) = queue.state.lock(held);
            if state.driver == Some(DriverId::Cex4Queue) && std::mem::replace(&mut state.online, on) != on {
                out.uevent_with(Action::Change, queue.subject(state.driver), flag.clone());
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
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), OnlineError> {
        let (_switches, mut held) = self.switches.lock(held);
        let held = &mut held;
        let card = queue.card.state.lock(held).0.clone();
        let (mut state, _held) = queue.state.lock(held);
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
        out.uevent_with(Action::Change, queue.subject(state.driver), flag);
        Ok(())
    }

    fn is_bound(&self, queue: &QueueDevice, held: &mut Held<'_, Queue>) -> bool {
        self.hw.tapq(queue.apqn, held).1.bind_state().is_bound()
    }

    /// Asks an adapter about itself through a usable queue (`queue`: that very one). If there is none a scan is
    /// forced; an answer that doesn't come is `None`.
    ///
    /// # Locks
    /// A of each queue, one at a time; S and what a scan takes.
    pub fn ask_adapter(
        &self,
        adapter: AdapterId,
        queue: Option<&Arc<QueueDevice>>,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Option<AdapterFacts> {
        let secure = self.registry.read(held).0.secure_execution;
        let single = queue.is_some();
        let candidates: Vec<Arc<QueueDevice>> = match queue {
            Some(queue) => vec![queue.clone()],
            None => self.registry.read(held).0.queues_of(adapter).cloned().collect(),
        };
        for queue in candidates {
            let card = queue.card.state.lock(held).0.clone();
            let (state, mut held) = queue.state.lock(held);
            if state.driver != Some(DriverId::Cex4Queue) {
                continue;
            }
            if single && queue.card.mode == Mode::Ep11 && !state.online {
                return None;
            }
            let usable = state.state == DevState::Operating
                && state.online
                && card.online
                && state.config
                && !state.chkstop
                && (!secure || queue.secure_execution && self.is_bound(&queue, &mut held));
            if usable {
                return self.hw.ask(queue.apqn, &mut held);
            }
        }
        self.force_scan(held, out);
        None
    }
}
