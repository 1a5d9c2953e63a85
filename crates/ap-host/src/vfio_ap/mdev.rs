//! Mediated devices as devices: how they come and go. (Page 3, "Creating and removing mdevs".)

use std::collections::BTreeSet;
use std::sync::Arc;

use ap_types::{Matrix, Uuid};
use locks::{Held, Key, Mutex, Nothing};

use super::state::{Mdev, MdevId, MdevPhase, Mdevs};
use crate::Host;
use crate::event::{Action, Sink, Subject, Work};
use crate::order::Device;

/// How often a guest is asked to let go of an mdev that is to be removed, in milliseconds.
const RELAY_INTERVAL: u64 = 10_000;
/// Every how many requests one is logged.
const RELAY_LOGGED: u32 = 10;

/// An mdev's device lock.
pub struct MdevDevice {
    /// **D**: whether the device is still there; held over removal.
    pub device: Mutex<Device, bool>,
}

/// Why an mdev was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnbindMdevError {
    /// No such mdev, or it has no driver (`ENODEV`).
    #[error("no such mediated device")]
    NoDevice,
}

fn lowest_free(used: &mut BTreeSet<u32>) -> u32 {
    // Mostly there is no gap, and tens of thousands of mdevs need no look at each.
    let whole = used.last().is_none_or(|last| *last as usize + 1 == used.len());
    let number = if whole {
        used.len()
    } else {
        used.iter().zip(0..).take_while(|(used, free)| **used == *free).count()
    } as u32;
    used.insert(number);
    number
}

