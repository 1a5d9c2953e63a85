//! A search that others share out: states by the ways that lead to them.
//!
//! [`Explorer::by_ways`] hands out a [`Ways`]: it goes to states and tells what comes of each task's step there. Which states
//! are gone to, in which order, by whom, and what is remembered of them, is the caller's: there may be several of them, each with an
//! explorer of its own, in threads, processes and machines. This module knows nothing of that, nor of how ways are walked
//! (`engine/ways`).
//!
//! ```
//! use explore::{Explorer, Met, Options, Scene, Walked};
//! use locks::{Mutex, enter};
//! use std::collections::{BTreeMap, HashSet};
//!
//! locks::hierarchy! { mod order { Count } }
//! let mut scene = Scene::new(|| Mutex::<order::Count, u32>::new(0, 0));
//! for name in ["one", "other"] {
//!     scene = scene.task(name, |count| {
//!         enter(|held| *count.lock(held).0 += 1);
//!         "ok".to_owned()
//!     });
//! }
//! let report = Explorer::new(Options::default()).by_ways(&mut scene, |ways| {
//!     let lessons = [ways.lesson()];
//!     ways.learn(&lessons)?;
//!     // Breadth first, by one alone.
//!     let (mut seen, mut level) = (HashSet::from([ways.begin()?]), vec![Vec::new()]);
//!     let (mut met, mut transitions, mut ends) = (BTreeMap::new(), 0, 0);
//!     while !level.is_empty() {
//!         let mut next = Vec::new();
//!         for way in &level {
//!             ways.expand(way, &mut |came| {
//!                 let way: Vec<u8> = way.iter().copied().chain(came.task).collect();
//!                 transitions += u64::from(came.task.is_some());
//!                 ends += u64::from(came.task.is_none() && came.to.is_none());
//!                 for found in came.found {
//!                     let first = Met { key: found.key, ends: found.ends, count: 0, way: way.clone() };
//!                     met.entry(found.key).or_insert(first).count += 1;
//!                 }
//!                 if came.to.is_some_and(|print| seen.insert(print)) {
//!                     next.push(way);
//!                 }
//!             })?;
//!         }
//!         next.sort();
//!         level = next;
//!         let lessons = [ways.lesson()];
//!         assert!(!ways.learn(&lessons)?, "the warm-up has taught all that there is");
//!     }
//!     assert!(!ways.close());
//!     let met: Vec<Met> = met.into_values().collect();
//!     let states = seen.len() as u64;
//!     ways.report(&met, &Walked { states, transitions, ends, ..Walked::default() })
//! });
//! let report = report.unwrap();
//! assert_eq!((report.verdict, report.outcomes.len()), ("clean", 1));
//! ```

use std::time::{Duration, Instant};

use locks::hook;

use crate::engine::collect::{End, Limits, Searched};
use crate::engine::conductor::Conductor;
use crate::engine::executor::Executor;
use crate::engine::{warm, ways};
use crate::explorer::{Explored, Explorer};
use crate::met::{Came, Met};
use crate::options::{Options, Strategy};
use crate::program::Program;
use crate::report::Report;

/// What a search came to, however it was shared out.
#[derive(Clone, Debug, Default)]
pub struct Walked {
    /// How many states were met.
    pub states: u64,
    /// How many steps were taken from them.
    pub transitions: u64,
    /// In how many of the states no task could go on.
    pub ends: u64,
    /// The most steps of a path that was walked.
    pub deepest: u64,
    /// How many executions were run, and how many steps were executed; by all but this one.
    pub others: (u64, u64),
    /// Why not all was explored; `None` if all was.
    pub whole: Option<String>,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether violations are to be shown in full, by executions with few context switches.
    pub shrink: bool,
}

/// Goes to the states of a program by their ways; see [`Explorer::by_ways`].
pub struct Ways<'e, 'c, 'p> {
    ways: ways::Ways<'e, 'c, 'p>,
    options: Options,
    warm_up: u64,
}

