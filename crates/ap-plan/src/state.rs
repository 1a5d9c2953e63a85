//! What a plan has to know of a host.

use std::collections::BTreeMap;
use std::fmt;

use ap_files::MachineFile;
use ap_files::desired::Give;
use ap_files::machine::QueueState;
use ap_task::Flag;
use ap_types::{AdapterId, AdapterMask, Apqn, DomainMask, Features, Matrix, Mode, QueueSet, Uuid};

/// A host as far as a plan has to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// What its kernel does differently from others.
    pub kernel: Kernel,
    /// Whether vfio_ap is loaded: without it there are no mediated devices.
    pub vfio_ap: bool,
    /// The highest ids that can be assigned.
    pub limits: Limits,
    /// The host configuration: what the machine gives this host.
    pub config: Matrix,
    /// The adapters.
    pub cards: BTreeMap<AdapterId, Card>,
    /// apmask and aqmask.
    pub masks: Masks,
    /// The queues, by who has them.
    pub queues: Bindings,
    /// The queues that have an override, by what it names.
    pub overrides: Overrides,
    /// A mask was written since the host came up, and they are not all ones: then no override can be written. Masks that
    /// the host came up with do not count. (Page 7, "Masks in use".)
    pub masks_in_use: bool,
    /// Queues that are deconfigured or checkstopped.
    pub off: QueueSet,
    /// Those of them that are checkstopped, and not deconfigured.
    pub checkstopped: QueueSet,
    /// Cards that are deconfigured or checkstopped.
    pub cards_off: AdapterMask,
    /// Those of them that are checkstopped, and not deconfigured.
    pub cards_checkstopped: AdapterMask,
    /// Cards that are switched off (`online` is 0), though they could be used.
    pub switched_off: AdapterMask,
    /// The mediated devices.
    pub mdevs: BTreeMap<Uuid, Mdev>,
}

/// What kernels do differently, as far as plans are concerned. (Page 7.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// A mask write asks about its added ids × *all* ids of the other mask.
    pub in_use_whole: bool,
    /// Queues have `driver_override`.
    pub driver_override: bool,
}

impl Kernel {
    /// What of a kernel's flags plans go by.
    #[must_use]
    pub fn of(kernel: ap_task::Kernel) -> Kernel {
        Kernel {
            in_use_whole: kernel.has(Flag::InUseWhole),
            driver_override: kernel.has(Flag::DriverOverride),
        }
    }
}

/// The highest ids that can be assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Of adapters.
    pub adapter: u8,
    /// Of domains, usage and control.
    pub domain: u8,
}

/// An adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Card {
    /// 14 is a CEX8.
    pub hwtype: u8,
    /// What it is for.
    pub mode: Mode,
}

/// apmask and aqmask: adapters × domains are reserved for the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Masks {
    /// apmask.
    pub adapters: AdapterMask,
    /// aqmask.
    pub domains: DomainMask,
}

/// Every queue device is in exactly one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bindings {
    /// Bound to the host's own drivers.
    pub host: QueueSet,
    /// Bound to vfio_ap.
    pub vfio: QueueSet,
    /// Bound to no driver.
    pub none: QueueSet,
}

/// A driver of queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Driver {
    /// The host's own.
    Host,
    /// vfio_ap.
    Vfio,
}

/// The queues that have an override. A queue is in at most one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// It names `vfio_ap`.
    pub vfio: QueueSet,
    /// It names the host's own driver.
    pub host: QueueSet,
    /// It names another driver, which there may be or not.
    pub other: QueueSet,
}

/// A mediated device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mdev {
    /// What is assigned to it.
    pub matrix: Matrix,
    /// What its guest gets, or would get: the shadow APCB.
    pub shadow: Matrix,
    /// Who has it open.
    pub holder: Option<Holder>,
}

/// Who has a mediated device open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The guest's name, if somebody tells it.
    pub guest: Option<String>,
    /// The process that has the group's file open, if there is one that we may see.
    pub process: Option<u32>,
}

/// Whose a queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// The host's own drivers'.
    Host,
    /// A mediated device's.
    Mdev(Uuid),
    /// Nobody's: vfio_ap has it, and it is not assigned.
    Free,
    /// Nobody's: no driver has it.
    Unbound,
}

impl Card {
    /// `CEX8C`, or the number of a type without name.
    #[must_use]
    pub fn type_name(&self) -> String {
        match (self.mode.letter(), self.hwtype) {
            (Some(letter), 10..=14) => format!("CEX{}{letter}", self.hwtype - 6),
            _ => format!("type {}", self.hwtype),
        }
    }
}

