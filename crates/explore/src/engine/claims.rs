//! What the choice of sets relied on: that steps of some tasks have nothing to do with what others may do later.
//!
//! Where a walk takes only some of the tasks it relies on *claims*: each says that a certain step does not conflict
//! with what a task may do from a certain place on, or that a task does not notify a condition from there on. They were
//! read from what was known of tasks' futures. When more is known the same claims are read again: if all still
//! hold, then every set that was chosen is enough by what is known now, too, and it makes no difference that futures
//! have grown. Where one does not, the sets that relied on it may have been too small, and others are chosen.
//!
//! (Everything else that a choice depends on is the state itself: who holds what, who waits, which locks a place
//! holds. And more claims than were relied on do no harm.)
//!
//! This module knows nothing of futures, nor of how claims are read.

use rustc_hash::FxHashMap;

use super::automaton::{EdgeId, NodeId};
use super::lock_sets::HeldId;
use super::objects::ObjectId;

/// A step: an edge with all that it runs through, or the first step of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Doing {
    Edge(EdgeId),
    Place(NodeId),
}

/// What a task may do from a place on, until it asks for one of these locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Later {
    pub held: HeldId,
    pub node: NodeId,
    /// Its wait there is over.
    pub woken: bool,
}

/// Something that a choice relies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Claim {
    /// The step does not conflict with what another task may do; `oracle` says whether that over watched locks can look
    /// meanwhile.
    Apart { step: Doing, later: Later, oracle: bool },
    /// The task does not notify the condition.
    Silent { later: Later, condition: ObjectId },
}

/// A claim's number.
pub(crate) type ClaimId = u32;

/// The claims that a choice relied on: a stretch of all that were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Relied {
    from: u32,
    len: u32,
}

/// The claims that were relied on.
#[derive(Default)]
pub(crate) struct Claims {
    numbers: FxHashMap<Claim, ClaimId>,
    all: Vec<Claim>,
    /// Those that do not hold, and that nobody relies on any more.
    dropped: Vec<bool>,
    relied: Vec<ClaimId>,
    /// Those of the set that is looked at, of the best one so far, and of the one that was taken last.
    trying: Vec<Claim>,
    best: Vec<Claim>,
    last: Relied,
}

impl Claims {
    /// Begins to choose.
    #[inline]
    pub(crate) fn begin(&mut self) {
        self.last = Relied::default();
    }

    /// Begins to look at a set.
    #[inline]
    pub(crate) fn tries(&mut self) {
        self.trying.clear();
    }

    /// Notes a claim that the set needs.
    #[inline]
    pub(crate) fn needs(&mut self, claim: Claim) {
        self.trying.push(claim);
    }

    /// The set that was looked at is the best so far.
    #[inline]
    pub(crate) fn is_best(&mut self) {
        std::mem::swap(&mut self.trying, &mut self.best);
    }

    /// The best set is taken.
    pub(crate) fn rely(&mut self) {
        let from = self.relied.len() as u32;
        for claim in self.best.drain(..) {
            let all = &mut self.all;
            let number = *self.numbers.entry(claim).or_insert_with(|| {
                all.push(claim);
                (all.len() - 1) as ClaimId
            });
            self.relied.push(number);
        }
        self.last = Relied { from, len: self.relied.len() as u32 - from };
    }

    /// What the last choice relied on.
    #[inline]
    pub(crate) fn last(&self) -> Relied {
        self.last
    }

    /// All claims that were relied on, in the order in which they were first.
    pub(crate) fn all(&self) -> &[Claim] {
        &self.all
    }

    /// The claims that choices may rely on.
    pub(crate) fn in_use(&self) -> impl Iterator<Item = (ClaimId, &Claim)> {
        let dropped = |number: usize| self.dropped.get(number).copied().unwrap_or(false);
        self.all
            .iter()
            .enumerate()
            .filter(move |(number, _)| !dropped(*number))
            .map(|(n, claim)| (n as ClaimId, claim))
    }

    /// Whether a choice relied on one that was dropped.
    pub(crate) fn is_dropped(&self, relied: Relied) -> bool {
        let numbers = &self.relied[relied.from as usize..(relied.from + relied.len) as usize];
        numbers.iter().any(|&number| self.dropped.get(number as usize).copied().unwrap_or(false))
    }

    /// These do not hold, and never will: futures only grow.
    pub(crate) fn drop(&mut self, broken: &[ClaimId]) {
        self.dropped.resize(self.all.len(), false);
        for &number in broken {
            self.dropped[number as usize] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_claims_of_the_set_that_is_taken_count() {
        let claim = |condition| Claim::Silent { later: Later { held: 0, node: 3, woken: false }, condition };
        let mut claims = Claims::default();
        let choose = |claims: &mut Claims, best, other| {
            claims.begin();
            claims.tries();
            claims.needs(claim(best));
            claims.is_best();
            claims.tries();
            claims.needs(claim(other));
            claims.rely();
            claims.last()
        };
        let (first, second) = (choose(&mut claims, 1, 2), choose(&mut claims, 3, 1));
        assert_eq!(claims.in_use().map(|(_, claim)| *claim).collect::<Vec<_>>(), [claim(1), claim(3)]);
        claims.drop(&[1]);
        assert_eq!((claims.is_dropped(first), claims.is_dropped(second)), (false, true));
        assert_eq!(claims.in_use().count(), 1);
        claims.begin();
        assert!(!claims.is_dropped(claims.last()), "nothing was relied on");
    }
}
