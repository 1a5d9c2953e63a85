//! Why one write is refused, or would be: the queues that it is about and whose they are, the rule, and the smallest
//! change that lets it through.
//!
//! Knows the rules ([`State::after`]) and the texts of files ([`crate::reading`]); not where the state was read, nor
//! who asks.

use std::fmt;

use ap_files::desired::Give;
use ap_types::{AdapterMask, Apqn, DomainMask, Matrix, QueueSet, Uuid};

use crate::reading::{Reading, Wrong, read};
use crate::reason::{Refusal, Unbindable, smaller_part};
use crate::remedy::GiveUp;
use crate::rule::Rule;
use crate::state::{Driver, Holder, Mdev, Owner, State};
use crate::write::{Delta, Store, Write};

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

/// The smallest change that lets a write through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// In words.
    pub text: String,
    /// As writes, in order, where it consists of writes.
    pub writes: Vec<Write>,
    /// The same as people write them: one id at a time.
    pub stores: Vec<Store>,
}

impl Change {
    /// One that consists of no writes.
    fn words(text: impl Into<String>) -> Change {
        Change { text: text.into(), writes: Vec::new(), stores: Vec::new() }
    }

    fn of(text: impl Into<String>, writes: Vec<Write>) -> Change {
        let stores = writes.iter().map(Write::store).collect();
        Change { text: text.into(), writes, stores }
    }
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
        Reading::Nothing | Reading::Takes => Why::Allowed,
        Reading::Unknown => Why::Unknown,
        Reading::Wrong(Wrong { errno, what, remedy, rule }) => Why::Refused(Because {
            errno: Some(errno),
            reason: what,
            queues: Vec::new(),
            more: 0,
            rule,
            change: Change::words(remedy),
        }),
        Reading::Asks(write) => match state.after(&write) {
            Ok(_) => Why::Allowed,
            Err(refusal) => {
                let because = because(state, &refusal);
                if because.errno.is_some() { Why::Refused(because) } else { Why::Waits(because) }
            }
        },
    }
}

fn because(state: &State, refusal: &Refusal) -> Because {
    let (rule, queues) = match refusal {
        Refusal::InUse { queues, .. } => (Rule::InUse, queues.queues().collect()),
        Refusal::Reserved { queues, .. } => (Rule::Reserved, queues.queues().collect()),
        Refusal::Shared { queues, .. } => (Rule::Shared, queues.queues().collect()),
        Refusal::TooHigh { .. } => (Rule::Highest, Vec::new()),
        Refusal::NoMdev(_) | Refusal::Exists(_) | Refusal::NoInstances | Refusal::NoVfioAp => {
            (Rule::Mdevs, Vec::new())
        }
        Refusal::Overridden(queue) => (Rule::Overrides, vec![*queue]),
        Refusal::Unprotected { queue, .. } => (Rule::InUse, vec![*queue]),
        Refusal::MasksInUse => (Rule::Overrides, Vec::new()),
        Refusal::NoQueue(queue) => (Rule::Binding, vec![*queue]),
        Refusal::Binding { queue, .. } => (Rule::Binding, vec![*queue]),
        Refusal::Held { mdev, .. } => {
            (Rule::Open, state.mdevs.get(mdev).into_iter().flat_map(|mdev| mdev.shadow.queues()).collect())
        }
    };
    Because {
        errno: match refusal {
            // With overrides the emulated host asks about what a mask write would take, too.
            Refusal::Unprotected { .. } => Some("EBUSY"),
            _ => refusal.errno(),
        },
        reason: refusal.to_string(),
        queues: queues.iter().take(MOST_LISTED).map(|queue| whose(state, *queue)).collect(),
        more: queues.len().saturating_sub(MOST_LISTED),
        rule,
        change: change(state, refusal),
    }
}