impl Driver {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Driver::Host => "cex4queue",
            Driver::Vfio => "vfio_ap",
        }
    }

    /// The driver of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Driver> {
        [Driver::Host, Driver::Vfio].into_iter().find(|driver| driver.name() == name)
    }
}

impl Overrides {
    /// Whether no queue has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.vfio.is_empty() && self.host.is_empty() && self.other.is_empty()
    }

    /// Whether a queue has one.
    #[must_use]
    pub fn has(&self, apqn: Apqn) -> bool {
        self.vfio.contains(apqn) || self.host.contains(apqn) || self.other.contains(apqn)
    }

    /// The driver that a queue's override names; `None`: it has none, or it names another one.
    #[must_use]
    pub fn of(&self, apqn: Apqn) -> Option<Driver> {
        match (self.vfio.contains(apqn), self.host.contains(apqn)) {
            (true, _) => Some(Driver::Vfio),
            (_, true) => Some(Driver::Host),
            _ => None,
        }
    }

    /// A queue has that one from now on, or none.
    pub fn set(&mut self, apqn: Apqn, driver: Option<Driver>) {
        for set in [&mut self.vfio, &mut self.host, &mut self.other] {
            set.remove(apqn);
        }
        match driver {
            Some(Driver::Vfio) => drop(self.vfio.insert(apqn)),
            Some(Driver::Host) => drop(self.host.insert(apqn)),
            None => {}
        }
    }
}

impl Masks {
    /// All ones: where every kernel starts.
    pub const ALL: Masks = Masks { adapters: AdapterMask::ALL, domains: DomainMask::ALL };

    /// Whether a queue is reserved for the host.
    #[must_use]
    pub fn reserve(&self, apqn: Apqn) -> bool {
        self.adapters.contains(apqn.adapter) && self.domains.contains(apqn.domain)
    }

    /// What of a matrix is reserved for the host.
    #[must_use]
    pub fn reserved_of(&self, matrix: &Matrix) -> Matrix {
        self.matrix().shared(matrix)
    }

    /// The reserved queues as a matrix.
    #[must_use]
    pub fn matrix(&self) -> Matrix {
        Matrix { adapters: self.adapters, domains: self.domains, control_domains: DomainMask::EMPTY }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.guest, self.process) {
            (Some(guest), Some(pid)) => write!(f, "guest {guest} (process {pid})"),
            (Some(guest), None) => write!(f, "guest {guest}"),
            (None, Some(pid)) => write!(f, "process {pid}"),
            (None, None) => f.write_str("a running guest"),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Host => f.write_str("host"),
            Owner::Mdev(uuid) => write!(f, "mdev {uuid}"),
            Owner::Free => f.write_str("free"),
            Owner::Unbound => f.write_str("no driver"),
        }
    }
}

impl State {
    /// The state in which a machine is right after it has booted.
    #[must_use]
    pub fn of(machine: &MachineFile) -> State {
        let adapters: AdapterMask = machine.adapters.iter().map(|adapter| adapter.id).collect();
        let masks = Masks { adapters: machine.apmask, domains: machine.aqmask };
        let mut all = QueueSet::from_product(&adapters, &machine.domains);
        let (mut off, mut checkstopped) = (QueueSet::new(), QueueSet::new());
        for queue in &machine.queues {
            match queue.state {
                QueueState::Absent => drop(all.remove(queue.apqn)),
                QueueState::Ok => {}
                QueueState::Checkstopped => {
                    off.insert(queue.apqn);
                    checkstopped.insert(queue.apqn);
                }
                _ => drop(off.insert(queue.apqn)),
            }
        }
        let apxa = machine.features.contains(Features::APXA);
        let limits = if apxa {
            Limits { adapter: machine.max_adapter, domain: machine.max_domain }
        } else {
            Limits { adapter: 63, domain: 15 }
        };
        let cards = machine.adapters.iter().map(|a| (a.id, Card { hwtype: a.hwtype, mode: a.mode }));
        let mut state = State {
            kernel: Kernel::of(machine.kernel.kernel),
            vfio_ap: true,
            limits,
            config: Matrix { adapters, domains: machine.domains, control_domains: machine.control_domains },
            cards: cards.collect(),
            masks,
            queues: Bindings { host: QueueSet::new(), vfio: all, none: QueueSet::new() },
            overrides: Overrides::default(),
            masks_in_use: false,
            off,
            checkstopped,
            cards_off: AdapterMask::EMPTY,
            cards_checkstopped: AdapterMask::EMPTY,
            switched_off: AdapterMask::EMPTY,
            mdevs: BTreeMap::new(),
        };
        state.revise();
        for mdev in &machine.mdevs {
            let matrix = mdev.matrix;
            let guest = machine.guests.iter().find(|guest| guest.mdev == mdev.uuid);
            let holder = guest.map(|guest| Holder { guest: Some(guest.name.clone()), process: None });
            state.mdevs.insert(mdev.uuid, Mdev { matrix, shadow: state.filtered(&matrix), holder });
        }
        state
    }

