//! What each worker of a search does: begin or go on, level by level, until all have decided to stop.
//!
//! After each level all tell what they have learned in it ([`Explores::lesson`]). If that makes what was explored count for
//! nothing, all begin anew with it: the next pass.
//!
//! This module knows nothing of how workers are started.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use rustc_hash::FxHashSet;
use timely::worker::Worker;

use crate::agree::agree;
use crate::borders::{Borders, Sample, sample, stretch};
use crate::checkpoint::{At, Checkpoint, CheckpointError, Level, Part};
use crate::error::ClusterError;
use crate::expander::Expander;
use crate::level::{explore, share_out};
use crate::pool::Pool;
use crate::progress::{Counters, Progress};
use crate::seen::{Seen, owner};
use crate::signs::{Alarm, Busy, Signs};
use crate::space::{Explores, Space};
use crate::tally::{Share, Tally};
use crate::told::{Told, counts, pack, share, unpack};
use crate::ways::Ways;

/// How often it is said how far the search is.
const TELL: Duration = Duration::from_millis(100);

/// What the workers of a process are to do.
pub(crate) struct Job<S> {
    /// What to explore.
    pub space: Arc<S>,
    /// Ways of at most this length.
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

/// Searches; the first worker of a process has the report.
pub(crate) fn work<S: Space>(worker: &mut Worker, job: &Job<S>) -> Result<Option<S::Report>, ClusterError> {
    let _alarm = Alarm(&job.signs);
    let mut done = None;
    let entered = job.space.enter(&mut |explorer| done = Some(searched(worker, job, explorer)));
    if let Some(done) = done {
        return done;
    }
    // The others wait for this one.
    let why = entered.err().unwrap_or_else(|| "nothing was given to explore with".to_owned());
    agree::<()>(worker, &job.signs, Err(ClusterError::Astray(why)))?;
    Ok(None)
}

fn searched<S: Space>(
    worker: &mut Worker,
    job: &Job<S>,
    explorer: &mut dyn Explores<Report = S::Report>,
) -> Result<Option<S::Report>, ClusterError> {
    agree(worker, &job.signs, Ok(()))?;
    let mut search = Search::begin(worker, job, explorer)?;
    while search.tally.goes_on(job.limit) {
        search.level(worker)?;
    }
    // Nobody leaves before all have heard what all have said.
    agree(worker, &job.signs, Ok(()))?;
    job.signs.step_until_idle(worker)?;
    if worker.index() == job.workers.start {
        let report = search.expander.explorer().report(&search.tally, worker.index() == 0);
        return report.map(Some).map_err(ClusterError::Astray);
    }
    Ok(None)
}

/// A search, as one of its workers knows it.
struct Search<'j, 'e, S: Space> {
    job: &'j Job<S>,
    me: Part,
    /// Which pass it is in, not counting the first one.
    pass: u32,
    expander: Expander<'e, S::Report>,
    /// The states that it remembers.
    seen: Rc<RefCell<Seen>>,
    /// Its part of the states that are explored from next, in ascending order.
    frontier: Ways,
    tally: Tally,
    /// How long it took before this process began.
    before: Duration,
}

impl<'j, 'e, S: Space> Search<'j, 'e, S> {
    /// From the last level that is whole, if there is a checkpoint with one, else from the beginning.
    fn begin(
        worker: &mut Worker,
        job: &'j Job<S>,
        explorer: &'e mut dyn Explores<Report = S::Report>,
    ) -> Result<Self, ClusterError> {
        let me = Part { worker: worker.index(), of: worker.peers() };
        let last = last_level(worker, job)?;
        let lesson = explorer.lesson();
        let mut lessons = each_once(agree(worker, &job.signs, Ok(lesson))?);
        if let Some(last) = &last {
            // What the search knew when it began: the levels that are kept were explored by that, and by nothing else.
            let first = job.checkpoint.as_ref().map(|kept| kept.level(At { number: 0, ..last.at() }));
            let first = first.transpose().map(Option::flatten).map_err(ClusterError::from);
            let first = first.map(|first| first.map(|first| first.lesson));
            let known = agree(worker, &job.signs, first)?;
            if last.number() == 0 {
                // Nothing was explored by it: whoever has warmed up for longer knows more, and that counts, too.
                lessons.push(last.lesson.clone());
            } else if let Some(first) = known.into_iter().flatten().next() {
                lessons = vec![first];
            }
        }
        let learned = explorer.learn(&lessons).map(drop).map_err(ClusterError::Astray);
        agree(worker, &job.signs, learned)?;
        let pool = (job.pool.clone(), me.worker - job.workers.start);
        let mut search = Search {
            job,
            me,
            pass: last.as_ref().map_or(0, |last| last.pass),
            expander: Expander::new(explorer, me.of, pool, job.counters.clone(), job.deadline),
            seen: Rc::new(RefCell::new(Seen::new(FxHashSet::default()))),
            frontier: Ways::of_length(1),
            tally: Tally::default(),
            before: last.as_ref().map_or(Duration::ZERO, |last| last.tally.time),
        };
        let mut met = search.root(worker)?;
        match (&job.checkpoint, last) {
            (Some(checkpoint), Some(last)) if last.number() > 0 => {
                let loaded = load(checkpoint, &last, me, job.limit, &mut met).map_err(ClusterError::from);
                let loaded = loaded.and_then(|(ways, lessons)| {
                    search.frontier = ways;
                    search.expander.explorer().learn(&lessons).map(drop).map_err(ClusterError::Astray)
                });
                agree(worker, &job.signs, loaded)?;
                search.tally = last.tally;
            }
            _ => search.save_beginning(worker)?,
        }
        search.seen = Rc::new(RefCell::new(Seen::new(met)));
        Ok(search)
    }

