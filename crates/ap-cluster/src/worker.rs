//! What each worker of a search does: begin or go on, level by level, until all have decided to stop.
//!
//! This module knows nothing of how workers are started.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use ap_proof::sequences::{Alphabet, Report, Share, Tally, Walker, Wrong};
use rustc_hash::FxHashSet;
use timely::worker::Worker;

use crate::agree::agree;
use crate::borders::{Borders, Sample, sample, stretch};
use crate::checkpoint::{Checkpoint, CheckpointError, Level, Part};
use crate::error::ClusterError;
use crate::expander::Expander;
use crate::level::{Station, share_out};
use crate::pool::Pool;
use crate::progress::{Counters, Progress};
use crate::seen::{Seen, owner};
use crate::signs::{Alarm, Signs};
use crate::ways::Ways;

/// How often it is said how far the search is.
const TELL: Duration = Duration::from_millis(100);

/// What the workers of a process are to do.
pub(crate) struct Job {
    /// What to explore.
    pub alphabet: Arc<Alphabet>,
    /// Sequences of at most this length.
    pub limit: u32,
    /// When the time is up.
    pub deadline: Option<Instant>,
    /// When it began.
    pub started: Instant,
    /// The first of this process's workers, and how many there are.
    pub workers: std::ops::Range<usize>,
    /// Where these take states from.
    pub pool: Arc<Pool>,
    /// Where levels are kept.
    pub checkpoint: Option<Checkpoint>,
    /// Whether others can go on.
    pub signs: Signs,
    /// What this process's workers have done.
    pub counters: Counters,
    /// Who is told how far it is.
    pub tell: Sender<Progress>,
}

/// A worker's counts, as they travel, and a sample of the new states' ways.
type Told = (Counts, Sample);

/// A worker's counts, as they travel: transitions, states, the way of what did not return, whether it was late, and
/// what does not hold.
type Counts = (u64, u64, Option<Vec<u8>>, bool, Vec<(u64, bool, u64, Vec<u8>, u32)>);

fn counts(share: &Share) -> Counts {
    let wrong = share.wrong().into_iter();
    let wrong = wrong.map(|w| (w.key, w.known, w.count, w.way.clone(), w.place)).collect();
    (share.transitions, share.states, share.stuck.clone(), share.late, wrong)
}

fn share((transitions, states, stuck, late, wrong): Counts) -> Share {
    let wrong =
        wrong.into_iter().map(|(key, known, count, way, place)| Wrong { key, known, count, way, place });
    let mut share = Share::default();
    (share.transitions, share.states, share.stuck, share.late) = (transitions, states, stuck, late);
    share.with(wrong)
}

/// Searches; the first worker of a process has the report.
pub(crate) fn work(worker: &mut Worker, job: &Job) -> Result<Option<Report>, ClusterError> {
    let _alarm = Alarm(&job.signs);
    let mut search = Search::begin(worker, job)?;
    while search.tally.goes_on(job.limit) {
        search.level(worker)?;
    }
    // Nobody leaves before all have heard what all have said.
    agree(worker, &job.signs, Ok(()))?;
    job.signs.step_until_idle(worker)?;
    let mut expander = search.station.expander.borrow_mut();
    if worker.index() == job.workers.start {
        return Ok(Some(search.tally.report(expander.walker())?));
    }
    Ok(None)
}

/// A search, as one of its workers knows it.
struct Search<'j> {
    job: &'j Job,
    me: Part,
    station: Station,
    /// Its part of the states that are explored from next, in ascending order.
    frontier: Ways,
    tally: Tally,
    /// How long it took before this process began.
    before: Duration,
}

