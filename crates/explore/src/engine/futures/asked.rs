//! What is asked of futures by whoever keeps what relies on them: whether a claim holds, and which locks a set has.
//!
//! Knows nothing of how futures are computed.

use super::Futures;
use crate::engine::automaton::Automaton;
use crate::engine::claims::{Claim, Doing};
use crate::engine::lock_sets::{HeldId, Lock};
use crate::engine::objects::Objects;

impl Futures {
    /// Whether a claim holds by what is known.
    pub(crate) fn holds(&mut self, claim: &Claim, automaton: &Automaton, objects: &Objects) -> bool {
        match *claim {
            Claim::Apart { step, later, oracle } => {
                let step = match step {
                    Doing::Edge(edge) => self.steps[edge as usize],
                    Doing::Place(node) => self.own(node),
                };
                let later = self.later(automaton, objects, later);
                !self.conflict(step, later, oracle)
            }
            Claim::Silent { later, condition } => {
                let later = self.later(automaton, objects, later);
                !self.notifies(later, condition)
            }
        }
    }

    /// For each place whether a task that stands there is inside a transaction.
    pub(crate) fn inside(&self) -> &[bool] {
        &self.inside
    }

    /// The locks of a set.
    pub(crate) fn locks_of(&self, held: HeldId) -> &[Lock] {
        self.locks.get(held)
    }

    /// The number of the set of these locks.
    pub(crate) fn number_of(&mut self, locks: impl Iterator<Item = Lock>) -> HeldId {
        self.locks.number(locks)
    }
}