    /// Goes to the beginnings; gives those of them that this worker remembers.
    fn root(&mut self, worker: &mut Worker) -> Result<FxHashSet<u128>, ClusterError> {
        let (job, me) = (self.job, self.me);
        let mut met = FxHashSet::default();
        let roots = self.expander.explorer().begin().map_err(ClusterError::Astray);
        let mut all = agree(worker, &job.signs, roots)?;
        if all.iter().any(|other| *other != all[0]) {
            return Err(ClusterError::Astray(
                "the workers begin in different states: what is explored is not deterministic".to_owned(),
            ));
        }
        let mut roots = all.swap_remove(me.worker);
        roots.retain(|(_, print)| met.insert(*print));
        self.tally = Tally::beginning(roots.len() as u64);
        self.frontier = Ways::of_length(1);
        let mine = stretch(roots.len(), me.worker, me.of);
        roots[mine].iter().for_each(|(root, _)| self.frontier.push(&[*root]));
        met.retain(|print| owner(*print, me.of) == me.worker);
        Ok(met)
    }

    /// Begins the next pass.
    fn begin_anew(&mut self, worker: &mut Worker) -> Result<(), ClusterError> {
        let met = self.root(worker)?;
        self.seen = Rc::new(RefCell::new(Seen::new(met)));
        self.tally.time = self.before + self.job.started.elapsed();
        self.pass += 1;
        self.save_beginning(worker)?;
        if let Some(checkpoint) = &self.job.checkpoint {
            let first = self.me.worker == self.job.workers.start;
            let forgotten = if first { checkpoint.forget_before(self.pass + 1) } else { Ok(()) };
            agree(worker, &self.job.signs, forgotten.map_err(ClusterError::from))?;
        }
        Ok(())
    }

    /// Explores one more level, and has all agree on what came of it.
    fn level(&mut self, worker: &mut Worker) -> Result<(), ClusterError> {
        let (job, me, length) = (self.job, self.me, self.frontier.length() + 1);
        job.pool.give(me.worker - job.workers.start, std::mem::take(&mut self.frontier));
        // Who has nothing left takes of the others': all must have been given theirs.
        agree(worker, &job.signs, Ok(()))?;
        self.explored(length, worker)?;
        let lesson = self.expander.explorer().lesson();
        let mine = self.expander.end().map(|mut share| {
            let seen = self.seen.borrow();
            share.states = seen.prints().len() as u64;
            (counts(&share), sample(seen.ways(), me.of), lesson)
        });
        let all: Vec<Told> = agree(worker, &job.signs, mine.map_err(ClusterError::Astray))?;
        let mut level = Share::default();
        let (mut samples, mut lessons): (Vec<Sample>, _) = (Vec::new(), Vec::new());
        for (counts, sample, lesson) in all {
            level.add(share(counts));
            samples.push(sample);
            lessons.push(lesson);
        }
        let lessons = each_once(lessons);
        // All are told the same: if one can't read it, none can.
        let anew = self.expander.explorer().learn(&lessons).map_err(ClusterError::Astray)?;
        if anew && !level.late {
            return self.begin_anew(worker);
        }
        self.tally.add(level);
        self.tally.time = self.before + job.started.elapsed();
        if self.tally.closed() && self.expander.explorer().close().map_err(ClusterError::Astray)? {
            return self.begin_anew(worker);
        }
        if self.tally.cut.is_none() {
            self.frontier = self.shared_out(Borders::between(&samples, length), length, worker)?;
            self.save(&lessons, worker)?;
        }
        Ok(())
    }

