//! The protocol that was merged, and that apmatrix has: P before every lock of vfio_ap. (Page 4, "The order".)
//!
//! A model of the same size as [`v12`](crate::v12), for the same scenario and for more tasks. It takes every lock
//! with a token, so it can't take one out of order: what deadlocks in the series would not compile here. (The real
//! thing, in `ap-host`, is explored by scenarios.)

use ap_task::order::{Device, Guests, Perms};
use ap_types::{AdapterId, Apqn, DomainId};
use locks::hook::{checkpoint, note};
use locks::{Held, Mutex, Nothing};

use crate::model::{Driver, Guest, Masks, Model, Refused, VfioAp};

/// What a mask write adds, or an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// An adapter: `apmask`, `assign_adapter`.
    Adapter(AdapterId),
    /// A domain: `aqmask`, `assign_domain`.
    Domain(DomainId),
}

/// The system, as its actors call it.
pub struct Host<'w> {
    model: &'w Model,
}

impl<'w> Host<'w> {
    /// The system over this model.
    #[must_use]
    pub fn new(model: &'w Model) -> Self {
        Host { model }
    }

    /// A mask write: gives an adapter or a domain to the host.
    ///
    /// # Errors
    /// `EBUSY` if that takes a queue that is assigned.
    ///
    /// # Locks
    /// P from the question to the store, G and M inside it; after it D, and P for short, and what unbinding takes.
    pub fn mask_write(&self, held: &mut Held<'_, Nothing>, add: Added) -> Result<(), Refused> {
        let (mut perms, mut held_perms) = self.model.perms.lock(held);
        let (mut new, mut asked) = (*perms, *perms);
        match add {
            Added::Adapter(id) => {
                new.adapters.insert(id);
                asked.adapters = new.adapters & !perms.adapters;
            }
            Added::Domain(id) => {
                new.domains.insert(id);
                asked.domains = new.domains & !perms.domains;
            }
        }
        if new != *perms && self.in_use(&mut held_perms, &asked) {
            return Err(Refused::Busy);
        }
        *perms = new;
        drop(perms);
        note(|| "the new mask is stored".to_owned());
        self.revise(held);
        Ok(())
    }

    /// The in-use callback: is any of these queues assigned?
    fn in_use(&self, held: &mut Held<'_, Perms>, asked: &Masks) -> bool {
        let (_guests, mut held) = self.model.guests.lock(held);
        let (vfio_ap, _held) = self.model.vfio_ap.lock(&mut held);
        let used = vfio_ap.mdevs.iter().any(|mdev| mdev.matrix.shares_queue(&asked.reserved()));
        note(|| match used {
            true => "finds an mdev that uses them".to_owned(),
            false => "finds no mdev that uses them".to_owned(),
        });
        used
    }

    /// Binds every queue again that has another driver than the masks say.
    fn revise(&self, held: &mut Held<'_, Nothing>) {
        for number in 0..self.model.queues.len() {
            checkpoint(number as u64);
            let should = self.model.perms.lock(held).0.owner(self.model.queues[number]);
            let has = *self.model.devices[number].lock(held).0;
            if matches!(has, Driver::Default | Driver::VfioAp) && has != should {
                checkpoint(0x100 + number as u64);
                self.reprobe(held, number);
            }
        }
    }

    /// Unbinds a queue, and binds it to the driver that the masks say.
    fn reprobe(&self, held: &mut Held<'_, Nothing>, number: usize) {
        let queue = self.model.queues[number];
        {
            let (mut device, mut held) = self.model.devices[number].lock(held);
            if *device == Driver::Gone {
                return;
            }
            if *device == Driver::VfioAp {
                self.remove_queue(&mut held, queue);
            }
            *device = Driver::None;
            note(|| format!("{queue} is unbound"));
        }
        checkpoint(0x200 + number as u64);
        let (mut device, mut held) = self.model.devices[number].lock(held);
        if *device != Driver::None {
            return;
        }
        let owner = self.model.perms.lock(&mut held).0.owner(queue);
        if owner == Driver::VfioAp {
            self.probe_queue(&mut held, queue);
        }
        *device = owner;
        note(|| format!("{queue} is bound to {owner}"));
    }

    /// A scan finds that a queue is gone.
    ///
    /// # Locks
    /// S, D, and what the remove callback takes.
    pub fn scan(&self, held: &mut Held<'_, Nothing>, number: usize) {
        let (_scan, mut held) = self.model.scan.lock(held);
        let (mut device, mut held) = self.model.devices[number].lock(&mut held);
        if *device == Driver::VfioAp {
            self.remove_queue(&mut held, self.model.queues[number]);
        }
        *device = Driver::Gone;
    }

