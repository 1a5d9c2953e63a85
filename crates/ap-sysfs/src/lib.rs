//! The tree that user space sees: directories, attributes, links, errno and events of an emulated AP host.
//!
//! [`Tree`] computes it from a host: a directory's entries, an attribute's show and store, a link's target.
//! [`Session`] drives a host from one thread and is a [`Filesystem`] for front ends: calls that wait are pending,
//! background work is done as machine time passes.

pub mod errno;
pub mod front;

mod attributes;
mod changes;
pub mod control;
mod errno_table;
pub mod names;
pub mod node;
pub mod ring;
pub mod runner;
pub mod session;
pub mod tree;

pub use control::ControlError;
pub use errno::Errno;
pub use front::{Answer, Called, Change, Entry, Event, Filesystem, Ino, Kind, ROOT, Token, Uevent};
pub use session::Session;
pub use tree::Tree;
