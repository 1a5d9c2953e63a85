//! Asking an adapter about itself through one of its queues. (Specification, pages 2 and 6.)

use std::sync::Arc;

use ap_machine::{AdapterFacts, Unanswered};
use ap_task::{Flag, Task};
use ap_types::{Apqn, DomainId, Mode};
use locks::Nothing;

use crate::bus::Bus;
use crate::device::{Card, CardState, DevState, QueueDevice, QueueState};
use crate::zcrypt::CEX4QUEUE;

/// How often a request that the hardware did not take is made again, each time after a scan.
const TRIES: u32 = 10;

/// The length up to which an adapter must take messages for its mode's request: that of CCA is longer than 4096 bytes,
/// that of EP11 is not (page 6, F01c).
fn request_length(mode: Mode) -> u32 {
    match mode {
        Mode::Cca => 8192,
        Mode::Ep11 | Mode::Accelerator | Mode::None => 4096,
    }
}

/// Through which queue an adapter is asked.
#[derive(Clone, Copy)]
pub enum Through<'q> {
    /// Through any that can be asked.
    Any,
    /// Through that very one.
    Queue(&'q Arc<QueueDevice>),
    /// Through that of the default domain, where kernels do so ([`Flag::SerialOfDefaultDomain`]), else any.
    DefaultDomain,
}

/// The device that was asked about is gone (`ENODEV`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such device")]
pub struct AskError;

impl Card {
    /// Whether its queues can be asked, by the bus's own picture (page 6, F01): it has its driver, is switched on,
    /// configured and not checkstopped, and takes messages as long as the request.
    fn can_be_asked(&self, now: &CardState) -> bool {
        now.binding.is_some()
            && now.online
            && now.config
            && !now.chkstop
            && self.max_message >= request_length(self.mode)
    }
}

impl QueueDevice {
    /// Whether it can be asked, by the bus's own picture, if its card can be. `secure`: only if it is bound, as far as
    /// the bus has seen.
    fn can_be_asked(&self, now: &QueueState, secure: bool) -> bool {
        now.state == DevState::Operating
            && now.online
            && now.config
            && !now.chkstop
            && (!secure || self.secure_execution && now.secure.seen.is_bound())
    }
}

impl Bus {
    /// Asks an adapter about itself. If no queue can be asked, a scan is forced. If the hardware does not take the
    /// request, one is forced, too, and it is tried again (`DEV-014`). Without an answer it is the last one, where
    /// kernels keep it (page 7, `answers-forgotten`), or `None`.
    ///
    /// # Errors
    /// [`AskError`]: a scan that was forced has removed the device.
    ///
    /// # Locks
    /// A of the card and of each queue, one at a time; S and what a scan takes.
    pub fn ask_adapter(
        &self,
        card: &Arc<Card>,
        through: Through<'_>,
        task: &mut Task<'_, Nothing>,
    ) -> Result<Option<AdapterFacts>, AskError> {
        let answer = self.ask_again(card, through, task)?;
        if self.kernel.has(Flag::AnswersForgotten) {
            return Ok(answer);
        }
        let keep = |told: &mut Option<Arc<AdapterFacts>>| match answer {
            Some(facts) => {
                *told = Some(Arc::new(facts.clone()));
                Some(facts)
            }
            None => told.as_deref().cloned(),
        };
        Ok(match through {
            Through::Queue(queue) => keep(&mut task.lock(&queue.state).0.told),
            Through::Any | Through::DefaultDomain => keep(&mut task.lock(&card.state).0.told),
        })
    }

    fn ask_again(
        &self,
        card: &Arc<Card>,
        through: Through<'_>,
        task: &mut Task<'_, Nothing>,
    ) -> Result<Option<AdapterFacts>, AskError> {
        for _ in 0..TRIES {
            let again = match self.ask_once(card, through, task) {
                Ok(facts) => return Ok(Some(facts)),
                Err(NoAnswer::Refused) => return Ok(None),
                Err(NoAnswer::Nobody) => false,
                Err(NoAnswer::NotTaken) => true,
            };
            self.force_scan(task);
            let there = self.look(task, |registry| match through {
                Through::Queue(queue) => registry.queues.get(&queue.apqn) == Some(queue),
                Through::Any | Through::DefaultDomain => registry.cards.get(&card.id) == Some(card),
            });
            if !there {
                return Err(AskError);
            }
            if !again {
                break;
            }
        }
        Ok(None)
    }

    fn ask_once(
        &self,
        card: &Arc<Card>,
        through: Through<'_>,
        task: &mut Task<'_, Nothing>,
    ) -> Result<AdapterFacts, NoAnswer> {
        let secure = self.look(task, |registry| registry.secure_execution);
        let of_default_domain = self.kernel.has(Flag::SerialOfDefaultDomain);
        let candidates: Vec<Arc<QueueDevice>> = match through {
            Through::Queue(queue) => vec![queue.clone()],
            Through::DefaultDomain if of_default_domain => {
                let domain = self.look(task, |registry| registry.default_domain).ok_or(NoAnswer::Refused)?;
                let queue = self.queue(Apqn::new(card.id, DomainId(domain)), task);
                let queue = queue.filter(|queue| queue.state.lock(task).0.driver() == Some(CEX4QUEUE));
                vec![queue.ok_or(NoAnswer::Refused)?]
            }
            Through::Any | Through::DefaultDomain => self.queues_of(card.id, task),
        };
        let card_can = card.can_be_asked(&task.lock(&card.state).0);
        for candidate in candidates {
            let (state, mut task) = task.lock(&candidate.state);
            if state.driver() != Some(CEX4QUEUE) {
                continue;
            }
            if matches!(through, Through::Queue(_)) && card.mode == Mode::Ep11 && !state.online {
                return Err(NoAnswer::Refused);
            }
            if card_can && candidate.can_be_asked(&state, secure) {
                return self.hw.ask(candidate.apqn, &mut task).map_err(|why| match why {
                    Unanswered::Refused => NoAnswer::Refused,
                    Unanswered::NotTaken => NoAnswer::NotTaken,
                });
            }
        }
        Err(NoAnswer::Nobody)
    }
}

/// Why there is no answer.
enum NoAnswer {
    /// The adapter has none.
    Refused,
    /// The hardware does not take the request.
    NotTaken,
    /// There is no queue that can be asked.
    Nobody,
}
