//! How a device gets its driver and loses it. (Specification, page 2, "Probing and removing a device".)

use std::sync::Arc;

use ap_task::order::{Device, Modules, Perms, Queue};
use ap_task::{Action, DriverName, Notice, Subject, Task};
use locks::{After, Guard, Held, Mark, Nothing, marked};

use crate::bus::Bus;
use crate::device::{
    Binding, Card, CardState, Decided, DevState, DeviceKind, DeviceName, DeviceRef, Driver, QueueDevice,
    QueueState, Use,
};
use crate::ownership::Ownership;

/// Why a device was not bound or unbound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
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

/// That a queue is to be taken from its driver.
#[derive(Default)]
struct Decision<'p, 'm, 'l> {
    /// P, held by whoever decided by it, and where that began to look; nothing where it was decided otherwise (by hand,
    /// or because the queue is gone).
    by: Option<(Guard<'p, Perms, Ownership>, &'l mut Mark<'m>)>,
    /// The driver that it is taken from, when that is known.
    from: Option<DriverName>,
}

impl Decided for Decision<'_, '_, '_> {
    fn release(&mut self) {
        if let Some((ownership, mark)) = self.by.take() {
            drop(ownership);
            // It is decided: what the masks said for that is nothing to what comes.
            mark.only(|| self.from);
        }
    }
}

impl Bus {
    /// Tries all drivers for a queue that has none. D of the queue and P are held, so the masks can't change in
    /// between.
    pub(crate) fn attach_queue(
        &self,
        queue: &Arc<QueueDevice>,
        ownership: &mut Ownership,
        task: &mut Task<'_, Perms>,
    ) -> bool {
        (0..ownership.drivers.len()).any(|index| {
            let driver = ownership.drivers[index].clone();
            self.probe_queue(queue, driver, ownership, task)
        })
    }

    /// Lets one driver probe a queue.
    fn probe_queue(
        &self,
        queue: &Arc<QueueDevice>,
        driver: Driver,
        ownership: &mut Ownership,
        task: &mut Task<'_, Perms>,
    ) -> bool {
        ownership.allows(queue.apqn, &driver) && self.bind_queue(queue, driver, ownership, task)
    }

    /// Lets one driver have a queue, whatever masks and overrides say.
    fn bind_queue(
        &self,
        queue: &Arc<QueueDevice>,
        driver: Driver,
        ownership: &mut Ownership,
        task: &mut Task<'_, Perms>,
    ) -> bool {
        if driver.drives() != DeviceKind::Queue {
            return false;
        }
        ownership.announced = false;
        let taken = driver.probe(queue, task);
        if taken {
            let (mut state, task) = task.lock(&queue.state);
            let name = driver.name();
            state.binding = Some(self.binding(driver));
            task.uevent(Action::Bind, queue.subject(Some(name)));
        }
        taken
    }

    fn binding(&self, driver: Driver) -> Binding {
        Binding { driver, since: self.tickets.draw().into() }
    }

    /// Takes a queue from its driver, whatever masks and overrides say: by hand, or because it is gone. D of the queue
    /// is held.
    pub(crate) fn take_queue(&self, queue: &Arc<QueueDevice>, task: &mut Task<'_, Device>) {
        self.detach_queue(queue, &mut Decision::default(), &mut task.at());
    }

    /// Takes a queue from its driver, which may not have it any more, and gives it to the one that may; one that came
    /// into use since the mask write asked stays its user's, or becomes it again where P was let go meanwhile
    /// ([`user`](Bus::user)). D of the queue is held.
    ///
    /// One hold of P, from the decision on, unless the driver lets P go while it takes long: then who gets the queue
    /// is decided by what the masks and overrides say when it is free.
    pub(crate) fn reprobe_queue(&self, queue: &Arc<QueueDevice>, task: &mut Task<'_, Device>) {
        let done = marked(|mark| {
            let (ownership, mut task) = task.lock(&self.ownership);
            if agrees(queue, &ownership, &mut task) || self.is_users(queue, &ownership, &mut task) {
                return true;
            }
            let mut decision = Decision { by: Some((ownership, mark)), from: None };
            self.detach_queue(queue, &mut decision, &mut task);
            let Some((mut ownership, _)) = decision.by else { return false };
            self.attach_queue(queue, &mut ownership, &mut task);
            true
        });
        if done {
            return;
        }
        Notice::Free.announce();
        let (mut ownership, mut task) = task.lock(&self.ownership);
        let user = self.user(queue.apqn, &ownership, &mut task);
        match user.and_then(|name| ownership.driver(name)).cloned() {
            Some(user) => self.bind_queue(queue, user, &mut ownership, &mut task),
            None => self.attach_queue(queue, &mut ownership, &mut task),
        };
    }

