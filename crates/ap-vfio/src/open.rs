//! Guests: opening and closing an mdev through VFIO, and the device's ioctls. (Page 3, "Guests".)

use std::convert::Infallible;
use std::sync::Arc;

use ap_task::state::Unhashed;
use ap_task::{Flag, Instruction, MdevId, Task};
use ap_types::{Matrix, ResponseCode, Uuid};
use locks::hook::fingerprint;
use locks::{Held, Nothing};

use crate::driver::VfioAp;
use crate::guest::Guest;
use crate::state::{Eventfd, Life, Mdev, Mdevs, Opening};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
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
pub enum RequestError {
    /// Nothing is open under that name (`ENOENT`).
    #[error("no guest has the mediated device open")]
    NotOpen,
    /// The device has no such interrupt (`EINVAL`).
    #[error("the device has no such interrupt")]
    NoSuchIrq,
    /// What was named as an eventfd is none (`EINVAL`).
    #[error("not an eventfd")]
    NotAnEventfd,
    /// The device has no regions (`EINVAL`).
    #[error("the device has no regions")]
    NoRegion,
    /// The kernel does not know the request (`EOPNOTSUPP`).
    #[error("the kernel does not know the request")]
    NotSupported,
}

/// What SET_IRQS is told to signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IrqTarget {
    /// A new eventfd.
    Eventfd,
    /// Nobody: -1.
    Off,
    /// A number below -1, or a descriptor that is no eventfd.
    Invalid,
}

/// A reset did not end well (`EIO`), or nothing was open (`ENOENT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
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
    /// Interrupts, each with the flags and the count of [`IRQ`].
    pub num_irqs: u32,
}

/// Flags (eventfd) and count of each interrupt of the device: what GET_IRQ_INFO answers of one that there is.
pub const IRQ: (u32, u32) = (1, 1);

impl VfioAp {
    /// The guest of that name.
    pub fn guest_named(&self, name: &str, held: &mut Held<'_, Nothing>) -> Option<Arc<Guest>> {
        let named = |vms: &Vec<Arc<Guest>>| vms.iter().find(|guest| guest.name == name).cloned();
        self.vms.look_by(held, named, |found| fingerprint(&found.as_deref().map(Guest::which)))
    }

