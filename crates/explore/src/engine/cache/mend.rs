//! Goes back to states whose choice relied on what holds no more, and chooses again.
//!
//! A walk that has ended took from each of its states the tasks that were enough by what was known then. Most of it is
//! enough by what is known now, too: only where a [claim](super::super::claims) was relied on that holds no more, other
//! tasks may be needed. These states are walked to again, along the steps by which they were first come to; their
//! tasks are chosen again, and what was not walked before is walked. When no claim is broken any more, every state's
//! set is enough by all that was learned, as if it had been known from the beginning; only that more tasks than were
//! needed may have been taken where less was known.
//!
//! That holds where there are no cycles. In what a walk sees at once they are found along its stack; here a step may
//! close one with states that were left long ago. In a circle of states each task that moves goes round in its own
//! places, by edges that are known when the circle is closed. So if at most one task can do that, a circle has steps of
//! that task alone, and the last one that is walked of them leads to a state that is known: from there the task is
//! followed, as long as it can go on. If it comes back, the reduction ends.
//!
//! Who can go round is looked up before each pass over what is broken, and only these tasks are followed in it. A pass may
//! learn the very edge by which another task goes round, and walk a circle of that task before anybody knows. So it is
//! looked up again after the pass, by all that was learned: if more tasks can go round than were followed, all that was
//! mended counts for nothing, and the walk begins anew, with its stack. So it does if several tasks can go round before
//! the first pass.
//!
//! This module knows nothing of how sets are chosen.

use super::super::futures::Futures;
use super::super::log::{Entry, Number};
use super::super::persistent;
use super::super::state::{State, walk};
use super::Walk;

/// The most steps of one task that are looked at for whether they lead back.
const LONGEST_ROUND: usize = 10_000;

impl Walk<'_, '_, '_, '_, '_> {
    /// Goes back to where choices relied on what holds no more, and chooses again, until everything holds.
    pub(super) fn mend(&mut self) {
        let Some(reach) = self.futures.as_ref().map(Futures::reach) else { return };
        let mut left = self.visited.len() / reach.mended;
        while !self.is_over() {
            let control = self.executor.conductor.control.borrow();
            let learned = &control.learned;
            let Some(futures) = &mut self.futures else { return };
            let (automaton, objects) = (&learned.automaton, &learned.objects);
            let dropped = futures.drop_broken(automaton, objects, !learned.entangled);
            if let Some(watched) = self.mending
                && futures.more_go_round(watched)
            {
                return futures.give_up();
            }
            if dropped != Some(true) {
                return;
            }
            let broken = self.log.which(|entry| futures.claims.is_dropped(entry.relied));
            if broken.len() as u64 > left {
                return futures.give_up();
            }
            left -= broken.len() as u64;
            self.mending = Some(futures.round().expect("fewer than two"));
            self.cycles = None;
            self.patience = u64::MAX;
            drop(control);
            for number in broken {
                if !self.retrace(number) {
                    return;
                }
                self.choose_again(number);
                self.limits.chosen_again += 1;
                self.run();
                if self.is_over() {
                    return;
                }
            }
        }
    }

    /// Walks to a state that it was in, along the steps by which it first came to it.
    fn retrace(&mut self, number: Number) -> bool {
        let way = self.log.way(number);
        (self.depth, self.frames[0].todo) = (0, 0);
        for (depth, &number) in way.iter().enumerate().skip(1) {
            let Entry { task, points, .. } = *self.log.get(number);
            if self.frames.get(depth).is_none_or(|frame| frame.number != Some(number)) {
                // What stands further up was come to from another state, or by a path that is no longer the present one.
                if let Some(above) = self.frames.get_mut(depth + 1) {
                    above.number = None;
                }
                self.retraces = Some(points.into());
                let came = self.advance(task.into());
                self.retraces = None;
                if !came {
                    return false;
                }
                if self.frames[depth].points != usize::from(points) {
                    // A transaction became shorter: this is another state.
                    self.futures.as_mut().expect("they tell what holds no more").give_up();
                    return false;
                }
            }
            self.depth = depth;
            let frame = &mut self.frames[depth];
            debug_assert!(self.path.len() >= frame.steps, "the path leads to the frame");
            (frame.number, frame.todo, frame.marked) = (Some(number), 0, false);
            self.choices.extend(std::iter::repeat_n(task, points.into()));
        }
        true
    }

    /// Takes the steps from the present state that are chosen by what is known now, and were not taken before.
    fn choose_again(&mut self, number: Number) {
        let control = self.executor.conductor.control.borrow();
        let learned = &control.learned;
        let frame = &mut self.frames[self.depth];
        let enabled = frame.state.enabled(learned);
        let futures = self.futures.as_mut().expect("they tell what holds no more");
        let (automaton, objects) = (&learned.automaton, &learned.objects);
        let chosen = persistent::choose(futures, automaton, objects, &frame.state, enabled, frame.last);
        let entry = self.log.get_mut(number);
        frame.todo = if futures.minds_claims() { chosen & !entry.chosen } else { 0 };
        frame.width = frame.todo.count_ones();
        entry.chosen |= chosen;
        entry.relied = futures.claims.last();
    }

    /// Whether the present state, which has this fingerprint, is come to again by steps of the task alone, as far as they
    /// are known. One that takes very many is taken for one that does.
    pub(super) fn goes_round(&self, task: usize, fingerprint: u64) -> bool {
        let Some(futures) = self.futures.as_ref().filter(|futures| futures.minds_cycles()) else {
            return false;
        };
        let learned = &mut self.executor.conductor.control.borrow_mut().learned;
        let from = &self.frames[self.depth].state;
        let mut state = State::new(from.model.tasks);
        state.copy(from);
        let (mut path, mut found) = (Vec::new(), Vec::new());
        for _ in 0..LONGEST_ROUND {
            if state.enabled(learned) >> task & 1 == 0 {
                return false;
            }
            let bounds = (self.limits.max_steps, futures.reach().points, &mut 0);
            if walk(learned, Some(futures.inside()), &mut state, task, &mut path, &mut found, bounds).is_err()
            {
                return false;
            }
            if state.fingerprint() == fingerprint {
                return true;
            }
            path.clear();
        }
        true
    }
}
