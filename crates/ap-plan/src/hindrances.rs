//! Finding what is in the way of a target, whatever the order of writes.

use ap_files::desired::Give;
use ap_types::{Apqn, Matrix, Uuid};

use crate::allow::Allow;
use crate::cost::{Rather, least_part};
use crate::obstacle::{Lack, Obstacle, What};
use crate::overrides::{self, changes_way};
use crate::proposal::Proposal;
use crate::reason::{Refusal, adapters, domains};
use crate::state::{Bindings, Holder, Mdev, State, take_product};
use crate::target::Target;

/// Everything that is in the way of a target, whatever the order of writes.
pub(crate) fn obstacles(state: &State, target: &Target, allow: &Allow) -> Vec<Obstacle> {
    let mut found = Vec::new();
    if !state.vfio_ap
        && let Some(mdev) = target.mdevs.keys().find(|uuid| !state.mdevs.contains_key(uuid))
    {
        let refusal = Refusal::NoVfioAp;
        found.push(Obstacle {
            remedy: refusal.remedy(state).to_string(),
            what: What::Mdev { mdev: *mdev, refusal },
        });
        return found;
    }
    let made = target.mdevs.keys().filter(|uuid| !state.mdevs.contains_key(uuid));
    let room =
        crate::write::INSTANCES.saturating_sub(target.mdevs.len().saturating_sub(made.clone().count()));
    if let Some(mdev) = made.clone().nth(room) {
        let refusal = Refusal::NoInstances;
        found.push(Obstacle {
            remedy: refusal.remedy(state).to_string(),
            what: What::Mdev { mdev: *mdev, refusal },
        });
    }
    let by_overrides = target.give == Give::Override;
    if by_overrides {
        overrides::obstacles(state, target, &mut found);
    }
    if changes_way(state, target) {
        overrides::running(state, &mut found);
    }
    let masks = if by_overrides { None } else { Proposal::of(state, target) };
    for (mdev, matrix) in &target.mdevs {
        if !by_overrides {
            reserved(state, target, masks.as_ref(), (*mdev, matrix), &mut found);
        }
        if let Err(refusal) = state.not_too_high(*mdev, matrix) {
            let remedy = refusal.remedy(state).to_string();
            found.push(Obstacle { remedy, what: What::Mdev { mdev: *mdev, refusal } });
        }
    }
    shared(state, target, &mut found);
    guests(state, target, allow, &mut found);
    found
}

fn reserved(
    state: &State,
    target: &Target,
    masks: Option<&Proposal>,
    (mdev, matrix): (Uuid, &Matrix),
    found: &mut Vec<Obstacle>,
) {
    let queues = target.masks.reserved_of(matrix);
    if !queues.has_queues() {
        return;
    }
    if target.listed.contains(&mdev) {
        let already = target.masks == state.masks;
        let (there, absent) = state.split(&queues);
        let mut push = |queues: Matrix, remedy: Option<String>| {
            if let Some(remedy) = remedy.filter(|_| queues.has_queues()) {
                found.push(Obstacle { what: What::Reserved { mdev, queues, already }, remedy });
            }
        };
        push(there, masks.map(ToString::to_string));
        // No mask is proposed for what is not there: it would be given to nobody.
        push(
            Matrix { adapters: absent.adapters, ..queues },
            Some(leave_out(mdev, &adapters(&absent.adapters))),
        );
        let of_adapters = Matrix { adapters: there.adapters, domains: absent.domains, ..queues };
        push(of_adapters, Some(leave_out(mdev, &domains(&absent.domains))));
    } else {
        let holder = state.mdevs.get(&mdev).and_then(|mdev| mdev.holder.clone());
        let remedy = format!(
            "list mdev {mdev} without {}{}; or leave them out of the masks",
            least_part(state, &mdev, &queues, Rather::Adapters),
            and_stop(mdev, &holder)
        );
        found.push(Obstacle { what: What::KeptFromHost { mdev, queues, holder }, remedy });
    }
}

/// What becomes of ids that are not there.
fn leave_out(mdev: Uuid, ids: &str) -> String {
    format!("leave {ids} out of mdev {mdev}, as long as there is nothing of that id")
}

