//! What a task's future depends on: what it observed, as far as it counts.
//!
//! A task's past is a fingerprint of all that it observed since its beginning. A checkpoint replaces it by a key; a mark
//! or a look replaces what was observed since by what the task made of it (`locks::mark`). Either way the task comes
//! to a *place*, which is the same for all pasts that lead to the same key. An audit tells some of these pasts apart all
//! the same. This module knows nothing of what is observed, or of the steps.

use locks::hook::Observed;
use rustc_hash::FxHashMap;

use super::mix::mix;

/// Where in an execution a task declared that what it observed no longer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forgot {
    /// How often it had done so in this execution, this time included.
    pub times: u32,
    /// How many steps of all tasks came before.
    pub steps: usize,
}

/// A task's past in the present execution.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Past {
    /// The fingerprint of all that counts.
    pub counts: u64,
    /// What counted after the last checkpoint, and how many there were.
    checkpoint: u64,
    checkpoints: u32,
    /// Where the task last said that something no longer counts.
    pub forgot: Option<Forgot>,
}

impl Past {
    /// The past of a task that has not begun.
    pub(crate) fn new(task: usize) -> Self {
        let root = mix(0xB0A7, task as u64);
        Past { counts: root, checkpoint: root, checkpoints: 0, forgot: None }
    }

    /// Adds what a step let the task observe.
    #[inline]
    pub(crate) fn observes(&mut self, input: u64) {
        self.counts = mix(self.counts, input);
    }

    /// Replaces all that was observed by the result with which the task ends.
    pub(crate) fn ends(&mut self, result: u64) {
        self.counts = mix(result, 0xE4D);
    }

    /// Adds an object that the task holds, for reading or not, and its contents: they count whatever it forgets.
    /// (By its name: what counts is the same in every exploration.)
    pub(crate) fn holds(&mut self, object: u64, read: bool, content: u64) {
        self.counts = mix(mix(self.counts, object << 1 | u64::from(read)), content);
    }

    /// Replaces all that was observed by the key of a checkpoint.
    pub(crate) fn checkpoint(&mut self, task: usize, key: u64, steps: usize) {
        self.checkpoint = mix(key, task as u64 + 1);
        self.checkpoints += 1;
        self.forgets(self.checkpoint, steps);
    }

    /// What counts now, for later.
    pub(crate) fn mark(&self) -> Observed {
        Observed { counts: self.counts, checkpoints: self.checkpoints, times: 0 }
    }

    /// Replaces all that was observed since a mark by a key.
    ///
    /// A checkpoint after the mark forgot what was observed before it, which must not come back: the mark moves there. How
    /// often something was said of the mark counts, which keeps the task from coming to a place again: only
    /// checkpoints make cycles.
    pub(crate) fn since(&mut self, mark: &mut Observed, key: u64, steps: usize) {
        if mark.checkpoints != self.checkpoints {
            *mark = Observed { counts: self.checkpoint, checkpoints: self.checkpoints, times: 0 };
        }
        mark.times += 1;
        self.forgets(mix(mix(mark.counts, key), 0x100C + u64::from(mark.times)), steps);
    }

    fn forgets(&mut self, key: u64, steps: usize) {
        self.counts = key;
        let times = self.forgot.map_or(0, |forgot| forgot.times);
        self.forgot = Some(Forgot { times: times + 1, steps });
    }
}

/// The whole past of a task that is audited: all that it observed, forgotten or not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Whole {
    observed: u64,
    /// What was observed up to the last place: by this pasts are told apart that came to one place.
    identity: u64,
}

/// The identity of a past in which nothing was forgotten, so that nothing need be told apart.
const SIMPLE: u64 = 0xA0D1;

impl Whole {
    /// The past of a task that has not begun.
    pub(crate) fn new() -> Self {
        Whole { observed: SIMPLE, identity: SIMPLE }
    }

    /// Adds what a step let the task observe.
    #[inline]
    pub(crate) fn observes(&mut self, input: u64) {
        self.observed = mix(self.observed, input);
    }

    /// Tells of what counts whether it is what counts of this whole past.
    #[inline]
    pub(crate) fn mark(&self, counts: u64) -> u64 {
        mix(counts, self.identity)
    }

    /// The task comes to a place, where only some of its pasts are told apart: one too many is taken for the first.
    pub(crate) fn comes_to(&mut self, place: u64, pasts: &mut Pasts, most: usize) {
        self.observed = pasts.admit(place, self.observed, most);
        self.identity = mix(SIMPLE, self.observed);
    }

    /// The task has ended: nothing that it observed matters any more.
    pub(crate) fn ends(&mut self) {
        self.identity = SIMPLE;
    }
}

/// The whole pasts with which tasks came to places.
#[derive(Default)]
pub(crate) struct Pasts {
    by_place: FxHashMap<u64, Met>,
}

/// The whole pasts that are told apart at one place.
#[derive(Default)]
struct Met {
    pasts: Vec<u64>,
    /// There were more.
    more: bool,
}

impl Pasts {
    /// Gives the past that stands for this one at the place: itself, if it is one of the first so many.
    fn admit(&mut self, place: u64, past: u64, most: usize) -> u64 {
        let met = self.by_place.entry(place).or_default();
        if met.pasts.contains(&past) {
            return past;
        }
        if met.pasts.len() < most.max(1) {
            met.pasts.push(past);
            return past;
        }
        met.more = true;
        met.pasts[0]
    }

    /// How many places there are; to how many of them tasks came with different pasts; and to how many with more
    /// than were told apart.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let count =
            |which: &dyn Fn(&Met) -> bool| self.by_place.values().filter(|met| which(met)).count() as u64;
        (count(&|_| true), count(&|met| met.pasts.len() > 1 || met.more), count(&|met| met.more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_replaces_what_was_observed() {
        let (mut one, mut other) = (Past::new(0), Past::new(0));
        one.observes(1);
        other.observes(2);
        assert_ne!(one.counts, other.counts);
        let mark = Past::new(0).mark();
        one.since(&mut { mark }, 7, 0);
        other.since(&mut { mark }, 7, 3);
        assert_eq!(one.counts, other.counts);
        assert_eq!((one.forgot.unwrap().times, other.forgot.unwrap().steps), (1, 3));
        other.checkpoint(0, 7, 4);
        assert_ne!(one.counts, other.counts);
    }

    #[test]
    fn a_past_too_many_is_taken_for_the_first() {
        let mut pasts = Pasts::default();
        let mut whole = [Whole::new(); 3];
        for (input, whole) in whole.iter_mut().enumerate() {
            whole.observes(input as u64);
            whole.comes_to(9, &mut pasts, 2);
        }
        assert_ne!(whole[0].mark(9), whole[1].mark(9));
        assert_eq!(whole[0].mark(9), whole[2].mark(9));
        assert_eq!(pasts.counts(), (1, 1, 1));
        whole[2].observes(5);
        whole[0].observes(5);
        whole[0].comes_to(10, &mut pasts, 2);
        whole[2].comes_to(10, &mut pasts, 2);
        assert_eq!(pasts.counts(), (2, 1, 1));
    }
}
