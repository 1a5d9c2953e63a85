//! What a search has found so far: what workers count in a level, and what all of it comes to.
//!
//! Whatever the number of workers, the sums are the same; and of what does not hold the least way is kept, in the order
//! of bytes: the one that a single worker meets first. What is wrong is kept as the way that shows it, which is short and
//! can go to another process; whoever reports it has it happen again.
//!
//! This module knows nothing of how the work is shared out.

use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::oracle::{Broken, Known};
use crate::sequences::alphabet::Alphabet;
use crate::sequences::report::{Report, Violation};
use crate::sequences::walker::{Astray, Came, Walker};

/// How many different violations are told apart at the most.
const VIOLATIONS: usize = 64;

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What it is told apart by.
    pub key: u64,
    /// Whether it is a known deviation.
    pub known: bool,
    /// How often it was met.
    pub count: u64,
    /// The least way that shows it: the beginning's number and the operations'.
    pub way: Vec<u8>,
    /// Which of the things that are wrong there it is.
    pub place: u32,
}

impl Wrong {
    fn first(&self) -> (&[u8], u32) {
        (&self.way, self.place)
    }
}

/// What is counted in a part of a level.
#[derive(Clone, Debug, Default)]
pub struct Share {
    /// Operations that were run.
    pub transitions: u64,
    /// States that were met first.
    pub states: u64,
    /// The least way whose last operation did not return: what comes after it was not looked at.
    pub stuck: Option<Vec<u8>>,
    /// Whether the time was up before the part was done.
    pub late: bool,
    wrong: FxHashMap<u64, Wrong>,
}

impl Share {
    /// Of the same counts, with what does not hold.
    #[must_use]
    pub fn with(mut self, wrong: impl IntoIterator<Item = Wrong>) -> Share {
        wrong.into_iter().for_each(|wrong| self.meet(wrong));
        self
    }

    /// Counts what came of an operation after `way`; whether the state is worth going on from.
    pub fn count(&mut self, way: &[u8], came: &Came<'_>) -> bool {
        self.transitions += 1;
        let mut good = came.to.is_some();
        for (place, broken) in (0..).zip(came.found) {
            let known = Known::of(broken);
            good &= known.is_some();
            let (key, way) = (key(broken, known), [way, &[came.operation]].concat());
            self.meet(Wrong { key, known: known.is_some(), count: 1, way, place });
        }
        if came.to.is_none() {
            self.stick([way, &[came.operation]].concat());
        }
        good
    }

    /// Takes over another part.
    pub fn add(&mut self, other: Share) {
        self.transitions += other.transitions;
        self.states += other.states;
        self.late |= other.late;
        if let Some(way) = other.stuck {
            self.stick(way);
        }
        other.wrong.into_values().for_each(|wrong| self.meet(wrong));
    }

    /// What does not hold, in the order of ways.
    #[must_use]
    pub fn wrong(&self) -> Vec<&Wrong> {
        let mut all: Vec<&Wrong> = self.wrong.values().collect();
        all.sort_by_key(|wrong| wrong.first());
        all
    }

    fn stick(&mut self, way: Vec<u8>) {
        if self.stuck.as_ref().is_none_or(|least| way < *least) {
            self.stuck = Some(way);
        }
    }

    fn meet(&mut self, wrong: Wrong) {
        let Some(same) = self.wrong.get_mut(&wrong.key) else {
            self.wrong.insert(wrong.key, wrong);
            return;
        };
        let count = same.count + wrong.count;
        if wrong.first() < same.first() {
            *same = wrong;
        }
        same.count = count;
    }
}

/// Known deviations are one each, whatever they say; all else is told apart by what it says.
fn key(broken: &Broken, known: Option<Known>) -> u64 {
    match known {
        Some(known) => locks::hook::fingerprint(&(true, known)),
        None => locks::hook::fingerprint(&(false, broken)),
    }
}

/// Why a search ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The budget is used up.
    Late,
    /// An operation did not return.
    Stuck,
}

impl Cut {
    /// In words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Cut::Late => "the time is up",
            Cut::Stuck => "an operation did not return",
        }
    }
}

