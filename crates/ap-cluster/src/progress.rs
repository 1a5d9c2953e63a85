//! How far a search is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The length of the sequences that are being explored.
    pub depth: u32,
    /// Transitions so far: everybody's in the levels before, and in this one those of this process.
    pub transitions: u64,
    /// States so far, as far as levels are complete.
    pub states: u64,
    /// How many states of this level are done by this process, and how many by all there are to do.
    pub done: (u64, u64),
    /// Since the beginning.
    pub time: Duration,
}

/// What the workers of this process have done of a level.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters(Arc<(AtomicU64, AtomicU64)>);

impl Counters {
    /// Some states and transitions more.
    pub(crate) fn add(&self, states: usize, transitions: u64) {
        self.0.0.fetch_add(states as u64, Ordering::Relaxed);
        self.0.1.fetch_add(transitions, Ordering::Relaxed);
    }

    /// States and transitions, since the beginning of the search.
    pub(crate) fn get(&self) -> (u64, u64) {
        (self.0.0.load(Ordering::Relaxed), self.0.1.load(Ordering::Relaxed))
    }
}