    /// Whether a queue is with the driver that uses it. Nobody is asked about one that no driver has, or a default one.
    fn is_users(&self, queue: &QueueDevice, ownership: &Ownership, task: &mut Task<'_, Perms>) -> bool {
        let has = |state: &QueueState| {
            let driver = state.binding.as_ref().map(|binding| &binding.driver);
            driver.filter(|driver| !driver.is_default()).map(|driver| driver.name())
        };
        let with = queue.state.look(task, has);
        with.is_some() && self.user(queue.apqn, ownership, task) == with
    }

    /// Takes a queue from its driver, if it has one: the driver's remove callback, then ZAPQ. D of the queue is held.
    fn detach_queue(
        &self,
        queue: &Arc<QueueDevice>,
        decision: &mut Decision<'_, '_, '_>,
        task: &mut Task<'_, Perms>,
    ) {
        let binding = {
            let (mut state, _task) = task.lock(&queue.state);
            if state.binding.is_some() {
                state.state = DevState::ShuttingDown;
            }
            state.binding.clone()
        };
        let Some(Binding { driver, .. }) = binding else { return };
        decision.from = Some(driver.name());
        driver.remove(queue, decision, task);
        let (mut state, mut task) = task.lock(&queue.state);
        self.hw.zapq(queue.apqn, &mut task);
        state.state = DevState::Uninitiated;
        state.binding = None;
        task.uevent(Action::Unbind, queue.subject(None));
    }

    /// Tries all drivers for a card that has none. D of the card and P are held.
    fn attach_card(&self, card: &Arc<Card>, ownership: &mut Ownership, task: &mut Task<'_, Perms>) -> bool {
        (0..ownership.drivers.len()).any(|index| {
            let driver = ownership.drivers[index].clone();
            self.probe_card(card, driver, ownership, task)
        })
    }

    /// Lets one driver probe a card. D of the card and P are held.
    fn probe_card(
        &self,
        card: &Arc<Card>,
        driver: Driver,
        ownership: &mut Ownership,
        task: &mut Task<'_, Perms>,
    ) -> bool {
        if driver.drives() != DeviceKind::Card {
            return false;
        }
        ownership.announced = false;
        if !driver.probe_card(card, task) {
            return false;
        }
        let (mut state, task) = task.lock(&card.state);
        let name = driver.name();
        state.online = true;
        state.binding = Some(self.binding(driver));
        task.uevent(Action::Bind, card.subject(Some(name)));
        true
    }

    /// Takes a card from its driver, if it has one. D of the card is held.
    pub(crate) fn detach_card(&self, card: &Arc<Card>, task: &mut Task<'_, Device>) {
        let (mut state, task) = task.lock(&card.state);
        if state.binding.take().is_some() {
            task.uevent(Action::Unbind, card.subject(None));
        }
    }

    /// Binds a device to a driver by hand.
    ///
    /// # Errors
    /// [`BindError::NoDevice`] (`ENODEV`), [`BindError::Bound`] (`EBUSY`), [`BindError::Refused`] (`ENODEV`).
    ///
    /// # Locks
    /// Takes P for a look; then D of the device, P and what the driver's probe takes.
    pub fn bind(
        &self,
        driver: DriverName,
        name: DeviceName,
        task: &mut Task<'_, Nothing>,
    ) -> Result<(), BindError> {
        let device = self.find(name, task).ok_or(BindError::NoDevice)?;
        let driver = self.ownership.look(task, |ownership| ownership.driver(driver).cloned());
        let driver = driver.ok_or(BindError::NoDevice)?;
        self.bind_device(&device, Some(&driver), task)
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
        driver: DriverName,
        name: DeviceName,
        task: &mut Task<'_, Nothing>,
    ) -> Result<(), BindError> {
        let device = self.find(name, task).ok_or(BindError::NoDevice)?;
        if self.unbind_device(&device, driver, &mut task.at()) { Ok(()) } else { Err(BindError::NoDevice) }
    }

