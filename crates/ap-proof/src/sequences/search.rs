//! Breadth first, with little memory: per state a fingerprint and the operation that led to it.
//!
//! Only the states of one level are kept as such (as long as they are few). From there on a state is made again by
//! running the operations of the tree, depth first: each inner node once per level.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ap_task::Kernel;
use rustc_hash::FxHashSet;

use crate::oracle::{Broken, Known};
use crate::sequences::alphabet::Alphabet;
use crate::sequences::bench::Bench;
use crate::sequences::judge::judge as judge_transition;
use crate::sequences::operation::Operation;
use crate::sequences::report::{Report, Violation};
use crate::sequences::state::{Ran, State};
use crate::sequences::workers::{self, Came, Expanded, InParallel, Level, Shared, Tree};

/// How many states of one level are kept at the most.
const KEPT: usize = 60_000;
/// How many different violations are told apart at the most.
const VIOLATIONS: usize = 64;
/// Every how many transitions the clock is looked at.
const LOOK: u64 = 1 << 14;

/// How far to go.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Sequences of at most this length; `None`: the alphabet's own depth.
    pub depth: Option<u32>,
    /// At most this long.
    pub budget: Option<Duration>,
    /// Stop at the end of the first level that has a violation that is not a known one.
    pub stop_early: bool,
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The length of the sequences that are being explored.
    pub depth: u32,
    /// Transitions so far.
    pub transitions: u64,
    /// States so far.
    pub states: u64,
    /// How many states of this level are done, of how many.
    pub done: (u64, u64),
    /// Since the beginning.
    pub time: Duration,
}

/// Explores every sequence.
pub fn explore(alphabet: &Alphabet, options: Options, tell: &mut dyn FnMut(Progress)) -> Report {
    let mut search = Search::new(alphabet, options, tell);
    search.run();
    search.report()
}

/// The same by several workers, which `run` runs: the same report, sooner.
///
/// # Errors
/// Why there are no workers: then nothing was explored.
pub fn explore_by(
    workers: usize,
    run: InParallel<'_>,
    alphabet: &Alphabet,
    options: Options,
    tell: &mut (dyn FnMut(Progress) + Send),
) -> io::Result<Report> {
    let shared = Shared::new(alphabet, workers);
    let (tell, report) = (Mutex::new(Some(tell)), Mutex::new(None));
    run(workers + 1, &|number| {
        if number > 0 {
            return shared.work(alphabet.kernel);
        }
        // Workers end also if this panics.
        let _end = End(&shared);
        let Some(tell) = tell.lock().ok().and_then(|mut tell| tell.take()) else { return };
        let mut tell = |progress| tell(progress);
        let mut search = Search::new(alphabet, options, &mut tell);
        search.run_by(&shared);
        if let Ok(mut report) = report.lock() {
            *report = Some(search.report());
        }
    })?;
    Ok(report.into_inner().ok().flatten().expect("whoever runs the workers runs the first of them"))
}

/// Ends the workers when it is dropped.
struct End<'s, 'a>(&'s Shared<'a>);

impl Drop for End<'_, '_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Runs one sequence on the tiny machine with the default kernel; answers what does not hold, with the number of the
/// operation after which.
#[must_use]
pub fn judge(operations: &[Operation]) -> Vec<(usize, Broken)> {
    judge_on(Kernel::default(), operations)
}

/// The same with another kernel.
#[must_use]
pub fn judge_on(kernel: Kernel, operations: &[Operation]) -> Vec<(usize, Broken)> {
    let mut bench = Bench::new(kernel);
    let mut state = bench.take();
    let mut all = Vec::new();
    for (number, operation) in operations.iter().enumerate() {
        let mut found = Vec::new();
        match bench.run(operation, &state, &mut found) {
            Ran::Senseless => {}
            Ran::NotReturned(why) => {
                all.push((number, why.into()));
                return all;
            }
            Ran::Returned(returned) => {
                judge_transition(&state, operation, &returned, &bench.statuses(), &mut found);
                all.extend(found.into_iter().map(|broken| (number, broken)));
                state = returned.after;
            }
        }
    }
    all
}

struct Search<'a> {
    alphabet: &'a Alphabet,
    options: Options,
    tell: &'a mut dyn FnMut(Progress),
    bench: Bench,
    seen: FxHashSet<u128>,
    /// The states in the order in which they were met, beginnings first; the last first child is where the next one's
    /// would begin.
    tree: Tree,
    levels: Vec<u64>,
    transitions: u64,
    depth: u32,
    closed: bool,
    cut: Option<&'static str>,
    started: Instant,
    violations: Vec<Violation>,
    found: Vec<Broken>,
}

