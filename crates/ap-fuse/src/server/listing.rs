//! Directory listings, and where a reader is in them.
//!
//! A reader's place must survive changes of the directory between its calls, so it is no index: entries come in
//! the order of a hash of their names, as in sysfs, and a place is the hash of the last entry that was given.

use std::collections::VecDeque;

use ap_sysfs::{Entry, Errno, Ino};

use super::attributes::Attributes;

/// The first place that is not `.` or `..`.
pub const FIRST: u64 = 3;
/// Listings that are being read at the same time and need not be made again for each piece.
const KEPT: usize = 8;

/// An entry for a reader.
#[derive(Debug)]
pub struct Item<'a> {
    /// Its name.
    pub name: &'a str,
    /// The place after it.
    pub cookie: u64,
    /// What `stat` would say.
    pub attributes: Attributes,
}

/// The place of a name: positive as a file offset, and after `.` and `..`.
#[must_use]
pub fn cookie(name: &str) -> u64 {
    // FNV-1a: places must not change while a directory is read, nothing more.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (hash >> 2).max(FIRST)
}

/// A directory's entries by place.
pub struct Listing {
    entries: Vec<(u64, Entry)>,
}

impl Listing {
    fn new(entries: Vec<Entry>) -> Listing {
        let mut entries: Vec<_> = entries.into_iter().map(|entry| (cookie(&entry.name), entry)).collect();
        entries
            .sort_unstable_by(|one, other| one.0.cmp(&other.0).then_with(|| one.1.name.cmp(&other.1.name)));
        // Two names with one hash: the second moves to the next free place.
        for at in 1..entries.len() {
            if entries[at].0 <= entries[at - 1].0 {
                entries[at].0 = entries[at - 1].0 + 1;
            }
        }
        Listing { entries }
    }

    /// The entries after a place.
    pub fn after(&self, place: u64) -> impl Iterator<Item = &(u64, Entry)> {
        let from = self.entries.partition_point(|(cookie, _)| *cookie <= place);
        self.entries[from..].iter()
    }
}

/// The listings that are being read.
#[derive(Default)]
pub struct Listings {
    recent: VecDeque<(Ino, Listing)>,
}

impl Listings {
    /// The listing of `dir` for a reader at `place`: made anew at the start.
    pub fn get(
        &mut self,
        dir: Ino,
        place: u64,
        entries: impl FnOnce() -> Result<Vec<Entry>, Errno>,
    ) -> Result<&Listing, Errno> {
        let known = self.recent.iter().position(|(ino, _)| *ino == dir).filter(|_| place >= FIRST);
        let at = match known {
            Some(at) => at,
            None => {
                let listing = Listing::new(entries()?);
                self.forget(dir);
                self.recent.truncate(KEPT - 1);
                self.recent.push_front((dir, listing));
                0
            }
        };
        Ok(&self.recent[at].1)
    }

    /// The directory changed.
    pub fn forget(&mut self, dir: Ino) {
        self.recent.retain(|(ino, _)| *ino != dir);
    }
}
