//! What happened: uevents, log lines, AP instructions, as values for whoever listens.

use std::fmt;

use ap_types::{AdapterId, Apqn, Matrix, Mode, ResponseCode, Uuid};

/// The major number of miscellaneous devices.
pub const MISC_MAJOR: u32 = 10;

/// The minor number of `z90crypt`.
pub const Z90CRYPT_MINOR: u32 = 256;

/// The minor number of `vfio/vfio`, the same on every host.
pub const VFIO_MINOR: u32 = 196;

/// The major number of VFIO groups.
pub const VFIO_GROUP_MAJOR: u32 = 254;

/// The major number of zcrypt's additional device nodes.
pub const ZCRYPT_MAJOR: u32 = 253;

/// The name of a driver of the AP bus: the directory's name below `/sys/bus/ap/drivers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DriverName(pub &'static str);

impl DriverName {
    /// The host's driver of cards.
    pub const CEX4CARD: DriverName = DriverName("cex4card");
    /// The host's default driver of queues.
    pub const CEX4QUEUE: DriverName = DriverName("cex4queue");
    /// The driver that gives queues to guests.
    pub const VFIO_AP: DriverName = DriverName("vfio_ap");
}

impl fmt::Display for DriverName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// An mdev's number: ascending in the order of creation, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MdevId(pub u32);

/// Something that an operation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message about a device.
    Uevent(Uevent),
    /// A kernel log line.
    Log {
        /// 0-7, as in the kernel log.
        level: u8,
        /// Without a newline.
        text: String,
    },
    /// An AP instruction, or what goes with one.
    Instruction(Instruction),
}

/// Background work that an operation asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Work {
    /// Poll the queues that reset (`Host::poll`).
    Poll,
    /// The periodic scan (`Host::periodic_scan`); a later request replaces an earlier one.
    Scan,
    /// Ask the guests whose mdevs wait to be removed (`Host::relay_requests`).
    Relay,
}

/// Takes what operations report. One task, one sink: sinks are merged outside (page 4, traps).
pub trait Sink {
    /// Something happened.
    fn event(&self, event: Event);

    /// `work` is due `in_ms` milliseconds of machine time from now.
    fn due(&self, work: Work, in_ms: u64);
}

/// A sink that drops everything.
pub struct Ignore;

impl Sink for Ignore {
    fn event(&self, _event: Event) {}
    fn due(&self, _work: Work, _in_ms: u64) {}
}

/// What happened to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It came.
    Add,
    /// It went.
    Remove,
    /// Something about it changed.
    Change,
    /// It was moved.
    Move,
    /// It went online.
    Online,
    /// It went offline.
    Offline,
    /// A driver took it.
    Bind,
    /// Its driver let it go.
    Unbind,
}

impl Action {
    /// The word of the `ACTION` variable.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Action::Add => "add",
            Action::Remove => "remove",
            Action::Change => "change",
            Action::Move => "move",
            Action::Online => "online",
            Action::Offline => "offline",
            Action::Bind => "bind",
            Action::Unbind => "unbind",
        }
    }

    /// The action of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Action> {
        use Action::{Add, Bind, Change, Move, Offline, Online, Remove, Unbind};
        [Add, Remove, Change, Move, Online, Offline, Bind, Unbind].into_iter().find(|a| a.word() == word)
    }
}

