//! The hook: how a task tells whoever drives it what it is about to do.
//!
//! In production no hook is installed and every operation only looks at a thread-local pointer. A driver (an
//! explorer, or a front end that runs operations as tasks on stacks of their own) installs itself with
//! [`install`] on the thread on which it runs its tasks. Tasks are told apart by the driver: it knows whom it
//! resumed.

use std::cell::Cell;
use std::panic::Location;
use std::ptr::NonNull;

/// What a lock of a level is the lock *of*: stable across executions, whatever order objects are made in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The object's number among those of its level (an APQN, a slot, 0 for the only one).
    pub id: u32,
    /// Which object of that number: counts up when a number is used again.
    pub generation: u32,
}

impl From<u32> for Key {
    fn from(id: u32) -> Self {
        Key { id, generation: 0 }
    }
}

/// An object that steps are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Object {
    /// The level's name (or the name given to a tracked or ghost object).
    pub level: &'static str,
    /// The level's rank, `u16::MAX` where there is none.
    pub rank: u16,
    /// Which one.
    pub key: Key,
}

/// The kinds of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Takes a mutex, or an rwlock for writing; waits until it is free.
    Lock,
    /// Tries to take a mutex, or an rwlock for writing.
    TryLock,
    /// Releases a mutex or a write lock.
    Unlock,
    /// Takes an rwlock for reading; waits while a writer has it.
    ReadLock,
    /// Tries to take an rwlock for reading.
    TryReadLock,
    /// Releases a read lock.
    ReadUnlock,
    /// Waits on a condition variable; the mutex was released by the [`Kind::Unlock`] before in one step with it.
    Wait,
    /// Wakes the tasks that wait.
    Notify,
    /// Reads tracked data.
    Read,
    /// Writes tracked data.
    Write,
    /// Frees tracked data: nobody may touch it afterwards.
    Free,
    /// Updates what an oracle looks at.
    Ghost,
    /// Sleeps until a time (milliseconds).
    Sleep(u64),
}

/// A step that a task announces before it takes it.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What.
    pub kind: Kind,
    /// On what.
    pub object: Object,
    /// Where in the source.
    pub at: &'static Location<'static>,
}

/// Whoever drives the tasks of a thread.
///
/// All calls come from the thread on which the hook was installed, from inside a task.
pub trait Hook {
    /// Announces a step; returns when the task may take it. For a try-lock the answer says whether it succeeds
    /// (`true`: it will), for all others the answer is `true`.
    fn step(&self, step: Step) -> bool;

    /// A blocking acquire found the object taken after all (a driver that doesn't track holders): returns when it
    /// is worth trying again. An explorer that grants only what is free is never asked.
    fn blocked(&self, step: Step);

    /// A mutex is released and the task waits on `condvar`, in one step; returns when it was notified and the
    /// caller may take the mutex again (which is announced by itself).
    fn wait(&self, condvar: Step, mutex: Object);

    /// Whether [`Hook::observed`] and [`Hook::published`] are wanted.
    fn wants_contents(&self) -> bool {
        false
    }

    /// The task acquired the object, whose contents have this fingerprint.
    fn observed(&self, _object: Object, _fingerprint: u64) {}

    /// The task made the object, or is about to release it; its contents have this fingerprint.
    fn published(&self, _object: Object, _fingerprint: u64) {}

    /// The task's local state from here on is a function of `key` alone; see [`checkpoint`].
    fn checkpoint(&self, _key: u64) {}

    /// The task's local state is a function of that at its last checkpoint and of `key`; see [`milestone`].
    fn milestone(&self, _key: u64) {}

    /// Whether [`Hook::note`] is wanted.
    fn wants_notes(&self) -> bool {
        false
    }

    /// What the task says of the step that it took last; see [`note`].
    fn note(&self, _text: String) {}

    /// A violation that an oracle found.
    fn violation(&self, verdict: &'static str, what: String);

    /// Claims the task's root token; `false` if the task has one already.
    fn claim_root(&self) -> bool;

    /// Gives the root token back.
    fn release_root(&self);

    /// Whether this is an exploration (where specimens may run).
    fn exploring(&self) -> bool;
}

thread_local! {
    static HOOK: Cell<Option<NonNull<dyn Hook>>> = const { Cell::new(None) };
    #[cfg(debug_assertions)]
    static ROOT: Cell<bool> = const { Cell::new(false) };
}

/// Installs `hook` for this thread while `f` runs.
pub fn install<R>(hook: &dyn Hook, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<NonNull<dyn Hook>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            HOOK.set(self.0);
        }
    }
    // SAFETY: only the lifetime is erased. The pointer is removed again, also by a panic, before `hook`'s borrow
    // ends, and it never leaves this thread.
    let erased =
        unsafe { std::mem::transmute::<NonNull<dyn Hook + '_>, NonNull<dyn Hook>>(NonNull::from(hook)) };
    let _restore = Restore(HOOK.replace(Some(erased)));
    f()
}

