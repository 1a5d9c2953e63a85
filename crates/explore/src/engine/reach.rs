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
    /// The states that must teach nothing before a search whose sets have grown begins anew. (Sets that were too small
    /// cost states, and more so those before which nothing was known; but what is not learned now is learned late.)
    pub(crate) patience: u64,
    /// The edges that are learned, beyond a sixteenth, before the sets are computed anew.
    pub(crate) edges: usize,
    /// In one of so many states tasks may be chosen again before it pays to begin anew.
    pub(crate) mended: u64,
}

impl Reach {
    /// As by default, however few states there are.
    pub const ALWAYS: Reach =
        Reach { points: 32, plain: 0, cold: 2_000, patience: 2_000, edges: 64, mended: 4 };
    /// Something is left out from the midst of a small search on, and what that relied on is mended.
    pub const MIDWAY: Reach = Reach { plain: 12, ..Reach::LATE };
    /// Everything at the first occasion.
    pub const SHORT: Reach = Reach { points: 2, plain: 0, cold: 5, patience: 10, edges: 0, mended: 1 };
    /// Nothing is known before the search, and what it learns is mended.
    pub const LATE: Reach =
        Reach { points: 2, plain: 0, cold: u64::MAX, patience: u64::MAX, edges: 0, mended: 1 };
}

impl Default for Reach {
    fn default() -> Self {
        Reach { plain: 20_000, cold: 50_000, ..Reach::ALWAYS }
    }
}
