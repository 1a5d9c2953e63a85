//! Vector clocks of a real execution, two sets of them.
//!
//! The *causal* clocks say which turns depend on which: they order the exploration. They order all that
//! [`dependent`](super::depend::dependent) may mean by what it says of steps, a failed try-lock among them: sleepers are
//! woken by that, and what can begin a reversal is found by these; where they differ each relies on the other for a choice
//! that nobody makes. The *synchronisation* clocks say what locks order: they find races. A failed try-lock or an oracle's
//! step is in the first set only. This module knows nothing of what a search does with either.

use super::objects::{ObjectId, Objects, Op, OpKind};
use super::races::{Access, Race};
use super::tasks::MAX_TASKS;

/// A vector clock.
pub(crate) type Vc = [u32; MAX_TASKS];

#[inline]
pub(crate) fn join(a: &mut Vc, b: &Vc) {
    for (a, b) in a.iter_mut().zip(b) {
        *a = (*a).max(*b);
    }
}

/// The clocks of an object.
#[derive(Clone, Default)]
struct ObjectClocks {
    /// Causal: what changes it, and releases by writers.
    changed: Vc,
    /// Causal: what only needs it unchanged, and releases by readers.
    shared: Vc,
    /// Causal: failed attempts to write-lock it, and to read-lock it.
    failed: Vc,
    failed_read: Vc,
    /// Synchronisation: releases by writers and by readers.
    released: Vc,
    released_read: Vc,
}

/// The accesses to a tracked object.
#[derive(Clone, Default)]
struct Accesses {
    write: Option<(u8, u32, OpKind)>,
    reads: Vc,
    freed: Option<u8>,
}

pub(crate) struct Clocks {
    /// Whether the causal clocks are kept.
    pub causal: bool,
    /// Each task's causal clock.
    pub at: [Vc; MAX_TASKS],
    sync: [Vc; MAX_TASKS],
    objects: Vec<ObjectClocks>,
    accesses: Vec<Accesses>,
    /// Causal: acquisitions and releases of watched locks.
    watched_acquired: Vc,
    watched_released: Vc,
    turns: u32,
}

