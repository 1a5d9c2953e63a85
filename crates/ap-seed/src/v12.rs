//! The code paths of the series, with the names that the mail gives them. (History, sections 5.1 to 5.4.)
//!
//! One model for all prefixes: what a patch changes is a question to [`Series`](crate::Series). It takes locks in the
//! order in which the series takes them, which is why it needs an [`Unordered`](locks::Unordered) token.
//!
//! Left out, as none of the five questions is about it: references to KVM (02), resets (02, 04), control domains,
//! interrupt registrations, scans (14 to 16), the unlocked look at the guest before M is taken (history, B3).
//! Where the history doesn't say whether a lock is held, the model takes what the text nearest to it says:
//! `vfio_ap_mdev_remove_queue` takes M as soon as there is something of M's to take away (05);
//! a guest's start (`set_kvm`) releases M before it sets the masks under K, as the commit that puts both under M
//! (f21916ec4826) is not in the tree that the series applies to.

mod bus;
mod guest;
mod kernel;
mod vfio_ap;

pub use kernel::Kernel;
pub(crate) use kernel::returns;
