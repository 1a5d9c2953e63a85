//! Waiting for a change under a mutex, and waking those who wait.

use std::panic::Location;
use std::sync::{self, PoisonError};

use crate::hook::{self, Key, Kind, Object, Step};
use crate::mutex::Guard;
use crate::order::Level;

/// A condition variable.
pub struct Condvar {
    inner: sync::Condvar,
    name: &'static str,
    key: Key,
}

impl Condvar {
    /// A condition on which nobody waits; `name` and `key` are what traces print.
    pub fn new(name: &'static str, key: impl Into<Key>) -> Self {
        Condvar { inner: sync::Condvar::new(), name, key: key.into() }
    }

    /// The object that its steps name.
    pub fn object(&self) -> Object {
        Object { level: self.name, rank: u16::MAX, key: self.key }
    }

    /// Releases the mutex, waits until it is notified, and takes the mutex again; the condition must be looked at
    /// again. All other locks that the task holds stay held.
    #[track_caller]
    pub fn wait<'a, L: Level, T>(&self, guard: Guard<'a, L, T>) -> Guard<'a, L, T> {
        let at = Location::caller();
        let Some(hook) = hook::current() else {
            let (inner, mutex) = guard.into_parts();
            let inner = self.inner.wait(inner).unwrap_or_else(PoisonError::into_inner);
            return Guard::from_parts(inner, mutex);
        };
        if hook.wants_contents() {
            let fingerprint = guard.fingerprint();
            let (inner, mutex) = guard.into_parts();
            hook.published(mutex.object(), fingerprint);
            drop(inner);
            hook.wait(Step { kind: Kind::Wait, object: self.object(), at }, mutex.object());
            return mutex.acquire(at);
        }
        let (inner, mutex) = guard.into_parts();
        drop(inner);
        hook.wait(Step { kind: Kind::Wait, object: self.object(), at }, mutex.object());
        mutex.acquire(at)
    }

    /// Waits while `condition` says so.
    #[track_caller]
    pub fn wait_while<'a, L: Level, T>(
        &self,
        mut guard: Guard<'a, L, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> Guard<'a, L, T> {
        while condition(&mut guard) {
            guard = self.wait(guard);
        }
        guard
    }

    /// Wakes all who wait.
    #[track_caller]
    pub fn notify_all(&self) {
        match hook::current() {
            None => self.inner.notify_all(),
            Some(hook) => {
                hook.step(Step { kind: Kind::Notify, object: self.object(), at: Location::caller() });
            }
        }
    }
}
