//! The kernel of a prefix of the series, and how its calls return.

use locks::Unordered;
use locks::hook::note;

use crate::model::{Model, Refused};
use crate::series::Series;

/// The kernel of a prefix of the series: what its actors call.
pub struct Kernel<'w> {
    pub(super) model: &'w Model,
    pub(super) series: Series,
    pub(super) order: Unordered,
}

impl<'w> Kernel<'w> {
    /// The kernel, inside an exploration.
    ///
    /// # Panics
    /// Outside an exploration.
    #[must_use]
    pub fn new(model: &'w Model, series: Series) -> Self {
        Kernel { model, series, order: Unordered::specimen() }
    }
}

/// A call's result as a word, said in the trace.
pub(crate) fn returns(result: Result<(), Refused>) -> String {
    match result {
        Ok(()) => {
            note(|| "returns 0".to_owned());
            "ok".to_owned()
        }
        Err(refused) => {
            note(|| format!("returns -{refused}"));
            refused.to_string()
        }
    }
}
