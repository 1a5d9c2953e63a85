//! Cards, as attributes see them.

use std::fmt::Write as _;
use std::sync::Arc;

use ap_bus::device::{Card, CardState, DeviceName};
use ap_task::{DriverName, Subject};
use ap_types::AdapterId;

use crate::node::Key;
use crate::object::{Members, Object, PutMember};
use crate::tree::{Root, Tree};

/// A card and its state at one moment.
pub(crate) struct CardView {
    /// The device.
    pub device: Arc<Card>,
    /// Its state.
    pub state: CardState,
}

/// The key of a card.
pub(crate) fn key(card: &Card) -> Key {
    Key::device(u16::from(card.id.0), card.generation)
}

/// Appends the directory's name of the card of that key.
pub(crate) fn name(_: &Tree, key: Key, text: &mut String) {
    let _ = write!(text, "card{}", adapter(key));
}

fn adapter(key: Key) -> AdapterId {
    AdapterId(key.id() as u8)
}

/// The card of that key, if it is still that one. Takes the registry's lock for reading.
pub(crate) fn of_key(tree: &Tree, of: Key, held: Root) -> Option<Arc<Card>> {
    tree.host.bus.card(adapter(of), held).filter(|card| key(card) == of)
}

impl CardView {
    /// The name of its driver.
    pub(crate) fn driver(&self) -> Option<DriverName> {
        self.state.driver()
    }

    /// What events about it are about.
    pub(crate) fn subject(&self) -> Subject {
        self.device.subject(self.driver())
    }
}

impl Object for CardView {
    /// Takes the registry's lock for reading, then A of the card.
    fn find(tree: &Tree, key: Key, held: Root) -> Option<CardView> {
        let device = of_key(tree, key, held)?;
        let state = device.state.lock(held).0.clone();
        Some(CardView { device, state })
    }
}

/// All cards.
pub(crate) struct Cards;

/// Takes the registry's lock for reading.
impl Members for Cards {
    fn all(&self, tree: &Tree, _: Key, held: Root, put: &mut PutMember) {
        tree.host.bus.read(held, |registry| {
            registry.cards.values().for_each(|card| put(0, format!("card{}", card.id), key(card)));
        });
    }

    fn named(&self, tree: &Tree, _: Key, name: &str, held: Root) -> Option<(u8, Key)> {
        let Some(DeviceName::Card(id)) = DeviceName::parse(name) else { return None };
        tree.host.bus.card(id, held).map(|card| (0, key(&card)))
    }

    fn name(&self, tree: &Tree, _: Key, _: u8, key: Key, held: Root) -> Option<String> {
        of_key(tree, key, held).map(|card| format!("card{}", card.id))
    }
}
