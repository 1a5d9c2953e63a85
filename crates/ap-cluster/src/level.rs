//! One level of the search, as a dataflow.
//!
//! ```text
//!   successors ──by fingerprint──► distinct ──by home──► the next level's ways ──► probe
//! ```
//!
//! Each worker runs all operations from its states ([`Expander`]) and sends what they lead to, as fingerprint and way, to
//! the worker that remembers that state. There the least way to each new state is kept ([`Seen`]), until timely says that
//! nobody sends any more; then the ways go to the workers that will explore from there. The level is over when timely
//! says that all have arrived.
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

use crate::expander::{Expander, Parcel, homewards};
use crate::seen::Seen;
use crate::ways::Ways;

/// How many ways are sent before others get their turn.
const TURN: usize = 4096;

/// What one worker's part of a level is made of.
#[derive(Clone)]
pub(crate) struct Station {
    /// The states that it explores from.
    pub expander: Rc<RefCell<Expander>>,
    /// The states that it remembers.
    pub seen: Rc<RefCell<Seen>>,
    /// The next level's states that it will explore from.
    pub next: Rc<RefCell<Ways>>,
}

type Parcels<'scope> = StreamVec<'scope, (), Parcel>;

impl Station {
    /// Sets up a level, which begins with these states. It goes on as the worker steps, and is over when the probe is
    /// done.
    pub(crate) fn level(&self, frontier: Ways, worker: &mut Worker) -> Handle<()> {
        let length = frontier.length() + 1;
        self.seen.borrow_mut().begin(length);
        *self.next.borrow_mut() = Ways::of_length(length);
        self.expander.borrow_mut().begin(frontier);
        worker.dataflow(|scope| {
            let successors = self.successors(scope);
            let new = self.distinct(successors, length);
            let next = self.next.clone();
            let arrived = new.unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
                by_number(),
                "the next level's ways",
                move |_, _| {
                    move |input, _| {
                        input.for_each(|_, parcels: &mut Vec<Parcel>| {
                            let mut next = next.borrow_mut();
                            parcels.drain(..).for_each(|(_, _, ways)| next.extend(&ways));
                        });
                    }
                },
            );
            arrived.probe().0
        })
    }

    fn successors<'scope>(&self, scope: Scope<'scope, ()>) -> Parcels<'scope> {
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

    fn distinct<'scope>(&self, successors: Parcels<'scope>, length: usize) -> Parcels<'scope> {
        let (scope, seen) = (successors.scope(), self.seen.clone());
        let workers = scope.peers();
        successors.unary_frontier(by_number(), "distinct", move |capability, info| {
            let activator = scope.activator_for(info.address);
            let (mut capability, mut sent) = (Some(capability), 0);
            move |(input, frontier), output| {
                let mut seen = seen.borrow_mut();
                input.for_each(|_, parcels: &mut Vec<Parcel>| {
                    for (_, prints, ways) in parcels.drain(..) {
                        let ways = ways.chunks_exact(length);
                        prints.iter().zip(ways).for_each(|(print, way)| seen.meet(*print, way));
                    }
                });
                let Some(held) = capability.as_ref().filter(|_| frontier.is_empty()) else { return };
                let (ways, first) = (seen.ways(), sent);
                sent = ways.len().min(first + TURN);
                output.session(held).give_iterator(homewards(ways, first..sent, workers));
                if sent < ways.len() {
                    activator.activate();
                } else {
                    capability = None;
                }
            }
        })
    }
}

fn by_number() -> Exchange<Parcel, impl FnMut(&Parcel) -> u64 + 'static> {
    Exchange::new(|parcel: &Parcel| parcel.0)
}
