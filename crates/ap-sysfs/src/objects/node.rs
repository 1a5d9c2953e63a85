//! Additional device nodes of zcrypt.

use ap_bus::zcdn::ZcryptNode;

use crate::node::Key;
use crate::object::{Members, Object, PutMember};
use crate::tree::{Root, Tree};

/// The key of a node.
pub(crate) fn key(id: u32) -> Key {
    Key(u64::from(id))
}

impl Object for ZcryptNode {
    /// Takes the registry's lock for reading.
    fn find(tree: &Tree, key: Key, held: Root) -> Option<ZcryptNode> {
        let id = u32::try_from(key.0).ok()?;
        tree.host.bus.read(held, |registry| registry.zcrypt_nodes.get(id).cloned())
    }
}

/// That there is a node at all.
pub(crate) struct SomeNode;

impl Object for SomeNode {
    /// Takes the registry's lock for reading.
    fn find(tree: &Tree, _: Key, held: Root) -> Option<SomeNode> {
        tree.host.bus.look(held, |registry| !registry.zcrypt_nodes.list.is_empty()).then_some(SomeNode)
    }
}

/// All of them.
pub(crate) struct Nodes;

/// Takes the registry's lock for reading.
impl Members for Nodes {
    fn all(&self, tree: &Tree, _: Key, held: Root, put: &mut PutMember) {
        tree.host.bus.read(held, |registry| {
            registry.zcrypt_nodes.list.iter().for_each(|node| put(0, node.name.clone(), key(*node.id)));
        });
    }

    fn named(&self, tree: &Tree, _: Key, name: &str, held: Root) -> Option<(u8, Key)> {
        let node = |id: &ZcryptNode| (0, key(*id.id));
        tree.host.bus.look(held, |registry| registry.zcrypt_nodes.find(name).map(node))
    }

    fn name(&self, tree: &Tree, _: Key, _: u8, key: Key, held: Root) -> Option<String> {
        ZcryptNode::find(tree, key, held).map(|node| node.name)
    }
}
