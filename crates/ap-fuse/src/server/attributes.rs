//! What `stat` says of a node, and what clients may change of it.
//!
//! It knows an entry of the tree and a client's wishes, and not who asks.

use ap_sysfs::{DeviceNumber, Entry, Kind};

/// A point in time: seconds and nanoseconds.
pub type Time = (i64, u32);

/// What `stat` says of a node.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes {
    /// Its number.
    pub ino: u64,
    /// Type and permissions.
    pub mode: u32,
    /// Its owner.
    pub user: u32,
    /// Its group.
    pub group: u32,
    /// 4096 for an attribute.
    pub size: u64,
    /// Names of it: of a directory two, and one for each directory in it.
    pub links: u32,
    /// Last access.
    pub accessed: Time,
    /// Last change of the content.
    pub modified: Time,
    /// Last change of anything.
    pub changed: Time,
    /// Which device it is a node of.
    pub device: Option<DeviceNumber>,
    /// Whether the kernel has to ask for it each time: nobody announces that it goes.
    pub fleeting: bool,
}

/// What a client wants to change of a node; a size is none of it: truncating an attribute does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Permissions.
    pub mode: Option<u32>,
    /// The owner.
    pub user: Option<u32>,
    /// The group.
    pub group: Option<u32>,
    /// Last access.
    pub accessed: Option<Time>,
    /// Last change of the content.
    pub modified: Option<Time>,
}

impl Attributes {
    /// Those of an entry: what the tree says, and what clients changed since the time `started`.
    /// A directory has `directories` in it.
    pub(super) fn of(entry: &Entry, kept: Option<&Wanted>, started: Time, directories: usize) -> Attributes {
        let kept = kept.copied().unwrap_or_default();
        let kind = match entry.kind {
            Kind::Directory => libc::S_IFDIR,
            Kind::File => libc::S_IFREG,
            Kind::Link => libc::S_IFLNK,
        };
        Attributes {
            ino: entry.ino.0,
            mode: kind | kept.mode.unwrap_or(u32::from(entry.mode)),
            user: kept.user.unwrap_or(0),
            group: kept.group.unwrap_or(0),
            size: entry.size(),
            links: if entry.kind == Kind::Directory { 2 + directories as u32 } else { 1 },
            accessed: kept.accessed.unwrap_or(started),
            modified: kept.modified.unwrap_or(started),
            changed: started,
            device: None,
            fleeting: false,
        }
    }
}
