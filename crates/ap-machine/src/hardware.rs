//! The AP instructions as a machine answers them. (Specification, page 1.)

use ap_task::Task;
use ap_task::order::Queue;
use ap_types::{AdapterId, Apqn, HardwareInfo, HostConfig, Status};
use locks::{Clock, Held};

use crate::keys::MasterKeys;

/// What the machine has, apart from adapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Facilities {
    /// AP instructions at all.
    pub instructions: bool,
    /// QCI (facility 12).
    pub qci: bool,
    /// The T bit of TAPQ (facility 15).
    pub apft: bool,
    /// Adapter interrupts (facility 65).
    pub interrupts: bool,
    /// Linux runs as a Secure Execution guest.
    pub secure_execution: bool,
    /// Linux runs under z/VM.
    pub zvm: bool,
}

/// What an adapter tells about itself by way of one of its queues.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AdapterFacts {
    /// Serial number.
    pub serial: String,
    /// EP11: the API's ordinal number.
    pub api_ordinal: u32,
    /// EP11: the firmware's version.
    pub firmware: (u8, u8),
    /// EP11: operation modes, space separated.
    pub op_modes: String,
    /// The master keys of the domain that was asked.
    pub keys: MasterKeys,
}

/// Why an adapter did not tell about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unanswered {
    /// It refuses the request.
    Refused,
    /// The queue takes no requests: it is not there, deconfigured or checkstopped.
    NotTaken,
}

/// A machine with AP instructions. Every method but [`Hardware::clock`] and [`Hardware::facilities`] is one instruction; all but TAPQ and
/// QCI report themselves to the task.
///
/// # Locks
/// Takes the machine's own locks (levels `HwConfig`, `Hw`) only.
pub trait Hardware: Send + Sync {
    /// The machine's time, which passes only from outside.
    fn clock(&self) -> &Clock;

    /// What the machine has.
    fn facilities(&self, held: &mut Held<'_, Queue>) -> Facilities;

    /// PQAP(QCI): the host configuration.
    fn qci(&self, held: &mut Held<'_, Queue>) -> HostConfig;

    /// PQAP(TAPQ) with the T bit.
    fn tapq(&self, apqn: Apqn, held: &mut Held<'_, Queue>) -> (Status, HardwareInfo);

    /// PQAP(RAPQ); `unbind`: the F bit.
    fn rapq(&self, apqn: Apqn, unbind: bool, task: &mut Task<'_, Queue>) -> Status;

    /// PQAP(ZAPQ).
    fn zapq(&self, apqn: Apqn, task: &mut Task<'_, Queue>) -> Status;

    /// PQAP(AQIC).
    fn aqic(&self, apqn: Apqn, on: bool, task: &mut Task<'_, Queue>) -> Status;

    /// PQAP(QACT): the known type that an unknown one is compatible with; `None` if it doesn't answer NORMAL.
    fn qact(&self, apqn: Apqn, task: &mut Task<'_, Queue>) -> Option<u8>;

    /// PQAP(BAPQ).
    fn bapq(&self, apqn: Apqn, task: &mut Task<'_, Queue>) -> Status;

    /// PQAP(AAPQ) with a secret's number.
    fn aapq(&self, apqn: Apqn, secret: u16, task: &mut Task<'_, Queue>) -> Status;

    /// Configures or deconfigures an adapter.
    fn configure(&self, adapter: AdapterId, on: bool, task: &mut Task<'_, Queue>);

    /// Asks an adapter about itself by a request to one of its queues.
    ///
    /// # Errors
    /// [`Unanswered`].
    fn ask(&self, apqn: Apqn, held: &mut Held<'_, Queue>) -> Result<AdapterFacts, Unanswered>;
}
