//! The shapes of a transcript's lines: a JSON object per line, one per operation.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::code::Code;

/// The kinds of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One open and one write.
    Write,
    /// A write that may block.
    Awrite,
    /// A read that may block.
    Aread,
    /// Waiting for one.
    Join,
    /// Reading a file.
    Read,
    /// Listing a directory.
    Ls,
    /// Reading a link.
    Readlink,
    /// Type, mode and size.
    Stat,
    /// Everything below a directory.
    Tree,
    /// What the machine's operator does.
    Hw,
    /// What a guest does.
    Guest,
    /// Loading a module.
    Insmod,
    /// Unloading one.
    Rmmod,
    /// A summary of the whole state.
    Dump,
    /// Time passes.
    Sleep,
    /// A remark.
    Note,
}

impl Kind {
    /// The word in the `op` key.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Kind::Write => "write",
            Kind::Awrite => "awrite",
            Kind::Aread => "aread",
            Kind::Join => "join",
            Kind::Read => "read",
            Kind::Ls => "ls",
            Kind::Readlink => "readlink",
            Kind::Stat => "stat",
            Kind::Tree => "tree",
            Kind::Hw => "hw",
            Kind::Guest => "guest",
            Kind::Insmod => "insmod",
            Kind::Rmmod => "rmmod",
            Kind::Dump => "dump",
            Kind::Sleep => "sleep",
            Kind::Note => "note",
        }
    }
}

/// The line before the first operation that names the kernel. (Page 7.)
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// That it is this line.
    pub op: KernelWord,
    /// The version, as `7.1`.
    pub version: String,
}

/// The word in the `op` key of that line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KernelWord {
    /// `kernel`
    Kernel,
}

/// A text, or why it could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Text {
    /// The text.
    Read(String),
    /// The errno.
    Failed {
        /// Its name.
        errno: Code,
    },
}

/// The entries of a listing (names) or of a tree (by path).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Entries {
    /// Of `ls`.
    Names(Vec<String>),
    /// Of `tree`.
    Tree(BTreeMap<String, Node>),
}

/// A node of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Permission bits, octal.
    pub mode: String,
    /// A file's content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Why it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<Code>,
    /// A file's size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// A link's target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Whether it is a directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<bool>,
}

/// A uevent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Uevent {
    /// `add`, …
    pub action: String,
    /// The device's path, without `/sys`.
    pub devpath: String,
    /// Variables without ACTION, DEVPATH, SEQNUM.
    pub env: BTreeMap<String, String>,
}

/// A line of the kernel log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogLine {
    /// 0-7.
    pub level: u8,
    /// Without newline.
    pub text: String,
}

/// A guest in a dump.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guest {
    /// Its name.
    pub name: String,
    /// References to it; not compared.
    #[serde(default)]
    pub refs: i64,
    /// Whether an mdev holds it.
    pub hook: u64,
    /// How many set_masks.
    pub nset: u64,
    /// How many clear_masks.
    pub nclear: u64,
    /// Adapters of its APCB.
    pub apm: String,
    /// Usage domains.
    pub aqm: String,
    /// Control domains.
    pub adm: String,
}

/// Interrupt 0 of a guest's device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Irq {
    /// Its flags.
    pub flags: u64,
    /// How many.
    pub count: u64,
}

/// What GET_IRQ_INFO says of one interrupt.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum IrqAnswer {
    /// It is there.
    There(Irq),
    /// It is not.
    Failed {
        /// Why.
        errno: Code,
    },
}

macro_rules! line {
    ($($(#[$meta:meta])* $name:ident: $type:ty,)*) => {
        /// A line of a transcript: an operation and what came of it.
        #[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[schemars(title = "a line of a transcript")]
        pub struct Line {
            /// Its number, from 0.
            pub i: u64,
            /// What it is.
            pub op: Kind,
            $($(#[$meta])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $name: Option<$type>,)*
            /// Device events, in order.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub uevents: Vec<Uevent>,
            /// Log lines, in order.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub dmesg: Vec<LogLine>,
            /// What the drivers did to the machine, in order.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub hwlog: Vec<String>,
        }

        impl Line {
            /// A line that says nothing but its number and operation.
            #[must_use]
            pub fn empty(i: u64, op: Kind) -> Line {
                Line { i, op, $($name: None,)* uevents: Vec::new(), dmesg: Vec::new(), hwlog: Vec::new() }
            }
        }
    };
}

line! {
    /// The file or directory.
    path: String,
    /// What is written, what was read, a link's target.
    data: String,
    /// 0 or an errno's name.
    errno: Code,
    /// The stage that failed.
    at: String,
    /// A short count.
    ret: u64,
    /// Names or nodes.
    entries: Entries,
    /// Of `stat`: octal.
    mode: String,
    /// Of `stat`.
    size: u64,
    /// A command.
    cmd: String,
    /// An mdev.
    uuid: String,
    /// A guest's name.
    guest: String,
    /// A module.
    module: String,
    /// A module's parameters.
    params: String,
    /// A pending write.
    id: u64,
    /// Whether a write had not returned.
    pending: bool,
    /// Milliseconds.
    ms: u64,
    /// A remark.
    text: String,
    /// Of a dump: the bus's attributes.
    bus: BTreeMap<String, Text>,
    /// Of a dump: all devices of the bus; no driver: null.
    queues: BTreeMap<String, BTreeMap<String, Option<Text>>>,
    /// Of a dump: all mdevs.
    mdevs: BTreeMap<String, BTreeMap<String, Text>>,
    /// Of a dump.
    available_instances: Text,
    /// All guests that were ever made.
    guests: Vec<Guest>,
    /// Of a guest's `info`.
    flags: u64,
    /// Of a guest's `info`.
    num_regions: u64,
    /// Of a guest's `info`.
    num_irqs: u64,
    /// Of a guest's `info`.
    irq0: Irq,
    /// Of a guest's `irqinfo`: interrupts 0 to 3.
    irqs: Vec<IrqAnswer>,
    /// Of a guest's `evcount`, `cfgcount` and `cfgkept`.
    count: u64,
    /// Of a guest's `cfgbad`: the errno of a descriptor that is no eventfd.
    noeventfd: Code,
    /// Of a guest's `cfgbad`: the errno of an interrupt that there is not.
    index2: Code,
    /// Of a guest's `fdinfo`: the lines that name the device.
    lines: Vec<String>,
    /// How many log lines there were, if more than the 400 that are kept.
    dmesg_total: u64,
}
