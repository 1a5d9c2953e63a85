//! Why a write is refused: who holds what, and the smallest change that would make it possible.

use std::fmt;

use ap_files::desired::Give;
use ap_types::{AdapterId, AdapterMask, Apqn, DomainId, DomainMask, Matrix, Uuid};

use crate::ids::ids;
use crate::state::{Driver, Holder, State};
use crate::write::{Delta, Write};

/// Why a write is refused; then nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A mask write would give the host queues that an mdev has (`EBUSY`).
    #[error("{} assigned to mdev {mdev}{}", Are(queues), held(holder))]
    InUse {
        /// The queues.
        queues: Box<Matrix>,
        /// Who has them.
        mdev: Uuid,
        /// Who has that open.
        holder: Option<Holder>,
    },
    /// An mdev would have queues that the masks reserve for the host (`EADDRNOTAVAIL`).
    #[error("{} the host's, by apmask and aqmask", Are(queues))]
    Reserved {
        /// The mdev.
        mdev: Uuid,
        /// The queues.
        queues: Box<Matrix>,
    },
    /// An mdev would have queues of another one (`EADDRINUSE`).
    #[error("{} assigned to mdev {other}{}", Are(queues), held(holder))]
    Shared {
        /// The mdev.
        mdev: Uuid,
        /// The queues.
        queues: Box<Matrix>,
        /// Who has them.
        other: Uuid,
        /// Who has that open.
        holder: Option<Holder>,
    },
    /// An id above the highest of the host (`ENODEV`).
    #[error("{what} {id} is above the highest that this host can assign, {highest}")]
    TooHigh {
        /// The mdev.
        mdev: Uuid,
        /// Adapter, domain, control domain.
        what: &'static str,
        /// Which.
        id: u8,
        /// The highest.
        highest: u8,
    },
    /// There is no such mdev (`ENOENT`).
    #[error("there is no mdev {0}")]
    NoMdev(Uuid),
    /// There is one of that name (`EEXIST`).
    #[error("there is an mdev {0} already")]
    Exists(Uuid),
    /// There are as many as there can be (`EUSERS`).
    #[error("there are 65536 mdevs already, and no more can be made")]
    NoInstances,
    /// vfio_ap is not loaded (`ENOENT`).
    #[error("the driver vfio_ap is not loaded")]
    NoVfioAp,
    /// A mask write while a queue has an override (`EINVAL`).
    #[error("queue {0} has an override, and masks and overrides exclude each other")]
    Overridden(Apqn),
    /// A mask write that would take a queue from an mdev: its override was cleared while it was assigned. The kernel
    /// would not refuse; we do. (Page 7, N26.)
    #[error(
        "queue {queue} of mdev {mdev} has lost its override, and a mask write would take it away{}",
        held(holder)
    )]
    Unprotected {
        /// The queue.
        queue: Apqn,
        /// Whose it is.
        mdev: Uuid,
        /// Who has that open.
        holder: Option<Holder>,
    },
    /// An override is written while masks are used (`EINVAL`).
    #[error("apmask or aqmask is not all ones, and masks and overrides exclude each other")]
    MasksInUse,
    /// There is no such queue, or no such file of it (`ENOENT`).
    #[error("there is no queue {0}")]
    NoQueue(Apqn),
    /// A queue is not bound as the write wants it (`ENODEV`, `EBUSY`).
    #[error("queue {queue} {}", how.text(*driver))]
    Binding {
        /// The queue.
        queue: Apqn,
        /// The driver that is to get it, or to lose it.
        driver: Driver,
        /// What is in the way.
        how: Unbindable,
    },
    /// The write would wait until the guest lets go.
    #[error("mdev {mdev} is held by {holder}")]
    Held {
        /// The mdev.
        mdev: Uuid,
        /// Who has it open.
        holder: Holder,
    },
}

/// Why a queue cannot be bound, or unbound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unbindable {
    /// There is no such queue.
    Absent,
    /// That driver does not have it.
    NotBound,
    /// A driver has it already.
    Bound,
    /// Override and masks give it to the other driver.
    NotTheirs,
}

impl Unbindable {
    /// What is said of the queue.
    fn text(self, driver: Driver) -> String {
        match self {
            Unbindable::Absent => "does not exist".to_owned(),
            Unbindable::NotBound => format!("is not bound to {}", driver.name()),
            Unbindable::Bound => "has a driver already".to_owned(),
            Unbindable::NotTheirs => {
                format!("is not one of {}, by its override or the masks", driver.name())
            }
        }
    }
}