    /// Binds every queue to the driver that the masks name; one without driver that is not the host's stays so.
    /// (Page 2, "Revise the bindings".)
    pub(crate) fn revise(&mut self) {
        let Masks { adapters, domains } = self.masks;
        let Bindings { host, vfio, none } = &mut self.queues;
        for set in [&mut *vfio, &mut *none] {
            take_product(set, &adapters, &domains, host);
        }
        let leave: Vec<(AdapterId, DomainMask)> = host
            .adapters()
            .iter()
            .map(|adapter| {
                let row = host.row(adapter);
                (adapter, if adapters.contains(adapter) { row - domains } else { row })
            })
            .filter(|(_, row)| !row.is_empty())
            .collect();
        let to = if self.vfio_ap { vfio } else { none };
        for (adapter, row) in leave {
            let adapter = AdapterMask::single(adapter);
            host.remove_product(&adapter, &row);
            to.insert_product(&adapter, &row);
        }
    }

    /// Whether the machine tells the host configuration (QCI). One that does may have given the host no adapters; then
    /// it still has domains.
    #[must_use]
    pub fn config_told(&self) -> bool {
        !self.config.adapters.is_empty() || !self.config.domains.is_empty()
    }

    /// Of a product the part that is there, and the ids that are not: adapters without a card, and domains that the machine
    /// does not give the host, if it tells.
    #[must_use]
    pub fn split(&self, matrix: &Matrix) -> (Matrix, Matrix) {
        let cards: AdapterMask = self.cards.keys().copied().collect();
        let domains = if self.config_told() { self.config.domains } else { DomainMask::ALL };
        let part = |adapters, domains| Matrix { adapters, domains, ..Matrix::default() };
        (
            part(matrix.adapters & cards, matrix.domains & domains),
            part(matrix.adapters - cards, matrix.domains - domains),
        )
    }

    /// What a guest would get of a matrix now. (Page 3, "Filtering".)
    #[must_use]
    pub fn filtered(&self, matrix: &Matrix) -> Matrix {
        let mut shadow = matrix.shared(&self.config);
        shadow.adapters -= self.queues.vfio.adapters_missing_any(&shadow.adapters, &shadow.domains);
        shadow
    }

    /// Running guests that have less than they would get of their matrix now, with what they lack. The driver keeps an
    /// adapter out if the last reset of one of its queues failed, which nothing of the host says; it comes back when it is
    /// unassigned and assigned again.
    pub fn lacking(&self) -> impl Iterator<Item = (Uuid, &Holder, AdapterMask)> {
        self.mdevs.iter().filter_map(|(uuid, mdev)| {
            let holder = mdev.holder.as_ref()?;
            let full = self.filtered(&mdev.matrix);
            let lacks = full.adapters - mdev.shadow.adapters;
            (full.has_queues() && !lacks.is_empty()).then_some((*uuid, holder, lacks))
        })
    }

    /// How the host gives queues to vfio_ap now; `None`: it gives none.
    #[must_use]
    pub fn way(&self) -> Option<Give> {
        match (self.overrides.is_empty(), self.masks == Masks::ALL) {
            (false, _) => Some(Give::Override),
            (true, false) => Some(Give::Masks),
            // Bound to vfio_ap against the masks: an override was there, and was cleared.
            (true, true) if !self.queues.vfio.is_empty() && self.kernel.driver_override => {
                Some(Give::Override)
            }
            (true, true) => None,
        }
    }

    /// The driver that has a queue.
    #[must_use]
    pub fn driver(&self, apqn: Apqn) -> Option<Driver> {
        match (self.queues.host.contains(apqn), self.queues.vfio.contains(apqn)) {
            (true, _) => Some(Driver::Host),
            (_, true) => Some(Driver::Vfio),
            _ => None,
        }
    }

