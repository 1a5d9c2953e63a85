//! The tree that user space sees: directories, attributes, links, errno and events of an emulated AP host.
//!
//! [`Tree`] computes it from a host: a directory's entries, an attribute's show and store, a link's target.
//! [`Session`] drives a host from one thread and is a [`Filesystem`] for front ends: calls that wait are pending,
//! background work is done as machine time passes.
//!
//! # How the tree is made
//! **A kind of directory is one row of the table in `directories.rs`**: what such a directory is called and where it is,
//! when it is there, its attributes, its links, the directories that it lists as links, what its `uevent` is about, and
//! which events are about it. Node numbers, paths, entries, the relative texts of links, the names that come and go with
//! an event, and the names that are known in advance follow from the rows (`derived.rs`, `changes.rs`, `names.rs`).
//!
//! A row is about one type of object (`objects/`): a card, a queue, an mdev, a driver, a module, a zcrypt node, or
//! nothing. Its attributes are given such an object, as it was when the file was looked up.
//!
//! | to add | write |
//! | --- | --- |
//! | an attribute | one line in the table of its kind of directory: `attributes/queue.rs` for a queue. `ro`, `rw` or `wo`, its name, what it shows, what it does; `.when(…)` if it is not always there, be it for the queue's sake or for a flag of the host |
//! | a directory | one row in `directories.rs`: [below](#rows) |
//! | a link | one entry of a row's `.links(…)`: its name and the row that it leads to |
//! | a verb of a control file | one entry of the table in `control/hw.rs` or `control/guest.rs` |
//! | an error | its errno in `errno_table.rs`, which does not compile until it has one |
//!
//! A read-only attribute of a queue, in `attributes/queue.rs`:
//! ```ignore
//! ro("hwtype", |_, queue, _| line(queue.device.card.hwtype)),
//! ```
//!
//! # Rows
//! ```ignore
//! /// `devices/ap/cardAA/AA.DDDD/power`
//! QUEUE_POWER: QueueView = within(Fixed("power"), &QUEUE).attributes(queue::POWER);
//! ```
//! The name before the colon is the row's, for others to refer to; the type is that of its object, the comment its path.
//! Then one of these, and what the directory has (`row.rs` has the whole vocabulary):
//!
//! | | a directory |
//! | --- | --- |
//! | `dir(NAME, &PARENT)` | without an object, in another one without |
//! | `within(NAME, &PARENT)` | inside a directory of the same object |
//! | `each(NAME, &PARENT, &MEMBERS)` | for each of several objects, in a directory without |
//! | `each_in(NAME, &PARENT, KEY, &MEMBERS)` | for each of several objects, in that of another object |
//!
//! Rows may stand in any order, but that the root is the first.
//!
//! # Numbers
//! A node's number is made of its row, its place in the row and its object's key (`node.rs`). Cards and queues have keys
//! of their id and of how many of that id there were before; mdevs and zcrypt nodes are counted; drivers and modules,
//! which have nothing but a name, are numbered by the tree as it meets them. So a number is never used for another
//! object, and a driver that is registered again has its directory again.
//!
//! # What it costs
//! Looking at a name finds the directory's object and then that name: of directories with many devices never all are
//! looked at, but for the directories of groups, where the numbers of all mdevs are. Listing a directory costs in
//! proportion to its entries; that of a driver in proportion to all devices, whose state says whose they are. (Figures:
//! `docs/performance.md`; `cargo bench -p ap-sysfs --bench tree`.)
//!
//! # Modules
//! They import downwards only:
//! ```text
//! session                                       a host and the one thread that drives it
//! walk · changes · names · devices              what is asked of the tree, of the whole table, of /dev
//! directories                                   the table
//! attributes::* · control · derived             what stands in rows, and what follows from a row
//! row · directory                               the words of rows, and what every row answers
//! objects::*                                    what directories are about
//! ids                                           how people write ids
//! object · attribute · uevent · path            what an object, an attribute, a path is
//! tree · modules                                what everything is computed from; what modules' files say
//! ring · node · front · runner · errno          events, numbers, what front ends see
//! ```

#![forbid(unsafe_code)]

mod attribute;
mod attributes;
mod changes;
pub mod control;
mod derived;
mod devices;
mod directories;
mod directory;
pub mod errno;
mod errno_table;
pub mod front;
pub mod ids;
pub mod modules;
pub mod names;
pub mod nearest;
pub mod node;
mod object;
mod objects;
mod path;
pub mod ring;
mod row;
pub mod runner;
pub mod session;
pub mod tree;
mod uevent;
mod walk;

pub use control::ControlError;
pub use errno::Errno;
pub use front::{
    Answer, Called, Change, Device, DeviceNumber, Entry, Event, Filesystem, Ino, Kind, ROOT, Token, Uevent,
};
pub use session::Session;
pub use tree::Tree;
