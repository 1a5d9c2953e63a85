//! The machine `tiny` with a host on it, two guests and the names of two mdevs.

use std::sync::Arc;

use ap_host::{Host, Module};
use ap_machine::{AdapterChange, Change, FacilityChange, Ids, Machine};
use ap_task::{Kernel, Sink, Task};
use ap_types::{AdapterId, AdapterMask, Apqn, DomainId, Features, Mode};
use ap_vfio::{Guest, QueueStatus};

use crate::sequences::operation::GuestNumber;

/// What operations are done to.
pub(super) struct Tiny {
    /// The machine.
    pub machine: Arc<Machine>,
    /// The host.
    pub host: Arc<Host>,
    /// The guests, by number.
    pub guests: [Arc<Guest>; 2],
    /// The machine's queues.
    pub queues: [Apqn; 4],
}

impl Tiny {
    /// The machine with that kernel and all modules loaded, and two guests that have not started. What is to be done in the
    /// background is left to be done.
    ///
    /// # Panics
    /// If a module does not load.
    pub(super) fn boot(kernel: Kernel, out: &dyn Sink) -> Tiny {
        let machine = Arc::new(Machine::new());
        let host = Arc::new(Host::with_kernel(machine.clone(), kernel));
        let guests = locks::enter(|held| {
            for change in tiny() {
                machine.change(&change, &mut held.at());
            }
            let mut task = Task::new(held, out);
            for module in Module::ALL {
                host.load_module(module, "", &mut task).expect("the module loads");
                if module == Module::Ap {
                    host.bus.periodic_scan(&mut task);
                }
            }
            GuestNumber::ALL.map(|guest| host.vfio.make_guest(guest.name(), true, &mut task))
        });
        let queues = [(4, 6), (4, 71), (10, 6), (10, 71)].map(|(a, d)| Apqn::new(AdapterId(a), DomainId(d)));
        Tiny { machine, host, guests, queues }
    }

    /// What the `status` attribute of each queue says.
    pub(super) fn statuses(&self) -> [(Apqn, Option<QueueStatus>); 4] {
        locks::enter(|held| self.queues.map(|apqn| (apqn, self.host.vfio.queue_status(apqn, held))))
    }
}

/// What makes an empty machine the machine `tiny`.
fn tiny() -> Vec<Change> {
    let adapter = |id: u8, hwtype, mode, ml, serial: &str| {
        let change = AdapterChange {
            ml: Some(ml),
            qd: Some(7),
            serial: Some(serial.to_owned()),
            ..AdapterChange::of_type(hwtype, mode)
        };
        Change::Adapter(AdapterMask::single(AdapterId(id)), change)
    };
    let domains = || [6, 71].into_iter().map(DomainId).collect();
    let facilities = [FacilityChange::Qci, FacilityChange::Apft, FacilityChange::Interrupts];
    let mut changes = vec![
        Change::HighestAdapter(63),
        Change::HighestDomain(84),
        Change::Features(Features::APSC | Features::APXA | Features::QACT | Features::RC8A),
        adapter(4, 14, Mode::Ep11, 14, "93AADX04"),
        adapter(10, 13, Mode::Cca, 3, "93AADX0A"),
        Change::Adapters(Ids::Set([4, 10].into_iter().map(AdapterId).collect())),
        Change::Domains(Ids::Set(domains())),
        Change::ControlDomains(Ids::Set(domains())),
    ];
    changes.extend(facilities.map(|facility| Change::Facility(facility(true))));
    changes
}
