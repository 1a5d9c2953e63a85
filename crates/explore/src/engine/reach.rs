//! How far the search goes before it does what only large programs need.
//!
//! Tests make it short, so that small programs need it, too: a search that is never begun anew shows nothing of how it
//! begins anew. This module knows nothing of what is done then.

/// How far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The most places before which others could go that one walk runs through. A transaction may go round for ever,
    /// which is noticed between walks. At least 2.
    pub(crate) points: usize,
    /// In the first so many states nothing is left out: what small searches could leave out takes longer to learn.
    pub(crate) plain: u64,
    /// A search of fewer states needs no warm-up.
    pub(crate) cold: u64,
    /// The most executions of a warm-up, and the most steps of each: longer ones may never end.
    pub(crate) warm: u64,
    pub(crate) steps: usize,
    /// The states that must teach nothing before a search whose sets have grown begins anew. (Sets that were too small
    /// cost states, and more so those before which nothing was known; but what is not learned now is learned late.)
    pub(crate) patience: u64,
    /// The edges that are learned, beyond a sixteenth, before the sets are computed anew.
    pub(crate) edges: usize,
    /// In one of so many states tasks may be chosen again before it pays to begin anew.
    pub(crate) mended: u64,
}

impl Reach {
    /// The most places before which others could go that one walk runs through.
    pub(crate) fn most_points(self) -> usize {
        self.points
    }

    /// As by default, however few states there are.
    pub const ALWAYS: Reach = Reach {
        points: 32,
        plain: 0,
        cold: 2_000,
        warm: 3_000,
        steps: 20_000,
        patience: 2_000,
        edges: 64,
        mended: 4,
    };
    /// Everything at the first occasion.
    pub const SHORT: Reach = Reach { points: 2, cold: 5, patience: 10, edges: 0, mended: 1, ..Reach::ALWAYS };
    /// Nothing is known before the search, and what it learns is mended.
    pub const LATE: Reach =
        Reach { points: 2, cold: u64::MAX, patience: u64::MAX, edges: 0, mended: 1, ..Reach::ALWAYS };
    /// The same, and what is learned counts only when the search has ended, or begins anew: most is mended, and late.
    pub const LAZY: Reach =
        Reach { cold: u64::MAX, patience: u64::MAX, edges: usize::MAX, mended: 1, ..Reach::ALWAYS };
    /// Something is left out from the midst of a small search on, and what that relied on is mended.
    pub const MIDWAY: Reach = Reach { plain: 12, ..Reach::LATE };
    /// The same, and what is learned then counts only when the search has ended.
    pub const MIDWAY_LAZY: Reach = Reach { plain: 12, ..Reach::LAZY };

    /// As if lazy, but the beginning of one execution is known, of so many steps: some places are known, others are only met.
    #[must_use]
    pub const fn scant(steps: usize) -> Reach {
        Reach { cold: 1, warm: 1, steps, ..Reach::LAZY }
    }

    /// Something is left out after so many states, and what that relied on is mended.
    #[must_use]
    pub const fn midway(plain: u64) -> Reach {
        Reach { plain, ..Reach::LATE }
    }
}

impl Default for Reach {
    fn default() -> Self {
        Reach { plain: 20_000, cold: 50_000, ..Reach::ALWAYS }
    }
}
