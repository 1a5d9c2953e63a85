//! Who knows of which access: what vector clocks say about races, in a form that states can be compared by.
//!
//! For each tracked object there is one *record* for its last write and one for each task's last read. A task or a
//! lock *knows* a record if locks order the access before whatever the task does next (whoever takes the lock
//! next). A record that nobody can race with any more is dropped, so that states that differ in nothing else are
//! one state. This module knows nothing of what else a state is made of.

use super::mix::mix;
use super::model::{Model, Phase};
use super::objects::{ObjectId, Op, OpKind};
use super::races::{Access, Race};
use super::tasks::MAX_TASKS;

/// A set of records.
type Records = [u64; 4];

/// The most records.
const RECORDS: u32 = 256;

#[derive(Debug, Default)]
pub(crate) struct Knowledge {
    tasks: usize,
    /// What each task knows, then for each object what its last writer's and its readers' releases pass on.
    rows: Vec<Records>,
    /// For each tracked object who wrote it last (plus one), and whether that freed it.
    writers: Vec<(u8, bool)>,
}

impl Clone for Knowledge {
    fn clone(&self) -> Self {
        Knowledge { tasks: self.tasks, rows: self.rows.clone(), writers: self.writers.clone() }
    }
    fn clone_from(&mut self, source: &Self) {
        self.tasks = source.tasks;
        self.rows.clone_from(&source.rows);
        self.writers.clone_from(&source.writers);
    }
}

/// Whether so many tracked objects can be followed.
pub(crate) fn fits(tasks: usize, trackeds: u32) -> bool {
    trackeds * (tasks as u32 + 1) <= RECORDS
}

#[inline]
fn has(records: &Records, record: usize) -> bool {
    records[record / 64] >> (record % 64) & 1 == 1
}

#[inline]
fn add(records: &mut Records, record: usize) {
    records[record / 64] |= 1 << (record % 64);
}

#[inline]
fn merge(into: &mut Records, from: Records) {
    for (into, from) in into.iter_mut().zip(from) {
        *into |= from;
    }
}

impl Knowledge {
    pub(crate) fn new(tasks: usize) -> Self {
        Knowledge { tasks, rows: Vec::new(), writers: Vec::new() }
    }

    /// Nobody accessed anything yet: all that follows is free of cost.
    #[inline]
    fn idle(&self) -> bool {
        self.writers.is_empty()
    }

    fn row(&mut self, index: usize) -> &mut Records {
        if self.rows.len() <= index {
            self.rows.resize(index + 1, Records::default());
        }
        &mut self.rows[index]
    }

    fn released_row(&self, id: ObjectId) -> usize {
        self.tasks + 2 * id as usize
    }

    fn record(&self, tracked: u32, slot: usize) -> usize {
        tracked as usize * (self.tasks + 1) + slot
    }

    /// Takes note of a step that was performed.
    #[inline]
    pub(crate) fn perform(&mut self, task: usize, op: &Op, ok: bool, woken: bool) {
        if self.idle() {
            return;
        }
        match op.kind {
            _ if woken => self.acquired(task, op.mutex, true),
            OpKind::Lock => self.acquired(task, op.object, true),
            OpKind::TryLock if ok => self.acquired(task, op.object, true),
            OpKind::ReadLock | OpKind::Look => self.acquired(task, op.object, false),
            OpKind::TryReadLock if ok => self.acquired(task, op.object, false),
            OpKind::Unlock => self.released(task, self.released_row(op.object)),
            OpKind::ReadUnlock | OpKind::Looked => self.released(task, self.released_row(op.object) + 1),
            OpKind::Wait => self.released(task, self.released_row(op.mutex)),
            _ => {}
        }
    }

    fn acquired(&mut self, task: usize, id: ObjectId, exclusive: bool) {
        let row = self.released_row(id);
        let known = *self.row(row);
        merge(self.row(task), known);
        if exclusive {
            let known = *self.row(row + 1);
            merge(self.row(task), known);
        }
    }

    fn released(&mut self, task: usize, row: usize) {
        let known = *self.row(task);
        merge(self.row(row), known);
    }

