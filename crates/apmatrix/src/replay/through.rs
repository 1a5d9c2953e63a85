//! A transcript's machine behind a mounted tree: file operations through the file system, the rest through the
//! control files.
//!
//! Events are not compared then: others may cause and read them. Nor are facts about guests that no file tells.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use ap_files::transcript::GuestCall;
use ap_host::Module;
use ap_sysfs::{Errno, Event, Kind};
use ap_task::Kernel;

use crate::control::Control;
use crate::replay::target::{
    Failure, Gave, GuestFacts, GuestState, Later, Listed, Sees, Stat, Target, TargetError, Ticket,
};

/// How long a write that may block is waited for.
const LATER: Duration = Duration::from_millis(300);

/// The errors that the tree gives.
const ERRNOS: [Errno; 25] = [
    Errno::EPERM,
    Errno::ENOENT,
    Errno::EINTR,
    Errno::EIO,
    Errno::EBADF,
    Errno::EAGAIN,
    Errno::ENOMEM,
    Errno::EACCES,
    Errno::EFAULT,
    Errno::EBUSY,
    Errno::EEXIST,
    Errno::ENODEV,
    Errno::ENOTDIR,
    Errno::EISDIR,
    Errno::EINVAL,
    Errno::ENOSPC,
    Errno::EROFS,
    Errno::ERANGE,
    Errno::ENAMETOOLONG,
    Errno::ENOSYS,
    Errno::ELOOP,
    Errno::EUSERS,
    Errno::EOPNOTSUPP,
    Errno::EADDRINUSE,
    Errno::EADDRNOTAVAIL,
];

fn failure(error: &io::Error) -> Failure {
    let known = ERRNOS.iter().find(|errno| Some(errno.number()) == error.raw_os_error());
    match known {
        Some(errno) => Failure::new(*errno),
        None => Failure { errno: format!("errno {:?}", error.raw_os_error()).into(), at: None },
    }
}

fn at_open(error: &io::Error) -> Failure {
    Failure { at: Some("open".into()), ..failure(error) }
}

/// One open(2) and one write(2).
fn write(path: &Path, data: &[u8]) -> Result<usize, Failure> {
    let mut file = OpenOptions::new().write(true).open(path).map_err(|error| at_open(&error))?;
    file.write(data).map_err(|error| failure(&error))
}

/// The whole content of a file.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut file = File::open(path).map_err(|error| at_open(&error))?;
    let mut data = Vec::new();
    file.read_to_end(&mut data).map_err(|error| failure(&error))?;
    Ok(data)
}

/// A mounted tree, as a transcript operates it.
pub struct Through {
    root: PathBuf,
    control: Control,
    pending: Vec<Option<Receiver<Result<Gave, Failure>>>>,
}

impl Through {
    /// The tree at `root`, whose machine must have no adapters; its modules are unloaded.
    ///
    /// # Errors
    /// If it is no tree of apmatrix, has adapters, or was used before.
    pub fn new(root: &Path, kernel: Kernel) -> Result<Through, TargetError> {
        let control = Control::of(root).map_err(|error| TargetError(error.message))?;
        let devices = fs::read_dir(root.join("bus/ap/devices")).map_or(0, Iterator::count);
        let guests = control.read("guests").unwrap_or_default();
        if devices > 0 || !guests.is_empty() {
            let root = root.display();
            return Err(TargetError(format!(
                "{root} was used before: a transcript needs a fresh machine without adapters"
            )));
        }
        let runs = control.read("state").ok().and_then(|text| ap_files::state::kernel(&text));
        if let Some(runs) = runs.filter(|runs| *runs != kernel.to_string()) {
            let root = root.display();
            return Err(TargetError(format!(
                "{root} has kernel {runs}, and the transcript was recorded with {kernel}: mount a machine with \
                 `--kernel {kernel}`"
            )));
        }
        let through = Through { root: root.to_owned(), control, pending: Vec::new() };
        for module in Module::ALL.iter().rev() {
            let _ = through.control.write("hw", &format!("modules unload {}", module.name()));
        }
        for command in ["qci na=63 nd=84 flags=0xc0000000", "opt fac12=1 fac15=1 fac65=0 se=0 instr=1 vm=0"] {
            let raw = through.control.write("hw", &format!("raw {command}"));
            raw.map_err(|error| TargetError(format!("the machine refuses `{command}`: {error}")))?;
        }
        Ok(through)
    }

    /// A path of the tree.
    fn path(&self, path: &str) -> PathBuf {
        let below = path.strip_prefix("/sys").unwrap_or(path).trim_start_matches('/');
        self.root.join(below)
    }

    fn hw(&self, line: &str) -> Result<(), Failure> {
        self.control.write("hw", line).map_err(|error| failure(&error))
    }

    /// Who has an mdev open.
    fn opener(&self, uuid: &str) -> Option<String> {
        let guests = self.control.read("guests").ok()?;
        let mut lines = guests.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(_, uuids)| uuids.split(',').any(|open| open == uuid)).map(|(name, _)| name.to_owned())
    }

    /// Does something on a thread of its own, and waits a while for it.
    fn later(&mut self, act: impl FnOnce() -> Result<Gave, Failure> + Send + 'static) -> Later {
        let (send, receive) = mpsc::channel();
        thread::spawn(move || send.send(act()));
        match receive.recv_timeout(LATER) {
            Ok(answer) => Later::Done(answer),
            Err(_) => {
                self.pending.push(Some(receive));
                Later::Pending(Ticket(self.pending.len() as u64 - 1))
            }
        }
    }

    /// How far an open came: the sentence of the failure says what was being done.
    fn stage(&self) -> Option<String> {
        let reason = self.control.read("last_error").ok()?;
        let stages =
            [("IOMMU group)", "iommu_group"), ("/dev/vfio/N)", "group"), ("in its group)", "device")];
        stages.into_iter().find(|(said, _)| reason.contains(said)).map(|(_, stage)| stage.to_owned())
    }
}

