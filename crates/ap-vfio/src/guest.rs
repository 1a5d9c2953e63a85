//! What a guest is: its APCB, its CPU, its hook, its memory, each under its lock.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};

use ap_task::order::{Hook, Kvm, Memory, Vcpu};
use ap_task::state::Unhashed;
use ap_task::{Instruction, MdevId, Task};
use ap_types::Matrix;
use locks::{Guard, Mutex, RwLock};

/// A guest of the host, running or not.
pub struct Guest {
    /// Its name.
    pub name: String,
    /// Whether it has an APCB at all.
    pub has_apcb: bool,
    /// **K**.
    pub kvm: Mutex<Kvm, GuestState>,
    /// **V**: its (one) CPU; whether it is protected.
    pub vcpu: Mutex<Vcpu, bool>,
    /// **H**: the mdev that handles its AQIC.
    pub hook: RwLock<Hook, Option<MdevId>>,
    /// What is pinned and registered for it.
    pub memory: Mutex<Memory, GuestMemory>,
}

/// A guest's APCB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct GuestState {
    /// The APCB.
    pub apcb: Matrix,
    /// How often it was set.
    pub set_count: Unhashed<u32>,
    /// How often it was cleared.
    pub clear_count: Unhashed<u32>,
    /// It became protected.
    pub protected: bool,
}

/// What interrupts hold of a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct GuestMemory {
    /// Pinned pages and how often.
    pub pinned: BTreeMap<u64, u32>,
    /// Registrations by interruption subclass.
    pub gisc: [u32; 8],
}

impl Guest {
    /// A guest that does not run; `number` tells its locks from those of others.
    #[must_use]
    pub fn new(name: &str, has_apcb: bool, number: u32) -> Guest {
        Guest {
            name: name.to_owned(),
            has_apcb,
            kvm: Mutex::new(number, GuestState::default()),
            vcpu: Mutex::new(number, false),
            hook: RwLock::new(number, None),
            memory: Mutex::new(number, GuestMemory::default()),
        }
    }
}

/// A guest is itself and no other.
impl PartialEq for Guest {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Guest {}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest").field("name", &self.name).field("has_apcb", &self.has_apcb).finish()
    }
}

/// What guests are told apart by; their states are parts of their own.
impl Hash for Guest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Guest { name, has_apcb, kvm: _, vcpu: _, hook: _, memory: _ } = self;
        (name, has_apcb).hash(state);
    }
}

impl Guest {
    /// What a look at guests counts: which guest it is, by its locks' number, too.
    pub(crate) fn which(&self) -> (&str, u32) {
        (&self.name, self.kvm.object().key.id)
    }
}

/// A guest that an operation may have to give a new APCB: its lock K is held.
pub(crate) struct Attached<'a> {
    pub guest: &'a Guest,
    pub state: Guard<'a, Kvm, GuestState>,
}

impl<'a> Attached<'a> {
    pub(crate) fn new(guest: Option<&'a Guest>, state: Option<Guard<'a, Kvm, GuestState>>) -> Option<Self> {
        guest.zip(state).map(|(guest, state)| Attached { guest, state })
    }

    /// Gives the guest a new APCB.
    pub(crate) fn set_masks<L>(&mut self, apcb: Matrix, task: &Task<'_, L>) {
        self.state.apcb = apcb;
        *self.state.set_count += 1;
        task.instruction(Instruction::SetMasks(self.guest.name.clone(), apcb));
    }

    /// Takes everything from the guest.
    pub(crate) fn clear_masks<L>(&mut self, task: &Task<'_, L>) {
        self.state.apcb = Matrix::default();
        *self.state.clear_count += 1;
        task.instruction(Instruction::ClearMasks(self.guest.name.clone()));
    }
}
