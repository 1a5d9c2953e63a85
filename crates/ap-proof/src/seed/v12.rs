//! The code paths of the series, with the names that the mail gives them. (History, sections 5.1 to 5.4.)
//!
//! One model for all prefixes: what a patch changes is a question to [`Series`]. It takes locks in the order in which
//! the series takes them, which is why it needs an [`Unordered`] token.
//!
//! Left out, as none of the five questions is about it: references to KVM (02), resets (02, 04), control domains,
//! interrupt registrations, scans (14 to 16), the unlocked look at the guest before M is taken (history, B3).
//! Where the history doesn't say whether a lock is held, the model takes what the text nearest to it says:
//! `vfio_ap_mdev_remove_queue` takes M as soon as there is something of M's to take away (05);
//! a guest's start (`set_kvm`) releases M before it sets the masks under K, as the commit that puts both under M
//! (f21916ec4826) is not in the tree that the series applies to.

mod bus;
mod guest;
mod vfio_ap;

use locks::Unordered;
use locks::hook::note;

use super::series::Series;
use super::world::{Refused, World};

/// The kernel of a prefix of the series: what its actors call.
pub struct Kernel<'w> {
    world: &'w World,
    series: Series,
    order: Unordered,
}

impl<'w> Kernel<'w> {
    /// The kernel, inside an exploration.
    ///
    /// # Panics
    /// Outside an exploration.
    #[must_use]
    pub fn new(world: &'w World, series: Series) -> Self {
        Kernel { world, series, order: Unordered::specimen() }
    }
}

/// A call's result as a word, said in the trace.
pub(super) fn returns(result: Result<(), Refused>) -> String {
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
