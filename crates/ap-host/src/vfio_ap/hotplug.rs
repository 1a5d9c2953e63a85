//! Changes of the host configuration, as vfio_ap follows them. (Page 3, "Hot plug by the machine".)

use ap_types::{AdapterMask, HostConfig, Matrix};
use locks::{Held, Mutex};

use super::state::MdevId;
use super::update::Attached;
use crate::Host;
use crate::driver::DriverId;
use crate::event::Sink;
use crate::order::{Guests, Scan};

impl Host {
    /// What left the configuration leaves the shadow APCBs; what came is remembered.
    ///
    /// # Locks
    /// S is held; takes G, and for each mdev K and M.
    pub(crate) fn vfio_on_config_changed(
        &self,
        new: &HostConfig,
        old: &HostConfig,
        held: &mut Held<'_, Scan>,
        out: &dyn Sink,
    ) {
        if !self.core.read(held).0.drivers.contains(&DriverId::VfioAp) {
            return;
        }
        // Lock order: G -> (for each mdev: K -> M)
        let (_guests, mut held) = self.guests.lock(held);
        for id in self.newest_first(&mut held) {
            self.with_attached(id, &mut held, |mdevs, attached, _held| {
                let before = mdevs.shadow(id);
                let Some(mdev) = mdevs.list.get_mut(&id) else { return };
                mdev.shadow.adapters -= old.adapters - new.adapters;
                mdev.shadow.domains -= old.domains - new.domains;
                mdev.shadow.control_domains -= old.control_domains - new.control_domains;
                self.hand_over(before, id, mdevs, attached, out);
            });
        }
        let came = Matrix {
            adapters: self.known_adapters(new, old, &mut held),
            domains: new.domains - old.domains,
            control_domains: new.control_domains - old.control_domains,
        };
        let (mut mdevs, _held) = self.mdevs.lock(&mut held);
        for mdev in mdevs.list.values_mut() {
            mdev.fresh = false;
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
    fn known_adapters(&self, new: &HostConfig, old: &HostConfig, held: &mut Held<'_, Guests>) -> AdapterMask {
        let domains = new.domains - old.domains;
        let came = new.adapters - old.adapters;
        came.iter().filter(|adapter| self.adapter_is_known(*adapter, &domains, &mut held.at())).collect()
    }

    /// What came is plugged in, all at once for each mdev.
    ///
    /// # Locks
    /// S is held; takes G, and for each mdev K and M.
    pub(crate) fn vfio_on_scan_complete(&self, held: &mut Held<'_, Scan>, out: &dyn Sink) {
        if !self.core.read(held).0.drivers.contains(&DriverId::VfioAp) {
            return;
        }
        // Lock order: G -> (for each mdev: K -> M)
        let (_guests, mut held) = self.guests.lock(held);
        for id in self.newest_first(&mut held) {
            self.with_attached(id, &mut held, |mdevs, attached, held| {
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
                self.hand_over(before, id, mdevs, attached, out);
                self.reset_queues(&reset, mdevs, held, out);
            });
        }
    }

    fn newest_first(&self, held: &mut Held<'_, Guests>) -> Vec<MdevId> {
        self.mdevs.lock(held).0.list.keys().rev().copied().collect()
    }

    /// Runs `f` with K of the mdev's guest, if it has one, and M. G is held.
    fn with_attached(
        &self,
        id: MdevId,
        held: &mut Held<'_, Guests>,
        f: impl FnOnce(&mut super::state::Mdevs, &mut Option<Attached<'_>>, &mut Held<'_, crate::order::Mdevs>),
    ) {
        let guest = self.mdevs.lock(held).0.guest_of(id);
        let (kvm, mut held) = Mutex::lock_opt(guest.as_deref().map(|guest| &guest.kvm), held);
        let mut attached = Attached::new(guest.as_deref(), kvm);
        let (mut mdevs, mut held) = self.mdevs.lock(&mut held);
        f(&mut mdevs, &mut attached, &mut held);
    }
}