/// What a uevent is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A bus, by name.
    Bus(&'static str),
    /// A module, by name.
    Module(&'static str),
    /// A device class, by name.
    Class(&'static str),
    /// A driver of a bus.
    Driver {
        /// The bus's name.
        bus: &'static str,
        /// The driver's name.
        name: &'static str,
    },
    /// The device node of the zcrypt interface.
    Z90crypt,
    /// The device node of VFIO's containers.
    VfioContainer,
    /// An additional node of the zcrypt interface.
    ZcryptNode {
        /// Its number.
        id: u32,
        /// Its name.
        name: String,
        /// Its minor number.
        minor: u32,
        /// Whether it is the only one: the directory of all of them comes and goes with it.
        alone: bool,
    },
    /// `/devices/ap`.
    ApRoot,
    /// `/devices/vfio_ap`.
    VfioRoot,
    /// A card.
    Card {
        /// Which.
        adapter: AdapterId,
        /// Which card device of that adapter, counted over time.
        generation: u32,
        /// Its (mapped) hardware type.
        hwtype: u8,
        /// Its mode.
        mode: Mode,
        /// The driver it is bound to.
        driver: Option<DriverName>,
    },
    /// A queue.
    Queue {
        /// Which.
        apqn: Apqn,
        /// Which queue device of that APQN, counted over time.
        generation: u32,
        /// Which card device it is on.
        card_generation: u32,
        /// Its card's mode.
        mode: Mode,
        /// The driver it is bound to.
        driver: Option<DriverName>,
    },
    /// The matrix device.
    Matrix {
        /// Whether its driver has it.
        bound: bool,
    },
    /// A mediated device.
    Mdev {
        /// Its number.
        id: MdevId,
        /// Its name.
        uuid: Uuid,
        /// Whether its driver has it.
        bound: bool,
    },
    /// A VFIO group's device node.
    VfioGroup {
        /// The number of the mdev that it is of.
        id: MdevId,
        /// The group's number.
        number: u32,
        /// The number of the IOMMU group that comes and goes with it.
        iommu_group: u32,
    },
    /// The VFIO device of an mdev.
    VfioDevice {
        /// The mdev's number.
        id: MdevId,
        /// The mdev's name.
        uuid: Uuid,
        /// Its number.
        number: u32,
    },
}

impl Subject {
    /// The device's path below `/sys`.
    #[must_use]
    pub fn devpath(&self) -> String {
        match self {
            Subject::Bus(name) => format!("/bus/{name}"),
            Subject::Module(name) => format!("/module/{name}"),
            Subject::Class(name) => format!("/class/{name}"),
            Subject::Driver { bus, name } => format!("/bus/{bus}/drivers/{name}"),
            Subject::Z90crypt => "/devices/virtual/misc/z90crypt".into(),
            Subject::VfioContainer => "/devices/virtual/misc/vfio".into(),
            Subject::ZcryptNode { name, .. } => format!("/devices/virtual/zcrypt/{name}"),
            Subject::ApRoot => "/devices/ap".into(),
            Subject::VfioRoot => "/devices/vfio_ap".into(),
            Subject::Card { adapter, .. } => format!("/devices/ap/card{adapter}"),
            Subject::Queue { apqn, .. } => format!("/devices/ap/card{}/{apqn}", apqn.adapter),
            Subject::Matrix { .. } => "/devices/vfio_ap/matrix".into(),
            Subject::Mdev { uuid, .. } => format!("/devices/vfio_ap/matrix/{uuid}"),
            Subject::VfioGroup { number, .. } => format!("/devices/virtual/vfio/{number}"),
            Subject::VfioDevice { uuid, number, .. } => {
                format!("/devices/vfio_ap/matrix/{uuid}/vfio-dev/vfio{number}")
            }
        }
    }

    /// The `SUBSYSTEM` variable, if the device has one.
    #[must_use]
    pub fn subsystem(&self) -> Option<&'static str> {
        Some(match self {
            Subject::Bus(_) => "bus",
            Subject::Module(_) => "module",
            Subject::Class(_) => "class",
            Subject::Driver { .. } => "drivers",
            Subject::Z90crypt | Subject::VfioContainer => "misc",
            Subject::ZcryptNode { .. } => "zcrypt",
            Subject::ApRoot | Subject::Card { .. } | Subject::Queue { .. } => "ap",
            Subject::VfioRoot => "vfio_ap",
            Subject::Matrix { .. } => "matrix",
            Subject::Mdev { .. } => "mdev",
            Subject::VfioGroup { .. } => "vfio",
            Subject::VfioDevice { .. } => "vfio-dev",
        })
    }

    /// What the kernel log calls it: its driver or else its subsystem, nothing without a bus, and its name. `None` of
    /// what is no device.
    #[must_use]
    pub fn logged_as(&self) -> Option<String> {
        let mut kind = match self {
            Subject::Bus(_) | Subject::Module(_) | Subject::Class(_) | Subject::Driver { .. } => return None,
            Subject::ApRoot | Subject::VfioRoot => "",
            _ => self.subsystem().unwrap_or_default(),
        }
        .to_owned();
        self.variables(Action::Change, |key, value| {
            if key == "DRIVER" {
                kind = value;
            }
        });
        let path = self.devpath();
        Some(format!("{kind} {}", path.rsplit('/').next().unwrap_or_default()))
    }

    /// The variables that every event of `action` carries beside SUBSYSTEM. (Page 5, uevents.)
    pub fn variables(&self, action: Action, mut put: impl FnMut(&'static str, String)) {
        match self {
            Subject::Z90crypt => {
                put("MAJOR", MISC_MAJOR.to_string());
                put("MINOR", Z90CRYPT_MINOR.to_string());
                put("DEVNAME", "z90crypt".into());
            }
            Subject::VfioContainer => {
                put("MAJOR", MISC_MAJOR.to_string());
                put("MINOR", VFIO_MINOR.to_string());
                put("DEVNAME", "vfio/vfio".into());
                put("DEVMODE", "0666".into());
            }
            Subject::ZcryptNode { name, minor, .. } => {
                put("MAJOR", ZCRYPT_MAJOR.to_string());
                put("MINOR", minor.to_string());
                put("DEVNAME", name.replace('!', "/"));
            }
            Subject::Card { hwtype, mode, driver, .. } => {
                put("DEVTYPE", "ap_card".into());
                if let Some(driver) = driver {
                    put("DRIVER", driver.0.into());
                }
                put("DEV_TYPE", format!("{hwtype:04X}"));
                if action != Action::Unbind {
                    put("MODALIAS", format!("ap:t{hwtype:02X}"));
                }
                if let Some(mode) = mode.uevent_name() {
                    put("MODE", mode.into());
                }
            }
            Subject::Queue { mode, driver, .. } => {
                put("DEVTYPE", "ap_queue".into());
                if let Some(driver) = driver {
                    put("DRIVER", driver.0.into());
                }
                if let Some(mode) = mode.uevent_name() {
                    put("MODE", mode.into());
                }
            }
            Subject::Matrix { bound: true } => put("DRIVER", "vfio_ap".into()),
            Subject::Mdev { bound: true, .. } => put("DRIVER", "vfio_ap_mdev".into()),
            Subject::VfioGroup { number, .. } => {
                put("MAJOR", VFIO_GROUP_MAJOR.to_string());
                put("MINOR", number.to_string());
                put("DEVNAME", format!("vfio/{number}"));
            }
            _ => {}
        }
    }
}

/// A message about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uevent {
    /// What happened.
    pub action: Action,
    /// To which device.
    pub subject: Subject,
    /// Variables of this very event.
    pub extra: Vec<(String, String)>,
}

impl Uevent {
    /// All variables but ACTION, DEVPATH and SEQNUM, in order.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        let mut env = Vec::with_capacity(6);
        if let Some(subsystem) = self.subject.subsystem() {
            env.push(("SUBSYSTEM".to_owned(), subsystem.to_owned()));
        }
        env.extend(self.extra.iter().cloned());
        self.subject.variables(self.action, |key, value| env.push((key.to_owned(), value)));
        env
    }
}

