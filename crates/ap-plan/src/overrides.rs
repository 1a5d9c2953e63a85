//! Plans on hosts that give queues by `driver_override`, and from one way of giving to the other. (Page 7.)
//!
//! A queue is given by override, `unbind`, `bind`, and only then assigned: nothing can be over-provisioned there. It is
//! taken back by unassigning it, clearing its override, `unbind`, `bind`. An override is never cleared while its queue
//! is in a matrix. An assigned queue that has lost its override gets it again, before anything else.
//!
//! From one way to the other everything goes home first: all mdevs are emptied, all queues are the host's, no override
//! is left and both masks are all ones. That is a plan of its own, which nobody's running guest survives, so none may
//! run.

use std::collections::BTreeMap;

use ap_files::desired::Give;
use ap_types::{Apqn, Matrix, QueueSet};

use crate::obstacle::{Obstacle, What};
use crate::search::Things;
use crate::state::{Driver, Masks, State};
use crate::target::Target;
use crate::write::Write;

/// What stands in the way of a target that overrides are to bring, beside what always does.
pub(crate) fn obstacles(state: &State, target: &Target, found: &mut Vec<Obstacle>) {
    if !state.kernel.driver_override {
        let remedy = "leave `give` out, or say \"masks\"".to_owned();
        found.push(Obstacle { what: What::NoOverrides, remedy });
        return;
    }
    if target.masks != Masks::ALL {
        let remedy = "leave `apmask` and `aqmask` out, or say \"all\"".to_owned();
        found.push(Obstacle { what: What::MasksBesideOverrides, remedy });
    }
    for (mdev, matrix) in &target.mdevs {
        if let Some(queue) = matrix.queues().find(|apqn| !state.exists(*apqn)) {
            let remedy = format!("leave adapter {} or domain {} out", queue.adapter.0, queue.domain.0);
            found.push(Obstacle { what: What::NotThere { mdev: *mdev, queue }, remedy });
        }
    }
}

/// Whether the way in which queues are given is to be another one than now.
pub(crate) fn changes_way(state: &State, target: &Target) -> bool {
    state.way().is_some_and(|way| way != target.give)
}

/// Guests that run while everything would be the host's.
pub(crate) fn running(state: &State, found: &mut Vec<Obstacle>) {
    for (mdev, held) in state.mdevs.iter().filter(|(_, mdev)| mdev.matrix.has_queues()) {
        if let Some(holder) = &held.holder {
            let remedy = format!("stop {holder} first");
            found.push(Obstacle {
                what: What::WayWhileRunning { mdev: *mdev, holder: holder.clone() },
                remedy,
            });
        }
    }
}

/// Everything at home: what a change of way passes.
#[must_use]
pub fn home(state: &State, target: &Target) -> Target {
    let kept = state.mdevs.keys().filter(|uuid| target.mdevs.contains_key(uuid));
    Target {
        masks: Masks::ALL,
        mdevs: kept.map(|uuid| (*uuid, Matrix::default())).collect(),
        listed: target.listed.clone(),
        give: state.way().unwrap_or(Give::Masks),
    }
}

/// The writes that bring a host to a target by overrides, in order, and how many of them there have to be.
pub(crate) fn writes(state: &State, target: &Target, home: bool) -> Option<(Vec<Write>, usize, bool)> {
    let things = Things::of(state, target);
    let order = things.order()?;
    let mut giving = Giving { now: state.clone(), writes: Vec::new(), assigned: target.assigned() };
    giving.mend();
    for write in order.writes {
        giving.with(write)?;
    }
    if home {
        giving.free_ones_go_home(state);
    }
    let least = giving.writes.len() - order.above;
    Some((giving.writes, least, order.fewest))
}

/// Writes so far, and where they have led.
struct Giving {
    now: State,
    writes: Vec<Write>,
    /// The queues that some mdev has in the end.
    assigned: QueueSet,
}

impl Giving {
    fn go(&mut self, write: Write) -> Option<()> {
        self.now = self.now.after(&write).ok()?;
        self.writes.push(write);
        Some(())
    }

    /// Overrides that assigned queues have lost are written anew.
    fn mend(&mut self) {
        for apqn in &self.now.unprotected() {
            // Refused only where masks are used, and then there are no overrides to be lost.
            let _ = self.go(Write::Override(apqn, Some(Driver::Vfio)));
        }
    }

    /// A write to an mdev, with what has to be given before it and what can be taken home after it.
    fn with(&mut self, write: Write) -> Option<()> {
        let old = match &write {
            Write::Config(uuid, new) => {
                for apqn in new.queues() {
                    self.give(apqn)?;
                }
                self.now.mdevs.get(uuid).map(|mdev| mdev.matrix)
            }
            Write::Remove(uuid) => self.now.mdevs.get(uuid).map(|mdev| mdev.matrix),
            _ => None,
        };
        self.go(write)?;
        let mut left = BTreeMap::new();
        for apqn in old.unwrap_or_default().queues().filter(|apqn| !self.assigned.contains(*apqn)) {
            left.insert(apqn, ());
        }
        let has = |state: &State, apqn: Apqn| state.mdevs.values().any(|mdev| mdev.matrix.contains(apqn));
        for apqn in left.into_keys().filter(|apqn| !has(&self.now, *apqn)).collect::<Vec<_>>() {
            self.take(apqn)?;
        }
        Some(())
    }

    /// Brings a queue to vfio_ap, under an override.
    fn give(&mut self, apqn: Apqn) -> Option<()> {
        if self.now.overrides.of(apqn) != Some(Driver::Vfio) {
            self.go(Write::Override(apqn, Some(Driver::Vfio)))?;
        }
        if self.now.driver(apqn) == Some(Driver::Host) {
            self.go(Write::Unbind(apqn, Driver::Host))?;
        }
        if self.now.driver(apqn).is_none() {
            self.go(Write::Bind(apqn, Driver::Vfio))?;
        }
        Some(())
    }

    /// Brings a queue home, without an override.
    fn take(&mut self, apqn: Apqn) -> Option<()> {
        if self.now.overrides.has(apqn) {
            self.go(Write::Override(apqn, None))?;
        }
        if self.now.driver(apqn) == Some(Driver::Vfio) {
            self.go(Write::Unbind(apqn, Driver::Vfio))?;
        }
        if self.now.driver(apqn).is_none() {
            self.go(Write::Bind(apqn, Driver::Host))?;
        }
        Some(())
    }

    /// Where everything is to go home, what is free goes, too.
    fn free_ones_go_home(&mut self, start: &State) {
        let (vfio, overrides) = (&start.queues.vfio, &start.overrides);
        let all: Vec<Apqn> = [vfio, &overrides.vfio, &overrides.host, &overrides.other]
            .into_iter()
            .flat_map(|set| set.iter().collect::<Vec<_>>())
            .collect();
        for apqn in all {
            let _ = self.take(apqn);
        }
    }
}
