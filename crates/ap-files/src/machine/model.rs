//! A machine as its file describes it, checked.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use crate::kernel::KernelChoice;
use ap_machine::{AdapterChange, Change, FacilityChange, Fault, Ids, functions_of};
use ap_types::{AdapterId, AdapterMask, Apqn, DomainMask, Features, Matrix, Mode, ResponseCode, Uuid};

/// A machine, checked: what stands in its file, and for what is left out the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineFile {
    /// Its name.
    pub name: String,
    /// The kernel that runs on it.
    pub kernel: KernelChoice,
    /// What QCI says that it can do.
    pub features: Features,
    /// What instructions and facilities it has.
    pub facilities: Facilities,
    /// The highest adapter id.
    pub max_adapter: u8,
    /// The highest domain id.
    pub max_domain: u8,
    /// The usage domains.
    pub domains: DomainMask,
    /// The control domains.
    pub control_domains: DomainMask,
    /// Which adapters the host's own drivers have.
    pub apmask: AdapterMask,
    /// Which domains the host's own drivers have.
    pub aqmask: DomainMask,
    /// The adapters, ascending.
    pub adapters: Vec<Adapter>,
    /// The queues that are not as usual, ascending.
    pub queues: Vec<Queue>,
    /// What mediated devices exist right after boot, in the order in which they are made.
    pub mdevs: Vec<Mdev>,
    /// What guests run right after boot, in the order in which they start.
    pub guests: Vec<Guest>,
}

/// What a machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facilities {
    /// The query of the configuration.
    pub qci: bool,
    /// TAPQ tells what a queue is.
    pub apft: bool,
    /// Adapter interrupts.
    pub interrupts: bool,
    /// AP instructions at all.
    pub instructions: bool,
    /// Linux runs as a Secure Execution guest.
    pub secure_execution: bool,
    /// Linux runs under z/VM.
    pub zvm: bool,
}

/// A crypto adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// Its id.
    pub id: AdapterId,
    /// Its hardware type: 14 is a CEX8.
    pub hwtype: u8,
    /// What it is for.
    pub mode: Mode,
    /// Its functions, if they are not the mode's usual ones.
    pub functions: Option<u32>,
    /// How many requests a queue takes.
    pub depth: u8,
    /// The longest message, in bytes.
    pub max_message: u32,
    /// Its serial number.
    pub serial: String,
}

/// A queue that is not as usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Which.
    pub apqn: Apqn,
    /// How it is.
    pub state: QueueState,
    /// What else of it is not as usual.
    pub faults: Vec<Fault>,
}

/// What a queue answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueState {
    /// As usual.
    Ok,
    /// That it is deconfigured.
    Deconfigured,
    /// That it is checkstopped.
    Checkstopped,
    /// That it is not there.
    Absent,
    /// Something else.
    Answers(ResponseCode),
}

impl QueueState {
    /// The response code that everything asked of the queue gets.
    #[must_use]
    pub fn response_code(self) -> ResponseCode {
        match self {
            QueueState::Ok => ResponseCode::NORMAL,
            QueueState::Deconfigured => ResponseCode::DECONFIGURED,
            QueueState::Checkstopped => ResponseCode::CHECKSTOPPED,
            QueueState::Absent => ResponseCode::Q_NOT_AVAIL,
            QueueState::Answers(code) => code,
        }
    }
}

/// A mediated device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mdev {
    /// Its name.
    pub uuid: Uuid,
    /// What is assigned to it.
    pub matrix: Matrix,
    /// It has no control domains because the file does not say which it has.
    pub control_by_default: bool,
}

/// A guest that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// Its name.
    pub name: String,
    /// The mediated device that it has open.
    pub mdev: Uuid,
}

impl Guest {
    /// Whether a guest can be called so: names are words of the control files, where `-` is none.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        !name.is_empty() && name != "-" && !name.contains(|c: char| c.is_whitespace() || c.is_control())
    }
}

impl MachineFile {
    /// How many queues it has.
    #[must_use]
    pub fn queue_count(&self) -> usize {
        let absent = self.queues.iter().filter(|queue| queue.state == QueueState::Absent).count();
        self.adapters.len() * self.domains.iter().count() - absent
    }

