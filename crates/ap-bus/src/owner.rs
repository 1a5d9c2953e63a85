//! Whose a queue is, by override and masks, and writing overrides. (Specification, page 7.)
//!
//! Nothing of a device's own locks is taken to read or to write an override: whoever decides by one holds P until what
//! was decided is done.

use std::sync::Arc;

use ap_task::order::{Devices, Queue};
use ap_task::{Flag, Task};
use ap_types::{AdapterMask, DomainMask, QueueSet};
use locks::{After, Held, Nothing};

use crate::bus::Bus;
use crate::device::QueueDevice;
use crate::overrides::Override;
use crate::ownership::Ownership;

/// A text of so many bytes, or more, is no override.
const TOO_LONG: usize = 4095;

/// Why an override was not written; nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// The queue device is gone (`ENODEV`).
    #[error("no such device")]
    Gone,
    /// A mask was changed and is not all ones: a host gives queues by masks or by overrides (`EINVAL`).
    #[error("apmask or aqmask was changed and is not all ones")]
    MasksInUse,
    /// The text is 4095 bytes or more (`EINVAL`).
    #[error("the name is 4095 bytes or more")]
    TooLong,
}

impl Bus {
    /// Whether queues have overrides with this kernel.
    pub(crate) fn has_overrides(&self) -> bool {
        self.kernel.has(Flag::DriverOverride)
    }

    /// The override of a queue device, if it has one.
    ///
    /// # Locks
    /// P.
    pub fn driver_override(&self, queue: &QueueDevice, held: &mut Held<'_, Nothing>) -> Option<Override> {
        self.ownership.lock(held).0.overrides.of(queue.apqn).cloned()
    }

    /// Writes the override of a queue device. No driver is probed, nobody is asked.
    ///
    /// # Errors
    /// [`OverrideError`]; then nothing has changed.
    ///
    /// # Locks
    /// P, and under it the registry's, for reading: a device that is listed loses its override when it goes.
    pub fn write_driver_override(
        &self,
        queue: &QueueDevice,
        text: &[u8],
        task: &mut Task<'_, Nothing>,
    ) -> Result<(), OverrideError> {
        if text.is_empty() {
            return Ok(());
        }
        // Lock order: P -> Devices
        let (mut ownership, mut task) = task.lock(&self.ownership);
        let listed = |known: Option<&Arc<QueueDevice>>| known.is_some_and(|known| **known == *queue);
        if !self.look(&mut task, |registry| listed(registry.queues.get(&queue.apqn))) {
            return Err(OverrideError::Gone);
        }
        if ownership.overrides.masks_in_use {
            return Err(OverrideError::MasksInUse);
        }
        if text.len() >= TOO_LONG {
            return Err(OverrideError::TooLong);
        }
        ownership.overrides.set(queue.apqn, Override::parse(text));
        Ok(())
    }

    /// Whether some queue of a product is the host's, so that nobody may be given it. `theirs`: the queues that the
    /// driver of whoever asks has.
    ///
    /// A queue with an override that is bound is the host's exactly if a default driver has it, whatever the override
    /// says; any other queue, also one that does not exist, by the masks.
    ///
    /// # Locks
    /// P is held (`ownership`). Where there are overrides, for each queue of the product that has one and is not
    /// `theirs`: the registry's, for reading, and A of the queue.
    pub fn is_any_hosts<L>(
        &self,
        ownership: &Ownership,
        (adapters, domains): (&AdapterMask, &DomainMask),
        theirs: &QueueSet,
        held: &mut Held<'_, L>,
    ) -> bool
    where
        Devices: After<L>,
        Queue: After<L>,
    {
        let overridden = ownership.overrides.queues();
        if overridden.is_empty() {
            return ownership.reserves_any(adapters, domains);
        }
        // By the masks, but for those whose driver decides.
        let mut decided = QueueSet::new();
        for apqn in overridden.intersection_product(adapters, domains) {
            if theirs.contains(apqn) {
                decided.insert(apqn);
                continue;
            }
            let Some(queue) = self.queue(apqn, held) else { continue };
            let (state, _held) = queue.state.lock(held);
            if state.is_hosts() {
                return true;
            }
            if state.binding.is_some() {
                decided.insert(apqn);
            }
        }
        let (adapters, domains) = (*adapters & ownership.adapters, *domains & ownership.domains);
        !decided.contains_product(&adapters, &domains)
    }
}
