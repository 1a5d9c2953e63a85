//! The smallest change that would make a refused write possible: in words, or as a write.
//!
//! Knows refusals and the state; nothing of plans.

use std::fmt;

use ap_files::desired::Give;
use ap_types::{AdapterMask, DomainMask, Matrix};

use crate::cost::{Rather, least_part};
use crate::reason::{Refusal, Unbindable, adapters, domains};
use crate::state::{Driver, State};
use crate::write::{Delta, Write};

impl Refusal {
    /// The smallest change that would make it possible.
    #[must_use]
    pub fn remedy(&self, state: &State) -> Remedy {
        let words = match self {
            Refusal::Reserved { queues, .. } => return Remedy::GiveUp(GiveUp::of(state, queues)),
            Refusal::Overridden(_) => return Remedy::Give(Give::Override, "clear all overrides"),
            Refusal::MasksInUse => return Remedy::Give(Give::Masks, "set both masks to all ones"),
            Refusal::InUse { queues, mdev, holder } => {
                let part = least_part(state, mdev, queues, Rather::Adapters);
                // Assigned it stays, whether its guest runs or not.
                let held = holder.as_ref().map_or_else(String::new, |h| format!(" (held by {h})"));
                format!("take {part} from mdev {mdev}{held}")
            }
            Refusal::Shared { queues, other, holder, .. } => {
                let part = least_part(state, other, queues, Rather::Adapters);
                let stop = holder.as_ref().map_or_else(String::new, |h| format!(" (held by {h})"));
                format!("take {part} from mdev {other}{stop}")
            }
            Refusal::TooHigh { what, highest, .. } => {
                format!("choose {} {what} up to {highest}", if *what == "adapter" { "an" } else { "a" })
            }
            Refusal::NoMdev(uuid) => format!("create mdev {uuid}"),
            Refusal::Exists(uuid) => format!("change mdev {uuid} instead of making it"),
            Refusal::NoInstances => "remove an mdev that is not used".to_owned(),
            Refusal::NoVfioAp => "modprobe vfio_ap".to_owned(),
            Refusal::Unprotected { queue, mdev, .. } => {
                format!(
                    "echo vfio_ap > /sys/bus/ap/devices/{queue}/driver_override, or take it from mdev {mdev}"
                )
            }
            Refusal::NoQueue(queue) => format!("leave queue {queue} out"),
            Refusal::Binding { queue, driver, how } => match how {
                Unbindable::Absent => format!("leave queue {queue} out"),
                Unbindable::NotBound => format!("leave it: queue {queue} is not bound to {}", driver.name()),
                Unbindable::Bound => match state.driver(*queue) {
                    Some(now) if now != *driver => format!("unbind queue {queue} from {} first", now.name()),
                    _ => format!("leave it: queue {queue} is bound to {} already", driver.name()),
                },
                Unbindable::NotTheirs => {
                    let text =
                        format!("let an override or the masks give queue {queue} to {}", driver.name());
                    match driver {
                        // The mask is the whole change: what it gives up is bound by itself.
                        Driver::Vfio => {
                            let store = GiveUp::of(state, &Matrix::of_queue(*queue)).write().store();
                            format!(
                                "{text}: echo {} > /sys/{}, and no bind is needed",
                                store.text, store.path
                            )
                        }
                        Driver::Host => text,
                    }
                }
            },
            Refusal::Held { mdev, holder } => format!("stop {holder}, or keep mdev {mdev}"),
        };
        Remedy::Words(words)
    }
}

/// The smallest change that would make a write possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The host gives up queues.
    GiveUp(GiveUp),
    /// Queues are given in this way from now on; or what stands against the other way goes, in words.
    Give(Give, &'static str),
    /// Something else, in words.
    Words(String),
}

