//! The hook: how a task tells whoever drives it what it is about to do.
//!
//! In production no hook is installed and every operation only looks at a thread-local flag. A driver (an
//! explorer, or a front end that runs operations as tasks on stacks of their own) installs itself with
//! [`install`] or [`install_scoped`] on the thread on which it runs its tasks. Tasks are told apart by the driver:
//! it knows whom it resumed.
//!
//! # What keeps a hook alive
//! A hook is reached through [`with`] only, inside a closure that can't let the reference out. A call of a hook may
//! last long: most drivers suspend the task inside [`Hook::step`] and resume it later, possibly under another
//! `install`, or under none. So `with` holds the hook itself while its closure runs, on the stack of the task:
//!
//! - A hook given to [`install`] is shared: `with` has a counted reference of its own. The driver may drop all of its
//!   own while tasks are suspended; the hook lives until the last of them has been resumed or unwound.
//! - A hook lent to [`install_scoped`] is borrowed, and the borrow ends when `install_scoped` returns. Calls that
//!   last are counted. If one is left at the end, the process is aborted, since nothing else could keep that task
//!   from using the hook later.
//!
//! The hooks of a thread form a list, of which each `install` takes off its own. Tasks may install hooks themselves and
//! suspend inside, so that the ends come in another order than the beginnings.
//! `docs/design/soundness-of-locks.md` says how each of these promises was attacked.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::mem::{self, ManuallyDrop};
use std::panic::Location;
use std::ptr::NonNull;
use std::rc::Rc;

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
    /// Takes a mutex, or an rwlock for reading, for a look at what it protects: nothing is changed and no other step
    /// is taken until the [`Kind::Looked`] that follows. Waits while somebody else may change it.
    Look,
    /// A look has ended.
    Looked,
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

/// What a task had observed at a mark, as its driver keeps it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Observed {
    /// A fingerprint of all that counted there.
    pub counts: u64,
    /// How many checkpoints the task had passed: a later one forgets what was observed before the mark, too.
    pub checkpoints: u32,
    /// How often it was said since what counts.
    pub times: u32,
}

/// Whoever drives the tasks of a thread.
///
/// All calls come from the thread on which the hook was installed, from inside a task. A call may suspend the task
/// that makes it, and calls of other tasks come before it returns then: a hook holds no borrow of its own state over a
/// suspension.
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

    /// What the task has observed so far, which [`Hook::forgets`] may be given later by the same task.
    fn mark(&self) -> Observed {
        Observed::default()
    }

    /// Of all that the task observed since the mark, only `key` counts; see [`crate::mark`].
    fn forgets(&self, _mark: &mut Observed, _key: u64) {}

    /// The task keeps a lock that it holds, and can't reach what it protects any more.
    fn keeps(&self, _object: Object) {}

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

    /// The task announced something; see [`announce`].
    fn announced(&self, _what: &dyn Any) {}

    /// Whether this is an exploration (where specimens may run).
    fn exploring(&self) -> bool;
}

thread_local! {
    /// Whether a hook is installed: all that production looks at.
    static HOOKED: Cell<bool> = const { Cell::new(false) };
    /// The innermost hook, from which the others hang. No code of a user runs while it is borrowed. It is never
    /// dropped, so that it can be used at any time, also while the thread's other data is being destroyed; only a task
    /// that was leaked inside `install` leaves something in it.
    static INNERMOST: RefCell<ManuallyDrop<Option<Rc<Installed>>>> =
        const { RefCell::new(ManuallyDrop::new(None)) };
    #[cfg(debug_assertions)]
    static ROOT: Cell<bool> = const { Cell::new(false) };
}

/// A hook that is installed. Whoever calls the hook holds one of these while the call lasts.
struct Installed {
    hook: NonNull<dyn Hook>,
    /// What keeps `hook` alive, if it is shared; else the guard of `install_scoped` answers for it.
    owner: Option<Rc<dyn Hook>>,
    /// The hook that was there before.
    outer: RefCell<Option<Rc<Installed>>>,
}

impl Installed {
    #[inline]
    fn hook(&self) -> &dyn Hook {
        // SAFETY: if the hook is shared, `owner` has kept it alive and in place since the pointer was taken from it. If
        // it is borrowed, the pointer comes from the reference that `install_scoped` was given, which is valid until
        // that function returns or unwinds; and its `Guard` aborts the process instead of letting it do so while
        // somebody else holds `self`. If that guard is never dropped, because the stack on which it lies is leaked, then
        // the borrow never ends either. The result borrows `self`, so it doesn't outlive what was said. Only shared
        // references are ever made, on the thread that installed the hook (an `Rc` can't be sent), so neither nested
        // calls nor tasks that are suspended inside a call meet a `&mut`.
        unsafe { self.hook.as_ref() }
    }
}

/// Takes a hook off the thread's list, wherever on it it hangs by then.
struct Guard(Rc<Installed>);

impl Guard {
    fn install(hook: NonNull<dyn Hook>, owner: Option<Rc<dyn Hook>>) -> Self {
        let installed = Rc::new(Installed { hook, owner, outer: RefCell::new(None) });
        INNERMOST.with_borrow_mut(|innermost| {
            let outer = innermost.replace(installed.clone());
            *installed.outer.borrow_mut() = outer;
        });
        HOOKED.set(true);
        Guard(installed)
    }

