//! Which steps depend on each other, and what must be explored because they do.
//!
//! Dependence is a property of the steps alone, so it may be assumed where there is none, but never missed. The
//! causal clocks ([`Clocks`](super::clocks::Clocks)) order at least what depends on each other by this relation. This
//! module knows nothing of how a search keeps its choices.

use super::clocks::Vc;
use super::model::Phase;
use super::objects::{ObjectId, Objects, Op, OpKind};
use super::tasks::Tasks;

/// A step of an execution that others could have gone before.
pub(crate) struct Turn {
    pub task: usize,
    pub op: Op,
    /// The task's causal clock before the step, and after it.
    pub before: Vc,
    pub after: Vc,
}

/// What a step does to an object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Acquire { read: bool, tries: bool },
    Release { read: bool },
    Change,
    Share,
}

/// The step that a task takes: after a notification, the mutex.
pub(crate) fn effective(op: Op, phase: Phase) -> Op {
    match phase {
        Phase::Woken => Op { kind: OpKind::Lock, object: op.mutex, ..op },
        _ => op,
    }
}

fn roles(op: &Op) -> [Option<(ObjectId, Role)>; 2] {
    let role = match op.kind {
        OpKind::Lock => Role::Acquire { read: false, tries: false },
        OpKind::TryLock => Role::Acquire { read: false, tries: true },
        OpKind::ReadLock | OpKind::Look => Role::Acquire { read: true, tries: false },
        OpKind::TryReadLock => Role::Acquire { read: true, tries: true },
        OpKind::Unlock => Role::Release { read: false },
        OpKind::ReadUnlock | OpKind::Looked => Role::Release { read: true },
        OpKind::Notify | OpKind::Ghost | OpKind::Write | OpKind::Free => Role::Change,
        OpKind::Read => Role::Share,
        OpKind::Wait => {
            return [Some((op.object, Role::Share)), Some((op.mutex, Role::Release { read: false }))];
        }
        OpKind::Sleep => return [None, None],
    };
    [Some((op.object, role)), None]
}

/// Whether the order of two steps by different tasks can matter to anybody.
pub(crate) fn dependent(a: &Op, b: &Op, objects: &Objects) -> bool {
    let watched = |op: &Op, id| objects.is_watched_by(op.kind, id);
    roles(a).iter().flatten().any(|of_a| {
        let related = |of_b: &(ObjectId, Role)| related(of_a, of_b, watched(a, of_a.0) && watched(b, of_b.0));
        roles(b).iter().flatten().any(related)
    })
}

fn related(a: &(ObjectId, Role), b: &(ObjectId, Role), watched: bool) -> bool {
    let same = a.0 == b.0;
    let ordinary = same
        && match (a.1, b.1) {
            (Role::Acquire { read: a, .. }, Role::Acquire { read: b, .. }) => !(a && b),
            (Role::Release { read }, Role::Acquire { read: asks, tries })
            | (Role::Acquire { read: asks, tries }, Role::Release { read }) => tries && !(read && asks),
            (Role::Change, Role::Change | Role::Share) | (Role::Share, Role::Change) => true,
            _ => false,
        };
    ordinary || (watched && seen(a.1, b.1, same))
}

/// Whether an oracle that looks whenever watched locks are free can tell the order of two such steps.
fn seen(a: Role, b: Role, same: bool) -> bool {
    match (a, b) {
        (Role::Release { read }, Role::Acquire { read: asks, .. })
        | (Role::Acquire { read: asks, .. }, Role::Release { read }) => !same || (read && asks),
        (Role::Release { read: a }, Role::Release { read: b }) => !same || (a && b),
        _ => false,
    }
}

/// Tells what must be explored because of the races of `turn`, which comes after `turns`.
///
/// For each earlier step that it depends on and that doesn't come before it in its own task's past, some task must
/// be tried there with which the order of the two can be reversed: an initial of what doesn't come after the
/// earlier step (a source set). `reverse` is called with the earlier step's index and these initials.
pub(crate) fn races(turns: &[Turn], turn: &Turn, objects: &Objects, mut reverse: impl FnMut(usize, Tasks)) {
    for index in (0..turns.len()).rev() {
        let earlier = &turns[index];
        if earlier.task != turn.task
            && !before(index, earlier.task, &turn.before)
            && dependent(&earlier.op, &turn.op, objects)
        {
            reverse(index, initials(turns, index, turn, objects));
        }
    }
}

/// Whether the turn of this index and task is in the past that the clock tells of.
fn before(index: usize, task: usize, clock: &Vc) -> bool {
    clock[task] as usize > index
}

/// The tasks that can begin a sequence in which all that doesn't come after the earlier step happens, and then the
/// turn.
fn initials(turns: &[Turn], earlier: usize, turn: &Turn, objects: &Objects) -> Tasks {
    let by = turns[earlier].task;
    let independent = |index: &usize| !before(earlier, by, &turns[*index].after);
    let mut initials: Tasks = 0;
    let mut met: Tasks = 0;
    for index in (earlier + 1..turns.len()).filter(independent) {
        let task = turns[index].task;
        if met >> task & 1 == 1 {
            continue;
        }
        met |= 1 << task;
        let waits = (earlier + 1..index)
            .filter(independent)
            .any(|other| turns[other].task != task && before(other, turns[other].task, &turns[index].after));
        if !waits {
            initials |= 1 << task;
        }
    }
    if met >> turn.task & 1 == 0 {
        let waits = (earlier + 1..turns.len()).filter(independent).any(|other| {
            let other_turn = &turns[other];
            other_turn.task != turn.task
                && (before(other, other_turn.task, &turn.before)
                    || dependent(&other_turn.op, &turn.op, objects))
        });
        if !waits {
            initials |= 1 << turn.task;
        }
    }
    initials
}
