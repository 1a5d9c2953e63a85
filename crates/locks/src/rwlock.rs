//! A readers-writer lock with a place in the order.

use std::hash::Hash;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::{self, PoisonError, TryLockError};

use crate::hook::{self, Hook, Key, Kind, Object, Step};
use crate::mark;
use crate::order::{After, Held, Level, Unordered};

/// A lock of level `L` that many may hold for reading, or one for writing.
pub struct RwLock<L, T> {
    inner: sync::RwLock<T>,
    key: Key,
    fingerprint: fn(&T) -> u64,
    level: PhantomData<fn() -> L>,
}

impl<L: Level, T> RwLock<L, T> {
    /// A free lock; `key` tells it from the others of its level.
    pub fn new(key: impl Into<Key>, value: T) -> Self
    where
        T: Hash,
    {
        let key = key.into();
        hook::created(Object { level: L::NAME, rank: L::RANK, key }, || hook::fingerprint(&value));
        RwLock {
            inner: sync::RwLock::new(value),
            key,
            fingerprint: hook::fingerprint::<T>,
            level: PhantomData,
        }
    }

    /// The same with a fingerprint of its own, for contents whose `Hash` leaves out what tasks decide by.
    pub fn with_fingerprint(key: impl Into<Key>, value: T, fingerprint: fn(&T) -> u64) -> Self {
        let key = key.into();
        hook::created(Object { level: L::NAME, rank: L::RANK, key }, || fingerprint(&value));
        RwLock { inner: sync::RwLock::new(value), key, fingerprint, level: PhantomData }
    }

    /// The object that its steps name.
    pub fn object(&self) -> Object {
        Object { level: L::NAME, rank: L::RANK, key: self.key }
    }

