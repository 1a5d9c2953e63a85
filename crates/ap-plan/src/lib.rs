//! Planning moves of queues between the host and mediated devices: a host's state and a desired state in, a plan or
//! the reasons for none out.
//!
//! No input, no output, no host: [`State`] is what a plan has to know of one, [`Write`] is a write to its tree, and
//! [`State::after`] says what a write does or why it is refused. A [`Plan`] is writes in an order that no host as it was
//! read refuses. Whether the real rules agree is not this crate's to say: a plan is run on the host's twin before
//! anybody sees it.
//!
//! | module | is for | does not know |
//! | --- | --- | --- |
//! | `state` | a host as far as plans go | where it was read |
//! | `allow` | which guests may lose queues | what they lose |
//! | `write` | writes, what each does, its inverse | what is wanted |
//! | `reason` | why a write is refused | writes, remedies |
//! | `remedy` | the smallest change that would make it possible | plans |
//! | `filter` | why a guest does not get what is assigned | writes |
//! | `rule` | the rules: a name and a sentence each | states, writes |
//! | `reading` | what a text for a file asks for | the rules |
//! | `change` | all that is in the way of a write, and the smallest change that lets it through | what is said |
//! | `cost` | what a change costs: queues that are lost, and writes | what it is for |
//! | `why` | one write explained: queues, owners, rule, change | plans |
//! | `target` | what is wanted, made of a state and a file | writes |
//! | `difference` | in what two hosts' facts differ, in words | what follows from it |
//! | `notes` | what to beware of in a desired file, though nothing is in the way | writes |
//! | `meaning` | what a text for a mask or a matrix means, in ids | hosts |
//! | `obstacle`, `hindrances` | what no plan can do, and finding it | the order of writes |
//! | `proposal` | one mask for a whole target | what else is in the way |
//! | `search` | the fewest writes, in order | texts, reasons |
//! | `overrides` | the same on hosts that give queues by `driver_override` | the order of writes to mdevs |
//! | `plan` | the steps, with why and inverse | the twin |
//! | `fits` | whether mdevs of one host fit another | writes |

#![forbid(unsafe_code)]

pub mod allow;
pub mod change;
pub mod cost;
pub mod difference;
pub mod filter;
pub mod fits;
mod hindrances;
pub mod meaning;
pub mod notes;
pub mod obstacle;
pub mod overrides;
pub mod plan;
mod proposal;
pub mod reading;
pub mod reason;
pub mod remedy;
pub mod rule;
mod search;
pub mod state;
pub mod target;
pub mod why;
pub mod write;

pub use allow::{Allow, Unplug};
pub use change::Change;
pub use cost::Cost;
pub use filter::Filtered;
pub use fits::{Fit, Misfit};
pub use notes::notes;
pub use obstacle::{NoPlan, Obstacle};
pub use plan::{Plan, Step, plan};
pub use reason::{By, Refusal, Unbindable};
pub use remedy::Remedy;
pub use rule::Rule;
pub use state::{Holder, Kernel, Masks, Mdev, Owner, State};
pub use target::Target;
pub use why::{Because, Why, why};
pub use write::{Delta, Store, Write};
