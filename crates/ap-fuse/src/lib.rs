//! An emulated AP host's tree as a real file system: [`run`] gives a command a private `/sys` that is the machine,
//! [`mount`] puts the tree on a directory.
//!
//! ```text
//! run, mount ── private (namespaces, what stays of the real /sys) ── command, guard
//!    └─ session (two threads) ── dispatch ── server (sysfs's semantics) ── ap_sysfs::Filesystem
//!          └─ channel (/dev/fuse), clock ── wire (bytes)         └─ graft (mount points for what stays)
//! ```
//!
//! - The tree is built on the thread that serves and never leaves it.
//! - The serving thread waits for nobody; names are announced by another thread, before the answer that
//!   made them change.
//! - Nothing that [`run`] sets up outlives it: everything is in namespaces of its own, and a guard process ends
//!   them when either side is killed.

pub mod channel;
mod clock;
mod command;
pub mod dispatch;
mod error;
pub mod graft;
mod guard;
mod keep;
mod mounting;
mod private;
mod run;
mod serve_at;
pub mod server;
pub mod session;
mod terminal;
mod udev;
pub mod uevent;
pub mod wire;

use ap_sysfs::Filesystem;

pub use error::Error;
pub use mounting::preflight;
use mounting::preflight_sys;
pub use run::{RunOptions, run};
pub use serve_at::{MountOptions, mount};

/// Builds the tree, on the thread that will serve it.
pub type Factory = Box<dyn FnOnce() -> Box<dyn Filesystem> + Send>;
