//! Operations, and what a shell would be told to carry them out.

use std::fmt;

use ap_task::DriverName;
use ap_types::{AdapterId, Apqn, DomainId, Matrix, Uuid};

/// The two mdevs.
pub(super) const MDEVS: [Uuid; 2] = [mdev(1), mdev(2)];

const fn mdev(last: u8) -> Uuid {
    Uuid([0xa0, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, last])
}

/// A guest, by its place among the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct GuestNumber(pub u8);

impl GuestNumber {
    /// Both.
    pub(super) const ALL: [GuestNumber; 2] = [GuestNumber(0), GuestNumber(1)];

    /// The name by which the host knows it.
    pub(super) fn name(self) -> &'static str {
        ["g1", "g2"][usize::from(self.0)]
    }

    /// The guest of that name.
    pub(super) fn named(name: &str) -> Option<GuestNumber> {
        GuestNumber::ALL.into_iter().find(|guest| guest.name() == name)
    }
}

impl fmt::Display for GuestNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a machine's operator plugs and unplugs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plugged {
    /// An adapter.
    Adapter(u8),
    /// A usage domain.
    Domain(u8),
    /// A control domain.
    Control(u8),
}

/// What is wrong with the resets of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetFault {
    /// The next reset fails.
    Fails,
    /// Resets last for that many looks.
    Lasts(u8),
}

/// One operation. Mdevs and guests are numbers: 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are: on or off, which id, which mdev, which guest")]
pub enum Operation {
    /// A bit of apmask.
    Apmask { on: bool, id: u8 },
    /// A bit of aqmask.
    Aqmask { on: bool, id: u8 },
    /// `assign_adapter`, `unassign_adapter`.
    Adapter { mdev: u8, on: bool, id: u8 },
    /// `assign_domain`, `unassign_domain`.
    Domain { mdev: u8, on: bool, id: u8 },
    /// `assign_control_domain`, `unassign_control_domain`.
    Control { mdev: u8, on: bool, id: u8 },
    /// `ap_config`.
    Config { mdev: u8, adapters: &'static [u8], domains: &'static [u8], control: &'static [u8] },
    /// `create`.
    Create { mdev: u8 },
    /// `remove`; of an mdev that a guest holds: the first half, the second comes when the guest lets go.
    Remove { mdev: u8 },
    /// A guest starts.
    Start { guest: u8, mdev: u8 },
    /// A guest stops.
    Stop { guest: u8 },
    /// A guest resets its device.
    Reset { guest: u8 },
    /// A guest's hypervisor registers the request interrupt.
    Request { guest: u8 },
    /// A guest asks for interrupts.
    Interrupts { guest: u8, on: bool, apqn: Apqn },
    /// Into or out of the host configuration, and a scan.
    Plug { on: bool, what: Plugged },
    /// An adapter is configured or deconfigured, and a scan.
    Configure { on: bool, adapter: u8 },
    /// An adapter checkstops or is repaired, and a scan.
    Checkstop { on: bool, adapter: u8 },
    /// A queue gets a fault.
    Fault { apqn: Apqn, fault: ResetFault },
    /// `driver_override`; `None`: cleared.
    Override { apqn: Apqn, to: Option<DriverName> },
    /// `bind`, `unbind`.
    Bind { driver: DriverName, on: bool, apqn: Apqn },
    /// `scans`.
    Scan,
}

impl Operation {
    /// Whether it may leave work to the bus, for which machine time must pass.
    #[must_use]
    pub fn leaves_work(&self) -> bool {
        matches!(
            self,
            Operation::Apmask { .. }
                | Operation::Aqmask { .. }
                | Operation::Bind { .. }
                | Operation::Plug { .. }
                | Operation::Configure { .. }
                | Operation::Checkstop { .. }
                | Operation::Scan
        )
    }

    /// The guest that asks for it itself.
    pub(super) fn asked_by(&self) -> Option<GuestNumber> {
        match self {
            Operation::Interrupts { guest, .. } | Operation::Reset { guest } => Some(GuestNumber(*guest)),
            Operation::Apmask { .. }
            | Operation::Aqmask { .. }
            | Operation::Adapter { .. }
            | Operation::Domain { .. }
            | Operation::Control { .. }
            | Operation::Config { .. }
            | Operation::Create { .. }
            | Operation::Remove { .. }
            | Operation::Start { .. }
            | Operation::Stop { .. }
            | Operation::Request { .. }
            | Operation::Plug { .. }
            | Operation::Configure { .. }
            | Operation::Checkstop { .. }
            | Operation::Fault { .. }
            | Operation::Override { .. }
            | Operation::Bind { .. }
            | Operation::Scan => None,
        }
    }

