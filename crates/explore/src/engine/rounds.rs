//! Walks over as few states as show everything, in rounds: each knows what the ones before learned.
//!
//! This module knows nothing of states: `cache` walks over them.

use super::cache::{Walked, every_state, over_all};
use super::collect::{Collector, End, Limits, Searched};
use super::executor::Executor;
use super::futures::Futures;
use super::mistakes::Mistake;
use super::reach::Reach;
use super::warm;
use crate::verdict;

/// Keeps what a round found that is begun anew. (What seemed to go on for ever may only have lacked a place where others
/// go first.)
pub(crate) fn keep(executor: &Executor<'_, '_>, limits: &mut Limits<'_>, dropped: Collector) {
    let learned = &executor.conductor.control.borrow().learned;
    limits.keep(dropped, |finding| learned.findings.get(finding).verdict == verdict::LIVELOCK);
}

/// Walks over as few states as show everything ([`persistent`]), again and again, until nothing was learned that would
/// have had it look at more.
pub(crate) fn search(
    executor: &mut Executor<'_, '_>,
    limits: &mut Limits<'_>,
    (mistake, reach): (Option<Mistake>, Reach),
) -> Searched {
    let mut futures = Futures::new(mistake, reach);
    let (mut warm, mut patience) = (false, reach.patience);
    loop {
        if executor.conductor.control.borrow().learned.cyclic {
            return every_state(executor, limits);
        }
        let bounds = if warm { (0, u64::MAX, patience) } else { (reach.plain, reach.cold, u64::MAX) };
        let Walked { searched, left_out, again } = over_all(executor, limits, &mut futures, bounds);
        if again {
            // Once: what is learned later is mended.
            patience = u64::MAX;
            keep(executor, limits, searched.collector);
            continue;
        }
        if searched.end == End::Cut && !warm && searched.states >= reach.cold {
            keep(executor, limits, searched.collector);
            warm::up(executor, limits, reach, warm::LITTLE);
            warm = true;
            continue;
        }
        let mut control = executor.conductor.control.borrow_mut();
        let learned = &mut control.learned;
        if searched.end == End::Restart && learned.cyclic {
            learned.restart = false;
            drop(control);
            keep(executor, limits, searched.collector);
            continue;
        }
        if searched.end != End::Exhausted || learned.problem.is_some() {
            return searched;
        }
        if !left_out {
            return searched;
        }
        let tasks = learned.names.len();
        if !learned.entangled
            && mistake != Some(Mistake::HiddenDeadlocks)
            && learned.graph.is_entangled(tasks)
        {
            learned.entangled = true;
            drop(control);
            keep(executor, limits, searched.collector);
            continue;
        }
        if !futures.take_grown(&learned.automaton, &learned.objects, !learned.entangled) {
            return searched;
        }
        drop(control);
        keep(executor, limits, searched.collector);
    }
}