impl Clocks {
    pub(crate) fn new() -> Self {
        Clocks {
            causal: false,
            at: [[0; MAX_TASKS]; MAX_TASKS],
            sync: [[0; MAX_TASKS]; MAX_TASKS],
            objects: Vec::new(),
            accesses: Vec::new(),
            watched_acquired: [0; MAX_TASKS],
            watched_released: [0; MAX_TASKS],
            turns: 0,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.at = [[0; MAX_TASKS]; MAX_TASKS];
        self.sync = [[0; MAX_TASKS]; MAX_TASKS];
        for (task, clock) in self.sync.iter_mut().enumerate() {
            clock[task] = 1;
        }
        self.objects.clear();
        self.accesses.clear();
        self.watched_acquired = [0; MAX_TASKS];
        self.watched_released = [0; MAX_TASKS];
        self.turns = 0;
    }

    fn grow(&mut self, id: ObjectId) {
        let needed = id as usize + 1;
        if self.objects.len() < needed {
            self.objects.resize_with(needed.max(8), ObjectClocks::default);
        }
    }

    /// Begins a turn: a step that others may go before.
    #[inline]
    pub(crate) fn turn(&mut self, task: usize) {
        self.turns += 1;
        self.at[task][task] = self.turns;
    }

    /// Takes note of a step that was performed; `woken` tells of a mutex taken again after a wait. Says which races
    /// it completes.
    pub(crate) fn perform(
        &mut self,
        task: usize,
        op: &Op,
        ok: bool,
        woken: bool,
        objects: &Objects,
    ) -> Vec<Race> {
        self.grow(op.object.max(op.mutex));
        if woken {
            self.acquired(task, op.mutex, objects);
            return Vec::new();
        }
        match op.kind {
            OpKind::Lock => self.acquired(task, op.object, objects),
            OpKind::TryLock if ok => self.acquired(task, op.object, objects),
            OpKind::ReadLock | OpKind::Look => self.acquired_read(task, op.object),
            OpKind::TryReadLock if ok => self.acquired_read(task, op.object),
            OpKind::TryLock => {
                let (clock, object) = (&mut self.at[task], &mut self.objects[op.object as usize]);
                join(clock, &object.changed);
                join(clock, &object.shared);
                join(clock, &object.failed);
                join(clock, &object.failed_read);
                join(&mut object.failed, clock);
            }
            OpKind::TryReadLock => {
                let (clock, object) = (&mut self.at[task], &mut self.objects[op.object as usize]);
                join(clock, &object.changed);
                join(clock, &object.failed);
                join(&mut object.failed_read, clock);
            }
            OpKind::Unlock => self.released(task, op.object, objects),
            OpKind::ReadUnlock | OpKind::Looked => self.released_read(task, op.object),
            OpKind::Wait => {
                self.share(task, op.object);
                self.released(task, op.mutex, objects);
            }
            OpKind::Notify | OpKind::Ghost => self.change(task, op.object),
            OpKind::Sleep => {}
            OpKind::Read | OpKind::Write | OpKind::Free => {
                if objects.get(op.object).racy {
                    if op.kind == OpKind::Read {
                        self.share(task, op.object);
                    } else {
                        self.change(task, op.object);
                    }
                }
                return self.access(task, op, objects);
            }
        }
        Vec::new()
    }

    /// A notification by `task` lets `woken` go on.
    pub(crate) fn wakes(&mut self, task: usize, woken: usize) {
        let clock = self.at[task];
        join(&mut self.at[woken], &clock);
    }

    fn change(&mut self, task: usize, id: ObjectId) {
        let (clock, object) = (&mut self.at[task], &mut self.objects[id as usize]);
        join(clock, &object.changed);
        join(clock, &object.shared);
        object.changed = *clock;
    }

    fn share(&mut self, task: usize, id: ObjectId) {
        let (clock, object) = (&mut self.at[task], &mut self.objects[id as usize]);
        join(clock, &object.changed);
        join(&mut object.shared, clock);
    }

    fn acquired(&mut self, task: usize, id: ObjectId, objects: &Objects) {
        if self.causal {
            self.watch_acquired(task, id, objects);
            let (clock, object) = (&mut self.at[task], &self.objects[id as usize]);
            join(clock, &object.failed);
            join(clock, &object.failed_read);
            self.change(task, id);
        }
        let (clock, object) = (&mut self.sync[task], &self.objects[id as usize]);
        join(clock, &object.released);
        join(clock, &object.released_read);
    }

    fn acquired_read(&mut self, task: usize, id: ObjectId) {
        if self.causal {
            let (clock, object) = (&mut self.at[task], &self.objects[id as usize]);
            join(clock, &object.failed);
            self.share(task, id);
        }
        join(&mut self.sync[task], &self.objects[id as usize].released);
    }

    fn released(&mut self, task: usize, id: ObjectId, objects: &Objects) {
        if self.causal {
            self.watch_released(task, id, objects);
            let (clock, object) = (&mut self.at[task], &mut self.objects[id as usize]);
            join(clock, &object.failed);
            join(clock, &object.failed_read);
            object.changed = *clock;
        }
        self.objects[id as usize].released = self.sync[task];
        self.sync[task][task] += 1;
    }

    fn released_read(&mut self, task: usize, id: ObjectId) {
        if self.causal {
            let (clock, object) = (&mut self.at[task], &mut self.objects[id as usize]);
            join(clock, &object.failed);
            join(&mut object.shared, clock);
        }
        join(&mut self.objects[id as usize].released_read, &self.sync[task]);
        self.sync[task][task] += 1;
    }

    fn watch_acquired(&mut self, task: usize, id: ObjectId, objects: &Objects) {
        if objects.get(id).watched {
            join(&mut self.at[task], &self.watched_released);
            join(&mut self.watched_acquired, &self.at[task]);
        }
    }

    fn watch_released(&mut self, task: usize, id: ObjectId, objects: &Objects) {
        if objects.get(id).watched {
            join(&mut self.at[task], &self.watched_released);
            join(&mut self.at[task], &self.watched_acquired);
            self.watched_released = self.at[task];
        }
    }

    fn access(&mut self, task: usize, op: &Op, objects: &Objects) -> Vec<Race> {
        let index = objects.get(op.object).tracked.expect("accesses are to tracked data") as usize;
        if self.accesses.len() <= index {
            self.accesses.resize_with(index + 1, Accesses::default);
        }
        let clock = &self.sync[task];
        let past = &mut self.accesses[index];
        let this = Access { task, kind: op.kind };
        if let (Some(by), Some((_, epoch, _))) = (past.freed, past.write) {
            let by = usize::from(by);
            return vec![Race::after_free(op.object, by, this, by != task && clock[by] < epoch)];
        }
        let mut races = Vec::new();
        if let Some((by, epoch, kind)) = past.write
            && usize::from(by) != task
            && clock[usize::from(by)] < epoch
        {
            races.push(Race::unordered(op.object, Access { task: by.into(), kind }, this));
        }
        if op.kind == OpKind::Read {
            past.reads[task] = clock[task];
            return races;
        }
        for (by, &epoch) in past.reads.iter().enumerate() {
            if by != task && epoch > clock[by] {
                races.push(Race::unordered(op.object, Access { task: by, kind: OpKind::Read }, this));
            }
        }
        past.write = Some((task as u8, clock[task], op.kind));
        if op.kind == OpKind::Free {
            past.freed = Some(task as u8);
        }
        races
    }
}