fn shared(state: &State, target: &Target, found: &mut Vec<Obstacle>) {
    // A file's own mdevs share nothing, or it is refused; those that are kept share nothing, or the host would have
    // refused: so one is listed and the other one is kept.
    let kept: Vec<_> = target.mdevs.iter().filter(|(uuid, _)| !target.listed.contains(uuid)).collect();
    for (mdev, matrix) in target.mdevs.iter().filter(|(uuid, _)| target.listed.contains(uuid)) {
        for (other, theirs) in kept.iter().filter(|(_, theirs)| theirs.shares_queue(matrix)) {
            let queues = theirs.shared(matrix);
            let holder = state.mdevs.get(other).and_then(|mdev| mdev.holder.clone());
            let remedy = format!(
                "list mdev {other} without {}{}",
                least_part(state, other, &queues, Rather::Adapters),
                and_stop(**other, &holder)
            );
            let what = What::KeptFromMdev { mdev: *mdev, queues, other: **other, holder };
            found.push(Obstacle { what, remedy });
        }
    }
}

fn guests(state: &State, target: &Target, allow: &Allow, found: &mut Vec<Obstacle>) {
    let running = state.mdevs.iter().filter_map(|(uuid, mdev)| Some((*uuid, mdev, mdev.holder.clone()?)));
    let bound = bound_after(state, target);
    for (mdev, Mdev { matrix: old, shadow, .. }, holder) in running {
        let Some(new) = target.mdevs.get(&mdev) else {
            let remedy = format!("stop {holder}, or keep mdev {mdev}");
            found.push(Obstacle { what: What::Removed { mdev, holder }, remedy });
            continue;
        };
        let lost = taken(shadow, new);
        if lost.has_queues() && !allow.lets_lose(mdev, &holder) {
            let remedy = format!("{}, or stop {holder} first", Allow::word_for(mdev, &holder));
            found
                .push(Obstacle { what: What::Unplug { mdev, holder: holder.clone(), queues: lost }, remedy });
        }
        if new == old {
            // Nothing is written to it, so nothing is filtered anew.
            continue;
        }
        if let Some((queue, lack)) = filtered_out(&bound, shadow, new) {
            let remedy = match lack {
                Lack::Absent => format!("leave domain {} out of mdev {mdev}", queue.domain.0),
                Lack::Unbound => format!("echo {queue} > /sys/bus/ap/drivers/vfio_ap/bind"),
            };
            found.push(Obstacle { what: What::Filtered { mdev, holder, queue, lack }, remedy });
        }
    }
}

/// What of a shadow APCB a new matrix does not have: the ids that go, with all that they are crossed with.
pub(crate) fn taken(shadow: &Matrix, new: &Matrix) -> Matrix {
    let adapters = shadow.adapters - new.adapters;
    let domains = shadow.domains - new.domains;
    match (adapters.is_empty(), domains.is_empty()) {
        (true, true) => Matrix::default(),
        (false, true) => Matrix { adapters, domains: shadow.domains, ..Matrix::default() },
        (true, false) => Matrix { adapters: shadow.adapters, domains, ..Matrix::default() },
        // Two overlapping products: the larger one stands for both.
        (false, false) => Matrix { adapters, domains: shadow.domains, ..Matrix::default() },
    }
}

/// The host with the bindings that the masks of the target give.
fn bound_after(state: &State, target: &Target) -> State {
    let mut after = state.clone();
    if target.give == Give::Override {
        // Every queue of an mdev that exists is given before it is assigned.
        for apqn in &target.assigned() {
            if after.queues.host.remove(apqn) || after.queues.none.remove(apqn) {
                after.queues.vfio.insert(apqn);
            }
        }
        return after;
    }
    after.masks = target.masks;
    after.revise();
    // What the masks keep from an mdev is told as that, and not as what the filter does then.
    for matrix in target.mdevs.values() {
        let kept = target.masks.reserved_of(matrix);
        let Bindings { host, vfio, .. } = &mut after.queues;
        take_product(host, &kept.adapters, &kept.domains, vfio);
    }
    after
}

/// A queue for whose sake the filter takes away an adapter that the guest has and is to keep.
fn filtered_out(after: &State, shadow: &Matrix, new: &Matrix) -> Option<(Apqn, Lack)> {
    let keeps = shadow.adapters & new.adapters;
    let domains = new.domains & after.config.domains;
    let out = after.queues.vfio.adapters_missing_any(&keeps, &domains).first()?;
    let domain = (domains - after.queues.vfio.row(out)).first()?;
    let queue = Apqn::new(out, domain);
    let lack = if after.queues.none.contains(queue) { Lack::Unbound } else { Lack::Absent };
    Some((queue, lack))
}

/// What else is needed if somebody has it open.
fn and_stop(mdev: Uuid, holder: &Option<Holder>) -> String {
    holder.as_ref().map_or_else(String::new, |holder| {
        format!(", with {} or after you stop {holder}", Allow::word_for(mdev, holder))
    })
}
