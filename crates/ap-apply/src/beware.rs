//! What to beware of in a host that was read: what follows from its state alone, a sentence each.
//!
//! Knows states; not trees, plans or writes.

use ap_plan::reason::{Queues, adapters, domains};
use ap_plan::{Holder, Mdev, State};
use ap_types::{AdapterMask, DomainMask, Matrix, Uuid};

/// Of more queues than these not every one is named.
const MOST_NAMED: usize = 8;

/// What to beware of in a host, a sentence each: what follows from its state alone.
#[must_use]
pub fn notes(state: &State) -> Vec<String> {
    let mut notes = Vec::new();
    for (uuid, mdev) in &state.mdevs {
        if by_override(state, mdev) {
            notes.push(format!(
                "mdev {uuid} has its queues by driver_override, which a machine file does not say: it is left out of it"
            ));
        }
    }
    for apqn in &state.unprotected() {
        notes.push(format!(
            "queue {apqn} is assigned and has lost its override: a mask write would take it, also from a running guest"
        ));
    }
    notes.extend(lacking(state));
    notes.extend(absent(state));
    notes.extend(broken(state));
    if !state.overrides.is_empty() {
        notes.push("queues have a driver_override, which a machine file does not say".to_owned());
    }
    // Where a driver is not loaded, this is said of all of its queues.
    let unbound: Vec<String> =
        state.queues.none.iter().take(MOST_NAMED).map(|apqn| apqn.to_string()).collect();
    match state.queues.none.len() {
        more if more > unbound.len() => notes.push(format!(
            "{more} queues are bound to no driver, which a machine file does not say: {}, …",
            unbound.join(", ")
        )),
        _ => notes.extend(
            unbound
                .iter()
                .map(|apqn| format!("queue {apqn} is bound to no driver, which a machine file does not say")),
        ),
    }
    notes
}

/// Running guests that have less than their mdevs say, though nothing that can be read keeps it from them.
#[must_use]
pub fn lacking(state: &State) -> Vec<String> {
    let said = |(uuid, holder, lacks): (Uuid, &Holder, AdapterMask)| {
        let it = if lacks.count() == 1 { "it" } else { "each" };
        // Those that the guest would get: others are not there, and can't be unbound.
        let usage =
            state.mdevs.get(&uuid).map(|mdev| state.filtered(&mdev.matrix).domains).unwrap_or_default();
        let queues = Matrix { adapters: lacks, domains: usage, ..Matrix::default() };
        format!(
            "{holder} lacks {} of mdev {uuid}, which perhaps a reset that failed keeps out: to give {it} back write its id \
             to unassign_adapter (the guest has nothing of it to lose) and then to assign_adapter; if it does not come, unbind \
             {} and bind them again (/sys/bus/ap/drivers/vfio_ap); last of all reset the guest",
            adapters(&lacks),
            Queues(&queues)
        )
    };
    state.lacking().map(said).collect()
}

/// Ids of mdevs with a running guest that are not there: unplugged, or not there yet.
fn absent(state: &State) -> impl Iterator<Item = String> + '_ {
    let cards: AdapterMask = state.cards.keys().copied().collect();
    state.mdevs.iter().filter_map(move |(uuid, mdev)| {
        let holder = mdev.holder.as_ref()?;
        let Matrix { adapters: has, domains: usage, .. } = mdev.matrix;
        let gone = if state.config_told() { usage - state.config.domains } else { DomainMask::EMPTY };
        let named: Vec<String> = [
            Some(has - cards).filter(|gone| !gone.is_empty()).map(|gone| adapters(&gone)),
            Some(gone).filter(|gone| !gone.is_empty()).map(|gone| domains(&gone)),
        ]
        .into_iter()
        .flatten()
        .collect();
        let (verb, them) = match (has - cards).count() + gone.count() {
            0 => return None,
            1 => ("is", "it when it comes"),
            _ => ("are", "them when they come"),
        };
        let named = named.join(" and ");
        Some(format!("{named} of mdev {uuid} {verb} not there: {holder} gets {them}"))
    })
}

/// Queues of mdevs that are broken: whoever gets them can't use them.
fn broken(state: &State) -> Vec<String> {
    let one = |(uuid, mdev): (&Uuid, &Mdev)| {
        let found: Vec<String> = state
            .checkstopped
            .intersection_product(&mdev.matrix.adapters, &mdev.matrix.domains)
            .map(|apqn| apqn.to_string())
            .collect();
        let more = if found.len() > MOST_NAMED { ", …" } else { "" };
        match found.as_slice() {
            [] => None,
            [queue] => Some(format!("queue {queue} of mdev {uuid} is checkstopped: it is broken")),
            queues => Some(format!(
                "queues {}{more} of mdev {uuid} are checkstopped: they are broken",
                queues[..queues.len().min(MOST_NAMED)].join(", ")
            )),
        }
    };
    state.mdevs.iter().filter_map(one).collect()
}

/// Whether the masks reserve queues of an mdev for the host: then it has them by their overrides.
pub(crate) fn by_override(state: &State, mdev: &Mdev) -> bool {
    state.masks.reserved_of(&mdev.matrix).has_queues()
}