/// An AP instruction that was issued, or what goes with one, in the order of issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Zeroize.
    Zapq(Apqn, ResponseCode),
    /// Reset; `true`: with the F bit.
    Rapq(Apqn, ResponseCode, bool),
    /// Interrupts on or off.
    Aqic(Apqn, bool, ResponseCode),
    /// Bind in a Secure Execution guest.
    Bapq(Apqn, ResponseCode),
    /// Associate with a secret.
    Aapq(Apqn, u16, ResponseCode),
    /// The compatible type of an unknown one is asked for.
    Qact(Apqn),
    /// A guest's APCB is set.
    SetMasks(String, Matrix),
    /// A guest's APCB is cleared.
    ClearMasks(String),
    /// A page of guest memory is pinned.
    Pin(u64),
    /// … and let go.
    Unpin(u64),
    /// An interruption subclass is registered for a guest.
    GiscRegister(String, u8),
    /// … and unregistered.
    GiscUnregister(String, u8),
    /// A guest's PQAP was intercepted: whether vfio_ap left it to others, and GR1 afterwards.
    Pqap(bool, u64),
    /// An adapter is configured.
    SclpConfigure(AdapterId),
    /// An adapter is deconfigured.
    SclpDeconfigure(AdapterId),
}

impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Instruction::Zapq(apqn, rc) => write!(f, "zapq {apqn} rc={rc}"),
            Instruction::Rapq(apqn, rc, false) => write!(f, "rapq {apqn} rc={rc}"),
            Instruction::Rapq(apqn, rc, true) => write!(f, "rapq {apqn} rc={rc} f"),
            Instruction::Aqic(apqn, on, rc) => write!(f, "aqic {apqn} ir={} rc={rc}", u8::from(*on)),
            Instruction::Bapq(apqn, rc) => write!(f, "bapq {apqn} rc={rc}"),
            Instruction::Aapq(apqn, secret, rc) => write!(f, "aapq {apqn} {secret} rc={rc}"),
            Instruction::Qact(apqn) => write!(f, "qact {apqn}"),
            Instruction::SetMasks(guest, m) => {
                write!(f, "set_masks {guest} apm={} aqm={} adm={}", m.adapters, m.domains, m.control_domains)
            }
            Instruction::ClearMasks(guest) => write!(f, "clear_masks {guest}"),
            Instruction::Pin(address) => write!(f, "pin {address:x}"),
            Instruction::Unpin(address) => write!(f, "unpin {address:x}"),
            Instruction::GiscRegister(guest, isc) => write!(f, "gisc_register {guest} {isc}"),
            Instruction::GiscUnregister(guest, isc) => write!(f, "gisc_unregister {guest} {isc}"),
            Instruction::Pqap(left, gr1) => write!(f, "pqap rc={} gr1={gr1:016x}", u8::from(*left)),
            Instruction::SclpConfigure(adapter) => write!(f, "sclp_configure {adapter}"),
            Instruction::SclpDeconfigure(adapter) => write!(f, "sclp_deconfigure {adapter}"),
        }
    }
}
