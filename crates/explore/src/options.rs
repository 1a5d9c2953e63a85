//! How to explore.

use std::time::Duration;

/// How interleavings are gone through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Every state once: where each task stands and what all objects contain. The quickest by far; relies on
    /// fingerprints that tell all that tasks may base a decision on.
    #[default]
    StateCache,
    /// Source-DPOR with sleep sets: one execution of each class that differs in the order of independent steps
    /// only. Relies on nothing but the steps themselves.
    Dpor,
    /// Every execution.
    Dfs,
    /// So many executions, each chosen by chance; never exhausts anything.
    Random {
        /// The seed of the choices.
        seed: u64,
        /// How many executions.
        executions: u64,
    },
}

/// The options of an [`Explorer`](crate::Explorer).
#[derive(Clone, Debug)]
pub struct Options {
    /// How interleavings are gone through.
    pub strategy: Strategy,
    /// The time after which the exploration stops and says that it is not exhausted.
    pub budget: Option<Duration>,
    /// The number of executions after which it stops likewise.
    pub max_executions: Option<u64>,
    /// The steps after which an execution is called a livelock.
    pub max_steps: usize,
    /// Whether the first violation ends the exploration.
    pub stop_at_first: bool,
    /// Whether violations are shown by an execution with the fewest context switches.
    pub shrink: bool,
    /// The most time that the search for such an execution may take, for all violations together.
    pub shrink_budget: Duration,
    /// The size of a task's stack, in bytes.
    pub stack: usize,
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
            stack: 256 * 1024,
        }
    }
}
