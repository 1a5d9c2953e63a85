//! Guests: opening and closing an mdev through VFIO, and the device's ioctls. (Page 3, "Guests".)

use std::collections::BTreeMap;
use std::sync::Arc;

use ap_types::{Matrix, ResponseCode, Uuid};
use locks::{Held, Mutex, Nothing, RwLock};

use super::state::{Mdev, MdevId, MdevPhase, Mdevs};
use crate::Host;
use crate::event::{Instruction, Sink};
use crate::order::{Hook, Kvm, Memory, Vcpu};

/// A guest of the host, running or not.
pub struct Guest {
    /// Its name.
    pub name: String,
    /// Whether it has an APCB at all.
    pub has_apcb: bool,
    /// **K**.
    pub kvm: Mutex<Kvm, GuestState>,
    /// **V**: its (one) CPU; whether it is protected.
    pub vcpu: Mutex<Vcpu, bool>,
    /// **H**: the mdev that handles its AQIC.
    pub hook: RwLock<Hook, Option<MdevId>>,
    /// What is pinned and registered for it.
    pub memory: Mutex<Memory, GuestMemory>,
}

/// A guest's APCB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct GuestState {
    /// The APCB.
    pub apcb: Matrix,
    /// How often it was set.
    pub set_count: u32,
    /// How often it was cleared.
    pub clear_count: u32,
    /// It became protected.
    pub protected: bool,
}

/// What interrupts hold of a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct GuestMemory {
    /// Pinned pages and how often.
    pub pinned: BTreeMap<u64, u32>,
    /// Registrations by interruption subclass.
    pub gisc: [u32; 8],
}

/// How far an open came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenStage {
    /// There is no such mdev.
    IommuGroup,
    /// Its group is open already.
    Group,
    /// The driver refused.
    Device,
}

/// Why a guest did not get an mdev.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No such mdev, or it is being removed (`ENOENT`).
    #[error("no such mediated device")]
    NoMdev,
    /// Somebody has it open (`EBUSY`).
    #[error("the mediated device is open already")]
    Busy,
    /// There is no KVM (`EINVAL`).
    #[error("no KVM")]
    NoKvm,
    /// The KVM has an mdev already (`EPERM`).
    #[error("the guest has a mediated device already")]
    HasMdev,
}

impl OpenError {
    /// How far the open came.
    #[must_use]
    pub fn stage(self) -> OpenStage {
        match self {
            OpenError::NoMdev => OpenStage::IommuGroup,
            OpenError::Busy => OpenStage::Group,
            OpenError::NoKvm | OpenError::HasMdev => OpenStage::Device,
        }
    }
}

/// Nothing is open under that name (`ENOENT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no guest has the mediated device open")]
pub struct CloseError;

/// Why a device's ioctl failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Nothing is open under that name (`ENOENT`).
    #[error("no guest has the mediated device open")]
    NotOpen,
}

/// A reset did not end well (`EIO`), or nothing was open (`ENOENT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResetFailed {
    /// The last reset of a queue did not answer NORMAL.
    #[error("a queue's reset did not end well")]
    Failed,
    /// Nothing is open under that name.
    #[error("no guest has the mediated device open")]
    NotOpen,
}

/// The answer of GET_INFO and GET_IRQ_INFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// AP | RESET.
    pub flags: u32,
    /// Regions.
    pub num_regions: u32,
    /// Interrupts.
    pub num_irqs: u32,
    /// Flags and count of interrupt 0.
    pub irq0: (u32, u32),
}

impl Host {
    /// The guest of that name.
    pub fn guest_named(&self, name: &str, held: &mut Held<'_, Nothing>) -> Option<Arc<Guest>> {
        self.vms.read(held).0.iter().find(|guest| guest.name == name).cloned()
    }

    /// All guests, in the order in which they were made.
    pub fn guests(&self, held: &mut Held<'_, Nothing>) -> Vec<Arc<Guest>> {
        self.vms.read(held).0.to_vec()
    }