    /// Takes the lock for reading, waiting while a writer has it.
    #[track_caller]
    #[inline]
    pub fn read<'a, H>(&'a self, _held: &'a mut Held<'_, H>) -> (ReadGuard<'a, L, T>, Held<'a, L>)
    where
        L: After<H>,
    {
        (self.acquire_read(Location::caller()), Held::token())
    }

    /// Looks at what the lock protects: takes it for reading, asks `look`, and releases it. Of all that was seen only the
    /// answer counts ([`crate::mark`]).
    #[track_caller]
    #[inline]
    pub fn look<H, R: Hash>(&self, _held: &mut Held<'_, H>, look: impl Fn(&T) -> R) -> R
    where
        L: After<H>,
    {
        self.looks(Location::caller(), look, |answer| hook::fingerprint(answer))
    }

    /// The same for an answer whose `Hash` leaves out what the task decides by; `key` is a fingerprint of all of it.
    #[track_caller]
    #[inline]
    pub fn look_by<H, R>(
        &self,
        _held: &mut Held<'_, H>,
        look: impl Fn(&T) -> R,
        key: impl FnOnce(&R) -> u64,
    ) -> R
    where
        L: After<H>,
    {
        self.looks(Location::caller(), look, key)
    }

    /// Looks at what the lock protects wherever the task stands: for specimens only.
    ///
    /// # Panics
    /// Outside an exploration.
    #[track_caller]
    pub fn look_unordered<R: Hash>(&self, token: &Unordered, look: impl Fn(&T) -> R) -> R {
        token.check();
        self.looks(Location::caller(), look, |answer| hook::fingerprint(answer))
    }

    /// Takes the lock for reading, asks `look`, and keeps the lock: what it protects stays as it was seen, and can't be
    /// reached any more. Of all that was seen only the answer counts ([`crate::mark`]).
    #[track_caller]
    #[inline]
    pub fn look_and_keep<'a, H, R: Hash>(
        &'a self,
        _held: &'a mut Held<'_, H>,
        look: impl Fn(&T) -> R,
    ) -> (R, KeptRead<'a, L, T>, Held<'a, L>)
    where
        L: After<H>,
    {
        let (answer, kept) = self.keep(Location::caller(), look);
        (answer, kept, Held::token())
    }

    /// The same wherever the task stands: for specimens only.
    ///
    /// # Panics
    /// Outside an exploration.
    #[track_caller]
    pub fn look_and_keep_unordered<'a, R: Hash>(
        &'a self,
        token: &'a Unordered,
        look: impl Fn(&T) -> R,
    ) -> (R, KeptRead<'a, L, T>) {
        token.check();
        self.keep(Location::caller(), look)
    }

    #[inline]
    fn keep<R: Hash>(
        &self,
        at: &'static Location<'static>,
        look: impl Fn(&T) -> R,
    ) -> (R, KeptRead<'_, L, T>) {
        let mark = hook::with(mark::before).flatten();
        let guard = self.acquire_read(at);
        let answer = look(&guard);
        hook::with(|hook| {
            hook.keeps(self.object());
            mark::after(hook, mark, || hook::fingerprint(&answer));
        });
        (answer, KeptRead(guard))
    }

    /// Takes the lock for writing, waiting for it.
    #[track_caller]
    #[inline]
    pub fn write<'a, H>(&'a self, _held: &'a mut Held<'_, H>) -> (WriteGuard<'a, L, T>, Held<'a, L>)
    where
        L: After<H>,
    {
        (self.acquire_write(Location::caller()), Held::token())
    }

    /// Takes the lock for reading if no writer has it.
    #[track_caller]
    pub fn try_read<'a, H>(&'a self, _held: &'a mut Held<'_, H>) -> Option<(ReadGuard<'a, L, T>, Held<'a, L>)>
    where
        L: After<H>,
    {
        self.try_acquire_read(Location::caller()).map(|guard| (guard, Held::token()))
    }

    /// Takes the lock for writing if nobody has it.
    #[track_caller]
    pub fn try_write<'a, H>(
        &'a self,
        _held: &'a mut Held<'_, H>,
    ) -> Option<(WriteGuard<'a, L, T>, Held<'a, L>)>
    where
        L: After<H>,
    {
        self.try_acquire_write(Location::caller()).map(|guard| (guard, Held::token()))
    }

    /// Takes the write lock of an object that may not be there.
    #[track_caller]
    pub fn write_opt<'a, H>(
        lock: Option<&'a Self>,
        _held: &'a mut Held<'_, H>,
    ) -> (Option<WriteGuard<'a, L, T>>, Held<'a, L>)
    where
        L: After<H>,
    {
        let at = Location::caller();
        (lock.map(|lock| lock.acquire_write(at)), Held::token())
    }

    /// Takes the lock for reading wherever the task stands: for specimens only.
    ///
    /// # Panics
    /// Outside an exploration.
    #[track_caller]
    pub fn read_unordered<'a>(&'a self, token: &'a Unordered) -> ReadGuard<'a, L, T> {
        token.check();
        self.acquire_read(Location::caller())
    }

    /// Takes the lock for writing wherever the task stands: for specimens only.
    ///
    /// # Panics
    /// Outside an exploration.
    #[track_caller]
    pub fn write_unordered<'a>(&'a self, token: &'a Unordered) -> WriteGuard<'a, L, T> {
        token.check();
        self.acquire_write(Location::caller())
    }

    /// Tries to take the lock for reading wherever the task stands: for specimens only.
    ///
    /// # Panics
    /// Outside an exploration.
    #[track_caller]
    pub fn try_read_unordered<'a>(&'a self, token: &'a Unordered) -> Option<ReadGuard<'a, L, T>> {
        token.check();
        self.try_acquire_read(Location::caller())
    }

    /// Tries to take the lock for writing wherever the task stands: for specimens only.
    ///
    /// # Panics
    /// Outside an exploration.
    #[track_caller]
    pub fn try_write_unordered<'a>(&'a self, token: &'a Unordered) -> Option<WriteGuard<'a, L, T>> {
        token.check();
        self.try_acquire_write(Location::caller())
    }

    /// The value, for whoever owns the lock alone.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn acquire_read(&self, at: &'static Location<'static>) -> ReadGuard<'_, L, T> {
        let inner = match hook::with(|hook| self.acquire_read_hooked(hook, at)) {
            None => self.inner.read().unwrap_or_else(PoisonError::into_inner),
            Some(inner) => inner,
        };
        self.read_guard(inner)
    }

    // As in `mutex.rs`, the hooked paths give and take the guards of the standard library.
    #[inline]
    fn acquire_read_hooked(
        &self,
        hook: &dyn Hook,
        at: &'static Location<'static>,
    ) -> sync::RwLockReadGuard<'_, T> {
        self.wait_read_hooked(hook, Step { kind: Kind::ReadLock, object: self.object(), at })
    }

    #[inline]
    fn looks<R>(
        &self,
        at: &'static Location<'static>,
        look: impl Fn(&T) -> R,
        key: impl FnOnce(&R) -> u64,
    ) -> R {
        let (mut look, mut key) = (Some(look), Some(key));
        let hooked = hook::with(|hook| {
            let (look, key) = (look.take().expect("taken once"), key.take().expect("taken once"));
            self.looks_hooked(hook, at, look, key)
        });
        match (hooked, look) {
            (Some(answer), _) => answer,
            (None, Some(look)) => look(&self.inner.read().unwrap_or_else(PoisonError::into_inner)),
            (None, None) => unreachable!("a hook that was called has answered"),
        }
    }

    #[inline]
    fn looks_hooked<R>(
        &self,
        hook: &dyn Hook,
        at: &'static Location<'static>,
        look: impl Fn(&T) -> R,
        key: impl FnOnce(&R) -> u64,
    ) -> R {
        let mark = mark::before(hook);
        let inner = self.wait_read_hooked(hook, Step { kind: Kind::Look, object: self.object(), at });
        let looking = mark::Looking { hook, object: self.object(), at };
        let answer = look(&inner);
        // What a look says that it does is relied on: that it changes nothing is seen to where an audit is made, too.
        if cfg!(debug_assertions) && hook.wants_contents() {
            hook.observed(self.object(), (self.fingerprint)(&inner));
        }
        drop(inner);
        drop(looking);
        mark::after(hook, mark, || key(&answer));
        answer
    }

    /// Announces a step that takes the lock for reading, and takes it.
    #[inline]
    fn wait_read_hooked(&self, hook: &dyn Hook, step: Step) -> sync::RwLockReadGuard<'_, T> {
        hook.step(step);
        let inner = loop {
            match self.try_read_now() {
                Some(inner) => break inner,
                None => hook.blocked(step),
            }
        };
        if hook.wants_contents() {
            hook.observed(step.object, (self.fingerprint)(&inner));
        }
        inner
    }

    #[inline]
    pub(crate) fn acquire_write(&self, at: &'static Location<'static>) -> WriteGuard<'_, L, T> {
        let inner = match hook::with(|hook| self.acquire_write_hooked(hook, at)) {
            None => self.inner.write().unwrap_or_else(PoisonError::into_inner),
            Some(inner) => inner,
        };
        self.write_guard(inner)
    }

    #[inline]
    fn acquire_write_hooked(
        &self,
        hook: &dyn Hook,
        at: &'static Location<'static>,
    ) -> sync::RwLockWriteGuard<'_, T> {
        let step = Step { kind: Kind::Lock, object: self.object(), at };
        hook.step(step);
        let inner = loop {
            match self.try_write_now() {
                Some(inner) => break inner,
                None => hook.blocked(step),
            }
        };
        if hook.wants_contents() {
            hook.observed(step.object, (self.fingerprint)(&inner));
        }
        inner
    }

    fn try_acquire_read(&self, at: &'static Location<'static>) -> Option<ReadGuard<'_, L, T>> {
        let inner = match hook::with(|hook| self.try_acquire_read_hooked(hook, at)) {
            None => self.try_read_now(),
            Some(inner) => inner,
        };
        inner.map(|inner| self.read_guard(inner))
    }

    #[inline]
    fn try_acquire_read_hooked(
        &self,
        hook: &dyn Hook,
        at: &'static Location<'static>,
    ) -> Option<sync::RwLockReadGuard<'_, T>> {
        let object = self.object();
        if !hook.step(Step { kind: Kind::TryReadLock, object, at }) {
            return None;
        }
        let inner = self.try_read_now()?;
        if hook.wants_contents() {
            hook.observed(object, (self.fingerprint)(&inner));
        }
        Some(inner)
    }

    fn try_acquire_write(&self, at: &'static Location<'static>) -> Option<WriteGuard<'_, L, T>> {
        let inner = match hook::with(|hook| self.try_acquire_write_hooked(hook, at)) {
            None => self.try_write_now(),
            Some(inner) => inner,
        };
        inner.map(|inner| self.write_guard(inner))
    }

    #[inline]
    fn try_acquire_write_hooked(
        &self,
        hook: &dyn Hook,
        at: &'static Location<'static>,
    ) -> Option<sync::RwLockWriteGuard<'_, T>> {
        let object = self.object();
        if !hook.step(Step { kind: Kind::TryLock, object, at }) {
            return None;
        }
        let inner = self.try_write_now()?;
        if hook.wants_contents() {
            hook.observed(object, (self.fingerprint)(&inner));
        }
        Some(inner)
    }

    #[inline]
    fn try_read_now(&self) -> Option<sync::RwLockReadGuard<'_, T>> {
        match self.inner.try_read() {
            Ok(inner) => Some(inner),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    #[inline]
    fn try_write_now(&self) -> Option<sync::RwLockWriteGuard<'_, T>> {
        match self.inner.try_write() {
            Ok(inner) => Some(inner),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Announces that a reader released the lock.
    #[inline]
    fn released_read_hooked(&self, hook: &dyn Hook) {
        hook.step(Step { kind: Kind::ReadUnlock, object: self.object(), at: Location::caller() });
    }

    /// Releases the lock that was held for writing, then announces it.
    #[inline]
    fn release_hooked(&self, hook: &dyn Hook, inner: sync::RwLockWriteGuard<'_, T>) {
        let object = self.object();
        if hook.wants_contents() {
            hook.published(object, (self.fingerprint)(&inner));
        }
        drop(inner);
        hook.step(Step { kind: Kind::Unlock, object, at: Location::caller() });
    }

    #[inline]
    fn read_guard<'a>(&'a self, inner: sync::RwLockReadGuard<'a, T>) -> ReadGuard<'a, L, T> {
        ReadGuard { inner: ManuallyDrop::new(inner), lock: self }
    }

    #[inline]
    fn write_guard<'a>(&'a self, inner: sync::RwLockWriteGuard<'a, T>) -> WriteGuard<'a, L, T> {
        WriteGuard { inner: ManuallyDrop::new(inner), lock: self }
    }
}

/// An [`RwLock`] that is held for reading, whose value was looked at and can't be reached any more; dropping it releases
/// the lock.
pub struct KeptRead<'a, L: Level, T>(#[expect(dead_code, reason = "held, not used")] ReadGuard<'a, L, T>);

