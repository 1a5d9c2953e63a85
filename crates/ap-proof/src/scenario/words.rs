//! A final state as far as user space and guests can tell it from others, and in words. (Specification, page 4, I8.)

use std::fmt;

use ap_host::{Module, Snapshot};
use ap_task::DriverName;
use ap_types::{AdapterId, AdapterMask, Apqn, DomainMask, Matrix, ResponseCode, Uuid};
use ap_vfio::{GuestSnapshot, Life, Mdev};

/// A final state. Its text has a line for each thing that there is.
///
/// Left out is what page 4 lets differ: how often things happened, what a queue's state machine went through on its
/// way, whether a queue that is not the host's was switched on before.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FinalState {
    promised: Promised,
    settings: Settings,
    cards: Vec<CardEnd>,
    queues: Vec<QueueEnd>,
    mdevs: Vec<MdevEnd>,
    guests: Vec<GuestEnd>,
}

/// What page 4 (I8) demands of operations that meet: masks and matrices; no bindings, nor what follows from them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Promised {
    not_loaded: Vec<Module>,
    apmask: AdapterMask,
    aqmask: DomainMask,
    mdevs: Vec<(Uuid, Phase, Matrix)>,
}

/// What the bus's attributes set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Settings {
    config_time: u32,
    default_domain: Option<u8>,
    poll_timeout: u64,
    poll_thread: bool,
    autoprobe: bool,
}

