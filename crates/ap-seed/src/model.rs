//! The state that all actors share, under the locks that protect it.

use std::collections::BTreeSet;
use std::fmt;

use ap_task::order::{Device, Devices, DriverData, Guests, Kvm, Mdevs, Perms, Scan, Vcpu};
use ap_types::{AdapterId, AdapterMask, Apqn, DomainId, DomainMask, Matrix};
use locks::{Mutex, enter};

/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refused {
    /// `EBUSY`
    Busy,
    /// `EADDRNOTAVAIL`: the host's drivers own a queue.
    AddrNotAvail,
    /// `EADDRINUSE`: another mdev has a queue.
    AddrInUse,
    /// `EINVAL`: a queue has an override. (Linux 6.19 and later.)
    Invalid,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Busy => "EBUSY",
            Refused::AddrNotAvail => "EADDRNOTAVAIL",
            Refused::AddrInUse => "EADDRINUSE",
            Refused::Invalid => "EINVAL",
        })
    }
}

/// What drives a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Driver {
    /// The queue device does not exist any more.
    Gone,
    /// Nothing: it is unbound.
    #[default]
    None,
    /// A driver of the host (cex4queue).
    Default,
    /// vfio_ap.
    VfioAp,
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Driver::Gone => "gone",
            Driver::None => "unbound",
            Driver::Default => "cex4queue",
            Driver::VfioAp => "vfio_ap",
        })
    }
}

/// apmask and aqmask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Masks {
    /// apmask: the host's adapters.
    pub adapters: AdapterMask,
    /// aqmask: the host's domains.
    pub domains: DomainMask,
}

impl Masks {
    /// What the host has: all queues whose adapter and domain are both its own.
    #[must_use]
    pub fn reserved(&self) -> Matrix {
        Matrix { adapters: self.adapters, domains: self.domains, ..Matrix::default() }
    }

    /// The driver that a queue should have.
    #[must_use]
    pub fn owner(&self, queue: Apqn) -> Driver {
        if self.reserved().contains(queue) { Driver::Default } else { Driver::VfioAp }
    }
}

/// A matrix mdev, as far as vfio_ap's lock M protects it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mdev {
    /// What is assigned to it.
    pub matrix: Matrix,
    /// What of it a guest gets, or would get.
    pub shadow: Matrix,
    /// The queues that are linked to it: assigned, and bound to vfio_ap.
    pub linked: BTreeSet<Apqn>,
    /// A guest has it.
    pub guest: bool,
}

impl Mdev {
    /// The adapters of the matrix, each with all of its queues bound; a single queue can't be left out.
    #[must_use]
    pub fn filtered(&self, bound: &BTreeSet<Apqn>) -> Matrix {
        let whole = |adapter: &AdapterId| {
            self.matrix.domains.iter().all(|domain| bound.contains(&Apqn::new(*adapter, domain)))
        };
        let adapters = self.matrix.adapters.iter().filter(whole).collect();
        Matrix { adapters, domains: self.matrix.domains, ..Matrix::default() }
    }
}

/// What vfio_ap's lock M protects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct VfioAp {
    /// The mdevs.
    pub mdevs: Vec<Mdev>,
    /// The queues that have a record: those bound to vfio_ap. (The series looks at the driver core's list instead.)
    pub queues: BTreeSet<Apqn>,
}

/// A guest, as far as its lock K protects it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Guest {
    /// What the guest can use.
    pub apcb: Matrix,
    /// It is a protected guest.
    pub protected: bool,
}

/// What there is at the beginning.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The adapters of the machine.
    pub adapters: Vec<AdapterId>,
    /// Its domains.
    pub domains: Vec<DomainId>,
    /// apmask and aqmask.
    pub masks: Masks,
    /// The mdevs' matrices.
    pub mdevs: Vec<Matrix>,
    /// Queues that vfio_ap has by an override, whatever the masks say.
    pub overrides: BTreeSet<Apqn>,
    /// Whether the first mdev has a guest that runs.
    pub runs: bool,
}

impl Setup {
    /// Adapter 05 and domain 0004, an mdev with the domain; apmask leaves the adapters to vfio_ap.
    #[must_use]
    pub fn of_adapters(adapters: &[u8]) -> Setup {
        let domains = DomainMask::single(DomainId(4));
        Setup {
            adapters: adapters.iter().copied().map(AdapterId).collect(),
            domains: vec![DomainId(4)],
            masks: Masks { adapters: AdapterMask::EMPTY, domains: DomainMask::ALL },
            mdevs: vec![Matrix { domains, ..Matrix::default() }],
            overrides: BTreeSet::new(),
            runs: false,
        }
    }

    /// The queues of the machine.
    pub fn queues(&self) -> impl Iterator<Item = Apqn> {
        self.adapters
            .iter()
            .flat_map(|&adapter| self.domains.iter().map(move |&domain| Apqn::new(adapter, domain)))
    }
}

