//! The driver's whole state as plain data: taken and restored at quiescence.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use ap_task::MdevId;
use ap_task::state::{Part, Unhashed};
use locks::{Held, Nothing};

use crate::driver::VfioAp;
use crate::guest::{Guest, GuestMemory, GuestState};
use crate::state::Mdevs;

/// A guest's state.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct GuestSnapshot {
    /// The guest.
    pub guest: Arc<Guest>,
    /// Its APCB.
    pub kvm: GuestState,
    /// Its hook. (By its number; which mdev that is, is hashed where both are known.)
    pub hook: Unhashed<Option<MdevId>>,
    /// Whether its CPU is protected.
    pub vcpu: bool,
    /// What its interrupts hold.
    pub memory: GuestMemory,
}

/// The driver's state. Guests and mdev devices are kept by reference and get their contents back.
#[derive(Clone)]
pub struct VfioState {
    /// What the driver knows.
    pub mdevs: Part<Mdevs>,
    /// The guests, in the order in which they were made.
    pub guests: Part<Vec<GuestSnapshot>>,
}

impl VfioState {
    /// Whether the two share all their parts.
    #[must_use]
    pub fn is(&self, other: &VfioState) -> bool {
        let VfioState { mdevs, guests } = self;
        mdevs.is(&other.mdevs) && guests.is(&other.guests)
    }
}

/// A guest's hook is told apart by the name of its mdev, which only both parts together know.
impl Hash for VfioState {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let VfioState { mdevs, guests } = self;
        (mdevs, guests).hash(state);
        for guest in guests {
            let hook = guest.hook.map(|id| mdevs.list.get(&id).map(|mdev| mdev.uuid));
            hook.hash(state);
        }
    }
}

impl VfioAp {
    /// Takes the state; the parts in which it is equal to `before` are shared. Nothing may be under way.
    ///
    /// # Locks
    /// All of the driver's, one at a time.
    pub fn state(&self, before: Option<&VfioState>, held: &mut Held<'_, Nothing>) -> VfioState {
        let mdevs = Part::after(before.map(|b| &b.mdevs), &*self.mdevs.read(held).0);
        let vms = self.vms.read(held).0.clone();
        let guests = vms.iter().map(|guest| GuestSnapshot::take(guest, held)).collect();
        VfioState { mdevs, guests: Part::or(before.map(|b| &b.guests), guests) }
    }

    /// Goes to a state of this driver, from `now` if that is the one that it is in. Nothing may be under way.
    ///
    /// # Locks
    /// All of the driver's, one at a time.
    pub fn restore(&self, now: Option<&VfioState>, to: &VfioState, held: &mut Held<'_, Nothing>) {
        if now.is_none_or(|now| !now.mdevs.is(&to.mdevs)) {
            for mdev in to.mdevs.list.values() {
                *mdev.device.device.lock(held).0 = true;
            }
            self.mdevs.write(held).0.clone_from(&to.mdevs);
        }
        if now.is_none_or(|now| !now.guests.is(&to.guests)) {
            to.guests.iter().for_each(|guest| guest.restore(held));
            *self.vms.write(held).0 = to.guests.iter().map(|guest| guest.guest.clone()).collect();
        }
    }
}

impl GuestSnapshot {
    fn take(guest: &Arc<Guest>, held: &mut Held<'_, Nothing>) -> Self {
        let kvm = *guest.kvm.lock(held).0;
        let hook = Unhashed(*guest.hook.read(held).0);
        let vcpu = *guest.vcpu.lock(held).0;
        let memory = guest.memory.lock(held).0.clone();
        GuestSnapshot { guest: guest.clone(), kvm, hook, vcpu, memory }
    }

    fn restore(&self, held: &mut Held<'_, Nothing>) {
        *self.guest.kvm.lock(held).0 = self.kvm;
        *self.guest.hook.write(held).0 = *self.hook;
        *self.guest.vcpu.lock(held).0 = self.vcpu;
        self.guest.memory.lock(held).0.clone_from(&self.memory);
    }
}
