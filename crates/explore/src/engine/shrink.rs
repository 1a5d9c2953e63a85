//! The execution with the fewest context switches that shows a violation.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::cache::Walk;
use super::collect::{End, Limits, Path};
use super::executor::Executor;
use super::tree::Tree;
use crate::options::Options;

/// For each of these findings the path with the fewest context switches, as far as the time allows; with each,
/// whether it is proven to have the fewest.
pub(crate) fn fewest(
    executor: &mut Executor<'_, '_>,
    options: &Options,
    wanted: &[u32],
) -> FxHashMap<u32, (Path, bool)> {
    let deadline = Instant::now() + options.shrink_budget;
    let mut found = FxHashMap::default();
    let problem = executor.conductor.control.borrow_mut().problem.take();
    search(executor, options, wanted, deadline, &mut found, true);
    let unsound = executor.conductor.control.borrow_mut().problem.take().is_some();
    if unsound {
        found.clear();
    }
    if found.len() < wanted.len() {
        search(executor, options, wanted, deadline, &mut found, false);
    }
    executor.conductor.control.borrow_mut().problem = problem;
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
        let (violations, hit, end) = if cached {
            let mut walk = Walk::bounded(executor, &mut limits, bound, left.clone());
            let end = walk.run();
            (std::mem::take(&mut walk.collector.violations), walk.bound_hit(), end)
        } else {
            let mut tree = Tree::bounded(executor, &mut limits, bound, left.clone());
            let end = tree.run();
            (std::mem::take(&mut tree.collector.violations), tree.bound_hit, end)
        };
        if std::mem::take(&mut executor.conductor.control.borrow_mut().restart) {
            return;
        }
        let mut met = 0;
        for (finding, path, _) in violations {
            if left.contains(&finding) {
                found.insert(finding, (path, proven));
                met += 1;
            }
        }
        // Cut short before all was found: what is found later may not be the best.
        proven &= met == count || end == End::Exhausted;
        if !hit {
            return;
        }
    }
}
