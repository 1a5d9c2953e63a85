//! What a machine must be able to do for a transcript to be replayed on it.

use std::borrow::Cow;

use ap_files::transcript::{GuestCall, Line};
use ap_sysfs::{Errno, Event, Kind};

use crate::error::CliError;

/// Why an operation failed: the errno's name, and how far it got where transcripts say that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `EBUSY`, …
    pub errno: Cow<'static, str>,
    /// `open` if a file could not even be opened; `iommu_group`, `group`, `device` of a guest's open.
    pub at: Option<Cow<'static, str>>,
}

impl Failure {
    /// The failure of an operation on an open file.
    #[must_use]
    pub fn new(errno: Errno) -> Failure {
        Failure { errno: errno.name().into(), at: None }
    }

    /// The failure of a stage: `open`, `iommu_group`, `group`, `device`.
    #[must_use]
    pub fn at(errno: Errno, stage: &'static str) -> Failure {
        Failure { errno: errno.name().into(), at: Some(stage.into()) }
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Failure {
        Failure::new(errno)
    }
}

/// The machine itself could not be used (a mount that went away, a control file that is not there).
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TargetError(pub String);

impl From<TargetError> for CliError {
    fn from(error: TargetError) -> CliError {
        CliError::environment(error.to_string()).because(error)
    }
}

/// A write or read that had not returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What a write or read gave: nothing but that, or what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gave {
    /// It was a write.
    Written,
    /// It was a read, of this.
    Read(Vec<u8>),
}

/// What became of a write or read that may block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Later {
    /// It returned.
    Done(Result<Gave, Failure>),
    /// It had not returned after 300 ms of machine time.
    Pending(Ticket),
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// What it is, links not followed.
    pub kind: Kind,
    /// Its permission bits.
    pub mode: u16,
    /// Its size.
    pub size: u64,
}

/// What lstat(2) says: a last link is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Type and permission bits, as in `st_mode`.
    pub mode: u32,
    /// Bytes.
    pub size: u64,
}

/// What a guest operation tells besides success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuestFacts {
    /// Of `info`: the device's flags.
    pub flags: Option<u64>,
    /// Of `info`: how many regions.
    pub num_regions: Option<u64>,
    /// Of `info`: how many interrupts.
    pub num_irqs: Option<u64>,
    /// Of `info`: flags and count of interrupt 0.
    pub irq0: Option<(u64, u64)>,
    /// Of `evcount` and `cfgcount`: how often the interrupt was signalled since the last question.
    pub count: Option<u64>,
    /// Of `irqinfo`: flags and count of interrupts 0 to 3.
    pub irqs: Option<[Result<(u64, u64), Errno>; 4]>,
    /// Of `cfgbad`: the errnos of what is no eventfd, and of an interrupt that there is not.
    pub refused: Option<(Errno, Errno)>,
    /// Of `fdinfo`: the lines that name the device.
    pub lines: Option<Vec<String>>,
}

/// A guest, as a dump shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuestState {
    /// Its name.
    pub name: String,
    /// Whether an mdev holds its hook.
    pub hook: u64,
    /// How many `set_masks` so far.
    pub nset: u64,
    /// How many `clear_masks` so far.
    pub nclear: u64,
    /// Its APCB's adapters, `0x` and 64 hex digits.
    pub apm: String,
    /// Its APCB's usage domains.
    pub aqm: String,
    /// Its APCB's control domains.
    pub adm: String,
}

/// What of a machine can be seen, besides the answers of its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sees {
    /// Uevents, log lines and instructions.
    pub events: bool,
    /// What guests and their devices look like.
    pub guests: bool,
}

/// A machine with its tree, operator and guests.
///
/// A machine starts as transcripts do: features APSC and APXA, no interrupts, no adapters, no modules. Calls
/// that need machine time (a store that waits for a reset) take it; nothing else makes time pass but
/// [`Target::sleep`] and, up to 300 ms, [`Target::write_later`]. Paths begin with `/sys`.
pub trait Target {
    /// Says which operation comes next.
    fn announce(&mut self, _line: &Line) {}

    /// What of it can be seen; the rest is not compared.
    fn sees(&self) -> Sees {
        Sees { events: true, guests: true }
    }

    /// One open(O_WRONLY) and one write(2); how many bytes were taken.
    fn write(&mut self, path: &str, data: &[u8]) -> Result<usize, Failure>;

    /// The same for a write that may block: waits 300 ms for it. The `at` of a failure does not matter.
    fn write_later(&mut self, path: &str, data: &[u8]) -> Later;

    /// The same for a read.
    fn read_later(&mut self, path: &str) -> Later;

    /// Waits up to `ms` for a pending write or read.
    fn join(&mut self, ticket: Ticket, ms: u64) -> Option<Result<Gave, Failure>>;

    /// The whole content of a file.
    fn read(&mut self, path: &str) -> Result<Vec<u8>, Failure>;

    /// A directory's entries, in any order.
    fn list(&mut self, path: &str) -> Result<Vec<Listed>, Failure>;

    /// A link's target.
    fn readlink(&mut self, path: &str) -> Result<String, Failure>;

    /// A node's type, mode and size.
    fn stat(&mut self, path: &str) -> Result<Stat, Failure>;

    /// A command of the transcripts' machine operator: `apm`, `aqm`, `adm`, `qci`, `opt`, `ap`, `q`, `pqap`.
    fn machine(&mut self, command: &str) -> Result<(), Failure>;

    /// Loads a driver module.
    fn insmod(&mut self, module: &str, parameters: &str) -> Result<(), Failure>;

    /// Unloads a driver module.
    fn rmmod(&mut self, module: &str) -> Result<(), Failure>;

    /// What a guest does. Never called for an mdev that was not opened before, but for an open.
    fn guest(&mut self, call: &GuestCall) -> Result<GuestFacts, Failure>;

    /// All guests that were ever made, in order.
    fn guests(&mut self) -> Vec<GuestState>;

    /// Machine time passes, with the background work that falls due.
    fn sleep(&mut self, ms: u64);

    /// What happened since the last question.
    fn events(&mut self) -> Vec<Event>;

    /// Invariants that do not hold now, a sentence each.
    fn violations(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Whether the machine can still be used; asked after every operation.
    fn health(&mut self) -> Result<(), TargetError> {
        Ok(())
    }
}
