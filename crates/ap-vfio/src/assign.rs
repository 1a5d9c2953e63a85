//! Assigning adapters and domains, one at a time or all at once. (Page 3, "Assigning".)

use ap_bus::{Bus, Ownership};
use ap_task::order::{Mdevs as MdevsLevel, Perms as PermsLevel};
use ap_task::{MdevId, Task};
use ap_types::{AdapterId, AdapterMask, Apqn, DomainId, DomainMask, Matrix};
use locks::{Nothing, hook};

use crate::driver::VfioAp;
use crate::guest::Attached;
use crate::state::{Mdev, Mdevs};

/// Why a matrix was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AssignError {
    /// An id above the highest of the configuration (`ENODEV`).
    #[error("the id is above the highest of the configuration")]
    TooHigh,
    /// A queue would be one that is reserved for the host (`EADDRNOTAVAIL`).
    #[error("a queue is reserved for the host's default drivers")]
    Reserved,
    /// A queue is another mdev's (`EADDRINUSE`).
    #[error("a queue is assigned to another mediated device")]
    Shared,
    /// The mdev is gone, or going (`ENODEV`).
    #[error("no such mediated device")]
    Gone,
}

/// What of a matrix an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// An adapter.
    Adapter(AdapterId),
    /// A usage domain.
    Domain(DomainId),
}

impl Mdev {
    /// Says in a trace what is assigned now; nothing in production.
    fn note_matrix(&self) {
        fn part<I: Into<u8>>(what: &str, ids: impl Iterator<Item = I>) -> Option<String> {
            let ids: Vec<String> = ids.map(|id| id.into().to_string()).collect();
            let plural = if ids.len() == 1 { "" } else { "s" };
            (!ids.is_empty()).then(|| format!("{what}{plural} {}", ids.join(", ")))
        }
        hook::note(|| {
            let Matrix { adapters, domains, control_domains } = &self.matrix;
            let parts = [
                part("adapter", adapters.iter()),
                part("domain", domains.iter()),
                part("control domain", control_domains.iter()),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            let has = if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") };
            format!("mdev {} has {has}", self.uuid)
        });
    }
}

impl Mdevs {
    /// The other mdev, newest first, that shares a queue of `new` which is not in `old` already.
    fn sharing(&self, id: MdevId, old: &Matrix, new: &Matrix) -> Option<(MdevId, Matrix)> {
        let conflict = new.adapters.iter().any(|adapter| {
            let own = if old.adapters.contains(adapter) { old.domains } else { DomainMask::EMPTY };
            (self.assigned.row(adapter) - own).intersects(&new.domains)
        });
        if !conflict {
            return None;
        }
        self.list
            .iter()
            .rev()
            .find(|(other, mdev)| **other != id && mdev.matrix.shares_queue(new))
            .map(|(other, mdev)| (*other, mdev.matrix.shared(new)))
    }

    /// The two rules that a new matrix must obey. Every shared queue is logged. P is held.
    fn validate(
        &self,
        id: MdevId,
        new: &Matrix,
        (bus, ownership): (&Bus, &Ownership),
        task: &mut Task<'_, MdevsLevel>,
    ) -> Result<(), AssignError> {
        let mdev = self.list.get(&id).ok_or(AssignError::Gone)?;
        if bus.is_any_hosts(ownership, (&new.adapters, &new.domains), &self.bound, task) {
            return Err(AssignError::Reserved);
        }
        if !new.has_queues() {
            return Ok(());
        }
        if let Some((other, shared)) = self.sharing(id, &mdev.matrix, new) {
            let (uuid, other) = (mdev.uuid, self.list[&other].uuid);
            for apqn in shared.queues() {
                task.log(
                    4,
                    format!(
                        "vfio_ap_mdev {uuid}: Userspace may not assign queue {apqn} to mdev: already assigned \
                         to {other}"
                    ),
                );
            }
            return Err(AssignError::Shared);
        }
        Ok(())
    }

    /// Adds a product to an mdev's matrix and links the bound queues of it that `links` names.
    fn plug(&mut self, id: MdevId, adapters: &AdapterMask, domains: &DomainMask) {
        let new: Vec<Apqn> = self.bound.intersection_product(adapters, domains).collect();
        self.assigned.insert_product(adapters, domains);
        for apqn in new {
            self.link(id, apqn);
        }
    }

