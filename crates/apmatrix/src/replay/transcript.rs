//! The format of transcripts: a JSON object per line, one per operation.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// An errno as transcripts write it: the number 0, or a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// Success.
    Zero,
    /// `EBUSY`, …
    Name(String),
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Code::Zero => f.write_str("0"),
            Code::Name(name) => f.write_str(name),
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Code::Zero => serializer.serialize_u64(0),
            Code::Name(name) => serializer.serialize_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
        struct Errno;
        impl Visitor<'_> for Errno {
            type Value = Code;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("0 or the name of an errno")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Code, E> {
                if number == 0 {
                    Ok(Code::Zero)
                } else {
                    Err(E::invalid_value(de::Unexpected::Unsigned(number), &self))
                }
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Code, E> {
                if name.starts_with('E') && name.len() > 1 {
                    Ok(Code::Name(name.to_owned()))
                } else {
                    Err(E::invalid_value(de::Unexpected::Str(name), &self))
                }
            }
        }
        deserializer.deserialize_any(Errno)
    }
}

/// The kinds of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One open and one write.
    Write,
    /// A write that may block.
    Awrite,
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

/// A text, or why it could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Entries {
    /// Of `ls`.
    Names(Vec<String>),
    /// Of `tree`.
    Tree(BTreeMap<String, Node>),
}

/// A node of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LogLine {
    /// 0-7.
    pub level: u8,
    /// Without newline.
    pub text: String,
}

/// A guest in a dump.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Irq {
    /// Its flags.
    pub flags: u64,
    /// How many.
    pub count: u64,
}