    /// The guest of that name, made if need be.
    pub fn make_guest(&self, name: &str, has_apcb: bool, held: &mut Held<'_, Nothing>) -> Arc<Guest> {
        if let Some(guest) = self.guest_named(name, held) {
            return guest;
        }
        let (mut vms, _held) = self.vms.write(held);
        // Another task may have made it since.
        if let Some(guest) = vms.iter().find(|guest| guest.name == name) {
            return guest.clone();
        }
        let number = vms.len() as u32;
        let guest = Arc::new(Guest {
            name: name.to_owned(),
            has_apcb,
            kvm: Mutex::new(number, GuestState::default()),
            vcpu: Mutex::new(number, false),
            hook: RwLock::new(number, None),
            memory: Mutex::new(number, GuestMemory::default()),
        });
        vms.push(guest.clone());
        guest
    }

    /// A guest opens an mdev; `name` `-`: there is no KVM.
    ///
    /// # Errors
    /// [`OpenError`].
    ///
    /// # Locks
    /// G, K, H for writing, M.
    pub fn guest_open(
        &self,
        uuid: &Uuid,
        name: &str,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), OpenError> {
        self.may_open(uuid, held)?;
        if name == "-" {
            return Err(OpenError::NoKvm);
        }
        let guest = self.make_guest(name, true, held);
        // Lock order: G -> K -> H -> M
        let (_guests, mut held) = self.guests.lock(held);
        let (mut kvm, mut held) = guest.kvm.lock(&mut held);
        let (mut hook, mut held) = guest.hook.write(&mut held);
        let (mut mdevs, _held) = self.mdevs.lock(&mut held);
        let id = mdevs.find(uuid).map(|(id, _)| id).filter(|_| !mdevs.leaving).ok_or(OpenError::NoMdev)?;
        let Some(mdev) = mdevs.list.get_mut(&id).filter(|mdev| mdev.phase == MdevPhase::Live) else {
            return Err(OpenError::NoMdev);
        };
        if mdev.opener.is_some() {
            return Err(OpenError::Busy);
        }
        if guest.has_apcb {
            if hook.is_some() {
                return Err(OpenError::HasMdev);
            }
            *hook = Some(id);
            mdev.guest = Some(guest.clone());
            kvm.apcb = mdev.shadow;
            kvm.set_count += 1;
            out.instruction(Instruction::SetMasks(guest.name.clone(), mdev.shadow));
        }
        mdev.opener = Some(guest.clone());
        Ok(())
    }

    /// What VFIO looks at before it names a guest to the driver.
    fn may_open(&self, uuid: &Uuid, held: &mut Held<'_, Nothing>) -> Result<(), OpenError> {
        let (mdevs, _held) = self.mdevs.lock(held);
        match mdevs.find(uuid) {
            Some((_, mdev)) if mdev.phase == MdevPhase::Live && mdev.opener.is_some() => Err(OpenError::Busy),
            Some((_, mdev)) if mdev.phase == MdevPhase::Live => Ok(()),
            _ => Err(OpenError::NoMdev),
        }
    }

    /// A guest closes an mdev, or ends: its APCB is cleared, all linked queues are reset; a removal that waits goes
    /// on. `by`: only that guest's opening is meant, for there may be another one by now.
    ///
    /// # Errors
    /// [`CloseError`] (`ENOENT`).
    ///
    /// # Locks
    /// G, K, H for writing, M.
    pub fn guest_close(
        &self,
        uuid: &Uuid,
        by: Option<&str>,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), CloseError> {
        // Lock order: G -> K -> H -> M
        let (_guests, mut held) = self.guests.lock(held);
        let (id, opener, guest) = {
            let (mdevs, _held) = self.mdevs.lock(&mut held);
            let (id, mdev) = mdevs.opened(uuid, by).ok_or(CloseError)?;
            (id, mdev.opener.clone().ok_or(CloseError)?, mdev.guest.clone())
        };
        let attached = guest.as_deref();
        let (kvm, mut held) = Mutex::lock_opt(attached.map(|guest| &guest.kvm), &mut held);
        let (hook, mut held) = RwLock::write_opt(attached.map(|guest| &guest.hook), &mut held);
        let (mut mdevs, mut held) = self.mdevs.lock(&mut held);
        if let (Some(mut kvm), Some(mut hook)) = (kvm, hook) {
            kvm.apcb = Matrix::default();
            kvm.clear_count += 1;
            out.instruction(Instruction::ClearMasks(opener.name.clone()));
            *hook = None;
            let linked = mdevs.linked_queues(id);
            self.reset_queues(&linked, &mut mdevs, &mut held, out);
        }
        if let Some(mdev) = mdevs.list.get_mut(&id) {
            mdev.guest = None;
            mdev.opener = None;
            mdev.request = None;
        }
        drop(mdevs);
        self.released.notify_all();
        Ok(())
    }

