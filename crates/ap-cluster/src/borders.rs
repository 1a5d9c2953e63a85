//! From which ways which worker explores: a stretch each, in ascending order, with about as many ways.
//!
//! Nobody knows all ways. So each worker tells how many it has, and some of them; where the borders are follows from
//! that, and is the same for all. (Sorting by samples. A share by a fingerprint of the way would be as even, but ways that
//! have most of their operations in common would be explored from by different workers, each of which runs these.)
//!
//! This module knows nothing of how ways travel.

use std::ops::Range;

use crate::ways::Ways;

/// How many ways all workers together tell of, and each at the least.
const TOLD: usize = 8192;
const EACH: usize = 64;

/// How many ways a worker has, and some of them, one after the other.
pub(crate) type Sample = (u64, Vec<u8>);

/// Some of a worker's ways, of which so many will be told.
pub(crate) fn sample(ways: &Ways, workers: usize) -> Sample {
    let (count, some) = (ways.len(), (TOLD / workers).max(EACH).min(ways.len()));
    (count as u64, (0..some).flat_map(|one| ways.get(one * count / some)).copied().collect())
}

/// The share of so many things in a row that is a worker's, of so many.
pub(crate) fn stretch(things: usize, worker: usize, workers: usize) -> Range<usize> {
    things * worker / workers..things * (worker + 1) / workers
}

/// The first way of each worker but the first one.
#[derive(Debug)]
pub(crate) struct Borders(Vec<Vec<u8>>);

impl Borders {
    /// Between ways of that length, of which all workers have told.
    pub(crate) fn between(samples: &[Sample], length: usize) -> Borders {
        // Each with how many it stands for.
        let mut told: Vec<(&[u8], f64)> = Vec::new();
        for (count, some) in samples {
            let some = some.chunks_exact(length);
            let weight = *count as f64 / some.len() as f64;
            told.extend(some.map(|way| (way, weight)));
        }
        told.sort_by_key(|(way, _)| *way);
        let (workers, all) = (samples.len(), told.iter().map(|(_, weight)| weight).sum::<f64>());
        let (mut borders, mut before) = (Vec::new(), 0.0);
        for (way, weight) in told {
            while borders.len() + 1 < workers && before >= all * (borders.len() + 1) as f64 / workers as f64 {
                borders.push(way.to_vec());
            }
            before += weight;
        }
        Borders(borders)
    }

    /// Who explores from that way.
    pub(crate) fn home(&self, way: &[u8]) -> usize {
        self.0.partition_point(|border| border.as_slice() <= way)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(bytes: impl Iterator<Item = u32>) -> Ways {
        Ways::from_bytes(4, bytes.flat_map(u32::to_be_bytes).collect())
    }

    #[test]
    fn stretches_are_even_and_in_ascending_order() {
        for workers in [1, 2, 3, 7] {
            // One has many, in no order, and another few.
            let many = ways((0..100_000).map(|number: u32| number.wrapping_mul(7919) % 100_000 + 500));
            let few = ways((0..500).rev());
            let mut samples = vec![sample(&many, workers), sample(&few, workers)];
            samples.resize(workers.max(2), (0, Vec::new()));
            samples[0].0 += if workers == 1 { samples.pop().expect("two").0 } else { 0 };
            let borders = Borders::between(&samples, 4);
            let mut counts = vec![0; workers];
            many.iter().chain(few.iter()).for_each(|way| counts[borders.home(way)] += 1);
            let fair = 100_500 / workers;
            assert!(counts.iter().all(|count| fair.abs_diff(*count) < fair / 20), "{counts:?}");
            assert!(borders.0.is_sorted());
        }
    }

    #[test]
    fn a_few_ways_are_shared_out_one_by_one() {
        let samples = [sample(&ways(5..8), 3), sample(&ways(0..0), 3), sample(&ways(0..3), 3)];
        let borders = Borders::between(&samples, 4);
        let homes: Vec<usize> =
            [0, 1, 2, 5, 6, 7].map(|number: u32| borders.home(&number.to_be_bytes())).into();
        assert_eq!(homes, [0, 0, 1, 1, 2, 2]);
        let nobody = Borders::between(&[(0, Vec::new()), (0, Vec::new())], 4);
        assert_eq!(nobody.home(&[1, 2, 3, 4]), 0);
    }

    #[test]
    fn a_row_is_shared_out_whole() {
        for (things, workers) in [(0, 3), (2, 3), (10, 3), (9, 1)] {
            let all: Vec<usize> = (0..workers).flat_map(|worker| stretch(things, worker, workers)).collect();
            assert_eq!(all, (0..things).collect::<Vec<_>>());
        }
    }
}
