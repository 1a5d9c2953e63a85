//! Searches that consist of real executions, one after the other, each from the beginning.
//!
//! A [`Scheduler`] says which task goes next. This module executes, and gathers what is found on the way and at the
//! end. It knows nothing of why a scheduler chooses as it does.

use super::collect::{Collector, End, Limits, Searched};
use super::deadlock::Deadlock;
use super::executor::Executor;
use super::findings;
use super::mode::Mode;
use crate::report::Progress;

/// Who goes next.
///
/// For each execution [`Scheduler::next_execution`] is called, then [`Scheduler::next_task`] before and
/// [`Scheduler::stepped`] after every step that others could go before, and [`Scheduler::ended`] at the end.
pub(crate) trait Scheduler {
    /// After how many executions it is worth looking at the clock.
    const PATIENCE: u32;

    /// How executions are run.
    fn mode(&self) -> Mode;

    /// Prepares for the next execution; `false` if there is none.
    fn next_execution(&mut self) -> bool;

    /// Chooses one of the tasks that can go on; `None` ends the execution where it stands.
    fn next_task(&mut self, executor: &Executor<'_, '_>) -> Option<usize>;

    /// The task that was chosen took its step, and all that follow at once.
    fn stepped(&mut self, _executor: &Executor<'_, '_>) {}

    /// The execution has come to its end.
    fn ended(&mut self, _executor: &Executor<'_, '_>) {}

    /// Whether all has been seen when there is no execution left.
    fn is_exhaustive(&self) -> bool {
        true
    }

    /// How deep the search is, and a guess at the share of it that is done.
    fn progress(&self) -> (usize, f64) {
        (0, 0.0)
    }
}

/// Goes through all executions that the scheduler wants.
pub(crate) fn search(
    executor: &mut Executor<'_, '_>,
    limits: &mut Limits<'_>,
    scheduler: &mut impl Scheduler,
    wanted: Option<Vec<u32>>,
) -> Searched {
    let mut collector = Collector::new(limits.stop_at_first, wanted);
    executor.set_mode(scheduler.mode());
    let end = all(executor, limits, scheduler, &mut collector);
    executor.abandon();
    Searched { collector, end, states: 0, bounded: false }
}

fn all<S: Scheduler>(
    executor: &mut Executor<'_, '_>,
    limits: &mut Limits<'_>,
    scheduler: &mut S,
    collector: &mut Collector,
) -> End {
    let mut late = false;
    while scheduler.next_execution() {
        if late {
            return End::Cut;
        }
        execute(executor, scheduler, limits.max_steps);
        scheduler.ended(executor);
        gather(executor, limits.max_steps, collector);
        if executor.conductor.control.borrow().learned.restart {
            return End::Restart;
        }
        let executions = collector.executions;
        late = limits.tick(S::PATIENCE, |elapsed| {
            let (depth, done) = scheduler.progress();
            Progress { executions, states: 0, depth, elapsed, done }
        });
        late |= executions >= limits.max_executions;
        if collector.cut {
            return End::Cut;
        }
    }
    if scheduler.is_exhaustive() { End::Exhausted } else { End::Cut }
}

/// Executes from the beginning as the scheduler says, until it wants no more or there are more steps than may be.
pub(crate) fn execute(executor: &mut Executor<'_, '_>, scheduler: &mut impl Scheduler, max_steps: usize) {
    executor.begin();
    while !is_too_long(executor, max_steps) {
        let Some(task) = scheduler.next_task(executor) else { return };
        executor.step(task);
        scheduler.stepped(executor);
    }
}

fn is_too_long(executor: &Executor<'_, '_>, max_steps: usize) -> bool {
    let run = &executor.conductor.control.borrow().run;
    run.overrun || run.taken.len() > max_steps
}

/// Gathers what an execution that has come to its end shows.
fn gather(executor: &mut Executor<'_, '_>, max_steps: usize, collector: &mut Collector) {
    let (path, found, restart) = {
        let control = executor.conductor.control.borrow();
        (control.run.path(), control.run.found.clone(), control.learned.restart)
    };
    collector.executions += 1;
    collector.deepest = collector.deepest.max(path.len());
    for (finding, steps) in found {
        collector.violation(finding, &path[..steps]);
    }
    if is_too_long(executor, max_steps) {
        if !restart {
            let number =
                executor.conductor.control.borrow_mut().learned.finding(findings::endless(max_steps));
            collector.violation(number, &path);
            collector.cut = true;
        }
    } else if executor.enabled() == 0 {
        end(executor, collector, &path);
    } else {
        executor.drain(1000);
    }
}

/// Looks at the end of an execution in which no task can go on.
fn end(executor: &mut Executor<'_, '_>, collector: &mut Collector, path: &[u8]) {
    let stuck = executor.unfinished();
    if stuck != 0 {
        let control = &mut *executor.conductor.control.borrow_mut();
        let deadlock = Deadlock::of(&control.run.model, &control.run.pending, stuck);
        let finding = deadlock.finding(&control.learned.objects, &control.learned.names);
        return collector.violation(control.learned.finding(finding), path);
    }
    let (results, outcome) = executor.finish();
    for finding in &outcome.findings {
        let number = executor.conductor.control.borrow_mut().learned.finding(finding.clone());
        collector.violation(number, path);
    }
    collector.outcome(results, outcome, path);
}
