//! vfio_ap's probe and remove of a queue. (Page 3, "Probe and remove of a queue".)

use std::sync::Arc;

use ap_types::{AdapterId, AdapterMask, DomainMask, Matrix, ResponseCode};
use locks::{Held, Mutex, Nothing};

use super::state::QueueRecord;
use super::update::Attached;
use crate::Host;
use crate::device::QueueDevice;
use crate::event::Sink;
use crate::order::Perms;

/// What a queue's `status` attribute says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueStatus {
    /// In no mdev's matrix.
    Unassigned,
    /// In an mdev's matrix.
    Assigned,
    /// In the shadow APCB of an mdev that a guest holds.
    InUse,
}

impl Host {
    /// Probes a queue: makes its record, links it, filters.
    ///
    /// # Locks
    /// D of the queue and P are held; takes G, K, M.
    pub(crate) fn vfio_probe_queue(
        &self,
        queue: &Arc<QueueDevice>,
        held: &mut Held<'_, Perms>,
        out: &dyn Sink,
    ) -> bool {
        let apqn = queue.apqn;
        // Lock order: G -> K -> M
        let (_guests, mut held) = self.guests.lock(held);
        let (owner, guest) = {
            let (mdevs, _held) = self.mdevs.lock(&mut held);
            let owner = mdevs.owner(apqn);
            (owner, owner.and_then(|id| mdevs.guest_of(id)))
        };
        let (kvm, mut held) = Mutex::lock_opt(guest.as_deref().map(|guest| &guest.kvm), &mut held);
        let mut attached = Attached::new(guest.as_deref(), kvm);
        let (mut mdevs, mut held) = self.mdevs.lock(&mut held);
        let record = QueueRecord { last_reset: ResponseCode::NORMAL, irq: None };
        mdevs.queues.insert(apqn.to_u16(), record);
        mdevs.bound.insert(apqn);
        mdevs.failed.remove(apqn);
        let Some(id) = owner else { return true };
        mdevs.link(id, apqn);
        let adding = mdevs.list[&id].adding;
        if let Some(mdev) = mdevs.list.get_mut(&id) {
            mdev.fresh = false;
        }
        if adding.adapters.is_empty() && adding.domains.is_empty() {
            self.filter_and_update(id, &mut mdevs, &mut attached, &mut held, out);
        }
        true
    }

    /// Takes a queue back: unplugs its adapter from a guest that has it, resets, forgets.
    ///
    /// # Locks
    /// D of the queue is held; takes G, K, M.
    pub(crate) fn vfio_remove_queue(
        &self,
        queue: &Arc<QueueDevice>,
        held: &mut Held<'_, Perms>,
        out: &dyn Sink,
    ) {
        let apqn = queue.apqn;
        // Lock order: G -> K -> M
        let (_guests, mut held) = self.guests.lock(held);
        let (linked, guest) = {
            let (mdevs, _held) = self.mdevs.lock(&mut held);
            let linked = mdevs.linked_mdev(apqn);
            (linked, linked.and_then(|id| mdevs.guest_of(id)))
        };
        let (kvm, mut held) = Mutex::lock_opt(guest.as_deref().map(|guest| &guest.kvm), &mut held);
        let mut attached = Attached::new(guest.as_deref(), kvm);
        let (mut mdevs, mut held) = self.mdevs.lock(&mut held);
        let shadow = linked.map(|id| (id, mdevs.shadow(id))).filter(|(_, shadow)| shadow.contains(apqn));
        if let Some((id, shadow)) = shadow {
            let adapter = AdapterMask::single(apqn.adapter);
            if let Some(mdev) = mdevs.list.get_mut(&id) {
                mdev.shadow.adapters -= adapter;
            }
            self.hand_over(shadow, id, &mdevs, &mut attached, out);
            let left =
                Matrix { adapters: adapter, domains: shadow.domains, control_domains: DomainMask::EMPTY };
            let reset = mdevs.linked_product(id, &left);
            self.reset_queues(&reset, &mut mdevs, &mut held, out);
        } else if mdevs.host().contains(apqn) {
            self.reset_queues(&[apqn], &mut mdevs, &mut held, out);
        }
        // Nobody else would know of them, now that the record goes: no reset was issued, or it did not end well.
        self.free_irq(apqn, &mut mdevs, &mut held, out);
        if let Some(mdev) = linked.and_then(|id| mdevs.list.get_mut(&id)) {
            mdev.fresh = false;
        }
        mdevs.unlink(apqn);
        mdevs.queues.remove(&apqn.to_u16());
        mdevs.bound.remove(apqn);
        mdevs.failed.remove(apqn);
    }

    /// A queue's `status`; `None` if it is not bound to vfio_ap.
    ///
    /// # Locks
    /// G, M.
    pub fn queue_status(&self, apqn: ap_types::Apqn, held: &mut Held<'_, Nothing>) -> Option<QueueStatus> {
        // Lock order: G -> M
        let (_guests, mut held) = self.guests.lock(held);
        let (mdevs, _held) = self.mdevs.lock(&mut held);
        mdevs.queues.get(&apqn.to_u16())?;
        let Some(mdev) = mdevs.linked_mdev(apqn).and_then(|id| mdevs.list.get(&id)) else {
            return Some(QueueStatus::Unassigned);
        };
        Some(if mdev.running() && mdev.shadow.contains(apqn) {
            QueueStatus::InUse
        } else {
            QueueStatus::Assigned
        })
    }

    /// The oldest type that vfio_ap knows among an adapter's queues is asked for by hot plug.
    pub(crate) fn adapter_is_known(
        &self,
        adapter: AdapterId,
        domains: &DomainMask,
        held: &mut Held<'_, crate::order::Queue>,
    ) -> bool {
        domains.iter().all(|domain| {
            let (status, info) = self.hw.tapq(ap_types::Apqn::new(adapter, domain), held);
            status.queue_exists() && info.adapter_type() >= ap_types::OLDEST_TYPE
        })
    }
}
