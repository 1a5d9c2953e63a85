//! Waiting for a change under a mutex, and waking those who wait.

use std::panic::Location;
use std::sync::{self, PoisonError};

use crate::hook::{self, Hook, Key, Kind, Object, Step};
use crate::mutex::Guard;
use crate::order::Level;
use crate::rwlock::WriteGuard;

/// A condition variable.
pub struct Condvar {
    inner: sync::Condvar,
    /// How often it was notified, and what those wait on who hold a readers-writer lock. Locked from before they release their lock until
    /// they wait, so that nobody is woken too early.
    notified: sync::Mutex<u64>,
    writers: sync::Condvar,
    name: &'static str,
    key: Key,
}

impl Condvar {
    /// A condition on which nobody waits; `name` and `key` are what traces print.
    pub fn new(name: &'static str, key: impl Into<Key>) -> Self {
        let (inner, writers) = Default::default();
        Condvar { inner, notified: sync::Mutex::new(0), writers, name, key: key.into() }
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
        let mut guard = Some(guard);
        let waited = hook::with(|hook| self.wait_hooked(hook, guard.take().expect("taken once"), at));
        if let Some(guard) = waited {
            return guard;
        }
        let (inner, mutex) = guard.expect("no hook took it").into_parts();
        let inner = self.inner.wait(inner).unwrap_or_else(PoisonError::into_inner);
        Guard::from_parts(inner, mutex)
    }

    #[inline]
    fn wait_hooked<'a, L: Level, T>(
        &self,
        hook: &dyn Hook,
        guard: Guard<'a, L, T>,
        at: &'static Location<'static>,
    ) -> Guard<'a, L, T> {
        // Before the guard is taken apart: a fingerprint that panics leaves it whole, to be dropped.
        let fingerprint = hook.wants_contents().then(|| guard.fingerprint());
        let (inner, mutex) = guard.into_parts();
        if let Some(fingerprint) = fingerprint {
            hook.published(mutex.object(), fingerprint);
        }
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

    /// The same for a readers-writer lock that is held for writing.
    #[track_caller]
    pub fn wait_writing<'a, L: Level, T>(&self, guard: WriteGuard<'a, L, T>) -> WriteGuard<'a, L, T> {
        let at = Location::caller();
        let mut guard = Some(guard);
        let waited = hook::with(|hook| self.wait_writing_hooked(hook, guard.take().expect("taken once"), at));
        if let Some(guard) = waited {
            return guard;
        }
        let (inner, lock) = guard.expect("no hook took it").into_parts();
        let mut notified = self.notified.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *notified;
        drop(inner);
        while *notified == before {
            notified = self.writers.wait(notified).unwrap_or_else(PoisonError::into_inner);
        }
        drop(notified);
        lock.acquire_write(at)
    }

    #[inline]
    fn wait_writing_hooked<'a, L: Level, T>(
        &self,
        hook: &dyn Hook,
        guard: WriteGuard<'a, L, T>,
        at: &'static Location<'static>,
    ) -> WriteGuard<'a, L, T> {
        let fingerprint = hook.wants_contents().then(|| guard.fingerprint());
        let (inner, lock) = guard.into_parts();
        if let Some(fingerprint) = fingerprint {
            hook.published(lock.object(), fingerprint);
        }
        drop(inner);
        hook.wait(Step { kind: Kind::Wait, object: self.object(), at }, lock.object());
        lock.acquire_write(at)
    }

    /// Waits while `condition` says so, with a readers-writer lock that is held for writing.
    #[track_caller]
    pub fn wait_writing_while<'a, L: Level, T>(
        &self,
        mut guard: WriteGuard<'a, L, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> WriteGuard<'a, L, T> {
        while condition(&mut guard) {
            guard = self.wait_writing(guard);
        }
        guard
    }

    /// Wakes all who wait.
    #[track_caller]
    pub fn notify_all(&self) {
        let step = Step { kind: Kind::Notify, object: self.object(), at: Location::caller() };
        if hook::with(|hook| hook.step(step)).is_none() {
            *self.notified.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            self.inner.notify_all();
            self.writers.notify_all();
        }
    }
}
