//! Which level of which pass. This module knows nothing of what is kept of it.

/// A level of a pass. A number alone is one of the first pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    /// Which pass, counted from 1.
    pub pass: u32,
    /// Which level.
    pub number: u32,
}

impl From<u32> for At {
    fn from(number: u32) -> At {
        At { pass: 1, number }
    }
}
