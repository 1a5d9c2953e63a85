//! What a search has found so far: what workers count in a level, and what all of it comes to.
//!
//! Whatever the number of workers, the sums are the same; and of what was met the least way is kept, the shortest and of these
//! the first in the order of bytes: the one that a single worker meets first. What was met is kept as the way that shows it,
//! which is short and can go to another process; whoever reports it has it happen again.
//!
//! This module knows nothing of how the work is shared out, nor of what runs.

use std::time::Duration;

use rustc_hash::FxHashMap;

/// How many different violations are told apart at the most.
const VIOLATIONS: usize = 64;

/// What kind of thing was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something does not hold.
    Wrong,
    /// Something does not hold, which is a known deviation.
    Known,
    /// An execution ends in a way of its own.
    Ends,
}

/// Something that was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// What it is told apart by.
    pub key: u64,
    /// What kind of thing it is.
    pub kind: Kind,
    /// How often it was met.
    pub count: u64,
    /// The least way that shows it: the beginning's number and those of what was done from there.
    pub way: Vec<u8>,
    /// Which of the things that are met there it is.
    pub place: u32,
}

impl Met {
    fn first(&self) -> (usize, &[u8], u32) {
        (self.way.len(), &self.way, self.place)
    }
}

/// What is counted in a part of a level.
#[derive(Clone, Debug, Default)]
pub struct Share {
    /// Steps that were taken.
    pub transitions: u64,
    /// States that were met first.
    pub states: u64,
    /// States in which nothing can be done any more.
    pub ends: u64,
    /// The most of whatever the space counts along a way.
    pub deepest: u64,
    /// The least way whose last step did not end: what comes after it was not looked at.
    pub stuck: Option<Vec<u8>>,
    /// Whether the time was up before the part was done.
    pub late: bool,
    met: FxHashMap<u64, Met>,
}

impl Share {
    /// Of the same counts, with what was met.
    #[must_use]
    pub fn with(mut self, met: impl IntoIterator<Item = Met>) -> Share {
        met.into_iter().for_each(|met| self.meet(met));
        self
    }

    /// Takes over another part.
    pub fn add(&mut self, other: Share) {
        self.transitions += other.transitions;
        self.states += other.states;
        self.ends += other.ends;
        self.deepest = self.deepest.max(other.deepest);
        self.late |= other.late;
        if let Some(way) = other.stuck {
            self.stick(way);
        }
        other.met.into_values().for_each(|met| self.meet(met));
    }

    /// What was met, in the order of ways.
    #[must_use]
    pub fn met(&self) -> Vec<&Met> {
        let mut all: Vec<&Met> = self.met.values().collect();
        all.sort_by_key(|met| met.first());
        all
    }

    /// The last step of a way does not end.
    pub fn stick(&mut self, way: Vec<u8>) {
        if self.stuck.as_ref().is_none_or(|least| (way.len(), &way) < (least.len(), least)) {
            self.stuck = Some(way);
        }
    }

    /// Something was met.
    pub fn meet(&mut self, met: Met) {
        let Some(same) = self.met.get_mut(&met.key) else {
            self.met.insert(met.key, met);
            return;
        };
        let count = same.count + met.count;
        if met.first() < same.first() {
            *same = met;
        }
        same.count = count;
    }
}

/// Why a search ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The budget is used up.
    Late,
    /// A step did not end.
    Stuck,
}

/// What a search has found, as far as its levels are complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// States first met at each depth.
    pub levels: Vec<u64>,
    /// Steps that were taken.
    pub transitions: u64,
    /// States that were found.
    pub states: u64,
    /// States in which nothing can be done any more.
    pub ends: u64,
    /// The most of whatever the space counts along a way.
    pub deepest: u64,
    /// How long that took.
    pub time: Duration,
    /// What was met, in the order in which it was.
    pub met: Vec<Met>,
    /// Why it ended before its time.
    pub cut: Option<Cut>,
}

impl Tally {
    /// Of a search that begins in so many states.
    #[must_use]
    pub fn beginning(states: u64) -> Tally {
        Tally { levels: vec![states], states, ..Tally::default() }
    }

    /// How many steps the longest ways have all of which were explored.
    #[must_use]
    pub fn depth(&self) -> u32 {
        let levels = self.levels.iter().filter(|states| **states > 0).count() as u32;
        if self.closed() { levels } else { levels.saturating_sub(1) }
    }

    /// Whether no new states are left.
    #[must_use]
    pub fn closed(&self) -> bool {
        self.levels.last() == Some(&0)
    }

    /// Whether there is something left to be explored.
    #[must_use]
    pub fn goes_on(&self, limit: u32) -> bool {
        self.cut.is_none() && !self.closed() && self.depth() < limit
    }

