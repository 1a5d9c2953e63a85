//! One level of the search, as two dataflows.
//!
//! ```text
//!   successors ──by fingerprint──► distinct ──► probe            (then all agree on the borders between stretches)
//!   new states' ways ──by stretch──► the next level's ways ──► probe
//! ```
//!
//! Each worker runs all operations from its states ([`Expander`]) and sends what they lead to, as fingerprint and way, to
//! the worker that remembers that state. There the least way to each new state is kept ([`Seen`]), until timely says that
//! nobody sends any more. Then the ways go to the workers that will explore from there ([`Borders`]); the level is over
//! when timely says that all have arrived.
//!
//! This module knows nothing of processes, of files, and of when to stop.

use std::cell::RefCell;
use std::rc::Rc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::operators::probe::Handle;
use timely::dataflow::operators::{Operator, Probe};
use timely::dataflow::{Scope, StreamVec};
use timely::worker::Worker;

use crate::borders::Borders;
use crate::expander::{Expander, Parcel};
use crate::seen::Seen;
use crate::ways::Ways;

/// How many ways are sent before others get their turn.
const TURN: usize = 4096;

/// Ways that go to a worker, the number of which comes first.
type Bundle = (u64, Vec<u8>);

/// What one worker's part of a level is made of.
#[derive(Clone)]
pub(crate) struct Station {
    /// Explores from states.
    pub expander: Rc<RefCell<Expander>>,
    /// The states that it remembers.
    pub seen: Rc<RefCell<Seen>>,
}

impl Station {
    /// Sets up the exploration of a level, to ways of that length. It goes on as the worker steps, and is over when the
    /// probe is done.
    pub(crate) fn explore(&self, length: usize, worker: &mut Worker) -> Handle<()> {
        self.seen.borrow_mut().begin(length);
        worker.dataflow(|scope| {
            let (successors, seen) = (self.successors(scope), self.seen.clone());
            let by_number = Exchange::new(|parcel: &Parcel| parcel.0);
            let distinct = successors.unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
                by_number,
                "distinct",
                move |_, _| {
                    move |input, _| {
                        let mut seen = seen.borrow_mut();
                        input.for_each(|_, parcels: &mut Vec<Parcel>| {
                            for (_, prints, ways) in parcels.drain(..) {
                                let ways = ways.chunks_exact(length);
                                prints.iter().zip(ways).for_each(|(print, way)| seen.meet(*print, way));
                            }
                        });
                    }
                },
            );
            distinct.probe().0
        })
    }

    fn successors<'scope>(&self, scope: Scope<'scope, ()>) -> StreamVec<'scope, (), Parcel> {
        let expander = self.expander.clone();
        source(scope, "successors", |capability, info| {
            let activator = scope.activator_for(info.address);
            let mut capability = Some(capability);
            move |output| {
                let Some(held) = &capability else { return };
                let left = {
                    let mut session = output.session(held);
                    expander.borrow_mut().turn(|parcel| session.give(parcel))
                };
                if left {
                    activator.activate();
                } else {
                    capability = None;
                }
            }
        })
    }
}

/// Sends these ways to whom they belong; what comes for this worker goes to `next`. It goes on as the worker steps, and is
/// over when the probe is done.
pub(crate) fn share_out(
    ways: Ways,
    borders: Borders,
    next: &Rc<RefCell<Ways>>,
    worker: &mut Worker,
) -> Handle<()> {
    let (next, workers) = (next.clone(), worker.peers());
    worker.dataflow::<(), _, _>(|scope| {
        let sent = source(scope, "the new states' ways", |capability, info| {
            let activator = scope.activator_for(info.address);
            let (mut capability, mut sent) = (Some(capability), 0);
            move |output| {
                let Some(held) = &capability else { return };
                let until = ways.len().min(sent + TURN);
                let mut homes = vec![Vec::new(); workers];
                for way in (sent..until).map(|number| ways.get(number)) {
                    homes[borders.home(way)].extend_from_slice(way);
                }
                sent = until;
                let bundles: Vec<Bundle> = (0..).zip(homes).filter(|(_, ways)| !ways.is_empty()).collect();
                output.session(held).give_iterator(bundles.into_iter());
                if sent < ways.len() {
                    activator.activate();
                } else {
                    capability = None;
                }
            }
        });
        let by_number = Exchange::new(|bundle: &Bundle| bundle.0);
        let arrived = sent.unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
            by_number,
            "the next level's ways",
            move |_, _| {
                move |input, _| {
                    input.for_each(|_, bundles: &mut Vec<Bundle>| {
                        let mut next = next.borrow_mut();
                        bundles.drain(..).for_each(|(_, ways)| next.extend(&ways));
                    });
                }
            },
        );
        arrived.probe().0
    })
}
