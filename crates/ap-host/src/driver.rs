//! Which drivers there are, and how a device is bound to one. (Specification, page 2.)

use std::sync::Arc;

use ap_types::{AdapterId, Apqn};
use locks::{Held, Nothing};

use crate::Host;
use crate::device::{Card, DevState, QueueDevice};
use crate::event::{Action, Sink};
use crate::order::{Device, Perms as PermsLevel};
use crate::perms::Perms;
use crate::registry::DeviceRef;

/// A driver of the AP bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DriverId {
    /// The host's driver of cards.
    Cex4Card,
    /// The host's default driver of queues.
    Cex4Queue,
    /// The driver that gives queues to guests.
    VfioAp,
}

impl DriverId {
    /// All of them.
    pub const ALL: [DriverId; 3] = [DriverId::Cex4Card, DriverId::Cex4Queue, DriverId::VfioAp];

    /// The directory's name below `/sys/bus/ap/drivers`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DriverId::Cex4Card => "cex4card",
            DriverId::Cex4Queue => "cex4queue",
            DriverId::VfioAp => "vfio_ap",
        }
    }

    /// The module that it belongs to.
    #[must_use]
    pub fn module(self) -> &'static str {
        match self {
            DriverId::Cex4Card | DriverId::Cex4Queue => "zcrypt_cex4",
            DriverId::VfioAp => "vfio_ap",
        }
    }

    /// The driver of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<DriverId> {
        Self::ALL.into_iter().find(|driver| driver.name() == name)
    }

    /// Whether the driver is a default one: it takes what apmask and aqmask reserve for the host.
    #[must_use]
    pub fn is_default(self) -> bool {
        self != DriverId::VfioAp
    }

    fn takes_cards(self) -> bool {
        self == DriverId::Cex4Card
    }
}

/// A device of the AP bus, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeviceName {
    /// A card.
    Card(AdapterId),
    /// A queue.
    Queue(Apqn),
}

impl DeviceName {
    /// Parses `cardAA` or `AA.DDDD`.
    #[must_use]
    pub fn parse(text: &str) -> Option<DeviceName> {
        match text.strip_prefix("card") {
            Some(hex) if hex.len() == 2 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) => {
                u8::from_str_radix(hex, 16).ok().map(|id| DeviceName::Card(AdapterId(id)))
            }
            Some(_) => None,
            None => text.parse().ok().map(DeviceName::Queue),
        }
    }
}

/// Why a device was not bound or unbound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// No such device, one of a type that the driver doesn't know, or one that isn't bound to this driver.
    #[error("no such device")]
    NoDevice,
    /// It has a driver already.
    #[error("the device is bound already")]
    Bound,
    /// The driver refused it.
    #[error("the driver refused the device")]
    Refused,
}

impl Host {
    /// Tries all drivers for a queue that has none. P is held, so the masks can't change in between.
    pub(crate) fn attach_queue(
        &self,
        queue: &Arc<QueueDevice>,
        perms: &mut Perms,
        held: &mut Held<'_, PermsLevel>,
        out: &dyn Sink,
    ) -> bool {
        let drivers = self.core.read(held).0.drivers.clone();
        drivers.into_iter().any(|driver| self.probe_queue(queue, driver, perms, held, out))
    }

    /// Lets one driver probe a queue. (Page 2, "Probing and removing a device".)
    pub(crate) fn probe_queue(
        &self,
        queue: &Arc<QueueDevice>,
        driver: DriverId,
        perms: &mut Perms,
        held: &mut Held<'_, PermsLevel>,
        out: &dyn Sink,
    ) -> bool {
        if driver.takes_cards() || perms.reserved(queue.apqn) != driver.is_default() {
            return false;
        }
        perms.announced = false;
        let taken = match driver {
            DriverId::VfioAp => self.vfio_probe_queue(queue, held, out),
            _ => self.cex4_probe_queue(queue, held, out),
        };
        if taken {
            let (mut state, _held) = queue.state.lock(held);
            state.driver = Some(driver);
            state.bound_at = self.tickets.draw().into();
            out.uevent(Action::Bind, queue.subject(Some(driver)));
        }
        taken
    }