    /// The remove callback: unplugs the queue from the guest, resets it. Takes G, K, M.
    fn remove_queue(&self, held: &mut Held<'_, Device>, queue: Apqn) {
        let (_guests, mut held) = self.model.guests.lock(held);
        let number = self.user_of(&mut held, queue);
        let guest = self.guest_of(&mut held, number);
        self.with_mdevs(&mut held, guest, |guest, vfio_ap| {
            vfio_ap.queues.remove(&queue);
            if let Some(number) = number {
                vfio_ap.mdevs[number].linked.remove(&queue);
                plug(guest, vfio_ap, number);
            }
        });
    }

    /// The probe callback: plugs the queue into the guest of the mdev that it is assigned to. Takes G, K, M.
    fn probe_queue(&self, held: &mut Held<'_, Device>, queue: Apqn) {
        let (_guests, mut held) = self.model.guests.lock(held);
        let number = self.user_of(&mut held, queue);
        let guest = self.guest_of(&mut held, number);
        self.with_mdevs(&mut held, guest, |guest, vfio_ap| {
            vfio_ap.queues.insert(queue);
            if let Some(number) = number {
                vfio_ap.mdevs[number].linked.insert(queue);
                plug(guest, vfio_ap, number);
            }
        });
    }

    /// The mdev whose matrix has the queue: stays so while G is held.
    fn user_of(&self, held: &mut Held<'_, Guests>, queue: Apqn) -> Option<usize> {
        self.model.vfio_ap.lock(held).0.mdevs.iter().position(|mdev| mdev.matrix.contains(queue))
    }

    /// The mdev's guest, if it has one: stays so while G is held.
    fn guest_of(&self, held: &mut Held<'_, Guests>, number: Option<usize>) -> Option<usize> {
        number.filter(|&number| self.model.vfio_ap.lock(held).0.mdevs[number].guest)
    }

    /// Takes K, if there is a guest, and M. (Hold G, look under M, release M, take K, take M.)
    fn with_mdevs<R>(
        &self,
        held: &mut Held<'_, Guests>,
        guest: Option<usize>,
        f: impl FnOnce(Option<&mut Guest>, &mut VfioAp) -> R,
    ) -> R {
        let (mut kvm, mut held) = Mutex::lock_opt(guest.map(|guest| &self.model.kvms[guest]), held);
        let (mut vfio_ap, _held) = self.model.vfio_ap.lock(&mut held);
        f(kvm.as_deref_mut(), &mut vfio_ap)
    }

    /// An assignment to an mdev.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` if the masks give the host a queue of the new matrix, `EADDRINUSE` if another mdev has one.
    ///
    /// # Locks
    /// P, G, K, M: all of them over the whole of its check and commit.
    pub fn assign(&self, held: &mut Held<'_, Nothing>, number: usize, add: Added) -> Result<(), Refused> {
        let (perms, mut held) = self.model.perms.lock(held);
        let (_guests, mut held) = self.model.guests.lock(&mut held);
        let guest = self.guest_of(&mut held, Some(number));
        self.with_mdevs(&mut held, guest, |guest, vfio_ap| {
            let mut wanted = vfio_ap.mdevs[number].matrix;
            match add {
                Added::Adapter(id) => wanted.adapters.insert(id),
                Added::Domain(id) => wanted.domains.insert(id),
            };
            if perms.reserved().shares_queue(&wanted) {
                note(|| "the masks give the host one of the queues".to_owned());
                return Err(Refused::AddrNotAvail);
            }
            let mut others = vfio_ap.mdevs.iter().enumerate().filter(|(other, _)| *other != number);
            if others.any(|(_, mdev)| mdev.matrix.shares_queue(&wanted)) {
                return Err(Refused::AddrInUse);
            }
            note(|| "assigns".to_owned());
            let linked = vfio_ap.queues.iter().copied().filter(|queue| wanted.contains(*queue)).collect();
            vfio_ap.mdevs[number].matrix = wanted;
            vfio_ap.mdevs[number].linked = linked;
            plug(guest, vfio_ap, number);
            Ok(())
        })
    }

    /// A guest starts with the mdev.
    ///
    /// # Locks
    /// G, K, M.
    pub fn open(&self, held: &mut Held<'_, Nothing>, number: usize) {
        let (_guests, mut held) = self.model.guests.lock(held);
        self.with_mdevs(&mut held, Some(number), |guest, vfio_ap| {
            vfio_ap.mdevs[number].guest = true;
            plug(guest, vfio_ap, number);
        });
    }
}

/// Filters an mdev, and gives its guest what is left.
fn plug(guest: Option<&mut Guest>, vfio_ap: &mut VfioAp, number: usize) {
    let mdev = &mut vfio_ap.mdevs[number];
    mdev.shadow = mdev.filtered(&mdev.linked);
    if let Some(guest) = guest {
        guest.apcb = mdev.shadow;
    }
}