    /// All guests, in the order in which they were made.
    pub fn guests(&self, held: &mut Held<'_, Nothing>) -> Vec<Arc<Guest>> {
        let which =
            |vms: &Vec<Arc<Guest>>| fingerprint(&vms.iter().map(|guest| guest.which()).collect::<Vec<_>>());
        self.vms.look_by(held, Clone::clone, which)
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
        let guest = Arc::new(Guest::new(name, has_apcb, number));
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
    pub fn guest_open(&self, uuid: &Uuid, name: &str, task: &mut Task<'_, Nothing>) -> Result<(), OpenError> {
        self.may_open(uuid, task)?;
        if name == "-" {
            return Err(OpenError::NoKvm);
        }
        let guest = self.make_guest(name, true, task);
        // Lock order: G -> K -> H -> M
        let (_guests, mut task) = task.lock(&self.guests);
        let (mut kvm, mut task) = task.lock(&guest.kvm);
        let (mut hook, mut task) = task.write(&guest.hook);
        let (mut mdevs, task) = task.write(&self.mdevs);
        let id = mdevs.find(uuid).map(|(id, _)| id).filter(|_| !*mdevs.leaving).ok_or(OpenError::NoMdev)?;
        let Some(mdev) = mdevs.list.get_mut(&id) else { return Err(OpenError::NoMdev) };
        let shadow = mdev.shadow;
        let opening = match &mut mdev.life {
            Life::Live(Some(_)) => return Err(OpenError::Busy),
            Life::Live(opening) => opening,
            Life::Removing(..) | Life::Unbound => return Err(OpenError::NoMdev),
        };
        if guest.has_apcb {
            if hook.is_some() {
                return Err(OpenError::HasMdev);
            }
            *hook = Some(id);
            kvm.apcb = shadow;
            *kvm.set_count += 1;
            task.instruction(Instruction::SetMasks(guest.name.clone(), shadow));
            mdev.config.signal();
        }
        *opening = Some(Opening { by: guest.clone(), request: None, config: Unhashed(None) });
        Ok(())
    }

    /// What VFIO looks at before it names a guest to the driver.
    fn may_open(&self, uuid: &Uuid, held: &mut Held<'_, Nothing>) -> Result<(), OpenError> {
        self.look(held, |mdevs| match mdevs.find(uuid) {
            Some((_, Mdev { life: Life::Live(Some(_)), .. })) => Err(OpenError::Busy),
            Some((_, Mdev { life: Life::Live(None), .. })) => Ok(()),
            _ => Err(OpenError::NoMdev),
        })
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
        task: &mut Task<'_, Nothing>,
    ) -> Result<(), CloseError> {
        // Lock order: G -> K -> H -> M
        let (_guests, mut task) = task.lock(&self.guests);
        let opened = self.mdevs.look_by(
            &mut task,
            |mdevs| mdevs.opened(uuid, by).map(|(id, opening)| (id, opening.by.clone())),
            |opened| fingerprint(&opened.as_ref().map(|(id, by)| (id, by.which()))),
        );
        let (id, opener) = opened.ok_or(CloseError)?;
        let attached = opener.has_apcb.then_some(&*opener);
        let (kvm, mut task) = task.lock_opt(attached.map(|guest| &guest.kvm));
        let (hook, mut task) = task.write_opt(attached.map(|guest| &guest.hook));
        let (mut mdevs, mut task) = task.write(&self.mdevs);
        if let (Some(mut kvm), Some(mut hook)) = (kvm, hook) {
            kvm.apcb = Matrix::default();
            *kvm.clear_count += 1;
            task.instruction(Instruction::ClearMasks(opener.name.clone()));
            *hook = None;
            let linked = mdevs.linked_queues(id);
            self.reset_queues(&linked, &mut mdevs, &mut task);
        }
        if let Some(mdev) = mdevs.list.get_mut(&id) {
            mdev.close();
        }
        drop(mdevs);
        self.released.notify_all();
        Ok(())
    }

    /// VFIO_DEVICE_RESET: resets all linked queues. `by` as in [`VfioAp::guest_close`].
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
        task: &mut Task<'_, Nothing>,
    ) -> Result<(), ResetFailed> {
        let (mut mdevs, mut task) = task.write(&self.mdevs);
        let (id, _) = mdevs.opened(uuid, by).ok_or(ResetFailed::NotOpen)?;
        let linked = mdevs.linked_queues(id);
        self.reset_queues(&linked, &mut mdevs, &mut task);
        let well = |apqn: &ap_types::Apqn| {
            mdevs.queues.get(apqn).is_none_or(|record| record.last_reset == ResponseCode::NORMAL)
        };
        if linked.iter().all(well) { Ok(()) } else { Err(ResetFailed::Failed) }
    }

