//! Everybody tells everybody something, and goes on when all have heard it.
//!
//! So all workers decide alike: each by what all have said. This module knows nothing of what is said.

use std::cell::RefCell;
use std::rc::Rc;

use timely::ExchangeData;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::operators::{Inspect, Probe, ToStream};
use timely::worker::Worker;

use crate::error::ClusterError;
use crate::signs::Signs;

/// What all workers say, by their numbers.
///
/// # Errors
/// If one of them can't say it: then nobody goes on. What went wrong is this worker's own trouble, or the other's in its
/// words.
pub(crate) fn agree<T: ExchangeData + Clone>(
    worker: &mut Worker,
    signs: &Signs,
    mine: Result<T, ClusterError>,
) -> Result<Vec<T>, ClusterError> {
    let (said, own) = match mine {
        Ok(said) => (Ok(said), None),
        Err(error) => (Err(error.to_string()), Some(error)),
    };
    let (me, heard) = (worker.index(), Rc::new(RefCell::new(vec![None; worker.peers()])));
    let all = heard.clone();
    let probe = worker.dataflow::<(), _, _>(|scope| {
        let told = Some((me, said)).to_stream(scope).container::<Vec<(usize, Result<T, String>)>>();
        let heard =
            told.broadcast().inspect(move |(from, said)| all.borrow_mut()[*from] = Some(said.clone()));
        heard.probe().0
    });
    signs.step_until(worker, || probe.done(), || {})?;
    if let Some(own) = own {
        return Err(own);
    }
    let heard = heard.take().into_iter().enumerate();
    let told = heard.map(|(worker, said)| match said {
        Some(Ok(said)) => Ok(said),
        Some(Err(why)) => Err(ClusterError::Other { worker, why }),
        None => Err(ClusterError::Other { worker, why: "it said nothing".to_owned() }),
    });
    told.collect()
}
