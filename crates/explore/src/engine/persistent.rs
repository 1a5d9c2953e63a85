//! Which tasks are enough: in most states most tasks can as well go later.
//!
//! (Godefroid's persistent sets, Valmari's stubborn ones, by whole tasks.) A set of tasks is *enough* in a state if
//! nothing that the other tasks may do before one of the set moves depends on the next step of any of the set:
//!
//! - a task of the set that can go on: its step must not [conflict](super::effects) with what any other may still do;
//! - one that waits for a lock: nobody else can let it go on, so whoever holds the lock belongs to the set;
//! - one that waits to be notified: so does whoever may notify it.
//!
//! Then every execution from there on is the same as one that begins with a step of the set, but for the order of
//! independent steps: either a task of the set moves at some time, and its step can be moved to the front; or none ever
//! does, and the step can be put in front. By induction every way to end, every deadlock, every step and with it
//! everything that oracles find is reached, if the walk has no cycles. (With cycles a task could be put off for
//! ever. But if what is walked has no cycle, then what is not walked has none either: an execution without end
//! could be moved step by step into what is walked. So the first cycle that is met ends the reduction: the walk meets it
//! along its stack. While states are chosen again there is no such stack, and a cycle is met only as far as
//! `cache/mend` argues.)
//!
//! What others may do before the set moves ends at locks that the set holds ([`futures`](super::futures)); and as long as
//! the set holds a watched lock, the oracle over watched locks does not look.
//!
//! This module knows nothing of how states are walked.

use super::automaton::Automaton;
use super::claims::{Claim, Doing, Later};
use super::futures::{Futures, RowId};
use super::lock_sets::HeldId;
use super::model::{FREED, Phase};
use super::objects::{ObjectId, Objects, Op, OpKind};
use super::state::State;
use super::tasks::{MAX_TASKS, Tasks, members};

/// What is looked at while a state's set is chosen.
struct Look<'s> {
    state: &'s State,
    objects: &'s Objects,
    enabled: Tasks,
    /// The steps of the tasks that can go on, and their rows.
    steps: [(Doing, RowId); MAX_TASKS],
    /// The locks that each task holds.
    held: [HeldId; MAX_TASKS],
    /// The tasks that hold a watched lock.
    watching: Tasks,
}

/// A set of the enabled tasks that is enough. `last` took the step before.
pub(crate) fn choose(
    futures: &mut Futures,
    automaton: &Automaton,
    objects: &Objects,
    state: &State,
    enabled: Tasks,
    last: Option<usize>,
) -> Tasks {
    futures.claims.begin();
    let first = last.filter(|&last| enabled >> last & 1 == 1);
    let seeds = || first.into_iter().chain(members(enabled).filter(|&task| Some(task) != first));
    let goes_on =
        |&task: &usize| state.model.phases[task] == Phase::Ready && futures.is_inside(state.nodes[task]);
    if let Some(task) = seeds().find(goes_on) {
        return 1 << task;
    }
    // Nothing is known of a step, or of what a task does next: anything may be.
    let Some(look) = look(futures, automaton, objects, state, enabled) else { return enabled };
    let mut best = enabled;
    for seed in seeds() {
        if let Some(set) = grow(futures, automaton, &look, 1 << seed, best.count_ones()) {
            best = set & enabled;
            futures.claims.is_best();
            if best.count_ones() == 1 {
                break;
            }
        }
    }
    if best != enabled {
        futures.claims.rely();
    }
    best
}

/// The least set with these tasks that is enough, if fewer than so many of it can go on.
fn grow(
    futures: &mut Futures,
    automaton: &Automaton,
    look: &Look<'_>,
    mut set: Tasks,
    below: u32,
) -> Option<Tasks> {
    let model = &look.state.model;
    loop {
        futures.claims.tries();
        let held = members(set).map(|task| look.held[task]).fold(0, |a, b| futures.union(a, b));
        let oracle = look.watching & set == 0;
        let mut more: Tasks = 0;
        for task in members(set) {
            if look.enabled >> task & 1 == 0 {
                more |= needed(futures, automaton, look, task, set, held);
                continue;
            }
            for other in 0..model.tasks {
                if (set | more) >> other & 1 == 0 && can_move(futures, automaton, look, other, set, held) {
                    let (later, row) = before(futures, automaton, look, other, held);
                    let (step, does) = look.steps[task];
                    if futures.conflict(does, row, oracle) {
                        more |= 1 << other;
                    } else {
                        futures.claims.needs(Claim::Apart { step, later, oracle });
                    }
                }
            }
        }
        if more & !set == 0 {
            return Some(set);
        }
        set |= more;
        if (set & look.enabled).count_ones() >= below {
            return None;
        }
    }
}

