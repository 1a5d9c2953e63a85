//! What a transcript's line asks for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::line::{Entries, Kind, Line, Node};

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call<'a> {
    /// One open and one write.
    Write(&'a str, Cow<'a, [u8]>),
    /// A write that may block; the id that it gets if it does.
    Later(&'a str, Cow<'a, [u8]>, u64),
    /// A read that may block; the id that it gets if it does.
    ReadLater(&'a str, u64),
    /// Waiting for a pending write or read, at most so many milliseconds.
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
    /// It registers its configuration interrupt, a new eventfd.
    ConfigIrq(String),
    /// It takes it back.
    ConfigOff(String),
    /// How often was it raised?
    ConfigCount(String),
    /// It registers what is no eventfd, and an interrupt that there is not.
    ConfigBad(String),
    /// The recorder keeps the eventfd, whatever becomes of the guest.
    ConfigKeep(String),
    /// How often was that raised?
    ConfigKept,
    /// It asks about interrupts 0 to 3.
    IrqInfo(String),
    /// It asks about region 0.
    RegionInfo(String),
    /// What the descriptor of the device says of itself.
    FdInfo(String),
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
            | GuestCall::EventCount(uuid)
            | GuestCall::ConfigIrq(uuid)
            | GuestCall::ConfigOff(uuid)
            | GuestCall::ConfigCount(uuid)
            | GuestCall::ConfigBad(uuid)
            | GuestCall::ConfigKeep(uuid)
            | GuestCall::IrqInfo(uuid)
            | GuestCall::RegionInfo(uuid)
            | GuestCall::FdInfo(uuid) => Some(uuid),
            GuestCall::Open { .. } | GuestCall::ConfigKept | GuestCall::WithoutApcb(_) => None,
        }
    }
}

/// What is wrong with a line: what was expected of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LineError(pub String);

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
            let what = match text.split(" at line ").next().unwrap_or_default() {
                what if what.starts_with("expected ident") => "this is no JSON",
                what if what.starts_with("EOF ") => "the line ends too soon",
                what if what.contains("struct Line") => "expected an object, {\"i\": 0, \"op\": …}",
                what => what,
            };
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
        let data = || self.need("data", self.data.as_deref()).map(bytes);
        let module = || self.need("module", self.module.as_deref());
        Ok(match self.op {
            Kind::Write => Call::Write(path()?, data()?),
            Kind::Awrite => Call::Later(path()?, data()?, self.need("id", self.id)?),
            Kind::Aread => Call::ReadLater(path()?, self.need("id", self.id)?),
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
            "cfgirq" => GuestCall::ConfigIrq(uuid()?),
            "cfgoff" => GuestCall::ConfigOff(uuid()?),
            "cfgcount" => GuestCall::ConfigCount(uuid()?),
            "cfgbad" => GuestCall::ConfigBad(uuid()?),
            "cfgkeep" => GuestCall::ConfigKeep(uuid()?),
            "cfgkept" => GuestCall::ConfigKept,
            "irqinfo" => GuestCall::IrqInfo(uuid()?),
            "regioninfo" => GuestCall::RegionInfo(uuid()?),
            "fdinfo" => GuestCall::FdInfo(uuid()?),
            other => match other.split_once(' ') {
                Some((name, "crycbd=0")) if !name.is_empty() => GuestCall::WithoutApcb(name.to_owned()),
                _ => {
                    let known = "open, close, reset, info, reqirq, evcount, cfgirq, cfgoff, cfgcount, cfgbad, \
                                 cfgkeep, cfgkept, irqinfo, regioninfo, fdinfo, dump or `NAME crycbd=0`";
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

/// The bytes of a text as transcripts write it: U+0080 to U+00FF are one byte each (page 6, tool).
#[must_use]
pub fn bytes(text: &str) -> Cow<'_, [u8]> {
    if text.is_ascii() {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match u8::try_from(character) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// Bytes as transcripts write them: the reverse of [`bytes`].
#[must_use]
pub fn text(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => text,
        Ok(text) => text.bytes().map(char::from).collect(),
        Err(error) => error.into_bytes().into_iter().map(char::from).collect(),
    }
}

/// Whether the recorder read a tree's files: one that may be read has neither content nor errno otherwise.
fn contents(nodes: &BTreeMap<String, Node>) -> bool {
    let mut files = nodes.values().filter(|node| node.size.is_some()).peekable();
    files.peek().is_none() || files.any(|node| node.data.is_some() || node.errno.is_some())
}
