//! The `# Locks` sentences of the operations, once each: a hook records the levels that are really taken.
//!
//! The levels stand outermost first. What an operation takes depends on what it finds; each row says in which
//! situation. Whoever changes a row changes the sentence of that operation's documentation.

mod support;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use ap_bus::device::DeviceName;
use ap_bus::zcdn::NodeMask;
use ap_bus::zcrypt::CEX4QUEUE;
use ap_bus::{Asked, Through};
use ap_host::{Host, Module};
use ap_task::{Kernel, MdevId, Task, Version, Work};
use ap_types::{AdapterId, AdapterMask, DomainId, DomainMask, Matrix, Uuid};
use ap_vfio::{Part, VFIO_AP};
use locks::hook::{Hook, Kind, Step, install};
use locks::{Nothing, Object};

use support::{Rig, apqn};

/// Notes which locks are taken; there is one task, and all locks are free.
#[derive(Default)]
struct Recorder(RefCell<BTreeMap<u16, &'static str>>);

impl Hook for Recorder {
    fn step(&self, step: Step) -> bool {
        if matches!(step.kind, Kind::Lock | Kind::TryLock | Kind::ReadLock | Kind::TryReadLock | Kind::Look) {
            self.0.borrow_mut().insert(step.object.rank, step.object.level);
        }
        true
    }

    fn blocked(&self, step: Step) {
        panic!("{:?} is taken twice", step.object);
    }

    fn wait(&self, condvar: Step, _mutex: Object) {
        panic!("a lone task waits for {:?}", condvar.object);
    }

    fn violation(&self, verdict: &'static str, what: String) {
        panic!("{verdict}: {what}");
    }

    fn claim_root(&self) -> bool {
        true
    }

    fn release_root(&self) {}

    fn exploring(&self) -> bool {
        false
    }
}

/// The levels that `act` takes, outermost first.
fn taken(rig: &Rig, act: impl FnOnce(&Host, &mut Task<'_, Nothing>)) -> String {
    let recorder = Rc::new(Recorder::default());
    install(recorder.clone(), || rig.does(|host, task| act(host, task)));
    recorder.0.take().into_values().collect::<Vec<_>>().join(" ")
}

/// Adapters 4 and 10 and domain 71 are left to vfio_ap, domain 6 is the host's; vfio_ap is loaded.
fn rig() -> Rig {
    rig_of(Kernel::default())
}

fn rig_of(kernel: Kernel) -> Rig {
    let rig = Rig::of(kernel).boot("0x0", "0x0");
    rig.does(|host, task| {
        host.load_module(Module::VfioAp, "", task).expect("vfio_ap loads");
        host.bus.write_aqmask(b"+6", task).expect("nobody has it");
    });
    rig
}

fn uuid() -> Uuid {
    ap_types::grammar::uuid(b"a0000000-0000-4000-8000-000000000001").expect("a UUID")
}

const ID: MdevId = MdevId(0);

fn adapter(id: u8) -> Part {
    Part::Adapter(AdapterId(id))
}

fn domain(id: u8) -> Part {
    Part::Domain(DomainId(id))
}

/// The same with an mdev that has adapter 4 and domain 71, and a guest that runs with it.
fn running() -> Rig {
    running_on(Kernel::default())
}

fn running_on(kernel: Kernel) -> Rig {
    let rig = rig_of(kernel);
    rig.does(|host, task| {
        host.vfio.create_mdev(uuid(), task).expect("an mdev");
        host.vfio.assign(&host.bus, ID, adapter, 4, task).expect("assigns");
        host.vfio.assign(&host.bus, ID, domain, 71, task).expect("assigns");
        host.vfio.guest_open(&uuid(), "g", task).expect("opens");
    });
    rig
}

/// Only that it was done counts.
fn done<T>(_: T) {}

#[test]
fn of_the_bus() {
    let row = |what: &str, expected: &str, act: &dyn Fn(&Host, &mut Task<'_, Nothing>)| {
        assert_eq!(taken(&rig(), |host, task| act(host, task)), expected, "{what}");
    };
    row("masks", "Perms", &|h, t| done(h.bus.masks(t)));
    row("write_apmask, the same", "Perms", &|h, t| h.bus.write_apmask(b"0x0", t).expect("ok"));
    row("write_apmask, no mask", "Perms", &|h, t| assert!(h.bus.write_apmask(b"+q", t).is_err()));
    row(
        "write_apmask, a queue changes hands",
        "Device Perms Guests Mdevs Devices Queue HwConfig Hw",
        &|h, t| h.bus.write_apmask(b"+4", t).expect("ok"),
    );
    row("in_use", "Perms Guests Mdevs", &|h, t| {
        let asked = Asked::product(AdapterMask::single(AdapterId(4)), DomainMask::ALL);
        assert_eq!(h.bus.in_use(&asked, t), None);
    });
    row("find", "Devices", &|h, t| done(h.bus.find(DeviceName::Queue(apqn(4, 6)), t)));
    row("card", "Devices", &|h, t| done(h.bus.card(AdapterId(4), t)));
    row("queue", "Devices", &|h, t| done(h.bus.queue(apqn(4, 6), t)));
    row("devices_in_order", "Devices", &|h, t| done(h.bus.devices_in_order(t)));
    row("queues_in_order", "Devices", &|h, t| done(h.bus.queues_in_order(t)));
    row("queues_of", "Devices", &|h, t| done(h.bus.queues_of(AdapterId(4), t)));
    row("drivers", "Devices", &|h, t| done(h.bus.drivers(t)));
    row("look", "Devices", &|h, t| h.bus.look(t, |_| ()));
    row("configure", "Devices", &|h, t| h.bus.configure(t, |_| ()));
    row("bindings", "Devices Queue", &|h, t| done(h.bus.bindings(t)));
    row("choose_domain", "Perms Devices", &|h, t| h.bus.choose_domain(6, t).expect("ok"));
    row("bind, refused by the masks", "Device Perms Devices Queue", &|h, t| {
        assert!(h.bus.bind(CEX4QUEUE, DeviceName::Queue(apqn(4, 6)), t).is_err())
    });
    row("unbind", "Device Guests Mdevs Devices Queue HwConfig Hw", &|h, t| {
        h.bus.unbind(VFIO_AP, DeviceName::Queue(apqn(4, 6)), t).expect("ok")
    });
    row("drivers_probe", "Device Devices Queue", &|h, t| {
        h.bus.drivers_probe(DeviceName::Queue(apqn(4, 6)), t).expect("ok");
    });
    row("force_scan", "Scan Perms Devices Queue HwConfig Hw", &|h, t| h.bus.force_scan(t));
    row("periodic_scan", "Scan Perms Devices Queue HwConfig Hw", &|h, t| h.bus.periodic_scan(t));
    row("poll, a queue resets", "Mdevs Devices Queue HwConfig Hw", &|h, t| h.bus.poll(t));
    row("announce_bindings, was announced", "Perms", &|h, t| h.bus.announce_bindings(t));
    row("reset_queue", "Device Mdevs Devices Queue HwConfig Hw", &|h, t| {
        let queue = h.bus.queue(apqn(4, 6), t).expect("it is there");
        h.bus.reset_queue(&queue, t).expect("ok");
    });
    row("se_bind 0", "Device Mdevs Devices Queue HwConfig Hw", &|h, t| {
        let queue = h.bus.queue(apqn(4, 6), t).expect("it is there");
        h.bus.se_bind(&queue, false, t).expect("ok");
    });
    row("se_associate", "Devices Queue HwConfig Hw", &|h, t| {
        let queue = h.bus.queue(apqn(4, 6), t).expect("it is there");
        assert!(h.bus.se_associate(&queue, 1, t).is_err());
    });
    row("association", "Devices Queue HwConfig Hw", &|h, t| {
        let queue = h.bus.queue(apqn(4, 6), t).expect("it is there");
        done(h.bus.association(&queue, t));
    });
    row("switch_card", "Switches Devices Queue", &|h, t| {
        let card = h.bus.card(AdapterId(4), t).expect("it is there");
        h.bus.switch_card(&card, false, t).expect("ok");
    });
    row("switch_queue", "Switches Devices Queue", &|h, t| {
        let queue = h.bus.queue(apqn(4, 6), t).expect("it is there");
        h.bus.switch_queue(&queue, false, t).expect("ok");
    });
    row("configure_card", "Scan Device Devices Queue HwConfig", &|h, t| {
        let card = h.bus.card(AdapterId(4), t).expect("it is there");
        assert!(h.bus.configure_card(&card, false, t));
    });
    row("ask_adapter, nobody to ask", "Scan Perms Devices Queue HwConfig Hw", &|h, t| {
        let card = h.bus.card(AdapterId(4), t).expect("it is there");
        assert_eq!(h.bus.ask_adapter(&card, Through::Any, t), Ok(None));
    });
    row("zcrypt nodes", "Devices", &|h, t| {
        h.bus.create_zcrypt_node("n", t).expect("ok");
        h.bus.write_zcrypt_mask(1, NodeMask::Adapters, b"+4", t).expect("ok");
        h.bus.destroy_zcrypt_node("n", t).expect("ok");
    });
}

#[test]
fn of_vfio_ap() {
    let row = |what: &str, expected: &str, act: &dyn Fn(&Host, &mut Task<'_, Nothing>)| {
        assert_eq!(taken(&running(), |host, task| act(host, task)), expected, "{what}");
    };
    let other = ap_types::grammar::uuid(b"a0000000-0000-4000-8000-000000000002").expect("a UUID");
    row("look", "Mdevs", &|h, t| h.vfio.look(t, |_| ()));
    row("create_mdev", "Guests Mdevs", &|h, t| done(h.vfio.create_mdev(other, t).expect("ok")));
    row("assign, too high", "Perms Guests Kvm Mdevs", &|h, t| {
        assert!(h.vfio.assign(&h.bus, ID, adapter, 255, t).is_err());
    });
    row("assign", "Perms Guests Kvm Mdevs", &|h, t| {
        h.vfio.assign(&h.bus, ID, adapter, 10, t).expect("ok");
    });
    row("unassign", "Guests Kvm Mdevs HwConfig Hw", &|h, t| {
        h.vfio.unassign(ID, adapter, 4, t).expect("ok");
    });
    row("assign_control_domain", "Guests Kvm Mdevs", &|h, t| {
        h.vfio.assign_control_domain(ID, true, 6, t).expect("ok");
    });
    row("write_ap_config", "Perms Guests Kvm Mdevs HwConfig Hw", &|h, t| {
        h.vfio.write_ap_config(&h.bus, ID, Matrix::default(), t).expect("ok");
    });
    row("queue_status", "Guests Mdevs", &|h, t| done(h.vfio.queue_status(apqn(4, 71), t)));
    row("remove_mdev, nobody has it open", "Device Guests Mdevs", &|h, t| {
        let id = h.vfio.create_mdev(other, t).expect("ok");
        h.vfio.remove_mdev(id, t).expect("ok");
    });
    row("unbind_mdev, nobody has it open", "Device Guests Mdevs", &|h, t| {
        h.vfio.create_mdev(other, t).expect("ok");
        h.vfio.unbind_mdev(&other, t).expect("ok");
    });
    row("begin_removal", "Guests Mdevs", &|h, t| h.vfio.begin_removal(ID, t).expect("ok"));
    row("relay_requests", "Guests Mdevs", &|h, t| h.vfio.relay_requests(t));
    row("make_guest, new", "Vms", &|h, t| done(h.vfio.make_guest("new", true, t)));
    row("guest_named", "Vms", &|h, t| done(h.vfio.guest_named("g", t)));
    row("guest_open, busy", "Mdevs", &|h, t| assert!(h.vfio.guest_open(&uuid(), "h", t).is_err()));
    row("guest_open", "Guests Kvm Hook Mdevs Vms", &|h, t| {
        h.vfio.create_mdev(other, t).expect("ok");
        h.vfio.guest_open(&other, "h", t).expect("ok");
    });
    row("guest_close", "Guests Kvm Hook Mdevs HwConfig Hw", &|h, t| {
        h.vfio.guest_close(&uuid(), None, t).expect("ok");
    });
    row("guest_reset", "Mdevs HwConfig Hw", &|h, t| h.vfio.guest_reset(&uuid(), None, t).expect("ok"));
    row("guest_info", "Mdevs", &|h, t| done(h.vfio.guest_info(&uuid(), None, t).expect("ok")));
    row("guest_request_irq", "Mdevs", &|h, t| {
        h.vfio.guest_request_irq(&uuid(), None, true, t).expect("ok");
    });
    row("guest_event_count", "Mdevs", &|h, t| {
        h.vfio.guest_event_count(&uuid(), None, t).expect("ok");
    });
    row("guest_protect", "Kvm Vcpu Vms", &|h, t| {
        let guest = h.vfio.guest_named("g", t).expect("it is there");
        h.vfio.guest_protect(&guest, t);
    });
    row("guest_pqap, enable", "Vcpu Hook Mdevs Vms Memory HwConfig Hw", &|h, t| {
        let guest = h.vfio.guest_named("g", t).expect("it is there");
        h.vfio.guest_pqap(&guest, u64::from(apqn(4, 71).to_u16()), 1 << 47, 0x1000, t);
    });
    row("guest_unmap", "Mdevs Vms", &|h, t| {
        let guest = h.vfio.guest_named("g", t).expect("it is there");
        h.vfio.guest_unmap(&guest, 0x1000, t);
    });
}

#[test]
fn of_the_host() {
    let row = |what: &str, expected: &str, act: &dyn Fn(&Host, &mut Task<'_, Nothing>)| {
        assert_eq!(taken(&rig(), |host, task| act(host, task)), expected, "{what}");
    };
    row("loaded", "Devices", &|h, t| done(h.loaded(t)));
    row("core", "Devices", &|h, t| done(h.core(t)));
    row("configure", "Devices", &|h, t| h.configure(t, |_| ()));
    row("load_module, loaded already", "Modules Devices", &|h, t| {
        assert!(h.load_module(Module::VfioAp, "", t).is_err());
    });
    row("unload_module vfio_ap", "Modules Device Perms Guests Mdevs Devices Queue HwConfig Hw", &|h, t| {
        h.unload_module(Module::VfioAp, t).expect("ok")
    });
    row(
        "load_module vfio_ap",
        "Modules Scan Device Perms Guests Mdevs Devices Queue HwConfig Hw",
        &|h, t| {
            h.unload_module(Module::VfioAp, t).expect("ok");
            h.load_module(Module::VfioAp, "", t).expect("ok");
        },
    );
    row("unregister, none", "Modules Devices", &|h, t| {
        assert!(h.unregister(ap_task::DriverName("none"), t).is_err());
    });
    row("run relay", "Guests Mdevs", &|h, t| h.run(Work::Relay, t));
    // Where a removal takes its guest's queues at once, it needs that guest's APCB.
    let newer = |what: &str, expected: &str, act: &dyn Fn(&Host, &mut Task<'_, Nothing>)| {
        assert_eq!(taken(&running_on(Kernel::of(Version::V7_1)), |h, t| act(h, t)), expected, "7.1: {what}");
    };
    newer("begin_removal", "Guests Kvm Mdevs", &|h, t| h.vfio.begin_removal(ID, t).expect("ok"));
    newer("relay_requests, nobody removes", "Guests Mdevs", &|h, t| h.vfio.relay_requests(t));
    newer("relay_requests", "Guests Kvm Mdevs", &|h, t| {
        h.vfio.begin_removal(ID, t).expect("ok");
        h.vfio.relay_requests(t);
    });
    let rig = rig();
    let levels = taken(&rig, |h, t| {
        let state = h.snapshot(&rig.machine, t);
        h.restore(&rig.machine, &state, t);
    });
    assert_eq!(levels, "Device Perms Mdevs Vms Devices Queue HwConfig Hw", "snapshot and restore");
}
