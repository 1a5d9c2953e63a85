//! vfio_ap as a driver of the bus: its callbacks. (Page 3: probe and remove of a queue, the in-use callback.)

use std::convert::Infallible;
use std::sync::Arc;

use ap_bus::device::{Decided, QueueDevice, Steady};
use ap_bus::{ApDriver, Asked, Holder, Use};
use ap_task::order::{Device, Perms, Scan};
use ap_task::{DriverName, MdevId, Notice, Task};
use ap_types::{AdapterMask, Apqn, DomainMask, HostConfig, Matrix, ResponseCode};
use locks::{Held, Nothing};

use crate::driver::{VFIO_AP, VfioAp};
use crate::state::{Mdev, Mdevs, QueueRecord};

/// What a queue's `status` attribute says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueStatus {
    /// In no mdev's matrix.
    Unassigned,
    /// In an mdev's matrix.
    Assigned,
    /// In the shadow APCB of an mdev that a guest holds.
    InUse,
}

impl ApDriver for VfioAp {
    fn name(&self) -> DriverName {
        VFIO_AP
    }

    fn module(&self) -> &'static str {
        "vfio_ap"
    }

    /// Makes the queue's record, links it, filters.
    ///
    /// # Locks
    /// D of the queue and P are held; takes G, K, M.
    fn probe(&self, queue: &Arc<QueueDevice>, task: &mut Task<'_, Perms>) -> bool {
        let apqn = queue.apqn;
        // Lock order: G -> K -> M
        let (_guests, mut task) = task.lock(&self.guests);
        let choose = |mdevs: &Mdevs| {
            let owner = mdevs.owner(apqn);
            Ok((owner, owner))
        };
        let mut probe = || {
            self.with_guest_of(choose, &mut task, |owner, mdevs, attached, task| {
                let record = QueueRecord { last_reset: ResponseCode::NORMAL, irq: None };
                mdevs.queues.insert(apqn, record);
                mdevs.bound.insert(apqn);
                mdevs.failed.remove(apqn);
                let Some(id) = owner else { return Ok(true) };
                mdevs.link(id, apqn);
                let adding = mdevs.list[&id].adding;
                if let Some(mdev) = mdevs.list.get_mut(&id) {
                    *mdev.fresh = false;
                }
                if adding.adapters.is_empty() && adding.domains.is_empty() {
                    self.filter_and_update(id, mdevs, attached, task);
                }
                Ok(true)
            })
        };
        // What else is known here is nothing to the bus.
        locks::only(|| {
            let Ok(taken): Result<bool, Infallible> = probe();
            taken
        })
    }

    /// Unplugs the queue's adapter from a guest that has it, resets, forgets.
    ///
    /// With G held nothing is assigned and no guest starts, so P can go: readers of the masks and overrides do not wait
    /// for the reset.
    ///
    /// # Locks
    /// D of the queue is held; takes G, K, M.
    fn remove(&self, queue: &Arc<QueueDevice>, decided: &mut dyn Decided, task: &mut Task<'_, Perms>) {
        let apqn = queue.apqn;
        // Lock order: G -> K -> M
        let (_guests, mut task) = task.lock(&self.guests);
        decided.release();
        let choose = |mdevs: &Mdevs| {
            let linked = mdevs.linked_mdev(apqn);
            Ok((linked, linked))
        };
        let mut remove = || {
            self.with_guest_of(choose, &mut task, |linked, mdevs, attached, task| {
                Notice::LetGo { queue: apqn, assigned: linked.is_some() }.announce();
                let shadow =
                    linked.map(|id| (id, mdevs.shadow(id))).filter(|(_, shadow)| shadow.contains(apqn));
                if let Some((id, shadow)) = shadow {
                    let adapter = AdapterMask::single(apqn.adapter);
                    if let Some(mdev) = mdevs.list.get_mut(&id) {
                        mdev.shadow.adapters -= adapter;
                    }
                    self.hand_over(shadow, id, mdevs, attached, task);
                    queue.let_go(task);
                    let left = Matrix {
                        adapters: adapter,
                        domains: shadow.domains,
                        control_domains: DomainMask::EMPTY,
                    };
                    let reset = mdevs.linked_product(id, &left);
                    self.reset_queues(&reset, mdevs, task);
                } else if mdevs.host().contains(apqn) {
                    queue.let_go(task);
                    self.reset_queues(&[apqn], mdevs, task);
                }
                // Nobody else would know of them, now that the record goes: no reset was issued, or it did not end
                // well.
                self.free_irq(apqn, mdevs, task);
                if let Some(mdev) = linked.and_then(|id| mdevs.list.get_mut(&id)) {
                    *mdev.fresh = false;
                }
                mdevs.unlink(apqn);
                mdevs.queues.remove(&apqn);
                mdevs.bound.remove(apqn);
                mdevs.failed.remove(apqn);
                Ok(linked)
            })
        };
        // Whether it was assigned was announced, so it counts; nothing else that is known here does.
        locks::only(|| {
            let Ok(linked): Result<Option<MdevId>, Infallible> = remove();
            linked.is_some()
        });
    }

    /// The veto: whether a queue that is asked about is assigned to an mdev. The queues of the first such mdev, newest
    /// first, are logged.
    ///
    /// # Locks
    /// P is held; takes G and M.
    fn in_use(&self, asked: &Asked, task: &mut Task<'_, Perms>) -> Option<Holder> {
        // Lock order: P -> G -> M
        let (_guests, mut task) = task.lock(&self.guests);
        let (mdevs, task) = task.read(&self.mdevs);
        if !asked.meets_wanted(&mdevs.assigned, &mdevs.bound) {
            return None;
        }
        let asked_of = |mdev: &Mdev| asked.of(&mdev.matrix, &mdevs.bound);
        // Newest first; one of which only queues that it has are taken counts after all of which some are added.
        let added = |mdev: &&Mdev| asked.adds(&mdev.matrix);
        let newest = || mdevs.list.values().rev();
        let holder = newest().find(added).or_else(|| newest().find(|mdev| !asked_of(mdev).is_empty()));
        let mut name = String::new();
        if let Some(mdev) = holder {
            name = mdev.uuid.to_string();
            for apqn in asked_of(mdev) {
                let text = format!(
                    "vfio_ap_mdev {name}: Can not reserve queue {apqn} for host driver: in use by mdev"
                );
                task.log(4, text);
            }
        }
        Some(Holder { name })
    }

    /// A queue in a running guest's APCB is lent; M keeps it so.
    ///
    /// # Locks
    /// M, while `act` runs.
    fn steady(&self, apqn: Apqn, task: &mut Task<'_, Device>, act: &mut Steady<'_>) {
        // Lock order: M -> A
        let out = task.sink();
        let (lent, _kept, mut held) = self.mdevs.look_and_keep(task, |mdevs| mdevs.in_running_guest(apqn));
        let now = if lent { Use::Lent } else { Use::Free };
        act(now, &mut Task::new(&mut held, out).at());
    }

    fn config_changed(&self, new: &HostConfig, old: &HostConfig, task: &mut Task<'_, Scan>) {
        self.follow_change(new, old, task);
    }

    fn scan_complete(&self, task: &mut Task<'_, Scan>) {
        self.plug_what_came(task);
    }
}

impl VfioAp {
    /// A queue's `status`; `None` if it is not bound to vfio_ap.
    ///
    /// # Locks
    /// G, M.
    pub fn queue_status(&self, apqn: Apqn, held: &mut Held<'_, Nothing>) -> Option<QueueStatus> {
        // Lock order: G -> M
        let (_guests, mut held) = self.guests.lock(held);
        self.look(&mut held, |mdevs| {
            mdevs.queues.get(&apqn)?;
            let Some(mdev) = mdevs.linked_mdev(apqn).and_then(|id| mdevs.list.get(&id)) else {
                return Some(QueueStatus::Unassigned);
            };
            Some(if mdev.running() && mdev.shadow.contains(apqn) {
                QueueStatus::InUse
            } else {
                QueueStatus::Assigned
            })
        })
    }
}
