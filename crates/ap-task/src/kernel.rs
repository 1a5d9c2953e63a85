//! Which kernel a host runs: what newer ones do differently, each thing a flag with a name. (Specification, page 7.)
//!
//! A version number does not order behaviour (stable kernels and vendors carry parts over), so whoever decides asks
//! for a [`Flag`], and a [`Version`] is a name for a set of them. A host's [`Kernel`] is chosen when it is made and
//! never changes.

use std::fmt;

/// One thing that kernels do differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Flag {
    /// The device of an mdev has a second interrupt, which tells that the guest's APCB was set.
    ConfigIrq,
    /// Removing an mdev that a guest holds takes its queues at once.
    RequestClears,
    /// A mask write asks about the added bits with all 256 of the other mask.
    InUseWhole,
    /// Queues have `driver_override`.
    DriverOverride,
    /// `/sys/bus/ap/bindings_complete_count`.
    BindingsCount,
    /// `VFIO_DEVICE_GET_REGION_INFO` answers `EINVAL` instead of `EOPNOTSUPP`.
    RegionInfoInvalid,
    /// Everybody may read the parameters of `ap`.
    OpenParameters,
    /// `zcrypt` has the parameter `mempool_threshold`.
    MessagePools,
    /// `serialnr` of a CCA card asks the default domain's queue only.
    SerialOfDefaultDomain,
    /// `depth` reads what the machine says, which is one less than the depth.
    RawDepth,
    /// The depth of a queue has five bits.
    DeepQueues,
    /// A descriptor of a device tells its place in sysfs (`fdinfo`).
    DeviceSyspath,
    /// What an adapter once told is asked for at each read.
    AnswersForgotten,
    /// `matrix` of 512 queues and more is cut in the middle of a line.
    MatrixCut,
    /// A `change` event after a bind and a completed association in Secure Execution.
    SeChangeEvents,
    /// A forced scan that waits is ended by `SIGKILL` only.
    KillableWait,
}

/// What a [`Flag`] stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// The real code was recorded doing so.
    Recorded,
    /// By reading what is public about that kernel; nothing was recorded.
    ByReading,
    /// Known, and of no effect here; why.
    NoEffect(&'static str),
}

impl Flag {
    /// All of them, as the specification lists them.
    pub const ALL: [Flag; 16] = [
        Flag::ConfigIrq,
        Flag::RequestClears,
        Flag::InUseWhole,
        Flag::DriverOverride,
        Flag::BindingsCount,
        Flag::RegionInfoInvalid,
        Flag::OpenParameters,
        Flag::MessagePools,
        Flag::SerialOfDefaultDomain,
        Flag::RawDepth,
        Flag::DeepQueues,
        Flag::DeviceSyspath,
        Flag::AnswersForgotten,
        Flag::MatrixCut,
        Flag::SeChangeEvents,
        Flag::KillableWait,
    ];

