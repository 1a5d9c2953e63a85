//! What every operation of an AP host is given, and what it reports.
//!
//! An operation is done by a [`Task`]: it says which locks its caller holds (the whole order is in [`order`]) and
//! where what happens is reported to ([`Sink`]). What happens is a value of [`event`]; what only an exploration or an
//! oracle wants to know is a [`Notice`], which production never makes.
//!
//! [`state`] says how states, which are plain data everywhere in the system, are shared and compared.
//!
//! The crate knows the names of what exists (cards, queues, mediated devices) and nothing of how they behave.

#![forbid(unsafe_code)]

pub mod event;
pub mod kernel;
mod notice;
pub mod order;
pub mod state;
mod task;

pub use event::{
    Action, DriverName, Event, Ignore, Instruction, MISC_MAJOR, MdevId, Sink, Subject, Uevent,
    VFIO_GROUP_MAJOR, VFIO_MINOR, Work, Z90CRYPT_MINOR, ZCRYPT_MAJOR,
};
pub use kernel::{Flag, Kernel, Version};
pub use notice::Notice;
pub use task::Task;
