//! A host's whole state as plain data: taken, restored, compared and hashed at quiescence.
//!
//! Objects with locks (cards, queues, guests, mdev devices) are kept by reference and get their contents back, so
//! whoever holds one goes on with it. What is compared and hashed leaves out counters, generations, numbers that only
//! say what came first, and absolute time: else no state would ever come back.
//!
//! A state consists of parts. One that was taken after another one ([`Host::snapshot_after`]) shares the parts in
//! which nothing changed, with their hashes, and going from one to the other ([`Host::restore_from`]) touches only
//! the parts that differ: most operations change one.

mod part;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use locks::{Held, Nothing};

use crate::Host;
use crate::device::{CardState, QueueState};
use crate::machine::{Machine, MachineSnapshot};
use crate::perms::Perms;
use crate::registry::{Core, Registry};
use crate::vfio_ap::{Guest, GuestMemory, GuestState, MdevId, Mdevs};

pub use part::Part;
use part::{Wide, same_cards, same_mdevs, same_queues, same_registry};

/// A guest's state.
#[derive(Clone)]
pub struct GuestSnapshot {
    /// The guest.
    pub guest: Arc<Guest>,
    /// Its APCB.
    pub kvm: GuestState,
    /// Its hook.
    pub hook: Option<MdevId>,
    /// Whether its CPU is protected.
    pub vcpu: bool,
    /// What its interrupts hold.
    pub memory: GuestMemory,
}

/// A host's state, with that of the machine that it runs on.
#[derive(Clone)]
pub struct Snapshot {
    /// The machine.
    pub machine: Part<MachineSnapshot>,
    /// Devices, settings.
    pub registry: Part<Registry>,
    /// Modules and drivers.
    pub core: Core,
    /// The cards' states, ascending.
    pub cards: Part<Vec<CardState>>,
    /// The queues' states, ascending.
    pub queues: Part<Vec<QueueState>>,
    /// apmask and aqmask.
    pub perms: Perms,
    /// What vfio_ap knows.
    pub mdevs: Part<Mdevs>,
    /// The guests, in the order in which they were made.
    pub guests: Part<Vec<GuestSnapshot>>,
    clock: u64,
    ticket: u64,
}

impl Host {
    /// Takes the state. Nothing may be under way.
    ///
    /// # Locks
    /// All, one at a time.
    pub fn snapshot(&self, machine: &Machine, held: &mut Held<'_, Nothing>) -> Snapshot {
        self.snapshot_with(machine, None, held)
    }

    /// Takes the state; the parts in which it is the same as `before` are shared. Nothing may be under way.
    ///
    /// # Locks
    /// All, one at a time.
    pub fn snapshot_after(
        &self,
        machine: &Machine,
        before: &Snapshot,
        held: &mut Held<'_, Nothing>,
    ) -> Snapshot {
        self.snapshot_with(machine, Some(before), held)
    }

    fn snapshot_with(
        &self,
        machine: &Machine,
        before: Option<&Snapshot>,
        held: &mut Held<'_, Nothing>,
    ) -> Snapshot {
        let registry = {
            let (registry, _held) = self.registry.read(held);
            Part::after(before.map(|b| &b.registry), &*registry, same_registry)
        };
        let core = self.core.read(held).0.clone();
        let cards = registry.cards.values().map(|card| card.state.lock(held).0.clone()).collect();
        let queues = registry.queues.values().map(|queue| queue.state.lock(held).0.clone()).collect();
        let guests = {
            let vms = self.vms.read(held).0.clone();
            vms.iter().map(|guest| GuestSnapshot::take(guest, held)).collect()
        };
        let perms = self.perms.lock(held).0.clone();
        let mdevs = {
            let (mdevs, _held) = self.mdevs.lock(held);
            Part::after(before.map(|b| &b.mdevs), &*mdevs, same_mdevs)
        };
        Snapshot {
            machine: machine.snapshot_after(before.map(|b| &b.machine), &mut held.at()),
            registry,
            core,
            cards: Part::or(before.map(|b| &b.cards), cards, same_cards),
            queues: Part::or(before.map(|b| &b.queues), queues, same_queues),
            perms,
            mdevs,
            guests: Part::or(before.map(|b| &b.guests), guests, |a, b| GuestSnapshot::all_same(a, b)),
            clock: self.clock.now(),
            ticket: self.tickets.peek(),
        }
    }

    /// Goes back to a state of this host. Nothing may be under way.
    ///
    /// # Locks
    /// All, one at a time.
    pub fn restore(&self, machine: &Machine, snapshot: &Snapshot, held: &mut Held<'_, Nothing>) {
        self.restore_with(machine, None, snapshot, held);
    }

