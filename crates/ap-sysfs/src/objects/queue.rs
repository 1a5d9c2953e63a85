//! Queues, as attributes see them.

use std::fmt::Write as _;
use std::sync::Arc;

use ap_bus::device::{DeviceName, QueueDevice, QueueState};
use ap_bus::zcrypt::CEX4QUEUE;
use ap_task::{DriverName, Subject};
use ap_types::{AdapterId, Apqn, Mode};

use crate::node::Key;
use crate::object::{Members, Object, PutMember};
use crate::objects::card;
use crate::tree::{Root, Tree};

/// A queue and its state at one moment.
pub(crate) struct QueueView {
    /// The device.
    pub device: Arc<QueueDevice>,
    /// Its state.
    pub state: QueueState,
}

/// The key of a queue.
pub(crate) fn key(queue: &QueueDevice) -> Key {
    Key::device(queue.apqn.to_u16(), queue.generation)
}

/// Appends the directory's name of the queue of that key.
pub(crate) fn name(_: &Tree, key: Key, text: &mut String) {
    let _ = write!(text, "{}", Apqn::from_u16(key.id()));
}

/// The queue of that key, if it is still that one. Takes the registry's lock for reading.
pub(crate) fn of_key(tree: &Tree, of: Key, held: Root) -> Option<Arc<QueueDevice>> {
    tree.host.bus.queue(Apqn::from_u16(of.id()), held).filter(|queue| key(queue) == of)
}

impl QueueView {
    /// The name of its driver.
    pub(crate) fn driver(&self) -> Option<DriverName> {
        self.state.driver()
    }

    /// Whether the host's default driver has it.
    pub(crate) fn is_hosts(&self) -> bool {
        self.driver() == Some(CEX4QUEUE)
    }

    /// The mode of its card.
    pub(crate) fn mode(&self) -> Mode {
        self.device.card.mode
    }

    /// The key of the card that it is on.
    pub(crate) fn card(&self) -> Key {
        card::key(&self.device.card)
    }

    /// What events about it are about.
    pub(crate) fn subject(&self) -> Subject {
        self.device.subject(self.driver())
    }
}

impl Object for QueueView {
    /// Takes the registry's lock for reading, then A of the queue.
    fn find(tree: &Tree, key: Key, held: Root) -> Option<QueueView> {
        let device = of_key(tree, key, held)?;
        let state = device.state.lock(held).0.clone();
        Some(QueueView { device, state })
    }
}

/// The queues of a card, which is the holder.
pub(crate) struct Queues;

/// Takes the registry's lock for reading.
impl Members for Queues {
    fn all(&self, tree: &Tree, card: Key, held: Root, put: &mut PutMember) {
        tree.host.bus.read(held, |registry| {
            let queues = registry.queues_of(AdapterId(card.id() as u8));
            queues.for_each(|queue| put(0, queue.apqn.to_string(), key(queue)));
        });
    }

    fn named(&self, tree: &Tree, card: Key, name: &str, held: Root) -> Option<(u8, Key)> {
        let Some(DeviceName::Queue(apqn)) = DeviceName::parse(name) else { return None };
        if u16::from(apqn.adapter.0) != card.id() {
            return None;
        }
        tree.host.bus.queue(apqn, held).map(|queue| (0, key(&queue)))
    }

    fn name(&self, tree: &Tree, _: Key, _: u8, key: Key, held: Root) -> Option<String> {
        of_key(tree, key, held).map(|queue| queue.apqn.to_string())
    }
}
