//! vfio_ap: the in-use callback, the assignment, and the driver's callbacks.

use std::collections::BTreeSet;

use ap_task::order::Mdevs;
use ap_types::{AdapterId, AdapterMask, Apqn, DomainMask, Matrix};
use locks::Guard;
use locks::hook::note;

use crate::model::{Mdev, Refused, VfioAp};
use crate::series::Locking;
use crate::v12::kernel::Kernel;

type VfioApGuard<'a> = Guard<'a, Mdevs, VfioAp>;

impl Kernel<'_> {
    /// M, where the bus may wait for whoever has it: by trylock or by lock, as the variant says.
    #[track_caller]
    fn take_matrix_dev_lock(&self) -> Result<VfioApGuard<'_>, Refused> {
        match self.series.locking {
            Locking::Blocking => Ok(self.model.vfio_ap.lock_unordered(&self.order)),
            Locking::Trylock => {
                let taken = self.model.vfio_ap.try_lock_unordered(&self.order);
                if taken.is_none() {
                    note(|| "somebody has it: gives up with -EBUSY".to_owned());
                }
                taken.ok_or(Refused::Busy)
            }
        }
    }

    /// The in-use callback (07): is any of adapters × domains assigned?
    ///
    /// # Locks
    /// P is held by the caller; takes M.
    pub(super) fn vfio_ap_mdev_resource_in_use(
        &self,
        adapters: AdapterMask,
        domains: DomainMask,
    ) -> Result<(), Refused> {
        let asked = Matrix { adapters, domains, ..Matrix::default() };
        let vfio_ap = self.take_matrix_dev_lock()?;
        let answer = verify_no_sharing(&vfio_ap.mdevs, None, &asked);
        note(|| match answer {
            Ok(()) => "finds no mdev that uses them".to_owned(),
            Err(_) => "finds an mdev that uses them".to_owned(),
        });
        drop(vfio_ap);
        note(|| answer.map_or_else(|refused| format!("answers -{refused}"), |()| "answers 0".to_owned()));
        answer
    }

    /// `echo 5 > assign_adapter`.
    ///
    /// # Errors
    /// `EBUSY` while a guest runs (up to 11) or if M is taken (trylock); `EADDRNOTAVAIL` if the host owns a queue;
    /// `EADDRINUSE` if another mdev has it.
    ///
    /// # Locks
    /// M; inside it P for short (11), K (12).
    pub fn assign_adapter_store(&self, mdev: usize, adapter: AdapterId) -> Result<(), Refused> {
        let mut vfio_ap = if self.series.vfio_answers() {
            self.take_matrix_dev_lock()?
        } else {
            self.model.vfio_ap.lock_unordered(&self.order)
        };
        if vfio_ap.mdevs[mdev].guest && !self.series.assign_plugs() {
            note(|| "a guest runs: refused".to_owned());
            return Err(Refused::Busy);
        }
        let before = vfio_ap.mdevs[mdev].matrix;
        let wanted = Matrix { adapters: before.adapters.with(adapter), ..before };
        if self.series.masks_decide() {
            // 11: the bits first, then the question.
            vfio_ap.mdevs[mdev].matrix = wanted;
            if let Err(refused) = self.validate_masks(&vfio_ap.mdevs, mdev) {
                vfio_ap.mdevs[mdev].matrix = before;
                return Err(refused);
            }
        } else {
            self.verify_queues_reserved_for_apid(adapter, wanted.domains)?;
            verify_no_sharing(&vfio_ap.mdevs, Some(mdev), &wanted)?;
            vfio_ap.mdevs[mdev].matrix = wanted;
        }
        note(|| format!("assigns adapter {adapter}"));
        self.refresh(&mut vfio_ap.mdevs[mdev]);
        if vfio_ap.mdevs[mdev].guest && self.series.assign_plugs() {
            self.kvm_arch_crypto_set_masks(mdev, vfio_ap.mdevs[mdev].shadow);
        }
        Ok(())
    }

    /// Up to 10: whether all queues are bound to vfio_ap, *now*. P is not taken.
    fn verify_queues_reserved_for_apid(
        &self,
        adapter: AdapterId,
        domains: DomainMask,
    ) -> Result<(), Refused> {
        let bound = self.model.bound.lock_unordered(&self.order);
        let all = domains.iter().all(|domain| bound.contains(&Apqn::new(adapter, domain)));
        note(|| match all {
            true => "finds them bound to vfio_ap".to_owned(),
            false => "finds one that is not bound to vfio_ap".to_owned(),
        });
        if all { Ok(()) } else { Err(Refused::AddrNotAvail) }
    }

    /// From 11: whether the new matrix has nothing of the host's and nothing of another mdev's.
    fn validate_masks(&self, mdevs: &[Mdev], mdev: usize) -> Result<(), Refused> {
        if self.ap_apqn_in_matrix_owned_by_def_drv(&mdevs[mdev].matrix) {
            return Err(Refused::AddrNotAvail);
        }
        verify_no_sharing(mdevs, Some(mdev), &mdevs[mdev].matrix)
    }

    /// The bus's answer: do the masks give the host any of these queues? M is held by the caller; takes P.
    fn ap_apqn_in_matrix_owned_by_def_drv(&self, matrix: &Matrix) -> bool {
        let perms = self.model.perms.lock_unordered(&self.order);
        let owned = perms.reserved().shares_queue(matrix);
        note(|| match owned {
            true => "the masks give the host one of them".to_owned(),
            false => "the masks give the host none of them".to_owned(),
        });
        owned
    }

    /// Links what is bound (05), and filters what a guest gets (08).
    fn refresh(&self, mdev: &mut Mdev) {
        if !self.series.links() {
            return;
        }
        let bound = self.model.bound.lock_unordered(&self.order);
        mdev.linked = bound.iter().copied().filter(|queue| mdev.matrix.contains(*queue)).collect();
        mdev.shadow = mdev.filtered(&bound);
    }

    /// The driver's remove callback; D is held.
    pub(super) fn vfio_ap_mdev_remove_queue(&self, queue: Apqn) {
        if !self.series.links() {
            note(|| format!("takes {queue} away, whoever uses it"));
            return;
        }
        let mut vfio_ap = self.model.vfio_ap.lock_unordered(&self.order);
        let Some(number) = vfio_ap.mdevs.iter().position(|mdev| mdev.linked.contains(&queue)) else { return };
        note(|| format!("takes {queue} away from the mdev that has it"));
        vfio_ap.mdevs[number].linked.remove(&queue);
        self.replug(&mut vfio_ap, number);
    }

    /// The driver's probe callback; D is held.
    pub(super) fn vfio_ap_mdev_probe_queue(&self, queue: Apqn) {
        if !self.series.binding_plugs() {
            return;
        }
        let mut vfio_ap = self.model.vfio_ap.lock_unordered(&self.order);
        let Some(number) = vfio_ap.mdevs.iter().position(|mdev| mdev.matrix.contains(queue)) else { return };
        vfio_ap.mdevs[number].linked.insert(queue);
        self.replug(&mut vfio_ap, number);
    }

    /// From 13: what a guest gets follows what is bound.
    fn replug(&self, vfio_ap: &mut VfioAp, number: usize) {
        if !self.series.binding_plugs() {
            return;
        }
        let linked: BTreeSet<Apqn> = vfio_ap.mdevs[number].linked.clone();
        vfio_ap.mdevs[number].shadow = vfio_ap.mdevs[number].filtered(&linked);
        if vfio_ap.mdevs[number].guest {
            self.kvm_arch_crypto_set_masks(number, vfio_ap.mdevs[number].shadow);
        }
    }
}

/// Whether no mdev but the one excepted has a queue of the matrix; M is held.
fn verify_no_sharing(mdevs: &[Mdev], except: Option<usize>, matrix: &Matrix) -> Result<(), Refused> {
    let others = mdevs.iter().enumerate().filter(|(number, _)| Some(*number) != except);
    if others.into_iter().any(|(_, mdev)| mdev.matrix.shares_queue(matrix)) {
        return Err(Refused::AddrInUse);
    }
    Ok(())
}
