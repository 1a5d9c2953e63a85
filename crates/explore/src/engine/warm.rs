//! A warm-up: some executions by chance, before the search.
//!
//! What is learned late costs most: that a second task uses an object makes a search begin anew, and one that met it after
//! minutes has lost them; what tasks may do later is known only from what they were seen to do. Executions by chance show most
//! of both within milliseconds. They prove nothing, and what they find is found again. This module knows nothing of
//! searches.

use super::collect::Limits;
use super::executions::{Scheduler, execute};
use super::executor::Executor;
use super::random::Chance;
use super::reach::Reach;
use crate::report::Progress;

/// The executions after which it is looked at how much they taught.
const BATCH: u64 = 50;

/// What is next to nothing for a search that goes back to where it knew too little: one of so many edges.
pub(crate) const LITTLE: usize = 50;

/// The same for a search that begins anew then.
pub(crate) const LEAST: usize = 1_000;

/// Runs executions by chance until a batch of them teaches next to nothing.
pub(crate) fn up(executor: &mut Executor<'_, '_>, limits: &mut Limits<'_>, reach: Reach, nothing: usize) {
    let mut chance = Chance::learning(7, reach.warm);
    executor.set_mode(chance.mode());
    let (mut known, mut left) = (0, reach.warm);
    while left > 0 {
        let mut restarts = false;
        let batch = left.min(BATCH);
        left -= batch;
        for _ in 0..batch {
            chance.next_execution();
            limits.warm_up += 1;
            execute(executor, &mut chance, reach.steps.min(limits.max_steps));
            let learned = &mut executor.conductor.control.borrow_mut().learned;
            restarts |= std::mem::take(&mut learned.restart);
            let late =
                limits.tick(1, |elapsed| Progress { executions: 0, states: 0, depth: 0, elapsed, done: 0.0 });
            if learned.problem.is_some() || late {
                return;
            }
        }
        let edges = executor.conductor.control.borrow().learned.automaton.edges_len();
        if !restarts && edges - known <= edges / nothing {
            return;
        }
        known = edges;
    }
}