    /// Takes a product out of the set of assigned queues and unlinks its queues; answers which were bound.
    fn unplug(&mut self, adapters: &AdapterMask, domains: &DomainMask) -> Vec<Apqn> {
        let gone: Vec<Apqn> = self.bound.intersection_product(adapters, domains).collect();
        self.assigned.remove_product(adapters, domains);
        for apqn in &gone {
            self.unlink(*apqn);
        }
        gone
    }
}

impl VfioAp {
    /// Runs `f` with the locks of an operation that changes a live mdev and perhaps its guest's APCB.
    ///
    /// # Locks
    /// G, K if a guest holds the mdev, M.
    fn with_mdev<R>(
        &self,
        id: MdevId,
        task: &mut Task<'_, PermsLevel>,
        f: impl FnOnce(&mut Mdevs, &mut Option<Attached<'_>>, &mut Task<'_, MdevsLevel>) -> Result<R, AssignError>,
    ) -> Result<R, AssignError> {
        // Lock order: G -> K -> M
        let (_guests, mut task) = task.lock(&self.guests);
        self.with_guest_of(
            |mdevs| mdevs.live(id).map(|_| ((), Some(id))).ok_or(AssignError::Gone),
            &mut task,
            |(), mdevs, attached, task| f(mdevs, attached, task),
        )
    }

    /// Assigns an adapter or a usage domain.
    ///
    /// # Errors
    /// [`AssignError`]; then nothing has changed.
    ///
    /// # Locks
    /// P, G, K, M, for the whole of check and commit.
    pub fn assign(
        &self,
        bus: &Bus,
        id: MdevId,
        kind: fn(u8) -> Part,
        number: u64,
        task: &mut Task<'_, Nothing>,
    ) -> Result<(), AssignError> {
        // Lock order: P -> G -> K -> M
        let (ownership, mut task) = task.lock(bus.ownership());
        self.with_mdev(id, &mut task, |mdevs, attached, task| {
            let part = mdevs.part(id, kind, number)?;
            let old = mdevs.list[&id].matrix;
            let mut new = old;
            let known = match part {
                Part::Adapter(adapter) => !new.adapters.insert(adapter),
                Part::Domain(domain) => !new.domains.insert(domain),
            };
            if known {
                return Ok(());
            }
            mdevs.validate(id, &new, (bus, &ownership), task)?;
            if let Some(mdev) = mdevs.list.get_mut(&id) {
                mdev.matrix = new;
                mdev.note_matrix();
            }
            match part {
                Part::Adapter(adapter) => mdevs.plug(id, &AdapterMask::single(adapter), &new.domains),
                Part::Domain(domain) => mdevs.plug(id, &new.adapters, &DomainMask::single(domain)),
            }
            self.filter_and_update(id, mdevs, attached, task);
            Ok(())
        })
    }

    /// Unassigns an adapter or a usage domain.
    ///
    /// # Errors
    /// [`AssignError::TooHigh`], [`AssignError::Gone`].
    ///
    /// # Locks
    /// G, K, M.
    pub fn unassign(
        &self,
        id: MdevId,
        kind: fn(u8) -> Part,
        number: u64,
        task: &mut Task<'_, Nothing>,
    ) -> Result<(), AssignError> {
        self.with_mdev(id, &mut task.at(), |mdevs, attached, task| {
            let part = mdevs.part(id, kind, number)?;
            let old = mdevs.list[&id].matrix;
            let gone = match part {
                Part::Adapter(adapter) if old.adapters.contains(adapter) => Matrix {
                    adapters: AdapterMask::single(adapter),
                    domains: DomainMask::EMPTY,
                    control_domains: DomainMask::EMPTY,
                },
                Part::Domain(domain) if old.domains.contains(domain) => Matrix {
                    adapters: AdapterMask::EMPTY,
                    domains: DomainMask::single(domain),
                    control_domains: DomainMask::EMPTY,
                },
                _ => return Ok(()),
            };
            self.unplug_parts(id, &gone, mdevs, attached, task);
            Ok(())
        })
    }

