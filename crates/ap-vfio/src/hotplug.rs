//! Changes of the host configuration, as vfio_ap follows them. (Page 3, "Hot plug by the machine".)

use std::convert::Infallible;

use ap_task::order::{Guests, Mdevs as MdevsLevel, Scan};
use ap_task::{MdevId, Task};
use ap_types::{AdapterId, AdapterMask, Apqn, DomainMask, HostConfig, Matrix};
use locks::marked;

use crate::driver::VfioAp;
use crate::guest::Attached;
use crate::state::Mdevs;

impl VfioAp {
    /// What left the configuration leaves the shadow APCBs; what came is remembered.
    ///
    /// # Locks
    /// S is held; takes G, and for each mdev K and M.
    pub(crate) fn follow_change(&self, new: &HostConfig, old: &HostConfig, task: &mut Task<'_, Scan>) {
        // Lock order: G -> (for each mdev: K -> M)
        let (_guests, mut task) = task.lock(&self.guests);
        self.for_each_mdev(&mut task, |id, mdevs, attached, task| {
            let before = mdevs.shadow(id);
            let Some(mdev) = mdevs.list.get_mut(&id) else { return };
            mdev.shadow.adapters -= old.adapters - new.adapters;
            mdev.shadow.domains -= old.domains - new.domains;
            mdev.shadow.control_domains -= old.control_domains - new.control_domains;
            self.hand_over(before, id, mdevs, attached, task);
        });
        let came = Matrix {
            adapters: self.known_adapters(new, old, &mut task),
            domains: new.domains - old.domains,
            control_domains: new.control_domains - old.control_domains,
        };
        let (mut mdevs, _task) = task.write(&self.mdevs);
        for mdev in mdevs.list.values_mut() {
            *mdev.fresh = false;
            mdev.adding = Matrix {
                adapters: mdev.matrix.adapters & came.adapters,
                domains: mdev.matrix.domains & came.domains,
                control_domains: mdev.matrix.control_domains & came.control_domains,
            };
        }
        mdevs.config = Some(*new);
    }

    /// The adapters that came, but for those that have a queue, among the usage domains that came, too, that does
    /// not exist or is too old.
    fn known_adapters(&self, new: &HostConfig, old: &HostConfig, task: &mut Task<'_, Guests>) -> AdapterMask {
        let domains = new.domains - old.domains;
        let came = new.adapters - old.adapters;
        came.iter().filter(|adapter| self.adapter_is_known(*adapter, &domains, task)).collect()
    }

    /// Whether all queues of an adapter in these domains exist and are of a type that vfio_ap knows.
    fn adapter_is_known(
        &self,
        adapter: AdapterId,
        domains: &DomainMask,
        task: &mut Task<'_, Guests>,
    ) -> bool {
        domains.iter().all(|domain| {
            let (status, info) = self.hw.tapq(Apqn::new(adapter, domain), &mut task.at());
            status.queue_exists() && info.adapter_type() >= ap_types::OLDEST_TYPE
        })
    }

    /// What came is plugged in, all at once for each mdev.
    ///
    /// # Locks
    /// S is held; takes G, and for each mdev K and M.
    pub(crate) fn plug_what_came(&self, task: &mut Task<'_, Scan>) {
        // Lock order: G -> (for each mdev: K -> M)
        let (_guests, mut task) = task.lock(&self.guests);
        self.for_each_mdev(&mut task, |id, mdevs, attached, task| {
            let Some(mdev) = mdevs.list.get_mut(&id) else { return };
            let adding = std::mem::take(&mut mdev.adding);
            let adapters = !(adding.adapters & mdev.matrix.adapters).is_empty();
            let domains = !(adding.domains & mdev.matrix.domains).is_empty();
            let control = !(adding.control_domains & mdev.matrix.control_domains).is_empty();
            let before = mdev.shadow;
            let reset = if adapters || domains { mdevs.filter(id) } else { Vec::new() };
            if control {
                mdevs.filter_control_domains(id);
            }
            self.hand_over(before, id, mdevs, attached, task);
            self.reset_queues(&reset, mdevs, task);
        });
    }

    /// Does something to each mdev, newest first, with K of its guest, if it has one, and M. G is held.
    fn for_each_mdev(
        &self,
        task: &mut Task<'_, Guests>,
        f: impl Fn(MdevId, &mut Mdevs, &mut Option<Attached<'_>>, &mut Task<'_, MdevsLevel>),
    ) {
        let newest_first: Vec<MdevId> = self.look(task, |mdevs| mdevs.list.keys().rev().copied().collect());
        marked(|mark| {
            for id in newest_first {
                // What was done to the others is nothing to this one.
                mark.only(|| id);
                let done: Result<(), Infallible> = self.with_guest_of(
                    |_| Ok(((), Some(id))),
                    task,
                    |(), mdevs, attached, task| {
                        f(id, mdevs, attached, task);
                        Ok(())
                    },
                );
                let Ok(()) = done;
            }
            mark.only(|| "all");
        });
    }
}
