//! Mediated devices as devices: how they come and go. (Page 3, "Creating and removing mdevs".)

use std::convert::Infallible;
use std::hash::Hash;
use std::sync::Arc;

use ap_task::order::{Guests, Mdevs as MdevsLevel, Modules, Perms};
use ap_task::state::Unhashed;
use ap_task::{Action, Flag, MdevId, Notice, Subject, Task, Work};
use ap_types::{Matrix, Uuid};
use locks::{After, Held, Key, Mutex, Nothing};

use crate::driver::VfioAp;
use crate::guest::Attached;
use crate::state::{ConfigIrq, Life, Limits, Mdev, MdevDevice, Mdevs, Removing};

/// How often a guest is asked to let go of an mdev that is to be removed, in milliseconds.
const RELAY_INTERVAL: u64 = 10_000;
/// Every how many requests one is logged.
const RELAY_LOGGED: u32 = 10;

/// Why an mdev was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// One of that name is there (`EEXIST`).
    #[error("a mediated device of that name is there already")]
    Exists,
    /// The driver is being unloaded (`ENODEV`).
    #[error("the driver is being unloaded")]
    Leaving,
    /// No instances are left (`EUSERS`).
    #[error("no instances are left")]
    NoInstances,
}

/// Why an mdev was not unbound or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum UnbindMdevError {
    /// No such mdev, or it has no driver (`ENODEV`).
    #[error("no such mediated device")]
    NoDevice,
}

impl VfioAp {
    /// Makes an mdev.
    ///
    /// # Errors
    /// [`CreateError`].
    ///
    /// # Locks
    /// G, M.
    pub fn create_mdev(&self, uuid: Uuid, task: &mut Task<'_, Nothing>) -> Result<MdevId, CreateError> {
        self.create_mdev_in(uuid, None, task)
    }

    /// Makes an mdev, if the driver is still loaded for the `load`th time, as it was when whoever asks opened the file
    /// that makes them (page 6, M48).
    ///
    /// # Errors
    /// [`CreateError`].
    ///
    /// # Locks
    /// G, M.
    pub fn create_mdev_in(
        &self,
        uuid: Uuid,
        load: Option<u32>,
        task: &mut Task<'_, Nothing>,
    ) -> Result<MdevId, CreateError> {
        // Lock order: G -> M
        let (_guests, mut task) = task.lock(&self.guests);
        let (mut mdevs, task) = task.write(&self.mdevs);
        if *mdevs.leaving || load.is_some_and(|load| load != *mdevs.load) {
            return Err(CreateError::Leaving);
        }
        if mdevs.by_uuid.contains_key(&uuid) {
            return Err(CreateError::Exists);
        }
        if mdevs.available() == 0 {
            return Err(CreateError::NoInstances);
        }
        let id = MdevId(*mdevs.next_id);
        *mdevs.next_id += 1;
        let key = Key { id: 0x2_0000, generation: id.0 };
        let groups = mdevs.numbers.take();
        let limits = Limits::of(mdevs.config.as_ref());
        let mdev = Mdev {
            uuid,
            life: Life::Live(None),
            matrix: Matrix::default(),
            shadow: Matrix::default(),
            limits,
            shadow_limits: limits,
            adding: Matrix::default(),
            fresh: Unhashed(true),
            config: ConfigIrq::default(),
            groups,
            device: Unhashed(Arc::new(MdevDevice { device: Mutex::new(key, true) })),
        };
        task.uevent(Action::Add, Subject::Mdev { id, uuid, bound: false });
        task.log(6, format!("vfio_ap_mdev {uuid}: Adding to iommu group {}", groups.iommu_group));
        task.uevent(
            Action::Add,
            Subject::VfioGroup { id, number: groups.vfio_group, iommu_group: groups.iommu_group },
        );
        task.uevent(Action::Add, Subject::VfioDevice { id, uuid, number: mdev.groups.vfio_device });
        task.uevent(Action::Bind, Subject::Mdev { id, uuid, bound: true });
        mdevs.by_uuid.insert(uuid, id);
        mdevs.list.insert(id, mdev);
        Ok(id)
    }

