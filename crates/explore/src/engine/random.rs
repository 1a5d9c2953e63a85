//! Executions chosen by chance. This module knows nothing of what they show.

use super::executions::Scheduler;
use super::executor::Executor;
use super::mode::Mode;
use super::tasks::members;

/// Chooses each step by chance; in half of the executions a task goes on with a chance of its own, so that long runs
/// by one task occur, too.
pub(crate) struct Chance {
    random: Random,
    begun: u64,
    executions: u64,
    /// The chance, in sixteenths, that a task goes on.
    stay: u32,
    last: Option<usize>,
    /// The most steps of an execution.
    deepest: usize,
    mode: Mode,
}

impl Chance {
    /// So many executions, by these choices.
    pub(crate) fn new(seed: u64, executions: u64) -> Self {
        Chance {
            random: Random(seed),
            begun: 0,
            executions,
            stay: 0,
            last: None,
            deepest: 0,
            mode: Mode::Plain,
        }
    }

    /// The same; what tasks do is learned.
    pub(crate) fn learning(seed: u64, executions: u64) -> Self {
        Chance { mode: Mode::Learn, ..Chance::new(seed, executions) }
    }
}

impl Scheduler for Chance {
    const PATIENCE: u32 = 16;

    fn mode(&self) -> Mode {
        self.mode
    }

    fn next_execution(&mut self) -> bool {
        if self.begun == self.executions {
            return false;
        }
        self.begun += 1;
        self.stay = if self.random.below(2) == 0 { 0 } else { self.random.below(16) };
        self.last = None;
        true
    }

    fn next_task(&mut self, executor: &Executor<'_, '_>) -> Option<usize> {
        let enabled = executor.enabled();
        if enabled == 0 {
            return None;
        }
        let task = match self.last {
            Some(last) if enabled >> last & 1 == 1 && self.random.below(16) < self.stay => last,
            _ => {
                let pick = self.random.below(enabled.count_ones());
                members(enabled).nth(pick as usize).expect("one of them")
            }
        };
        self.last = Some(task);
        Some(task)
    }

    fn ended(&mut self, executor: &Executor<'_, '_>) {
        self.deepest = self.deepest.max(executor.conductor.control.borrow().run.taken.len());
    }

    fn is_exhaustive(&self) -> bool {
        false
    }

    fn progress(&self) -> (usize, f64) {
        (self.deepest, self.begun as f64 / self.executions as f64)
    }
}

/// A small generator (splitmix64); the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number below `bound`.
    fn below(&mut self, bound: u32) -> u32 {
        (((self.next() >> 32) * u64::from(bound)) >> 32) as u32
    }
}
