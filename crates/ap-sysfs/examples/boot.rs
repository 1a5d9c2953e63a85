//! Boots the 256×256 machine with all queues bound, and prints how long it took and the peak of memory.

use std::sync::Arc;
use std::time::Instant;

use ap_host::event::Ignore;
use ap_host::module::Module;
use ap_host::{Host, Machine};

fn main() {
    let start = Instant::now();
    let machine = Arc::new(Machine::new());
    let host = Arc::new(Host::new(machine.clone()));
    let (bound, all, _) = locks::enter(|held| {
        for command in ["qci na=255 nd=255", "ap 0-255 type=14 mode=cca", "apm all", "aqm all", "adm all"] {
            machine.command(command, &mut held.at()).expect("the machine takes its commands");
        }
        host.load_module(Module::Ap, "", held, &Ignore).expect("ap loads");
        host.periodic_scan(held, &Ignore);
        for module in [Module::Zcrypt, Module::ZcryptCex4, Module::Mdev, Module::VfioAp] {
            host.load_module(module, "", held, &Ignore).expect("modules load");
        }
        host.bindings(held)
    });
    println!("{bound}/{all} queues bound in {:?}", start.elapsed());
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for line in status.lines().filter(|line| line.starts_with("VmHWM")) {
        println!("{line}");
    }
}