    /// Its name in machine files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Flag::ConfigIrq => "config-irq",
            Flag::RequestClears => "request-clears",
            Flag::InUseWhole => "in-use-whole",
            Flag::DriverOverride => "driver-override",
            Flag::BindingsCount => "bindings-count",
            Flag::RegionInfoInvalid => "region-info-invalid",
            Flag::OpenParameters => "open-parameters",
            Flag::MessagePools => "message-pools",
            Flag::SerialOfDefaultDomain => "serial-of-default-domain",
            Flag::RawDepth => "raw-depth",
            Flag::DeepQueues => "deep-queues",
            Flag::DeviceSyspath => "device-syspath",
            Flag::AnswersForgotten => "answers-forgotten",
            Flag::MatrixCut => "matrix-cut",
            Flag::SeChangeEvents => "se-change-events",
            Flag::KillableWait => "killable-wait",
        }
    }

    /// The flag of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Flag> {
        Flag::ALL.into_iter().find(|flag| flag.name() == name)
    }

    /// What it does, in a line.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Flag::ConfigIrq => "the device has a second interrupt: the guest's APCB was set",
            Flag::RequestClears => "removing an mdev that a guest holds takes its queues at once",
            Flag::InUseWhole => "a mask write asks about added bits with all of the other mask",
            Flag::DriverOverride => "queues have driver_override",
            Flag::BindingsCount => "/sys/bus/ap/bindings_complete_count",
            Flag::RegionInfoInvalid => "GET_REGION_INFO answers EINVAL, not EOPNOTSUPP",
            Flag::OpenParameters => "everybody may read the parameters of ap",
            Flag::MessagePools => "zcrypt has the parameter mempool_threshold",
            Flag::SerialOfDefaultDomain => "serialnr of a CCA card asks the default domain only",
            Flag::RawDepth => "depth reads one less",
            Flag::DeepQueues => "depth up to 32",
            Flag::DeviceSyspath => "fdinfo of a device names its place in sysfs",
            Flag::AnswersForgotten => "adapters are asked anew at each read",
            Flag::MatrixCut => "matrix of 512 queues and more is cut in a line",
            Flag::SeChangeEvents => "a change event after a bind under Secure Execution",
            Flag::KillableWait => "a forced scan that waits is ended by SIGKILL only",
        }
    }

    /// What it stands on.
    #[must_use]
    pub const fn ground(self) -> Ground {
        match self {
            Flag::DeepQueues | Flag::AnswersForgotten => Ground::ByReading,
            Flag::MatrixCut => Ground::NoEffect("whole lines here, with every kernel (DEV-001)"),
            Flag::SeChangeEvents => Ground::NoEffect("the variables of the event are not known"),
            Flag::KillableWait => Ground::NoEffect("a scan ends at once here"),
            _ => Ground::Recorded,
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u8
    }

    const fn set(flags: &[Flag]) -> u32 {
        let (mut set, mut at) = (0, 0);
        while at < flags.len() {
            set |= flags[at].bit();
            at += 1;
        }
        set
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name for a set of flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// Linux 6.12: none.
    #[default]
    V6_12,
    /// Linux 6.18.
    V6_18,
    /// Linux 6.19.
    V6_19,
    /// Linux 7.1.
    V7_1,
    /// Linux 7.3.
    V7_3,
}

impl Version {
    /// All of them, oldest first.
    pub const ALL: [Version; 5] =
        [Version::V6_12, Version::V6_18, Version::V6_19, Version::V7_1, Version::V7_3];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Version::V6_12 => "6.12",
            Version::V6_18 => "6.18",
            Version::V6_19 => "6.19",
            Version::V7_1 => "7.1",
            Version::V7_3 => "7.3",
        }
    }

    /// The version that a number means: its own, or the one that behaves like it.
    #[must_use]
    pub fn from_number(number: &str) -> Option<Version> {
        Some(match number {
            "6.12" | "6.13" | "6.14" => Version::V6_12,
            "6.15" | "6.16" | "6.17" | "6.18" => Version::V6_18,
            "6.19" => Version::V6_19,
            "7.0" | "7.1" | "7.2" => Version::V7_1,
            "7.3" => Version::V7_3,
            _ => return None,
        })
    }

    /// The numbers that [`Version::from_number`] knows.
    pub const NUMBERS: [&'static str; 12] =
        ["6.12", "6.13", "6.14", "6.15", "6.16", "6.17", "6.18", "6.19", "7.0", "7.1", "7.2", "7.3"];

    const fn flags(self) -> u32 {
        use Flag::{
            AnswersForgotten, BindingsCount, ConfigIrq, DeepQueues, DeviceSyspath, DriverOverride,
            InUseWhole, KillableWait, MatrixCut, MessagePools, OpenParameters, RawDepth, RegionInfoInvalid,
            RequestClears, SeChangeEvents, SerialOfDefaultDomain,
        };
        const V6_18: u32 =
            Flag::set(&[ConfigIrq, RequestClears, MessagePools, DeviceSyspath, AnswersForgotten, MatrixCut]);
        const V6_19: u32 = V6_18 | Flag::set(&[InUseWhole, DriverOverride, BindingsCount, RegionInfoInvalid]);
        const V7_1: u32 = V6_19 | OpenParameters.bit();
        match self {
            Version::V6_12 => 0,
            Version::V6_18 => V6_18 | Flag::set(&[SerialOfDefaultDomain, RawDepth]),
            Version::V6_19 => V6_19 | SerialOfDefaultDomain.bit(),
            Version::V7_1 => V7_1,
            Version::V7_3 => V7_1 | Flag::set(&[DeepQueues, SeChangeEvents, KillableWait]),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The kernel of a host: a version, and what a vendor's differs in from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    base: Version,
    flags: u32,
}

impl Kernel {
    /// The kernel of that version.
    #[must_use]
    pub const fn of(base: Version) -> Kernel {
        Kernel { base, flags: base.flags() }
    }

    /// The same kernel with a flag set or not.
    #[must_use]
    pub const fn with(self, flag: Flag, on: bool) -> Kernel {
        let flags = if on { self.flags | flag.bit() } else { self.flags & !flag.bit() };
        Kernel { flags, ..self }
    }

    /// Whether it has a flag.
    #[must_use]
    pub const fn has(self, flag: Flag) -> bool {
        self.flags & flag.bit() != 0
    }

    /// The version that it goes by.
    #[must_use]
    pub const fn base(self) -> Version {
        self.base
    }

    /// What differs from its version: each flag, and whether it has it.
    pub fn differences(self) -> impl Iterator<Item = (Flag, bool)> {
        let own = Kernel::of(self.base);
        Flag::ALL
            .into_iter()
            .filter(move |flag| own.has(*flag) != self.has(*flag))
            .map(move |flag| (flag, self.has(flag)))
    }
}

impl Default for Kernel {
    fn default() -> Self {
        Kernel::of(Version::default())
    }
}

impl From<Version> for Kernel {
    fn from(base: Version) -> Kernel {
        Kernel::of(base)
    }
}

/// `7.1`, or `7.1 with driver-override, without config-irq`.
impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.base)?;
        for (index, (flag, on)) in self.differences().enumerate() {
            write!(
                f,
                "{} {} {flag}",
                if index == 0 { "" } else { "," },
                if on { "with" } else { "without" }
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for flag in Flag::ALL {
            assert_eq!(Flag::from_name(flag.name()), Some(flag));
        }
        for version in Version::ALL {
            assert_eq!(Version::from_number(version.name()), Some(version));
        }
        assert!(Version::NUMBERS.iter().all(|number| Version::from_number(number).is_some()));
        assert_eq!(Version::from_number("6.11"), None);
    }

    #[test]
    fn page_7_table() {
        let row = |flag: Flag| -> Vec<bool> {
            Version::ALL.into_iter().map(|version| Kernel::of(version).has(flag)).collect()
        };
        let table: [(Flag, &str); 16] = [
            (Flag::ConfigIrq, "-yyyy"),
            (Flag::RequestClears, "-yyyy"),
            (Flag::InUseWhole, "--yyy"),
            (Flag::DriverOverride, "--yyy"),
            (Flag::BindingsCount, "--yyy"),
            (Flag::RegionInfoInvalid, "--yyy"),
            (Flag::OpenParameters, "---yy"),
            (Flag::MessagePools, "-yyyy"),
            (Flag::SerialOfDefaultDomain, "-yy--"),
            (Flag::RawDepth, "-y---"),
            (Flag::DeepQueues, "----y"),
            (Flag::DeviceSyspath, "-yyyy"),
            (Flag::AnswersForgotten, "-yyyy"),
            (Flag::MatrixCut, "-yyyy"),
            (Flag::SeChangeEvents, "----y"),
            (Flag::KillableWait, "----y"),
        ];
        for (flag, wanted) in table {
            let wanted: Vec<bool> = wanted.chars().map(|c| c == 'y').collect();
            assert_eq!(row(flag), wanted, "{flag}");
        }
    }

    #[test]
    fn a_vendors_kernel_says_what_differs() {
        let kernel = Kernel::of(Version::V6_12).with(Flag::DriverOverride, true);
        assert_eq!(kernel.to_string(), "6.12 with driver-override");
        let kernel = Kernel::of(Version::V7_1).with(Flag::ConfigIrq, false).with(Flag::RawDepth, true);
        assert_eq!(kernel.to_string(), "7.1 without config-irq, with raw-depth");
        assert_eq!(Kernel::default().to_string(), "6.12");
    }
}
