//! What a search gathers: outcomes and violations, each with the path that led there, and when it must stop.
//!
//! This module knows nothing of how a search goes about it.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::program::Outcome;

/// The tasks of the steps of an execution.
pub(crate) type Path = Vec<u8>;

/// A way in which executions end, and one that ends so.
pub(crate) struct Seen {
    pub results: Vec<String>,
    pub state: String,
    pub executions: u64,
    pub path: Path,
}

/// A finding's number, the path with the fewest context switches by which it was met, and how often it was met.
pub(crate) type Met = (u32, Path, u64);

/// What was gathered so far.
#[derive(Default)]
pub(crate) struct Collector {
    pub outcomes: Vec<Seen>,
    by_outcome: FxHashMap<(Vec<String>, String), usize>,
    /// Findings in the order in which they were made.
    pub violations: Vec<Met>,
    by_finding: FxHashMap<u32, usize>,
    pub executions: u64,
    /// The most steps of an execution.
    pub deepest: usize,
    /// Whether any violation ends the search.
    stop_at_first: bool,
    /// The findings that are looked for, if the search ends when they are found.
    wanted: Option<Vec<u32>>,
    /// The search must end: what was wanted is found, or going on makes no sense.
    pub cut: bool,
}

impl Collector {
    pub(crate) fn new(stop_at_first: bool, wanted: Option<Vec<u32>>) -> Self {
        Collector { stop_at_first, wanted, ..Collector::default() }
    }

    /// Notes a violation, and the path with the fewest context switches by which it was met.
    pub(crate) fn violation(&mut self, finding: u32, path: &[u8]) {
        self.cut |= self.stop_at_first;
        if let Some(wanted) = &mut self.wanted {
            wanted.retain(|&wanted| wanted != finding);
            self.cut |= wanted.is_empty();
        }
        let next = self.violations.len();
        let index = *self.by_finding.entry(finding).or_insert(next);
        if index == next {
            self.violations.push((finding, path.to_vec(), 1));
            return;
        }
        let (_, best, count) = &mut self.violations[index];
        *count += 1;
        if (switches(path), path.len()) < (switches(best), best.len()) {
            path.clone_into(best);
        }
    }

    /// Notes the end of an execution; gives the outcome's number.
    pub(crate) fn outcome(&mut self, results: Vec<String>, outcome: Outcome, path: &[u8]) -> usize {
        let next = self.outcomes.len();
        let key = (results, outcome.state);
        if let Some(&index) = self.by_outcome.get(&key) {
            self.outcomes[index].executions += 1;
            return index;
        }
        let (results, state) = key.clone();
        self.by_outcome.insert(key, next);
        self.outcomes.push(Seen { results, state, executions: 1, path: path.to_vec() });
        next
    }
}

/// What a search found, and how it ended.
pub(crate) struct Searched {
    pub collector: Collector,
    pub end: End,
    /// How many states it met.
    pub states: u64,
    /// Whether a bound on context switches kept anything from being looked at.
    pub bounded: bool,
}

/// How often consecutive steps are by different tasks.
pub(crate) fn switches(path: &[u8]) -> usize {
    path.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

/// When a search must tell how far it is, and when it must stop.
pub(crate) struct Limits<'a> {
    pub started: Instant,
    pub budget: Option<Duration>,
    pub stop_at_first: bool,
    pub max_steps: usize,
    pub max_executions: u64,
    /// How many executions of a warm-up there were.
    pub warm_up: u64,
    /// In how many states it was chosen again.
    pub chosen_again: u64,
    pub progress: Option<&'a mut dyn FnMut(&crate::report::Progress)>,
    /// What rounds found that were begun anew: their executions were real.
    kept: Vec<Met>,
    ticks: u32,
    shown: Instant,
}

impl<'a> Limits<'a> {
    pub(crate) fn new(
        options: &crate::options::Options,
        progress: Option<&'a mut dyn FnMut(&crate::report::Progress)>,
    ) -> Self {
        let now = Instant::now();
        Limits {
            started: now,
            budget: options.budget,
            stop_at_first: options.stop_at_first,
            max_steps: options.max_steps,
            max_executions: options.max_executions.unwrap_or(u64::MAX),
            warm_up: 0,
            chosen_again: 0,
            progress,
            kept: Vec::new(),
            ticks: 0,
            shown: now,
        }
    }

    /// Keeps what a round found that is begun anew, but for what `leaves` says.
    pub(crate) fn keep(&mut self, dropped: Collector, leaves: impl Fn(u32) -> bool) {
        self.kept.extend(dropped.violations.into_iter().filter(|(finding, ..)| !leaves(*finding)));
    }

    /// Adds what earlier rounds found and the last one did not, which may have been cut short.
    pub(crate) fn give_back(&mut self, collector: &mut Collector) {
        for (finding, path, count) in self.kept.drain(..) {
            if !collector.by_finding.contains_key(&finding) {
                collector.violation(finding, &path);
                let index = collector.by_finding[&finding];
                collector.violations[index].2 = count;
            }
        }
    }

    /// Whether the time is up; looks at the clock every so often only.
    #[inline]
    pub(crate) fn tick(
        &mut self,
        every: u32,
        progress: impl FnOnce(Duration) -> crate::report::Progress,
    ) -> bool {
        self.ticks += 1;
        if self.ticks < every {
            return false;
        }
        self.ticks = 0;
        let now = Instant::now();
        let elapsed = now - self.started;
        if let Some(show) = &mut self.progress
            && now - self.shown >= Duration::from_millis(100)
        {
            self.shown = now;
            show(&progress(elapsed));
        }
        self.budget.is_some_and(|budget| elapsed >= budget)
    }
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// There is nothing more to find.
    Exhausted,
    /// It was cut short: time, executions, the first violation, a bound on steps.
    Cut,
    /// Something was learned of the objects: begin anew.
    Restart,
}

/// The share of a search tree that is done, from how much of each of the first frames is.
pub(crate) fn estimate(frames: impl Iterator<Item = (u32, u32)>) -> f64 {
    let (mut done, mut share) = (0.0, 1.0);
    for (finished, width) in frames.take(40) {
        if width == 0 {
            break;
        }
        share /= f64::from(width);
        done += share * f64::from(finished);
    }
    done.clamp(0.0, 1.0)
}