    /// Takes a queue from its driver, if it has one: the driver's remove callback, then ZAPQ.
    pub(crate) fn detach_queue(
        &self,
        queue: &Arc<QueueDevice>,
        held: &mut Held<'_, PermsLevel>,
        out: &dyn Sink,
    ) {
        let driver = {
            let (mut state, _held) = queue.state.lock(held);
            if state.driver.is_some() {
                state.state = DevState::ShuttingDown;
            }
            state.driver
        };
        let Some(driver) = driver else { return };
        if driver == DriverId::VfioAp {
            self.vfio_remove_queue(queue, held, out);
        }
        let (mut state, mut held) = queue.state.lock(held);
        self.hw.zapq(queue.apqn, &mut held, out);
        state.state = DevState::Uninitiated;
        state.driver = None;
        out.uevent(Action::Unbind, queue.subject(None));
    }

    /// Tries all drivers for a card that has none.
    pub(crate) fn attach_card(&self, card: &Arc<Card>, held: &mut Held<'_, Device>, out: &dyn Sink) -> bool {
        let drivers = self.core.read(held).0.drivers.clone();
        drivers.into_iter().any(|driver| self.probe_card(card, driver, held, out))
    }

    fn probe_card(
        &self,
        card: &Arc<Card>,
        driver: DriverId,
        held: &mut Held<'_, Device>,
        out: &dyn Sink,
    ) -> bool {
        if !driver.takes_cards() {
            return false;
        }
        self.perms.lock(held).0.announced = false;
        if !card.has_mode() {
            return false;
        }
        let (mut state, _held) = card.state.lock(held);
        state.driver = Some(driver);
        state.online = true;
        state.bound_at = self.tickets.draw().into();
        out.uevent(Action::Bind, card.subject(Some(driver)));
        true
    }

    pub(crate) fn detach_card(&self, card: &Arc<Card>, held: &mut Held<'_, Device>, out: &dyn Sink) {
        let (mut state, _held) = card.state.lock(held);
        if state.driver.take().is_some() {
            out.uevent(Action::Unbind, card.subject(None));
        }
    }

    /// Binds a device to a driver by hand.
    ///
    /// # Errors
    /// [`BindError::NoDevice`] (`ENODEV`), [`BindError::Bound`] (`EBUSY`), [`BindError::Refused`] (`ENODEV`).
    ///
    /// # Locks
    /// Takes D of the device, then P and what the driver's probe takes.
    pub fn bind(
        &self,
        driver: DriverId,
        name: DeviceName,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), BindError> {
        match self.find(name, held).ok_or(BindError::NoDevice)? {
            DeviceRef::Card(card) => {
                let (alive, mut held) = card.device.lock(held);
                if !*alive || !driver.takes_cards() {
                    return Err(BindError::NoDevice);
                }
                if card.state.lock(&mut held).0.driver.is_some() {
                    return Err(BindError::Bound);
                }
                self.probe_card(&card, driver, &mut held, out).then_some(()).ok_or(BindError::Refused)
            }
            DeviceRef::Queue(queue) => {
                let (alive, mut held) = queue.device.lock(held);
                if !*alive || driver.takes_cards() {
                    return Err(BindError::NoDevice);
                }
                if queue.state.lock(&mut held).0.driver.is_some() {
                    return Err(BindError::Bound);
                }
                let (mut perms, mut held) = self.perms.lock(&mut held);
                self.probe_queue(&queue, driver, &mut perms, &mut held, out)
                    .then_some(())
                    .ok_or(BindError::Refused)
            }
        }
    }

    /// Takes a device from a driver by hand; it is checked and detached under one hold of D.
    ///
    /// # Errors
    /// [`BindError::NoDevice`] (`ENODEV`).
    ///
    /// # Locks
    /// Takes D of the device, then what the driver's remove callback takes.
    pub fn unbind(
        &self,
        driver: DriverId,
        name: DeviceName,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), BindError> {
        match self.find(name, held).ok_or(BindError::NoDevice)? {
            DeviceRef::Card(card) => {
                let (alive, mut held) = card.device.lock(held);
                if !*alive || card.state.lock(&mut held).0.driver != Some(driver) {
                    return Err(BindError::NoDevice);
                }
                self.detach_card(&card, &mut held, out);
            }
            DeviceRef::Queue(queue) => {
                let (alive, mut held) = queue.device.lock(held);
                if !*alive || queue.state.lock(&mut held).0.driver != Some(driver) {
                    return Err(BindError::NoDevice);
                }
                self.detach_queue(&queue, &mut held.at(), out);
            }
        }
        Ok(())
    }

