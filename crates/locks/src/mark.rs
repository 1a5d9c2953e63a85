//! Only what was used counts: how a task says what it made of what it observed.
//!
//! An explorer tells a task's states apart by all that the task observed: whatever it saw under a lock may decide what
//! it does later. Most code looks at much and uses little, so most of these states differ in nothing. Three ways to say
//! so, none of which is a step of its own and all of which cost nothing in production:
//!
//! - a *look* ([`Mutex::look`](crate::Mutex::look), [`RwLock::look`](crate::RwLock::look)): the closure sees the
//!   contents and returns an answer; only the answer counts. No token reaches the closure, so it takes no lock, and it
//!   can't change what it sees.
//! - a *look that keeps the lock* ([`Mutex::look_and_keep`](crate::Mutex::look_and_keep)): the contents stay as they
//!   were seen, and can't be reached any more.
//! - a *mark* ([`marked`]): of what was observed since the mark, only what [`Mark::only`] names counts.
//!
//! # The promise
//! Whatever the task does later depends on the answer, or the key, and on what it had observed before. Where more is
//! used after all (a closure that keeps something for itself, an answer whose `Hash` leaves something out, a key without
//! a local variable) the explorer takes two different states for one. Its audit finds that, and says where. What needs
//! no word: locks that were taken since the mark and are still held count with the contents with which they were taken.
//! What the task changed under them since belongs in the key.

use std::hash::Hash;
use std::marker::PhantomData;
use std::panic::Location;

use crate::hook::{self, Hook, Kind, Object, Observed, Step};

/// A place in a task from which on only what is named counts; see [`marked`].
///
/// It can't leave the closure that it was made for, and it belongs to one task.
pub struct Mark<'m> {
    /// What had been observed there, inside an exploration that wants to know.
    at: Option<Observed>,
    scope: PhantomData<Scope<'m>>,
}

/// Invariant, so that no other lifetime does; and not to be sent.
type Scope<'m> = (fn(&'m ()) -> &'m (), *const ());

impl Mark<'_> {
    /// Of all that the task observed since the mark, only `key` counts: it must tell apart all from which the task goes
    /// on differently, and what it changed under guards that it still holds. Locks that are held count with the contents
    /// with which they were taken.
    ///
    /// Each call counts by itself, so a loop that says the same each time does not come back to a state that it was
    /// in (that is what [`checkpoint`](hook::checkpoint) is for).
    #[inline]
    pub fn only<K: Hash>(&mut self, key: impl FnOnce() -> K) {
        if let Some(at) = &mut self.at {
            let key = hook::fingerprint(&key());
            hook::with(|hook| hook.forgets(at, key));
        }
    }
}

/// Runs `f` with a mark at the task's present place; nothing in production.
///
/// ```
/// locks::hierarchy! { mod order { List => Item } }
/// let list = locks::Mutex::<order::List, _>::new(0, vec![1, 2, 3]);
/// let items = [0, 1, 2].map(|key: u32| locks::Mutex::<order::Item, u32>::new(key, 0));
/// locks::enter(|held| {
///     let todo = list.look(held, Clone::clone);
///     locks::marked(|mark| {
///         for (index, add) in todo.iter().enumerate() {
///             // What the earlier items held is not looked at any more.
///             mark.only(|| (index, &todo));
///             *items[index].lock(held).0 += add;
///         }
///     });
/// });
/// ```
///
/// The mark can't leave:
///
/// ```compile_fail,E0521
/// let mut kept = None;
/// locks::marked(|mark| kept = Some(mark));
/// ```
#[inline]
pub fn marked<R>(f: impl for<'m> FnOnce(&mut Mark<'m>) -> R) -> R {
    let at = hook::with(|hook| hook.wants_contents().then(|| hook.mark())).flatten();
    f(&mut Mark { at, scope: PhantomData })
}

/// Runs `f`, of whose observations only the result counts.
#[inline]
pub fn only<R: Hash>(f: impl FnOnce() -> R) -> R {
    only_by(f, |result| hook::fingerprint(result))
}

/// The same for a result whose `Hash` leaves out what the task decides by; `key` is a fingerprint of all of it.
#[inline]
pub fn only_by<R>(f: impl FnOnce() -> R, key: impl FnOnce(&R) -> u64) -> R {
    match hook::with(|hook| hook.wants_contents().then(|| hook.mark())).flatten() {
        None => f(),
        Some(mut mark) => {
            let result = f();
            let key = key(&result);
            hook::with(|hook| hook.forgets(&mut mark, key));
            result
        }
    }
}

/// Where a look begins: what had been observed before, if anybody wants to know.
#[inline]
pub(crate) fn before(hook: &dyn Hook) -> Option<Observed> {
    hook.wants_contents().then(|| hook.mark())
}

/// A look that has not ended; it ends when this is dropped, also by a panic.
pub(crate) struct Looking<'h> {
    pub hook: &'h dyn Hook,
    pub object: Object,
    pub at: &'static Location<'static>,
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.hook.step(Step { kind: Kind::Looked, object: self.object, at: self.at });
    }
}

/// What was seen is replaced by the answer.
#[inline]
pub(crate) fn after(hook: &dyn Hook, mark: Option<Observed>, key: impl FnOnce() -> u64) {
    if let Some(mut mark) = mark {
        hook.forgets(&mut mark, key());
    }
}