impl<'j> Search<'j> {
    /// From the last level that is whole, if there is a checkpoint with one, else from the beginning.
    fn begin(worker: &mut Worker, job: &'j Job) -> Result<Search<'j>, ClusterError> {
        let me = Part { worker: worker.index(), of: worker.peers() };
        let walker = Walker::new(job.alphabet.clone());
        let mut met = FxHashSet::default();
        let roots: Vec<(u8, u128)> = walker.beginnings().filter(|(_, print)| met.insert(*print)).collect();
        let mut tally = Tally::beginning(roots.len() as u64);
        let mut frontier = Ways::of_length(1);
        let mine = stretch(roots.len(), me.worker, me.of);
        roots[mine].iter().for_each(|(root, _)| frontier.push(&[*root]));
        met.retain(|print| owner(*print, me.of) == me.worker);
        if let Some(checkpoint) = &job.checkpoint {
            let mine = checkpoint.last(job.limit).map(|level| level.map(|level| level.to_text()));
            let told = agree(worker, &job.signs, mine.map_err(ClusterError::from))?;
            let levels = told.iter().flatten().filter_map(|text| Level::parse(text));
            if let Some(last) = levels.max_by_key(Level::number) {
                let loaded = load(checkpoint, &last, me, job.limit, &mut met);
                let loaded = loaded.map(|ways| frontier = ways).map_err(ClusterError::from);
                agree(worker, &job.signs, loaded)?;
                tally = last.tally;
            }
        }
        let pool = (job.pool.clone(), me.worker - job.workers.start);
        let expander = Expander::new(walker, me.of, pool, job.counters.clone(), job.deadline);
        let station = Station {
            expander: Rc::new(RefCell::new(expander)),
            seen: Rc::new(RefCell::new(Seen::new(met))),
        };
        let before = tally.time;
        Ok(Search { job, me, station, frontier, tally, before })
    }

    /// Explores one more level, and has all agree on what came of it.
    fn level(&mut self, worker: &mut Worker) -> Result<(), ClusterError> {
        let Search { job, station, me, .. } = self;
        let (job, me, length) = (*job, *me, self.frontier.length() + 1);
        job.pool.give(me.worker - job.workers.start, std::mem::take(&mut self.frontier));
        // Who has nothing left takes of the others': all must have been given theirs.
        agree(worker, &job.signs, Ok(()))?;
        let probe = station.explore(length, worker);
        let (mut told, first) = (Instant::now(), me.worker == job.workers.start);
        let (states, transitions) = job.counters.get();
        let mut progress = Progress {
            depth: self.tally.depth() + 1,
            transitions: 0,
            states: self.tally.states,
            done: (0, self.tally.levels.last().copied().unwrap_or_default()),
            time: Duration::ZERO,
        };
        job.signs.step_until(
            worker,
            || probe.done(),
            || {
                if first && told.elapsed() >= TELL {
                    told = Instant::now();
                    let now = job.counters.get();
                    progress.transitions = self.tally.transitions + now.1.saturating_sub(transitions);
                    progress.done.0 = now.0.saturating_sub(states);
                    progress.time = self.before + job.started.elapsed();
                    // Nobody may be listening.
                    let _unheard = job.tell.send(progress);
                }
            },
        )?;
        let mine = station.expander.borrow_mut().end().map(|mut share| {
            let seen = station.seen.borrow();
            share.states = seen.prints().len() as u64;
            (counts(&share), sample(seen.ways(), me.of))
        });
        let all: Vec<Told> = agree(worker, &job.signs, mine.map_err(ClusterError::from))?;
        let (counted, samples): (Vec<Counts>, Vec<Sample>) = all.into_iter().unzip();
        let mut level = Share::default();
        counted.into_iter().for_each(|counts| level.add(share(counts)));
        self.tally.add(level);
        self.tally.time = self.before + job.started.elapsed();
        if self.tally.cut.is_none() {
            self.frontier = self.shared_out(Borders::between(&samples, length), length, worker)?;
            self.save(worker)?;
        }
        Ok(())
    }

    /// The part of the new states that this worker explores from.
    fn shared_out(&self, borders: Borders, length: usize, worker: &mut Worker) -> Result<Ways, ClusterError> {
        let ways = self.station.seen.borrow_mut().take_ways();
        let next = Rc::new(RefCell::new(Ways::of_length(length)));
        let probe = share_out(ways, borders, &next, worker);
        self.job.signs.step_until(worker, || probe.done(), || {})?;
        let mut next = next.take();
        next.sort();
        Ok(next)
    }

    /// Keeps the level that was explored: first everybody's files, then the tally.
    fn save(&self, worker: &mut Worker) -> Result<(), ClusterError> {
        let Search { job, me, .. } = self;
        let Some(checkpoint) = &job.checkpoint else { return Ok(()) };
        let level = Level { tally: self.tally.clone(), workers: me.of };
        let number = level.number();
        let seen = self.station.seen.borrow();
        let written = checkpoint.write_part(number, *me, seen.prints(), &self.frontier);
        agree(worker, &job.signs, written.map_err(ClusterError::from))?;
        let first = me.worker == job.workers.start;
        let written = if first { checkpoint.write_tally(number, &level) } else { Ok(()) };
        agree(worker, &job.signs, written.map_err(ClusterError::from))?;
        Ok(())
    }
}

/// What a worker needs of a checkpoint to go on after a level: the states that it remembers go to `met`, and the ways
/// that it explores from are given back.
fn load(
    checkpoint: &Checkpoint,
    last: &Level,
    me: Part,
    limit: u32,
    met: &mut FxHashSet<u128>,
) -> Result<Ways, CheckpointError> {
    let number = last.number();
    let mut frontier = Ways::of_length(number as usize + 1);
    if !last.tally.goes_on(limit) {
        return Ok(frontier);
    }
    for level in 1..=number {
        let workers = match checkpoint.level(level)? {
            Some(level) => level.workers,
            None => last.workers,
        };
        for part in checkpoint.parts(level, me, workers)? {
            let prints = checkpoint.states(level, part)?;
            met.extend(prints.into_iter().filter(|print| owner(*print, me.of) == me.worker));
            if level == number {
                let ways = checkpoint.ways(level, part)?;
                // A part of as many workers is all this one's; of each of another number's a stretch is.
                let mine = if part == me { 0..ways.len() } else { stretch(ways.len(), me.worker, me.of) };
                mine.for_each(|way| frontier.push(ways.get(way)));
            }
        }
    }
    frontier.sort();
    Ok(frontier)
}
