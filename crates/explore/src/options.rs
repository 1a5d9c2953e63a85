//! How to explore. This module knows nothing of how what it names is done.

use std::time::Duration;

pub use crate::engine::mistakes::Mistake;
pub use crate::engine::reach::Reach;

/// How interleavings are gone through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// States: where each task stands and what all objects contain, each once, and as few as show all outcomes and
    /// all that is wrong. The quickest by far; relies on
    /// fingerprints that tell all that tasks may base a decision on.
    #[default]
    StateCache,
    /// Every state once, with nothing left out: what the state cache is checked by. Relies on fingerprints as well, and
    /// on nothing that was learned of what tasks may do.
    EveryState,
    /// Source-DPOR with sleep sets: one execution of each class that differs in the order of independent steps
    /// only. Relies on nothing but the steps themselves.
    Dpor,
    /// Depth-first search: every execution, whatever it differs in from others. For small programs, and for checks of
    /// the other strategies.
    Dfs,
    /// Executions whose steps are chosen by chance; a search that never exhausts anything.
    Random {
        /// The number that the choices follow from: the same for the same number.
        seed: u64,
        /// How many executions are run.
        executions: u64,
    },
}

/// Whether checkpoints, marks and looks are taken at their word.
///
/// A task that passes a checkpoint, a mark or a look promises that what it does from there on depends on the key alone.
/// The state cache relies on it: what the task did after one past counts for all pasts that lead to the same key. A
/// key that leaves something out hides executions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audit {
    /// They are taken at their word.
    Off,
    /// At each place that tasks come to by a checkpoint, a mark or a look, so many different pasts are followed up to the
    /// next one: what the task does is executed for real after each of them. If it does different things though it
    /// observes the same, the report says so, and is never `clean`. Pasts beyond that number are taken for the first.
    Histories(u32),
}

impl Default for Audit {
    /// Two pasts in builds with debug assertions, none in others.
    fn default() -> Self {
        if cfg!(debug_assertions) { Audit::Histories(2) } else { Audit::Off }
    }
}

/// The options of an [`Explorer`](crate::Explorer).
#[derive(Clone, Debug)]
pub struct Options {
    /// How interleavings are gone through.
    pub strategy: Strategy,
    /// The time after which the exploration stops and says that it is not exhausted; `None` for as long as it takes.
    pub budget: Option<Duration>,
    /// The number of executions after which it stops likewise; the state cache, which counts states, has no such bound.
    pub max_executions: Option<u64>,
    /// The number of steps after which an execution is called a livelock.
    pub max_steps: usize,
    /// Whether the first violation ends the exploration.
    pub stop_at_first: bool,
    /// Whether violations are shown by an execution with the fewest context switches.
    pub shrink: bool,
    /// The most time that the search for such an execution may take, for all violations together.
    pub shrink_budget: Duration,
    /// Whether checkpoints, marks and looks are taken at their word (the state cache only).
    pub audit: Audit,
    /// The most time that the audit may take; if it takes longer, it ends unfinished
    /// ([`AuditReport::finished`](crate::AuditReport::finished)), and nothing else changes.
    pub audit_budget: Duration,
    /// The size of a task's stack, in bytes.
    pub stack: usize,
    /// A mistake to make on purpose, for tests of the tests.
    #[doc(hidden)]
    pub mistake: Option<Mistake>,
    /// How far the search goes before it does what only large programs need, for the same.
    #[doc(hidden)]
    pub reach: Reach,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            strategy: Strategy::StateCache,
            budget: None,
            max_executions: None,
            max_steps: 10_000,
            stop_at_first: false,
            shrink: true,
            shrink_budget: Duration::from_secs(20),
            audit: Audit::default(),
            audit_budget: Duration::from_secs(10),
            stack: fibers::DEFAULT_STACK,
            mistake: None,
            reach: Reach::default(),
        }
    }
}
