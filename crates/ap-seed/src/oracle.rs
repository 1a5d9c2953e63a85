//! What must hold when all calls have returned.
//!
//! Every oracle looks at the end of an execution only: what the locks protect then depends on nothing but the order
//! in which each lock was taken, so no reduction can hide it. (During a call a queue may be on its way.)

use std::collections::BTreeSet;

use explore::Finding;

use crate::model::{Driver, State};

/// How calls end that come one after the other: their results and the state, for every order.
pub(super) type Ends = BTreeSet<(Vec<String>, String)>;

/// A queue of an mdev's matrix is driven by a driver of the host.
pub(super) fn stolen(state: &State) -> Vec<Finding> {
    let taken = state.queues.iter().zip(&state.drivers).filter(|(queue, driver)| {
        **driver == Driver::Default && state.mdevs.iter().any(|mdev| mdev.matrix.contains(**queue))
    });
    taken
        .map(|(queue, driver)| {
            Finding::new("stolen", format!("{queue} is in the matrix of an mdev, and {driver} drives it"))
        })
        .collect()
}

/// A queue of an mdev's matrix belongs to the host by the masks (I2).
pub(super) fn reserved(state: &State) -> Vec<Finding> {
    let reserved = state.masks.reserved();
    let taken = state.mdevs.iter().enumerate().filter(|(_, mdev)| mdev.matrix.shares_queue(&reserved));
    taken
        .map(|(number, mdev)| {
            let queue =
                mdev.matrix.shared(&reserved).queues().next().map_or_else(String::new, |q| q.to_string());
            Finding::new(
                "stolen",
                format!("{queue} is in the matrix of mdev {}, and the masks give it to the host", number + 1),
            )
        })
        .collect()
}

/// Two mdevs have a queue (I1).
pub(super) fn shared(state: &State) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, mdev) in state.mdevs.iter().enumerate() {
        if state.mdevs[..number].iter().any(|other| other.matrix.shares_queue(&mdev.matrix)) {
            findings.push(Finding::new("shared", format!("mdev {} has a queue of another mdev", number + 1)));
        }
    }
    findings
}

/// A guest has something that is not assigned, or not bound to vfio_ap (I2, I3, I7).
pub(super) fn unfiltered(state: &State) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, (mdev, guest)) in state.mdevs.iter().zip(&state.guests).enumerate() {
        let guest_of = format!("the guest of mdev {}", number + 1);
        if mdev.guest && guest.apcb != mdev.shadow {
            findings.push(Finding::new(
                "unfiltered",
                format!("{guest_of} has not what its mdev's shadow APCB says"),
            ));
        }
        for queue in guest.apcb.queues() {
            let bound = state.queues.iter().zip(&state.drivers).any(|pair| pair == (&queue, &Driver::VfioAp));
            if !bound || !mdev.matrix.contains(queue) {
                findings.push(Finding::new(
                    "unfiltered",
                    format!("{guest_of} has {queue}, which is not its own"),
                ));
            }
        }
    }
    findings
}

/// A queue is bound to another driver than the masks say.
pub(super) fn unrevised(state: &State) -> Vec<Finding> {
    let wrong = state
        .queues
        .iter()
        .zip(&state.drivers)
        .filter(|(queue, driver)| **driver != Driver::Gone && **driver != state.masks.owner(**queue));
    wrong
        .map(|(queue, driver)| {
            Finding::new("not-linearizable", format!("{queue} is {driver}, which the masks do not say"))
        })
        .collect()
}

/// The calls' results, the masks and the matrices are those of no order of one call after the other (I8).
pub(super) fn in_no_order(results: &[String], state: &State, in_order: &Ends) -> Vec<Finding> {
    let promised = state.promised();
    if in_order.contains(&(results.to_vec(), promised.clone())) {
        return Vec::new();
    }
    let what = format!("the calls answer {}, and {promised}: so they do in no order", results.join(", "));
    vec![Finding::new("not-linearizable", what)]
}

/// A call is refused with `EBUSY` though in no order of one call after the other there is a reason (I9).
pub(super) fn spurious(tasks: &[&str], results: &[String], in_order: &Ends) -> Vec<Finding> {
    if in_order.iter().any(|(ordered, _)| ordered == results) {
        return Vec::new();
    }
    let refused =
        tasks.iter().zip(results).filter(|(_, result)| matches!(result.as_str(), "EBUSY" | "EAGAIN"));
    refused
        .map(|(task, result)| {
            let what = format!("{task} is refused with {result}, though nothing that it wants is in use");
            Finding::new("spurious-busy", what)
        })
        .collect()
}
