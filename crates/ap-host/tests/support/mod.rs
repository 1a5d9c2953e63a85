//! Small booted hosts for tests.

#![allow(dead_code, reason = "each test uses its part of it")]

use std::sync::Arc;

use ap_host::{Host, Module};
use ap_machine::{AdapterChange, Change, Ids, Machine};
use ap_task::{Ignore, Kernel, Sink, Task};
use ap_types::{AdapterId, AdapterMask, Apqn, DomainId, DomainMask, Mode};
use locks::{Nothing, enter};

/// A host and its machine.
pub struct Rig {
    /// The host.
    pub host: Host,
    /// Its machine.
    pub machine: Arc<Machine>,
}

/// A queue by numbers.
pub fn apqn(adapter: u8, domain: u8) -> Apqn {
    Apqn::new(AdapterId(adapter), DomainId(domain))
}

impl Rig {
    /// A machine with adapters 4 (EP11) and 10 (CCA), domains 6 and 71, with nothing loaded.
    pub fn bare() -> Rig {
        Rig::of(Kernel::default())
    }

    /// The same with another kernel.
    pub fn of(kernel: Kernel) -> Rig {
        let machine = Arc::new(Machine::new());
        let host = Host::with_kernel(machine.clone(), kernel);
        let adapters: AdapterMask = [AdapterId(4), AdapterId(10)].into_iter().collect();
        let domains: DomainMask = [DomainId(6), DomainId(71)].into_iter().collect();
        let serial = |id: u8| Some(format!("93AADX{id:02X}"));
        let ep11 = AdapterChange { serial: serial(4), ..AdapterChange::of_type(14, Mode::Ep11) };
        let cca = AdapterChange { serial: serial(10), ..AdapterChange::of_type(13, Mode::Cca) };
        enter(|held| {
            for change in [
                Change::Adapter(AdapterMask::single(AdapterId(4)), ep11),
                Change::Adapter(AdapterMask::single(AdapterId(10)), cca),
                Change::Adapters(Ids::Set(adapters)),
                Change::Domains(Ids::Set(domains)),
                Change::ControlDomains(Ids::Set(domains)),
            ] {
                machine.change(&change, &mut held.at());
            }
        });
        Rig { host, machine }
    }

    /// The same with the bus scanned and the host's drivers loaded; the masks as given (`0x0` …).
    pub fn with_masks(apmask: &str, aqmask: &str) -> Rig {
        Rig::bare().boot(apmask, aqmask)
    }

    /// The bus is scanned and the host's drivers are loaded.
    pub fn boot(self, apmask: &str, aqmask: &str) -> Rig {
        let rig = self;
        rig.does(|host, task| {
            let parameters = format!("apmask={apmask} aqmask={aqmask}");
            host.load_module(Module::Ap, &parameters, task).expect("ap loads");
            host.bus.periodic_scan(task);
            host.load_module(Module::Zcrypt, "", task).expect("zcrypt loads");
            host.load_module(Module::ZcryptCex4, "", task).expect("zcrypt_cex4 loads");
            host.load_module(Module::Mdev, "", task).expect("mdev loads");
        });
        rig
    }

    /// Does something as a task that reports to nobody.
    pub fn does<R>(&self, act: impl FnOnce(&Host, &mut Task<'_, Nothing>) -> R) -> R {
        self.reports(&Ignore, act)
    }

    /// Does something as a task that reports to `out`.
    pub fn reports<R>(&self, out: &dyn Sink, act: impl FnOnce(&Host, &mut Task<'_, Nothing>) -> R) -> R {
        enter(|held| act(&self.host, &mut Task::new(held, out)))
    }
}
