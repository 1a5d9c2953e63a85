//! State that exists for an oracle only.

use std::cell::UnsafeCell;
use std::hash::Hash;
use std::panic::Location;

use crate::hook::{self, Key, Kind, Object, Step};

/// What an oracle looks at; in production nothing is stored to it and an update costs nothing.
///
/// An update is a step of its own that depends on every other update of the same object. An invariant that was
/// checked inside somebody else's step instead would be reordered away by a reduction.
pub struct Ghost<T> {
    value: UnsafeCell<T>,
    name: &'static str,
    key: Key,
    fingerprint: fn(&T) -> u64,
}

// SAFETY: the value is touched only by `update` under a hook, that is by one task at a time on one thread; without
// a hook no reference to it is ever made.
unsafe impl<T: Send> Sync for Ghost<T> {}

impl<T> Ghost<T> {
    /// A ghost object.
    pub fn new(name: &'static str, key: impl Into<Key>, value: T) -> Self
    where
        T: Hash,
    {
        let key = key.into();
        hook::created(Object { level: name, rank: u16::MAX, key }, || hook::fingerprint(&value));
        Ghost { value: UnsafeCell::new(value), name, key, fingerprint: hook::fingerprint::<T> }
    }

    /// Updates (or looks at) the value, inside an exploration; nothing in production.
    #[track_caller]
    #[inline]
    pub fn update(&self, f: impl FnOnce(&mut T)) {
        let Some(hook) = hook::current() else { return };
        let object = Object { level: self.name, rank: u16::MAX, key: self.key };
        hook.step(Step { kind: Kind::Ghost, object, at: Location::caller() });
        // SAFETY: tasks of one hook run one at a time on this thread, and `f` can't suspend: it has no token.
        let value = unsafe { &mut *self.value.get() };
        if hook.wants_contents() {
            hook.observed(object, (self.fingerprint)(value));
        }
        f(value);
        if hook.wants_contents() {
            hook.published(object, (self.fingerprint)(value));
        }
    }
}

/// Reports a violation to the explorer; nothing in production.
pub fn violation(verdict: &'static str, what: impl FnOnce() -> String) {
    if let Some(hook) = hook::current() {
        hook.violation(verdict, what());
    }
}
