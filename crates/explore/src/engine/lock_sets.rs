//! Sets of locks that tasks hold, each once. This module knows nothing of who holds them.

use rustc_hash::FxHashMap;

use super::objects::ObjectId;

/// A set's number.
pub(crate) type HeldId = u32;

/// A lock, and whether it is held for reading only.
pub(crate) type Lock = (ObjectId, bool);

/// Sets of locks by number. Number 0 is the empty set.
#[derive(Clone)]
pub(crate) struct LockSets {
    sets: Vec<Box<[Lock]>>,
    numbers: FxHashMap<Box<[Lock]>, HeldId>,
}

impl Default for LockSets {
    fn default() -> Self {
        let empty: Box<[Lock]> = Box::default();
        LockSets { sets: vec![empty.clone()], numbers: FxHashMap::from_iter([(empty, 0)]) }
    }
}

impl LockSets {
    /// The number of the set of these locks. One that is held both ways is held for writing.
    pub(crate) fn number(&mut self, locks: impl Iterator<Item = Lock>) -> HeldId {
        let mut locks: Vec<Lock> = locks.collect();
        locks.sort_unstable();
        locks.dedup_by_key(|lock| lock.0);
        if let Some(&number) = self.numbers.get(&*locks) {
            return number;
        }
        let (number, locks) = (self.sets.len() as HeldId, locks.into_boxed_slice());
        self.sets.push(locks.clone());
        self.numbers.insert(locks, number);
        number
    }

    #[inline]
    pub(crate) fn get(&self, number: HeldId) -> &[Lock] {
        &self.sets[number as usize]
    }
}
