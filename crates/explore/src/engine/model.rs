//! What locks and conditions mean: who holds what, who can go on, what a step lets a task observe.
//!
//! Real executions and walks over states use the same model, so that both mean the same. This module knows nothing of
//! what a task does with what it observes.

use super::mix::mix;
use super::objects::{ObjectId, Objects, Op, OpKind};
use super::tasks::MAX_TASKS;

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
                OpKind::ReadLock | OpKind::Look => self.cell(op.object).writer == 0,
                _ => true,
            },
        }
    }

    #[inline]
    pub(crate) fn free(&self, id: ObjectId) -> bool {
        let cell = self.cell(id);
        cell.writer == 0 && cell.readers == 0
    }

    /// Whether nobody may change what the program's oracle looks at: of the locks that it watches none is held but for
    /// reading.
    pub(crate) fn is_settled(&self, objects: &Objects) -> bool {
        objects.watched().iter().all(|&id| self.cell(id).writer == 0)
    }

    /// A fingerprint of all that the program's oracle looks at: what the locks that it watches protect.
    pub(crate) fn seen(&self, objects: &Objects) -> u64 {
        objects.watched().iter().fold(0, |sum, &id| {
            let content = self.cell(id).content;
            if content == 0 { sum } else { mix(sum, mix(u64::from(id), content)) }
        })
    }

    /// What a step that was just taken lets its task observe.
    #[inline]
    pub(crate) fn input(&self, op: &Op, ok: bool, woken: bool) -> u64 {
        match op.kind {
            _ if woken => self.cell(op.mutex).content,
            OpKind::Lock | OpKind::TryLock | OpKind::ReadLock | OpKind::TryReadLock | OpKind::Look if ok => {
                self.cell(op.object).content
            }
            OpKind::TryLock | OpKind::TryReadLock => 1 << 63 | 0x7A11,
            OpKind::Read | OpKind::Write | OpKind::Ghost => self.cell(op.object).content,
            _ => 0,
        }
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
            OpKind::ReadLock | OpKind::Look => {
                self.change(op.object, |cell| cell.readers += 1 << (4 * task));
            }
            OpKind::TryReadLock => {
                if self.cell(op.object).writer != 0 {
                    return false;
                }
                self.change(op.object, |cell| cell.readers += 1 << (4 * task));
            }
            OpKind::Unlock => self.change(op.object, |cell| cell.writer = 0),
            OpKind::ReadUnlock | OpKind::Looked => {
                self.change(op.object, |cell| cell.readers -= 1 << (4 * task));
            }
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
    let held = mix(u64::from(id) << 8 | u64::from(cell.writer), cell.content);
    if cell.readers == 0 { held } else { mix(held, cell.readers) }
}
