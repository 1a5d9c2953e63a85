//! How members of a set are written where the set is debugged: as people write them, without quotes.

use core::fmt;

/// A value whose `Debug` is its `Display`.
pub(crate) struct Shown<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Debug for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