/// What a task that has not ended may do until it asks for one of these locks, and its row.
#[inline]
fn before(
    futures: &mut Futures,
    automaton: &Automaton,
    look: &Look<'_>,
    task: usize,
    held: HeldId,
) -> (Later, RowId) {
    let woken = matches!(look.state.model.phases[task], Phase::Waiting(_) | Phase::Woken);
    let later = Later { held, node: look.state.nodes[task], woken };
    (later, futures.later(automaton, look.objects, later))
}

/// Whether a task that is not in the set may move before one of the set does: not if it waits, and none of the others
/// that could move may notify it.
#[inline]
fn can_move(
    futures: &mut Futures,
    automaton: &Automaton,
    look: &Look<'_>,
    task: usize,
    set: Tasks,
    held: HeldId,
) -> bool {
    match look.state.model.phases[task] {
        Phase::Ended => false,
        Phase::Ready | Phase::Woken => true,
        Phase::Waiting(condition) => {
            notifiers(futures, automaton, look, set | 1 << task, held, condition) != 0
        }
    }
}

/// The tasks besides these that may notify a condition before they ask for one of these locks.
fn notifiers(
    futures: &mut Futures,
    automaton: &Automaton,
    look: &Look<'_>,
    besides: Tasks,
    held: HeldId,
    condition: ObjectId,
) -> Tasks {
    let model = &look.state.model;
    let mut notifiers = 0;
    for other in 0..model.tasks {
        if besides >> other & 1 == 0 && model.phases[other] != Phase::Ended {
            let (later, row) = before(futures, automaton, look, other, held);
            if futures.notifies(row, condition) {
                notifiers |= 1 << other;
            } else {
                futures.claims.needs(Claim::Silent { later, condition });
            }
        }
    }
    notifiers
}

fn look<'s>(
    futures: &mut Futures,
    automaton: &Automaton,
    objects: &'s Objects,
    state: &'s State,
    enabled: Tasks,
) -> Option<Look<'s>> {
    let steps = [(Doing::Place(0), 0); MAX_TASKS];
    let mut look = Look { state, objects, enabled, steps, held: [0; MAX_TASKS], watching: 0 };
    for task in 0..state.model.tasks {
        let (phase, node) = (state.model.phases[task], state.nodes[task]);
        let Some(op) = automaton.get(node).op.filter(|_| phase != Phase::Ended) else { continue };
        if !futures.knows(node) {
            return None;
        }
        let released = (op.kind == OpKind::Wait && phase != Phase::Ready).then_some(op.mutex);
        look.held[task] = futures.held(automaton, node, released);
        look.watching |= Tasks::from(futures.is_watched(look.held[task], objects)) << task;
        if enabled >> task & 1 == 1 {
            look.steps[task] = step(futures, automaton, state, task, &op)?;
        }
    }
    Some(look)
}

/// The step that a task can take, and its row.
fn step(
    futures: &Futures,
    automaton: &Automaton,
    state: &State,
    task: usize,
    op: &Op,
) -> Option<(Doing, RowId)> {
    let (model, node) = (&state.model, state.nodes[task]);
    let woken = model.phases[task] == Phase::Woken;
    if op.kind == OpKind::Wait && !woken {
        // It goes nowhere before it is notified.
        return Some((Doing::Place(node), futures.own(node)));
    }
    let ok = match op.kind {
        OpKind::TryLock => model.free(op.object),
        OpKind::TryReadLock => model.cell(op.object).writer == 0,
        _ => true,
    };
    let edge = automaton.edge_number(node, model.input(op, ok, woken))?;
    Some((Doing::Edge(edge), futures.step(edge)?))
}

/// Tasks without which a task that can't go on never will, as far as others are not in the set already.
fn needed(
    futures: &mut Futures,
    automaton: &Automaton,
    look: &Look<'_>,
    task: usize,
    set: Tasks,
    held: HeldId,
) -> Tasks {
    let model = &look.state.model;
    let all = (1u32 << model.tasks).wrapping_sub(1) as Tasks;
    let Some(op) = &automaton.get(look.state.nodes[task]).op else { return 0 };
    let object = match model.phases[task] {
        Phase::Ended => return 0,
        Phase::Waiting(condition) => {
            return notifiers(futures, automaton, look, set, held, condition);
        }
        Phase::Woken => op.mutex,
        Phase::Ready => op.object,
    };
    let cell = model.cell(object);
    if cell.writer == FREED {
        return all;
    }
    if cell.writer != 0 {
        return 1 << (cell.writer - 1);
    }
    let reads = |&by: &usize| cell.readers >> (4 * by) & 0xF != 0;
    let mut readers = (0..model.tasks).filter(reads);
    if (0..model.tasks).filter(reads).any(|by| by != task && set >> by & 1 == 1) {
        return 0;
    }
    readers.find(|&by| by != task).map_or(0, |by| 1 << by)
}
