//! Why one write is refused, or would be: the queues that it is about and whose they are, the rule, and the smallest
//! change that lets it through.
//!
//! Knows the rules ([`State::after`]) and the texts of files ([`crate::reading`]); not where the state was read, nor
//! who asks.

use std::collections::BTreeSet;
use std::fmt;

use ap_types::{Apqn, QueueSet};

use crate::change::{Change, Way, taken, way_through};
use crate::meaning::meant_as_ids;
use crate::reading::{Reading, Wrong, read};
use crate::reason::Refusal;
use crate::rule::Rule;
use crate::state::{Driver, Holder, Owner, State};
use crate::write::Store;

/// How many queues are listed with their owners.
const MOST_LISTED: usize = 8;

/// What there is to say about a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It goes through.
    Allowed,
    /// It goes through, and waits until a guest lets go.
    Waits(Because),
    /// It is refused.
    Refused(Because),
    /// No rule is known for this file.
    Unknown,
}

/// Why a write is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Because {
    /// What write(2) answers; `None` if it waits.
    pub errno: Option<&'static str>,
    /// What is in the way, a sentence without full stop.
    pub reason: String,
    /// The queues that are in the way, the first few of them, with who has them.
    pub queues: Vec<Whose>,
    /// How many there are beside those.
    pub more: usize,
    /// The rule that says so.
    pub rule: Rule,
    /// What lets it through.
    pub change: Change,
    /// What does so by the other mask, where queues are reserved: it costs more for this write, and perhaps less for the
    /// next. Or what costs the same and takes ids of the other kind from mdevs.
    pub or: Option<Change>,
}

/// A queue, and what makes it somebody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    /// The queue.
    pub queue: Apqn,
    /// Who has it; `None` if there is no such queue.
    pub owner: Option<Owner>,
    /// The driver that has it.
    pub driver: Option<Driver>,
    /// Who has the mdev open that has it.
    pub holder: Option<Holder>,
    /// By what it is whose it is.
    pub by: Vec<String>,
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.owner {
            None => f.write_str("does not exist")?,
            Some(Owner::Host) => f.write_str("the host's")?,
            Some(Owner::Mdev(uuid)) => write!(f, "mdev {uuid}")?,
            Some(Owner::Free) => f.write_str("nobody's")?,
            Some(Owner::Unbound) => f.write_str("nobody's, without a driver")?,
        }
        if let Some(driver) = self.driver {
            write!(f, " (driver {})", driver.name())?;
        }
        if let Some(holder) = &self.holder {
            write!(f, ", {holder}")?;
        }
        if self.by.is_empty() { Ok(()) } else { write!(f, ": {}", self.by.join(", ")) }
    }
}

/// What there is to say about a write to a host in that state.
#[must_use]
pub fn why(state: &State, store: &Store) -> Why {
    match read(state, store) {
        Reading::Nothing | Reading::Takes(..) => Why::Allowed,
        Reading::Unknown => Why::Unknown,
        Reading::Wrong(Wrong { errno, what, remedy, rule }) => Why::Refused(Because {
            errno: Some(errno),
            reason: what,
            queues: Vec::new(),
            more: 0,
            rule,
            change: Change::words(remedy),
            or: None,
        }),
        Reading::Asks(write) => match state.after(&write) {
            Ok(_) => Why::Allowed,
            Err(refusal) => {
                let mut because = because(state, store, &refusal);
                if let Some(meant) = meant_as_ids(store) {
                    // Nothing is to be given up for queues that nobody means.
                    (because.change, because.or) = (Change::words(meant), None);
                }
                if because.errno.is_some() { Why::Refused(because) } else { Why::Waits(because) }
            }
        },
    }
}

/// `first`: what refuses it as the host is.
fn because(state: &State, store: &Store, first: &Refusal) -> Because {
    let Way { refusals, change, or } = way_through(state, store, first);
    let queues: Vec<Vec<Apqn>> = refusals.iter().map(|refusal| queues_of(state, refusal)).collect();
    let all: BTreeSet<Apqn> = queues.iter().flatten().copied().collect();
    // Some of everything that is in the way.
    let each = (MOST_LISTED / queues.len().max(1)).max(1);
    let mut listed: Vec<Apqn> = Vec::new();
    for queue in queues.iter().flat_map(|queues| queues.iter().take(each)) {
        if !listed.contains(queue) && listed.len() < MOST_LISTED {
            listed.push(*queue);
        }
    }
    let (errno, rule) = answer(first);
    Because {
        errno,
        reason: reasons(&refusals),
        queues: listed.iter().map(|queue| whose(state, *queue)).collect(),
        more: all.len().saturating_sub(listed.len()),
        rule,
        change,
        or,
    }
}

/// What is in the way, a sentence without full stop.
fn reasons(refusals: &[Refusal]) -> String {
    let mut all: Vec<String> = refusals.iter().take(MOST_LISTED).map(ToString::to_string).collect();
    if let more @ 1.. = refusals.len().saturating_sub(MOST_LISTED) {
        all.push(format!("and {more} more are in the way"));
    }
    all.join("; ")
}

