//! A worker's work in a level: the states that it explores from, and to whom it sends what comes of them.
//!
//! This module knows nothing of how parcels travel.

use std::sync::Arc;
use std::time::Instant;

use crate::pool::Pool;
use crate::progress::Counters;
use crate::seen::owner;
use crate::space::Explores;
use crate::tally::Share;

/// What goes to another worker, the number of which comes first: fingerprints, and a way to each.
pub(crate) type Parcel = (u64, Vec<u128>, Vec<u8>);

/// After how many fingerprints a parcel is sent.
const FULL: usize = 512;

/// A worker's work in a level, and what came of it.
pub(crate) struct Expander<'e, R> {
    explorer: &'e mut dyn Explores<Report = R>,
    workers: usize,
    /// Where it takes states from, and its number there.
    pool: (Arc<Pool>, usize),
    counters: Counters,
    deadline: Option<Instant>,
    share: Share,
    astray: Option<String>,
    parcels: Vec<(Vec<u128>, Vec<u8>)>,
}

impl<'e, R> Expander<'e, R> {
    /// One of so many workers, which takes states from that pool.
    pub(crate) fn new(
        explorer: &'e mut dyn Explores<Report = R>,
        workers: usize,
        pool: (Arc<Pool>, usize),
        counters: Counters,
        deadline: Option<Instant>,
    ) -> Expander<'e, R> {
        Expander {
            explorer,
            workers,
            pool,
            counters,
            deadline,
            share: Share::default(),
            astray: None,
            parcels: vec![Default::default(); workers],
        }
    }

    /// What it explores with.
    pub(crate) fn explorer(&mut self) -> &mut dyn Explores<Report = R> {
        self.explorer
    }

    /// Explores from a few states; whether some may be left.
    pub(crate) fn turn(&mut self, mut send: impl FnMut(Parcel)) -> bool {
        let taken = if self.may_go_on() { self.pool.0.take(self.pool.1) } else { None };
        let Some((ways, numbers)) = taken else {
            for to in 0..self.parcels.len() {
                self.send(to, &mut send);
            }
            return false;
        };
        let before = self.share.transitions;
        let mut done = 0;
        for number in numbers {
            if !self.may_go_on() {
                break;
            }
            self.expand(ways.get(number), &mut send);
            done += 1;
        }
        self.counters.add(done, self.share.transitions - before);
        true
    }

    /// The clock is looked at for every state.
    fn may_go_on(&mut self) -> bool {
        self.share.late |= self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        !self.share.late && self.share.stuck.is_none() && self.astray.is_none()
    }

    fn expand(&mut self, way: &[u8], send: &mut impl FnMut(Parcel)) {
        let Expander { explorer, workers, share, parcels, .. } = self;
        let mut full = Vec::new();
        let walked = explorer.expand(way, share, &mut |number, print| {
            let to = owner(print, *workers);
            let (prints, ways) = &mut parcels[to];
            prints.push(print);
            ways.extend_from_slice(way);
            ways.push(number);
            if prints.len() == FULL {
                full.push(to);
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
    pub(crate) fn end(&mut self) -> Result<Share, String> {
        match self.astray.take() {
            Some(astray) => Err(astray),
            None => Ok(std::mem::take(&mut self.share)),
        }
    }
}