    /// Takes adapters *or* domains out of an mdev's matrix and shadow APCB: set_masks if that changed, then ZAPQ of
    /// every queue that left the shadow APCB. One that the filter had taken out before is not reset; interrupts that
    /// its guest asked for all the same are switched off (`DEV-012`): nobody would know of them any more.
    fn unplug_parts(
        &self,
        id: MdevId,
        gone: &Matrix,
        mdevs: &mut Mdevs,
        attached: &mut Option<Attached<'_>>,
        task: &mut Task<'_, MdevsLevel>,
    ) {
        let Some(mdev) = mdevs.list.get_mut(&id) else { return };
        let (matrix, shadow) = (mdev.matrix, mdev.shadow);
        mdev.matrix.adapters -= gone.adapters;
        mdev.matrix.domains -= gone.domains;
        mdev.note_matrix();
        mdev.shadow.adapters -= gone.adapters;
        mdev.shadow.domains -= gone.domains;
        *mdev.fresh = false;
        let (mut reset, unlinked): (Vec<Apqn>, Vec<Apqn>);
        if gone.domains.is_empty() {
            let left = Matrix { adapters: shadow.adapters & gone.adapters, ..shadow };
            reset = mdevs.linked_product(id, &left);
            unlinked = mdevs.unplug(&gone.adapters, &matrix.domains);
        } else {
            let left = Matrix { domains: shadow.domains & gone.domains, ..shadow };
            reset = mdevs.linked_product(id, &left);
            reset.sort_by_key(|apqn| (apqn.domain, apqn.adapter));
            unlinked = mdevs.unplug(&matrix.adapters, &gone.domains);
        }
        self.hand_over(shadow, id, mdevs, attached, task);
        self.reset_queues(&reset, mdevs, task);
        for apqn in unlinked {
            let holds = mdevs.queues.get(&apqn).is_some_and(|record| record.irq.is_some());
            if holds && !reset.contains(&apqn) {
                self.irq_disable(apqn, mdevs, task);
            }
        }
    }

    /// Replaces the whole matrix, or nothing of it.
    ///
    /// # Errors
    /// [`AssignError`]; then nothing has changed.
    ///
    /// # Locks
    /// P, G, K, M, for the whole of check and commit.
    pub fn write_ap_config(
        &self,
        bus: &Bus,
        id: MdevId,
        new: Matrix,
        task: &mut Task<'_, Nothing>,
    ) -> Result<(), AssignError> {
        // Lock order: P -> G -> K -> M
        let (ownership, mut task) = task.lock(bus.ownership());
        self.with_mdev(id, &mut task, |mdevs, attached, task| {
            mdevs.validate(id, &new, (bus, &ownership), task)?;
            let Mdev { limits, matrix: old, .. } = &mdevs.list[&id];
            if !limits.hold(&new) {
                return Err(AssignError::TooHigh);
            }
            let old = *old;
            let left = Matrix { adapters: old.adapters - new.adapters, ..Matrix::default() };
            if !left.adapters.is_empty() {
                self.unplug_parts(id, &left, mdevs, attached, task);
            }
            let left = Matrix { domains: old.domains - new.domains, ..Matrix::default() };
            if !left.domains.is_empty() {
                self.unplug_parts(id, &left, mdevs, attached, task);
            }
            if let Some(mdev) = mdevs.list.get_mut(&id) {
                mdev.matrix = new;
                mdev.note_matrix();
            }
            let kept = old.domains & new.domains;
            mdevs.plug(id, &(new.adapters - old.adapters), &kept);
            mdevs.plug(id, &new.adapters, &(new.domains - old.domains));
            let before = mdevs.shadow(id);
            let reset = mdevs.filter(id);
            mdevs.filter_control_domains(id);
            self.hand_over(before, id, mdevs, attached, task);
            self.reset_queues(&reset, mdevs, task);
            Ok(())
        })
    }

    /// Assigns (`on`) or unassigns a control domain.
    ///
    /// # Errors
    /// [`AssignError::TooHigh`], [`AssignError::Gone`].
    ///
    /// # Locks
    /// G, K, M.
    pub fn assign_control_domain(
        &self,
        id: MdevId,
        on: bool,
        number: u64,
        task: &mut Task<'_, Nothing>,
    ) -> Result<(), AssignError> {
        self.with_mdev(id, &mut task.at(), |mdevs, attached, task| {
            let Part::Domain(domain) = mdevs.part(id, |n| Part::Domain(DomainId(n)), number)? else {
                return Err(AssignError::TooHigh);
            };
            let before = mdevs.shadow(id);
            let Some(mdev) = mdevs.list.get_mut(&id) else { return Err(AssignError::Gone) };
            if on {
                mdev.matrix.control_domains.insert(domain);
            } else {
                mdev.matrix.control_domains.remove(domain);
            }
            mdev.note_matrix();
            mdevs.filter_control_domains(id);
            self.hand_over(before, id, mdevs, attached, task);
            Ok(())
        })
    }
}

impl Mdevs {
    /// A part of an mdev's matrix, if its number is not above those that the mdev may have.
    fn part(&self, mdev: MdevId, kind: fn(u8) -> Part, number: u64) -> Result<Part, AssignError> {
        let limits = self.list.get(&mdev).ok_or(AssignError::Gone)?.limits;
        let id = u8::try_from(number).map_err(|_| AssignError::TooHigh)?;
        let part = kind(id);
        let max = match part {
            Part::Adapter(_) => limits.adapter,
            Part::Domain(_) => limits.domain,
        };
        if id > max { Err(AssignError::TooHigh) } else { Ok(part) }
    }
}