    /// Takes a device from a driver, if it has it.
    fn unbind_device(&self, device: &DeviceRef, driver: DriverName, task: &mut Task<'_, Modules>) -> bool {
        match device {
            DeviceRef::Card(card) => {
                let (_alive, mut task) = task.lock(&card.device);
                if card.state.look(&mut task, CardState::driver) != Some(driver) {
                    return false;
                }
                self.detach_card(card, &mut task);
            }
            DeviceRef::Queue(queue) => {
                let (_alive, mut task) = task.lock(&queue.device);
                if queue.state.look(&mut task, QueueState::driver) != Some(driver) {
                    return false;
                }
                self.take_queue(queue, &mut task);
            }
        }
        true
    }

    /// Tries all drivers for a device without one, by hand; whatever comes of it is no error.
    ///
    /// # Errors
    /// [`BindError::NoDevice`] (`ENODEV`).
    ///
    /// # Locks
    /// As [`Bus::bind`].
    pub fn drivers_probe(&self, name: DeviceName, task: &mut Task<'_, Nothing>) -> Result<(), BindError> {
        let device = self.find(name, task).ok_or(BindError::NoDevice)?;
        let _tried = self.bind_device(&device, None, task);
        Ok(())
    }

    /// Gives a device that is there and has no driver to that one, or (`None`) to the first that takes it.
    pub(crate) fn bind_device<L>(
        &self,
        device: &DeviceRef,
        wanted: Option<&Driver>,
        task: &mut Task<'_, L>,
    ) -> Result<(), BindError>
    where
        Device: After<L>,
    {
        if wanted.is_some_and(|driver| driver.drives() != device.kind()) {
            return Err(BindError::NoDevice);
        }
        let taken = match device {
            DeviceRef::Card(card) => {
                let (alive, mut task) = task.lock(&card.device);
                if !*alive {
                    return Err(BindError::NoDevice);
                }
                if card.state.look(&mut task, |state| state.binding.is_some()) {
                    return Err(BindError::Bound);
                }
                let (mut ownership, mut task) = task.lock(&self.ownership);
                match wanted {
                    None => self.attach_card(card, &mut ownership, &mut task),
                    Some(driver) => self.probe_card(card, driver.clone(), &mut ownership, &mut task),
                }
            }
            DeviceRef::Queue(queue) => {
                let (alive, mut task) = task.lock(&queue.device);
                if !*alive {
                    return Err(BindError::NoDevice);
                }
                if queue.is_bound(&mut task) {
                    return Err(BindError::Bound);
                }
                let (mut ownership, mut task) = task.lock(&self.ownership);
                match wanted {
                    None => self.attach_queue(queue, &mut ownership, &mut task),
                    Some(driver) => self.probe_queue(queue, driver.clone(), &mut ownership, &mut task),
                }
            }
        };
        if taken { Ok(()) } else { Err(BindError::Refused) }
    }

    /// Registers a driver: it is tried on every device without one, in the order in which they were made.
    ///
    /// # Locks
    /// P, and under it that of the list of drivers; then D of each device, P, and what the driver's probe takes.
    pub fn register_driver(&self, driver: Driver, task: &mut Task<'_, Modules>) {
        let name = driver.name();
        self.list_driver(driver, &mut task.at());
        self.offer_devices(name, task);
    }

    /// The first part of registering a driver: it is on the list, is asked and told from now on.
    ///
    /// # Locks
    /// P, and under it that of the list of drivers.
    pub fn list_driver(&self, driver: Driver, task: &mut Task<'_, ap_task::order::Scan>) {
        let (mut ownership, mut task) = task.lock(&self.ownership);
        self.shown.write(&mut task).0.push(driver.info());
        ownership.drivers.push(driver);
    }

    /// The second part of registering a driver, which is on the list by now: it is tried on every device without
    /// one.
    ///
    /// # Locks
    /// D of each device, P, and what the driver's probe takes.
    pub fn offer_devices(&self, driver: DriverName, task: &mut Task<'_, Modules>) {
        if !self.look(task, |registry| registry.autoprobe) {
            return;
        }
        let driver = self.ownership.look(task, |ownership| ownership.driver(driver).cloned());
        let Some(driver) = driver else { return };
        for device in self.devices_in_order(task) {
            let _refused = self.bind_device(&device, Some(&driver), task);
        }
    }

