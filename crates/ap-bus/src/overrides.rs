//! `driver_override`: the one driver that may have a queue, whatever the masks say. (Specification, page 7.)
//!
//! Overrides stand under P, beside the masks that they replace, and nothing of a device's own locks is taken to read
//! or to write one: whoever decides by them holds P until what was decided is done.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ap_task::order::{Devices, Queue};
use ap_task::{DriverName, Flag, Task};
use ap_types::{AdapterMask, Apqn, DomainMask, QueueSet};
use locks::{After, Held, Nothing};

use crate::bus::Bus;
use crate::device::QueueDevice;
use crate::ownership::Ownership;

/// A text of so many bytes, or more, is no override.
const TOO_LONG: usize = 4095;

/// What an override says: the name of a driver, which need not exist. Any bytes but newline and NUL, at least one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Override(Arc<[u8]>);

impl Override {
    /// The override in a text that is written: what stands before its first newline or NUL. `None` clears it.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Override> {
        let name = text.split(|byte| matches!(byte, b'\n' | 0)).next().unwrap_or_default();
        (!name.is_empty()).then(|| Override(name.into()))
    }

    /// Whether it is that driver's name.
    #[must_use]
    pub fn names(&self, driver: DriverName) -> bool {
        *self.0 == *driver.0.as_bytes()
    }

    /// The name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Override({})", String::from_utf8_lossy(&self.0))
    }
}

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

/// The overrides of all queue devices, and whether any may be written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Overrides {
    /// "Masks in use": a committed change of a mask left one that is not all ones. Boot masks do not count.
    pub masks_in_use: bool,
    names: BTreeMap<Apqn, Override>,
    /// The queues that have one, as a set.
    queues: QueueSet,
}

impl Overrides {
    /// Whether no queue has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// That of a queue.
    #[must_use]
    pub fn of(&self, apqn: Apqn) -> Option<&Override> {
        self.names.get(&apqn)
    }

    /// The queues that have one.
    #[must_use]
    pub fn queues(&self) -> &QueueSet {
        &self.queues
    }

    /// A queue has that one from now on, or none.
    pub fn set(&mut self, apqn: Apqn, text: Option<Override>) {
        match text {
            Some(text) => {
                self.queues.insert(apqn);
                self.names.insert(apqn, text);
            }
            None => self.forget(apqn),
        }
    }

    /// The queue has none any more.
    pub(crate) fn forget(&mut self, apqn: Apqn) {
        self.queues.remove(apqn);
        self.names.remove(&apqn);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_ends_at_the_first_newline_or_nul() {
        let parsed = |text: &[u8]| Override::parse(text).map(|name| name.as_bytes().to_vec());
        assert_eq!(parsed(b"vfio_ap\n"), Some(b"vfio_ap".to_vec()));
        assert_eq!(parsed(b" vfio_ap \nx"), Some(b" vfio_ap ".to_vec()), "nothing is trimmed");
        assert_eq!(parsed(b"a\0b"), Some(b"a".to_vec()));
        assert_eq!(parsed(b"\n"), None);
        assert_eq!(parsed(b"\0vfio_ap"), None);
    }
}
