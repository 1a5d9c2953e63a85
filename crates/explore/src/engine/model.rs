//! What locks and conditions mean: who holds what, who can go on. Used by real executions and by the state cache.

use super::objects::{ObjectId, Op, OpKind};

/// The most tasks of one program.
pub const MAX_TASKS: usize = 16;

/// A set of tasks.
pub(crate) type Tasks = u16;

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is about to take its pending step.
    Ready,
    /// It waits on the condition.
    Waiting(ObjectId),
    /// It was notified and is about to take the mutex of its wait again.
    Woken,
    /// It returned or panicked.
    Ended,
}

/// An object's state. The default (free, contents as at the beginning) is that of every object not touched yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    /// The fingerprint of the contents; 0 stands for what they were at the beginning.
    pub content: u64,
    /// For each task four bits: how often it holds the object for reading.
    pub readers: u64,
    /// The task that holds it, plus one; 0 if none does. [`FREED`] for tracked data that was freed.
    pub writer: u8,
}

/// The writer of tracked data that was freed.
pub(crate) const FREED: u8 = 0xFF;

/// The state of all locks, conditions and contents.
#[derive(Debug)]
pub(crate) struct Model {
    pub tasks: usize,
    pub phases: [Phase; MAX_TASKS],
    pub cells: Vec<Cell>,
    /// The sum of the hashes of all cells.
    pub hash: u64,
}

impl Clone for Model {
    fn clone(&self) -> Self {
        Model { tasks: self.tasks, phases: self.phases, cells: self.cells.clone(), hash: self.hash }
    }
    fn clone_from(&mut self, source: &Self) {
        self.tasks = source.tasks;
        self.phases = source.phases;
        self.cells.clone_from(&source.cells);
        self.hash = source.hash;
    }
}

impl Model {
    pub(crate) fn new(tasks: usize) -> Self {
        let mut phases = [Phase::Ended; MAX_TASKS];
        phases[..tasks].fill(Phase::Ready);
        Model { tasks, phases, cells: Vec::new(), hash: 0 }
    }

    pub(crate) fn reset(&mut self, tasks: usize) {
        self.tasks = tasks;
        self.phases = [Phase::Ended; MAX_TASKS];
        self.phases[..tasks].fill(Phase::Ready);
        self.cells.clear();
        self.hash = 0;
    }

    #[inline]
    pub(crate) fn cell(&self, id: ObjectId) -> Cell {
        self.cells.get(id as usize).copied().unwrap_or_default()
    }

    #[inline]
    fn change(&mut self, id: ObjectId, f: impl FnOnce(&mut Cell)) {
        let index = id as usize;
        if index >= self.cells.len() {
            self.cells.resize(index + 1, Cell::default());
        }
        let cell = &mut self.cells[index];
        self.hash = self.hash.wrapping_sub(hash(id, cell));
        f(cell);
        self.hash = self.hash.wrapping_add(hash(id, cell));
    }

    #[inline]
    pub(crate) fn set_content(&mut self, id: ObjectId, content: u64) {
        self.change(id, |cell| cell.content = content);
    }

    /// Whether the task can take its pending step.
    #[inline]
    pub(crate) fn enabled(&self, task: usize, op: &Op) -> bool {
        match self.phases[task] {
            Phase::Ended | Phase::Waiting(_) => false,
            Phase::Woken => self.free(op.mutex),
            Phase::Ready => match op.kind {
                OpKind::Lock => self.free(op.object),
                OpKind::ReadLock => self.cell(op.object).writer == 0,
                _ => true,
            },
        }
    }

    #[inline]
    pub(crate) fn free(&self, id: ObjectId) -> bool {
        let cell = self.cell(id);
        cell.writer == 0 && cell.readers == 0
    }

    /// Takes the pending step of an enabled task. Says whether it succeeded (a try-lock may not).
    #[inline]
    pub(crate) fn perform(&mut self, task: usize, op: &Op) -> bool {
        if self.phases[task] == Phase::Woken {
            self.phases[task] = Phase::Ready;
            self.change(op.mutex, |cell| cell.writer = task as u8 + 1);
            return true;
        }
        match op.kind {
            OpKind::Lock => self.change(op.object, |cell| cell.writer = task as u8 + 1),
            OpKind::TryLock => {
                if !self.free(op.object) {
                    return false;
                }
                self.change(op.object, |cell| cell.writer = task as u8 + 1);
            }
            OpKind::ReadLock => self.change(op.object, |cell| cell.readers += 1 << (4 * task)),
            OpKind::TryReadLock => {
                if self.cell(op.object).writer != 0 {
                    return false;
                }
                self.change(op.object, |cell| cell.readers += 1 << (4 * task));
            }
            OpKind::Unlock => self.change(op.object, |cell| cell.writer = 0),
            OpKind::ReadUnlock => self.change(op.object, |cell| cell.readers -= 1 << (4 * task)),
            OpKind::Wait => {
                self.change(op.mutex, |cell| cell.writer = 0);
                self.phases[task] = Phase::Waiting(op.object);
            }
            OpKind::Notify => {
                for phase in &mut self.phases[..self.tasks] {
                    if *phase == Phase::Waiting(op.object) {
                        *phase = Phase::Woken;
                    }
                }
            }
            OpKind::Free => self.change(op.object, |cell| cell.writer = FREED),
            OpKind::Read | OpKind::Write | OpKind::Ghost | OpKind::Sleep => {}
        }
        true
    }
}

#[inline]
fn hash(id: ObjectId, cell: &Cell) -> u64 {
    if *cell == Cell::default() {
        return 0;
    }
    mix(mix(mix(u64::from(id) + 0x51_7CC1, cell.content), cell.readers), u64::from(cell.writer))
}

/// Mixes two words into one; a product of 128 bits, folded.
#[inline]
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let a = u128::from(a ^ 0x9E37_79B9_7F4A_7C15);
    let b = u128::from(b ^ 0xE703_7ED1_A0B4_28DB);
    let product = a * b;
    let folded = (product as u64) ^ ((product >> 64) as u64);
    let folded = (folded ^ (folded >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ b as u64;
    folded ^ (folded >> 32)
}

/// The members of a set of tasks, smallest first.
#[inline]
pub(crate) fn members(tasks: Tasks) -> impl Iterator<Item = usize> {
    let mut left = tasks;
    std::iter::from_fn(move || {
        (left != 0).then(|| {
            let task = left.trailing_zeros() as usize;
            left &= left - 1;
            task
        })
    })
}
