//! Plans on real hosts: the files that `ap-apply` reads and writes through its traits, and what people and scripts see.
//!
//! | module | is for |
//! | --- | --- |
//! | `tree` | a tree of files: a real `/sys`, a mounted one |
//! | `archive` | a tree in a tar file |
//! | `desk` | the lock, the journal, the clock |
//! | `host` | which host: a tree, a machine file, an archive |
//! | `document` | plans and outcomes as JSON |
//! | `show` | plans and outcomes as text |
//! | `boot` | what is to be there after the next boot |
//! | `guard` | the process that takes back what nobody confirms |
//! | `watch` | what a terminal hears of a write that does not return, and on ^C |

pub mod archive;
pub mod boot;
pub mod desk;
pub mod document;
pub mod guard;
pub mod host;
pub mod show;
pub mod tree;
pub mod watch;
