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
use crate::report::Progress;

/// The executions after which it is looked at how much they taught, and the most of such batches.
const BATCH: u64 = 50;
const BATCHES: u64 = 60;

/// The most steps of an execution: longer ones may never end.
const STEPS: usize = 20_000;

/// Runs executions by chance until they teach next to nothing.
pub(crate) fn up(executor: &mut Executor<'_, '_>, limits: &mut Limits<'_>) {
    let mut chance = Chance::learning(7, BATCH * BATCHES);
    executor.set_mode(chance.mode());
    let mut known = 0;
    for _ in 0..BATCHES {
        let mut restarts = false;
        for _ in 0..BATCH {
            chance.next_execution();
            limits.warm_up += 1;
            execute(executor, &mut chance, STEPS.min(limits.max_steps));
            let learned = &mut executor.conductor.control.borrow_mut().learned;
            restarts |= std::mem::take(&mut learned.restart);
            let late =
                limits.tick(1, |elapsed| Progress { executions: 0, states: 0, depth: 0, elapsed, done: 0.0 });
            if learned.problem.is_some() || late {
                return;
            }
        }
        let edges = executor.conductor.control.borrow().learned.automaton.edges_len();
        if !restarts && edges - known <= edges / 50 {
            return;
        }
        known = edges;
    }
}
