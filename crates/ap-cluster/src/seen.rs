//! The states that a worker remembers for all: which were met, and by the least of which ways.
//!
//! A state belongs to the worker that its fingerprint names, so each is remembered once, and whether it is new is one
//! worker's to say. This module knows nothing of who asks.

use hashbrown::HashTable;
use rustc_hash::FxHashSet;

use crate::ways::Ways;

/// States that were met.
pub(crate) struct Seen {
    /// At levels that are complete.
    before: FxHashSet<u128>,
    /// At this one, in the order in which they came …
    prints: Vec<u128>,
    /// … with the least way to each …
    ways: Ways,
    /// … and where each stands.
    places: HashTable<u32>,
}

/// The lower half of a fingerprint is what tables go by, the upper one names the worker.
fn hash(print: &u128) -> u64 {
    *print as u64
}

/// The worker to which a state belongs, of so many.
pub(crate) fn owner(print: u128, workers: usize) -> usize {
    (((print >> 64) * workers as u128) >> 64) as usize
}

impl Seen {
    /// Of a search of which these were met before.
    pub(crate) fn new(before: FxHashSet<u128>) -> Seen {
        Seen { before, prints: Vec::new(), ways: Ways::of_length(1), places: HashTable::new() }
    }

    /// Begins a level: those of the last one were met before now. New ways have that length.
    pub(crate) fn begin(&mut self, length: usize) {
        self.places = HashTable::new();
        self.before.extend(self.prints.drain(..));
        self.ways = Ways::of_length(length);
    }

    /// A way leads to a state.
    pub(crate) fn meet(&mut self, print: u128, way: &[u8]) {
        if self.before.contains(&print) {
            return;
        }
        let Seen { prints, ways, places, .. } = self;
        let same = |place: &u32| prints[*place as usize] == print;
        match places.find(hash(&print), same) {
            Some(place) => {
                let least = ways.get_mut(*place as usize);
                if way < &*least {
                    least.copy_from_slice(way);
                }
            }
            None => {
                let place =
                    u32::try_from(prints.len()).expect("a worker has fewer than 2^32 states of a level");
                prints.push(print);
                ways.push(way);
                places.insert_unique(hash(&print), place, |place| hash(&prints[*place as usize]));
            }
        }
    }

    /// The states that were met first at this level.
    pub(crate) fn prints(&self) -> &[u128] {
        &self.prints
    }

    /// The least ways to them.
    pub(crate) fn ways(&self) -> &Ways {
        &self.ways
    }

    /// The same when the level has ended: nobody meets any of these states at it any more.
    pub(crate) fn take_ways(&mut self) -> Ways {
        self.places = HashTable::new();
        std::mem::take(&mut self.ways)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_way_is_kept_in_whatever_order_they_come() {
        for order in [[b"ab", b"ba", b"aa"], [b"aa", b"ab", b"ba"], [b"ba", b"aa", b"ab"]] {
            let mut seen = Seen::new(FxHashSet::default());
            seen.begin(2);
            order.iter().for_each(|way| seen.meet(7, *way));
            assert_eq!((seen.prints(), seen.ways().bytes()), ([7].as_slice(), b"aa".as_slice()));
            assert_eq!(seen.take_ways().bytes(), b"aa");
            seen.begin(2);
            seen.meet(7, b"aa");
            assert!(seen.prints().is_empty(), "it was met before");
        }
    }

    #[test]
    fn states_are_shared_out_evenly_and_all_of_them() {
        for workers in [1, 2, 3, 7] {
            let mut counts = vec![0_usize; workers];
            for number in 0..1000u128 {
                counts[owner(number * (u128::MAX / 1000), workers)] += 1;
            }
            assert!(counts.iter().all(|count| count.abs_diff(1000 / workers) <= 1), "{counts:?}");
        }
    }
}
