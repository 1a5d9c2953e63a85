//! Making, changing and destroying additional device nodes of zcrypt.

use ap_task::order::Modules;
use ap_task::{Action, Task};
use ap_types::Mask;
use ap_types::grammar::mask_write;
use locks::{Held, Nothing};

use crate::bus::Bus;
use crate::zcdn::{NodeError, NodeMask};

impl Bus {
    /// Makes a node, of a name as it was written. Nothing is allowed on it yet.
    ///
    /// # Errors
    /// [`NodeError`].
    ///
    /// # Locks
    /// The registry's, for writing.
    pub fn create_zcrypt_node(&self, name: &str, task: &mut Task<'_, Nothing>) -> Result<(), NodeError> {
        let made = self.configure(task, |registry| {
            let nodes = &mut registry.zcrypt_nodes;
            let alone = nodes.list.is_empty();
            nodes.create(name).map(|node| node.subject(alone))
        });
        match made {
            Ok(subject) => task.uevent(Action::Add, subject),
            Err(NodeError::Clash(node)) => {
                task.uevent(Action::Remove, node.subject(false));
                return Err(NodeError::Clash(node));
            }
            Err(error) => return Err(error),
        }
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
        let subject = self.configure(task, |registry| {
            let nodes = &mut registry.zcrypt_nodes;
            nodes.destroy(name).map(|node| node.subject(nodes.list.is_empty()))
        })?;
        task.uevent(Action::Remove, subject);
        Ok(())
    }

    /// Destroys all nodes, oldest first.
    ///
    /// # Locks
    /// The registry's, for writing.
    pub fn destroy_zcrypt_nodes(&self, task: &mut Task<'_, Modules>) {
        let nodes = self.configure(task, |registry| registry.zcrypt_nodes.take_all());
        for (at, node) in nodes.iter().enumerate() {
            task.uevent(Action::Remove, node.subject(at + 1 == nodes.len()));
        }
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
            let node = node.ok_or(NodeError::Gone)?;
            match which {
                NodeMask::Adapters => update(&mut node.apmask, text),
                NodeMask::Domains => update(&mut node.aqmask, text),
                NodeMask::ControlDomains => update(&mut node.admask, text),
                NodeMask::Requests => update(&mut node.ioctlmask, text),
            }
        })
    }
}
