//! An emulated AP host's tree as a real file system: [`run()`] gives a command a private `/sys` that is the machine,
//! [`mount()`] puts the tree on a directory.
//!
//! ```text
//! run (namespaces, keep, dev, kmod, …, command)     serve_at
//!     │ └── intercept: system calls that no file system can answer
//!     │  what both need: guard, mounting, signal, processor
//!     └── session (two threads) ── dispatch ── server (sysfs's semantics) ── ap_sysfs::Filesystem
//!               └─ channel (/dev/fuse), clock ── wire (bytes)         └─ graft (mount points for what stays)
//! ```
//!
//! Each module knows only what stands to its right or below it: `server` knows no FUSE, `session` no mount, `guard`
//! nothing of what is served.
//!
//! - The tree is built on the thread that serves and never leaves it.
//! - The serving thread waits for nobody; names are announced by another thread, before the answer that
//!   made them change.
//! - A run that is written down can be entered by others, with [`enter()`].
//! - Nothing that [`run()`] sets up outlives it: everything is in namespaces of its own, and a guard process ends
//!   them when either side is killed.

pub mod channel;
mod clock;
pub mod dispatch;
mod error;
pub mod graft;
mod guard;
mod intercept;
mod mounting;
mod processor;
mod run;
mod serve_at;
pub mod server;
pub mod session;
mod signal;
pub mod uevent;
pub mod wire;

pub use error::Error;
pub use mounting::preflight;
pub use run::{Ended, Entrance, Instead, RUN_DIRECTORY, RunOptions, StandIn, enter, run};
pub use serve_at::{MountOptions, mount};
pub use session::Factory;
