//! How a walk remembers where it was. This module knows nothing of what states are made of.

use rustc_hash::FxHashMap;

use super::fpset::FpSet;
use super::mix::mix;

/// The states that a walk was in.
pub(crate) enum Visited {
    /// Each state, once.
    All(FpSet),
    /// Each state, with the fewest context switches by which it was reached by a step of the same task.
    Bounded {
        fewest: FxHashMap<u64, u32>,
        /// The most context switches.
        bound: u32,
        /// Whether the bound kept anything from being walked.
        hit: bool,
    },
}

impl Visited {
    /// Remembers every state.
    pub(crate) fn all() -> Self {
        Visited::All(FpSet::new())
    }

    /// Remembers every state that is reached with at most so many context switches.
    pub(crate) fn bounded(bound: u32) -> Self {
        Visited::Bounded { fewest: FxHashMap::default(), bound, hit: false }
    }

    /// How many states there are.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Visited::All(set) => set.len() as u64,
            Visited::Bounded { fewest, .. } => fewest.len() as u64,
        }
    }

    /// Whether a bound kept anything from being walked.
    pub(crate) fn is_bounded(&self) -> bool {
        matches!(self, Visited::Bounded { hit: true, .. })
    }

    /// Remembers a state, reached by a step of the task; says whether there is anything new about it.
    #[inline]
    pub(crate) fn insert(&mut self, fingerprint: u64, last: Option<usize>, switches: u32) -> bool {
        match self {
            Visited::All(set) => set.insert(fingerprint),
            Visited::Bounded { fewest, .. } => {
                let key = mix(fingerprint, last.map_or(0, |last| last as u64 + 1));
                let before = fewest.entry(key).or_insert(u32::MAX);
                let fresh = switches < *before;
                *before = switches.min(*before);
                fresh
            }
        }
    }
}