impl Refusal {
    /// What write(2) answers; `None` if it waits.
    #[must_use]
    pub fn errno(&self) -> Option<&'static str> {
        Some(match self {
            Refusal::InUse { .. } => "EBUSY",
            Refusal::Reserved { .. } => "EADDRNOTAVAIL",
            Refusal::Shared { .. } => "EADDRINUSE",
            Refusal::TooHigh { .. } => "ENODEV",
            Refusal::NoMdev(_) | Refusal::NoVfioAp => "ENOENT",
            Refusal::Exists(_) => "EEXIST",
            Refusal::NoInstances => "EUSERS",
            Refusal::Overridden(_) | Refusal::MasksInUse => "EINVAL",
            Refusal::NoQueue(_) => "ENOENT",
            Refusal::Binding { how: Unbindable::Bound, .. } => "EBUSY",
            Refusal::Binding { .. } => "ENODEV",
            // The kernel says yes to this one.
            Refusal::Unprotected { .. } => return None,
            Refusal::Held { .. } => return None,
        })
    }

    /// The smallest change that would make it possible.
    #[must_use]
    pub fn remedy(&self, state: &State) -> Remedy {
        let words = match self {
            Refusal::Reserved { queues, .. } => return Remedy::GiveUp(GiveUp::of(state, queues)),
            Refusal::Overridden(_) => return Remedy::Give(Give::Override, "clear all overrides"),
            Refusal::MasksInUse => return Remedy::Give(Give::Masks, "set both masks to all ones"),
            Refusal::InUse { queues, mdev, holder } => {
                let part = smaller_part(queues);
                let stop = holder.as_ref().map_or_else(String::new, |h| format!(", or stop {h} first"));
                format!("take {part} from mdev {mdev}{stop}")
            }
            Refusal::Shared { queues, other, holder, .. } => {
                let part = smaller_part(queues);
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
                    format!("let an override or the masks give queue {queue} to {}", driver.name())
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
                write!(f, "[host] {mask} = \"{}\" ({give_up})", terms.join(","))
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
                format!("echo {} > /sys/{} ({give_up})", store.text, store.path)
            }
            Remedy::Give(_, or) => (*or).to_owned(),
            Remedy::Words(words) => words.clone(),
        }
    }
}

/// Who holds it, after what it is.
fn held(holder: &Option<Holder>) -> String {
    holder.as_ref().map_or_else(String::new, |holder| format!(", which {holder} holds"))
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
}

impl GiveUp {
    /// The one that gives up these queues and takes the fewest others from the host.
    ///
    /// Queues are reserved as a product, so that all these adapters or all these domains have to go.
    #[must_use]
    pub fn of(state: &State, queues: &Matrix) -> GiveUp {
        let host = &state.queues.host;
        let by_adapter: usize = queues.adapters.iter().map(|adapter| host.row(adapter).count()).sum();
        let by_domain: usize = queues.domains.iter().map(|domain| host.column(domain).count()).sum();
        if by_adapter <= by_domain {
            GiveUp { leave: Leave::Apmask(queues.adapters), queues: by_adapter }
        } else {
            GiveUp { leave: Leave::Aqmask(queues.domains), queues: by_domain }
        }
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
        let count = if self.queues == 1 { "1 queue".to_owned() } else { format!("{} queues", self.queues) };
        write!(f, "the host gives up {count}")
    }
}

/// `adapter 4` or `domains 6, 71`: the dimension in which fewer ids have to go.
#[must_use]
pub fn smaller_part(queues: &Matrix) -> String {
    if queues.adapters.count() <= queues.domains.count() {
        adapters(&queues.adapters)
    } else {
        domains(&queues.domains)
    }
}

/// `adapter 4`, `adapters 4, 6-8`.
#[must_use]
pub fn adapters(mask: &AdapterMask) -> String {
    let plural = if mask.count() == 1 { "" } else { "s" };
    format!("adapter{plural} {}", ids(mask.iter().map(|AdapterId(id)| id)))
}

/// `domain 6`, `domains 6, 22-23`.
#[must_use]
pub fn domains(mask: &DomainMask) -> String {
    let plural = if mask.count() == 1 { "" } else { "s" };
    format!("domain{plural} {}", ids(mask.iter().map(|DomainId(id)| id)))
}

/// The queues of a product as the subject of a sentence.
struct Are<'a>(&'a Matrix);

impl fmt::Display for Are<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.0.queue_count() == 1 { "is" } else { "are" };
        write!(f, "{} {verb}", Queues(self.0))
    }
}

/// The queues of a product for people: up to three by name.
pub struct Queues<'a>(
    /// The product.
    pub &'a Matrix,
);

impl fmt::Display for Queues<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.queue_count();
        let names: Vec<String> = self.0.queues().take(3).map(|apqn| apqn.to_string()).collect();
        let what = if count == 1 { "queue" } else { "queues" };
        write!(f, "{what} {}", names.join(", "))?;
        if count > 3 { write!(f, " and {} more", count - 3) } else { Ok(()) }
    }
}
