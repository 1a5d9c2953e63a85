//! Shared data outside a guard, watched for races.

use std::cell::UnsafeCell;
use std::hash::Hash;
use std::panic::Location;

use crate::hook::{self, Key, Kind, Object, Step};

/// Data that tasks share without a guard of its own: something else must order their accesses.
///
/// An explorer finds accesses that nothing orders (vector clocks). In production it is a bare cell.
pub struct Tracked<T> {
    value: UnsafeCell<T>,
    name: &'static str,
    key: Key,
    fingerprint: fn(&T) -> u64,
}

// SAFETY: whoever calls `new` promises that accesses are ordered; see there.
unsafe impl<T: Send + Sync> Sync for Tracked<T> {}

impl<T> Tracked<T> {
    /// Shared data named `name`.
    ///
    /// # Safety
    /// The caller orders all accesses from different threads by something else (locks), as an exploration proves.
    /// Inside an exploration tasks share one thread, and an unordered access is reported instead of undefined.
    pub unsafe fn new(name: &'static str, key: impl Into<Key>, value: T) -> Self
    where
        T: Hash,
    {
        let key = key.into();
        hook::created(Object { level: name, rank: u16::MAX, key }, || hook::fingerprint(&value));
        Tracked { value: UnsafeCell::new(value), name, key, fingerprint: hook::fingerprint::<T> }
    }

    fn object(&self) -> Object {
        Object { level: self.name, rank: u16::MAX, key: self.key }
    }

    /// Reads.
    #[track_caller]
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        if let Some(hook) = hook::current() {
            hook.step(Step { kind: Kind::Read, object: self.object(), at: Location::caller() });
            if hook.wants_contents() {
                // SAFETY: as below.
                hook.observed(self.object(), (self.fingerprint)(unsafe { &*self.value.get() }));
            }
        }
        // SAFETY: accesses are ordered (promised to `new`), or tasks share one thread and `f` can't suspend.
        f(unsafe { &*self.value.get() })
    }

    /// Writes.
    #[track_caller]
    #[inline]
    pub fn with_mut<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let hook = hook::current();
        if let Some(hook) = hook {
            hook.step(Step { kind: Kind::Write, object: self.object(), at: Location::caller() });
        }
        // SAFETY: as in `with`.
        let value = unsafe { &mut *self.value.get() };
        if let Some(hook) = hook
            && hook.wants_contents()
        {
            hook.observed(self.object(), (self.fingerprint)(value));
        }
        let result = f(value);
        if let Some(hook) = hook
            && hook.wants_contents()
        {
            hook.published(self.object(), (self.fingerprint)(value));
        }
        result
    }

    /// Marks the data as freed: an explorer reports every use that doesn't come before; nothing in production.
    ///
    /// The value itself is dropped with the `Tracked`, so that a use that is found stays defined.
    #[track_caller]
    #[inline]
    pub fn free(&self) {
        if let Some(hook) = hook::current() {
            hook.step(Step { kind: Kind::Free, object: self.object(), at: Location::caller() });
        }
    }
}
