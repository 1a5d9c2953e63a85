//! Operations, and what a shell would be told to carry them out.

use std::fmt;

use ap_host::driver::DriverId;
use ap_types::{AdapterId, Apqn, DomainId, Matrix};

/// The names of the two mdevs.
pub(super) const UUIDS: [&str; 2] =
    ["a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000002"];
/// The names of the two guests.
pub(super) const GUESTS: [&str; 2] = ["g1", "g2"];

/// What a machine's operator plugs and unplugs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An adapter.
    Adapter(u8),
    /// A usage domain.
    Domain(u8),
    /// A control domain.
    Control(u8),
}

/// A fault of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
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
    Plug { on: bool, place: Place },
    /// An adapter is configured or deconfigured, and a scan.
    Configure { on: bool, adapter: u8 },
    /// An adapter checkstops or is repaired, and a scan.
    Checkstop { on: bool, adapter: u8 },
    /// A queue gets a fault.
    Fault { apqn: Apqn, fault: Fault },
    /// `bind`, `unbind`.
    Bind { driver: DriverId, on: bool, apqn: Apqn },
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
        let uuid = |mdev: &u8| UUIDS[usize::from(*mdev)];
        let name = |guest: &u8| GUESTS[usize::from(*guest)];
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
            Operation::Plug { on, place } => {
                let verb = if *on { "plug" } else { "unplug" };
                match place {
                    Place::Adapter(id) => write!(f, "hw {verb} {id}"),
                    Place::Domain(id) => write!(f, "hw {verb} .{id}"),
                    Place::Control(id) => write!(f, "hw control {verb} {id}"),
                }
            }
            Operation::Configure { on: true, adapter } => write!(f, "hw configure {adapter}"),
            Operation::Configure { on: false, adapter } => write!(f, "hw deconfigure {adapter}"),
            Operation::Checkstop { on: true, adapter } => write!(f, "hw checkstop {adapter}"),
            Operation::Checkstop { on: false, adapter } => write!(f, "hw repair {adapter}"),
            Operation::Fault { apqn, fault: Fault::Fails } => write!(f, "hw fault {apqn} zrc=7:1"),
            Operation::Fault { apqn, fault: Fault::Lasts(looks) } => {
                write!(f, "hw fault {apqn} resetlat={looks}")
            }
            Operation::Bind { driver, on, apqn } => {
                write!(f, "echo {apqn} > /sys/bus/ap/drivers/{}/{}bind", driver.name(), un(*on))
            }
            Operation::Scan => f.write_str("echo 1 > /sys/bus/ap/scans"),
        }
    }
}