/// Everything that the actors share.
pub struct Model {
    /// **S**: one scan at a time.
    pub scan: Mutex<Scan, ()>,
    /// **D**: each queue's binding.
    pub devices: Vec<Mutex<Device, Driver>>,
    /// **P**, in the mail `ap_perms_mutex`: apmask and aqmask.
    pub perms: Mutex<Perms, Masks>,
    /// The queues with an override for vfio_ap. Under P in Linux 7.1, too; a leaf of its own here. (Not in the series.)
    pub overrides: Mutex<DriverData, BTreeSet<Apqn>>,
    /// **G**: keeps the choice of a guest stable. (Not in the series.)
    pub guests: Mutex<Guests, ()>,
    /// **K**, in the mail `kvm->lock`: each guest's APCB. Guest *n* is that of mdev *n*.
    pub kvms: Vec<Mutex<Kvm, Guest>>,
    /// **V**: the CPU of guest 0.
    pub vcpu: Mutex<Vcpu, ()>,
    /// **M**, in the mail `matrix_dev->lock`: the mdevs.
    pub vfio_ap: Mutex<Mdevs, VfioAp>,
    /// The driver core's list of the queues that are bound to vfio_ap, as `driver_for_each_device` walks it.
    pub bound: Mutex<Devices, BTreeSet<Apqn>>,
    /// The queues, in the order of `devices`.
    pub queues: Vec<Apqn>,
}

impl Model {
    /// The model at the beginning: every queue is bound as the masks say.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        let queues: Vec<Apqn> = setup.queues().collect();
        let driver = |queue: &Apqn| match setup.overrides.contains(queue) {
            true => Driver::VfioAp,
            false => setup.masks.owner(*queue),
        };
        let bound: BTreeSet<Apqn> =
            queues.iter().copied().filter(|queue| driver(queue) == Driver::VfioAp).collect();
        let mdev = |matrix: &Matrix| {
            let mut mdev = Mdev { matrix: *matrix, ..Mdev::default() };
            mdev.linked = bound.iter().copied().filter(|queue| matrix.contains(*queue)).collect();
            mdev.shadow = mdev.filtered(&bound);
            mdev
        };
        let mut mdevs: Vec<Mdev> = setup.mdevs.iter().map(mdev).collect();
        if let Some(first) = mdevs.first_mut() {
            first.guest = setup.runs;
        }
        let guest = |mdev: &Mdev| match mdev.guest {
            true => Guest { apcb: mdev.shadow, ..Guest::default() },
            false => Guest::default(),
        };
        Model {
            scan: Mutex::new(0, ()),
            devices: queues
                .iter()
                .map(|queue| Mutex::new(u32::from(queue.to_u16()), driver(queue)))
                .collect(),
            perms: Mutex::new(0, setup.masks),
            overrides: Mutex::new(0, setup.overrides.clone()),
            guests: Mutex::new(0, ()),
            kvms: (0..).zip(&mdevs).map(|(number, mdev)| Mutex::new(number, guest(mdev))).collect(),
            vcpu: Mutex::new(0, ()),
            vfio_ap: Mutex::new(0, VfioAp { mdevs, queues: bound.clone() }),
            bound: Mutex::new(0, bound),
            queues,
        }
    }

    /// The state while nobody holds anything: for oracles, at the end of an execution.
    #[must_use]
    pub fn look(&self) -> State {
        State {
            masks: enter(|held| *self.perms.lock(held).0),
            drivers: self.devices.iter().map(|device| enter(|held| *device.lock(held).0)).collect(),
            guests: self.kvms.iter().map(|kvm| enter(|held| *kvm.lock(held).0)).collect(),
            mdevs: enter(|held| self.vfio_ap.lock(held).0.mdevs.clone()),
            queues: self.queues.clone(),
        }
    }
}

/// A copy of everything that oracles look at.
#[derive(Clone, Debug)]
pub struct State {
    /// apmask and aqmask.
    pub masks: Masks,
    /// The queues.
    pub queues: Vec<Apqn>,
    /// What drives each.
    pub drivers: Vec<Driver>,
    /// The mdevs.
    pub mdevs: Vec<Mdev>,
    /// Their guests.
    pub guests: Vec<Guest>,
}

impl State {
    /// All of it in words.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words = vec![self.promised()];
        for (queue, driver) in self.queues.iter().zip(&self.drivers) {
            words.push(match driver {
                Driver::Gone | Driver::None => format!("{queue} {driver}"),
                _ => format!("{queue} bound to {driver}"),
            });
        }
        for (number, guest) in self.guests.iter().enumerate() {
            let of = if self.guests.len() == 1 { String::new() } else { format!(" {}", number + 1) };
            if guest.apcb.has_queues() {
                words.push(format!("guest{of} has {}", listed(guest.apcb)));
            }
            if guest.protected {
                words.push(format!("guest{of} is protected"));
            }
        }
        words.join("; ")
    }

    /// What calls promise: the masks and the matrices.
    #[must_use]
    pub fn promised(&self) -> String {
        let host = self.queues.iter().copied().filter(|queue| self.masks.owner(*queue) == Driver::Default);
        let host: Vec<String> = host.map(|queue| queue.to_string()).collect();
        let mut words = vec![if host.is_empty() {
            "the masks give the host nothing".to_owned()
        } else {
            format!("the masks give the host {}", host.join(" "))
        }];
        for (number, mdev) in self.mdevs.iter().enumerate() {
            let of = if self.mdevs.len() == 1 { String::new() } else { format!(" {}", number + 1) };
            words.push(format!("mdev{of} has {}", listed(mdev.matrix)));
        }
        words.join("; ")
    }
}

/// The queues of a matrix; its adapters and domains if it has no queue.
fn listed(matrix: Matrix) -> String {
    let words: Vec<String> = if matrix.has_queues() {
        matrix.queues().map(|queue| queue.to_string()).collect()
    } else {
        let adapters = matrix.adapters.iter().map(|adapter| format!("{adapter}."));
        adapters.chain(matrix.domains.iter().map(|domain| format!(".{domain}"))).collect()
    };
    if words.is_empty() { "nothing".to_owned() } else { words.join(" ") }
}