/// The thread's hook, if one is installed.
#[inline]
pub fn current<'a>() -> Option<&'a dyn Hook> {
    // SAFETY: `install` keeps the hook alive as long as the pointer is there; every use is inside a task that runs
    // inside `install`.
    HOOK.get().map(|hook| unsafe { hook.as_ref() })
}

/// Whether the current thread runs an exploration.
#[must_use]
pub fn exploring() -> bool {
    current().is_some_and(Hook::exploring)
}

/// Tells an explorer that the task's local state is a function of `key` alone from here on; nothing in production.
///
/// States that differ in what the task observed before are then one state, which is what keeps a loop small. `key`
/// must tell apart all from which the task goes on differently: the place, local variables, and what it changed
/// under guards that it still holds. (What it holds and has not changed is known to the explorer.)
#[inline]
pub fn checkpoint(key: u64) {
    if let Some(hook) = current() {
        hook.checkpoint(key);
    }
}

/// Says, for whoever reads a trace, what the task made of the step that it took last; nothing in production, and
/// never a step.
#[inline]
pub fn note(text: impl FnOnce() -> String) {
    if let Some(hook) = current()
        && hook.wants_notes()
    {
        hook.note(text());
    }
}

/// Tells an explorer that the task's local state is a function of what it was at its last [`checkpoint`] (or at its
/// beginning) and of `key()`; nothing in production.
///
/// It is the checkpoint of code that does not know where it was called from: what was observed since the last
/// checkpoint, and is not in the key, no longer counts.
#[inline]
pub fn milestone(key: impl FnOnce() -> u64) {
    if let Some(hook) = current()
        && hook.wants_contents()
    {
        hook.milestone(key());
    }
}

/// Tells an explorer of an object that was just made; nothing in production.
pub(crate) fn created(object: Object, fingerprint: impl FnOnce() -> u64) {
    if let Some(hook) = current()
        && hook.wants_contents()
    {
        hook.published(object, fingerprint());
    }
}

/// The claim of a task on its one root token.
pub(crate) struct Root;

impl Root {
    #[inline]
    pub(crate) fn claim() -> Root {
        if let Some(hook) = current() {
            assert!(hook.claim_root(), "a task has one root token: `enter` inside `enter`");
        } else {
            #[cfg(debug_assertions)]
            assert!(!ROOT.replace(true), "a task has one root token: `enter` inside `enter`");
        }
        Root
    }
}

impl Drop for Root {
    #[inline]
    fn drop(&mut self) {
        if let Some(hook) = current() {
            hook.release_root();
        } else {
            #[cfg(debug_assertions)]
            ROOT.set(false);
        }
    }
}

/// The fingerprint of a value: the same in every execution of one program.
pub fn fingerprint<T: std::hash::Hash + ?Sized>(value: &T) -> u64 {
    use std::hash::Hasher;
    let mut hasher = Fingerprint(0x243F_6A88_85A3_08D3);
    value.hash(&mut hasher);
    hasher.finish()
}

/// A fast 64-bit hasher without a seed; not for hash tables that strangers fill.
pub struct Fingerprint(u64);

impl Fingerprint {
    #[inline]
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        self.0 = (product as u64) ^ ((product >> 64) as u64).rotate_left(23);
    }
}

impl std::hash::Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        let mut x = self.0;
        x ^= x >> 32;
        x = x.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        x ^ (x >> 32)
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word) ^ ((chunk.len() as u64) << 56));
        }
    }
    #[inline]
    fn write_u8(&mut self, i: u8) {
        self.mix(u64::from(i));
    }
    #[inline]
    fn write_u16(&mut self, i: u16) {
        self.mix(u64::from(i));
    }
    #[inline]
    fn write_u32(&mut self, i: u32) {
        self.mix(u64::from(i));
    }
    #[inline]
    fn write_u64(&mut self, i: u64) {
        self.mix(i);
    }
    #[inline]
    fn write_usize(&mut self, i: usize) {
        self.mix(i as u64);
    }
}