    /// Removes an mdev; waits for the guest that holds it.
    ///
    /// # Errors
    /// [`UnbindMdevError::NoDevice`] (`ENODEV`).
    ///
    /// # Locks
    /// D of the mdev; under it M (released while it waits), then G and M.
    pub fn remove_mdev(&self, id: MdevId, task: &mut Task<'_, Nothing>) -> Result<(), UnbindMdevError> {
        self.take_mdev(id, true, task)
    }

    /// Takes an mdev from its driver by hand; waits for the guest that holds it.
    ///
    /// # Errors
    /// [`UnbindMdevError::NoDevice`] (`ENODEV`).
    ///
    /// # Locks
    /// As [`VfioAp::remove_mdev`].
    pub fn unbind_mdev(&self, uuid: &Uuid, task: &mut Task<'_, Nothing>) -> Result<(), UnbindMdevError> {
        let found = self
            .look(task, |mdevs| mdevs.find(uuid).filter(|(_, mdev)| mdev.life.on_bus()).map(|(id, _)| id));
        let id = found.ok_or(UnbindMdevError::NoDevice)?;
        self.take_mdev(id, false, task)
    }

    /// The device of an mdev; a number is never given twice.
    fn device_of<L>(&self, id: MdevId, held: &mut Held<'_, L>) -> Option<Arc<MdevDevice>>
    where
        MdevsLevel: After<L>,
    {
        let device = |mdevs: &Mdevs| mdevs.list.get(&id).map(|mdev| mdev.device.0.clone());
        self.mdevs.look_by(held, device, |found| u64::from(found.is_some()))
    }

    fn take_mdev(
        &self,
        id: MdevId,
        whole: bool,
        task: &mut Task<'_, Nothing>,
    ) -> Result<(), UnbindMdevError> {
        let device = self.device_of(id, task).ok_or(UnbindMdevError::NoDevice)?;
        let (mut alive, mut task) = task.lock(&device.device);
        if !*alive {
            return Err(UnbindMdevError::NoDevice);
        }
        let begun = {
            // Lock order: G -> (K ->) M. Where nobody holds it, it goes at once: no reader sees a state in between.
            let (_guests, mut task) = task.lock(&self.guests);
            self.with_asked(id, &mut task, |mdevs, attached, task| {
                let begun = mdevs.begin_removal(id, whole, self.clock().now(), attached, task)?;
                if let Begun::Free = begun {
                    self.end_removal(id, whole, mdevs, task);
                }
                Ok(begun)
            })?
        };
        match begun {
            Begun::Ended => {
                *alive = false;
                return Ok(());
            }
            Begun::Free => {
                *alive = !whole;
                return Ok(());
            }
            Begun::Open => {
                let (mdevs, _task) = task.write(&self.mdevs);
                let open = |mdevs: &mut Mdevs| mdevs.list.get(&id).is_some_and(|m| m.opening().is_some());
                drop(self.released.wait_writing_while(mdevs, open));
            }
        }
        self.end_mdev(id, whole, &mut task.at());
        if whole {
            *alive = false;
        }
        Ok(())
    }

    /// The first part of the removal of an mdev that a guest holds, for whoever can't wait: when the guest has let
    /// go, [`VfioAp::finish_removal`] must follow.
    ///
    /// # Errors
    /// [`UnbindMdevError::NoDevice`] (`ENODEV`).
    ///
    /// # Locks
    /// G, K if the guest's queues are taken at once, M.
    pub fn begin_removal(&self, id: MdevId, task: &mut Task<'_, Nothing>) -> Result<(), UnbindMdevError> {
        let (_guests, mut task) = task.lock(&self.guests);
        self.with_asked(id, &mut task, |mdevs, attached, task| {
            mdevs.begin_removal(id, true, self.clock().now(), attached, task).map(drop)
        })
    }

    /// Whether the queues of a guest are taken at once when the mdev that it holds is to be removed.
    fn clears_at_request(&self) -> bool {
        self.kernel.has(Flag::RequestClears)
    }

    /// Runs `f` with the locks of an operation that asks the guest of an mdev to let go: K if its queues are taken at
    /// once, and M. G is held.
    ///
    /// # Locks
    /// As [`VfioAp::with_guest_of`], or M.
    fn with_asked<R, E: Hash>(
        &self,
        id: MdevId,
        task: &mut Task<'_, Guests>,
        f: impl FnOnce(&mut Mdevs, &mut Option<Attached<'_>>, &mut Task<'_, MdevsLevel>) -> Result<R, E>,
    ) -> Result<R, E> {
        if self.clears_at_request() {
            return self.with_guest_of(
                |_| Ok(((), Some(id))),
                task,
                |(), mdevs, attached, task| f(mdevs, attached, task),
            );
        }
        let (mut mdevs, mut task) = task.write(&self.mdevs);
        f(&mut mdevs, &mut None, &mut task)
    }

    /// The rest of a removal that [`VfioAp::begin_removal`] began.
    ///
    /// # Errors
    /// [`UnbindMdevError::NoDevice`] (`ENODEV`).
    ///
    /// # Locks
    /// D of the mdev; under it G and M.
    pub fn finish_removal(&self, id: MdevId, task: &mut Task<'_, Nothing>) -> Result<(), UnbindMdevError> {
        let device = self.device_of(id, task).ok_or(UnbindMdevError::NoDevice)?;
        let (mut alive, mut task) = task.lock(&device.device);
        self.end_mdev(id, true, &mut task.at());
        *alive = false;
        Ok(())
    }

    /// The rest of a removal, after the guest has let go.
    fn end_mdev(&self, id: MdevId, whole: bool, task: &mut Task<'_, Perms>) {
        // Lock order: G -> M
        let (_guests, mut task) = task.lock(&self.guests);
        let (mut mdevs, mut task) = task.write(&self.mdevs);
        self.end_removal(id, whole, &mut mdevs, &mut task);
    }

    fn end_removal(&self, id: MdevId, whole: bool, mdevs: &mut Mdevs, task: &mut Task<'_, MdevsLevel>) {
        let Some(mdev) = mdevs.list.get(&id) else { return };
        let (uuid, matrix) = (mdev.uuid, mdev.matrix);
        let groups = mdev.groups;
        let (number, iommu_group) = (groups.vfio_group, groups.iommu_group);
        task.uevent(Action::Remove, Subject::VfioGroup { id, number, iommu_group });
        let linked = mdevs.linked_queues(id);
        self.reset_queues(&linked, mdevs, task);
        for apqn in linked {
            mdevs.unlink(apqn);
        }
        mdevs.assigned.remove_product(&matrix.adapters, &matrix.domains);
        mdevs.numbers.give_back(&groups);
        task.log(6, format!("vfio_ap_mdev {uuid}: Removing from iommu group {iommu_group}"));
        task.uevent(Action::Unbind, Subject::Mdev { id, uuid, bound: false });
        if whole {
            mdevs.forget(id);
            task.uevent(Action::Remove, Subject::Mdev { id, uuid, bound: false });
        } else if let Some(mdev) = mdevs.list.get_mut(&id) {
            mdev.life = Life::Unbound;
            (mdev.matrix, mdev.shadow, mdev.adding) = Default::default();
        }
    }

    /// Asks the guests whose mdevs wait to be removed, every ten seconds.
    ///
    /// # Locks
    /// G; for each such mdev K if its guest's queues are taken at once, and M.
    pub fn relay_requests(&self, task: &mut Task<'_, Nothing>) {
        let now = self.clock().now();
        let (_guests, mut task) = task.lock(&self.guests);
        let waiting = |mdev: &Mdev| matches!(mdev.life, Life::Removing(Some(_), _));
        let waiting: Vec<MdevId> = self.look(&mut task, |mdevs| {
            mdevs.list.iter().filter(|(_, mdev)| waiting(mdev)).map(|(id, _)| *id).collect()
        });
        let mut next: Option<u64> = None;
        for id in waiting {
            let asked: Result<Option<u64>, Infallible> =
                self.with_asked(id, &mut task, |mdevs, attached, task| {
                    Ok(mdevs.list.get_mut(&id).and_then(|mdev| mdev.relay(now, attached, task)))
                });
            let Ok(at) = asked;
            next = [next, at].into_iter().flatten().min();
        }
        if let Some(at) = next {
            task.due(Work::Relay, at - now);
        }
    }

    /// All mdevs go, oldest first: the driver is being unloaded (nobody has one open: that holds the module).
    pub(crate) fn remove_all_mdevs(&self, task: &mut Task<'_, Modules>) {
        let all: Vec<MdevId> = self.look(task, |mdevs| mdevs.list.keys().copied().collect());
        for id in all {
            let Some(device) = self.device_of(id, task) else { continue };
            let (mut alive, mut task) = task.lock(&device.device);
            if !std::mem::replace(&mut *alive, false) {
                continue;
            }
            let unbound = {
                let (mut mdevs, task) = task.write(&self.mdevs);
                let Some(mdev) = mdevs.list.get_mut(&id) else { continue };
                let (uuid, number) = (mdev.uuid, mdev.groups.vfio_device);
                if mdev.life.is_unbound() {
                    mdevs.forget(id);
                    task.uevent(Action::Remove, Subject::Mdev { id, uuid, bound: false });
                    true
                } else {
                    mdev.begins_removal(true);
                    task.uevent(Action::Remove, Subject::VfioDevice { id, uuid, number });
                    false
                }
            };
            if !unbound {
                self.end_mdev(id, true, &mut task.at());
            }
        }
    }
}

/// How far a removal is after its first part.
enum Begun {
    /// Only the device was left, and is gone.
    Ended,
    /// Nobody has the mdev open: it can go on.
    Free,
    /// A guest must let go first.
    Open,
}

impl Mdevs {
    /// The first part of a removal: the mdev can't be opened any more, and a guest that holds it is asked to let go.
    fn begin_removal(
        &mut self,
        id: MdevId,
        whole: bool,
        now: u64,
        attached: &mut Option<Attached<'_>>,
        task: &Task<'_, MdevsLevel>,
    ) -> Result<Begun, UnbindMdevError> {
        let mdev = self.list.get_mut(&id).ok_or(UnbindMdevError::NoDevice)?;
        let uuid = mdev.uuid;
        if mdev.life.is_unbound() {
            if !whole {
                return Err(UnbindMdevError::NoDevice);
            }
            self.forget(id);
            task.uevent(Action::Remove, Subject::Mdev { id, uuid, bound: false });
            return Ok(Begun::Ended);
        }
        mdev.begins_removal(whole);
        task.uevent(Action::Remove, Subject::VfioDevice { id, uuid, number: mdev.groups.vfio_device });
        if mdev.opening().is_none() {
            return Ok(Begun::Free);
        }
        mdev.relay(now, attached, task);
        task.due(Work::Relay, RELAY_INTERVAL);
        Ok(Begun::Open)
    }

