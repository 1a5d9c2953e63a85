//! Shared data outside a guard, watched for races.

use std::hash::Hash;
use std::panic::Location;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use crate::hook::{self, Hook, Key, Kind, Object, Step};

/// Data that tasks share without a guard of its own: something else must order their accesses.
///
/// An explorer finds accesses that nothing orders (vector clocks). Outside an exploration an access that meets another
/// one is refused by a panic, and those that something orders never meet: nothing ever waits here. The price is that
/// of a lock that is free.
pub struct Tracked<T> {
    /// Never waited for: who finds it taken is refused.
    value: RwLock<T>,
    name: &'static str,
    key: Key,
    fingerprint: fn(&T) -> u64,
}

impl<T> Tracked<T> {
    /// Shared data named `name`.
    pub fn new(name: &'static str, key: impl Into<Key>, value: T) -> Self
    where
        T: Hash,
    {
        let key = key.into();
        hook::created(Object { level: name, rank: u16::MAX, key }, || hook::fingerprint(&value));
        Tracked { value: RwLock::new(value), name, key, fingerprint: hook::fingerprint::<T> }
    }

    fn object(&self) -> Object {
        Object { level: self.name, rank: u16::MAX, key: self.key }
    }

    /// Reads. Reads may be inside each other, and at the same time.
    ///
    /// # Panics
    /// If the data is being written: by a [`Tracked::with_mut`] around this call, by a task that was suspended inside
    /// one, or by another thread that nothing orders before this read.
    #[track_caller]
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        let at = Location::caller();
        hook::with(|hook| hook.step(Step { kind: Kind::Read, object: self.object(), at }));
        let Some(value) = self.reads() else { self.refuse("read while it is being written") };
        self.tell(&value, |hook, object, fingerprint| hook.observed(object, fingerprint));
        f(&value)
    }

    /// Writes.
    ///
    /// # Panics
    /// If the data is being read or written: by a call around this one, by a task that was suspended inside one, or by
    /// another thread that nothing orders before this write.
    #[track_caller]
    #[inline]
    pub fn with_mut<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let at = Location::caller();
        hook::with(|hook| hook.step(Step { kind: Kind::Write, object: self.object(), at }));
        let Some(mut value) = self.writes() else { self.refuse("written while it is being read or written") };
        self.tell(&value, |hook, object, fingerprint| hook.observed(object, fingerprint));
        let result = f(&mut value);
        self.tell(&value, |hook, object, fingerprint| hook.published(object, fingerprint));
        result
    }

    /// Marks the data as freed: an explorer reports every use that doesn't come before; nothing in production.
    ///
    /// The value itself is dropped with the `Tracked`, so that a use that is found stays defined.
    #[track_caller]
    #[inline]
    pub fn free(&self) {
        let at = Location::caller();
        hook::with(|hook| hook.step(Step { kind: Kind::Free, object: self.object(), at }));
    }

    #[inline]
    fn reads(&self) -> Option<RwLockReadGuard<'_, T>> {
        match self.value.try_read() {
            Ok(value) => Some(value),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    #[inline]
    fn writes(&self) -> Option<RwLockWriteGuard<'_, T>> {
        match self.value.try_write() {
            Ok(value) => Some(value),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Tells the hook of the contents, if it wants to know.
    #[inline]
    fn tell(&self, value: &T, tell: impl FnOnce(&dyn Hook, Object, u64)) {
        hook::with(|hook| {
            if hook.wants_contents() {
                tell(hook, self.object(), (self.fingerprint)(value));
            }
        });
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn refuse(&self, how: &str) -> ! {
        panic!(
            "the tracked data `{}` {} is {how}: something must order the accesses, and none may be inside another",
            self.name, self.key.id
        )
    }
}