/// What the machine says of a device, and whether its driver may use it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Flags {
    deconfigured: bool,
    checkstopped: bool,
    /// Switched off, as far as that means something.
    offline: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct CardEnd {
    id: AdapterId,
    driver: Option<DriverName>,
    flags: Flags,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct QueueEnd {
    apqn: Apqn,
    driver: Option<DriverName>,
    flags: Flags,
    record: Option<RecordEnd>,
}

/// A queue's record at vfio_ap.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct RecordEnd {
    mdev: Option<Uuid>,
    /// The answer of its last reset if that matters: whether a queue was reset or deconfigured when its reset was asked
    /// for makes no difference to any filtering.
    last_reset: Option<ResponseCode>,
    /// Guest, interruption subclass, address.
    interrupts: Option<(String, u8, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Phase {
    Live,
    Removing,
    Unbound,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct MdevEnd {
    uuid: Uuid,
    phase: Phase,
    matrix: Matrix,
    shadow: Matrix,
    adding: Matrix,
    holder: Option<String>,
    groups: [u32; 3],
}

/// A guest that has something: one that has nothing is as one that was never made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct GuestEnd {
    name: String,
    apcb: Matrix,
    protected: bool,
    hook: Option<Uuid>,
    pinned: Vec<(u64, u32)>,
}

impl FinalState {
    /// What a state is, as far as it counts.
    #[must_use]
    pub fn of(state: &Snapshot) -> FinalState {
        let mdevs: Vec<MdevEnd> = state.vfio.mdevs.list.values().map(MdevEnd::of).collect();
        let promised = Promised {
            not_loaded: Module::ALL.into_iter().filter(|module| !state.core.loaded.has(*module)).collect(),
            apmask: state.bus.ownership.adapters,
            aqmask: state.bus.ownership.domains,
            mdevs: mdevs.iter().map(|mdev| (mdev.uuid, mdev.phase, mdev.matrix)).collect(),
        };
        let registry = &state.bus.registry;
        let mut guests: Vec<GuestEnd> =
            state.vfio.guests.iter().filter_map(|guest| GuestEnd::of(state, guest)).collect();
        guests.sort();
        FinalState {
            promised,
            settings: Settings {
                config_time: registry.config_time,
                default_domain: registry.default_domain,
                poll_timeout: registry.poll_timeout,
                poll_thread: registry.poll_thread,
                autoprobe: registry.autoprobe,
            },
            cards: cards(state),
            queues: queues(state),
            mdevs,
            guests,
        }
    }

    /// The masks and matrices.
    pub(super) fn promised(&self) -> &Promised {
        &self.promised
    }

    /// What is left when a scan, which goes from device to device, may have found some queues as they were before and
    /// some as they were after. Cards are compared in full.
    pub(super) fn without_flags(&self) -> FinalState {
        let mut state = self.clone();
        state.queues.iter_mut().for_each(|queue| queue.flags = Flags::default());
        state
    }
}

fn cards(state: &Snapshot) -> Vec<CardEnd> {
    let cards = state.bus.registry.cards.keys().zip(&state.bus.cards);
    cards
        .map(|(id, at)| CardEnd {
            id: *id,
            driver: at.driver(),
            flags: Flags {
                deconfigured: !at.config,
                checkstopped: at.chkstop,
                offline: !at.online && at.binding.is_some(),
            },
        })
        .collect()
}

fn queues(state: &Snapshot) -> Vec<QueueEnd> {
    let queues = state.bus.registry.queues.keys().zip(&state.bus.queues);
    queues
        .map(|(apqn, at)| QueueEnd {
            apqn: *apqn,
            driver: at.driver(),
            flags: Flags {
                deconfigured: !at.config,
                checkstopped: at.chkstop,
                offline: !at.online && at.is_hosts(),
            },
            record: record(state, *apqn),
        })
        .collect()
}

fn record(state: &Snapshot, apqn: Apqn) -> Option<RecordEnd> {
    let mdevs = &state.vfio.mdevs;
    let record = mdevs.queues.get(&apqn)?;
    let passes = [ResponseCode::NORMAL, ResponseCode::DECONFIGURED, ResponseCode::CHECKSTOPPED];
    let linked = mdevs.linked_mdev(apqn).and_then(|id| mdevs.list.get(&id));
    Some(RecordEnd {
        mdev: linked.map(|mdev| mdev.uuid),
        last_reset: Some(record.last_reset).filter(|code| !passes.contains(code)),
        interrupts: record.irq.as_ref().map(|irq| (irq.guest.clone(), irq.isc, irq.address)),
    })
}

impl MdevEnd {
    fn of(mdev: &Mdev) -> MdevEnd {
        MdevEnd {
            uuid: mdev.uuid,
            phase: match mdev.life {
                Life::Live(_) => Phase::Live,
                Life::Removing(..) => Phase::Removing,
                Life::Unbound => Phase::Unbound,
            },
            matrix: mdev.matrix,
            shadow: mdev.shadow,
            adding: mdev.adding,
            holder: mdev.opening().map(|opening| opening.by.name.clone()),
            groups: [mdev.groups.iommu_group, mdev.groups.vfio_group, mdev.groups.vfio_device],
        }
    }
}

impl GuestEnd {
    fn of(state: &Snapshot, guest: &GuestSnapshot) -> Option<GuestEnd> {
        let idle = guest.hook.is_none()
            && !guest.kvm.protected
            && guest.kvm.apcb == Matrix::default()
            && guest.memory.pinned.is_empty();
        let hook = guest.hook.and_then(|id| state.vfio.mdevs.list.get(&id));
        (!idle).then(|| GuestEnd {
            name: guest.guest.name.clone(),
            apcb: guest.kvm.apcb,
            protected: guest.kvm.protected,
            hook: hook.map(|mdev| mdev.uuid),
            pinned: guest.memory.pinned.iter().map(|(address, count)| (*address, *count)).collect(),
        })
    }
}

impl fmt::Display for FinalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Promised { not_loaded, apmask, aqmask, mdevs: _ } = &self.promised;
        if !not_loaded.is_empty() {
            let names: Vec<&str> = not_loaded.iter().map(|module| module.name()).collect();
            writeln!(f, "not loaded: {}", names.join(" "))?;
        }
        writeln!(f, "apmask {}", short(&apmask.to_string()))?;
        writeln!(f, "aqmask {}", short(&aqmask.to_string()))?;
        writeln!(f, "{}", self.settings)?;
        self.cards.iter().try_for_each(|card| writeln!(f, "{card}"))?;
        self.queues.iter().try_for_each(|queue| writeln!(f, "{queue}"))?;
        self.mdevs.iter().try_for_each(|mdev| writeln!(f, "{mdev}"))?;
        self.guests.iter().try_for_each(|guest| writeln!(f, "{guest}"))
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bus config_time {}", self.config_time)?;
        if let Some(domain) = self.default_domain {
            write!(f, " ap_domain {domain}")?;
        }
        write!(f, " poll_timeout {}", self.poll_timeout)?;
        flag(f, self.poll_thread, "poll_thread")?;
        flag(f, !self.autoprobe, "no autoprobe")
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        flag(f, self.deconfigured, "deconfigured")?;
        flag(f, self.checkstopped, "checkstopped")?;
        flag(f, self.offline, "offline")
    }
}

