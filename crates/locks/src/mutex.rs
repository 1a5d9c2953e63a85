//! A mutex with a place in the order.

use std::hash::Hash;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::{self, PoisonError, TryLockError};

use crate::hook::{self, Hook, Key, Kind, Object, Step};
use crate::mark;
use crate::order::{After, Held, Level, Unordered};

/// A mutual exclusion lock of level `L` around a `T`.
pub struct Mutex<L, T> {
    inner: sync::Mutex<T>,
    key: Key,
    fingerprint: fn(&T) -> u64,
    level: PhantomData<fn() -> L>,
}

impl<L: Level, T> Mutex<L, T> {
    /// A free mutex; `key` tells it from the others of its level.
    pub fn new(key: impl Into<Key>, value: T) -> Self
    where
        T: Hash,
    {
        let key = key.into();
        hook::created(Object { level: L::NAME, rank: L::RANK, key }, || hook::fingerprint(&value));
        Mutex { inner: sync::Mutex::new(value), key, fingerprint: hook::fingerprint::<T>, level: PhantomData }
    }

    /// The same with a fingerprint of its own, for contents whose `Hash` leaves out what tasks decide by.
    pub fn with_fingerprint(key: impl Into<Key>, value: T, fingerprint: fn(&T) -> u64) -> Self {
        let key = key.into();
        hook::created(Object { level: L::NAME, rank: L::RANK, key }, || fingerprint(&value));
        Mutex { inner: sync::Mutex::new(value), key, fingerprint, level: PhantomData }
    }

    /// The object that its steps name.
    pub fn object(&self) -> Object {
        Object { level: L::NAME, rank: L::RANK, key: self.key }
    }

    /// Takes the lock, waiting for it, where the order allows it.
    #[track_caller]
    #[inline]
    pub fn lock<'a, H>(&'a self, _held: &'a mut Held<'_, H>) -> (Guard<'a, L, T>, Held<'a, L>)
    where
        L: After<H>,
    {
        (self.acquire(Location::caller()), Held::token())
    }

    /// Takes the lock if it is free. The token narrows only on success.
    #[track_caller]
    #[inline]
    pub fn try_lock<'a, H>(&'a self, _held: &'a mut Held<'_, H>) -> Option<(Guard<'a, L, T>, Held<'a, L>)>
    where
        L: After<H>,
    {
        self.try_acquire(Location::caller()).map(|guard| (guard, Held::token()))
    }

    /// Looks at what the lock protects: takes it, asks `look`, and releases it. Of all that was seen only the answer counts
    /// ([`crate::mark`]).
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

    /// Takes the lock, asks `look`, and keeps the lock: what it protects stays as it was seen, and can't be reached any
    /// more. Of all that was seen only the answer counts ([`crate::mark`]).
    #[track_caller]
    #[inline]
    pub fn look_and_keep<'a, H, R: Hash>(
        &'a self,
        _held: &'a mut Held<'_, H>,
        look: impl Fn(&T) -> R,
    ) -> (R, Kept<'a, L, T>, Held<'a, L>)
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
    ) -> (R, Kept<'a, L, T>) {
        token.check();
        self.keep(Location::caller(), look)
    }

    #[inline]
    fn keep<R: Hash>(&self, at: &'static Location<'static>, look: impl Fn(&T) -> R) -> (R, Kept<'_, L, T>) {
        let mark = hook::with(mark::before).flatten();
        let guard = self.acquire(at);
        let answer = look(&guard);
        hook::with(|hook| {
            hook.keeps(self.object());
            mark::after(hook, mark, || hook::fingerprint(&answer));
        });
        (answer, Kept(guard))
    }

    /// Takes the lock of an object that may not be there; the token is the same either way.
    #[track_caller]
    #[inline]
    pub fn lock_opt<'a, H>(
        mutex: Option<&'a Self>,
        _held: &'a mut Held<'_, H>,
    ) -> (Option<Guard<'a, L, T>>, Held<'a, L>)
    where
        L: After<H>,
    {
        let at = Location::caller();
        (mutex.map(|mutex| mutex.acquire(at)), Held::token())
    }

    /// Takes several locks of this level, always in the order of their keys; the guards come in that order.
    ///
    /// # Panics
    /// If one lock is named twice.
    #[track_caller]
    pub fn lock_all<'a, H>(
        mutexes: impl IntoIterator<Item = &'a Self>,
        _held: &'a mut Held<'_, H>,
    ) -> (Vec<Guard<'a, L, T>>, Held<'a, L>)
    where
        L: After<H>,
    {
        let at = Location::caller();
        let mut mutexes: Vec<&Self> = mutexes.into_iter().collect();
        mutexes.sort_by_key(|mutex| mutex.key);
        assert!(mutexes.windows(2).all(|pair| pair[0].key < pair[1].key), "one lock of a level named twice");
        (mutexes.into_iter().map(|mutex| mutex.acquire(at)).collect(), Held::token())
    }

    /// Takes the lock wherever the task stands: for specimens only.
    ///
    /// # Panics
    /// Outside an exploration.
    #[track_caller]
    pub fn lock_unordered<'a>(&'a self, token: &'a Unordered) -> Guard<'a, L, T> {
        token.check();
        self.acquire(Location::caller())
    }

    /// Tries to take the lock wherever the task stands: for specimens only.
    ///
    /// # Panics
    /// Outside an exploration.
    #[track_caller]
    pub fn try_lock_unordered<'a>(&'a self, token: &'a Unordered) -> Option<Guard<'a, L, T>> {
        token.check();
        self.try_acquire(Location::caller())
    }

    /// The value, for whoever owns the mutex alone.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    pub(crate) fn acquire(&self, at: &'static Location<'static>) -> Guard<'_, L, T> {
        let inner = match hook::with(|hook| self.acquire_hooked(hook, at)) {
            None => self.inner.lock().unwrap_or_else(PoisonError::into_inner),
            Some(inner) => inner,
        };
        self.guard(inner)
    }

    // The hooked paths give and take guards of the standard library: two words, which stay in registers. Ours has
    // three, and building it in memory on one path would cost the other path more than the lock itself. They are inlined
    // into what `hook::with` calls where there is a hook, and that never is: one frame to unwind for each suspended task.
    #[inline]
    fn acquire_hooked(&self, hook: &dyn Hook, at: &'static Location<'static>) -> sync::MutexGuard<'_, T> {
        self.wait_hooked(hook, Step { kind: Kind::Lock, object: self.object(), at })
    }

    /// Announces a step that takes the lock, and takes it.
    #[inline]
    fn wait_hooked(&self, hook: &dyn Hook, step: Step) -> sync::MutexGuard<'_, T> {
        hook.step(step);
        let inner = loop {
            match self.try_now() {
                Some(inner) => break inner,
                None => hook.blocked(step),
            }
        };
        if hook.wants_contents() {
            hook.observed(step.object, (self.fingerprint)(&inner));
        }
        inner
    }

    /// Releases the lock, then announces it.
    #[inline]
    fn release_hooked(&self, hook: &dyn Hook, inner: sync::MutexGuard<'_, T>) {
        let object = self.object();
        if hook.wants_contents() {
            hook.published(object, (self.fingerprint)(&inner));
        }
        drop(inner);
        hook.step(Step { kind: Kind::Unlock, object, at: Location::caller() });
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
            (None, Some(look)) => look(&self.inner.lock().unwrap_or_else(PoisonError::into_inner)),
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
        let inner = self.wait_hooked(hook, Step { kind: Kind::Look, object: self.object(), at });
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

    #[inline]
    fn try_acquire(&self, at: &'static Location<'static>) -> Option<Guard<'_, L, T>> {
        let inner = match hook::with(|hook| self.try_acquire_hooked(hook, at)) {
            None => self.try_now(),
            Some(inner) => inner,
        };
        inner.map(|inner| self.guard(inner))
    }

    #[inline]
    fn try_acquire_hooked(
        &self,
        hook: &dyn Hook,
        at: &'static Location<'static>,
    ) -> Option<sync::MutexGuard<'_, T>> {
        let object = self.object();
        if !hook.step(Step { kind: Kind::TryLock, object, at }) {
            return None;
        }
        let inner = self.try_now()?;
        if hook.wants_contents() {
            hook.observed(object, (self.fingerprint)(&inner));
        }
        Some(inner)
    }

    #[inline]
    fn try_now(&self) -> Option<sync::MutexGuard<'_, T>> {
        match self.inner.try_lock() {
            Ok(inner) => Some(inner),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    #[inline]
    fn guard<'a>(&'a self, inner: sync::MutexGuard<'a, T>) -> Guard<'a, L, T> {
        Guard { inner: ManuallyDrop::new(inner), mutex: self }
    }
}