    /// Takes note of an access; says which races it completes. `freed` tells of an object that was freed before.
    pub(crate) fn access(&mut self, task: usize, op: &Op, tracked: u32, freed: bool) -> Vec<Race> {
        let index = tracked as usize;
        if self.writers.len() <= index {
            self.writers.resize(index + 1, (0, false));
        }
        let (writer, frees) = self.writers[index];
        let this = Access { task, kind: op.kind };
        let write = self.record(tracked, 0);
        let own = *self.row(task);
        if freed {
            let by = usize::from(writer) - 1;
            return vec![Race::after_free(op.object, by, this, by != task && !has(&own, write))];
        }
        let mut races = Vec::new();
        if writer != 0 && usize::from(writer) - 1 != task && !has(&own, write) {
            let kind = if frees { OpKind::Free } else { OpKind::Write };
            races.push(Race::unordered(op.object, Access { task: usize::from(writer) - 1, kind }, this));
        }
        if op.kind == OpKind::Read {
            let read = self.record(tracked, 1 + task);
            self.forget(read);
            add(self.row(task), read);
            return races;
        }
        for by in (0..self.tasks).filter(|&by| by != task) {
            let read = self.record(tracked, 1 + by);
            if has(self.row(by), read) && !has(&own, read) {
                races.push(Race::unordered(op.object, Access { task: by, kind: OpKind::Read }, this));
            }
        }
        self.forget(write);
        add(self.row(task), write);
        self.writers[index] = (task as u8 + 1, op.kind == OpKind::Free);
        races
    }

    /// All that is known, as words that are the same in every exploration: by the names of objects (`object`) and of
    /// tracked ones by their numbers (`tracked`). What all tasks know must have been dropped before.
    pub(crate) fn words(
        &self,
        object: impl Fn(ObjectId) -> u64,
        tracked: impl Fn(usize) -> u64,
        mut tell: impl FnMut(u64),
    ) {
        for (index, row) in self.rows.iter().enumerate().filter(|(_, row)| **row != Records::default()) {
            let whose = match index.checked_sub(self.tasks) {
                None => mix(index as u64, 0x7A5),
                Some(index) => mix(object((index / 2) as ObjectId), 0x10C + (index % 2) as u64),
            };
            for record in (0..RECORDS as usize).filter(|record| has(row, *record)) {
                let slot = (record % (self.tasks + 1)) as u64;
                tell(mix(mix(whose, tracked(record / (self.tasks + 1))), slot));
            }
        }
        for (index, &(writer, frees)) in self.writers.iter().enumerate().filter(|(_, of)| of.0 != 0) {
            tell(mix(tracked(index), (u64::from(writer) << 1 | u64::from(frees)) + (1 << 40)));
        }
    }

    fn forget(&mut self, record: usize) {
        for row in &mut self.rows {
            row[record / 64] &= !(1 << (record % 64));
        }
    }

    /// Drops what all tasks that go on know, and gives the rest's fingerprint.
    pub(crate) fn normalise(&mut self, model: &Model) -> u64 {
        if self.idle() {
            return 0;
        }
        let mut common = [u64::MAX; 4];
        for task in 0..self.tasks.min(MAX_TASKS) {
            if model.phases[task] != Phase::Ended {
                let row = *self.row(task);
                for (common, row) in common.iter_mut().zip(row) {
                    *common &= row;
                }
            }
        }
        for (tracked, _) in self.writers.iter().enumerate().filter(|(_, (_, frees))| *frees) {
            let record = tracked * (self.tasks + 1);
            common[record / 64] &= !(1 << (record % 64));
        }
        for row in &mut self.rows {
            for (row, common) in row.iter_mut().zip(common) {
                *row &= !common;
            }
        }
        for (tracked, (writer, _)) in self.writers.iter_mut().enumerate() {
            if has(&common, tracked * (self.tasks + 1)) {
                *writer = 0;
            }
        }
        let mut hash = 0u64;
        for (index, row) in self.rows.iter().enumerate() {
            if *row != Records::default() {
                let folded = row.iter().fold(index as u64, |hash, &word| mix(hash, word));
                hash = hash.wrapping_add(folded);
            }
        }
        for (index, &(writer, frees)) in self.writers.iter().enumerate() {
            if writer != 0 {
                hash =
                    hash.wrapping_add(mix(index as u64 | 1 << 40, u64::from(writer) << 1 | u64::from(frees)));
            }
        }
        hash
    }
}