/// The right to read the value of an [`RwLock`].
pub struct ReadGuard<'a, L: Level, T> {
    inner: ManuallyDrop<sync::RwLockReadGuard<'a, T>>,
    lock: &'a RwLock<L, T>,
}

impl<L: Level, T> Deref for ReadGuard<'_, L, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<L: Level, T> Drop for ReadGuard<'_, L, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this is the only place that drops `inner`, and the guard is going away, so it happens once. What
        // follows uses the lock only, also if the hook suspends the task or panics.
        unsafe { ManuallyDrop::drop(&mut self.inner) };
        hook::with(|hook| self.lock.released_read_hooked(hook));
    }
}

/// The right to the value of an [`RwLock`].
pub struct WriteGuard<'a, L: Level, T> {
    inner: ManuallyDrop<sync::RwLockWriteGuard<'a, T>>,
    lock: &'a RwLock<L, T>,
}

impl<'a, L: Level, T> WriteGuard<'a, L, T> {
    /// Takes the guard apart without releasing anything, for a wait.
    pub(crate) fn into_parts(self) -> (sync::RwLockWriteGuard<'a, T>, &'a RwLock<L, T>) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` was moved in here and is never dropped, so this is the only time that its `inner` is taken.
        (unsafe { ManuallyDrop::take(&mut this.inner) }, this.lock)
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        (self.lock.fingerprint)(self)
    }
}

impl<L: Level, T> Deref for WriteGuard<'_, L, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<L: Level, T> DerefMut for WriteGuard<'_, L, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<L: Level, T> Drop for WriteGuard<'_, L, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this is the only place besides `into_parts` that takes `inner`, and a guard that went through
        // `into_parts` is never dropped; this guard is going away, so it happens once. What follows (a fingerprint that panics, a hook that suspends the task) has the value that was taken, which is
        // dropped once wherever it ends.
        let inner = unsafe { ManuallyDrop::take(&mut self.inner) };
        // Where there is no hook the closure is dropped, and `inner` with it: that releases the lock.
        hook::with(move |hook| self.lock.release_hooked(hook, inner));
    }
}