/// What a search has found, as far as its levels are complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// States first met at each depth.
    pub levels: Vec<u64>,
    /// Operations that were run.
    pub transitions: u64,
    /// States that were found.
    pub states: u64,
    /// How long that took.
    pub time: Duration,
    /// What does not hold, in the order in which it was found.
    pub wrong: Vec<Wrong>,
    /// Why it ended before its time.
    pub cut: Option<Cut>,
}

impl Tally {
    /// Of a search that begins in so many states.
    #[must_use]
    pub fn beginning(states: u64) -> Tally {
        Tally { levels: vec![states], states, ..Tally::default() }
    }

    /// How long the longest sequences are all of which were explored.
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
            level.wrong.retain(|_, wrong| wrong.way <= *stuck);
            for wrong in level.wrong.values_mut() {
                wrong.count = 1;
            }
            self.meet(&level, |_, _| {});
            self.cut = Some(Cut::Stuck);
            return;
        }
        self.transitions += level.transitions;
        self.states += level.states;
        self.meet(&level, |known, new| known.count += new.count);
        if level.late {
            self.cut = Some(Cut::Late);
            return;
        }
        self.levels.push(level.states);
    }

    fn meet(&mut self, level: &Share, again: impl Fn(&mut Wrong, &Wrong)) {
        for new in level.wrong() {
            if let Some(known) = self.wrong.iter_mut().find(|known| known.key == new.key) {
                again(known, new);
            } else if self.wrong.len() < VIOLATIONS {
                self.wrong.push(new.clone());
            }
        }
    }

    /// In full: what does not hold is made to happen again on the walker's machine.
    ///
    /// # Errors
    /// If it does not happen again.
    pub fn report(&self, walker: &mut Walker) -> Result<Report, Astray> {
        let mut violations = Vec::new();
        for wrong in &self.wrong {
            violations.push(violation(wrong, walker)?);
        }
        let alphabet = walker.alphabet();
        Ok(Report {
            alphabet: alphabet.name,
            operations: alphabet.operations.len(),
            transitions: self.transitions,
            states: self.states,
            depth: self.depth(),
            closed: self.closed(),
            cut: self.cut.map(Cut::word),
            levels: self.levels.iter().copied().filter(|states| *states > 0).collect(),
            time: self.time,
            violations,
        })
    }
}

fn violation(wrong: &Wrong, walker: &mut Walker) -> Result<Violation, Astray> {
    let mut found = walker.wrong(&wrong.way)?;
    let alphabet: &Alphabet = walker.alphabet();
    let place = wrong.place as usize;
    if place >= found.len() {
        return Err(Astray::on(&wrong.way, alphabet));
    }
    let broken = found.swap_remove(place);
    let (beginning, operations) = wrong.way.split_first().expect("a way begins somewhere");
    Ok(Violation {
        known: Known::of(&broken),
        broken,
        count: wrong.count,
        beginning: alphabet.beginnings[usize::from(*beginning)].clone(),
        sequence: operations.iter().map(|number| alphabet.operations[usize::from(*number)]).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(key: u64, known: bool, count: u64, way: &[u8]) -> Wrong {
        Wrong { key, known, count, way: way.to_vec(), place: 0 }
    }

    fn share(transitions: u64, wrong: &[Wrong]) -> Share {
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
            assert_eq!(tally.wrong, expected, "in the order of ways");
        }
    }

    #[test]
    fn an_earlier_level_keeps_its_first_and_counts_on() {
        let mut tally = Tally::beginning(1);
        tally.add(share(1, &[wrong(1, true, 1, &[0, 9])]));
        tally.add(share(1, &[wrong(1, true, 2, &[0, 1, 1]), wrong(4, false, 1, &[0, 0, 0])]));
        assert_eq!(tally.wrong, [wrong(1, true, 3, &[0, 9]), wrong(4, false, 1, &[0, 0, 0])]);
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
            assert_eq!(tally.wrong, [wrong(1, true, 1, &[0, 2]), wrong(9, false, 1, &[0, 5])]);
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
