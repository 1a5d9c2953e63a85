//! Sequences by several workers, each with a machine of its own.
//!
//! The work of a level is cut into chunks: parts of the tree below consecutive kept states. A worker that takes a chunk
//! makes these states again on its own machine (states can't move from one machine to another), goes down to the level
//! that is to be explored, and runs every operation there. What it brings back is only what came of each: a
//! fingerprint, and what is wrong. The chunks' results are merged one after the other in the order of the states. So
//! everything is found in the same order as by one worker: the same states, counts, and first counterexamples.
//!
//! This module knows nothing of threads: whoever calls it runs the workers ([`InParallel`]).

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use ap_task::Kernel;
use rustc_hash::FxHashMap;

use crate::oracle::{Broken, NotReturned};
use crate::sequences::alphabet::Alphabet;
use crate::sequences::bench::Bench;
use crate::sequences::judge::judge;
use crate::sequences::operation::Operation;
use crate::sequences::state::{Ran, State};

/// Runs a function so many times at the same time, with the numbers 0, 1, …, and returns when all calls have. Fewer
/// will do, but at least two; if not even these can run, nothing has.
pub type InParallel<'a> = &'a dyn Fn(usize, &(dyn Fn(usize) + Sync)) -> io::Result<()>;

/// How many chunks of a level there are for each worker, if it has as many kept states.
const CHUNKS: usize = 64;
/// How many chunks may be done for each worker that are not merged.
const AHEAD: u32 = 16;

/// The tree of states, as far as its levels are complete.
#[derive(Default)]
pub(super) struct Tree {
    /// The operation that led to each state; see `Search`.
    pub by: Vec<u8>,
    /// The first child of each state that was explored.
    pub children: Vec<u32>,
}

impl Tree {
    /// The number of the beginning and the operations' numbers that lead to a state.
    pub(super) fn way_to(&self, mut number: u32) -> (usize, Vec<u8>) {
        let mut way = Vec::new();
        while number >= self.children[0] {
            way.push(self.by[number as usize]);
            // The parent is the last state whose children begin at or before this one.
            number = self.children.partition_point(|first| *first <= number) as u32 - 1;
        }
        way.reverse();
        (number as usize, way)
    }
}

/// What came of an operation from one state.
pub(super) struct Came {
    /// The operation's number.
    pub operation: u8,
    /// The fingerprint of the state after it, or why it did not return.
    pub to: Result<u128, NotReturned>,
    /// What is wrong with it.
    pub found: Vec<Broken>,
}

/// What came of every operation that makes sense in a state.
pub(super) struct Expanded {
    /// The state's number.
    pub number: u32,
    /// By the operations' numbers.
    pub came: Vec<Came>,
}

/// A level that is to be explored: the kept states, and how far below them it is.
#[derive(Clone)]
pub(super) struct Level {
    /// The numbers of the kept states.
    pub kept: Range<u32>,
    /// How many levels below them.
    pub below: u32,
}

impl Level {
    fn chunk(&self, workers: usize) -> u32 {
        (self.kept.len() / (workers * CHUNKS)).clamp(1, 256) as u32
    }
}

/// What is to be done and what was done.
struct Board {
    level: Option<Level>,
    /// The kept states of a chunk.
    size: u32,
    next: u32,
    merged: u32,
    chunks: u32,
    done: BTreeMap<u32, Vec<Expanded>>,
    over: bool,
    failed: bool,
}

/// What workers share.
pub(super) struct Shared<'a> {
    alphabet: &'a Alphabet,
    workers: usize,
    /// The tree as far as its levels are complete.
    pub tree: RwLock<Tree>,
    board: Mutex<Board>,
    changed: Condvar,
}

impl<'a> Shared<'a> {
    pub(super) fn new(alphabet: &'a Alphabet, workers: usize) -> Self {
        let board = Board {
            level: None,
            size: 1,
            next: 0,
            merged: 0,
            chunks: 0,
            done: BTreeMap::new(),
            over: false,
            failed: false,
        };
        let (board, changed) = (Mutex::new(board), Condvar::new());
        Shared { alphabet, workers, tree: RwLock::default(), board, changed }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'b>(&self, board: MutexGuard<'b, Board>) -> MutexGuard<'b, Board> {
        self.changed.wait(board).unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a level explored; `merge` gets what came of its states, in their order, and says whether to go on.
    pub(super) fn explore(&self, level: Level, mut merge: impl FnMut(Expanded) -> bool) {
        let chunks = {
            let mut board = self.board();
            board.size = level.chunk(self.workers);
            board.chunks = (level.kept.len() as u32).div_ceil(board.size);
            (board.next, board.merged) = (0, 0);
            board.level = Some(level);
            board.chunks
        };
        self.changed.notify_all();
        for chunk in 0..chunks {
            let mut board = self.board();
            let expanded = loop {
                assert!(!board.failed, "a worker panicked");
                if let Some(expanded) = board.done.remove(&chunk) {
                    break expanded;
                }
                board = self.wait(board);
            };
            board.merged = chunk + 1;
            drop(board);
            self.changed.notify_all();
            if !expanded.into_iter().all(&mut merge) {
                break;
            }
        }
        let mut board = self.board();
        board.level = None;
        board.done.clear();
    }

    /// Nothing is left to be done.
    pub(super) fn end(&self) {
        self.board().over = true;
        self.changed.notify_all();
    }

