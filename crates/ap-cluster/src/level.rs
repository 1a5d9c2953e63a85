//! One level of the search, as two dataflows.
//!
//! ```text
//!   successors ──by fingerprint──► distinct ──► probe            (then all agree on the borders between stretches)
//!   new states' ways ──by stretch──► the next level's ways ──► probe
//! ```
//!
//! Each worker takes all steps from its states ([`Expander`](crate::expander::Expander)), between the turns of the dataflow, and
//! sends what they lead to, as fingerprint and way, to the worker that remembers that state. There the least way to each new state is kept ([`Seen`]), until timely says that
//! nobody sends any more. Then the ways go to the workers that will explore from there ([`Borders`]); the level is over
//! when timely says that all have arrived.
//!
//! This module knows nothing of processes, of files, and of when to stop.

use std::cell::RefCell;
use std::rc::Rc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::InputHandle;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::operators::{Input, Operator, Probe, probe};
use timely::worker::Worker;

use crate::borders::Borders;
use crate::expander::Parcel;
use crate::seen::Seen;
use crate::ways::Ways;

/// How many ways are sent before others get their turn.
const TURN: usize = 4096;

/// Ways that go to a worker, the number of which comes first.
type Bundle = (u64, Vec<u8>);

/// Where a worker puts what its states lead to.
pub(crate) type Successors = InputHandle<(), CapacityContainerBuilder<Vec<Parcel>>>;

/// Sets up the exploration of a level, to ways of that length: the states that come are met by `seen`. It goes on as the
/// worker steps, and is over when the probe is done, after the successors were closed.
pub(crate) fn explore(
    seen: &Rc<RefCell<Seen>>,
    length: usize,
    worker: &mut Worker,
) -> (Successors, probe::Handle<()>) {
    seen.borrow_mut().begin(length);
    let seen = seen.clone();
    worker.dataflow(|scope| {
        let (input, successors) = scope.new_input::<Vec<Parcel>>();
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
        (input, distinct.probe().0)
    })
}

/// Sends these ways to whom they belong; what comes for this worker goes to `next`. It goes on as the worker steps, and is
/// over when the probe is done.
pub(crate) fn share_out(
    ways: Ways,
    borders: Borders,
    next: &Rc<RefCell<Ways>>,
    worker: &mut Worker,
) -> probe::Handle<()> {
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
