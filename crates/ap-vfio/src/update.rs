//! From a matrix to what a guest gets: filtering, and handing the result to the guest. (Page 3, "Filtering".)

use ap_task::order::Mdevs as MdevsLevel;
use ap_task::{MdevId, Task};
use ap_types::{Apqn, DomainMask, Matrix};

use crate::driver::VfioAp;
use crate::guest::Attached;
use crate::state::{Limits, Mdevs};

impl Mdevs {
    /// Computes an mdev's shadow APCB anew; answers the queues that must be reset because filtering took them away.
    pub(crate) fn filter(&mut self, id: MdevId) -> Vec<Apqn> {
        let (host, limits) = (self.host(), Limits::of(self.config.as_ref()));
        let Some(mdev) = self.list.get(&id) else { return Vec::new() };
        let old = mdev.shadow;
        let adapters = mdev.matrix.adapters & host.adapters;
        let domains = mdev.matrix.domains & host.domains;
        let out = self.bound.adapters_missing_any(&adapters, &domains)
            | self.failed.adapters_having_any(&adapters, &domains);
        let shadow = Matrix { adapters: adapters - out, domains, control_domains: old.control_domains };
        let filtered = Matrix { adapters: old.adapters & out, domains, control_domains: DomainMask::EMPTY };
        let reset = self.linked_product(id, &filtered);
        if let Some(mdev) = self.list.get_mut(&id) {
            mdev.shadow = shadow;
            mdev.shadow_limits = limits;
            *mdev.fresh = true;
        }
        reset
    }

    /// Takes over the control domains: assigned and in the host configuration.
    pub(crate) fn filter_control_domains(&mut self, id: MdevId) {
        let host = self.host();
        if let Some(mdev) = self.list.get_mut(&id) {
            mdev.shadow.control_domains = mdev.matrix.control_domains & host.control_domains;
        }
    }

    pub(crate) fn shadow(&self, id: MdevId) -> Matrix {
        self.list.get(&id).map(|mdev| mdev.shadow).unwrap_or_default()
    }
}

impl VfioAp {
    /// Filters an mdev; on a change a running guest gets the new APCB; then what the filter took away is reset.
    pub(crate) fn filter_and_update(
        &self,
        id: MdevId,
        mdevs: &mut Mdevs,
        attached: &mut Option<Attached<'_>>,
        task: &mut Task<'_, MdevsLevel>,
    ) {
        let before = mdevs.shadow(id);
        let reset = mdevs.filter(id);
        self.hand_over(before, id, mdevs, attached, task);
        self.reset_queues(&reset, mdevs, task);
    }

    /// Gives a running guest the shadow APCB if it is not what it was. One whose queues were taken because its mdev is
    /// to be removed gets nothing more until it lets go (`DEV-019`); the shadow goes on.
    pub(crate) fn hand_over(
        &self,
        before: Matrix,
        id: MdevId,
        mdevs: &mut Mdevs,
        attached: &mut Option<Attached<'_>>,
        task: &Task<'_, MdevsLevel>,
    ) -> bool {
        let shadow = mdevs.shadow(id);
        if shadow == before {
            return false;
        }
        if let Some(attached) = attached
            && let Some(mdev) = mdevs.list.get_mut(&id).filter(|mdev| !mdev.is_cleared())
        {
            attached.set_masks(shadow, task);
            mdev.config.signal();
        }
        true
    }
}