    /// What a worker does; it returns when nothing is left to be done.
    pub(super) fn work(&self, kernel: Kernel) {
        let alarm = Alarm(self);
        let mut worker = Worker::new(self.alphabet, kernel);
        while let Some((chunk, kept, level)) = self.take() {
            let expanded =
                worker.chunk(&self.tree.read().unwrap_or_else(PoisonError::into_inner), kept, &level);
            let stuck =
                expanded.last().and_then(|state| state.came.last()).is_some_and(|came| came.to.is_err());
            self.board().done.insert(chunk, expanded);
            self.changed.notify_all();
            if stuck {
                // Its machine is of no use any more.
                worker = Worker::new(self.alphabet, kernel);
            }
        }
        std::mem::forget(alarm);
    }

    fn take(&self) -> Option<(u32, Range<u32>, Level)> {
        let mut board = self.board();
        loop {
            if board.over {
                return None;
            }
            let ahead = board.merged + AHEAD * self.workers as u32;
            if let Some(level) = &board.level
                && board.next < board.chunks.min(ahead)
            {
                let level = level.clone();
                let (chunk, size) = (board.next, board.size);
                let first = level.kept.start + chunk * size;
                board.next += 1;
                return Some((chunk, first..(first + size).min(level.kept.end), level));
            }
            board = self.wait(board);
        }
    }
}

/// Tells the others if a worker panics.
struct Alarm<'s, 'a>(&'s Shared<'a>);

impl Drop for Alarm<'_, '_> {
    fn drop(&mut self) {
        self.0.board().failed = true;
        self.0.changed.notify_all();
    }
}

/// A worker: its machine, and the kept states that it made so far.
struct Worker<'a> {
    alphabet: &'a Alphabet,
    bench: Bench,
    roots: Vec<State>,
    /// Of which level the states are kept.
    level: Range<u32>,
    kept: FxHashMap<u32, State>,
    found: Vec<Broken>,
}

impl<'a> Worker<'a> {
    fn new(alphabet: &'a Alphabet, kernel: Kernel) -> Self {
        let mut bench = Bench::new(kernel);
        let roots = roots(alphabet, &mut bench);
        Worker { alphabet, bench, roots, level: 0..0, kept: FxHashMap::default(), found: Vec::new() }
    }

    fn chunk(&mut self, tree: &Tree, kept: Range<u32>, level: &Level) -> Vec<Expanded> {
        if self.level != level.kept {
            self.level = level.kept.clone();
            self.kept.clear();
        }
        let mut expanded = Vec::new();
        for number in kept {
            let state = match self.kept.remove(&number) {
                Some(state) => state,
                None => self.make(tree, number),
            };
            let goes_on = self.descend(tree, number, &state, level.below, &mut expanded);
            self.kept.insert(number, state);
            if !goes_on {
                break;
            }
        }
        expanded
    }

    /// Makes a state again.
    fn make(&mut self, tree: &Tree, number: u32) -> State {
        let (root, way) = tree.way_to(number);
        let mut state = self.roots[root].clone();
        self.bench.go_to(&state);
        for operation in way {
            let operation = self.alphabet.operations[usize::from(operation)];
            self.found.clear();
            if let Ran::Returned(returned) = self.bench.run(&operation, &state, &mut self.found) {
                state = returned.after;
            }
        }
        state
    }

    /// Goes down the tree to the level that is to be explored; `false` after an operation that did not return.
    fn descend(
        &mut self,
        tree: &Tree,
        number: u32,
        state: &State,
        levels: u32,
        expanded: &mut Vec<Expanded>,
    ) -> bool {
        if levels == 0 {
            let came = self.expand(state);
            let goes_on = came.last().is_none_or(|came| came.to.is_ok());
            expanded.push(Expanded { number, came });
            return goes_on;
        }
        let (from, to) = (tree.children[number as usize], tree.children[number as usize + 1]);
        for child in from..to {
            self.bench.go_to(state);
            let operation = self.alphabet.operations[usize::from(tree.by[child as usize])];
            self.found.clear();
            if let Ran::Returned(returned) = self.bench.run(&operation, state, &mut self.found)
                && !self.descend(tree, child, &returned.after, levels - 1, expanded)
            {
                return false;
            }
        }
        true
    }

    /// Runs every operation from one state, up to one that does not return.
    fn expand(&mut self, state: &State) -> Vec<Came> {
        let mut all = Vec::new();
        for (index, operation) in self.alphabet.operations.iter().enumerate() {
            let operation_number = index as u8;
            self.bench.go_to(state);
            self.found.clear();
            match self.bench.run(operation, state, &mut self.found) {
                Ran::Senseless => {}
                Ran::Returned(returned) => {
                    judge(state, operation, &returned, &self.bench.statuses(), &mut self.found);
                    let found = std::mem::take(&mut self.found);
                    all.push(Came {
                        operation: operation_number,
                        to: Ok(returned.after.fingerprint()),
                        found,
                    });
                }
                Ran::NotReturned(why) => {
                    let found = std::mem::take(&mut self.found);
                    all.push(Came { operation: operation_number, to: Err(why), found });
                    return all;
                }
            }
        }
        all
    }
}

/// The states in which sequences begin.
pub(super) fn roots(alphabet: &Alphabet, bench: &mut Bench) -> Vec<State> {
    let boot = bench.take();
    let mut ignored = Vec::new();
    let mut root = |beginning: &Vec<Operation>| {
        bench.go_to(&boot);
        let mut state = bench.take();
        for operation in beginning {
            if let Ran::Returned(returned) = bench.run(operation, &state, &mut ignored) {
                state = returned.after;
            }
        }
        state
    };
    alphabet.beginnings.iter().map(&mut root).collect()
}
