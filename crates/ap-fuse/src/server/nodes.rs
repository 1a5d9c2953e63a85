//! The nodes of character devices: a directory of the tree that nobody lists, for whoever mounts them in `/dev`.
//!
//! For each device there are two entries: the node, which has the device's number and can't be opened (the kernel
//! would look for a driver of its own), and the file that serves whoever opens it. What a device answers is not known
//! here.

use ap_sysfs::{Device, DeviceNumber, Errno, Ino};

use super::attributes::{Attributes, Time, Wanted};

/// The directory's name below the tree's root.
const DIRECTORY: &str = ".nodes";
/// What follows a node's name in that of the file that serves it.
const SERVED: &str = "+";

/// The directory's number; those of nodes and files follow.
const FIRST: u64 = 0x7ffe_0000_0000_0000;
const FILE: u64 = 1 << 40;
const NODE: u64 = 1 << 41;

/// The path of a device's node below the tree's root.
#[must_use]
pub fn path(number: DeviceNumber) -> String {
    format!("{DIRECTORY}/{number}")
}

/// The path of the file that serves a device, below the tree's root.
#[must_use]
pub fn served((major, minor): (u32, u32)) -> String {
    path(DeviceNumber { major, minor }) + SERVED
}

/// What a number of these is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The directory.
    Directory,
    /// A node.
    Node(DeviceNumber),
    /// The file that serves a device.
    File(DeviceNumber),
}

impl Place {
    /// What that number is; `None` if it is one of the tree's.
    #[must_use]
    pub fn of(ino: Ino) -> Option<Place> {
        let rest = ino.0.checked_sub(FIRST).filter(|rest| *rest < NODE + FILE)?;
        let number = DeviceNumber { major: (rest >> 20 & 0xfff) as u32, minor: (rest & 0xf_ffff) as u32 };
        Some(match rest & (NODE | FILE) {
            0 => Place::Directory,
            FILE => Place::File(number),
            _ => Place::Node(number),
        })
    }

    /// Its number.
    #[must_use]
    pub fn ino(self) -> Ino {
        let of =
            |number: DeviceNumber| u64::from(number.major & 0xfff) << 20 | u64::from(number.minor & 0xf_ffff);
        Ino(FIRST
            + match self {
                Place::Directory => 0,
                Place::File(number) => FILE | of(number),
                Place::Node(number) => NODE | of(number),
            })
    }

    /// The directory, if that is its name.
    pub(super) fn at_root(name: &str) -> Option<Place> {
        (name == DIRECTORY).then_some(Place::Directory)
    }

    /// The entry of that name in the directory.
    pub(super) fn named(name: &str) -> Option<Place> {
        match name.strip_suffix(SERVED) {
            Some(number) => DeviceNumber::parse(number).map(Place::File),
            None => DeviceNumber::parse(name).map(Place::Node),
        }
    }

    /// What `stat` says of it. `ENOENT` if the device is gone.
    pub(super) fn attributes(
        self,
        devices: &[Device],
        kept: Option<&Wanted>,
        started: Time,
    ) -> Result<Attributes, Errno> {
        let kept = kept.copied().unwrap_or_default();
        let find = |number| devices.iter().find(|device| device.number == number).ok_or(Errno::ENOENT);
        let (kind, mode, number) = match self {
            Place::Directory => (libc::S_IFDIR, 0o755, None),
            // Who may open the node is seen to where it is opened, by the node's owner and mode.
            Place::File(number) => find(number).map(|_| (libc::S_IFREG, 0o666, None))?,
            Place::Node(number) => find(number).map(|node| (libc::S_IFCHR, node.mode, Some(number)))?,
        };
        Ok(Attributes {
            ino: self.ino().0,
            mode: kind | kept.mode.unwrap_or(u32::from(mode)),
            user: kept.user.unwrap_or(0),
            group: kept.group.unwrap_or(0),
            size: 0,
            links: 1,
            accessed: kept.accessed.unwrap_or(started),
            modified: kept.modified.unwrap_or(started),
            changed: started,
            device: number,
            fleeting: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_leads_back_to_its_place() {
        let numbers = [(10, 256), (254, 0), (253, 255), (0xfff, 0xf_ffff)];
        for number in numbers.map(|(major, minor)| DeviceNumber { major, minor }) {
            for place in [Place::Node(number), Place::File(number), Place::Directory] {
                assert_eq!(Place::of(place.ino()), Some(place));
            }
            assert_eq!(Place::named(&number.to_string()), Some(Place::Node(number)));
            assert_eq!(Place::named(&format!("{number}+")), Some(Place::File(number)));
        }
        assert_eq!(Place::of(ap_sysfs::ROOT), None);
        assert_eq!(Place::named("x"), None);
    }
}
