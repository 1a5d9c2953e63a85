//! Additional device nodes of zcrypt, each with masks of what it may use. (`zcryptctl`, /sys/class/zcrypt.)
//!
//! Who uses a node is beyond this host: only its files are here.

use ap_task::Subject;
use ap_task::state::Unhashed;
use ap_types::{AdapterMask, DomainMask, MaskError};

/// So many there can be.
const MOST: usize = 256;
/// Longest name.
const LONGEST: usize = 63;
/// Names that the class or `/dev` has already.
const TAKEN: [&str; 3] = ["create", "destroy", "z90crypt"];

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
    /// There is one of that name, or it means something else (`EEXIST`).
    #[error("the name is in use")]
    Exists,
    /// It is no name of a file (`EINVAL`).
    #[error("not a name for a device node")]
    Name,
    /// There are 256 already (`ENOSPC`).
    #[error("there are no more numbers")]
    Full,
    /// There is none of that name (`ENODEV`).
    #[error("no such node")]
    None,
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

    pub(crate) fn create(&mut self, name: &str) -> Result<&ZcryptNode, NodeError> {
        if self.list.len() >= MOST {
            return Err(NodeError::Full);
        }
        let free = |nodes: &Self, name: &str| nodes.find(name).is_none() && !TAKEN.contains(&name);
        let name = if name.is_empty() {
            let mut names = (0..).map(|number: u32| format!("zcrypt_{number}"));
            names.find(|name| free(self, name)).ok_or(NodeError::Full)?
        } else {
            let graphic = name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
            if !graphic || name.len() > LONGEST || name.starts_with('.') {
                return Err(NodeError::Name);
            }
            name.to_owned()
        };
        if !free(self, &name) {
            return Err(NodeError::Exists);
        }
        let used = |minor: &u32| self.list.iter().any(|node| node.minor == *minor);
        let minor = (0..).find(|minor| !used(minor)).ok_or(NodeError::Full)?;
        *self.made += 1;
        self.list.push(ZcryptNode {
            id: self.made,
            name,
            minor,
            apmask: AdapterMask::default(),
            aqmask: DomainMask::default(),
            admask: DomainMask::default(),
            ioctlmask: AdapterMask::default(),
        });
        self.list.last().ok_or(NodeError::None)
    }
}

impl ZcryptNode {
    /// What its events are abtask.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::ZcryptNode { id: *self.id, name: self.name.clone(), minor: self.minor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_given_and_checked() {
        let mut nodes = ZcryptNodes::default();
        let mut create = |name| nodes.create(name).map(|node| (node.name.clone(), node.minor));
        assert_eq!(create(""), Ok(("zcrypt_0".into(), 0)));
        assert_eq!(create("zcrypt_1"), Ok(("zcrypt_1".into(), 1)));
        assert_eq!(create(""), Ok(("zcrypt_2".into(), 2)));
        assert_eq!(create("zcrypt_1"), Err(NodeError::Exists));
        assert_eq!(create("destroy"), Err(NodeError::Exists));
        for name in ["a/b", "a b", "..", "\u{e4}", "a\n", &"x".repeat(64)] {
            assert_eq!(create(name), Err(NodeError::Name), "{name:?}");
        }
        nodes.list.remove(0);
        assert_eq!(nodes.create("").map(|node| (node.minor, *node.id)), Ok((0, 4)));
        while nodes.create("").map(drop) != Err(NodeError::Full) {}
        assert_eq!(nodes.list.len(), 256);
    }
}