    /// VFIO_DEVICE_RESET: resets all linked queues. `by` as in [`Host::guest_close`].
    ///
    /// # Errors
    /// [`ResetFailed`] (`EIO`, `ENOENT`).
    ///
    /// # Locks
    /// M.
    pub fn guest_reset(
        &self,
        uuid: &Uuid,
        by: Option<&str>,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), ResetFailed> {
        let (mut mdevs, mut held) = self.mdevs.lock(held);
        let (id, _) = mdevs.opened(uuid, by).ok_or(ResetFailed::NotOpen)?;
        let linked = mdevs.linked_queues(id);
        self.reset_queues(&linked, &mut mdevs, &mut held, out);
        let well = |apqn: &ap_types::Apqn| {
            mdevs.queues.get(&apqn.to_u16()).is_none_or(|record| record.last_reset == ResponseCode::NORMAL)
        };
        if linked.iter().all(well) { Ok(()) } else { Err(ResetFailed::Failed) }
    }

    /// VFIO_DEVICE_GET_INFO and GET_IRQ_INFO. `by` as in [`Host::guest_close`].
    ///
    /// # Errors
    /// [`RequestError::NotOpen`].
    ///
    /// # Locks
    /// M.
    pub fn guest_info(
        &self,
        uuid: &Uuid,
        by: Option<&str>,
        held: &mut Held<'_, Nothing>,
    ) -> Result<DeviceInfo, RequestError> {
        let (mdevs, _held) = self.mdevs.lock(held);
        mdevs.opened(uuid, by).ok_or(RequestError::NotOpen)?;
        Ok(DeviceInfo { flags: 33, num_regions: 0, num_irqs: 1, irq0: (1, 1) })
    }

    /// VFIO_DEVICE_SET_IRQS: registers (or with `on` false takes back) the request interrupt. `by` as in
    /// [`Host::guest_close`].
    ///
    /// # Errors
    /// [`RequestError::NotOpen`].
    ///
    /// # Locks
    /// M.
    pub fn guest_request_irq(
        &self,
        uuid: &Uuid,
        by: Option<&str>,
        on: bool,
        held: &mut Held<'_, Nothing>,
    ) -> Result<(), RequestError> {
        let (mut mdevs, _held) = self.mdevs.lock(held);
        let (id, _) = mdevs.opened(uuid, by).ok_or(RequestError::NotOpen)?;
        if let Some(mdev) = mdevs.list.get_mut(&id) {
            mdev.request = on.then_some(0);
        }
        Ok(())
    }

    /// How often the request interrupt was signalled since the last question. `by` as in [`Host::guest_close`].
    ///
    /// # Errors
    /// [`RequestError::NotOpen`].
    ///
    /// # Locks
    /// M.
    pub fn guest_event_count(
        &self,
        uuid: &Uuid,
        by: Option<&str>,
        held: &mut Held<'_, Nothing>,
    ) -> Result<u64, RequestError> {
        let (mut mdevs, _held) = self.mdevs.lock(held);
        let (id, _) = mdevs.opened(uuid, by).ok_or(RequestError::NotOpen)?;
        let request = mdevs.list.get_mut(&id).and_then(|mdev| mdev.request.as_mut());
        Ok(request.map(std::mem::take).unwrap_or(0))
    }

    /// A guest becomes protected: all its CPUs are taken.
    ///
    /// # Locks
    /// K, V.
    pub fn guest_protect(&self, guest: &Guest, held: &mut Held<'_, Nothing>) {
        // Lock order: K -> V
        let (mut kvm, mut held) = guest.kvm.lock(held);
        let (mut vcpu, _held) = guest.vcpu.lock(&mut held);
        kvm.protected = true;
        *vcpu = true;
    }
}

impl Mdevs {
    /// The mdev of that name, if somebody has it open; with `by` only if that guest has.
    fn opened(&self, uuid: &Uuid, by: Option<&str>) -> Option<(MdevId, &Mdev)> {
        self.find(uuid).filter(|(_, mdev)| {
            mdev.opener.as_ref().is_some_and(|opener| by.is_none_or(|name| opener.name == name))
        })
    }
}
