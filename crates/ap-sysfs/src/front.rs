//! What a front end (FUSE, a shell, a replay) sees of a host: nodes, calls that may be pending, events.

use std::fmt;

use ap_task::{MISC_MAJOR, VFIO_GROUP_MAJOR, VFIO_MINOR, Z90CRYPT_MINOR, ZCRYPT_MAJOR};

use crate::errno::Errno;

/// A node's number: stable while its object lives, never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ino(pub u64);

/// The root directory, `/sys`.
pub const ROOT: Ino = Ino(1);

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A directory.
    Directory,
    /// An attribute.
    File,
    /// A symbolic link.
    Link,
}

/// A name in a directory and the node behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The last component of its path.
    pub name: String,
    /// The node.
    pub ino: Ino,
    /// What it is.
    pub kind: Kind,
    /// Permission bits (0755 directories, 0777 links, attributes as spec 5 says).
    pub mode: u16,
}

impl Entry {
    /// The size that `stat` reports: 4096 for an attribute, 0 for the rest (spec 5).
    #[must_use]
    pub fn size(&self) -> u64 {
        if self.kind == Kind::File { 4096 } else { 0 }
    }
}

/// The number of a character device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceNumber {
    /// Which driver's.
    pub major: u32,
    /// Which of that driver's.
    pub minor: u32,
}

impl DeviceNumber {
    /// `z90crypt`.
    pub const Z90CRYPT: DeviceNumber = DeviceNumber { major: MISC_MAJOR, minor: Z90CRYPT_MINOR };
    /// `vfio/vfio`.
    pub const VFIO_CONTAINER: DeviceNumber = DeviceNumber { major: MISC_MAJOR, minor: VFIO_MINOR };

    /// The VFIO group of that number.
    #[must_use]
    pub const fn vfio_group(number: u32) -> DeviceNumber {
        DeviceNumber { major: VFIO_GROUP_MAJOR, minor: number }
    }

    /// zcrypt's additional node of that minor number.
    #[must_use]
    pub const fn zcrypt_node(minor: u32) -> DeviceNumber {
        DeviceNumber { major: ZCRYPT_MAJOR, minor }
    }

    /// The number that a text says, written as `dev` shows it.
    #[must_use]
    pub fn parse(text: &str) -> Option<DeviceNumber> {
        let (major, minor) = text.split_once(':')?;
        let number = DeviceNumber { major: major.parse().ok()?, minor: minor.parse().ok()? };
        (number.to_string() == text).then_some(number)
    }
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// A character device: what its node in `/dev` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its number.
    pub number: DeviceNumber,
    /// Where its node is below `/dev`.
    pub name: String,
    /// The permission bits of the node, as distributions' rules make them.
    pub mode: u16,
}

/// A call that had not returned: its answer comes from [`Filesystem::finished`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// The answer to a call, at once or later.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Called<T> {
    /// It returned.
    Done(Result<T, Errno>),
    /// It waits for something (a guest that lets go, a reset that doesn't end).
    Pending(Token),
}

/// The late answer to a pending call.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of a `show`.
    Shown(Result<Vec<u8>, Errno>),
    /// Of a `store`.
    Stored(Result<usize, Errno>),
}

/// An entry that came or went, for whoever caches names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `name` now exists in `parent`.
    Appeared {
        /// The directory.
        parent: Ino,
        /// The entry's name.
        name: String,
    },
    /// `name` no longer exists in `parent`.
    Gone {
        /// The directory.
        parent: Ino,
        /// The entry's name.
        name: String,
        /// The node that was there.
        ino: Ino,
        /// Whether it was a directory.
        directory: bool,
    },
}

/// A message about a device, as the kernel would send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uevent {
    /// `add`, `remove`, `change`, `bind`, `unbind`, …
    pub action: String,
    /// The device's path, without `/sys`.
    pub devpath: String,
    /// Variables, without ACTION, DEVPATH and SEQNUM, in order.
    pub env: Vec<(String, String)>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A device event.
    Uevent(Uevent),
    /// A kernel log line with its level (0-7).
    Log {
        /// The level.
        level: u8,
        /// The text, without newline.
        text: String,
    },
    /// An AP instruction or what goes with it, in the transcripts' words.
    Instruction(String),
}

/// A tree whose files are calls into a host.
///
/// One thread drives it; nothing here blocks that thread: what would wait is [`Called::Pending`].
pub trait Filesystem {
    /// The entry `name` of directory `parent`. `ENOENT`, `ENOTDIR`.
    fn lookup(&mut self, parent: Ino, name: &str) -> Result<Entry, Errno>;

