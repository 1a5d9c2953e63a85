//! Whether the mediated devices of one host fit another one: before a guest is migrated.

use ap_types::{AdapterId, AdapterMask, Apqn, DomainId, Matrix, QueueSet, Uuid};

use crate::reason::{Queues, Refusal, adapters, domains};
use crate::state::{Card, Holder, State};
use crate::write::INSTANCES;

/// Whether one mdev fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// The mdev.
    pub mdev: Uuid,
    /// What is assigned to it.
    pub matrix: Matrix,
    /// Why not; empty: it fits.
    pub misfits: Vec<Misfit>,
}

/// Why an mdev does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The driver is not loaded there.
    #[error("the driver vfio_ap is not loaded there")]
    NoVfioAp,
    /// There are as many mdevs as there can be.
    #[error("there are 65536 mdevs there already")]
    NoInstances,
    /// An id above the highest there.
    #[error("{what} {id} is above the highest there, {highest}")]
    TooHigh {
        /// Adapter, domain, control domain.
        what: &'static str,
        /// Which.
        id: u8,
        /// The highest.
        highest: u8,
    },
    /// The host there has no such adapters.
    #[error("{} not there", are("adapter", adapters(.0)))]
    NoAdapter(AdapterMask),
    /// Another type of adapter.
    #[error("adapter {} is a {here} here and a {there} there", adapter.0)]
    OtherType {
        /// Which.
        adapter: AdapterId,
        /// What it is here.
        here: String,
        /// What it is there.
        there: String,
    },
    /// The host there has no such usage domains.
    #[error("{} not there", are("domain", domains(.0)))]
    NoDomain(ap_types::DomainMask),
    /// The host there has no such control domains.
    #[error("control {} not there", are("domain", domains(.0)))]
    NoControlDomain(ap_types::DomainMask),
    /// Queues that do not exist there, on adapters and domains that do.
    #[error("queue {0} does not exist there")]
    NoQueue(Apqn),
    /// The host there keeps queues for itself.
    #[error("{} reserved for the host there, by apmask and aqmask", are("queue", Queues(.0).to_string()))]
    Reserved(Matrix),
    /// Another mdev there has queues of it.
    #[error("{} in mdev {other} there{}", are("queue", Queues(queues).to_string()), held(holder))]
    Held {
        /// The queues.
        queues: Matrix,
        /// The mdev.
        other: Uuid,
        /// Who has it open.
        holder: Option<Holder>,
    },
    /// The mdev is there already, and somebody has it open.
    #[error("there is an mdev of that name there, and {0} holds it")]
    InUse(Holder),
    /// Queues are deconfigured or checkstopped there.
    #[error("queue {0} is deconfigured or checkstopped there")]
    Off(Apqn),
    /// A queue there has no driver.
    #[error("queue {0} is bound to no driver there")]
    Unbound(Apqn),
}

fn held(holder: &Option<Holder>) -> String {
    holder.as_ref().map_or_else(String::new, |holder| format!(", which {holder} holds"))
}

/// `adapter 4 is`, `adapters 4, 5 are`.
fn are(one: &str, text: String) -> String {
    let several = text.starts_with(&format!("{one}s"));
    format!("{text} {}", if several { "are" } else { "is" })
}

/// Whether each mdev of `source` fits `target`, by name.
#[must_use]
pub fn fits(source: &State, target: &State) -> Vec<Fit> {
    source
        .mdevs
        .iter()
        .map(|(uuid, mdev)| Fit {
            mdev: *uuid,
            matrix: mdev.matrix,
            misfits: misfits(source, target, *uuid, &mdev.matrix),
        })
        .collect()
}

fn misfits(source: &State, target: &State, uuid: Uuid, matrix: &Matrix) -> Vec<Misfit> {
    let mut found = Vec::new();
    if !target.vfio_ap {
        return vec![Misfit::NoVfioAp];
    }
    let there = target.mdevs.get(&uuid);
    if there.is_none() && target.mdevs.len() >= INSTANCES {
        found.push(Misfit::NoInstances);
    }
    if let Some(holder) = there.and_then(|mdev| mdev.holder.clone()) {
        found.push(Misfit::InUse(holder));
    }
    if let Err(Refusal::TooHigh { what, id, highest, .. }) = target.not_too_high(uuid, matrix) {
        found.push(Misfit::TooHigh { what, id, highest });
    }
    adapters_and_domains(source, target, matrix, &mut found);
    let reserved = target.masks.reserved_of(matrix);
    if reserved.has_queues() {
        found.push(Misfit::Reserved(reserved));
    }
    for (other, theirs) in target.mdevs.iter().filter(|(other, _)| **other != uuid) {
        if theirs.matrix.shares_queue(matrix) {
            let queues = theirs.matrix.shared(matrix);
            found.push(Misfit::Held { queues, other: *other, holder: theirs.holder.clone() });
        }
    }
    queues(target, matrix, &mut found);
    found
}

fn adapters_and_domains(source: &State, target: &State, matrix: &Matrix, found: &mut Vec<Misfit>) {
    let missing = matrix.adapters - target.config.adapters;
    if !missing.is_empty() {
        found.push(Misfit::NoAdapter(missing));
    }
    for adapter in matrix.adapters & target.config.adapters {
        let (here, there) = (source.cards.get(&adapter), target.cards.get(&adapter));
        if let (Some(here), Some(there)) = (here, there)
            && here != there
        {
            let (here, there) = (Card::type_name(here), Card::type_name(there));
            found.push(Misfit::OtherType { adapter, here, there });
        }
    }
    let missing = matrix.domains - target.config.domains;
    if !missing.is_empty() {
        found.push(Misfit::NoDomain(missing));
    }
    let missing = matrix.control_domains - target.config.control_domains;
    if !missing.is_empty() {
        found.push(Misfit::NoControlDomain(missing));
    }
}

/// The first queue of each kind that is not as it has to be.
fn queues(target: &State, matrix: &Matrix, found: &mut Vec<Misfit>) {
    let there = matrix.shared(&target.config);
    let all = QueueSet::from_product(&there.adapters, &there.domains);
    let first = |wrong: &dyn Fn(&QueueSet, AdapterId) -> ap_types::DomainMask| {
        all.adapters().iter().find_map(|adapter| {
            let row: ap_types::DomainMask = all.row(adapter) & wrong(&all, adapter);
            row.first().map(|domain: DomainId| Apqn::new(adapter, domain))
        })
    };
    let bindings = &target.queues;
    let exist =
        |adapter| bindings.host.row(adapter) | bindings.vfio.row(adapter) | bindings.none.row(adapter);
    found.extend(first(&|_, adapter| !exist(adapter)).map(Misfit::NoQueue));
    found.extend(first(&|_, adapter| target.off.row(adapter)).map(Misfit::Off));
    found.extend(first(&|_, adapter| bindings.none.row(adapter)).map(Misfit::Unbound));
}
