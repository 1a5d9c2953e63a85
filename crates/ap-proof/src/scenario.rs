//! Scenarios: operations that run at the same time over the real system, every interleaving explored.
//!
//! A scenario is a booted machine, a set-up and tasks in shell text. The set-up runs first; then the host's state is
//! kept, and each execution starts from it. Tasks call the tree and the verbs themselves, on the explorer's stacks:
//! every lock that `ap-host` takes is a step. Background work that operations ask for is done by a task of its own
//! (see [`BACKGROUND`]).
//!
//! # What is checked
//! Deadlocks, livelocks, panics and lock-order cycles by the explorer; I1 and I6 whenever G, K and M are free; all of
//! [`ap_host::invariants::check`] at the end; I5 by `watch`, which tells the one oracle of
//! clean hand-over ([`crate::oracle::hand`]); and that each outcome is that of some
//! one-after-the-other order of calls (see `serial`).
//!
//! # Time
//! Machine time does not pass: `sleep`, and the waits inside operations, are points at which others go on. Work that
//! is due later may happen at any moment. The periodic scan and the ten-second requests to guests are left out.

mod background;
mod definition;
mod glossary;
mod in_turn;
mod notes;
mod order;
mod outcome;
mod picture;
mod program;
mod ready;
mod serial;
mod sink;
mod stage;
mod sweeps;
mod task_tree;
mod told;
mod turn;
mod watch;
mod words;

pub use definition::{Mistake, Part, Scenario, SetupError, Task};
pub use glossary::{letter, object};
pub use outcome::{Ended, Outcome};
pub use picture::{Hands, Picture};
pub use ready::{Checked, Explored, MAX_TASKS, OnProgress, Ready};
pub use serial::Serial;
pub use stage::BACKGROUND;
pub use sweeps::Sweeps;
pub use told::Told;
pub use words::FinalState;
