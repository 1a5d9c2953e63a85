//! What can be wrong, as values: each with the law that it breaks and the verdict that this is.

use std::fmt;

use ap_host::invariants::{self, Invariant};
use ap_sysfs::Errno;
use ap_task::DriverName;
use ap_types::{Apqn, ResponseCode, Uuid};
use ap_vfio::QueueStatus;

use crate::oracle::hand::{Reset, Touch, User, Wrong};
use crate::oracle::verdict::Verdict;

/// What something that is wrong breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Law {
    /// An invariant of page 4.
    Invariant(Invariant),
    /// A rule of page 2.
    Page2,
    /// A rule of page 3.
    Page3,
    /// That an operation returns; the verdict says what it does instead.
    Returns(Verdict),
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Law::Invariant(invariant) => invariant.fmt(f),
            Law::Page2 => f.write_str("page 2"),
            Law::Page3 => f.write_str("page 3"),
            Law::Returns(verdict) => verdict.fmt(f),
        }
    }
}

/// Something that does not hold, and how. Its text names what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Broken {
    /// An invariant over a state.
    #[error(transparent)]
    State(#[from] invariants::Broken),
    /// I5: a queue changed hands unclean.
    #[error(transparent)]
    HandOver(#[from] HandOver),
    /// I5: a queue left a running guest, and nothing was done about its data.
    #[error("queue {queue} left guest {guest} and was not reset")]
    LeftUnreset {
        /// The queue.
        queue: Apqn,
        /// Whose it was.
        guest: String,
    },
    /// I2: somebody else issued an instruction to a queue that a running guest has.
    #[error("{touch} by the host on queue {queue} of running guest {guest}")]
    Disturbed {
        /// Which instruction.
        touch: Touch,
        /// To which queue.
        queue: Apqn,
        /// Whose it is.
        guest: String,
    },
    /// I2: an operation took a queue of an mdev's matrix from vfio_ap and gave it to the host's driver. (Page 7: what
    /// holds where overrides are, and nobody can say from a state alone.)
    #[error("queue {0} of an mdev was taken from vfio_ap and given to the host's driver")]
    TakenFromMdev(Apqn),
    /// I8: an operation took a queue from its driver, and gave it back: it decided by masks that were others by then,
    /// and disturbed whoever used it for nothing.
    #[error("queue {0} was taken from its driver and given back to it by one operation")]
    GivenBack(Apqn),
    /// I8 or I9: the answer is not the one that masks and matrices ask for.
    #[error("the answer is {} and should be {should}", answer(*.is))]
    Answer {
        /// The answer.
        is: Result<(), Errno>,
        /// The right one.
        should: Expected,
    },
    /// I8.
    #[error("an operation that failed changed something")]
    FailedAndChanged,
    /// I8.
    #[error("an operation that asked for what is there already changed something")]
    NothingToDoAndChanged,
    /// I8: when a mask write returns, bindings agree with the masks.
    #[error("after a mask write queue {queue} has {}", driver.map_or("no driver", |driver| driver.0))]
    BoundAgainstMasks {
        /// The queue.
        queue: Apqn,
        /// Who has it.
        driver: Option<DriverName>,
    },
    /// I8: an outcome that no order of one operation after the other has.
    #[error(transparent)]
    NoOrder(#[from] NoOrder),
    /// I9: a task is refused, which it is in no order of one operation after the other.
    #[error("{task} answers {}, which it does in no one-after-the-other order", refusal.name())]
    RefusedInNoOrder {
        /// The task's name.
        task: String,
        /// What it is refused with.
        refusal: Errno,
    },
    /// I11: interrupts of a guest that has the queue no longer.
    #[error("queue {queue} still holds interrupts of guest {guest}")]
    InterruptsKept {
        /// The queue.
        queue: Apqn,
        /// The guest.
        guest: String,
    },
    /// I11: a request interrupt that its guest registered is signalled when that guest has ended.
    #[error("the removal of mdev {0} signals the request interrupt of nobody")]
    RequestOfNobody(Uuid),
    /// I4: right after a filtering the shadow APCB is not what the filter makes of the matrix.
    #[error("the shadow APCB of {0} is not what filtering makes of its matrix")]
    NotFiltered(Uuid),
    /// A rule of page 2.
    #[error(transparent)]
    Bus(#[from] BusRule),
    /// A rule of page 3.
    #[error(transparent)]
    Vfio(#[from] VfioRule),
    /// An operation did not return.
    #[error(transparent)]
    NotReturned(#[from] NotReturned),
}

/// A queue that changed hands unclean.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HandOver {
    /// The queue.
    pub queue: Apqn,
    /// Whose data is in it.
    pub from: User<String>,
    /// To whom it came.
    pub to: User<String>,
    /// What was done about the data.
    pub reset: Reset,
    /// The bus did that when it took the queue from its driver; it neither waits nor looks at the answer.
    pub by_bus: bool,
}

impl std::error::Error for HandOver {}

impl fmt::Display for HandOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HandOver { queue, from, to, reset, by_bus } = self;
        let reset = match reset {
            Reset::None => "no reset",
            Reset::Refused { .. } => "its reset failed",
            Reset::Runs => "its reset has not ended",
        };
        let whose = if *by_bus { ", which the bus issued" } else { "" };
        write!(f, "queue {queue} went from {from} to {to}: {reset}{whose}")
    }
}

/// The answer that an operation should give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expected {
    /// This one.
    Exactly(Result<(), Errno>),
    /// Success, or `EIO`: whether a reset ends well is the machine's affair.
    OkOrEio,
}

impl Expected {
    /// Whether an answer is one that is expected.
    #[must_use]
    pub fn allows(self, is: Result<(), Errno>) -> bool {
        match self {
            Expected::Exactly(should) => is == should,
            Expected::OkOrEio => [Ok(()), Err(Errno::EIO)].contains(&is),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Exactly(should) => f.write_str(answer(*should)),
            Expected::OkOrEio => f.write_str("ok or EIO"),
        }
    }
}

fn answer(result: Result<(), Errno>) -> &'static str {
    result.map_or_else(Errno::name, |()| "ok")
}