macro_rules! line {
    ($($(#[$meta:meta])* $name:ident: $type:ty,)*) => {
        /// A line of a transcript: an operation and what came of it.
        #[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
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
    /// Of a guest's `evcount`.
    count: u64,
    /// How many log lines there were, if more than the 400 that are kept.
    dmesg_total: u64,
}

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call<'a> {
    /// One open and one write.
    Write(&'a str, &'a [u8]),
    /// A write that may block; the id that it gets if it does.
    Later(&'a str, &'a [u8], u64),
    /// Waiting for a pending write, at most so many milliseconds.
    Join(u64, u64),
    /// Reading a file.
    Read(&'a str),
    /// Listing a directory.
    List(&'a str),
    /// Reading a link.
    Readlink(&'a str),
    /// Type, mode and size.
    Stat(&'a str),
    /// Everything below a directory; whether files are read.
    Tree(&'a str, bool),
    /// The machine's operator.
    Machine(&'a str),
    /// A guest.
    Guest(GuestCall),
    /// What all guests look like.
    Guests,
    /// Loading a module.
    Insmod(&'a str, &'a str),
    /// Unloading a module.
    Rmmod(&'a str),
    /// The whole state.
    Dump,
    /// Time passes.
    Sleep(u64),
    /// Nothing.
    Note,
}

/// What a guest does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestCall {
    /// It opens an mdev; no name: without a KVM.
    Open {
        /// The mdev.
        uuid: String,
        /// The guest.
        guest: Option<String>,
    },
    /// It closes the mdev that it has open.
    Close(String),
    /// It resets the device.
    Reset(String),
    /// It asks what the device is.
    Info(String),
    /// It registers its request interrupt.
    RequestIrq(String),
    /// How often was its request interrupt raised?
    EventCount(String),
    /// A guest is made that has no APCB.
    WithoutApcb(String),
}

impl GuestCall {
    /// The mdev concerned, but for an open.
    #[must_use]
    pub fn opened(&self) -> Option<&str> {
        match self {
            GuestCall::Close(uuid)
            | GuestCall::Reset(uuid)
            | GuestCall::Info(uuid)
            | GuestCall::RequestIrq(uuid)
            | GuestCall::EventCount(uuid) => Some(uuid),
            GuestCall::Open { .. } | GuestCall::WithoutApcb(_) => None,
        }
    }
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError(pub String);

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LineError {}

/// How long `join` waits if it doesn't say so.
const JOIN_MS: u64 = 10_000;

impl Line {
    /// Reads a line.
    ///
    /// # Errors
    /// If it is not JSON, has a key that transcripts don't have, or lacks one that its operation needs.
    pub fn parse(text: &[u8]) -> Result<Line, LineError> {
        let line: Line = serde_json::from_slice(text).map_err(|error| {
            let text = error.to_string();
            let what = text.split(" at line ").next().unwrap_or_default();
            LineError(format!("expected a transcript's operation; column {}: {what}", error.column()))
        })?;
        line.call()?;
        Ok(line)
    }

    /// What it asks for.
    ///
    /// # Errors
    /// If a key that the operation needs is missing, or a command is unknown.
    pub fn call(&self) -> Result<Call<'_>, LineError> {
        let path = || self.need("path", self.path.as_deref());
        let data = || self.need("data", self.data.as_deref()).map(str::as_bytes);
        let module = || self.need("module", self.module.as_deref());
        Ok(match self.op {
            Kind::Write => Call::Write(path()?, data()?),
            Kind::Awrite => Call::Later(path()?, data()?, self.need("id", self.id)?),
            Kind::Join => Call::Join(self.need("id", self.id)?, self.ms.unwrap_or(JOIN_MS)),
            Kind::Read => Call::Read(path()?),
            Kind::Ls => Call::List(path()?),
            Kind::Readlink => Call::Readlink(path()?),
            Kind::Stat => Call::Stat(path()?),
            Kind::Tree => match self.need("entries", self.entries.as_ref())? {
                Entries::Tree(nodes) => Call::Tree(path()?, contents(nodes)),
                Entries::Names(names) if names.is_empty() => Call::Tree(path()?, true),
                Entries::Names(_) => {
                    return Err(LineError("expected an object in `entries` of `tree`".into()));
                }
            },
            Kind::Hw => Call::Machine(self.need("cmd", self.cmd.as_deref())?),
            Kind::Guest => return self.guest_call(),
            Kind::Insmod => Call::Insmod(module()?, self.params.as_deref().unwrap_or("")),
            Kind::Rmmod => Call::Rmmod(module()?),
            Kind::Dump => Call::Dump,
            Kind::Sleep => Call::Sleep(self.need("ms", self.ms)?),
            Kind::Note => Call::Note,
        })
    }

    fn guest_call(&self) -> Result<Call<'_>, LineError> {
        let command = self.need("cmd", self.cmd.as_deref())?;
        let uuid = || self.need("uuid", self.uuid.clone());
        Ok(Call::Guest(match command {
            "dump" => return Ok(Call::Guests),
            "open" => {
                let guest = self.need("guest", self.guest.clone())?;
                GuestCall::Open { uuid: uuid()?, guest: Some(guest).filter(|name| name != "-") }
            }
            "close" => GuestCall::Close(uuid()?),
            "reset" => GuestCall::Reset(uuid()?),
            "info" => GuestCall::Info(uuid()?),
            "reqirq" => GuestCall::RequestIrq(uuid()?),
            "evcount" => GuestCall::EventCount(uuid()?),
            other => match other.split_once(' ') {
                Some((name, "crycbd=0")) if !name.is_empty() => GuestCall::WithoutApcb(name.to_owned()),
                _ => {
                    let known = "open, close, reset, info, reqirq, evcount, dump or `NAME crycbd=0`";
                    return Err(LineError(format!("expected {known} in `cmd` of `guest`, found `{other}`")));
                }
            },
        }))
    }

    fn need<T>(&self, key: &str, value: Option<T>) -> Result<T, LineError> {
        value.ok_or_else(|| LineError(format!("expected the key `{key}` in `{}`", self.op.word())))
    }

    /// What a report names besides the operation: its path, command, module or device.
    #[must_use]
    pub fn object(&self) -> String {
        match self.op {
            Kind::Hw => self.cmd.clone().unwrap_or_default(),
            Kind::Guest => {
                let parts = [self.cmd.as_deref(), self.uuid.as_deref(), self.guest.as_deref()];
                parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
            }
            Kind::Insmod | Kind::Rmmod => self.module.clone().unwrap_or_default(),
            Kind::Join => self.id.map(|id| format!("id={id}")).unwrap_or_default(),
            Kind::Sleep => self.ms.map(|ms| format!("{ms} ms")).unwrap_or_default(),
            _ => self.path.clone().unwrap_or_default(),
        }
    }
}

/// Whether the recorder read a tree's files: one that may be read has neither content nor errno otherwise.
fn contents(nodes: &BTreeMap<String, Node>) -> bool {
    let mut files = nodes.values().filter(|node| node.size.is_some()).peekable();
    files.peek().is_none() || files.any(|node| node.data.is_some() || node.errno.is_some())
}
