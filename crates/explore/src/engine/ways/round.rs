//! Whether tasks go round from a state and come back to it.
//!
//! In a circle of states each task that moves goes round in its places. So only tasks whose automata have circles, by what
//! all learned, can move in one; mostly there is one such task, or none. From a state to which such a task came by a
//! checkpoint these tasks alone are followed, along a stack, and what is walked is a graph of its own (`cycles`).
//!
//! Knows where the walk is; not which states others have met.

use rustc_hash::FxHashSet;

use super::{Frame, Ways};
use crate::engine::collect::Path;
use crate::engine::cycles::Cycles;
use crate::engine::state::State;
use crate::engine::tasks::members;
use crate::met::Found;
use crate::program::Finding;

/// The most states that are looked at from one.
const MOST: usize = 20_000;

impl Ways<'_, '_, '_> {
    /// That tasks go round for ever from the state after the present one, to which this task came, if they do.
    pub(super) fn goes_round(&mut self, task: usize) -> Result<Option<Found>, String> {
        let next = &self.frames[self.depth + 1].state;
        if self.rules.rounders >> task & 1 == 0 || !next.returns {
            return Ok(None);
        }
        let found = self.around(task)?;
        Ok(found.map(|(finding, _)| Found::of(&finding)))
    }

    /// The same in full, with the path that closes the circle.
    pub(super) fn around(&mut self, task: usize) -> Result<Option<(Finding, Path)>, String> {
        if self.rules.rounders >> task & 1 == 0 {
            return Ok(None);
        }
        let (depth, found, path) = (self.depth, std::mem::take(&mut self.found), self.path.clone());
        self.depth += 1;
        let round = self.follow_round();
        (self.depth, self.found) = (depth, found);
        self.path = path;
        round
    }

    fn follow_round(&mut self) -> Result<Option<(Finding, Path)>, String> {
        let bottom = self.depth;
        let (mut cycles, mut met) = (Cycles::default(), FxHashSet::default());
        let mut todo = vec![self.entered(&mut cycles, &mut met)];
        loop {
            let top = todo.last_mut().expect("the first is left last");
            let Some(task) = members(*top).next() else {
                todo.pop();
                let last = (self.depth > bottom).then(|| self.frames[self.depth].task.into());
                self.round |= last.is_none() && cycles.comes_back();
                let endless = cycles.leave(last);
                if self.depth > bottom {
                    // Whatever goes round further on is met from there.
                    self.depth -= 1;
                    self.path.truncate(self.frames[self.depth].steps);
                    continue;
                }
                let names = &self.executor.conductor.control.borrow().learned.names;
                return Ok(endless.map(|endless| (endless.finding(names), endless.path)));
            };
            *top &= !(1 << task);
            if !self.advance(task)? {
                continue;
            }
            let print = self.print() as u64;
            if met.contains(&print) {
                cycles.meets(print, task, &self.path);
                self.path.truncate(self.frames[self.depth].steps);
                continue;
            }
            if met.len() >= MOST {
                return Err(format!(
                    "several tasks go round in more than {MOST} states, which this search does not follow: explore it \
                     without --workers, --hosts and --checkpoint"
                ));
            }
            self.depth += 1;
            todo.push(self.entered(&mut cycles, &mut met));
        }
    }

    /// Enters the present state; gives the tasks that are followed from it.
    fn entered(&mut self, cycles: &mut Cycles, met: &mut FxHashSet<u64>) -> u16 {
        self.depth -= 1;
        let print = self.print() as u64;
        self.depth += 1;
        met.insert(print);
        let enabled = self.enabled();
        cycles.enter(print, enabled);
        if self.frames.len() == self.depth + 1 {
            let state = State::new(self.frames[0].state.model.tasks);
            self.frames.push(Frame::new(state));
        }
        enabled & self.rules.rounders
    }
}