/// What a write that goes through does to the queues that the host's own drivers have, a sentence without full stop;
/// `None` if they keep all and get none, or if it is refused.
#[must_use]
pub fn moved(state: &State, store: &Store) -> Option<String> {
    let Reading::Asks(write) = read(state, store) else { return None };
    let after = state.after(&write).ok()?;
    let count =
        |some: &QueueSet, others: &QueueSet| some.iter().filter(|queue| !others.contains(*queue)).count();
    let queues = |count: usize| if count == 1 { "1 queue".to_owned() } else { format!("{count} queues") };
    let (before, after) = (&state.queues.host, &after.queues.host);
    match (count(before, after), count(after, before)) {
        (0, 0) => None,
        (0, gets) => Some(format!("the host gets {}", queues(gets))),
        (loses, 0) => Some(format!("the host gives up {}", queues(loses))),
        (loses, gets) => Some(format!("the host gives up {} and gets {}", queues(loses), queues(gets))),
    }
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

/// A matrix without the dimension of some queues in which fewer ids have to go.
fn without(mdev: &Mdev, queues: &Matrix) -> Matrix {
    let mut matrix = mdev.matrix;
    if queues.adapters.count() <= queues.domains.count() {
        matrix.adapters -= queues.adapters;
    } else {
        matrix.domains -= queues.domains;
    }
    matrix
}

/// What takes queues from an mdev.
fn take(state: &State, mdev: Uuid, queues: &Matrix, holder: Option<&Holder>) -> Change {
    let part = smaller_part(queues);
    let running =
        holder.map_or_else(String::new, |holder| format!("; {holder} loses what is taken while it runs"));
    let text = format!("take {part} from mdev {mdev}{running}");
    let Some(found) = state.mdevs.get(&mdev) else { return Change::words(text) };
    let left = without(found, queues);
    let store = |file: &str, id: u8| Store {
        path: format!("devices/vfio_ap/matrix/{mdev}/unassign_{file}"),
        text: id.to_string(),
    };
    let adapters =
        (found.matrix.adapters - left.adapters).iter().map(|id| store("adapter", id.0)).collect::<Vec<_>>();
    let domains = (found.matrix.domains - left.domains).iter().map(|id| store("domain", id.0)).collect();
    Change { text, writes: vec![Write::Config(mdev, left)], stores: [adapters, domains].concat() }
}

fn change(state: &State, refusal: &Refusal) -> Change {
    let words = || Change::words(refusal.remedy(state).to_string());
    match refusal {
        Refusal::InUse { queues, mdev, holder } => take(state, *mdev, queues, holder.as_ref()),
        Refusal::Shared { queues, other, holder, .. } => take(state, *other, queues, holder.as_ref()),
        Refusal::Reserved { queues, .. } if state.overrides.is_empty() => {
            let give_up = GiveUp::of(state, queues);
            Change::of(give_up.to_string(), vec![give_up.write()])
        }
        Refusal::Reserved { queues, .. } => {
            let mut writes = Vec::new();
            for queue in queues.queues().filter(|queue| state.exists(*queue)) {
                if state.overrides.of(queue) != Some(Driver::Vfio) {
                    writes.push(Write::Override(queue, Some(Driver::Vfio)));
                }
                if let Some(driver @ Driver::Host) = state.driver(queue) {
                    writes.push(Write::Unbind(queue, driver));
                }
                if state.driver(queue) != Some(Driver::Vfio) {
                    writes.push(Write::Bind(queue, Driver::Vfio));
                }
            }
            Change::of("give the queues to vfio_ap by driver_override", writes)
        }
        Refusal::NoMdev(uuid) => Change::of("create it", vec![Write::Create(*uuid)]),
        Refusal::NoVfioAp => Change::words("modprobe vfio_ap"),
        Refusal::Overridden(_) => {
            let sets = [&state.overrides.vfio, &state.overrides.host, &state.overrides.other];
            let all: Vec<Apqn> = sets.into_iter().flat_map(|set| set.iter().collect::<Vec<_>>()).collect();
            let writes = all.iter().map(|queue| Write::Override(*queue, None)).collect();
            let count = if all.len() == 1 {
                "the override".to_owned()
            } else {
                format!("all {} overrides", all.len())
            };
            Change::of(format!("clear {count}"), writes)
        }
        Refusal::Unprotected { queue, mdev, holder } => {
            let single = Matrix {
                adapters: AdapterMask::single(queue.adapter),
                domains: DomainMask::single(queue.domain),
                ..Matrix::default()
            };
            let taken = take(state, *mdev, &single, holder.as_ref());
            Change { text: format!("give queue {queue} its override again, or {}", taken.text), ..taken }
        }
        Refusal::MasksInUse => {
            let all = crate::state::Masks::ALL;
            let adapters = Delta::between(state.masks.adapters, all.adapters);
            let domains = Delta::between(state.masks.domains, all.domains);
            // No mdev may have a queue then: the masks would take it.
            let having = state.mdevs.iter().filter(|(_, mdev)| mdev.matrix.has_queues());
            let taken =
                having.map(|(uuid, mdev)| (uuid, take(state, *uuid, &mdev.matrix, mdev.holder.as_ref())));
            let mut all = Change::of(
                "set both masks to all ones: the host's drivers get all queues that have no override",
                vec![],
            );
            for (uuid, taken) in taken {
                all.text = format!("take the queues from mdev {uuid}, and {}", all.text);
                all.writes.extend(taken.writes);
                all.stores.extend(taken.stores);
            }
            let masks = [
                (adapters != Delta::default()).then_some(Write::Apmask(adapters)),
                (domains != Delta::default()).then_some(Write::Aqmask(domains)),
            ];
            let masks = Change::of("", masks.into_iter().flatten().collect());
            all.writes.extend(masks.writes);
            all.stores.extend(masks.stores);
            all
        }
        Refusal::Binding { queue, driver, how } => match how {
            Unbindable::Bound => match state.driver(*queue) {
                Some(now) if now != *driver => {
                    Change::of("unbind it first", vec![Write::Unbind(*queue, now)])
                }
                _ => words(),
            },
            Unbindable::Absent | Unbindable::NotBound => words(),
            Unbindable::NotTheirs if state.kernel.driver_override && state.way() != Some(Give::Masks) => {
                let text = format!("let its override name {}", driver.name());
                Change::of(text, vec![Write::Override(*queue, Some(*driver))])
            }
            Unbindable::NotTheirs => words(),
        },
        Refusal::Held { holder, mdev } => Change::words(match &holder.guest {
            Some(guest) if holder.process.is_none() => {
                format!("stop the guest: apmatrix guest stop {guest}; until then the write waits")
            }
            _ => format!("stop {holder}, which has mdev {mdev} open; until then the write waits"),
        }),
        Refusal::TooHigh { .. } | Refusal::Exists(_) | Refusal::NoInstances | Refusal::NoQueue(_) => words(),
    }
}
