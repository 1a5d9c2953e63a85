//! A host read, its twin booted, a plan rehearsed there, applied with lock and journal, taken back.
//!
//! All input and output is behind two traits, [`Tree`](tree::Tree) and [`Desk`](tree::Desk): the same apply runs on a host
//! in this process, in a run and on a real `/sys`. Time passes where they say.
//!
//! | module | is for | does not know |
//! | --- | --- | --- |
//! | `tree` | the traits | who implements them |
//! | `memory` | a desk in memory | files |
//! | `report` | what an apply tells while it is under way | texts |
//! | `lock` | the lock that tools of this kind share | what it guards |
//! | `import` | a tree becomes a machine file and a state | plans |
//! | `beware` | what to beware of in a host that was read | plans |
//! | `twin` | an emulated host that is what was read | the planner |
//! | `promises`, `prove` | a plan on the twin, alone and with others | locks, journals |
//! | `undo` | a step as a journal keeps it | how far an apply is |
//! | `effect` | which steps are in effect, by the files they write | the journal |
//! | `step` | one step: who came, writing, looking | the others |
//! | `error` | why nothing was done | what a user is to do about it |
//! | `apply` | all of it: apply, revert, confirm, recover | files, texts |

#![forbid(unsafe_code)]

pub mod apply;
pub mod beware;
pub mod effect;
pub mod error;
pub mod import;
pub mod lock;
pub mod memory;
pub mod promises;
pub mod prove;
pub mod report;
pub mod step;
pub mod tree;
pub mod twin;
pub mod undo;