impl Host {
    /// Makes an mdev.
    ///
    /// # Errors
    /// [`CreateError`].
    ///
    /// # Locks
    /// D of the new device, G, M.
    pub fn create_mdev(
        &self,
        uuid: Uuid,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<MdevId, CreateError> {
        // Lock order: G -> M
        let (_guests, mut held) = self.guests.lock(held);
        let (mut mdevs, _held) = self.mdevs.lock(&mut held);
        if mdevs.leaving {
            return Err(CreateError::Leaving);
        }
        if mdevs.by_uuid.contains_key(&uuid) {
            return Err(CreateError::Exists);
        }
        if mdevs.available() == 0 {
            return Err(CreateError::NoInstances);
        }
        let id = MdevId(mdevs.next_id);
        mdevs.next_id += 1;
        let key = Key { id: 0x2_0000, generation: id.0 };
        let mdev = Mdev {
            uuid,
            phase: MdevPhase::Live,
            matrix: Matrix::default(),
            shadow: Matrix::default(),
            adding: Matrix::default(),
            fresh: true,
            guest: None,
            opener: None,
            request: None,
            iommu_group: lowest_free(&mut mdevs.iommu_groups),
            vfio_group: lowest_free(&mut mdevs.vfio_groups),
            vfio_device: lowest_free(&mut mdevs.vfio_devices),
            device: Arc::new(MdevDevice { device: Mutex::new(key, true) }),
        };
        out.uevent(Action::Add, Subject::Mdev { id, uuid, bound: false });
        out.log(6, format!("vfio_ap_mdev {uuid}: Adding to iommu group {}", mdev.iommu_group));
        out.uevent(
            Action::Add,
            Subject::VfioGroup { id, number: mdev.vfio_group, iommu_group: mdev.iommu_group },
        );
        out.uevent(Action::Add, Subject::VfioDevice { id, uuid, number: mdev.vfio_device });
        out.uevent(Action::Bind, Subject::Mdev { id, uuid, bound: true });
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
    pub fn remove_mdev(
        &self,
        id: MdevId,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), UnbindMdevError> {
        self.take_mdev(id, true, held, out)
    }

    /// Takes an mdev from its driver by hand; waits for the guest that holds it.
    ///
    /// # Errors
    /// [`UnbindMdevError::NoDevice`] (`ENODEV`).
    ///
    /// # Locks
    /// As [`Host::remove_mdev`].
    pub fn unbind_mdev(
        &self,
        uuid: &Uuid,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), UnbindMdevError> {
        let id = {
            let (mdevs, _held) = self.mdevs.lock(held);
            let found = mdevs.find(uuid).filter(|(_, mdev)| mdev.phase.on_bus());
            found.map(|(id, _)| id).ok_or(UnbindMdevError::NoDevice)?
        };
        self.take_mdev(id, false, held, out)
    }

    fn take_mdev(
        &self,
        id: MdevId,
        whole: bool,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), UnbindMdevError> {
        let device = {
            let (mdevs, _held) = self.mdevs.lock(held);
            mdevs.list.get(&id).ok_or(UnbindMdevError::NoDevice)?.device.clone()
        };
        let (mut alive, mut held) = device.device.lock(held);
        if !*alive {
            return Err(UnbindMdevError::NoDevice);
        }
        {
            // Lock order: G -> M. Where nobody holds it, it goes at once: no reader sees a state in between.
            let (guests, mut held) = self.guests.lock(&mut held);
            let (mut mdevs, mut held) = self.mdevs.lock(&mut held);
            match mdevs.begin_removal(id, whole, self.clock.now(), out)? {
                Begun::Ended => {
                    *alive = false;
                    return Ok(());
                }
                Begun::Free => {
                    self.end_removal(id, whole, &mut mdevs, &mut held, out);
                    *alive = !whole;
                    return Ok(());
                }
                Begun::Open => {
                    drop(guests);
                    let open = |mdevs: &mut Mdevs| mdevs.list.get(&id).is_some_and(|m| m.opener.is_some());
                    drop(self.released.wait_while(mdevs, open));
                }
            }
        }
        self.end_mdev(id, whole, &mut held.at(), out);
        if whole {
            *alive = false;
        }
        Ok(())
    }

    /// The first part of the removal of an mdev that a guest holds, for whoever can't wait: when the guest has let
    /// go, [`Host::finish_removal`] must follow.
    ///
    /// # Errors
    /// [`UnbindMdevError::NoDevice`] (`ENODEV`).
    ///
    /// # Locks
    /// M.
    pub fn begin_removal(
        &self,
        id: MdevId,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), UnbindMdevError> {
        self.mdevs.lock(held).0.begin_removal(id, true, self.clock.now(), out).map(drop)
    }

    /// The rest of a removal that [`Host::begin_removal`] began.
    ///
    /// # Errors
    /// [`UnbindMdevError::NoDevice`] (`ENODEV`).
    ///
    /// # Locks
    /// D of the mdev; under it G and M.
    pub fn finish_removal(
        &self,
        id: MdevId,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), UnbindMdevError> {
        let device = {
            let (mdevs, _held) = self.mdevs.lock(held);
            mdevs.list.get(&id).ok_or(UnbindMdevError::NoDevice)?.device.clone()
        };
        let (mut alive, mut held) = device.device.lock(held);
        self.end_mdev(id, true, &mut held.at(), out);
        *alive = false;
        Ok(())
    }

    /// The rest of a removal, after the guest has let go.
    fn end_mdev(&self, id: MdevId, whole: bool, held: &mut Held<'_, crate::order::Perms>, out: &dyn Sink) {
        // Lock order: G -> M
        let (_guests, mut held) = self.guests.lock(held);
        let (mut mdevs, mut held) = self.mdevs.lock(&mut held);
        self.end_removal(id, whole, &mut mdevs, &mut held, out);
    }

    fn end_removal(
        &self,
        id: MdevId,
        whole: bool,
        mdevs: &mut Mdevs,
        held: &mut Held<'_, crate::order::Mdevs>,
        out: &dyn Sink,
    ) {
        let Some(mdev) = mdevs.list.get(&id) else { return };
        let (uuid, matrix) = (mdev.uuid, mdev.matrix);
        let (iommu, group, number) = (mdev.iommu_group, mdev.vfio_group, mdev.vfio_device);
        out.uevent(Action::Remove, Subject::VfioGroup { id, number: group, iommu_group: iommu });
        let linked = mdevs.linked_queues(id);
        self.reset_queues(&linked, mdevs, held, out);
        for apqn in linked {
            mdevs.unlink(apqn);
        }
        mdevs.assigned.remove_product(&matrix.adapters, &matrix.domains);
        mdevs.iommu_groups.remove(&iommu);
        mdevs.vfio_groups.remove(&group);
        mdevs.vfio_devices.remove(&number);
        out.log(6, format!("vfio_ap_mdev {uuid}: Removing from iommu group {iommu}"));
        out.uevent(Action::Unbind, Subject::Mdev { id, uuid, bound: false });
        if whole {
            mdevs.forget(id);
            out.uevent(Action::Remove, Subject::Mdev { id, uuid, bound: false });
        } else if let Some(mdev) = mdevs.list.get_mut(&id) {
            mdev.phase = MdevPhase::Unbound;
            (mdev.matrix, mdev.shadow, mdev.adding) = Default::default();
        }
    }

    /// Asks the guests whose mdevs wait to be removed, every ten seconds.
    ///
    /// # Locks
    /// M.
    pub fn relay_requests(&self, held: &mut Held<'_, Nothing>, out: &dyn Sink) {
        let (mut mdevs, _held) = self.mdevs.lock(held);
        let now = self.clock.now();
        let mut next = None;
        for mdev in mdevs.list.values_mut() {
            if mdev.opener.is_some()
                && let Some(at) = mdev.relay(now, out)
            {
                next = Some(next.map_or(at, |next: u64| next.min(at)));
            }
        }
        if let Some(at) = next {
            out.due(Work::Relay, at - now);
        }
    }

    /// All mdevs go, oldest first: the driver is being unloaded (nobody has one open: that holds the module).
    pub(crate) fn remove_all_mdevs(&self, held: &mut Held<'_, crate::order::Modules>, out: &dyn Sink) {
        let all: Vec<MdevId> = self.mdevs.lock(held).0.list.keys().copied().collect();
        for id in all {
            let Some(device) = self.mdevs.lock(held).0.list.get(&id).map(|mdev| mdev.device.clone()) else {
                continue;
            };
            let (mut alive, mut held) = device.device.lock(held);
            if !std::mem::replace(&mut *alive, false) {
                continue;
            }
            let unbound = {
                let (mut mdevs, _held) = self.mdevs.lock(&mut held);
                let Some(mdev) = mdevs.list.get_mut(&id) else { continue };
                let (uuid, number) = (mdev.uuid, mdev.vfio_device);
                if mdev.phase == MdevPhase::Unbound {
                    mdevs.forget(id);
                    out.uevent(Action::Remove, Subject::Mdev { id, uuid, bound: false });
                    true
                } else {
                    mdev.phase = MdevPhase::Removing { asked: 0, next: 0, whole: true };
                    out.uevent(Action::Remove, Subject::VfioDevice { id, uuid, number });
                    false
                }
            };
            if !unbound {
                self.end_mdev(id, true, &mut held.at(), out);
            }
        }
    }

    /// Whether the driver may be unloaded: no guest has an mdev open, and from now on none can; its files are gone.
    pub(crate) fn may_leave(&self, held: &mut Held<'_, crate::order::Modules>) -> bool {
        // Lock order: G -> M
        let (_guests, mut held) = self.guests.lock(held);
        let (mut mdevs, mut held) = self.mdevs.lock(&mut held);
        mdevs.leaving = mdevs.list.values().all(|mdev| mdev.opener.is_none());
        if mdevs.leaving {
            self.core.write(&mut held).0.loaded.vfio_ap = false;
        }
        mdevs.leaving
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
        out: &dyn Sink,
    ) -> Result<Begun, UnbindMdevError> {
        let mdev = self.list.get_mut(&id).ok_or(UnbindMdevError::NoDevice)?;
        let uuid = mdev.uuid;
        if mdev.phase == MdevPhase::Unbound {
            if !whole {
                return Err(UnbindMdevError::NoDevice);
            }
            self.forget(id);
            out.uevent(Action::Remove, Subject::Mdev { id, uuid, bound: false });
            return Ok(Begun::Ended);
        }
        mdev.phase = MdevPhase::Removing { asked: 0, next: 0, whole };
        out.uevent(Action::Remove, Subject::VfioDevice { id, uuid, number: mdev.vfio_device });
        if mdev.opener.is_none() {
            return Ok(Begun::Free);
        }
        mdev.relay(now, out);
        out.due(Work::Relay, RELAY_INTERVAL);
        Ok(Begun::Open)
    }

    fn forget(&mut self, id: MdevId) {
        if let Some(mdev) = self.list.remove(&id) {
            self.by_uuid.remove(&mdev.uuid);
        }
    }
}

impl Mdev {
    /// Asks the guest to let go, through its request interrupt, if that is due; answers when it is due next.
    fn relay(&mut self, now: u64, out: &dyn Sink) -> Option<u64> {
        let uuid = self.uuid;
        let MdevPhase::Removing { asked, next, .. } = &mut self.phase else { return None };
        if now < *next {
            return Some(*next);
        }
        *next = now + RELAY_INTERVAL;
        let number = *asked;
        *asked += 1;
        match &mut self.request {
            Some(count) => {
                if number % RELAY_LOGGED == 0 {
                    out.log(5, format!("vfio_ap_mdev {uuid}: Relaying device request to user (#{number})"));
                }
                *count += 1;
            }
            None if number == 0 => {
                let text = "No device request registered, blocked until released by user";
                out.log(5, format!("vfio_ap_mdev {uuid}: {text}"));
            }
            None => {}
        }
        Some(*next)
    }
}