/// For those who have a desired file: what to say in it.
impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remedy::GiveUp(give_up) => {
                let (mask, ids): (_, Vec<u8>) = match give_up.leave {
                    Leave::Apmask(adapters) => ("apmask", adapters.iter().map(u8::from).collect()),
                    Leave::Aqmask(domains) => ("aqmask", domains.iter().map(u8::from).collect()),
                };
                let terms: Vec<String> = ids.iter().map(|id| format!("-{id}")).collect();
                write!(f, "[host] {mask} = \"{}\"{}", terms.join(","), give_up.price())
            }
            Remedy::Give(give, or) => {
                let give = match give {
                    Give::Masks => "masks",
                    Give::Override => "override",
                };
                write!(f, "[host] give = \"{give}\", or {or}")
            }
            Remedy::Words(words) => f.write_str(words),
        }
    }
}

impl Remedy {
    /// For those who write to the tree: the write, where it is one.
    #[must_use]
    pub fn as_write(&self) -> String {
        match self {
            Remedy::GiveUp(give_up) => {
                let store = give_up.write().store();
                format!("echo {} > /sys/{}{}", store.text, store.path, give_up.price())
            }
            Remedy::Give(_, or) => (*or).to_owned(),
            Remedy::Words(words) => words.clone(),
        }
    }
}

/// Ids that leave one mask, so that the host gives up queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Adapters leave apmask.
    Apmask(AdapterMask),
    /// Domains leave aqmask.
    Aqmask(DomainMask),
}

/// A change of one mask by which the host gives up queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GiveUp {
    /// What leaves which mask.
    pub leave: Leave,
    /// How many queues the host loses by it.
    pub queues: usize,
    /// The adapters that it loses them of.
    of: AdapterMask,
}

impl GiveUp {
    /// The one that gives up these queues and takes the fewest others from the host.
    ///
    /// Queues are reserved as a product, so that all these adapters or all these domains have to go.
    #[must_use]
    pub fn of(state: &State, queues: &Matrix) -> GiveUp {
        let by_adapters = GiveUp::adapters(state, queues.adapters);
        let by_domains = GiveUp::domains(state, queues.domains);
        if by_adapters.queues <= by_domains.queues { by_adapters } else { by_domains }
    }

    /// Adapters leave apmask.
    #[must_use]
    pub fn adapters(state: &State, adapters: AdapterMask) -> GiveUp {
        let host = &state.queues.host;
        let queues = adapters.iter().map(|adapter| host.row(adapter).count()).sum();
        GiveUp { leave: Leave::Apmask(adapters), queues, of: adapters }
    }

    /// Domains leave aqmask.
    #[must_use]
    pub fn domains(state: &State, domains: DomainMask) -> GiveUp {
        let host = &state.queues.host;
        let mut of = AdapterMask::EMPTY;
        let columns = domains.iter().map(|domain| {
            let column = host.column(domain);
            of |= column;
            column.count()
        });
        let queues = columns.sum();
        GiveUp { leave: Leave::Aqmask(domains), queues, of }
    }

    /// What it costs the host, in parentheses; nothing, if it costs nothing.
    fn price(&self) -> String {
        if self.queues == 0 { String::new() } else { format!(" ({self})") }
    }

    /// The write that does it.
    #[must_use]
    pub fn write(&self) -> Write {
        match self.leave {
            Leave::Apmask(adapters) => Write::Apmask(Delta::between(adapters, AdapterMask::EMPTY)),
            Leave::Aqmask(domains) => Write::Aqmask(Delta::between(domains, DomainMask::EMPTY)),
        }
    }
}

impl fmt::Display for GiveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.queues, &self.leave) {
            (0, Leave::Apmask(ids)) => {
                write!(f, "take {} out of apmask, which costs the host no queue", adapters(ids))
            }
            (0, Leave::Aqmask(ids)) => {
                write!(f, "take {} out of aqmask, which costs the host no queue", domains(ids))
            }
            (1, _) => f.write_str("the host gives up 1 queue"),
            // A domain leaves with the queues of all adapters, which nobody has named.
            (queues, Leave::Aqmask(_)) => {
                write!(f, "the host gives up {queues} queues, of {}", adapters(&self.of))
            }
            (queues, Leave::Apmask(_)) => write!(f, "the host gives up {queues} queues"),
        }
    }
}
