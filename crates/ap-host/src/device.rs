//! Cards and queues as devices of the bus. (Specification, pages 1 and 2.)

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use ap_types::{AdapterId, Apqn, Mode};
use locks::{Key, Mutex};

use crate::driver::DriverId;
use crate::event::Subject;
use crate::order::{Device, Queue};

/// A number that only says which came later: two states that differ in it are the same state.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamp(pub u64);

impl From<u64> for Stamp {
    fn from(number: u64) -> Self {
        Stamp(number)
    }
}

impl PartialEq for Stamp {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Stamp {}

impl Hash for Stamp {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

/// A card device: one adapter.
pub struct Card {
    /// Which adapter.
    pub id: AdapterId,
    /// Which card device of that adapter, counted over time.
    pub generation: u32,
    /// When it was made, among all devices.
    pub made: u64,
    /// The type that drivers match (mapped where the real one is unknown).
    pub hwtype: u8,
    /// The type that the machine says.
    pub raw_hwtype: u8,
    /// The functions word as it was when the device was made, bind state masked out.
    pub functions: u32,
    /// Queue depth.
    pub depth: u8,
    /// Maximum message size in bytes.
    pub max_message: u32,
    /// The mode.
    pub mode: Mode,
    /// **D**: whether the device is still there; held over bind and unbind.
    pub device: Mutex<Device, bool>,
    /// **A**.
    pub state: Mutex<Queue, CardState>,
}

/// What changes about a card.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CardState {
    /// Its driver.
    pub driver: Option<DriverId>,
    /// When it was bound.
    pub bound_at: Stamp,
    /// Configured.
    pub config: bool,
    /// Checkstopped.
    pub chkstop: bool,
    /// Switched on (counts while `cex4card` has it).
    pub online: bool,
}

/// A queue device.
pub struct QueueDevice {
    /// Which queue.
    pub apqn: Apqn,
    /// Which queue device of that APQN, counted over time.
    pub generation: u32,
    /// Its card.
    pub card: Arc<Card>,
    /// When it was made, among all devices.
    pub made: u64,
    /// Whether it has the attributes of a Secure Execution guest's queue.
    pub secure_execution: bool,
    /// **D**: whether the device is still there; held over probe and remove.
    pub device: Mutex<Device, bool>,
    /// **A**.
    pub state: Mutex<Queue, QueueState>,
}

/// What a queue is to the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DevState {
    /// No driver made use of it yet, or the last one let it go.
    Uninitiated,
    /// In use.
    Operating,
    /// Being taken from its driver.
    ShuttingDown,
    /// An instruction failed.
    Error,
}

/// Where the queue's state machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sm {
    /// A reset is to be started.
    ResetStart,
    /// A reset runs.
    ResetWait,
    /// Interrupts are being enabled.
    SetIrqWait,
    /// Nothing to do.
    Idle,
}

/// What changes about a queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueueState {
    /// Its driver.
    pub driver: Option<DriverId>,
    /// When it was bound.
    pub bound_at: Stamp,
    /// Configured.
    pub config: bool,
    /// Checkstopped.
    pub chkstop: bool,
    /// What it is to the bus.
    pub state: DevState,
    /// Its state machine.
    pub sm: Sm,
    /// Switched on (counts while `cex4queue` has it).
    pub online: bool,
}

/// Lock keys of level D and A: queues by APQN, cards and mdevs above them.
pub(crate) fn card_key(id: AdapterId, generation: u32) -> Key {
    Key { id: 0x1_0000 | u32::from(id.0), generation }
}

impl Card {
    /// Whether its mode is one that the host's drivers know.
    #[must_use]
    pub fn has_mode(&self) -> bool {
        self.mode != Mode::None
    }

    /// What uevents about it are about.
    #[must_use]
    pub fn subject(&self, driver: Option<DriverId>) -> Subject {
        Subject::Card {
            adapter: self.id,
            generation: self.generation,
            hwtype: self.hwtype,
            mode: self.mode,
            driver,
        }
    }
}

impl QueueDevice {
    /// What uevents about it are about.
    #[must_use]
    pub fn subject(&self, driver: Option<DriverId>) -> Subject {
        Subject::Queue {
            apqn: self.apqn,
            generation: self.generation,
            card_generation: self.card.generation,
            mode: self.card.mode,
            driver,
        }
    }
}

pub(crate) fn queue_key(apqn: Apqn, generation: u32) -> Key {
    Key { id: u32::from(apqn.to_u16()), generation }
}
