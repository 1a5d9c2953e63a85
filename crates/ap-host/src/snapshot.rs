//! A host's whole state as plain data: taken, restored, compared and hashed at quiescence.
//!
//! Objects with locks (cards, queues, guests, mdev devices) are kept by reference and get their contents back, so
//! whoever holds one goes on with it. What is compared and hashed leaves out counters, generations, numbers that only
//! say what came first, and absolute time: else no state would ever come back.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use locks::{Held, Nothing};

use crate::Host;
use crate::device::{CardState, QueueState};
use crate::machine::{Machine, MachineSnapshot};
use crate::perms::Perms;
use crate::registry::Registry;
use crate::vfio_ap::{Guest, GuestMemory, GuestState, MdevId, Mdevs};

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
    pub machine: MachineSnapshot,
    /// Devices, drivers, settings.
    pub registry: Registry,
    /// The cards' states, ascending.
    pub cards: Vec<CardState>,
    /// The queues' states, ascending.
    pub queues: Vec<QueueState>,
    /// apmask and aqmask.
    pub perms: Perms,
    /// What vfio_ap knows.
    pub mdevs: Mdevs,
    /// The guests, in the order in which they were made.
    pub guests: Vec<GuestSnapshot>,
    clock: u64,
    ticket: u64,
}

impl Host {
    /// Takes the state. Nothing may be under way.
    ///
    /// # Locks
    /// All, one at a time.
    pub fn snapshot(&self, machine: &Machine, held: &mut Held<'_, Nothing>) -> Snapshot {
        let registry = self.registry.read(held).0.clone();
        let cards = registry.cards.values().map(|card| card.state.lock(held).0.clone()).collect();
        let queues = registry.queues.values().map(|queue| queue.state.lock(held).0.clone()).collect();
        let vms = self.vms.read(held).0.clone();
        let guests = vms.iter().map(|guest| GuestSnapshot::take(guest, held)).collect();
        let perms = self.perms.lock(held).0.clone();
        let mdevs = self.mdevs.lock(held).0.clone();
        Snapshot {
            machine: machine.snapshot(&mut held.at()),
            cards,
            queues,
            perms,
            mdevs,
            guests,
            registry,
            clock: self.clock.now(),
            ticket: self.tickets.peek(),
        }
    }

    /// Goes back to a state of this host. Nothing may be under way.
    ///
    /// # Locks
    /// All, one at a time.
    pub fn restore(&self, machine: &Machine, snapshot: &Snapshot, held: &mut Held<'_, Nothing>) {
        machine.restore(&snapshot.machine, &mut held.at());
        for (card, state) in snapshot.registry.cards.values().zip(&snapshot.cards) {
            *card.device.lock(held).0 = true;
            card.state.lock(held).0.clone_from(state);
        }
        for (queue, state) in snapshot.registry.queues.values().zip(&snapshot.queues) {
            *queue.device.lock(held).0 = true;
            queue.state.lock(held).0.clone_from(state);
        }
        for mdev in snapshot.mdevs.list.values() {
            *mdev.device.device.lock(held).0 = true;
        }
        for guest in &snapshot.guests {
            guest.restore(held);
        }
        *self.registry.write(held).0 = snapshot.registry.clone();
        *self.perms.lock(held).0 = snapshot.perms.clone();
        *self.mdevs.lock(held).0 = snapshot.mdevs.clone();
        let guests = snapshot.guests.iter().map(|guest| guest.guest.clone()).collect();
        *self.vms.write(held).0 = crate::VmList(guests);
        self.clock.set(snapshot.clock);
        self.tickets.set(snapshot.ticket);
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
}

impl Snapshot {
    /// A number for the state: equal states have equal ones, and two different ones meet by chance only.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        let low = locks::hook::fingerprint(self);
        let high = locks::hook::fingerprint(&(0x5eed_u64, self));
        u128::from(high) << 64 | u128::from(low)
    }
}

impl Hash for Snapshot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.machine.hash(state);
        self.registry.hash(state);
        self.cards.hash(state);
        self.queues.hash(state);
        self.perms.hash(state);
        self.mdevs.hash(state);
        for guest in &self.guests {
            guest.hash(state);
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
