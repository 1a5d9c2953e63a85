//! How the theft came back: `driver_override` beside the masks, as Linux 6.19 to 7.1 has it, and as apmatrix has it.
//! (Page 7, N26.)
//!
//! The merged protocol ([`shipped`](crate::shipped)) asks vfio_ap about the *bits that a mask write adds*, and holds P
//! from the question to the store. That was enough while the masks alone said who owns a queue. With an override a queue
//! is vfio_ap's though the masks reserve it for the host. When the override is cleared, the masks count again, and nobody
//! looks: until some mask write, which need not add a bit, revises the bindings. No bit is added, so nobody is asked.

use ap_task::order::{Device, Guests, Perms};
use ap_types::{AdapterId, AdapterMask, Apqn};
use locks::hook::note;
use locks::{Held, Mutex, Nothing};

use crate::model::{Driver, Model, Refused};

/// About which queues a mask write asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// About those of the bits that it adds: Linux 6.19 to 7.1.
    AddedBits,
    /// About those, and about every queue that the revision would take: apmatrix.
    WhatItTakes,
}

/// The system, as its actors call it.
pub struct Newer<'m> {
    model: &'m Model,
    asks: Asks,
}

impl<'m> Newer<'m> {
    /// The system over this model.
    #[must_use]
    pub fn new(model: &'m Model, asks: Asks) -> Self {
        Newer { model, asks }
    }

    /// `echo > driver_override`: from now on the masks say again whose the queue is.
    ///
    /// # Locks
    /// P.
    pub fn clear_override(&self, held: &mut Held<'_, Nothing>, queue: Apqn) {
        let (_perms, mut held) = self.model.perms.lock(held);
        self.model.overrides.lock(&mut held).0.remove(&queue);
        note(|| format!("{queue} has no override any more"));
    }

    /// `echo -N > apmask`: a mask write that adds nothing.
    ///
    /// # Errors
    /// `EINVAL` while a queue has an override; `EBUSY` if a queue that it asks about is assigned.
    ///
    /// # Locks
    /// P from the question to the store, G and M inside it; after it D, and P for short, and what unbinding takes.
    pub fn mask_write(&self, held: &mut Held<'_, Nothing>, clears: AdapterId) -> Result<(), Refused> {
        {
            let (mut perms, mut held) = self.model.perms.lock(held);
            if !self.model.overrides.lock(&mut held).0.is_empty() {
                note(|| "a queue has an override".to_owned());
                return Err(Refused::Invalid);
            }
            let mut new = *perms;
            new.adapters -= AdapterMask::single(clears);
            if self.asks == Asks::WhatItTakes && self.takes(&mut held, |queue| new.owner(queue)) {
                return Err(Refused::Busy);
            }
            note(|| "no bit is added: nobody is asked about one".to_owned());
            *perms = new;
        }
        note(|| "the new mask is stored".to_owned());
        self.revise(held);
        Ok(())
    }

    /// Whether an mdev has a queue that vfio_ap has and that would be the host's.
    fn takes(&self, held: &mut Held<'_, Perms>, owner: impl Fn(Apqn) -> Driver) -> bool {
        let (_guests, mut held) = self.model.guests.lock(held);
        let (vfio_ap, _held) = self.model.vfio_ap.lock(&mut held);
        let taken = |queue: &&Apqn| owner(**queue) == Driver::Default;
        let mut taken = vfio_ap.queues.iter().filter(taken);
        let used = taken.any(|queue| vfio_ap.mdevs.iter().any(|mdev| mdev.matrix.contains(*queue)));
        note(|| match used {
            true => "finds that it would take a queue of an mdev".to_owned(),
            false => "finds that it takes nothing that is used".to_owned(),
        });
        used
    }

    /// Binds every queue again that has another driver than override and masks say.
    fn revise(&self, held: &mut Held<'_, Nothing>) {
        for (number, queue) in self.model.queues.iter().copied().enumerate() {
            let (mut device, mut held) = self.model.devices[number].lock(held);
            let owner = {
                let (perms, mut held) = self.model.perms.lock(&mut held);
                let overridden = self.model.overrides.lock(&mut held).0.contains(&queue);
                if overridden { Driver::VfioAp } else { perms.owner(queue) }
            };
            if *device == owner {
                continue;
            }
            if *device == Driver::VfioAp {
                self.remove_queue(&mut held, queue);
            }
            *device = owner;
            note(|| format!("{queue} is bound to {owner}"));
        }
    }

    /// The remove callback: unplugs the queue from the guest, resets it. Takes G, K, M.
    fn remove_queue(&self, held: &mut Held<'_, Device>, queue: Apqn) {
        let (_guests, mut held) = self.model.guests.lock(held);
        let guest = self.guest_of(&mut held, queue);
        let (mut kvm, mut held) = Mutex::lock_opt(guest.map(|guest| &self.model.kvms[guest]), &mut held);
        let (mut vfio_ap, _held) = self.model.vfio_ap.lock(&mut held);
        vfio_ap.queues.remove(&queue);
        let bound = vfio_ap.queues.clone();
        for mdev in vfio_ap.mdevs.iter_mut().filter(|mdev| mdev.matrix.contains(queue)) {
            mdev.linked.remove(&queue);
            mdev.shadow = mdev.filtered(&bound);
            if let Some(kvm) = kvm.as_deref_mut() {
                kvm.apcb = mdev.shadow;
                note(|| format!("the running guest has lost {queue}"));
            }
        }
    }

    /// The guest whose mdev has the queue: stays so while G is held.
    fn guest_of(&self, held: &mut Held<'_, Guests>, queue: Apqn) -> Option<usize> {
        let (vfio_ap, _held) = self.model.vfio_ap.lock(held);
        vfio_ap.mdevs.iter().position(|mdev| mdev.guest && mdev.matrix.contains(queue))
    }
}
