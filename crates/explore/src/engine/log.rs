//! The states that a walk took steps from, in a form in which each can be found again.
//!
//! An entry says from which state a state was first come to and by which step; what was chosen there; and what the
//! choice relied on. This module knows nothing of states, nor of how they are walked to.

use super::claims::Relied;
use super::tasks::Tasks;

/// A state's number.
pub(crate) type Number = u32;

/// A state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The state before; the first one has itself.
    pub before: Number,
    /// The step's task.
    pub task: u8,
    /// How many places before which others could go it ran through, and the one that it began at.
    pub points: u8,
    /// The tasks whose steps were taken from there.
    pub chosen: Tasks,
    pub relied: Relied,
}

/// The states of a walk.
#[derive(Default)]
pub(crate) struct Log(Vec<Entry>);

impl Log {
    /// Adds a state.
    #[inline]
    pub(crate) fn add(&mut self, entry: Entry) -> Number {
        self.0.push(entry);
        (self.0.len() - 1) as Number
    }

    pub(crate) fn get(&self, number: Number) -> &Entry {
        &self.0[number as usize]
    }

    pub(crate) fn get_mut(&mut self, number: Number) -> &mut Entry {
        &mut self.0[number as usize]
    }

    /// The states of which this is so.
    pub(crate) fn which(&self, so: impl Fn(&Entry) -> bool) -> Vec<Number> {
        let all = self.0.iter().enumerate();
        all.filter(|(_, entry)| so(entry)).map(|(number, _)| number as Number).collect()
    }

    /// The states from the first one to this one.
    pub(crate) fn way(&self, number: Number) -> Vec<Number> {
        let mut way = vec![number];
        let mut at = number;
        while self.get(at).before != at {
            at = self.get(at).before;
            way.push(at);
        }
        way.reverse();
        way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_begins_at_the_first_state() {
        let entry = |before, chosen| Entry { before, task: 0, points: 1, chosen, relied: Relied::default() };
        let mut log = Log::default();
        let first = log.add(entry(0, 1));
        let second = log.add(entry(first, 2));
        log.add(entry(first, 2));
        let last = log.add(entry(second, 1));
        assert_eq!(log.way(last), [first, second, last]);
        log.get_mut(second).chosen |= 1;
        assert_eq!(log.which(|entry| entry.chosen == 2), [2]);
    }
}
