//! Executions chosen by chance.

use super::collect::{Collector, End, Limits};
use super::deadlock::Deadlock;
use super::executor::Executor;
use super::model::members;
use crate::report::Progress;

/// Runs executions in which each step is by a task chosen by chance; in half of them a task goes on with a chance
/// of its own, so that long runs by one task occur, too.
pub(crate) fn search(
    executor: &mut Executor<'_, '_>,
    limits: &mut Limits<'_>,
    collector: &mut Collector,
    seed: u64,
    executions: u64,
) -> (End, usize) {
    executor.conductor.control.borrow_mut().recording = false;
    let mut random = Random(seed);
    let mut deepest = 0;
    for number in 0..executions {
        let endless = execute(executor, limits, collector, &mut random);
        deepest = deepest.max(executor.conductor.control.borrow().events.len());
        if executor.conductor.control.borrow().restart {
            return (End::Restart, deepest);
        }
        let found = !collector.violations.is_empty();
        let done = number as f64 / executions as f64;
        let progress = |elapsed| Progress { executions: number, states: 0, depth: deepest, elapsed, done };
        let late = limits.tick(16, progress);
        if endless || late || (found && limits.stop_at_first) || number >= limits.max_executions {
            break;
        }
    }
    (End::Cut, deepest)
}

/// Runs one; `true` if it does not end.
fn execute(
    executor: &mut Executor<'_, '_>,
    limits: &Limits<'_>,
    collector: &mut Collector,
    random: &mut Random,
) -> bool {
    executor.begin();
    let stay = if random.below(2) == 0 { 0 } else { random.below(16) };
    let mut last = None;
    let endless = loop {
        let enabled = executor.enabled();
        if enabled == 0 {
            break false;
        }
        let control = executor.conductor.control.borrow();
        if control.overrun || control.events.len() > limits.max_steps {
            break !control.restart;
        }
        drop(control);
        let task = match last {
            Some(last) if enabled >> last & 1 == 1 && random.below(16) < stay => last,
            _ => {
                let pick = random.below(enabled.count_ones());
                members(enabled).nth(pick as usize).expect("one of them")
            }
        };
        last = Some(task);
        executor.step(task);
    };
    collector.executions += 1;
    let control = executor.conductor.control.borrow();
    let path: Vec<u8> = control.events.iter().map(|event| event.task).collect();
    for &(finding, steps) in &control.found {
        collector.violation(finding, &path[..steps]);
    }
    drop(control);
    if endless {
        let finding = super::cache::livelock(limits.max_steps);
        let number = executor.conductor.control.borrow_mut().finding(finding);
        collector.violation(number, &path);
    } else if executor.enabled() == 0 {
        ended(executor, collector, &path);
    }
    endless
}

fn ended(executor: &mut Executor<'_, '_>, collector: &mut Collector, path: &[u8]) {
    let stuck = executor.unfinished();
    let mut findings = Vec::new();
    if stuck == 0 {
        let (results, outcome) = executor.finish();
        findings.clone_from(&outcome.findings);
        collector.outcome(results, outcome, path);
    } else {
        let control = executor.conductor.control.borrow();
        let deadlock = Deadlock::of(&control.model, &control.pending, stuck);
        findings.push(deadlock.finding(&control.objects, &control.names));
    }
    for finding in findings {
        let number = executor.conductor.control.borrow_mut().finding(finding);
        collector.violation(number, path);
    }
}

/// A small generator (splitmix64); the same on every machine.
pub(crate) struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        (((self.next() >> 32) * u64::from(bound)) >> 32) as u32
    }
}