/// An outcome of tasks that ran at the same time, which no order of one after the other has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NoOrder {
    /// The tasks' names and results.
    pub results: Vec<(String, &'static str)>,
    /// If orders give these results: the lines in which the final state differs from the nearest of theirs.
    pub difference: Option<Difference>,
}

/// The lines in which two final states differ.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Difference {
    /// Lines of the one that was found.
    pub found: Vec<String>,
    /// Lines of the one that was expected.
    pub expected: Vec<String>,
}

impl Difference {
    /// Compares two final states in words.
    #[must_use]
    pub fn between(found: &str, expected: &str) -> Difference {
        let only = |one: &str, other: &str| {
            let lines = one.lines().filter(|line| !other.lines().any(|known| known == *line));
            lines.map(str::to_owned).collect()
        };
        Difference { found: only(found, expected), expected: only(expected, found) }
    }
}

impl std::error::Error for NoOrder {}

impl fmt::Display for NoOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NoOrder { results, difference } = self;
        let results: Vec<String> = results.iter().map(|(task, result)| format!("{task}={result}")).collect();
        write!(f, "{}: ", results.join(" "))?;
        let listed = |lines: &[String]| -> String {
            lines.iter().map(|line| format!("`{line}`")).collect::<Vec<_>>().join(", ")
        };
        match difference {
            None => f.write_str("no one-after-the-other order gives these results"),
            Some(Difference { found, expected }) => {
                write!(f, "they give another final state: {} instead of {}", listed(found), listed(expected))
            }
        }
    }
}

/// A rule of page 2 that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BusRule {
    /// After a scan there is a device for every queue that the machine has, and no other.
    #[error("after a scan the devices are not the machine's queues")]
    Devices,
    /// A probe asks for a new announcement.
    #[error("a device was bound, and bindings count as announced")]
    StillAnnounced,
    /// That all bindings are complete is announced once, by the scan that finds it.
    #[error("bindings complete: announced {times} times, due {due}")]
    Announced {
        /// How often it was.
        times: u32,
        /// How often it should have been.
        due: u32,
    },
    /// A queue that the host's driver is ready to use has its interrupts on.
    #[error("the host waits for interrupts of {0}, which are off")]
    InterruptsOff(Apqn),
}

