//! `driver_override`: the one driver that may have a queue, whatever the masks say. (Specification, page 7.)
//!
//! Data only: it stands under P, beside the masks that it replaces.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ap_task::DriverName;
use ap_types::{Apqn, QueueSet};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_ends_at_the_first_newline_or_nul() {
        let parsed = |text: &[u8]| Override::parse(text).map(|name| name.as_bytes().to_vec());
        assert_eq!(parsed(b"lender\n"), Some(b"lender".to_vec()));
        assert_eq!(parsed(b" lender \nx"), Some(b" lender ".to_vec()), "nothing is trimmed");
        assert_eq!(parsed(b"a\0b"), Some(b"a".to_vec()));
        assert_eq!(parsed(b"\n"), None);
        assert_eq!(parsed(b"\0lender"), None);
    }
}