    /// Goes to a state of this host from the one that it is in, and that was taken of it since it last changed.
    /// Nothing may be under way.
    ///
    /// # Locks
    /// All, one at a time.
    pub fn restore_from(
        &self,
        machine: &Machine,
        now: &Snapshot,
        snapshot: &Snapshot,
        held: &mut Held<'_, Nothing>,
    ) {
        self.restore_with(machine, Some(now), snapshot, held);
    }

    fn restore_with(
        &self,
        machine: &Machine,
        now: Option<&Snapshot>,
        to: &Snapshot,
        held: &mut Held<'_, Nothing>,
    ) {
        if now.is_none_or(|now| !now.machine.is(&to.machine)) {
            machine.restore(&to.machine, &mut held.at());
        }
        let other_devices = now.is_none_or(|now| !now.registry.is(&to.registry));
        if other_devices {
            for card in to.registry.cards.values() {
                *card.device.lock(held).0 = true;
            }
            for queue in to.registry.queues.values() {
                *queue.device.lock(held).0 = true;
            }
            self.registry.write(held).0.clone_from(&to.registry);
        }
        if other_devices || now.is_none_or(|now| !now.cards.is(&to.cards)) {
            for (card, state) in to.registry.cards.values().zip(&to.cards) {
                card.state.lock(held).0.clone_from(state);
            }
        }
        if other_devices || now.is_none_or(|now| !now.queues.is(&to.queues)) {
            for (queue, state) in to.registry.queues.values().zip(&to.queues) {
                queue.state.lock(held).0.clone_from(state);
            }
        }
        if now.is_none_or(|now| !now.mdevs.is(&to.mdevs)) {
            for mdev in to.mdevs.list.values() {
                *mdev.device.device.lock(held).0 = true;
            }
            self.mdevs.lock(held).0.clone_from(&to.mdevs);
        }
        if now.is_none_or(|now| !now.guests.is(&to.guests)) {
            to.guests.iter().for_each(|guest| guest.restore(held));
            let guests = to.guests.iter().map(|guest| guest.guest.clone()).collect();
            *self.vms.write(held).0 = crate::VmList(guests);
        }
        self.core.write(held).0.clone_from(&to.core);
        self.perms.lock(held).0.clone_from(&to.perms);
        self.clock.set(to.clock);
        self.tickets.set(to.ticket);
    }
}

impl GuestSnapshot {
    fn take(guest: &Arc<Guest>, held: &mut Held<'_, Nothing>) -> Self {
        let kvm = *guest.kvm.lock(held).0;
        let hook = *guest.hook.read(held).0;
        let vcpu = *guest.vcpu.lock(held).0;
        let memory = guest.memory.lock(held).0.clone();
        GuestSnapshot { guest: guest.clone(), kvm, hook, vcpu, memory }
    }

    fn restore(&self, held: &mut Held<'_, Nothing>) {
        *self.guest.kvm.lock(held).0 = self.kvm;
        *self.guest.hook.write(held).0 = self.hook;
        *self.guest.vcpu.lock(held).0 = self.vcpu;
        self.guest.memory.lock(held).0.clone_from(&self.memory);
    }

    fn all_same(a: &[Self], b: &[Self]) -> bool {
        let same = |a: &Self, b: &Self| {
            Arc::ptr_eq(&a.guest, &b.guest)
                && (a.kvm, a.hook, a.vcpu) == (b.kvm, b.hook, b.vcpu)
                && a.memory == b.memory
        };
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
    }
}

impl Snapshot {
    /// A number for the state: equal states have equal ones, and two different ones meet by chance only.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        let mut hasher = Wide::default();
        self.hash(&mut hasher);
        hasher.value()
    }
}

impl Hash for Snapshot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.machine.hash(state);
        self.registry.hash(state);
        self.core.hash(state);
        self.cards.hash(state);
        self.queues.hash(state);
        self.perms.hash(state);
        self.mdevs.hash(state);
        self.guests.hash(state);
        for guest in &self.guests {
            let hook = guest.hook.and_then(|id| self.mdevs.list.get(&id)).map(|mdev| mdev.uuid);
            (guest.hook.is_some(), hook).hash(state);
        }
    }
}

impl Hash for GuestSnapshot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.guest.name, self.guest.has_apcb, self.kvm.apcb, self.kvm.protected).hash(state);
        (self.vcpu, &self.memory).hash(state);
    }
}

impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint() == other.fingerprint()
    }
}

impl Eq for Snapshot {}
