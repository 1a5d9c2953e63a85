//! What the operations of the table cost, on the system that ships: locks, checks and events included.

#![allow(missing_docs)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ap_bus::Asked;
use ap_host::Host;
use ap_host::module::Module;
use ap_machine::Machine;
use ap_sysfs::control::command::changes;
use ap_sysfs::{Filesystem, Ino, Session, Tree};
use ap_task::{Ignore, Task};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const TYPE: &str = "/sys/devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough";
const BUS: &str = "/sys/bus/ap";

/// A machine of so many adapters and domains, all CEX8C, with all modules loaded.
fn boot(adapters: u32, domains: u32) -> Tree {
    let machine = Arc::new(Machine::new());
    let host = Arc::new(Host::new(machine.clone()));
    locks::enter(|held| {
        let (a, d) = (adapters - 1, domains - 1);
        for command in [
            format!("qci na={} nd={}", a.max(63), d.max(84)),
            format!("ap 0-{a} type=14 mode=cca"),
            format!("apm 0-{a}"),
            format!("aqm 0-{d}"),
            format!("adm 0-{d}"),
        ] {
            for change in changes(&command).expect("the machine takes its commands") {
                machine.change(&change, &mut held.at());
            }
        }
        host.load_module(Module::Ap, "", &mut Task::new(held, &Ignore)).expect("ap loads");
        host.bus.periodic_scan(&mut Task::new(held, &Ignore));
        for module in [Module::Zcrypt, Module::ZcryptCex4, Module::Mdev, Module::VfioAp] {
            host.load_module(module, "", &mut Task::new(held, &Ignore)).expect("modules load");
        }
    });
    Tree::new(host, machine)
}

fn ino(tree: &Tree, path: &str) -> Ino {
    let mut session = Session::over(tree.host.clone(), tree.machine.clone());
    session.resolve_following(path).unwrap_or_else(|e| panic!("{path}: {e}")).ino
}

fn store(tree: &Tree, at: Ino, text: &str) {
    let result = locks::enter(|held| tree.store(at, text.as_bytes(), &mut Task::new(held, &Ignore)));
    assert_eq!(result, Ok(text.len()), "{text}");
}

fn write(tree: &Tree, path: &str, text: &str) {
    store(tree, ino(tree, path), text);
}

fn uuid(n: u32) -> String {
    format!("{n:08x}-0000-4000-8000-000000000001")
}

/// The question of a mask write that adds an adapter, or a domain over all adapters: no hit.
fn in_use(c: &mut Criterion) {
    let mut group = c.benchmark_group("in_use, no hit");
    group.sample_size(20).measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(300));
    for mdevs in [1u32, 256, 65_536] {
        let tree = boot(64, 85);
        write(&tree, &format!("{BUS}/apmask"), "0x0");
        write(&tree, &format!("{BUS}/aqmask"), "0x0");
        let create = ino(&tree, &format!("{TYPE}/create"));
        for n in 0..mdevs {
            store(&tree, create, &uuid(n));
        }
        // One queue each, while there are queues: what counts is that the question does not look at each mdev.
        for n in 0..mdevs.min(256) {
            let base = format!("/sys/devices/vfio_ap/matrix/{}", uuid(n));
            write(&tree, &format!("{base}/assign_adapter"), &(n % 60).to_string());
            write(&tree, &format!("{base}/assign_domain"), &(n / 60).to_string());
        }
        let adapter = ap_types::AdapterMask::single(ap_types::AdapterId(63));
        let domain = ap_types::DomainMask::single(ap_types::DomainId(84));
        let host = &tree.host;
        group.bench_function(BenchmarkId::new("one added adapter", mdevs), |b| {
            b.iter(|| {
                locks::enter(|held| {
                    let asked = Asked::product(*black_box(&adapter), ap_types::DomainMask::ALL);
                    assert!(host.bus.in_use(&asked, &mut Task::new(held, &Ignore)).is_none());
                });
            });
        });
        group.bench_function(BenchmarkId::new("one added domain, all adapters", mdevs), |b| {
            b.iter(|| {
                locks::enter(|held| {
                    let asked = Asked::product(ap_types::AdapterMask::ALL, *black_box(&domain));
                    assert!(host.bus.in_use(&asked, &mut Task::new(held, &Ignore)).is_none());
                });
            });
        });
    }
    group.finish();
}

/// assign_domain with 256 adapters assigned, the whole store; and taking it back.
fn assign(c: &mut Criterion) {
    let tree = boot(256, 256);
    write(&tree, &format!("{BUS}/apmask"), "0x0");
    write(&tree, &format!("{TYPE}/create"), &uuid(0));
    let base = format!("/sys/devices/vfio_ap/matrix/{}", uuid(0));
    for adapter in 0..256 {
        write(&tree, &format!("{base}/assign_adapter"), &adapter.to_string());
    }
    let assign = ino(&tree, &format!("{base}/assign_domain"));
    let unassign = ino(&tree, &format!("{base}/unassign_domain"));
    let mut group = c.benchmark_group("assign_domain, 256 adapters assigned");
    group.sample_size(20).measurement_time(Duration::from_secs(1));
    group.bench_function("whole store", |b| {
        b.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                let start = Instant::now();
                store(&tree, assign, "7\n");
                spent += start.elapsed();
                store(&tree, unassign, "7\n");
            }
            spent
        });
    });
    group.finish();
}

fn scan(c: &mut Criterion) {
    let mut group = c.benchmark_group("scan without change");
    group.sample_size(10).measurement_time(Duration::from_secs(1));
    for (adapters, domains) in [(64, 85), (256, 256)] {
        let tree = boot(adapters, domains);
        group.bench_function(format!("{adapters}x{domains}"), |b| {
            b.iter(|| locks::enter(|held| tree.host.bus.force_scan(&mut Task::new(held, &Ignore))));
        });
    }
    group.finish();
}

fn hand_back(c: &mut Criterion) {
    let tree = boot(64, 85);
    let apmask = ino(&tree, &format!("{BUS}/apmask"));
    let mut group = c.benchmark_group("5440 queues");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    group.bench_function("from vfio_ap back to the host", |b| {
        b.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                store(&tree, apmask, "-0-255\n");
                let start = Instant::now();
                store(&tree, apmask, "+0-255\n");
                spent += start.elapsed();
            }
            spent
        });
    });
    group.finish();
}

fn boots(c: &mut Criterion) {
    let mut group = c.benchmark_group("boot, all queues bound");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    group.bench_function("256x256", |b| b.iter(|| boot(256, 256)));
    group.finish();
}

criterion_group!(benches, in_use, assign, scan, hand_back, boots);
criterion_main!(benches);
