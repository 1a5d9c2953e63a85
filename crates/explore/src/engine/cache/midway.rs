//! A walk begins to leave steps out when it has become long: small ones take longer to learn what could be left out than
//! to take everything.
//!
//! It goes on where it stands. From the states that it has left all tasks were taken, which is always enough. From those of
//! its path all were to be; of what is still to be taken there, only what is chosen by what is known now is. So what is
//! taken from a state, before and after, contains a set that is enough, and the argument of
//! [`persistent`](super::super::persistent) is the same. It needs that there are no cycles, also among the states that
//! were walked before: where one was met, nothing is left out later, either.
//!
//! This module knows nothing of how sets are chosen.

use super::super::futures::Futures;
use super::super::learned::Learned;
use super::super::log::Log;
use super::super::persistent;
use super::frame::Frame;

/// Leaves out what need not be taken from the states of the path, all of whose tasks were to be.
pub(super) fn leave_out(futures: &mut Futures, learned: &Learned, frames: &mut [Frame], log: &mut Log) {
    let (automaton, objects) = (&learned.automaton, &learned.objects);
    for frame in frames {
        let enabled = frame.state.enabled(learned);
        let Some(number) = frame.number.filter(|_| frame.todo != 0) else { continue };
        if log.get(number).chosen != enabled {
            continue;
        }
        let chosen = persistent::choose(futures, automaton, objects, &frame.state, enabled, frame.last);
        let taken = enabled & !frame.todo;
        frame.todo &= chosen;
        let entry = log.get_mut(number);
        (entry.chosen, entry.relied) = (taken | frame.todo, futures.claims.last());
    }
}
