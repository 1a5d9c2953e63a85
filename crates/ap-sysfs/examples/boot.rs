//! Boots the 256×256 machine with all queues bound, and prints how long it took and the peak of memory.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use ap_host::Host;
use ap_host::module::Module;
use ap_machine::Machine;
use ap_sysfs::control::command::changes;
use ap_task::{Ignore, Task};

fn main() {
    let start = Instant::now();
    let machine = Arc::new(Machine::new());
    let host = Arc::new(Host::new(machine.clone()));
    let found = locks::enter(|held| {
        for command in ["qci na=255 nd=255", "ap 0-255 type=14 mode=cca", "apm all", "aqm all", "adm all"] {
            for change in changes(command).expect("the machine takes its commands") {
                machine.change(&change, &mut held.at());
            }
        }
        host.load_module(Module::Ap, "", &mut Task::new(held, &Ignore)).expect("ap loads");
        host.bus.periodic_scan(&mut Task::new(held, &Ignore));
        for module in [Module::Zcrypt, Module::ZcryptCex4, Module::Mdev, Module::VfioAp] {
            host.load_module(module, "", &mut Task::new(held, &Ignore)).expect("modules load");
        }
        host.bus.bindings(held)
    });
    println!("{}/{} queues bound in {:?}", found.bound, found.queues, start.elapsed());
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for line in status.lines().filter(|line| line.starts_with("VmHWM")) {
        println!("{line}");
    }
}