    /// Tries all drivers for a device without one, by hand; whatever comes of it is no error.
    ///
    /// # Errors
    /// [`BindError::NoDevice`] (`ENODEV`).
    ///
    /// # Locks
    /// As [`Host::bind`].
    pub fn drivers_probe(
        &self,
        name: DeviceName,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), BindError> {
        match self.find(name, held).ok_or(BindError::NoDevice)? {
            DeviceRef::Card(card) => self.attach_card_locked(&card, held, out),
            DeviceRef::Queue(queue) => self.attach_queue_locked(&queue, held, out),
        }
        Ok(())
    }

    fn attach_card_locked(&self, card: &Arc<Card>, held: &mut Held<'_, Nothing>, out: &dyn Sink) {
        let (alive, mut held) = card.device.lock(held);
        if *alive && card.state.lock(&mut held).0.driver.is_none() {
            self.attach_card(card, &mut held, out);
        }
    }

    fn attach_queue_locked(&self, queue: &Arc<QueueDevice>, held: &mut Held<'_, Nothing>, out: &dyn Sink) {
        let (alive, mut held) = queue.device.lock(held);
        if *alive && queue.state.lock(&mut held).0.driver.is_none() {
            let (mut perms, mut held) = self.perms.lock(&mut held);
            self.attach_queue(queue, &mut perms, &mut held, out);
        }
    }

    /// Registers a driver: it is tried on every device without one, in the order in which they were made.
    pub(crate) fn register_driver(
        &self,
        driver: DriverId,
        held: &mut Held<'_, crate::order::Modules>,
        out: &dyn Sink,
    ) {
        self.core.write(held).0.drivers.push(driver);
        self.offer_devices(driver, held, out);
    }

    /// The second part of registering a driver, which is on the list by now: it is tried on every device without
    /// one.
    pub(crate) fn offer_devices(
        &self,
        driver: DriverId,
        held: &mut Held<'_, crate::order::Modules>,
        out: &dyn Sink,
    ) {
        let autoprobe = self.registry.read(held).0.autoprobe;
        let devices = if autoprobe { self.devices_in_order(held) } else { Vec::new() };
        for device in devices {
            match device {
                DeviceRef::Card(card) if driver.takes_cards() => {
                    let (alive, mut held) = card.device.lock(held);
                    if *alive && card.state.lock(&mut held).0.driver.is_none() {
                        self.probe_card(&card, driver, &mut held, out);
                    }
                }
                DeviceRef::Queue(queue) if !driver.takes_cards() => {
                    let (alive, mut held) = queue.device.lock(held);
                    if *alive && queue.state.lock(&mut held).0.driver.is_none() {
                        let (mut perms, mut held) = self.perms.lock(&mut held);
                        self.probe_queue(&queue, driver, &mut perms, &mut held, out);
                    }
                }
                _ => {}
            }
        }
    }

    /// Unregisters a driver: its devices lose it, last bound first.
    pub(crate) fn unregister_driver(
        &self,
        driver: DriverId,
        held: &mut Held<'_, crate::order::Modules>,
        out: &dyn Sink,
    ) {
        self.core.write(held).0.drivers.retain(|known| *known != driver);
        let (mut bound, mut others): (Vec<(u64, DeviceRef)>, Vec<DeviceRef>) = Default::default();
        for device in self.devices_in_order(held) {
            match device.binding(held) {
                (Some(owner), at) if owner == driver => bound.push((at, device)),
                _ => others.push(device),
            }
        }
        bound.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        // Whoever is about to bind another one knew the driver still, and holds its D until it has done so.
        let takes = |device: &DeviceRef| matches!(device, DeviceRef::Card(_)) == driver.takes_cards();
        for device in bound.into_iter().map(|(_, device)| device).chain(others.into_iter().filter(takes)) {
            match device {
                DeviceRef::Card(card) => {
                    let (_alive, mut held) = card.device.lock(held);
                    if card.state.lock(&mut held).0.driver == Some(driver) {
                        self.detach_card(&card, &mut held, out);
                    }
                }
                DeviceRef::Queue(queue) => {
                    let (_alive, mut held) = queue.device.lock(held);
                    if queue.state.lock(&mut held).0.driver == Some(driver) {
                        self.detach_queue(&queue, &mut held.at(), out);
                    }
                }
            }
        }
    }
}