    /// Unregisters a driver: its devices lose it, last bound first.
    ///
    /// # Locks
    /// P, and under it that of the list of drivers; then D of each device, and what the driver's remove callback takes.
    pub fn unregister_driver(&self, driver: DriverName, task: &mut Task<'_, Modules>) {
        let kind = {
            let (mut ownership, mut task) = task.lock(&self.ownership);
            self.shown.write(&mut task).0.retain(|known| known.name != driver);
            let Some(at) = ownership.drivers.iter().position(|known| known.name() == driver) else { return };
            ownership.drivers.remove(at).drives()
        };
        let (mut bound, mut others): (Vec<(u64, DeviceRef)>, Vec<DeviceRef>) = Default::default();
        for device in self.devices_in_order(task) {
            match device.binding(task) {
                Some(binding) if binding.driver.name() == driver => bound.push((*binding.since, device)),
                _ => others.push(device),
            }
        }
        bound.sort_by_key(|(since, _)| std::cmp::Reverse(*since));
        // Whoever is about to bind another one knew the driver still, and holds its D until it has done so.
        others.retain(|device| device.kind() == kind);
        for device in bound.into_iter().map(|(_, device)| device).chain(others) {
            self.unbind_device(&device, driver, task);
        }
    }

    /// Announces "bindings complete" if it is due.
    ///
    /// # Locks
    /// P; under it the registry's, and A of each queue, one at a time.
    pub fn announce_bindings<L>(&self, task: &mut Task<'_, L>)
    where
        Perms: After<L>,
    {
        let (mut ownership, mut task) = task.lock(&self.ownership);
        if ownership.announced || !self.look(&mut task, |registry| registry.scanned()) {
            return;
        }
        let queues = self.queues_in_order(&mut task);
        if !queues.iter().all(|queue| queue.is_bound(&mut task)) {
            return;
        }
        ownership.announced = true;
        let count = self.configure(&mut task, |registry| {
            *registry.complete_count += 1;
            *registry.complete_count
        });
        let variables =
            vec![("BINDINGS".into(), "complete".into()), ("COMPLETECOUNT".into(), count.to_string())];
        task.uevent_with(Action::Change, Subject::ApRoot, variables);
    }

    /// Runs `act` with A of a queue and its use, which does not change meanwhile: its driver keeps it so. `None` if
    /// the device is gone.
    ///
    /// # Locks
    /// D of the queue, which keeps its binding; what its driver takes; A.
    pub(crate) fn with_steady<L, R>(
        &self,
        queue: &QueueDevice,
        task: &mut Task<'_, L>,
        act: impl FnOnce(&mut QueueState, Use, &mut Task<'_, Queue>) -> R,
    ) -> Option<R>
    where
        Device: After<L>,
    {
        // Lock order: D -> the driver's -> A
        let (alive, mut task) = task.lock(&queue.device);
        if !*alive {
            return None;
        }
        let driver = queue.state.look(&mut task, |state| state.binding.clone().map(|binding| binding.driver));
        steady(driver.as_ref(), queue, &mut task, act)
    }
}

/// Whether a queue's driver is one that `ownership` lets it have.
pub(crate) fn agrees<L>(queue: &QueueDevice, ownership: &Ownership, held: &mut Held<'_, L>) -> bool
where
    Queue: After<L>,
{
    let agrees = |state: &QueueState| {
        ownership.agrees(queue.apqn, state.binding.as_ref().map(|binding| &binding.driver))
    };
    queue.state.look(held, agrees)
}

/// Runs `act` with A of a queue and its use, which its driver keeps as it is.
pub(crate) fn steady<R>(
    driver: Option<&Driver>,
    queue: &QueueDevice,
    task: &mut Task<'_, Device>,
    act: impl FnOnce(&mut QueueState, Use, &mut Task<'_, Queue>) -> R,
) -> Option<R> {
    let (mut act, mut result) = (Some(act), None);
    let mut once = |now: Use, task: &mut Task<'_, ap_task::order::Devices>| {
        let (mut state, mut task) = task.lock(&queue.state);
        if let Some(act) = act.take() {
            result = Some(act(&mut state, now, &mut task));
        }
    };
    match driver {
        Some(driver) => driver.steady(queue.apqn, task, &mut once),
        None => once(Use::Free, &mut task.at()),
    }
    result
}
