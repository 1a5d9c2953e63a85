//! Why a write is refused: who holds what. What would make it possible is `remedy`'s to say.

use std::fmt;

use ap_sysfs::ids::listed;
use ap_types::{AdapterId, AdapterMask, Apqn, DomainId, DomainMask, Matrix, Uuid};

use crate::state::{Driver, Holder};

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
    /// An mdev would have queues that are the host's (`EADDRNOTAVAIL`).
    #[error("{} the host's, {}", Are(queues), by.text(queues.queue_count() == 1))]
    Reserved {
        /// The mdev.
        mdev: Uuid,
        /// The queues.
        queues: Box<Matrix>,
        /// By what they are.
        by: By,
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

/// By what queues are the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By the masks.
    Masks,
    /// By their drivers, as they have overrides.
    Drivers,
    /// Some by the masks, some by their drivers.
    Both,
}

impl By {
    /// What is said of one queue, or of several.
    fn text(self, one: bool) -> &'static str {
        match (self, one) {
            (By::Masks, _) => "by apmask and aqmask",
            (By::Drivers, true) => "by its driver, which decides as it has an override",
            (By::Drivers, false) => "by their driver, which decides as they have overrides",
            (By::Both, _) => "by apmask and aqmask, or with an override by its driver",
        }
    }
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
}

/// Who holds it, after what it is.
fn held(holder: &Option<Holder>) -> String {
    holder.as_ref().map_or_else(String::new, |holder| format!(", which {holder} holds"))
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
    format!("adapter{plural} {}", listed(mask.iter().map(|AdapterId(id)| id)))
}

/// `domain 6`, `domains 6, 22-23`.
#[must_use]
pub fn domains(mask: &DomainMask) -> String {
    let plural = if mask.count() == 1 { "" } else { "s" };
    format!("domain{plural} {}", listed(mask.iter().map(|DomainId(id)| id)))
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
