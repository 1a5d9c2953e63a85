//! The states from which the workers of one process explore: each has a part, and takes of another's when its own is done.
//!
//! Ways that stand next to each other have most of their operations in common, and whoever explores from both runs these
//! once. So a part is a stretch of ways in ascending order, its worker takes from its front, and a worker that has
//! nothing left takes the back half of the longest stretch. Whatever was not explored from when a worker stops early
//! comes after the way at which it stopped, whoever takes it then.
//!
//! This module knows nothing of what ways mean, nor of other processes.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::ways::Ways;

/// How many states a worker takes at a time, at the most.
const TURN: usize = 16;

/// A worker's part: those of the ways that are left.
#[derive(Clone, Debug, Default)]
struct Stretch {
    ways: Arc<Ways>,
    left: Range<usize>,
}

/// The parts of all workers of a process.
#[derive(Debug)]
pub(crate) struct Pool(Mutex<Vec<Stretch>>);

impl Pool {
    /// Of so many workers, which have nothing yet.
    pub(crate) fn new(workers: usize) -> Pool {
        Pool(Mutex::new(vec![Stretch::default(); workers]))
    }

    /// Gives a worker its part of a level: ways in ascending order.
    pub(crate) fn give(&self, worker: usize, ways: Ways) {
        let left = 0..ways.len();
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[worker] =
            Stretch { ways: Arc::new(ways), left };
    }

    /// The next few of the ways, by their numbers, from which a worker explores; `None` if no worker has any left.
    pub(crate) fn take(&self, worker: usize) -> Option<(Arc<Ways>, Range<usize>)> {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if parts[worker].left.is_empty() {
            let longest = parts.iter_mut().max_by_key(|part| part.left.len())?;
            let (ways, middle) = (longest.ways.clone(), longest.left.start + longest.left.len() / 2);
            let left = middle..longest.left.end;
            longest.left.end = middle;
            parts[worker] = Stretch { ways, left };
        }
        let Stretch { ways, left } = &mut parts[worker];
        // The fewer are left the fewer at a time, so that all have something to do up to the end.
        let until = left.start + left.len().div_ceil(4).min(TURN);
        let taken = left.start..until;
        left.start = until;
        (!taken.is_empty()).then(|| (ways.clone(), taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(bytes: impl Iterator<Item = u8>) -> Ways {
        Ways::from_bytes(1, bytes.collect())
    }

    #[test]
    fn each_way_is_taken_once_whoever_takes_it() {
        // Which of three workers takes next; the second has nothing of its own.
        for order in [[0, 0, 0], [1, 1, 1], [0, 1, 2], [2, 1, 1]] {
            let pool = Pool::new(3);
            pool.give(0, ways(0..100));
            pool.give(2, ways(100..150));
            let mut taken = Vec::new();
            for worker in order.iter().cycle() {
                let Some((ways, range)) = pool.take(*worker) else { break };
                assert!(!range.is_empty() && range.len() <= TURN);
                taken.extend(range.map(|number| ways.get(number)[0]));
            }
            assert!(pool.take(0).is_none(), "who comes first to nothing speaks for all");
            taken.sort_unstable();
            assert_eq!(taken, (0..150).collect::<Vec<u8>>(), "{order:?}");
        }
    }

    #[test]
    fn a_worker_takes_its_own_from_the_front_and_of_others_from_the_back() {
        let pool = Pool::new(2);
        pool.give(0, ways(0..100));
        let first = |worker: usize| pool.take(worker).map(|(ways, range)| ways.get(range.start)[0]);
        assert_eq!((first(0), first(1), first(0), first(1)), (Some(0), Some(58), Some(16), Some(69)));
    }
}
