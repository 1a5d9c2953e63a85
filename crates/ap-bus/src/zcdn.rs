//! Additional device nodes of zcrypt, each with masks of what it may use. (`zcryptctl`, /sys/class/zcrypt.)
//!
//! Who uses a node is beyond this host: only its files are here.

use ap_task::Subject;
use ap_task::state::Unhashed;
use ap_types::{AdapterMask, DomainMask, MaskError};

/// So many there can be.
const MOST: usize = 256;
/// Longest name, in bytes.
const LONGEST: usize = 31;
/// Names that the class has already.
const TAKEN: [&str; 2] = ["create", "destroy"];

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ZcryptNode {
    /// Its number, never used again.
    pub id: Unhashed<u32>,
    /// Its name.
    pub name: String,
    /// Its minor number.
    pub minor: u32,
    /// Adapters that it may use.
    pub apmask: AdapterMask,
    /// Usage domains.
    pub aqmask: DomainMask,
    /// Control domains.
    pub admask: DomainMask,
    /// Requests, by the number of the ioctl: 256 bits with the same text as adapters.
    pub ioctlmask: AdapterMask,
}

/// Which mask of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeMask {
    /// Adapters.
    Adapters,
    /// Usage domains.
    Domains,
    /// Control domains.
    ControlDomains,
    /// Requests.
    Requests,
}

/// The nodes there are, in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ZcryptNodes {
    /// They.
    pub list: Vec<ZcryptNode>,
    made: Unhashed<u32>,
}

/// Why a node was not made, changed or destroyed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// There is one of that name (`EEXIST`).
    #[error("the name is in use")]
    Exists,
    /// The class has a file of that name: the node had been made, and went (`EEXIST`).
    #[error("the class has a file of that name")]
    Clash(Box<ZcryptNode>),
    /// It is no name of a file (`EINVAL`).
    #[error("not a name for a device node")]
    Name,
    /// There are 256 already (`ENOSPC`).
    #[error("there are no more numbers")]
    Full,
    /// There is none of that name (`ENOENT`).
    #[error("no node of that name")]
    None,
    /// The node is gone (`ENODEV`).
    #[error("no such node")]
    Gone,
    /// The text is no mask (`EINVAL`).
    #[error(transparent)]
    Syntax(#[from] MaskError),
}

impl ZcryptNodes {
    /// The node of that number.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&ZcryptNode> {
        self.list.iter().find(|node| *node.id == id)
    }

    /// The node of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&ZcryptNode> {
        self.list.iter().find(|node| node.name == name)
    }

    /// Takes all of them away.
    pub fn take_all(&mut self) -> Vec<ZcryptNode> {
        std::mem::take(&mut self.list)
    }

    /// Makes a node of a name as it was written: outer white space does not count, nor what follows 31 bytes; `/`
    /// is shown as `!`. Without a name it is called by its minor number, which is the lowest that is free. (Page 6, F11.)
    pub(crate) fn create(&mut self, written: &str) -> Result<&ZcryptNode, NodeError> {
        if self.list.len() >= MOST {
            return Err(NodeError::Full);
        }
        let used = |minor: &u32| self.list.iter().any(|node| node.minor == *minor);
        let minor = (0..).find(|minor| !used(minor)).ok_or(NodeError::Full)?;
        let name = match shortened(written) {
            "" => format!("zcrypt_{minor}"),
            "." | ".." => return Err(NodeError::Name),
            name => name.replace('/', "!"),
        };
        if self.find(&name).is_some() {
            return Err(NodeError::Exists);
        }
        *self.made += 1;
        let node = ZcryptNode {
            id: self.made,
            name,
            minor,
            apmask: AdapterMask::default(),
            aqmask: DomainMask::default(),
            admask: DomainMask::default(),
            ioctlmask: AdapterMask::default(),
        };
        if TAKEN.contains(&node.name.as_str()) {
            return Err(NodeError::Clash(Box::new(node)));
        }
        self.list.push(node);
        self.list.last().ok_or(NodeError::None)
    }

    /// Takes a node away, by the name that is shown.
    pub(crate) fn destroy(&mut self, written: &str) -> Result<ZcryptNode, NodeError> {
        let name = shortened(written);
        let at = self.list.iter().position(|node| node.name == name).ok_or(NodeError::None)?;
        Ok(self.list.remove(at))
    }
}

/// A name as it was written without outer white space, and without what follows 31 bytes.
fn shortened(written: &str) -> &str {
    let space = |character: char| matches!(character, ' ' | '\t'..='\r');
    let name = written.trim_start_matches(space);
    let end = (0..=LONGEST.min(name.len())).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    name[..end].trim_end_matches(space)
}

impl ZcryptNode {
    /// What its events are about; `alone`: there is no other node.
    #[must_use]
    pub fn subject(&self, alone: bool) -> Subject {
        Subject::ZcryptNode { id: *self.id, name: self.name.clone(), minor: self.minor, alone }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f11_names_are_given_shortened_and_shown() {
        let mut nodes = ZcryptNodes::default();
        let mut create = |name: &str| nodes.create(name).map(|node| (node.name.clone(), node.minor));
        assert_eq!(create("a/b\n"), Ok(("a!b".into(), 0)));
        assert_eq!(create(" n2 \n"), Ok(("n2".into(), 1)));
        assert_eq!(create("\n"), Ok(("zcrypt_2".into(), 2)));
        assert_eq!(create(&"x".repeat(70)), Ok(("x".repeat(31), 3)));
        assert_eq!(create(&"x".repeat(31)), Err(NodeError::Exists));
        assert_eq!(create(&format!("\t{} y", "z".repeat(30))), Ok(("z".repeat(30), 4)));
        assert_eq!(create("a b"), Ok(("a b".into(), 5)));
        assert_eq!(create("a!b"), Err(NodeError::Exists));
        assert!(matches!(create("destroy\n"), Err(NodeError::Clash(node)) if node.minor == 6));
        assert_eq!(create(".."), Err(NodeError::Name));
        assert_eq!(nodes.destroy("a/b"), Err(NodeError::None), "destroyed by the name that is shown");
        assert_eq!(nodes.destroy(" a!b\n").map(|node| node.minor), Ok(0));
        assert_eq!(nodes.create("").map(|node| node.name.clone()), Ok("zcrypt_0".into()));
        while nodes.create("").map(drop) != Err(NodeError::Full) {}
        assert_eq!(nodes.list.len(), 256);
    }
}