    /// VFIO_DEVICE_GET_INFO; what GET_IRQ_INFO says of an interrupt that there is, is [`IRQ`]. `by` as in
    /// [`VfioAp::guest_close`].
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
        self.is_open(uuid, by, held)?;
        let num_irqs = if self.kernel.has(Flag::ConfigIrq) { 2 } else { 1 };
        Ok(DeviceInfo { flags: 33, num_regions: 0, num_irqs })
    }

    /// VFIO_DEVICE_GET_REGION_INFO, of whichever region: the device has none. `by` as in [`VfioAp::guest_close`].
    ///
    /// # Errors
    /// [`RequestError`], always.
    ///
    /// # Locks
    /// M.
    pub fn guest_region_info(
        &self,
        uuid: &Uuid,
        by: Option<&str>,
        held: &mut Held<'_, Nothing>,
    ) -> Result<Infallible, RequestError> {
        self.is_open(uuid, by, held)?;
        let invalid = self.kernel.has(Flag::RegionInfoInvalid);
        Err(if invalid { RequestError::NoRegion } else { RequestError::NotSupported })
    }

    /// VFIO_DEVICE_SET_IRQS of the configuration interrupt, index 1: what is registered replaces what was before,
    /// whoever did that. `by` as in [`VfioAp::guest_close`].
    ///
    /// # Errors
    /// [`RequestError`]; then nothing has changed.
    ///
    /// # Locks
    /// M.
    pub fn guest_config_irq(
        &self,
        uuid: &Uuid,
        by: Option<&str>,
        target: IrqTarget,
        held: &mut Held<'_, Nothing>,
    ) -> Result<(), RequestError> {
        let (mut mdevs, _held) = self.mdevs.write(held);
        let mdev = mdevs.opened_mut(uuid, by).ok_or(RequestError::NotOpen)?;
        if !self.kernel.has(Flag::ConfigIrq) {
            return Err(RequestError::NoSuchIrq);
        }
        match target {
            IrqTarget::Eventfd => {
                let eventfd = mdev.config.register();
                if let Some(opening) = mdev.opening_mut() {
                    opening.config = Unhashed(Some(eventfd));
                }
            }
            IrqTarget::Off => mdev.config.unregister(),
            IrqTarget::Invalid => return Err(RequestError::NotAnEventfd),
        }
        Ok(())
    }

    /// How often the eventfd that was last registered was signalled since the last question; 0 if none was. `by` as in
    /// [`VfioAp::guest_close`].
    ///
    /// # Errors
    /// [`RequestError::NotOpen`].
    ///
    /// # Locks
    /// M.
    pub fn guest_config_count(
        &self,
        uuid: &Uuid,
        by: Option<&str>,
        held: &mut Held<'_, Nothing>,
    ) -> Result<u64, RequestError> {
        let (mut mdevs, _held) = self.mdevs.write(held);
        let mdev = mdevs.opened_mut(uuid, by).ok_or(RequestError::NotOpen)?;
        let eventfd = mdev.opening().and_then(|opening| *opening.config);
        Ok(eventfd.map_or(0, |eventfd| mdev.config.take(eventfd)))
    }

    /// The eventfd that whoever has an mdev open registered last: it outlives the close. `by` as in
    /// [`VfioAp::guest_close`].
    ///
    /// # Errors
    /// [`RequestError::NotOpen`].
    ///
    /// # Locks
    /// M.
    pub fn guest_config_eventfd(
        &self,
        uuid: &Uuid,
        by: Option<&str>,
        held: &mut Held<'_, Nothing>,
    ) -> Result<Option<Eventfd>, RequestError> {
        let config = |mdevs: &Mdevs| mdevs.opened(uuid, by).map(|(_, opening)| *opening.config);
        self.look(held, config).ok_or(RequestError::NotOpen)
    }

    fn is_open(
        &self,
        uuid: &Uuid,
        by: Option<&str>,
        held: &mut Held<'_, Nothing>,
    ) -> Result<(), RequestError> {
        self.look(held, |mdevs| mdevs.opened(uuid, by).is_some()).then_some(()).ok_or(RequestError::NotOpen)
    }

    /// How often an eventfd that was registered for an mdev was signalled since the last question; 0 if another one
    /// replaced it, or the mdev is gone.
    ///
    /// # Locks
    /// M.
    pub fn eventfd_count(&self, uuid: &Uuid, eventfd: Eventfd, held: &mut Held<'_, Nothing>) -> u64 {
        let (mut mdevs, _held) = self.mdevs.write(held);
        let Some((id, _)) = mdevs.find(uuid) else { return 0 };
        mdevs.list.get_mut(&id).map_or(0, |mdev| mdev.config.take(eventfd))
    }

    /// VFIO_DEVICE_SET_IRQS: registers (or with `on` false takes back) the request interrupt. `by` as in
    /// [`VfioAp::guest_close`].
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
        let (mut mdevs, _held) = self.mdevs.write(held);
        let mdev = mdevs.opened_mut(uuid, by).ok_or(RequestError::NotOpen)?;
        if let Some(opening) = mdev.opening_mut() {
            opening.request = on.then_some(Unhashed(0));
        }
        Ok(())
    }

    /// How often the request interrupt was signalled since the last question. `by` as in [`VfioAp::guest_close`].
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
        let (mut mdevs, _held) = self.mdevs.write(held);
        let mdev = mdevs.opened_mut(uuid, by).ok_or(RequestError::NotOpen)?;
        let count = mdev.opening_mut().and_then(|opening| opening.request.as_mut()).map(std::mem::take);
        Ok(count.map_or(0, |count| count.0))
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
    /// The mdev of that name, if somebody has it open, and who; with `by` only if that guest has.
    fn opened(&self, uuid: &Uuid, by: Option<&str>) -> Option<(MdevId, &Opening)> {
        let (id, mdev) = self.find(uuid)?;
        let opening = mdev.opening()?;
        by.is_none_or(|name| opening.by.name == name).then_some((id, opening))
    }

    /// The same mdev, to change it.
    fn opened_mut(&mut self, uuid: &Uuid, by: Option<&str>) -> Option<&mut Mdev> {
        let (id, _) = self.opened(uuid, by)?;
        self.list.get_mut(&id)
    }
}
