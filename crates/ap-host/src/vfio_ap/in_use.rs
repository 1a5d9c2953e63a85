//! The in-use callback: the veto. (Page 3, "In-use callback".)

use ap_types::{AdapterMask, DomainMask, Matrix};
use locks::Held;

use crate::Host;
use crate::event::Sink;
use crate::order::Perms;

impl Host {
    /// Whether a queue of the product is assigned to a matrix mdev; the queues of the first such mdev, newest first,
    /// are logged. The bus asks before queues become the host's, and holds P until it has stored its mask.
    ///
    /// # Locks
    /// P is held; takes G and M.
    pub(crate) fn in_use(
        &self,
        adapters: &AdapterMask,
        domains: &DomainMask,
        held: &mut Held<'_, Perms>,
        out: &dyn Sink,
    ) -> bool {
        // Lock order: P -> G -> M
        let (_guests, mut held) = self.guests.lock(held);
        let (mdevs, _held) = self.mdevs.lock(&mut held);
        if !mdevs.assigned.intersects_product(adapters, domains) {
            return false;
        }
        let asked = Matrix { adapters: *adapters, domains: *domains, control_domains: DomainMask::EMPTY };
        if let Some(mdev) = mdevs.list.values().rev().find(|mdev| mdev.matrix.shares_queue(&asked)) {
            for apqn in mdev.matrix.shared(&asked).queues() {
                let text = format!(
                    "vfio_ap_mdev {}: Can not reserve queue {apqn} for host driver: in use by mdev",
                    mdev.uuid
                );
                out.log(4, text);
            }
        }
        true
    }

    /// The question alone, as a mask write asks it: with P taken. For measurements.
    ///
    /// # Locks
    /// P, G, M.
    pub fn in_use_question(
        &self,
        adapters: &AdapterMask,
        domains: &DomainMask,
        held: &mut Held<'_, locks::Nothing>,
        out: &dyn Sink,
    ) -> bool {
        let (_perms, mut held) = self.perms.lock(held);
        self.in_use(adapters, domains, &mut held, out)
    }
}
