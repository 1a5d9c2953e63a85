//! The nodes of the tree and the numbers that encode them.
//!
//! A number says all about a node: which row of the table of directories, which place in such a directory, which
//! object. Nothing is stored, and no number is used again for another object, as long as objects' keys are not.
//!
//! ```text
//!  63      56 55     49 48     40 39                                      0
//! ┌──────────┬─────────┬─────────┬─────────────────────────────────────────┐
//! │ row      │ place   │ holder  │ key                                     │
//! └──────────┴─────────┴─────────┴─────────────────────────────────────────┘
//! ```
//! The place is 0 for the directory itself, then come attributes, links of fixed names, and listed directories. The
//! key is that of the directory's object; of a listed directory it is that one's, and `holder` is the key of the
//! directory that lists it; of an attribute it is the load of the module that the directory comes with.

use crate::errno::Errno;
use crate::front::{Ino, ROOT};

const ROW: u32 = 56;
const PLACE: u32 = 49;
const HOLDER: u32 = 40;
const KEY_BITS: u64 = (1 << HOLDER) - 1;
/// The holder whose key is that of what it lists.
const SAME: u64 = 0x1ff;

const ATTRIBUTES: u8 = 1;
const LINKS: u8 = 64;
const LISTED: u8 = 96;
const PLACES: u8 = 128;

/// How many attributes a directory can have.
pub(crate) const MOST_ATTRIBUTES: usize = (LINKS - ATTRIBUTES) as usize;
/// How many links of fixed names a directory can have.
pub(crate) const MOST_LINKS: usize = (LISTED - LINKS) as usize;
/// How many kinds of directories a directory can list.
pub(crate) const MOST_LISTED: usize = (PLACES - LISTED) as usize;
/// How many keys there are for objects whose directories list others.
pub(crate) const MOST_HOLDERS: usize = SAME as usize;

/// A kind of directory: its place in the table of directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RowId(pub(crate) u8);

/// Which object of its kind a directory is about: 40 bits, never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key(pub(crate) u64);

impl Key {
    /// The key of directories without object.
    pub(crate) const NONE: Key = Key(0);

    /// The key of a device: its id, and which device of that id it is, counted over time. Of the count 24 bits are
    /// kept.
    pub(crate) fn device(id: u16, generation: u32) -> Key {
        Key(u64::from(id) | u64::from(generation & 0xff_ffff) << 16)
    }

    /// The id of a device's key.
    pub(crate) fn id(self) -> u16 {
        self.0 as u16
    }
}

/// Which load of its module a file belongs to: 9 bits of the count. What was opened before a module was loaded again
/// belongs to what is gone (page 6, M48). 0 of files that don't come with a module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Load(u16);

impl Load {
    /// The load of a module that was loaded so often.
    pub(crate) fn number(count: u32) -> Load {
        Load(count as u16 & SAME as u16)
    }
}

/// A directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dir {
    pub(crate) row: RowId,
    pub(crate) key: Key,
}

impl Dir {
    /// The directory of that number, whether or not its object still lives.
    ///
    /// # Errors
    /// `ENOTDIR` if the number is that of another node.
    pub fn from_ino(ino: Ino) -> Result<Dir, Errno> {
        match Node::from_ino(ino) {
            Node::Dir(dir) => Ok(dir),
            Node::Attribute(..) | Node::Link(..) | Node::Listed(..) => Err(Errno::ENOTDIR),
        }
    }
}

/// A node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// A directory.
    Dir(Dir),
    /// The attribute of that place in its directory, in that load of its module.
    Attribute(Dir, u8, Load),
    /// The link of that place among those of fixed names in its directory.
    Link(Dir, u8),
    /// A link to a directory that another one lists: by which list, and the key of the listed one.
    Listed(Dir, u8, Key),
}

impl Node {
    /// The node's number.
    pub(crate) fn ino(self) -> Ino {
        let number = |dir: Dir, place: u8, holder: u64, key: Key| {
            debug_assert!(key.0 <= KEY_BITS && place < PLACES && holder <= SAME, "{self:?}");
            Ino(u64::from(dir.row.0) << ROW | u64::from(place) << PLACE | holder << HOLDER | key.0)
        };
        match self {
            Node::Dir(Dir { row: RowId(0), .. }) => ROOT,
            Node::Dir(dir) => number(dir, 0, 0, dir.key),
            Node::Attribute(dir, index, load) => number(dir, ATTRIBUTES + index, load.0.into(), dir.key),
            Node::Link(dir, index) => number(dir, LINKS + index, 0, dir.key),
            Node::Listed(dir, index, listed) => {
                debug_assert!(dir.key.0 < SAME || dir.key == listed, "{self:?}");
                number(dir, LISTED + index, dir.key.0.min(SAME), listed)
            }
        }
    }

    /// The node of that number, whether or not there is such a directory, and whether or not its object still lives.
    pub(crate) fn from_ino(ino: Ino) -> Node {
        if ino == ROOT {
            return Node::Dir(Dir { row: RowId(0), key: Key::NONE });
        }
        let row = RowId((ino.0 >> ROW) as u8);
        let key = Key(ino.0 & KEY_BITS);
        let dir = Dir { row, key };
        match (ino.0 >> PLACE & u64::from(PLACES - 1)) as u8 {
            0 => Node::Dir(dir),
            place @ ATTRIBUTES..LINKS => {
                Node::Attribute(dir, place - ATTRIBUTES, Load((ino.0 >> HOLDER & SAME) as u16))
            }
            place @ LINKS..LISTED => Node::Link(dir, place - LINKS),
            place => {
                let holder = match ino.0 >> HOLDER & SAME {
                    SAME => key,
                    holder => Key(holder),
                };
                Node::Listed(Dir { row, key: holder }, place - LISTED, key)
            }
        }
    }

    /// The directory that it is, or that it is in.
    pub(crate) fn dir(self) -> Dir {
        match self {
            Node::Dir(dir) | Node::Attribute(dir, ..) | Node::Link(dir, _) | Node::Listed(dir, ..) => dir,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_leads_back_to_its_node() {
        let keys = [Key(0), Key(1), Key(510), Key(511), Key(512), Key::device(0xffff, u32::MAX)];
        for row in [0, 1, 255].map(RowId) {
            for key in keys {
                let dir = Dir { row, key };
                let mut nodes = vec![Node::Attribute(dir, 0, Load(0)), Node::Attribute(dir, 62, Load(511))];
                nodes.extend([Node::Link(dir, 0), Node::Link(dir, 31), Node::Listed(dir, 31, key)]);
                if row != RowId(0) {
                    nodes.push(Node::Dir(dir));
                }
                if key.0 < SAME {
                    nodes.push(Node::Listed(dir, 0, Key::device(0x0407, 3)));
                }
                for node in nodes {
                    assert_eq!(Node::from_ino(node.ino()), node);
                    assert_ne!(node.ino(), ROOT);
                }
            }
        }
        assert_eq!(Dir::from_ino(ROOT), Ok(Dir { row: RowId(0), key: Key::NONE }));
    }
}
