//! A host's whole state as plain data: taken, restored, compared and hashed at quiescence.
//!
//! Objects with locks (cards, queues, guests, mdev devices) are kept by reference and get their contents back, so
//! whoever holds one goes on with it. A state consists of parts. One that was taken after another one
//! ([`Host::snapshot_after`]) shares the parts in which nothing changed, with their hashes, and going from one to the
//! other ([`Host::restore_from`]) touches only the parts that differ: most operations change one.

use ap_bus::BusState;
use ap_machine::{Machine, MachineState};
use ap_task::Kernel;
use ap_task::state::{Part, Unhashed, fingerprint};
use ap_vfio::VfioState;
use locks::{Held, Nothing};

use crate::core::Core;
use crate::host::Host;

/// A host's state, with that of the machine that it runs on.
#[derive(Clone, Hash)]
pub struct Snapshot {
    /// The machine.
    pub machine: Part<MachineState>,
    /// The bus.
    pub bus: BusState,
    /// vfio_ap.
    pub vfio: VfioState,
    /// Modules.
    pub core: Core,
    /// The kernel, which never changes.
    pub kernel: Kernel,
    clock: Unhashed<u64>,
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
        let core = *self.core.read(held).0;
        Snapshot {
            machine: machine.state(before.map(|b| &b.machine), &mut held.at()),
            bus: self.bus.state(before.map(|b| &b.bus), held),
            vfio: self.vfio.state(before.map(|b| &b.vfio), held),
            core,
            kernel: self.kernel(),
            clock: self.clock().now().into(),
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
        let Snapshot { machine: hardware, bus, vfio, core, kernel: _, clock } = to;
        if now.is_none_or(|now| !now.machine.is(hardware)) {
            machine.restore(hardware, &mut held.at());
        }
        self.bus.restore(now.map(|now| &now.bus), bus, held);
        self.vfio.restore(now.map(|now| &now.vfio), vfio, held);
        *self.core.write(held).0 = *core;
        self.clock().set(clock.0);
    }
}

impl Snapshot {
    /// A number for the state: the same states have equal ones, and two different ones meet by chance only.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        fingerprint(self)
    }

    /// Whether the two share all their parts: then they are equal in everything.
    #[must_use]
    pub fn is(&self, other: &Snapshot) -> bool {
        let Snapshot { machine, bus, vfio, core, kernel: _, clock: _ } = self;
        machine.is(&other.machine) && bus.is(&other.bus) && vfio.is(&other.vfio) && *core == other.core
    }

    /// Whether the two are the same state, counters and what only says what came first left out.
    #[must_use]
    pub fn same(&self, other: &Snapshot) -> bool {
        self.fingerprint() == other.fingerprint()
    }
}
