//! What steps do to objects that more than one task uses: the sets by which it is told whether steps depend on each
//! other.
//!
//! A [`Row`] says which objects are changed and which are looked at. Two steps whose rows don't [`conflict`] can be taken in
//! either order: they lead to the same state, each observes the same, and neither keeps the other from being taken. A
//! row may say more than is so, never less:
//!
//! - Taking a lock changes it; taking it for reading, or for a look, looks at it. So two that take one lock for reading
//!   don't depend on each other, all others do.
//! - Letting a lock go is nothing that anybody could do before: who waits for it can't go on meanwhile. (Only where
//!   somebody *tries* it can held be told from free: there it is a change.)
//! - Waiting for a condition changes it, and notifying looks at it: two that notify don't depend on each other.
//! - That a section changes nothing is never concluded from what was seen: with other contents it may change
//!   something. A look is one because it is declared.
//! - The oracle over watched locks is an object of its own: it is changed by whatever takes or releases a watched lock
//!   but for reading, since both decide whether it looks, and what it sees.
//!
//! This module knows nothing of which steps come when.

use super::objects::{ObjectId, Objects, Op, OpKind};

/// The bit of the oracle over watched locks.
const ORACLE: usize = 0;

/// Which objects have a bit in rows: those on which steps of different tasks can depend on each other.
#[derive(Default)]
pub(crate) struct Shared {
    bits: Vec<Option<u32>>,
    words: usize,
}

/// What is changed, then what is looked at: a bit each per shared object.
pub(crate) type Row = [u64];

impl Shared {
    pub(crate) fn new(objects: &Objects) -> Self {
        let mut next = ORACLE as u32;
        let bits: Vec<Option<u32>> = (0..objects.len() as ObjectId)
            .map(|id| {
                objects.is_shared(id).then(|| {
                    next += 1;
                    next
                })
            })
            .collect();
        Shared { bits, words: (next as usize + 1).div_ceil(64) }
    }

    /// How many words a row has.
    pub(crate) fn width(&self) -> usize {
        2 * self.words
    }

    /// Whether the object has a bit.
    pub(crate) fn has(&self, id: ObjectId) -> bool {
        self.bits.get(id as usize).is_some_and(Option::is_some)
    }

    fn set(&self, row: &mut Row, changes: bool, bit: usize) {
        let half = if changes { 0 } else { self.words };
        row[half + bit / 64] |= 1 << (bit % 64);
    }

    /// Adds what a step does.
    pub(crate) fn add(&self, row: &mut Row, objects: &Objects, op: &Op) {
        let info = objects.get(op.object);
        let (changes, looks, oracle) = match op.kind {
            OpKind::Lock | OpKind::TryLock => (true, false, info.watched),
            OpKind::TryReadLock => (true, false, false),
            OpKind::ReadLock | OpKind::Look => (false, true, false),
            OpKind::ReadUnlock | OpKind::Looked => (info.tried, false, false),
            OpKind::Unlock => (info.tried, false, info.watched),
            OpKind::Ghost => (true, false, false),
            // Two that notify can do so in either order; one that waits, and one that notifies, can't.
            OpKind::Notify => (false, true, false),
            OpKind::Read => (false, info.racy, false),
            OpKind::Write | OpKind::Free => (info.racy, false, false),
            OpKind::Wait => {
                if let Some(bit) = self.bits.get(op.mutex as usize).copied().flatten() {
                    self.set(row, true, bit as usize);
                }
                (true, false, objects.get(op.mutex).watched)
            }
            OpKind::Sleep => return,
        };
        if oracle {
            self.set(row, true, ORACLE);
        }
        if let Some(bit) = self.bits.get(op.object as usize).copied().flatten() {
            if changes {
                self.set(row, true, bit as usize);
            }
            if looks {
                self.set(row, false, bit as usize);
            }
        }
    }

    /// Adds what a task does that was notified: it takes the mutex of its wait again.
    pub(crate) fn add_woken(&self, row: &mut Row, objects: &Objects, wait: &Op) {
        self.add(row, objects, &Op { kind: OpKind::Lock, object: wait.mutex, ..*wait });
    }

    /// Whether a row notifies a condition.
    pub(crate) fn notifies(&self, row: &Row, condition: ObjectId) -> bool {
        self.bits.get(condition as usize).copied().flatten().is_some_and(|bit| {
            let bit = bit as usize;
            row[self.words + bit / 64] >> (bit % 64) & 1 == 1
        })
    }

    /// Whether what two rows do can depend on each other; `oracle` says whether the oracle over watched locks can look
    /// meanwhile.
    #[inline]
    pub(crate) fn conflict(&self, a: &Row, b: &Row, oracle: bool) -> bool {
        let words = self.words;
        (0..words).any(|word| {
            let met = a[word] & (b[word] | b[words + word]) | a[words + word] & b[word];
            let counts = if word == 0 && !oracle { !1 } else { !0 };
            met & counts != 0
        })
    }
}

/// Adds what `from` does to `into`; says whether that is anything new.
#[inline]
pub(crate) fn merge(into: &mut Row, from: &Row) -> bool {
    let mut grown = false;
    for (into, from) in into.iter_mut().zip(from) {
        grown |= *from & !*into != 0;
        *into |= *from;
    }
    grown
}