    /// Gives back what the list held, to be dropped where nothing is borrowed.
    fn unlink(&self) -> Option<Rc<Installed>> {
        let outer = self.0.outer.take();
        INNERMOST.with_borrow_mut(|innermost| {
            let mut inner = (**innermost).clone()?;
            if Rc::ptr_eq(&inner, &self.0) {
                HOOKED.set(outer.is_some());
                return mem::replace(&mut **innermost, outer);
            }
            loop {
                let next = inner.outer.borrow().clone()?;
                if Rc::ptr_eq(&next, &self.0) {
                    return inner.outer.replace(outer);
                }
                inner = next;
            }
        })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.unlink());
        if self.0.owner.is_none() && Rc::strong_count(&self.0) > 1 {
            let _ = writeln!(
                std::io::stderr(),
                "`install_scoped` returns while a task is suspended inside a call of the hook, which is only borrowed: \
                 unwind the tasks before, or share the hook by `install`"
            );
            std::process::abort();
        }
    }
}

/// Installs `hook` for this thread while `f` runs.
///
/// Tasks may still be suspended inside a call of the hook when `f` returns; they share its ownership. A task that is
/// suspended inside `f` leaves the hook installed for whoever runs on this thread meanwhile.
pub fn install<R>(hook: Rc<dyn Hook>, f: impl FnOnce() -> R) -> R {
    let _guard = Guard::install(NonNull::from(&*hook), Some(hook));
    f()
}

/// Installs `hook`, which is only borrowed, for this thread while `f` runs.
///
/// # Aborts
/// If a task is suspended inside a call of the hook when `f` returns or unwinds: the borrow of the hook ends then, and
/// the task would go on with it. Whoever lends a hook keeps the tasks inside `f` and unwinds them there.
pub fn install_scoped<R>(hook: &dyn Hook, f: impl FnOnce() -> R) -> R {
    // SAFETY: only the lifetime in the pointer's type is changed, the pointer is not followed here. Where it is
    // followed (`Installed::hook`), `_guard` has made sure that this function has not returned.
    let hook = unsafe { mem::transmute::<NonNull<dyn Hook + '_>, NonNull<dyn Hook>>(NonNull::from(hook)) };
    let _guard = Guard::install(hook, None);
    f()
}

/// Calls `f` with the innermost hook of the thread and returns its result, or `None` if no hook is installed.
///
/// The reference can't leave the closure:
///
/// ```compile_fail
/// let kept = locks::hook::with(|hook| hook);
/// ```
///
/// The task may be suspended inside `f`, in any call of the hook; the hook lives until `f` has returned or was unwound.
/// `f` may call `with` and install further hooks. In production this is one look at a thread-local flag.
#[inline]
pub fn with<R>(f: impl FnOnce(&dyn Hook) -> R) -> Option<R> {
    if HOOKED.get() { with_innermost(f) } else { None }
}

#[cold]
#[inline(never)]
fn with_innermost<R>(f: impl FnOnce(&dyn Hook) -> R) -> Option<R> {
    let installed = INNERMOST.with_borrow(|innermost| (**innermost).clone())?;
    Some(f(installed.hook()))
}

/// Whether the current thread runs an exploration.
#[must_use]
pub fn exploring() -> bool {
    with(|hook| hook.exploring()) == Some(true)
}

/// Tells an explorer that the task's local state is a function of `key` alone from here on; nothing in production.
///
/// States that differ in what the task observed before are then one state, which is what keeps a loop small. `key`
/// must tell apart all from which the task goes on differently: the place, local variables, and what it changed
/// under guards that it still holds. (What it holds and has not changed is known to the explorer.)
#[inline]
pub fn checkpoint(key: u64) {
    with(|hook| hook.checkpoint(key));
}

/// Says, for whoever reads a trace, what the task made of the step that it took last; nothing in production, and
/// never a step.
#[inline]
pub fn note(text: impl FnOnce() -> String) {
    with(|hook| {
        if hook.wants_notes() {
            hook.note(text());
        }
    });
}

/// Announces something that only explorations want to know ("the mask is stored, bindings follow"); nothing in
/// production, where `what` is not called, and never a step by itself.
///
/// The type says what it is: whoever listens downcasts. The announcement happens at this place of the task, between
/// the step before and the one after. A listener may take steps of its own, so announce only where the task could take
/// a lock.
#[inline]
pub fn announce<T: Any>(what: impl FnOnce() -> T) {
    with(|hook| hook.announced(&what()));
}

/// Tells an explorer of an object that was just made; nothing in production.
pub(crate) fn created(object: Object, fingerprint: impl FnOnce() -> u64) {
    with(|hook| {
        if hook.wants_contents() {
            hook.published(object, fingerprint());
        }
    });
}

const TWO_ROOTS: &str = "a task has one root token: `enter` inside `enter`";

/// The claim of a task on its one root token.
pub(crate) struct Root;

impl Root {
    #[inline]
    pub(crate) fn claim() -> Root {
        match with(|hook| hook.claim_root()) {
            Some(free) => assert!(free, "{TWO_ROOTS}"),
            None => {
                #[cfg(debug_assertions)]
                assert!(!ROOT.replace(true), "{TWO_ROOTS}");
            }
        }
        Root
    }
}

impl Drop for Root {
    #[inline]
    fn drop(&mut self) {
        if with(|hook| hook.release_root()).is_none() {
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
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word) ^ 8 << 56);
        }
        if !rest.is_empty() {
            let word = rest.iter().rfold(0, |word, &byte| word << 8 | u64::from(byte));
            self.mix(word ^ (rest.len() as u64) << 56);
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