    /// Queues of mdevs whose override was taken from them: a mask write would give them to the host, also from under a
    /// running guest. (Page 7, N26.)
    #[must_use]
    pub fn unprotected(&self) -> QueueSet {
        self.unprotected_by(&self.masks)
    }

    /// The same, if these were the masks.
    pub(crate) fn unprotected_by(&self, masks: &Masks) -> QueueSet {
        let mut found = QueueSet::new();
        if !self.kernel.driver_override {
            return found;
        }
        for mdev in self.mdevs.values() {
            let reserved = masks.reserved_of(&mdev.matrix);
            for apqn in self.queues.vfio.intersection_product(&reserved.adapters, &reserved.domains) {
                if !self.overrides.has(apqn) {
                    found.insert(apqn);
                }
            }
        }
        found
    }

    /// Whether there is a device of that queue.
    #[must_use]
    pub fn exists(&self, apqn: Apqn) -> bool {
        let Bindings { host, vfio, none } = &self.queues;
        host.contains(apqn) || vfio.contains(apqn) || none.contains(apqn)
    }

    /// Whose a queue is; `None` if there is none.
    #[must_use]
    pub fn owner(&self, apqn: Apqn) -> Option<Owner> {
        if self.queues.host.contains(apqn) {
            return Some(Owner::Host);
        }
        if !self.exists(apqn) {
            return None;
        }
        let mdev = self.mdevs.iter().find(|(_, mdev)| mdev.matrix.contains(apqn));
        Some(match mdev {
            Some((uuid, _)) => Owner::Mdev(*uuid),
            None if self.queues.vfio.contains(apqn) => Owner::Free,
            None => Owner::Unbound,
        })
    }

    /// Everything that two hosts must agree in to be the same to a plan, a line each: what, and how it is.
    #[must_use]
    pub fn facts(&self) -> BTreeMap<String, String> {
        // Whether the masks were written is seen in nothing but the answer to an override, and cards that are off in
        // nothing but the answer to `online`.
        let State { kernel, vfio_ap, limits, config, cards, masks, queues, overrides, off, mdevs, .. } = self;
        let mut facts = BTreeMap::new();
        let mut say = |what: &str, how: String| facts.insert(what.to_owned(), how);
        if *kernel != Kernel::default() {
            let Kernel { in_use_whole, driver_override } = kernel;
            say("kernel", format!("in_use_whole={in_use_whole} driver_override={driver_override}"));
        }
        say("vfio_ap", if *vfio_ap { "loaded" } else { "not loaded" }.to_owned());
        say("highest ids", format!("{}, {}", limits.adapter, limits.domain));
        say("apmask", masks.adapters.to_string());
        say("aqmask", masks.domains.to_string());
        say("configuration", triple(config));
        for (adapter, card) in cards {
            let mut text = card.type_name();
            let sets = [
                ("host", &queues.host),
                ("vfio_ap", &queues.vfio),
                ("none", &queues.none),
                ("off", off),
                ("override=vfio_ap", &overrides.vfio),
                ("override=cex4queue", &overrides.host),
                ("override=other", &overrides.other),
            ];
            for (name, set) in sets {
                let row = set.row(*adapter);
                if !row.is_empty() {
                    text += &format!(" {name}={row}");
                }
            }
            say(&format!("adapter {adapter}"), text);
        }
        for (uuid, mdev) in mdevs {
            let held = mdev.holder.as_ref().map_or_else(String::new, |holder| format!(", held by {holder}"));
            let guest = if mdev.shadow == self.filtered(&mdev.matrix) {
                String::new()
            } else {
                format!(", guest {}", triple(&mdev.shadow))
            };
            say(&format!("mdev {uuid}"), format!("{}{guest}{held}", triple(&mdev.matrix)));
        }
        facts
    }
}

/// A matrix as `ap_config` shows it.
#[must_use]
pub fn triple(matrix: &Matrix) -> String {
    format!("{},{},{}", matrix.adapters, matrix.domains, matrix.control_domains)
}

/// Moves the queues of a product from one set to another.
pub(crate) fn take_product(
    from: &mut QueueSet,
    adapters: &AdapterMask,
    domains: &DomainMask,
    to: &mut QueueSet,
) {
    for adapter in from.adapters_having_any(adapters, domains) {
        let row = from.row(adapter) & *domains;
        to.insert_product(&AdapterMask::single(adapter), &row);
    }
    from.remove_product(adapters, domains);
}
