//! One-after-the-other orders: the outcomes that a scenario may have. (Specification, page 4, I8.)
//!
//! A task's *turn* is one call (a file read or written, a verb). Turns are never interrupted, but for a call that
//! waits (a removal for its guest): others go on then, and it goes on in a later turn. All orders of turns are
//! played, each state once. Background work (one poll of the resetting queues) is a turn, too.

use std::collections::BTreeSet;

use fibers::Pool;
use rustc_hash::FxHashSet;

use crate::scenario::definition::Mistake;
use crate::scenario::order::Order;
use crate::scenario::outcome::Outcome;
use crate::scenario::stage::Stage;
use crate::scenario::sweeps::Sweeps;

/// The most turns of one order: more than that never ends.
const MOST_TURNS: usize = 2_000;
/// The size of a task's stack.
const STACK: usize = 256 * 1024;

/// What all orders end in.
#[derive(Clone, Debug, Default)]
pub struct Serial {
    /// The outcomes.
    pub outcomes: BTreeSet<Outcome>,
    /// The first mistake of the scenario's author that a task came to.
    pub mistake: Option<Mistake>,
    /// Whether all orders were played.
    pub complete: bool,
    /// What goes from device to device in it, and so reaches some before and some after what meets it.
    pub sweeps: Sweeps,
    /// How many were played, to an end or to a known state.
    pub orders: u64,
}

/// Plays all orders of turns. `relaxed`: bindings are revised in a turn of its own after a mask was stored, and others
/// may go on in between (page 4, I8): a `bind` may then find that the driver is not the right one, or is by now.
pub(super) fn play_all(stage: &Stage, relaxed: bool, late: &dyn Fn() -> bool) -> Serial {
    let pool = Pool::of_thread(STACK);
    let mut serial = Serial { complete: true, ..Serial::default() };
    let mut known: FxHashSet<u64> = FxHashSet::default();
    let mut todo: Vec<Vec<usize>> = vec![Vec::new()];
    while let Some(path) = todo.pop() {
        if late() {
            serial.complete = false;
            break;
        }
        serial.orders += 1;
        let mut play = Order::new(stage, &pool, relaxed);
        for choice in &path {
            play.take(*choice);
        }
        let mut path = path;
        loop {
            if !known.insert(play.state(stage)) {
                break;
            }
            let choices = play.choices();
            let Some((first, others)) = choices.split_first() else {
                serial.mistake = serial.mistake.or_else(|| play.mistake());
                if serial.mistake.is_some() {
                    return serial;
                }
                if play.finished() {
                    serial.outcomes.insert(play.outcome(stage));
                }
                break;
            };
            if play.turns() > MOST_TURNS {
                serial.mistake = Some(play.endless(*first));
                return serial;
            }
            for other in others {
                let mut next = path.clone();
                next.push(*other);
                todo.push(next);
            }
            path.push(*first);
            play.take(*first);
        }
        serial.sweeps = serial.sweeps.or(play.sweeps());
    }
    serial
}