/// A state that is to be explored: its number and itself.
type Node = (u32, State);

impl<'a> Search<'a> {
    fn new(alphabet: &'a Alphabet, options: Options, tell: &'a mut dyn FnMut(Progress)) -> Self {
        assert!(alphabet.operations.len() <= 256, "an operation's number is a byte");
        Search {
            alphabet,
            options,
            tell,
            bench: Bench::new(alphabet.kernel),
            seen: FxHashSet::default(),
            tree: Tree::default(),
            levels: Vec::new(),
            transitions: 0,
            depth: 0,
            closed: false,
            cut: None,
            started: Instant::now(),
            violations: Vec::new(),
            found: Vec::new(),
        }
    }

    fn begin(&mut self) -> Vec<Node> {
        let mut roots = Vec::new();
        for state in workers::roots(self.alphabet, &mut self.bench) {
            self.seen.insert(state.fingerprint());
            roots.push((self.tree.by.len() as u32, state));
            self.tree.by.push(0);
        }
        self.levels.push(roots.len() as u64);
        self.tree.children.push(roots.len() as u32);
        roots
    }

    fn run_by(&mut self, shared: &Shared<'_>) {
        self.begin();
        let mut level = Level { kept: 0..self.tree.by.len() as u32, below: 0 };
        let limit = self.options.depth.or(self.alphabet.depth).unwrap_or(u32::MAX);
        while self.depth < limit {
            {
                let mut tree = shared.tree.write().unwrap_or_else(PoisonError::into_inner);
                let (by, children) = (tree.by.len(), tree.children.len());
                tree.by.extend_from_slice(&self.tree.by[by..]);
                tree.children.extend_from_slice(&self.tree.children[children..]);
            }
            let first = self.tree.by.len();
            shared.explore(level.clone(), |expanded| self.merge(expanded));
            if self.cut.is_some() || !self.ends_level(first) {
                return;
            }
            let new = first as u32..self.tree.by.len() as u32;
            level = if new.len() <= KEPT {
                Level { kept: new, below: 0 }
            } else {
                Level { below: level.below + 1, ..level }
            };
        }
    }

    /// Takes over what a worker found out about one state; whether to go on.
    fn merge(&mut self, expanded: Expanded) -> bool {
        let Expanded { number, came } = expanded;
        for Came { operation, to, found } in came {
            self.transitions += 1;
            if self.transitions.is_multiple_of(LOOK) && !self.look(number) {
                return false;
            }
            self.found = found;
            match to {
                Ok(print) => self.met(number, operation, print),
                Err(why) => {
                    self.found.push(why.into());
                    self.broken(number, operation);
                    self.cut = Some("an operation did not return");
                    return false;
                }
            };
        }
        self.tree.children.push(self.tree.by.len() as u32);
        true
    }

    /// An operation led to a state; gives its number if it is a new one that is worth going on from.
    fn met(&mut self, from: u32, operation: u8, print: u128) -> Option<u32> {
        if !self.found.is_empty() && self.broken(from, operation) || !self.seen.insert(print) {
            return None;
        }
        self.tree.by.push(operation);
        Some(self.tree.by.len() as u32 - 1)
    }

    /// A level was explored, whose states' children begin with this number; whether there is another one.
    fn ends_level(&mut self, first: usize) -> bool {
        debug_assert_eq!(self.tree.children.len(), first + 1, "every state of the level was explored");
        self.depth += 1;
        let new = (self.tree.by.len() - first) as u64;
        if new == 0 {
            self.closed = true;
            return false;
        }
        self.levels.push(new);
        if self.options.stop_early && self.violations.iter().any(|v| v.known.is_none()) {
            self.cut = Some("a violation was found");
            return false;
        }
        true
    }

    fn run(&mut self) {
        let mut kept = self.begin();
        // How many levels the kept states are above those that are to be explored.
        let mut above = 0;
        let limit = self.options.depth.or(self.alphabet.depth).unwrap_or(u32::MAX);
        while self.depth < limit {
            let first = self.tree.by.len();
            let mut next = (above == 0).then(Vec::new);
            for (number, state) in &kept {
                self.descend(*number, state, above, &mut next);
                if self.cut.is_some() {
                    return;
                }
            }
            if !self.ends_level(first) {
                return;
            }
            let new = self.tree.by.len() - first;
            match next {
                Some(next) if next.len() == new => kept = next,
                _ => above += 1,
            }
        }
    }