impl Explorer {
    /// Gives `f` what a search needs that goes to states by ways. Some executions are run before, the same ones whoever runs
    /// them, to learn what tasks share. As few steps are told of as are enough; with [`Strategy::EveryState`] all of them. The
    /// budget, and whether the first violation ends the search, are the caller's concern; there is no audit.
    pub fn by_ways<R>(&mut self, program: &mut dyn Program, f: impl FnOnce(&mut Ways<'_, '_, '_>) -> R) -> R {
        let options = self.options().clone();
        let conductor = Conductor::new(program, options.max_steps);
        hook::install_scoped(&conductor, || {
            let mut executor = Executor::new(&conductor, options.stack);
            let mut limits = Limits::new(&options, None);
            warm::up(&mut executor, &mut limits, options.reach, warm::LEAST);
            let warm_up = limits.warm_up;
            let every = options.strategy == Strategy::EveryState;
            let ways = ways::Ways::new(&mut executor, options.max_steps, every);
            f(&mut Ways { ways, options, warm_up })
        })
    }
}

impl Ways<'_, '_, '_> {
    /// What was learned since this was asked last; others must be told.
    #[must_use]
    pub fn lesson(&mut self) -> Vec<u8> {
        self.ways.lesson()
    }

    /// Takes over what all have learned, oneself included; whether the search is to [`begin`](Ways::begin) anew, because
    /// other steps would have been told apart had it been known from the beginning.
    ///
    /// # Errors
    /// If somebody's lesson can't be read.
    pub fn learn(&mut self, lessons: &[Vec<u8>]) -> Result<bool, String> {
        self.ways.learn(lessons)
    }

    /// To be asked when no states are left to be explored from, and all have learned what all have learned: whether the search is to
    /// [`begin`](Ways::begin) anew, because what it left out relied on what is not so.
    pub fn close(&mut self) -> bool {
        self.ways.close()
    }

    /// All that all know by now, as one lesson.
    #[must_use]
    pub fn knowledge(&self) -> Vec<u8> {
        self.ways.knowledge()
    }

    /// Begins a search by what all know by now; gives the fingerprint of the state to which the empty way leads.
    ///
    /// # Errors
    /// If the tasks don't begin as they began before.
    pub fn begin(&mut self) -> Result<u128, String> {
        self.ways.begin()
    }

    /// Tells what comes of each step that is to be taken in the state to which a way leads, or that no task can go on there,
    /// and how it ends. Ways in ascending order are quickest.
    ///
    /// # Errors
    /// If the way does not lead where it led, or tasks go round there in more ways than can be followed.
    pub fn expand(&mut self, way: &[u8], tell: &mut dyn FnMut(Came<'_>)) -> Result<(), String> {
        self.ways.expand(way, tell)
    }

    /// The most steps of a path to a state from which this exploration told what comes, since this was asked last.
    pub fn take_deepest(&mut self) -> u64 {
        std::mem::take(&mut self.ways.deepest) as u64
    }

    /// How many executions were run so far, and how many steps were executed.
    #[must_use]
    pub fn runs(&self) -> (u64, u64) {
        let executor = &self.ways.executor;
        (executor.begun, executor.conductor.control.borrow().learned.steps)
    }

    /// Ends the search, and puts what was met into a report, as [`Explorer::run`] does.
    ///
    /// # Errors
    /// If what was met is not met again.
    pub fn report(&mut self, met: &[Met], walked: &Walked) -> Result<Report, String> {
        let started = Instant::now();
        let mut collector = self.ways.collect(met)?;
        self.ways.end();
        let paths = self.ways.not_asked();
        self.ways.ask_along(&paths);
        // Each step leads to a new state, or to one that was known; or to an end.
        collector.executions = (walked.transitions + 1).saturating_sub(walked.states) + walked.ends;
        collector.deepest = usize::try_from(walked.deepest).unwrap_or(usize::MAX);
        let (runs, steps) = self.runs();
        let end = if walked.whole.is_none() { End::Exhausted } else { End::Cut };
        let searched = Searched { collector, end, states: walked.states, bounded: false };
        let explored = Explored {
            searched,
            runs: runs + walked.others.0,
            warm_up: self.warm_up,
            chosen_again: 0,
            steps: steps + walked.others.1,
            audit: None,
        };
        let options = Options { shrink: self.options.shrink && walked.shrink, ..self.options.clone() };
        let mut report = Explorer::new(options).report(self.ways.executor, explored, started);
        report.elapsed += walked.elapsed;
        // What keeps the search from being trusted is worse than that it is not whole.
        if report.why.is_some()
            && !self.ways.has_problem()
            && let Some(why) = &walked.whole
        {
            report.why = Some(why.clone());
        }
        Ok(report)
    }
}
