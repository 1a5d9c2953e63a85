//! Machines as data: what a machine file says, and the steps that boot it.
//!
//! [`Machine::load`] takes a built-in name or a file; [`Machine::boot_steps`] gives what is done to an empty
//! machine (the one that transcripts start from) so that it becomes this one, with all modules loaded.

pub mod builtin;
mod check;
mod error;
mod file;
mod ids;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use ap_types::{AdapterId, AdapterMask, Apqn, DomainMask, Features, Matrix, Mode, Uuid};

pub use builtin::{BUILT_IN, BuiltIn};
pub use error::MachineError;
pub(crate) use error::Problem;
pub(crate) use file::problem as toml_problem;
pub use file::schema;

/// The version of machine files that is understood.
pub const SCHEMA: &str = "apmatrix.machine/1";

/// The modules that a booted machine has, in the order in which they are loaded.
pub const MODULES: [&str; 5] = ["ap", "zcrypt", "zcrypt_cex4", "mdev", "vfio_ap"];

/// How long the first scan may take before the next module is loaded, as when transcripts were recorded.
const SCAN_MS: u64 = 500;

/// A machine, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// What QCI says it can.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Which.
    pub apqn: Apqn,
    /// How it is.
    pub state: QueueState,
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
}

impl QueueState {
    /// Its response code.
    #[must_use]
    pub fn response_code(self) -> u8 {
        match self {
            QueueState::Ok => 0,
            QueueState::Deconfigured => 3,
            QueueState::Checkstopped => 4,
            QueueState::Absent => 1,
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
}

/// Something that is done to an empty machine while it boots. A step that fails is a defect of ours: machine files
/// are checked for what the system would refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A command of the transcripts' machine operator, `ap 4 type=14 mode=ep11 ml=14 qd=7 serial=93AADX04`.
    Machine(String),
    /// A module is loaded.
    Insmod {
        /// Its name.
        module: &'static str,
        /// Its parameters.
        params: String,
    },
    /// A file is written.
    Write {
        /// Its path, from `/sys`.
        path: String,
        /// What is written.
        data: String,
    },
    /// Machine time passes.
    Sleep(u64),
}

impl Machine {
    /// The machine of a built-in name or a file; a name wins over a file of that name.
    ///
    /// # Errors
    /// If there is no such file, or what it says is not a machine.
    pub fn load(name: &str) -> Result<Machine, MachineError> {
        match builtin::find(name) {
            Some(built_in) => Machine::parse(built_in.name, built_in.text),
            None => Machine::read(Path::new(name)),
        }
    }

    /// The machine of a file.
    ///
    /// # Errors
    /// If it cannot be read, or what it says is not a machine.
    pub fn read(path: &Path) -> Result<Machine, MachineError> {
        Machine::parse(&path.display().to_string(), &source(path)?)
    }

    /// The machine that `text`, the content of `file`, describes.
    ///
    /// # Errors
    /// If it is not one: the error points to the place and says what was expected.
    pub fn parse(file: &str, text: &str) -> Result<Machine, MachineError> {
        let stem = Path::new(file).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let parsed = file::parse(text).map_err(|error| error.in_file(file, text))?;
        check::machine(parsed, stem.as_deref().unwrap_or(file)).map_err(|error| error.in_file(file, text))
    }

    /// How many queues it has.
    #[must_use]
    pub fn queue_count(&self) -> usize {
        let absent = self.queues.iter().filter(|queue| queue.state == QueueState::Absent).count();
        self.adapters.len() * self.domains.iter().count() - absent
    }