    /// The new matrix of an `ap_config`.
    pub(super) fn matrix(adapters: &[u8], domains: &[u8], control: &[u8]) -> Matrix {
        Matrix {
            adapters: adapters.iter().map(|id| AdapterId(*id)).collect(),
            domains: domains.iter().map(|id| DomainId(*id)).collect(),
            control_domains: control.iter().map(|id| DomainId(*id)).collect(),
        }
    }
}

fn sign(on: bool) -> char {
    if on { '+' } else { '-' }
}

fn un(on: bool) -> &'static str {
    if on { "" } else { "un" }
}

/// A line for `apmatrix shell`.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MATRIX: &str = "/sys/devices/vfio_ap/matrix";
        let uuid = |mdev: &u8| MDEVS[usize::from(*mdev)];
        let name = |guest: &u8| GuestNumber(*guest).name();
        match self {
            Operation::Apmask { on, id } => write!(f, "echo {}{id} > /sys/bus/ap/apmask", sign(*on)),
            Operation::Aqmask { on, id } => write!(f, "echo {}{id} > /sys/bus/ap/aqmask", sign(*on)),
            Operation::Adapter { mdev, on, id } => {
                write!(f, "echo {id} > {MATRIX}/{}/{}assign_adapter", uuid(mdev), un(*on))
            }
            Operation::Domain { mdev, on, id } => {
                write!(f, "echo {id} > {MATRIX}/{}/{}assign_domain", uuid(mdev), un(*on))
            }
            Operation::Control { mdev, on, id } => {
                write!(f, "echo {id} > {MATRIX}/{}/{}assign_control_domain", uuid(mdev), un(*on))
            }
            Operation::Config { mdev, adapters, domains, control } => {
                let m = Operation::matrix(adapters, domains, control);
                let (a, d, c) = (m.adapters, m.domains, m.control_domains);
                write!(f, "echo {a},{d},{c} > {MATRIX}/{}/ap_config", uuid(mdev))
            }
            Operation::Create { mdev } => {
                write!(f, "echo {} > {MATRIX}/mdev_supported_types/vfio_ap-passthrough/create", uuid(mdev))
            }
            Operation::Remove { mdev } => write!(f, "echo 1 > {MATRIX}/{}/remove &", uuid(mdev)),
            Operation::Start { guest, mdev } => write!(f, "guest start {} {}", name(guest), uuid(mdev)),
            Operation::Stop { guest } => write!(f, "guest stop {}", name(guest)),
            Operation::Reset { guest } => write!(f, "guest reset {}", name(guest)),
            Operation::Request { guest } => write!(f, "guest request {}", name(guest)),
            Operation::Interrupts { guest, on, apqn } => {
                write!(f, "guest aqic {} {apqn} {}", name(guest), if *on { "on" } else { "off" })
            }
            Operation::Plug { on, what } => {
                let verb = if *on { "plug" } else { "unplug" };
                match what {
                    Plugged::Adapter(id) => write!(f, "hw {verb} {id}"),
                    Plugged::Domain(id) => write!(f, "hw {verb} .{id}"),
                    Plugged::Control(id) => write!(f, "hw control {verb} {id}"),
                }
            }
            Operation::Configure { on: true, adapter } => write!(f, "hw configure {adapter}"),
            Operation::Configure { on: false, adapter } => write!(f, "hw deconfigure {adapter}"),
            Operation::Checkstop { on: true, adapter } => write!(f, "hw checkstop {adapter}"),
            Operation::Checkstop { on: false, adapter } => write!(f, "hw repair {adapter}"),
            Operation::Fault { apqn, fault: ResetFault::Fails } => write!(f, "hw fault {apqn} zrc=7:1"),
            Operation::Fault { apqn, fault: ResetFault::Lasts(looks) } => {
                write!(f, "hw fault {apqn} resetlat={looks}")
            }
            Operation::Override { apqn, to } => {
                let name = to.map_or("", |driver| driver.0);
                write!(f, "echo '{name}' > /sys/bus/ap/devices/{apqn}/driver_override")
            }
            Operation::Bind { driver, on, apqn } => {
                write!(f, "echo {apqn} > /sys/bus/ap/drivers/{}/{}bind", driver, un(*on))
            }
            Operation::Scan => f.write_str("echo 1 > /sys/bus/ap/scans"),
        }
    }
}
