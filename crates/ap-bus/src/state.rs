//! The bus's whole state as plain data: taken and restored at quiescence.

use ap_task::state::{Part, Unhashed};
use locks::{Held, Nothing};

use crate::bus::Bus;
use crate::device::{CardState, DeviceRef, DriverInfo, QueueState};
use crate::ownership::Ownership;
use crate::registry::Registry;

/// The bus's state. Devices are kept by reference and get their contents back, so whoever holds one goes on with it.
#[derive(Clone, Hash)]
pub struct BusState {
    /// Devices, settings.
    pub registry: Part<Registry>,
    /// What is shown of the registered drivers.
    pub shown: Part<Vec<DriverInfo>>,
    /// The cards' states, ascending.
    pub cards: Part<Vec<CardState>>,
    /// The queues' states, ascending.
    pub queues: Part<Vec<QueueState>>,
    /// Who owns a queue.
    pub ownership: Part<Ownership>,
    ticket: Unhashed<u64>,
}

impl BusState {
    /// Whether the two share all their parts.
    #[must_use]
    pub fn is(&self, other: &BusState) -> bool {
        let BusState { registry, shown, cards, queues, ownership, ticket: _ } = self;
        registry.is(&other.registry)
            && shown.is(&other.shown)
            && cards.is(&other.cards)
            && queues.is(&other.queues)
            && ownership.is(&other.ownership)
    }
}

impl Bus {
    /// Takes the state; the parts in which it is equal to `before` are shared. Nothing may be under way.
    ///
    /// # Locks
    /// All of the bus's, one at a time.
    pub fn state(&self, before: Option<&BusState>, held: &mut Held<'_, Nothing>) -> BusState {
        let registry = Part::after(before.map(|b| &b.registry), &*self.registry.read(held).0);
        // Mostly nothing of a device has changed: then nothing is cloned.
        let known = before.filter(|before| {
            before.cards.len() == registry.cards.len()
                && registry
                    .cards
                    .values()
                    .zip(&before.cards)
                    .all(|(card, at)| *card.state.lock(held).0 == *at)
        });
        let cards = known.map(|before| before.cards.clone()).unwrap_or_else(|| {
            Part::new(registry.cards.values().map(|card| card.state.lock(held).0.clone()).collect())
        });
        let known = before.filter(|before| {
            before.queues.len() == registry.queues.len()
                && registry
                    .queues
                    .values()
                    .zip(&before.queues)
                    .all(|(queue, at)| *queue.state.lock(held).0 == *at)
        });
        let queues = known.map(|before| before.queues.clone()).unwrap_or_else(|| {
            Part::new(registry.queues.values().map(|queue| queue.state.lock(held).0.clone()).collect())
        });
        let shown = Part::after(before.map(|b| &b.shown), &*self.shown.read(held).0);
        let ownership = Part::after(before.map(|b| &b.ownership), &*self.ownership.lock(held).0);
        BusState { shown, cards, queues, ownership, registry, ticket: self.tickets.peek().into() }
    }

    /// Goes to a state of this bus, from `now` if that is the one that it is in. Nothing may be under way.
    ///
    /// # Locks
    /// All of the bus's, one at a time.
    pub fn restore(&self, now: Option<&BusState>, to: &BusState, held: &mut Held<'_, Nothing>) {
        let other_devices = now.is_none_or(|now| !now.registry.is(&to.registry));
        if other_devices {
            for device in to.registry.order.values() {
                match device {
                    DeviceRef::Card(card) => *card.device.lock(held).0 = true,
                    DeviceRef::Queue(queue) => *queue.device.lock(held).0 = true,
                }
            }
            self.registry.write(held).0.clone_from(&to.registry);
        }
        if other_devices || now.is_none_or(|now| !now.cards.is(&to.cards)) {
            for (card, state) in to.registry.cards.values().zip(&to.cards) {
                card.state.lock(held).0.clone_from(state);
            }
        }
        if other_devices || now.is_none_or(|now| !now.queues.is(&to.queues)) {
            for (queue, state) in to.registry.queues.values().zip(&to.queues) {
                queue.state.lock(held).0.clone_from(state);
            }
        }
        if now.is_none_or(|now| !now.shown.is(&to.shown)) {
            self.shown.write(held).0.clone_from(&to.shown);
        }
        if now.is_none_or(|now| !now.ownership.is(&to.ownership)) {
            self.ownership.lock(held).0.clone_from(&to.ownership);
        }
        self.tickets.set(*to.ticket);
    }
}