    /// What makes an empty machine this one, in order: hardware, modules, mediated devices.
    #[must_use]
    pub fn boot_steps(&self) -> Vec<Step> {
        let mut steps = vec![
            format!("qci na={} nd={} flags={:#x}", self.max_adapter, self.max_domain, self.features.0),
            format!(
                "opt fac12={} fac15={} fac65={}",
                u8::from(self.facilities.qci),
                u8::from(self.facilities.apft),
                u8::from(self.facilities.interrupts)
            ),
        ];
        steps.extend(self.adapters.iter().map(Adapter::command));
        steps.push(format!("apm {}", id_list(self.adapters.iter().map(|adapter| adapter.id.0))));
        steps.push(format!("aqm {}", id_list(self.domains.iter().map(u8::from))));
        steps.push(format!("adm {}", id_list(self.control_domains.iter().map(u8::from))));
        for Queue { apqn, state } in &self.queues {
            steps.push(format!("q {} {} rc={}", apqn.adapter.0, apqn.domain.0, state.response_code()));
        }
        let mut steps: Vec<Step> = steps.into_iter().map(Step::Machine).collect();
        for module in MODULES {
            let params = if module == "ap" { self.masks() } else { String::new() };
            steps.push(Step::Insmod { module, params });
            if module == "ap" {
                steps.push(Step::Sleep(SCAN_MS));
            }
        }
        for Mdev { uuid, matrix } in &self.mdevs {
            let parent = "/sys/devices/vfio_ap/matrix";
            let create = format!("{parent}/mdev_supported_types/vfio_ap-passthrough/create");
            steps.push(Step::Write { path: create, data: format!("{uuid}\n") });
            let Matrix { adapters, domains, control_domains } = matrix;
            let data = format!("{adapters},{domains},{control_domains}\n");
            steps.push(Step::Write { path: format!("{parent}/{uuid}/ap_config"), data });
        }
        steps
    }

    /// The parameters of the module `ap`.
    fn masks(&self) -> String {
        let mut masks = Vec::new();
        if self.apmask != AdapterMask::ALL {
            masks.push(format!("apmask={}", self.apmask));
        }
        if self.aqmask != DomainMask::ALL {
            masks.push(format!("aqmask={}", self.aqmask));
        }
        masks.join(" ")
    }
}

impl Adapter {
    fn command(&self) -> String {
        let mode = match self.mode {
            Mode::Accelerator => "accel",
            Mode::Cca => "cca",
            Mode::Ep11 => "ep11",
            Mode::None => "none",
        };
        let Adapter { id, hwtype, depth, max_message, serial, .. } = self;
        let mut command = format!("ap {} type={hwtype} mode={mode}", id.0);
        if let Some(functions) = self.functions {
            command.push_str(&format!(" fac={functions:#010x}"));
        }
        command.push_str(&format!(" ml={} qd={} serial={serial}", max_message / 4096, depth - 1));
        command
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
    let mut kinds: BTreeMap<std::cmp::Reverse<String>, usize> = BTreeMap::new();
    for adapter in adapters {
        let kind = adapter.type_string().unwrap_or_else(|| format!("type {}", adapter.hwtype));
        *kinds.entry(std::cmp::Reverse(kind)).or_default() += 1;
    }
    kinds.iter().map(|(kind, count)| format!("{count} {}", kind.0)).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Machine {
    /// One line: `8 adapters (2 CEX8C, …) × 6 domains = 48 queues, 1 mdev`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let adapters = count(self.adapters.len(), "adapter");
        let domains = count(self.domains.iter().count(), "domain");
        write!(
            f,
            "{adapters} ({}) × {domains} = {}",
            kinds(&self.adapters),
            count(self.queue_count(), "queue")
        )?;
        match self.mdevs.len() {
            0 => Ok(()),
            n => write!(f, ", {}", count(n, "mdev")),
        }
    }
}

/// The text of a machine file.
///
/// # Errors
/// If it cannot be read.
pub fn source(path: &Path) -> Result<String, MachineError> {
    fs::read_to_string(path).map_err(|error| MachineError::unreadable(path, &error))
}

/// Ids as the machine's commands take them: `4,10-12`, `none`.
#[must_use]
pub fn id_list(ids: impl Iterator<Item = u8>) -> String {
    let mut runs: Vec<(u8, u8)> = Vec::new();
    for id in ids {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(id) => *last = id,
            _ => runs.push((id, id)),
        }
    }
    if runs.is_empty() {
        return "none".to_owned();
    }
    let text =
        |(first, last): &(u8, u8)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    runs.iter().map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