    /// What the machine's operator does to an empty machine so that it has this hardware: features, facilities, the
    /// adapters, what is configured, and last the queues that are not as usual.
    #[must_use]
    pub fn hardware(&self) -> Vec<Change> {
        let Facilities { qci, apft, interrupts, instructions, secure_execution, zvm } = self.facilities;
        let mut changes = vec![
            Change::HighestAdapter(self.max_adapter),
            Change::HighestDomain(self.max_domain),
            Change::Features(self.features),
            Change::Facility(FacilityChange::Qci(qci)),
            Change::Facility(FacilityChange::Apft(apft)),
            Change::Facility(FacilityChange::Interrupts(interrupts)),
            Change::Facility(FacilityChange::Instructions(instructions)),
            Change::Facility(FacilityChange::SecureExecution(secure_execution)),
            Change::Facility(FacilityChange::Zvm(zvm)),
        ];
        changes.extend(self.adapters.iter().map(Adapter::change));
        let configured: AdapterMask = self.adapters.iter().map(|adapter| adapter.id).collect();
        changes.push(Change::Adapters(Ids::Set(configured)));
        changes.push(Change::Domains(Ids::Set(self.domains)));
        changes.push(Change::ControlDomains(Ids::Set(self.control_domains)));
        changes.extend(self.queues.iter().map(|queue| {
            let (adapters, domains) =
                (AdapterMask::single(queue.apqn.adapter), DomainMask::single(queue.apqn.domain));
            let state = Fault::Answer(queue.state.response_code());
            Change::Queue(adapters, domains, [state].into_iter().chain(queue.faults.clone()).collect())
        }));
        changes
    }
}

impl Adapter {
    /// The adapter comes into being, not yet configured.
    fn change(&self) -> Change {
        let change = AdapterChange {
            hwtype: Some(self.hwtype),
            functions: Some(self.functions.unwrap_or_else(|| functions_of(self.mode))),
            ml: Some(self.pages()),
            qd: Some(self.depth - 1),
            serial: Some(self.serial.clone()),
            ..AdapterChange::default()
        };
        Change::Adapter(AdapterMask::single(self.id), change)
    }

    /// The longest message in the unit that the hardware tells, 4096 bytes.
    fn pages(&self) -> u8 {
        u8::try_from(self.max_message / 4096).unwrap_or(u8::MAX)
    }

    /// The type string, as in `type = "CEX8C"`, if its generation and mode have one.
    #[must_use]
    pub fn type_string(&self) -> Option<String> {
        let letter = self.mode.letter()?;
        (10..=14).contains(&self.hwtype).then(|| format!("CEX{}{letter}", self.hwtype - 6))
    }
}

/// Adapters by what they are, for a summary: `2 CEX8C, 1 CEX7C`.
#[must_use]
pub fn kinds(adapters: &[Adapter]) -> String {
    let mut kinds: BTreeMap<Reverse<String>, usize> = BTreeMap::new();
    for adapter in adapters {
        let kind = adapter.type_string().unwrap_or_else(|| format!("type {}", adapter.hwtype));
        *kinds.entry(Reverse(kind)).or_default() += 1;
    }
    kinds.iter().map(|(kind, count)| format!("{count} {}", kind.0)).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for MachineFile {
    /// One line: `8 adapters (2 CEX8C, …) × 6 domains = 48 queues, 1 mdev`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let adapters = count(self.adapters.len(), "adapter");
        let domains = count(self.domains.iter().count(), "domain");
        write!(f, "{adapters}")?;
        if !self.adapters.is_empty() {
            write!(f, " ({})", kinds(&self.adapters))?;
        }
        write!(f, " × {domains} = {}", count(self.queue_count(), "queue"))?;
        match self.mdevs.len() {
            0 => {}
            n => write!(f, ", {}", count(n, "mdev"))?,
        }
        match self.guests.len() {
            0 => {}
            n => write!(f, ", {}", count(n, "guest"))?,
        }
        if self.kernel == KernelChoice::default() { Ok(()) } else { write!(f, ", kernel {}", self.kernel) }
    }
}
