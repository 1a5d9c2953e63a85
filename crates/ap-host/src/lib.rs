//! A host: a machine, the AP bus on it, the host's own drivers and vfio_ap, put together.
//!
//! A [`Host`] loads and unloads the driver modules, and at quiescence its whole state is a [`Snapshot`], over which
//! [`invariants`] are functions. What it is made of stands in crates of their own: `ap-machine`, `ap-bus`, `ap-vfio`;
//! what operations are given and report in `ap-task`. Many hosts live in one process. It creates no threads and knows
//! no clock but the machine's: background work (a scan, a poll) is asked for through a task's sink and run by whoever
//! drives the host ([`Host::run`]).

#![forbid(unsafe_code)]

mod core;
mod host;
pub mod invariants;
pub mod module;
pub mod snapshot;

pub use crate::core::{Core, Loaded, Module};
pub use host::Host;
pub use module::ModuleError;
pub use snapshot::Snapshot;
