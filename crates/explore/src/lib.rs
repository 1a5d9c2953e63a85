//! Explores every interleaving of tasks that use the typed locks of the crate `locks`.
//!
//! The tasks are ordinary code. They run on stacks of their own, one at a time; at every step (a lock, a try-lock, a
//! wait, …) the explorer decides who goes on. It goes through all decisions that can make a difference, and either
//! proves that nothing is wrong in any of them or shows the execution with the fewest context switches in which
//! something is: a deadlock with its cycle, a data race, a use after free, a livelock, a panic, or whatever the
//! program's own oracles look for.
//!
//! ```
//! use explore::{Explorer, Options, Scene};
//! use locks::{Mutex, Unordered};
//!
//! locks::hierarchy! { mod order { A => B } }
//! type Pair = (Mutex<order::A, u32>, Mutex<order::B, u32>);
//!
//! // Two tasks that take two locks in different orders. (`Unordered` exists for specimens like this one: with the
//! // tokens of `locks::enter` the second order does not compile.)
//! let mut scene = Scene::<Pair>::new(|| (Mutex::new(0, 0), Mutex::new(0, 0)))
//!     .task("forth", |(a, b)| {
//!         let token = Unordered::specimen();
//!         let (_a, _b) = (a.lock_unordered(&token), b.lock_unordered(&token));
//!         "ok".to_owned()
//!     })
//!     .task("back", |(a, b)| {
//!         let token = Unordered::specimen();
//!         let (_b, _a) = (b.lock_unordered(&token), a.lock_unordered(&token));
//!         "ok".to_owned()
//!     });
//! let mut explorer = Explorer::new(Options::default());
//! let report = explorer.run(&mut scene);
//! assert_eq!(report.verdict, "deadlock");
//!
//! let shortest = &report.violations[0];
//! assert_eq!(shortest.finding.what, "forth waits for `B`, held by back; back waits for `A`, held by forth");
//! assert_eq!(shortest.switches, 1);
//!
//! // Its schedule is a short text, and reproduces it step by step.
//! let schedule = shortest.schedule.to_string().parse().unwrap();
//! assert_eq!(explorer.replay(&mut scene, &schedule).unwrap().trace, shortest.trace);
//! ```
//!
//! # What is covered, and why
//! *Scheduling points.* A task can be interrupted before each step that others can tell from its neighbours: taking
//! a lock, trying to, waiting, notifying, updating an oracle's state. A release is told apart only from the moment
//! on at which somebody *tries* to take that lock (else, whoever waits for it can't tell when exactly it came).
//! Accesses to `Tracked` data are told apart only from the moment on at which two of them race (else locks order
//! them, and it doesn't matter where between the locks they come). Both are learned: when the first try-lock or
//! race of an object is met, the exploration begins anew with the finer steps.
//!
//! *The state cache* ([`Strategy::StateCache`]) visits states, each once. A state is, for each task, the fingerprint
//! of all that it observed so far (or of the key of its last `checkpoint`) and its pending step; for each object its
//! holders, waiters and the fingerprint of its contents; and who knows of which access to `Tracked` data. Tasks are
//! deterministic, so two executions that lead to equal states have the same futures. For the same reason a task
//! that observes the same in the same place does the same: each such transition is executed for real once, and
//! remembered. Most interleavings are walked through without executing anything; this is what makes it quick. If a
//! transition that is executed again does something else, or contents change while nobody holds them, the report
//! says so and is never `clean`.
//!
//! *As few states as show everything.* In most states most tasks can as well go later, so not all are taken. Seven
//! things work together, each in a module of its own, with the reason why nothing is missed by it (`engine/`):
//! only what was used counts (`past`; [`locks::mark`]); a set of tasks is enough if nothing that the others may do depends on
//! its steps (`persistent`); what others may do is learned, and ends at locks that the set holds (`futures`); what a choice
//! relied on is kept (`claims`), and where it holds no more it is chosen again (`cache/mend`); from its first
//! lock until it lets one go a task is not interrupted (`transactions`); and some executions by chance teach first what is
//! shared (`warm`). A small search, which would take longer to learn what it could leave out than to take everything, leaves nothing
//! out (`cache/midway`). One in which too much would have to be chosen again is repeated. Where executions can come to a
//! state again, or locks are taken in a circle, the search is repeated without what relies on the contrary.
//! [`Strategy::EveryState`] leaves nothing out: the fuzzer in the tests compares both, DPOR and DFS.
//!
//! *Shared out.* [`Explorer::by_ways`] gives a caller what a search needs that goes to states by the ways that lead to them. Several
//! of them, in threads, processes and machines, can share out one search: they call states by the same fingerprints, and choose
//! the same steps in a state, though each learns in its own order (`engine/ways`).
//!
//! *Checkpoints, marks and looks* are promises: what the task does from there on depends on the key alone. A key that
//! leaves something out hides executions from the state cache, without a word. The audit ([`Audit`]) checks it,
//! for one task at a time: pasts that led to the same key are told apart, what the task does up to the
//! next key is executed for real after each of them, with everything that it may observe, and compared: its steps and
//! their places in the source, the contents that it leaves, what its oracles find, and the next key. With all pasts
//! told apart, a key that makes any difference is found; with the first few, one that makes a difference to these. A
//! correct program is never accused.
//!
//! *Source-DPOR with sleep sets* ([`Strategy::Dpor`]) executes one interleaving of each class that differs in the
//! order of independent steps only. It looks at no contents, so a fingerprint that leaves something out can't
//! mislead it. [`Explorer::cross_check`] lets the two check each other. *DFS* ([`Strategy::Dfs`]) executes all
//! interleavings; a fuzzer in the tests compares all three on random programs.
//!
//! *Oracles* must look at what their own steps order: under a lock, in a `Ghost`, or in [`Program::settled`], which
//! is called whenever watched locks are released and held by readers at most, and makes their releases depend on each other. What is
//! checked anywhere else may be reordered away by DPOR.
//!
//! *Races* are found by what locks order, not by what happened to come first: a failed try-lock, a notification or
//! an oracle's step orders nothing. A race that is possible in any execution of a class is found in the one that is
//! explored.
//!
//! *Livelocks.* An execution with more than [`Options::max_steps`] steps is called one. Where tasks use checkpoints
//! the state cache also finds groups of states in which every task that can take a step anywhere takes one, and from
//! which the tasks may never leave: executions that are fair and never end.
//!
//! # Limits
//! - Memory is sequentially consistent, tasks don't use atomics, and conditions wake all who wait, and nobody else.
//! - Tasks must be deterministic, and must not block outside the hook (files, channels, other threads).
//! - `Clock`s stand still: a sleep is a step that may take any time. Polling in a loop without bound is a livelock
//!   unless the loop has a checkpoint.
//! - Two objects must not have the same level, key and generation.
//! - Destructors must not take locks: when an execution is abandoned, others may hold them.
//! - At most [`MAX_TASKS`] tasks, and 15 read locks of one object by one task at a time; in the state cache at most
//!   256 / (tasks + 1) `Tracked` objects (more, and the report says `unknown`).
//! - Fingerprints have 64 bits. [`Report::collision`] is the chance that two states had the same one.
//! - A checkpoint that leaves something out hides executions from the state cache, unless the audit finds it; so does
//!   a `Hash` that leaves out what tasks decide by. DPOR relies on neither.
//! - The lock-order graph tells of cycles of at most eight locks.

#![forbid(unsafe_code)]

mod cross;
mod engine;
mod explorer;
mod met;
mod options;
mod program;
mod report;
mod scene;
mod schedule;
pub mod verdict;
mod ways;

pub use cross::CrossCheck;
pub use engine::replay::{Followed, ReplayError};
pub use engine::tasks::MAX_TASKS;
pub use explorer::Explorer;
pub use met::{Came, Found, Met};
pub use options::{Audit, Options, Strategy};
#[doc(hidden)]
pub use options::{Mistake, Reach};
pub use program::{Finding, Listener, Outcome, Program, Task};
pub use report::{
    AuditReport, DeadlockReport, LockOrder, OrderEdge, OutcomeReport, Progress, Replay, Report, TraceStep,
    Violation, Waiting,
};
pub use scene::Scene;
pub use schedule::{Schedule, ScheduleError};
pub use ways::{Walked, Ways};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
