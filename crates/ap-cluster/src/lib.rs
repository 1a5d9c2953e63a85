//! A space of states, by as many workers as there are: threads, processes of one machine, machines.
//!
//! Written once, as a dataflow over timely: a level of the breadth-first search is a map (what each state's operations
//! lead to), an exchange by fingerprint, and a distinct (`level`). Each worker explores from a stretch of the ways in
//! ascending order (`borders`), and threads of a process take of each other's (`pool`). What a worker runs, and what is wrong with it, is
//! the [`Space`]'s: an alphabet of operations, of which it explores every sequence (`sequences`), or whatever else tells states
//! apart and numbers what can be done in them. This crate knows nothing of operations but their numbers. Of threads, connections and files it knows all
//! that a search needs: how workers start (`start`) and what each does (`worker`), how processes find each other
//! (`hosts`, `link`), how a search that was killed goes on (`checkpoint`).
//!
//! ```
//! use std::sync::Arc;
//! use ap_cluster::{Wanted, search};
//!
//! let alphabet = ap_proof::sequences::alphabet("core").expect("it is there");
//! let wanted = Wanted { depth: Some(2), workers: Some(2), ..Wanted::of(Arc::new(alphabet)) };
//! let report = search(wanted, &mut |_| {})?;
//! assert_eq!((report.verdict(), report.levels), ("clean", vec![1, 14, 88]));
//! # Ok::<(), ap_cluster::ClusterError>(())
//! ```

#![forbid(unsafe_code)]

mod agree;
mod borders;
mod checkpoint;
mod error;
mod expander;
mod hosts;
mod identity;
mod level;
mod link;
mod meeting;
mod pool;
mod progress;
mod seen;
mod sequences;
mod signs;
mod space;
mod start;
mod tally;
mod told;
mod ways;
mod worker;

pub use checkpoint::CheckpointError;
pub use error::ClusterError;
pub use hosts::Hosts;
pub use meeting::HostsError;
pub use progress::Progress;
pub use space::{Explores, Space};
pub use start::{News, Wanted, search};
pub use tally::{Cut, Kind, Met, Share, Tally};