    /// The entry of a node. `ENOENT` if it is gone.
    fn entry(&mut self, ino: Ino) -> Result<Entry, Errno>;

    /// The directory that a node is in (the root's is itself).
    fn parent(&mut self, ino: Ino) -> Result<Ino, Errno>;

    /// A directory's entries, names ascending, without `.` and `..`.
    fn entries(&mut self, directory: Ino) -> Result<Vec<Entry>, Errno>;

    /// A link's target, relative as in sysfs.
    fn readlink(&mut self, ino: Ino) -> Result<String, Errno>;

    /// Runs an attribute's show: at most 4096 bytes, but for the control files, which may say more. `ENODEV` if its
    /// object is gone.
    fn show(&mut self, ino: Ino) -> Called<Vec<u8>>;

    /// Runs an attribute's store with all the bytes of one write(2) (at most 4096; the answer is how many were
    /// taken). Modes are the caller's to check when it opens.
    fn store(&mut self, ino: Ino, data: &[u8]) -> Called<usize>;

    /// The answers that pending calls got since the last question.
    fn finished(&mut self) -> Vec<(Token, Answer)>;

    /// What came and went with the events that [`Filesystem::events`] has given so far, in order: ask for the
    /// events first. A link whose target changes under the same number counts as gone.
    fn changes(&mut self) -> Vec<Change>;

    /// What happened since the last question, in order.
    fn events(&mut self) -> Vec<Event>;

    /// What a pending call waits for, and what ends that: a sentence without full stop, for people; `None` if nobody
    /// knows.
    fn waits_for(&mut self, token: Token) -> Option<String> {
        let _ = token;
        None
    }

    /// Lets machine time pass and does the background work that falls due.
    fn advance(&mut self, milliseconds: u64);

    /// In how many milliseconds of machine time the next background work is due, if any is.
    fn next_due(&self) -> Option<u64>;

    /// The character devices that there are now.
    fn devices(&mut self) -> Vec<Device> {
        Vec::new()
    }

    /// Does what ioctl(2) asks of a character device: `request` with the bytes that its argument points to. What the
    /// argument points to afterwards; `ENOTTY` if the device has no such request.
    fn ioctl(&mut self, device: DeviceNumber, request: u32, input: &[u8]) -> Result<Vec<u8>, Errno> {
        let _ = (device, request, input);
        Err(Errno::ENOTTY)
    }

    /// How many directories a directory holds. `ENOENT` if it is gone.
    fn directories(&mut self, directory: Ino) -> Result<usize, Errno> {
        let entries = self.entries(directory)?;
        Ok(entries.iter().filter(|entry| entry.kind == Kind::Directory).count())
    }

    /// What a node that is gone was, but for its name; `None` if nobody knows any more.
    fn departed(&mut self, ino: Ino) -> Option<Entry> {
        let _ = ino;
        None
    }

    /// Walks `path` from the root (a leading `/sys` is the root), following links except a last one.
    fn resolve(&mut self, path: &str) -> Result<Entry, Errno> {
        self.walk(path, false)
    }

    /// Walks `path` from the root, following a last link, too.
    fn resolve_following(&mut self, path: &str) -> Result<Entry, Errno> {
        self.walk(path, true)
    }

    /// Walks `path`; `follow` says whether a last link is followed.
    fn walk(&mut self, path: &str, follow: bool) -> Result<Entry, Errno> {
        let rest = path.strip_prefix("/sys").filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let mut names: Vec<String> = split(rest.unwrap_or(path));
        names.reverse();
        let mut at = self.entry(ROOT)?;
        let mut links = 0;
        while let Some(name) = names.pop() {
            if at.kind != Kind::Directory {
                return Err(Errno::ENOTDIR);
            }
            if name == ".." {
                let up = self.parent(at.ino)?;
                at = self.entry(up)?;
                continue;
            }
            let parent = at.ino;
            let next = self.lookup(parent, &name)?;
            if next.kind == Kind::Link && (follow || !names.is_empty()) {
                links += 1;
                if links > 40 {
                    return Err(Errno::ELOOP);
                }
                let target = self.readlink(next.ino)?;
                let mut more = split(&target);
                more.reverse();
                names.extend(more);
                if target.starts_with('/') {
                    at = self.entry(ROOT)?;
                }
                continue;
            }
            at = next;
        }
        Ok(at)
    }
}

fn split(path: &str) -> Vec<String> {
    path.split('/').filter(|name| !name.is_empty() && *name != ".").map(str::to_owned).collect()
}
