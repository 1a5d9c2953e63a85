//! A worker's part of a level: the states that it explores from, and to whom it sends what comes of them.
//!
//! This module knows nothing of how parcels travel.

use std::hash::Hasher;
use std::ops::Range;
use std::time::Instant;

use ap_proof::sequences::{Astray, Share, Walker};
use rustc_hash::FxHasher;

use crate::progress::Counters;
use crate::seen::owner;
use crate::ways::Ways;

/// What goes to another worker, the number of which comes first: fingerprints with their ways, or ways alone.
pub(crate) type Parcel = (u64, Vec<u128>, Vec<u8>);

/// After how many fingerprints a parcel is sent.
const FULL: usize = 512;
/// How many states are explored before others get their turn.
const TURN: usize = 16;
/// How many of its last operations do not count for a way's home: states that have most of their way in common are
/// explored by one worker, which makes what they share once.
const KIN: usize = 2;

/// The worker that explores from the state to which a way leads, of so many.
pub(crate) fn home(way: &[u8], workers: usize) -> usize {
    let mut hasher = FxHasher::default();
    hasher.write(&way[..way.len().saturating_sub(KIN).max(1)]);
    ((u128::from(hasher.finish()) * workers as u128) >> 64) as usize
}

/// A worker's part of a level: its states, and what came of their operations.
pub(crate) struct Expander {
    walker: Walker,
    workers: usize,
    counters: Counters,
    deadline: Option<Instant>,
    frontier: Ways,
    done: usize,
    share: Share,
    astray: Option<Astray>,
    parcels: Vec<(Vec<u128>, Vec<u8>)>,
}

impl Expander {
    /// One of so many workers.
    pub(crate) fn new(
        walker: Walker,
        workers: usize,
        counters: Counters,
        deadline: Option<Instant>,
    ) -> Expander {
        Expander {
            walker,
            workers,
            counters,
            deadline,
            frontier: Ways::of_length(1),
            done: 0,
            share: Share::default(),
            astray: None,
            parcels: vec![Default::default(); workers],
        }
    }

    /// The machine.
    pub(crate) fn walker(&mut self) -> &mut Walker {
        &mut self.walker
    }

    /// Begins a level with these states.
    pub(crate) fn begin(&mut self, frontier: Ways) {
        self.frontier = frontier;
        self.done = 0;
        self.share = Share::default();
    }

    /// Explores from a few states; whether some are left.
    pub(crate) fn turn(&mut self, mut send: impl FnMut(Parcel)) -> bool {
        let until = self.frontier.len().min(self.done + TURN);
        let before = (self.done, self.share.transitions);
        while self.done < until && self.may_go_on() {
            self.expand(&mut send);
            self.done += 1;
        }
        self.counters.add(self.done - before.0, self.share.transitions - before.1);
        let left = self.done < self.frontier.len() && self.may_go_on();
        if !left {
            for to in 0..self.parcels.len() {
                self.send(to, &mut send);
            }
        }
        left
    }

    /// The clock is looked at for every state.
    fn may_go_on(&mut self) -> bool {
        self.share.late |= self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        !self.share.late && self.share.stuck.is_none() && self.astray.is_none()
    }

    fn expand(&mut self, send: &mut impl FnMut(Parcel)) {
        let Expander { walker, workers, frontier, done, share, parcels, .. } = self;
        let way = frontier.get(*done);
        let mut full = Vec::new();
        let walked = walker.expand(way, |came| {
            let good = share.count(way, &came);
            if let Some(print) = came.to.filter(|_| good) {
                let to = owner(print, *workers);
                let (prints, ways) = &mut parcels[to];
                prints.push(print);
                ways.extend_from_slice(way);
                ways.push(came.operation);
                if prints.len() == FULL {
                    full.push(to);
                }
            }
        });
        self.astray = walked.err();
        full.into_iter().for_each(|to| self.send(to, send));
    }

    fn send(&mut self, to: usize, send: &mut impl FnMut(Parcel)) {
        let (prints, ways) = std::mem::take(&mut self.parcels[to]);
        if !prints.is_empty() {
            send((to as u64, prints, ways));
        }
    }

    /// What was counted in the level.
    pub(crate) fn end(&mut self) -> Result<Share, Astray> {
        match self.astray.take() {
            Some(astray) => Err(astray),
            None => Ok(std::mem::take(&mut self.share)),
        }
    }
}

/// The ways of these numbers, a parcel for each worker that will explore from some of them.
pub(crate) fn homewards(ways: &Ways, numbers: Range<usize>, workers: usize) -> impl Iterator<Item = Parcel> {
    let mut homes = vec![Vec::new(); workers];
    for number in numbers {
        let way = ways.get(number);
        homes[home(way, workers)].extend_from_slice(way);
    }
    let parcels = (0..).zip(homes).filter(|(_, ways)| !ways.is_empty());
    parcels.map(|(home, ways)| (home, Vec::new(), ways))
}
