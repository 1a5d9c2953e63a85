//! A guest: it starts, it executes PQAP, it becomes protected.

use ap_types::Matrix;
use locks::hook::note;

use crate::v12::kernel::Kernel;

impl Kernel<'_> {
    /// The guest starts: the mdev gets its KVM under M, the guest its masks under K.
    pub fn vfio_ap_mdev_set_kvm(&self, mdev: usize) {
        let mut vfio_ap = self.model.vfio_ap.lock_unordered(&self.order);
        vfio_ap.mdevs[mdev].guest = true;
        let gets = if self.series.guest_gets_shadow() {
            vfio_ap.mdevs[mdev].shadow
        } else {
            vfio_ap.mdevs[mdev].matrix
        };
        drop(vfio_ap);
        self.kvm_arch_crypto_set_masks(mdev, gets);
        note(|| "the guest runs".to_owned());
    }

    /// Sets a guest's APCB, taking K itself. (From 12 on its callers hold M.)
    pub(super) fn kvm_arch_crypto_set_masks(&self, guest: usize, apcb: Matrix) {
        let mut kvm = self.model.kvms[guest].lock_unordered(&self.order);
        kvm.apcb = apcb;
        note(|| "sets the guest's masks".to_owned());
    }

    /// A CPU of the guest executes PQAP(AQIC): it is intercepted with the CPU's mutex V held.
    pub fn handle_pqap(&self) {
        let _vcpu = self.model.vcpu.lock_unordered(&self.order);
        let _vfio_ap = self.model.vfio_ap.lock_unordered(&self.order);
    }

    /// The guest becomes protected: K over all of its CPUs' mutexes.
    pub fn kvm_s390_handle_pv(&self, guest: usize) {
        let mut kvm = self.model.kvms[guest].lock_unordered(&self.order);
        self.kvm_s390_cpus_to_pv();
        kvm.protected = true;
    }

    /// Each CPU of the guest is made protected with its mutex V held.
    fn kvm_s390_cpus_to_pv(&self) {
        let _vcpu = self.model.vcpu.lock_unordered(&self.order);
    }
}
