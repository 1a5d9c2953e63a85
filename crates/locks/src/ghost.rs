//! State that exists for an oracle only.

use std::hash::Hash;
use std::panic::Location;
use std::sync::{Mutex, TryLockError};

use crate::hook::{self, Hook, Key, Kind, Object, Step};

/// What an oracle looks at; in production nothing is stored to it and an update costs nothing.
///
/// An update is a step of its own that depends on every other update of the same object. An invariant that was
/// checked inside somebody else's step instead would be reordered away by a reduction.
pub struct Ghost<T> {
    /// Never waited for: who finds it taken is refused.
    value: Mutex<T>,
    name: &'static str,
    key: Key,
    fingerprint: fn(&T) -> u64,
}

impl<T> Ghost<T> {
    /// A ghost object.
    pub fn new(name: &'static str, key: impl Into<Key>, value: T) -> Self
    where
        T: Hash,
    {
        let key = key.into();
        hook::created(Object { level: name, rank: u16::MAX, key }, || hook::fingerprint(&value));
        Ghost::there(name, key, value)
    }

    /// A ghost object that was there before the execution began, and is made now that it is needed: nobody's step
    /// makes it. The value is the one that it had at the beginning.
    pub fn there(name: &'static str, key: impl Into<Key>, value: T) -> Self
    where
        T: Hash,
    {
        Ghost { value: Mutex::new(value), name, key: key.into(), fingerprint: hook::fingerprint::<T> }
    }

    /// Updates (or looks at) the value, inside an exploration; nothing in production.
    ///
    /// # Panics
    /// If the object is being updated already: by an update around this one, by a task that was suspended inside its
    /// own, or by another thread that has a hook of its own. An object belongs to the tasks of one exploration, and its
    /// updates are single steps.
    #[track_caller]
    #[inline]
    pub fn update(&self, f: impl FnOnce(&mut T)) {
        let at = Location::caller();
        if hook::with(|hook| self.update_hooked(hook, f, at)) == Some(false) {
            self.refuse();
        }
    }

    /// Says whether the update was possible.
    #[inline]
    fn update_hooked(&self, hook: &dyn Hook, f: impl FnOnce(&mut T), at: &'static Location<'static>) -> bool {
        let object = Object { level: self.name, rank: u16::MAX, key: self.key };
        hook.step(Step { kind: Kind::Ghost, object, at });
        // Held until the end, also over the fingerprints: those are code of the user, too.
        let mut value = match self.value.try_lock() {
            Ok(value) => value,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        if hook.wants_contents() {
            hook.observed(object, (self.fingerprint)(&value));
        }
        f(&mut value);
        if hook.wants_contents() {
            hook.published(object, (self.fingerprint)(&value));
        }
        true
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn refuse(&self) -> ! {
        panic!(
            "the ghost `{}` {} is updated while it is being updated: an update is one step, in which neither the task \
             itself nor another may reach the same object again",
            self.name, self.key.id
        )
    }
}

/// Reports a violation to the explorer; nothing in production.
pub fn violation(verdict: &'static str, what: impl FnOnce() -> String) {
    hook::with(|hook| hook.violation(verdict, what()));
}
