//! The seed: a mask write against an assignment, as a patch series of November 2020 had it, and as it was merged.
//!
//! The in-use callback lets the bus ask vfio_ap, under the bus's lock **P**, whether a queue that is about to go to
//! the host is assigned; vfio_ap answers under its lock **M**, and under M it must know whom a queue belongs to, which
//! P protects. [`v12`] has the code paths of every prefix of the series, with the trylocks that it proposed and with
//! the mutexes that the mail warns of; [`shipped`] has the protocol that was merged. Both are small models: real masks
//! (`ap-types`), real locks (`locks`, with the levels of `ap_task::order`), and of everything else only what the
//! questions are about. (History, section 5.)
//!
//! [`overrides`] is how the theft came back, by `driver_override`, in Linux 6.19 to 7.1, and what keeps it out.
//!
//! - [`Series`] says which prefix, and [`PATCHES`] what each patch changes;
//! - [`Question`] is one of five things that may be wrong, and [`ask()`] explores it;
//! - [`table()`] asks all of them of all 36 variants;
//! - [`specimens`] lists everything that can be explored by name, and [`names`] gives a trace the mail's words.

#![forbid(unsafe_code)]

mod ask;
mod mail;
mod model;
pub mod names;
mod oracle;
pub mod overrides;
mod question;
mod series;
pub mod shipped;
mod specimen;
mod table;
mod tidy;
pub mod v12;

pub use ask::{Answer, ask, program, tell};
pub use mail::{MailStep, Place};
pub use model::{Driver, Guest, Masks, Mdev, Model, Refused, Setup, State, VfioAp};
pub use question::Question;
pub use series::{Locking, PATCHES, Patch, Series};
pub use specimen::{Listed, Specimen, id_of, specimen, specimens};
pub use table::{Row, Table, table};

#[cfg(test)]
mod tests;