impl fmt::Display for CardEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "card{} {}{}", self.id, name(self.driver), self.flags)
    }
}

impl fmt::Display for QueueEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.apqn, name(self.driver), self.flags)?;
        let Some(record) = &self.record else { return Ok(()) };
        if let Some(mdev) = &record.mdev {
            write!(f, " linked to {mdev}")?;
        }
        if let Some(code) = record.last_reset {
            write!(f, " last reset {code}")?;
        }
        match &record.interrupts {
            Some((guest, isc, address)) => write!(f, " interrupts {guest} isc {isc} at {address:x}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for MdevEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase {
            Phase::Live => "",
            Phase::Removing => " being removed",
            Phase::Unbound => " without driver",
        };
        write!(f, "mdev {}{phase} matrix {}", self.uuid, listed(&self.matrix))?;
        write!(f, " guest_matrix {}", listed(&self.shadow))?;
        if self.adding != Matrix::default() {
            write!(f, " adding {}", listed(&self.adding))?;
        }
        if let Some(holder) = &self.holder {
            write!(f, " held by {holder}")?;
        }
        let [iommu_group, vfio_group, vfio_device] = self.groups;
        write!(f, " groups {iommu_group} {vfio_group} {vfio_device}")
    }
}

impl fmt::Display for GuestEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "guest {} {}", self.name, listed(&self.apcb))?;
        flag(f, self.protected, "protected")?;
        if let Some(mdev) = &self.hook {
            write!(f, " of {mdev}")?;
        }
        self.pinned.iter().try_for_each(|(address, count)| write!(f, " pinned {address:x}x{count}"))
    }
}

fn name(driver: Option<DriverName>) -> &'static str {
    driver.map_or("-", |driver| driver.0)
}

fn flag(f: &mut fmt::Formatter<'_>, on: bool, word: &str) -> fmt::Result {
    if on { write!(f, " {word}") } else { Ok(()) }
}

/// A mask without the zeros at its end.
fn short(mask: &str) -> String {
    let trimmed = mask.trim_end_matches('0');
    if trimmed == "0x" { "0x0".to_owned() } else { trimmed.to_owned() }
}

/// The queues of a matrix, or the ids that make none, and its control domains.
fn listed(matrix: &Matrix) -> String {
    let mut parts: Vec<String> = if matrix.has_queues() {
        matrix.queues().map(|apqn| apqn.to_string()).collect()
    } else {
        let adapters = matrix.adapters.iter().map(|id| format!("{id}."));
        adapters.chain(matrix.domains.iter().map(|id| format!(".{id}"))).collect()
    };
    if !matrix.control_domains.is_empty() {
        let ids: Vec<String> = matrix.control_domains.iter().map(|id| id.to_string()).collect();
        parts.push(format!("control {}", ids.join(",")));
    }
    if parts.is_empty() { "none".to_owned() } else { parts.join(",") }
}