    fn forget(&mut self, id: MdevId) {
        if let Some(mdev) = self.list.remove(&id) {
            self.by_uuid.remove(&mdev.uuid);
        }
    }
}

impl Mdev {
    /// Asks the guest to let go, through its request interrupt, if that is due; answers when it is due next. Where the
    /// guest is `attached` its queues are taken first.
    fn relay(
        &mut self,
        now: u64,
        attached: &mut Option<Attached<'_>>,
        task: &Task<'_, MdevsLevel>,
    ) -> Option<u64> {
        let uuid = self.uuid;
        let Life::Removing(opening, Removing { asked, next, cleared, .. }) = &mut self.life else {
            return None;
        };
        opening.as_ref()?;
        if now < next.0 {
            return Some(next.0);
        }
        if let Some(attached) = attached {
            attached.clear_masks(task);
            *cleared = true;
            self.config.signal();
        }
        next.0 = now + RELAY_INTERVAL;
        let number = asked.0;
        asked.0 += 1;
        let request = opening.as_mut().and_then(|opening| opening.request.as_mut());
        Notice::Asked { signalled: request.is_some() }.announce();
        match request {
            Some(count) => {
                if number % RELAY_LOGGED == 0 {
                    task.log(5, format!("vfio_ap_mdev {uuid}: Relaying device request to user (#{number})"));
                }
                count.0 += 1;
            }
            None if number == 0 => {
                let text = "No device request registered, blocked until released by user";
                task.log(5, format!("vfio_ap_mdev {uuid}: {text}"));
            }
            None => {}
        }
        Some(next.0)
    }
}