    /// Goes down the tree from a state to the level that is to be explored.
    fn descend(&mut self, number: u32, state: &State, levels: u32, next: &mut Option<Vec<Node>>) {
        if levels == 0 {
            self.expand(number, state, next);
            return;
        }
        let (from, to) = (self.tree.children[number as usize], self.tree.children[number as usize + 1]);
        for child in from..to {
            self.bench.go_to(state);
            let operation = self.alphabet.operations[usize::from(self.tree.by[child as usize])];
            self.found.clear();
            if let Ran::Returned(returned) = self.bench.run(&operation, state, &mut self.found) {
                self.descend(child, &returned.after, levels - 1, next);
            }
            if self.cut.is_some() {
                return;
            }
        }
    }

    /// Runs every operation from one state.
    fn expand(&mut self, number: u32, state: &State, next: &mut Option<Vec<Node>>) {
        let alphabet = self.alphabet;
        for (index, operation) in alphabet.operations.iter().enumerate() {
            self.bench.go_to(state);
            self.found.clear();
            let ran = self.bench.run(operation, state, &mut self.found);
            if matches!(ran, Ran::Senseless) {
                continue;
            }
            self.transitions += 1;
            if self.transitions.is_multiple_of(LOOK) && !self.look(number) {
                return;
            }
            let returned = match ran {
                Ran::Senseless => continue,
                Ran::Returned(returned) => returned,
                Ran::NotReturned(why) => {
                    self.found.push(why.into());
                    self.broken(number, index as u8);
                    self.cut = Some("an operation did not return");
                    return;
                }
            };
            judge_transition(state, operation, &returned, &self.bench.statuses(), &mut self.found);
            let after = returned.after;
            if let Some(child) = self.met(number, index as u8, after.fingerprint())
                && let Some(kept) = next
            {
                if kept.len() < KEPT {
                    kept.push((child, after));
                } else {
                    *next = None;
                }
            }
        }
        self.tree.children.push(self.tree.by.len() as u32);
    }

    /// Keeps what was found; whether the state is not worth going on from.
    fn broken(&mut self, number: u32, last: u8) -> bool {
        let operation = self.alphabet.operations[usize::from(last)];
        let mut unknown = false;
        for broken in std::mem::take(&mut self.found) {
            let known = Known::of(&broken);
            unknown |= known.is_none();
            let same = |violation: &&mut Violation| match known {
                Some(_) => violation.known == known,
                None => violation.broken == broken,
            };
            if let Some(violation) = self.violations.iter_mut().find(same) {
                violation.count += 1;
            } else if self.violations.len() < VIOLATIONS {
                let (beginning, mut sequence) = self.way_to(number);
                sequence.push(operation);
                self.violations.push(Violation { broken, known, count: 1, beginning, sequence });
            }
        }
        unknown
    }

    /// The beginning and the operations that lead to a state.
    fn way_to(&self, number: u32) -> (Vec<Operation>, Vec<Operation>) {
        let (beginning, way) = self.tree.way_to(number);
        let operation = |number: u8| self.alphabet.operations[usize::from(number)];
        (self.alphabet.beginnings[beginning].clone(), way.into_iter().map(operation).collect())
    }

    /// Tells how far it is; whether it may go on.
    fn look(&mut self, number: u32) -> bool {
        let time = self.started.elapsed();
        let level: u64 = *self.levels.last().unwrap_or(&1);
        let before: u64 = self.levels.iter().sum::<u64>() - level;
        (self.tell)(Progress {
            depth: self.depth + 1,
            transitions: self.transitions,
            states: self.tree.by.len() as u64,
            done: (u64::from(number).saturating_sub(before), level),
            time,
        });
        if self.options.budget.is_some_and(|budget| time > budget) {
            self.cut = Some("the time is up");
            return false;
        }
        true
    }

    fn report(self) -> Report {
        Report {
            alphabet: self.alphabet.name,
            operations: self.alphabet.operations.len(),
            transitions: self.transitions,
            states: self.tree.by.len() as u64,
            depth: self.depth,
            closed: self.closed,
            cut: self.cut,
            levels: self.levels,
            time: self.started.elapsed(),
            violations: self.violations,
        }
    }
}