    /// Explores from all states of a level: what comes of it is in `seen` then.
    fn explored(&mut self, length: usize, worker: &mut Worker) -> Result<(), ClusterError> {
        let (job, before) = (self.job, self.before);
        let (successors, probe) = explore(&self.seen, length, worker);
        let mut successors = Some(successors);
        let (mut told, first) = (Instant::now(), self.me.worker == job.workers.start);
        let (states, transitions) = job.counters.get();
        let so_far = self.tally.transitions;
        let mut progress = Progress {
            depth: self.tally.depth() + 1,
            transitions: 0,
            states: self.tally.states,
            done: (0, self.tally.levels.last().copied().unwrap_or_default()),
            time: Duration::ZERO,
        };
        let expander = &mut self.expander;
        job.signs.step_while(worker, || {
            if let Some(open) = &mut successors {
                if expander.turn(|parcel| open.send(parcel)) {
                    open.flush();
                } else {
                    successors = None;
                }
            }
            if first && told.elapsed() >= TELL {
                told = Instant::now();
                let now = job.counters.get();
                progress.transitions = so_far + now.1.saturating_sub(transitions);
                progress.done.0 = now.0.saturating_sub(states);
                progress.time = before + job.started.elapsed();
                // Nobody may be listening.
                let _unheard = job.tell.send(progress);
            }
            match &successors {
                Some(_) => Busy::Works,
                None if probe.done() => Busy::Done,
                None => Busy::Waits,
            }
        })
    }

    /// The part of the new states that this worker explores from.
    fn shared_out(&self, borders: Borders, length: usize, worker: &mut Worker) -> Result<Ways, ClusterError> {
        let ways = self.seen.borrow_mut().take_ways();
        let next = Rc::new(RefCell::new(Ways::of_length(length)));
        let probe = share_out(ways, borders, &next, worker);
        self.job.signs.step_until(worker, || probe.done(), || {})?;
        let mut next = next.take();
        next.sort();
        Ok(next)
    }

    /// Keeps the level that was explored: first everybody's files, then the tally.
    fn save(&self, lessons: &[Vec<u8>], worker: &mut Worker) -> Result<(), ClusterError> {
        let Search { job, me, .. } = self;
        let Some(checkpoint) = &job.checkpoint else { return Ok(()) };
        let lesson = pack(lessons);
        let level = Level { tally: self.tally.clone(), workers: me.of, pass: self.pass, lesson };
        let seen = self.seen.borrow();
        let written = checkpoint.write_part(level.at(), *me, seen.prints(), &self.frontier);
        agree(worker, &job.signs, written.map_err(ClusterError::from))?;
        self.write(checkpoint, &level, worker)
    }

    /// Keeps what is known when the search begins, if anything is.
    fn save_beginning(&mut self, worker: &mut Worker) -> Result<(), ClusterError> {
        let Some(checkpoint) = &self.job.checkpoint else { return Ok(()) };
        let lesson = self.expander.explorer().knowledge();
        if lesson.is_empty() {
            return Ok(());
        }
        let level = Level { tally: self.tally.clone(), workers: self.me.of, pass: self.pass, lesson };
        self.write(checkpoint, &level, worker)
    }

    fn write(&self, checkpoint: &Checkpoint, level: &Level, worker: &mut Worker) -> Result<(), ClusterError> {
        let first = self.me.worker == self.job.workers.start;
        let written = if first { checkpoint.write_tally(level.at(), level) } else { Ok(()) };
        agree(worker, &self.job.signs, written.map_err(ClusterError::from))?;
        Ok(())
    }
}

/// Lessons without those that say the same: who warms up as others do learns as much.
fn each_once(lessons: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    lessons.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

/// The last level that is whole, as far as anybody knows.
fn last_level<S>(worker: &mut Worker, job: &Job<S>) -> Result<Option<Level>, ClusterError> {
    let Some(checkpoint) = &job.checkpoint else { return Ok(None) };
    let mine = checkpoint.last(job.limit).map(|level| level.map(|level| level.to_text()));
    let told = agree(worker, &job.signs, mine.map_err(ClusterError::from))?;
    Ok(told.iter().flatten().filter_map(|text| Level::parse(text)).max_by_key(Level::at))
}

/// What a worker needs of a checkpoint to go on after a level: the states that it remembers go to `met`; the ways that it
/// explores from, and what was learned up to there, are given back.
fn load(
    checkpoint: &Checkpoint,
    last: &Level,
    me: Part,
    limit: u32,
    met: &mut FxHashSet<u128>,
) -> Result<(Ways, Vec<Vec<u8>>), CheckpointError> {
    let At { pass, number } = last.at();
    let (mut frontier, mut lessons) = (Ways::of_length(number as usize + 1), Vec::new());
    let goes_on = last.tally.goes_on(limit);
    for number in 1..=number {
        let at = At { pass, number };
        let level = match checkpoint.level(at)? {
            Some(level) => level,
            None => last.clone(),
        };
        lessons.extend(unpack(&level.lesson));
        if !goes_on {
            continue;
        }
        for part in checkpoint.parts(at, me, level.workers)? {
            let prints = checkpoint.states(at, part)?;
            met.extend(prints.into_iter().filter(|print| owner(*print, me.of) == me.worker));
            if at == last.at() {
                let ways = checkpoint.ways(at, part)?;
                // A part of as many workers is all this one's; of each of another number's a stretch is.
                let mine = if part == me { 0..ways.len() } else { stretch(ways.len(), me.worker, me.of) };
                mine.for_each(|way| frontier.push(ways.get(way)));
            }
        }
    }
    frontier.sort();
    Ok((frontier, lessons))
}