    /// Takes over what all workers counted in the next level.
    pub fn add(&mut self, mut level: Share) {
        if let Some(stuck) = &level.stuck {
            // What comes after it was not looked at by all; what comes before was.
            let stuck = (stuck.len(), stuck.as_slice(), u32::MAX);
            level.met.retain(|_, met| met.first() <= stuck);
            for met in level.met.values_mut() {
                met.count = 1;
            }
            self.meet(&level, |_, _| {});
            self.cut = Some(Cut::Stuck);
            return;
        }
        self.transitions += level.transitions;
        self.states += level.states;
        self.ends += level.ends;
        self.deepest = self.deepest.max(level.deepest);
        self.meet(&level, |known, new| known.count += new.count);
        if level.late {
            self.cut = Some(Cut::Late);
            return;
        }
        self.levels.push(level.states);
    }

    fn meet(&mut self, level: &Share, again: impl Fn(&mut Met, &Met)) {
        let mut places: FxHashMap<u64, usize> = (0..).zip(&self.met).map(|(at, met)| (met.key, at)).collect();
        let mut wrong = self.met.iter().filter(|met| met.kind != Kind::Ends).count();
        for new in level.met() {
            if let Some(&at) = places.get(&new.key) {
                again(&mut self.met[at], new);
            } else if new.kind == Kind::Ends || wrong < VIOLATIONS {
                wrong += usize::from(new.kind != Kind::Ends);
                places.insert(new.key, self.met.len());
                self.met.push(new.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(key: u64, known: bool, count: u64, way: &[u8]) -> Met {
        let kind = if known { Kind::Known } else { Kind::Wrong };
        Met { key, kind, count, way: way.to_vec(), place: 0 }
    }

    fn share(transitions: u64, wrong: &[Met]) -> Share {
        Share { transitions, states: 1, ..Share::default() }.with(wrong.iter().cloned())
    }

    /// Whoever counted what, and in which order it is added.
    #[test]
    fn parts_add_up_to_the_same() {
        let parts = [
            share(3, &[wrong(1, true, 2, &[0, 4]), wrong(2, false, 1, &[0, 3])]),
            share(4, &[wrong(1, true, 5, &[0, 2])]),
            share(5, &[wrong(3, false, 1, &[0, 9]), wrong(2, false, 1, &[0, 5])]),
        ];
        let sum = |order: [usize; 3]| {
            let (mut tally, mut level) = (Tally::beginning(1), Share::default());
            order.into_iter().for_each(|part| level.add(parts[part].clone()));
            tally.add(level);
            tally
        };
        let expected = [wrong(1, true, 7, &[0, 2]), wrong(2, false, 2, &[0, 3]), wrong(3, false, 1, &[0, 9])];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let tally = sum(order);
            assert_eq!((tally.transitions, &tally.levels), (12, &vec![1, 3]));
            assert_eq!(tally.met, expected, "in the order of ways");
        }
    }

    #[test]
    fn an_earlier_level_keeps_its_first_and_counts_on() {
        let mut tally = Tally::beginning(1);
        tally.add(share(1, &[wrong(1, true, 1, &[0, 9])]));
        tally.add(share(1, &[wrong(1, true, 2, &[0, 1, 1]), wrong(4, false, 1, &[0, 0, 0])]));
        assert_eq!(tally.met, [wrong(1, true, 3, &[0, 9]), wrong(4, false, 1, &[0, 0, 0])]);
        assert_eq!(
            (tally.depth(), tally.closed(), tally.goes_on(3), tally.goes_on(2)),
            (2, false, true, false)
        );
    }

    /// One worker meets it early and leaves the rest, another goes on: what is told is the same.
    #[test]
    fn of_a_level_that_did_not_end_only_what_comes_first_is_told() {
        let stuck = |way: &[u8]| Share { stuck: Some(way.to_vec()), ..share(1, &[wrong(9, false, 1, way)]) };
        let before = wrong(1, true, 4, &[0, 2]);
        for others in [
            vec![share(70, &[before.clone(), wrong(5, false, 1, &[0, 8])])],
            vec![share(7, std::slice::from_ref(&before)), stuck(&[0, 7])],
        ] {
            let (mut tally, mut level) = (Tally::beginning(1), stuck(&[0, 5]));
            others.into_iter().for_each(|other| level.add(other));
            tally.add(level);
            assert_eq!(tally.met, [wrong(1, true, 1, &[0, 2]), wrong(9, false, 1, &[0, 5])]);
            assert_eq!((tally.transitions, tally.cut, tally.depth()), (0, Some(Cut::Stuck), 0));
            assert!(!tally.goes_on(9));
        }
    }

    #[test]
    fn nothing_new_closes_it() {
        let mut tally = Tally::beginning(2);
        tally.add(share(1, &[]));
        tally.add(Share { transitions: 5, ..Share::default() });
        assert_eq!((tally.depth(), tally.closed(), tally.levels.clone()), (2, true, vec![2, 1, 0]));
    }
}
