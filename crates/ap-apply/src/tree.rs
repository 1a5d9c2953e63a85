//! A host's tree as this crate uses it, and the desk where it keeps its lock and its journal: all the input and output
//! that there is. Whoever has files implements them with files.

use std::fmt;

use ap_sysfs::{Called, Errno, Filesystem, Session};

/// A host's `/sys`, or what stands for one. Paths are relative to it, without a leading slash.
pub trait Tree {
    /// The text of a file.
    ///
    /// # Errors
    /// What the system says.
    fn read(&mut self, path: &str) -> Result<String, Fault>;

    /// Writes a text with one write(2), and waits for the answer.
    ///
    /// # Errors
    /// What the system says; [`Kind::Waits`] if it gave up waiting.
    fn write(&mut self, path: &str, text: &str) -> Result<(), Fault>;

    /// The names in a directory, ascending.
    ///
    /// # Errors
    /// What the system says.
    fn list(&mut self, path: &str) -> Result<Vec<String>, Fault>;

    /// Where a link leads.
    ///
    /// # Errors
    /// What the system says.
    fn link(&mut self, path: &str) -> Result<String, Fault>;

    /// Whether the mode of a file lets anybody open it for writing; `None` if that cannot be told.
    fn is_writable(&mut self, path: &str) -> Option<bool> {
        let _ = path;
        None
    }

    /// Processes that have the file of a VFIO group open, if that can be told.
    fn openers(&mut self, group: &str) -> Vec<Opener>;

    /// Lets time pass.
    fn sleep(&mut self, milliseconds: u64);
}

/// A process that has the file of a VFIO group open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opener {
    /// Its number.
    pub pid: u32,
    /// The name of the virtual machine, if its command line tells.
    pub guest: Option<String>,
}

/// Where the lock and the journal are, and who lives.
pub trait Desk {
    /// Makes the lock's file, which must not be there, with this process's number in it.
    ///
    /// # Errors
    /// [`Kind::Exists`] if it is there.
    fn take_lock(&mut self) -> Result<(), Fault>;

    /// The text of the lock's file.
    ///
    /// # Errors
    /// [`Kind::NotFound`] if it is not there.
    fn lock_text(&mut self) -> Result<String, Fault>;

    /// Removes the lock's file.
    ///
    /// # Errors
    /// [`Kind::Exists`] if another one is about to take it over, and it is not for us to; else what the system says.
    fn drop_lock(&mut self) -> Result<(), Fault>;

    /// Whether a process lives.
    fn lives(&mut self, pid: u32) -> bool;

    /// The number of this process.
    fn pid(&self) -> u32;

    /// The journal; empty if there is none.
    ///
    /// # Errors
    /// What the system says.
    fn journal(&mut self) -> Result<String, Fault>;

    /// Adds a line to the journal; it is on the disk when this returns.
    ///
    /// # Errors
    /// What the system says.
    fn append(&mut self, line: &str) -> Result<(), Fault>;

    /// Begins a new journal, with this line; it is on the disk when this returns.
    ///
    /// # Errors
    /// What the system says; then the old one is still there.
    fn begin(&mut self, line: &str) -> Result<(), Fault>;

    /// Seconds since 1970.
    fn now(&mut self) -> u64;

    /// Lets time pass.
    fn sleep(&mut self, milliseconds: u64);
}

/// What the system said to a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {said}")]
pub struct Fault {
    /// The file.
    pub path: String,
    /// What kind of answer it is.
    pub kind: Kind,
    /// `EBUSY`, or what it is called.
    pub name: String,
    /// In words.
    pub said: String,
}

/// A kind of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There is no such file.
    NotFound,
    /// It is there already.
    Exists,
    /// This user must not, or the file system is read-only.
    Denied,
    /// The write waits for something, and we gave up waiting.
    Waits,
    /// Anything else: the rules of the host.
    Refused,
    /// The process is gone: for tests only.
    Killed,
}

impl Fault {
    /// An answer by its number.
    #[must_use]
    pub fn of(path: &str, errno: Errno) -> Fault {
        let kind = match errno {
            Errno::ENOENT | Errno::ENOTDIR => Kind::NotFound,
            Errno::EEXIST => Kind::Exists,
            Errno::EACCES | Errno::EPERM | Errno::EROFS => Kind::Denied,
            _ => Kind::Refused,
        };
        Fault { path: path.to_owned(), kind, name: errno.name().to_owned(), said: errno.message().to_owned() }
    }

    /// A write that we gave up waiting for.
    #[must_use]
    pub fn waits(path: &str) -> Fault {
        let said = "the write waits, and does not return".to_owned();
        Fault { path: path.to_owned(), kind: Kind::Waits, name: "waits".to_owned(), said }
    }
}

impl fmt::Display for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.guest {
            Some(guest) => write!(f, "{guest} (process {})", self.pid),
            None => write!(f, "process {}", self.pid),
        }
    }
}

/// A host in this process.
impl Tree for Session {
    fn read(&mut self, path: &str) -> Result<String, Fault> {
        let fault = |errno| Fault::of(path, errno);
        let entry = self.resolve_following(path).map_err(fault)?;
        match self.show(entry.ino) {
            Called::Done(text) => Ok(String::from_utf8_lossy(&text.map_err(fault)?).into_owned()),
            Called::Pending(_) => Err(Fault::waits(path)),
        }
    }

    fn write(&mut self, path: &str, text: &str) -> Result<(), Fault> {
        let fault = |errno| Fault::of(path, errno);
        let entry = self.resolve_following(path).map_err(fault)?;
        match self.store(entry.ino, text.as_bytes()) {
            Called::Done(Ok(taken)) if taken == text.len() => Ok(()),
            Called::Done(Ok(_)) => Err(fault(Errno::EIO)),
            Called::Done(Err(errno)) => Err(fault(errno)),
            Called::Pending(_) => Err(Fault::waits(path)),
        }
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, Fault> {
        let fault = |errno| Fault::of(path, errno);
        let entry = self.resolve_following(path).map_err(fault)?;
        Ok(self.entries(entry.ino).map_err(fault)?.into_iter().map(|entry| entry.name).collect())
    }

    fn link(&mut self, path: &str) -> Result<String, Fault> {
        let fault = |errno| Fault::of(path, errno);
        let entry = self.resolve(path).map_err(fault)?;
        self.readlink(entry.ino).map_err(fault)
    }

    fn is_writable(&mut self, path: &str) -> Option<bool> {
        Some(self.resolve_following(path).ok()?.mode & 0o222 != 0)
    }

    fn openers(&mut self, _group: &str) -> Vec<Opener> {
        Vec::new()
    }

    fn sleep(&mut self, milliseconds: u64) {
        self.advance(milliseconds);
        forget(self);
    }
}

/// Forgets what happened on a host to which nobody listens.
pub(crate) fn forget(session: &mut Session) {
    if let Some(ring) = session.tree().controls.ring.borrow().as_ref() {
        drop(ring.take());
    }
}