/// What write(2) answers, and by which rule.
fn answer(refusal: &Refusal) -> (Option<&'static str>, Rule) {
    let rule = match refusal {
        Refusal::InUse { .. } | Refusal::Unprotected { .. } => Rule::InUse,
        Refusal::Reserved { .. } => Rule::Reserved,
        Refusal::Shared { .. } => Rule::Shared,
        Refusal::TooHigh { .. } => Rule::Highest,
        Refusal::NoMdev(_) | Refusal::Exists(_) | Refusal::NoInstances | Refusal::NoVfioAp => Rule::Mdevs,
        Refusal::Overridden(_) | Refusal::MasksInUse => Rule::Overrides,
        Refusal::NoQueue(_) | Refusal::Binding { .. } => Rule::Binding,
        Refusal::Held { .. } => Rule::Open,
    };
    let errno = match refusal {
        // With overrides the emulated host asks about what a mask write would take, too.
        Refusal::Unprotected { .. } => Some("EBUSY"),
        _ => refusal.errno(),
    };
    (errno, rule)
}

/// The queues that a refusal is about.
fn queues_of(state: &State, refusal: &Refusal) -> Vec<Apqn> {
    match refusal {
        Refusal::InUse { queues, .. } | Refusal::Reserved { queues, .. } | Refusal::Shared { queues, .. } => {
            queues.queues().collect()
        }
        Refusal::Overridden(queue)
        | Refusal::Unprotected { queue, .. }
        | Refusal::NoQueue(queue)
        | Refusal::Binding { queue, .. } => vec![*queue],
        Refusal::Held { mdev, .. } => {
            state.mdevs.get(mdev).into_iter().flat_map(|mdev| mdev.shadow.queues()).collect()
        }
        Refusal::TooHigh { .. }
        | Refusal::NoMdev(_)
        | Refusal::Exists(_)
        | Refusal::NoInstances
        | Refusal::NoVfioAp
        | Refusal::MasksInUse => Vec::new(),
    }
}

/// What a write that goes through does to the queues of the host's own drivers and of running guests, a sentence without
/// full stop; `None` if they keep all and get none, or if it is refused.
#[must_use]
pub fn moved(state: &State, store: &Store) -> Option<String> {
    let after = match read(state, store) {
        Reading::Asks(write) => state.after(&write).ok()?,
        Reading::Takes(uuid, left) => taken(state, &uuid, &left)?,
        Reading::Nothing | Reading::Wrong(_) | Reading::Unknown => return None,
    };
    let queues = |count: usize| if count == 1 { "1 queue".to_owned() } else { format!("{count} queues") };
    let mut parts = Vec::new();
    let mut tell = |who: &str, gives: &str, loses: usize, gets: usize| match (loses, gets) {
        (0, 0) => {}
        (0, gets) => parts.push(format!("{who} gets {}", queues(gets))),
        (loses, 0) => parts.push(format!("{who} {gives} {}", queues(loses))),
        (loses, gets) => parts.push(format!("{who} {gives} {} and gets {}", queues(loses), queues(gets))),
    };
    let gone = |some: &QueueSet, others: &QueueSet| some.len() - some.shared_len(others);
    let (host, then) = (&state.queues.host, &after.queues.host);
    tell("the host", "gives up", gone(host, then), gone(then, host));
    for (uuid, mdev) in &state.mdevs {
        let Some(holder) = &mdev.holder else { continue };
        let [has, gets] = [Some(mdev), after.mdevs.get(uuid)].map(|mdev| {
            mdev.map(|mdev| QueueSet::from_product(&mdev.shadow.adapters, &mdev.shadow.domains))
                .unwrap_or_default()
        });
        tell(&format!("{holder}, which runs,"), "loses", gone(&has, &gets), gone(&gets, &has));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Who has a queue, and by what.
#[must_use]
pub fn whose(state: &State, queue: Apqn) -> Whose {
    let assigned = state.mdevs.iter().find(|(_, mdev)| mdev.matrix.contains(queue));
    let mut by = Vec::new();
    let overridden = match (state.overrides.of(queue), state.overrides.has(queue)) {
        (Some(driver), _) => Some(driver.name()),
        (None, true) => Some("another driver"),
        (None, false) => None,
    };
    if let Some(name) = overridden {
        by.push(format!("its override names {name}"));
    } else {
        let (adapter, domain) = (queue.adapter.0, queue.domain.0);
        let has = |yes: bool| if yes { "has" } else { "lacks" };
        let apmask = has(state.masks.adapters.contains(queue.adapter));
        let aqmask = has(state.masks.domains.contains(queue.domain));
        by.push(format!("apmask {apmask} adapter {adapter}, aqmask {aqmask} domain {domain}"));
    }
    if let Some((uuid, mdev)) = assigned {
        if !state.exists(queue) {
            by.push(format!("assigned to mdev {uuid}"));
        } else if mdev.holder.is_some() && !mdev.shadow.contains(queue) {
            by.push("its guest does not get it: an adapter is passed whole or not at all".to_owned());
        }
    }
    Whose {
        queue,
        owner: state.owner(queue),
        driver: state.driver(queue),
        holder: assigned.and_then(|(_, mdev)| mdev.holder.clone()),
        by,
    }
}