/// The right to the value of a locked [`Mutex`]; dropping it releases the lock.
pub struct Guard<'a, L: Level, T> {
    inner: ManuallyDrop<sync::MutexGuard<'a, T>>,
    mutex: &'a Mutex<L, T>,
}

impl<'a, L: Level, T> Guard<'a, L, T> {
    /// Takes the guard apart without releasing anything, for a wait.
    pub(crate) fn into_parts(self) -> (sync::MutexGuard<'a, T>, &'a Mutex<L, T>) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` was moved in here and is never dropped, so this is the only time that its `inner` is taken.
        (unsafe { ManuallyDrop::take(&mut this.inner) }, this.mutex)
    }

    pub(crate) fn from_parts(inner: sync::MutexGuard<'a, T>, mutex: &'a Mutex<L, T>) -> Self {
        mutex.guard(inner)
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        (self.mutex.fingerprint)(self)
    }
}

/// A locked [`Mutex`] whose value was looked at and can't be reached any more; dropping it releases the lock.
pub struct Kept<'a, L: Level, T>(#[expect(dead_code, reason = "held, not used")] Guard<'a, L, T>);

impl<L: Level, T> Deref for Guard<'_, L, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<L: Level, T> DerefMut for Guard<'_, L, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<L: Level, T> Drop for Guard<'_, L, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this is the only place besides `into_parts` that takes `inner`, and a guard that went through
        // `into_parts` is never dropped. Nothing uses `inner` afterwards: the guard is going away, and what follows
        // (a fingerprint that panics, a hook that suspends the task) has the value that was taken, which is dropped
        // once wherever it ends.
        let inner = unsafe { ManuallyDrop::take(&mut self.inner) };
        // Where there is no hook the closure is dropped, and `inner` with it: that releases the lock.
        hook::with(move |hook| self.mutex.release_hooked(hook, inner));
    }
}
