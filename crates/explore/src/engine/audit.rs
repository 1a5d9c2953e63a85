//! The audit of checkpoints, marks and looks.
//!
//! A task that passes a checkpoint, a mark or a look promises that what it does from there on is a function of the key.
//! A walk over states takes its word: what the task did after one past counts for every past that led to the same
//! key. The audit doesn't take its word. For each task that ever forgot something it walks over the states once more
//! and tells some of that task's pasts apart at each place, up to the next place; all others are taken as before. So
//! what the task does there is executed for real after each of these pasts, with everything that it may observe, and
//! compared with what was learned before. This module knows nothing of how a past is kept or compared.

use std::time::{Duration, Instant};

use super::cache;
use super::collect::{End, Limits};
use super::executions::execute;
use super::executor::Executor;
use super::mode::Mode;
use super::problem::{Differs, Problem};
use super::replay::Along;
use super::tasks::members;
use crate::report::AuditReport;

/// Audits all tasks, for so long at most; says how that ended, and what was done.
pub(crate) fn search(
    executor: &mut Executor<'_, '_>,
    limits: &mut Limits<'_>,
    pasts: usize,
    budget: Duration,
) -> (End, AuditReport) {
    let started = Instant::now();
    let until = limits.started.elapsed() + budget;
    let whole = limits.budget.replace(limits.budget.map_or(until, |whole| whole.min(until)));
    let (runs, forgetful) = (executor.begun, executor.conductor.control.borrow().learned.forgetful);
    let (mut states, mut end) = (0, End::Exhausted);
    for task in members(forgetful) {
        let searched = cache::audit(executor, limits, task, pasts);
        states += searched.states;
        end = searched.end;
        if end != End::Exhausted || executor.conductor.control.borrow().learned.problem.is_some() {
            break;
        }
    }
    limits.budget = whole;
    let learned = &executor.conductor.control.borrow().learned;
    let (places, compared, beyond) = learned.pasts.counts();
    let report = AuditReport {
        finished: end == End::Exhausted && learned.problem.is_none(),
        places,
        compared,
        beyond,
        states,
        runs: executor.begun - runs,
        elapsed: started.elapsed(),
    };
    (end, report)
}

/// Looks up where in the source the checkpoint, mark or look stands that a task passed before it did different things:
/// the execution is run once more.
pub(crate) fn locate(executor: &mut Executor<'_, '_>) {
    let sought = match &executor.conductor.control.borrow().learned.problem {
        Some(Problem::Differs(Differs { task, forgot: Some(forgot), path, .. })) => {
            Some(((*task, forgot.times), path.clone()))
        }
        _ => None,
    };
    let Some((sought, path)) = sought else { return };
    executor.set_mode(Mode::Learn);
    executor.conductor.control.borrow_mut().run.sought = Some(sought);
    execute(executor, &mut Along::new(&path, Mode::Learn), usize::MAX);
    let mut control = executor.conductor.control.borrow_mut();
    control.run.sought = None;
    let seen = control.run.seen.take();
    if let Some(Problem::Differs(differs)) = &mut control.learned.problem {
        differs.place = seen;
    }
    drop(control);
    executor.abandon();
}