impl Target for Through {
    fn sees(&self) -> Sees {
        Sees { events: false, guests: false }
    }

    fn write(&mut self, path: &str, data: &[u8]) -> Result<usize, Failure> {
        write(&self.path(path), data)
    }

    fn write_later(&mut self, path: &str, data: &[u8]) -> Later {
        let (path, data) = (self.path(path), data.to_vec());
        self.later(move || write(&path, &data).map(|_| Gave::Written))
    }

    fn read_later(&mut self, path: &str) -> Later {
        let path = self.path(path);
        self.later(move || read(&path).map(Gave::Read))
    }

    fn join(&mut self, ticket: Ticket, ms: u64) -> Option<Result<Gave, Failure>> {
        let slot = self.pending.get_mut(usize::try_from(ticket.0).ok()?)?;
        let answer = slot.as_ref()?.recv_timeout(Duration::from_millis(ms)).ok();
        if answer.is_some() {
            *slot = None;
        }
        answer
    }

    fn read(&mut self, path: &str) -> Result<Vec<u8>, Failure> {
        read(&self.path(path))
    }

    fn list(&mut self, path: &str) -> Result<Vec<Listed>, Failure> {
        let mut all = Vec::new();
        for entry in fs::read_dir(self.path(path)).map_err(|error| failure(&error))? {
            let entry = entry.map_err(|error| failure(&error))?;
            let Ok(metadata) = fs::symlink_metadata(entry.path()) else { continue };
            let kind = match metadata.file_type() {
                kind if kind.is_dir() => Kind::Directory,
                kind if kind.is_symlink() => Kind::Link,
                _ => Kind::File,
            };
            let name = entry.file_name().to_string_lossy().into_owned();
            let mode = (metadata.permissions().mode() & 0o7777) as u16;
            all.push(Listed { name, kind, mode, size: metadata.len() });
        }
        Ok(all)
    }

    fn readlink(&mut self, path: &str) -> Result<String, Failure> {
        let link = fs::read_link(self.path(path)).map_err(|error| failure(&error))?;
        Ok(link.to_string_lossy().into_owned())
    }

    fn stat(&mut self, path: &str) -> Result<Stat, Failure> {
        let metadata = fs::symlink_metadata(self.path(path)).map_err(|error| failure(&error))?;
        Ok(Stat { mode: metadata.mode(), size: metadata.len() })
    }

    fn machine(&mut self, command: &str) -> Result<(), Failure> {
        if command.starts_with("pqap ") { self.hw(command) } else { self.hw(&format!("raw {command}")) }
    }

    fn insmod(&mut self, module: &str, parameters: &str) -> Result<(), Failure> {
        self.hw(format!("modules load {module} {parameters}").trim_end())
    }

    fn rmmod(&mut self, module: &str) -> Result<(), Failure> {
        self.hw(&format!("modules unload {module}"))
    }

    fn guest(&mut self, call: &GuestCall) -> Result<GuestFacts, Failure> {
        let of = |uuid: &String, verb: &str| {
            let name = self.opener(uuid).unwrap_or_else(|| uuid.clone());
            format!("{verb} {name}")
        };
        let line = match call {
            GuestCall::Open { uuid, guest } => format!("start {} {uuid}", guest.as_deref().unwrap_or("-")),
            GuestCall::Close(uuid) => of(uuid, "stop"),
            GuestCall::Reset(uuid) => of(uuid, "reset"),
            GuestCall::Info(uuid) => of(uuid, "info"),
            GuestCall::RequestIrq(uuid) => of(uuid, "request"),
            GuestCall::EventCount(uuid) => of(uuid, "events"),
            GuestCall::ConfigIrq(uuid) => format!("{} on", of(uuid, "config-irq")),
            GuestCall::ConfigOff(uuid) => format!("{} off", of(uuid, "config-irq")),
            GuestCall::ConfigCount(uuid) => of(uuid, "changes"),
            // What these tell is not seen through files.
            GuestCall::ConfigBad(uuid)
            | GuestCall::ConfigKeep(uuid)
            | GuestCall::IrqInfo(uuid)
            | GuestCall::FdInfo(uuid)
            | GuestCall::RegionInfo(uuid) => of(uuid, "info"),
            GuestCall::ConfigKept => return Ok(GuestFacts::default()),
            GuestCall::WithoutApcb(name) => format!("make {name} noapcb"),
        };
        self.control.write("guests", &line).map_err(|error| {
            let at = if matches!(call, GuestCall::Open { .. }) { self.stage() } else { None };
            Failure { at: at.map(Into::into), ..failure(&error) }
        })?;
        Ok(GuestFacts::default())
    }

    fn guests(&mut self) -> Vec<GuestState> {
        Vec::new()
    }

    fn sleep(&mut self, ms: u64) {
        let _ = self.hw(&format!("advance {ms}"));
    }

    fn events(&mut self) -> Vec<Event> {
        Vec::new()
    }

    fn health(&mut self) -> Result<(), TargetError> {
        Control::of(&self.root).map(drop).map_err(|error| TargetError(error.message))
    }
}
