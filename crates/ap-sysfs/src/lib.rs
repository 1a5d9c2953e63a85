//! The tree that user space sees: directories, attributes, links, errno and events of an emulated AP host.

pub mod errno;
pub mod front;

pub use errno::Errno;
pub use front::{Answer, Called, Change, Entry, Event, Filesystem, Ino, Kind, ROOT, Token, Uevent};