/// A rule of page 3 that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum VfioRule {
    /// Which last resets let a queue pass the filter.
    #[error("queue {queue}: its last reset answered {last_reset}, and it passes wrongly")]
    Passes {
        /// The queue.
        queue: Apqn,
        /// The answer of its last reset.
        last_reset: ResponseCode,
    },
    /// What `status` says.
    #[error("the status of {queue} is {is:?} and should be {should:?}")]
    Status {
        /// The queue.
        queue: Apqn,
        /// What it says.
        is: Option<QueueStatus>,
        /// What it should say.
        should: Option<QueueStatus>,
    },
    /// A queue that is out of the configuration gets the bus's ZAPQ and no other.
    #[error("queue {0} left the configuration and was reset twice")]
    ResetTwice(Apqn),
    /// A guest is given masks only if they differ from what it has.
    #[error("guest {0} was given the masks that it had")]
    SameMasks(String),
    /// A removal signals the request interrupt of the guest that has the mdev, if there is one.
    #[error("the removal of mdev {0} does not signal the request interrupt of its guest")]
    NotRelayed(Uuid),
    /// A RESET issues all its resets, and then waits for all.
    #[error("resets were waited for one by one")]
    OneByOne,
}

/// An operation that ran alone, and did not return.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotReturned {
    /// It waits for a lock or a condition, and nobody is there who could end that.
    #[error("it waits for ever for {0}")]
    Waits(String),
    /// It returned with a lock, for which the next one waits.
    #[error("it keeps lock {0}, for which the next one waits for ever")]
    Keeps(&'static str),
    /// It waits for a reset, and goes on and on.
    #[error("it never stops waiting for a reset")]
    NeverStops,
    /// It panicked.
    #[error("{0}")]
    Panicked(String),
}

impl NotReturned {
    /// What that is.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            NotReturned::Waits(_) | NotReturned::Keeps(_) => Verdict::Deadlock,
            NotReturned::NeverStops => Verdict::Livelock,
            NotReturned::Panicked(_) => Verdict::Panic,
        }
    }
}

impl Broken {
    /// What is wrong with a queue, named.
    pub fn of_queue<G: fmt::Display>(queue: Apqn, wrong: Wrong<G>) -> Broken {
        match wrong {
            Wrong::Unclean { from, to, reset, by_bus } => {
                let name = |guest: G| guest.to_string();
                HandOver { queue, from: from.map(name), to: to.map(name), reset, by_bus }.into()
            }
            Wrong::Disturbed(touch, guest) => Broken::Disturbed { touch, queue, guest: guest.to_string() },
        }
    }

    /// What it breaks.
    #[must_use]
    pub fn law(&self) -> Law {
        let invariant = match self {
            Broken::State(broken) => broken.invariant(),
            Broken::HandOver(_) | Broken::LeftUnreset { .. } => Invariant::I5,
            Broken::Disturbed { .. } | Broken::TakenFromMdev(_) => Invariant::I2,
            Broken::Answer { is: Err(Errno::EBUSY | Errno::EAGAIN), .. }
            | Broken::RefusedInNoOrder { .. } => Invariant::I9,
            Broken::Answer { .. }
            | Broken::GivenBack(_)
            | Broken::FailedAndChanged
            | Broken::NothingToDoAndChanged
            | Broken::BoundAgainstMasks { .. }
            | Broken::NoOrder(_) => Invariant::I8,
            Broken::InterruptsKept { .. } | Broken::RequestOfNobody(_) => Invariant::I11,
            Broken::NotFiltered(_) => Invariant::I4,
            Broken::Bus(_) => return Law::Page2,
            Broken::Vfio(_) => return Law::Page3,
            Broken::NotReturned(how) => return Law::Returns(how.verdict()),
        };
        Law::Invariant(invariant)
    }

    /// The verdict that it is; `None` if only a rule of page 2 or 3 is broken, for which there is none.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        Some(match self.law() {
            Law::Page2 | Law::Page3 => return None,
            Law::Returns(verdict) => verdict,
            Law::Invariant(invariant) => match invariant {
                Invariant::I1 => Verdict::Shared,
                Invariant::I2 => Verdict::Stolen,
                Invariant::I3 | Invariant::I4 | Invariant::I6 | Invariant::I7 => Verdict::Unfiltered,
                Invariant::I5 => Verdict::Unreset,
                Invariant::I8 => Verdict::NotLinearizable,
                Invariant::I9 => Verdict::SpuriousBusy,
                Invariant::I10 => Verdict::Race,
                Invariant::I11 => Verdict::Leak,
            },
        })
    }

    /// The verdict's word; `rule` where there is no verdict.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.verdict().map_or("rule", Verdict::word)
    }
}
