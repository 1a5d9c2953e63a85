//! Making, changing and destroying additional device nodes of zcrypt.

use ap_task::{Action, Task};
use ap_types::Mask;
use ap_types::grammar::mask_write;
use locks::{Held, Nothing};

use crate::bus::Bus;
use crate::zcdn::{NodeError, NodeMask, ZcryptNode};

impl Bus {
    /// Makes a node; without a name it gets the first `zcrypt_N` that is free. Nothing is allowed on it yet.
    ///
    /// # Errors
    /// [`NodeError`].
    ///
    /// # Locks
    /// The registry's, for writing.
    pub fn create_zcrypt_node(&self, name: &str, task: &mut Task<'_, Nothing>) -> Result<(), NodeError> {
        let subject = self.configure(task, |r| r.zcrypt_nodes.create(name).map(ZcryptNode::subject))?;
        task.uevent(Action::Add, subject);
        Ok(())
    }

    /// Destroys a node.
    ///
    /// # Errors
    /// [`NodeError::None`].
    ///
    /// # Locks
    /// The registry's, for writing.
    pub fn destroy_zcrypt_node(&self, name: &str, task: &mut Task<'_, Nothing>) -> Result<(), NodeError> {
        let node = self.configure(task, |registry| {
            let nodes = &mut registry.zcrypt_nodes.list;
            nodes.iter().position(|node| node.name == name).map(|at| nodes.remove(at))
        });
        task.uevent(Action::Remove, node.ok_or(NodeError::None)?.subject());
        Ok(())
    }

    /// Writes a mask of a node, in the grammar of apmask.
    ///
    /// # Errors
    /// [`NodeError`]; then nothing has changed.
    ///
    /// # Locks
    /// The registry's, for writing.
    pub fn write_zcrypt_mask(
        &self,
        id: u32,
        which: NodeMask,
        text: &[u8],
        held: &mut Held<'_, Nothing>,
    ) -> Result<(), NodeError> {
        fn update<M: Mask + Copy>(mask: &mut M, text: &[u8]) -> Result<(), NodeError> {
            *mask = mask_write(*mask, text)?;
            Ok(())
        }
        self.configure(held, |registry| {
            let node = registry.zcrypt_nodes.list.iter_mut().find(|node| *node.id == id);
            let node = node.ok_or(NodeError::None)?;
            match which {
                NodeMask::Adapters => update(&mut node.apmask, text),
                NodeMask::Domains => update(&mut node.aqmask, text),
                NodeMask::ControlDomains => update(&mut node.admask, text),
                NodeMask::Requests => update(&mut node.ioctlmask, text),
            }
        })
    }
}
