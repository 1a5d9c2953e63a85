//! The execution with the fewest context switches that shows a violation.
//!
//! This module knows nothing of states or choices: it has the searches look again, with growing bounds.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::cache;
use super::collect::{End, Limits, Path, Searched};
use super::executions;
use super::executor::Executor;
use super::tree::Tree;
use crate::options::Options;

/// For each of these findings the path with the fewest context switches, as far as the `time` for all allows; with each,
/// whether it is proven to have the fewest.
pub(crate) fn fewest(
    executor: &mut Executor<'_, '_>,
    options: &Options,
    wanted: &[u32],
    time: Duration,
) -> FxHashMap<u32, (Path, bool)> {
    let deadline = Instant::now() + time;
    let mut found = FxHashMap::default();
    let problem = executor.conductor.control.borrow_mut().learned.problem.take();
    search(executor, options, wanted, deadline, &mut found, true);
    let unsound = executor.conductor.control.borrow_mut().learned.problem.take().is_some();
    if unsound {
        found.clear();
    }
    if found.len() < wanted.len() {
        search(executor, options, wanted, deadline, &mut found, false);
    }
    executor.conductor.control.borrow_mut().learned.problem = problem;
    found
}

/// Looks with growing bounds, on states or on real executions.
fn search(
    executor: &mut Executor<'_, '_>,
    options: &Options,
    wanted: &[u32],
    deadline: Instant,
    found: &mut FxHashMap<u32, (Path, bool)>,
    cached: bool,
) {
    let mut proven = true;
    for bound in 0.. {
        let left: Vec<u32> = wanted.iter().copied().filter(|wanted| !found.contains_key(wanted)).collect();
        let time = deadline.saturating_duration_since(Instant::now());
        if left.is_empty() || time == Duration::ZERO {
            return;
        }
        let options = Options { budget: Some(time), stop_at_first: false, ..options.clone() };
        let mut limits = Limits::new(&options, None);
        let count = left.len();
        let searched = if cached {
            cache::bounded(executor, &mut limits, bound, left.clone())
        } else {
            let mut tree = Tree::bounded(bound);
            let searched = executions::search(executor, &mut limits, &mut tree, Some(left.clone()));
            Searched { bounded: tree.bound_hit, ..searched }
        };
        if std::mem::take(&mut executor.conductor.control.borrow_mut().learned.restart) {
            return;
        }
        let mut met = 0;
        for (finding, path, _) in searched.collector.violations {
            if left.contains(&finding) {
                found.insert(finding, (path, proven));
                met += 1;
            }
        }
        // Cut short before all was found: what is found later may not be the best.
        proven &= met == count || searched.end == End::Exhausted;
        if !searched.bounded {
            return;
        }
    }
}
