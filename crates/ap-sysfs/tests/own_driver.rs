//! A driver that somebody else registers on the bus is shown like any other.

mod support;

use std::sync::Arc;

use ap_bus::device::QueueDevice;
use ap_bus::{ApDriver, Driver};
use ap_sysfs::{Called, Change, Errno, Filesystem};
use ap_task::order::Perms;
use ap_task::{DriverName, Task};
use support::Rig;

/// Takes every queue that the masks leave to it.
struct Mine;

impl ApDriver for Mine {
    fn name(&self) -> DriverName {
        DriverName("mine")
    }

    fn module(&self) -> &'static str {
        "my_module"
    }

    fn probe(&self, _: &Arc<QueueDevice>, _: &mut Task<'_, Perms>) -> bool {
        true
    }
}

/// The machine of most tests with all queues left to guests, and the driver.
fn rig() -> Rig {
    let mut rig = Rig::boot(support::SMALL, "apmask=0x0");
    register(&mut rig);
    rig
}

fn register(rig: &mut Rig) {
    let called = rig.session.call(|tree, task| {
        tree.host.bus.register_driver(Driver::new(Arc::new(Mine)), &mut task.at());
    });
    assert_eq!(called, Called::Done(Ok(())));
}

fn unregister(rig: &mut Rig) {
    let called = rig.session.call(|tree, task| {
        tree.host.bus.unregister_driver(DriverName("mine"), &mut task.at());
    });
    assert_eq!(called, Called::Done(Ok(())));
}

fn link(rig: &mut Rig, path: &str) -> String {
    let entry = rig.session.resolve(path).unwrap_or_else(|errno| panic!("{path}: {errno}"));
    rig.session.readlink(entry.ino).unwrap()
}

#[test]
fn it_has_a_directory_with_its_files_and_its_module() {
    let mut rig = rig();
    rig.run(
        "
        AP/drivers : cex4card cex4queue mine vfio_ap
        AP/drivers/mine : bind module uevent unbind
        /sys/module : ap mdev my_module vfio_ap zcrypt zcrypt_cex4
        /sys/module/my_module : coresize holders initsize initstate refcnt taint uevent
        AP/drivers/mine/uevent <- change
        uevents change /bus/ap/drivers/mine SYNTH_UUID=0
        /sys/module/my_module/uevent <- change
        uevents change /module/my_module SYNTH_UUID=0
        ",
    );
    assert_eq!(link(&mut rig, "/sys/bus/ap/drivers/mine/module"), "../../../../module/my_module");
    unregister(&mut rig);
    rig.run(
        "
        AP/drivers : cex4card cex4queue vfio_ap
        /sys/module : ap mdev vfio_ap zcrypt zcrypt_cex4
        AP/drivers/mine/bind <- 04.0006 ! ENOENT
        ",
    );
}

#[test]
fn devices_are_bound_to_it_and_taken_from_it_by_hand() {
    let mut rig = rig();
    rig.run(
        "
        AP/drivers/mine/bind <- 04.0006 ! EBUSY
        AP/drivers/vfio_ap/unbind <- 04.0006
        AP/drivers/mine/bind <- card04 ! ENODEV
        AP/drivers/mine/bind <- 04.0006
        AP/drivers/mine : 04.0006 bind module uevent unbind
        AP/drivers/vfio_ap : 04.0047 0a.0006 0a.0047 bind module uevent unbind
        ",
    );
    assert_eq!(link(&mut rig, "/sys/bus/ap/devices/04.0006/driver"), "../../../../bus/ap/drivers/mine");
    assert_eq!(link(&mut rig, "/sys/bus/ap/drivers/mine/04.0006"), "../../../../devices/ap/card04/04.0006");
    rig.session.changes();
    rig.run("AP/drivers/mine/unbind <- 04.0006\nAP/drivers/mine : bind module uevent unbind");
    let directory = rig.session.resolve("/sys/bus/ap/drivers/mine").unwrap().ino;
    let gone = |change: &Change| matches!(change, Change::Gone { parent, name, .. } if *parent == directory && name == "04.0006");
    assert!(rig.session.changes().iter().any(gone));
    rig.run("AP/drivers/mine/unbind <- 04.0006 ! ENODEV\nAP/drivers/vfio_ap/bind <- 04.0006");
}

#[test]
fn its_number_is_its_own_and_is_its_again_when_it_comes_again() {
    let mut rig = rig();
    rig.run("AP/drivers/vfio_ap/unbind <- 04.0006\nAP/drivers/mine/bind <- 04.0006");
    let paths = ["/sys/bus/ap/drivers/mine", "/sys/bus/ap/drivers/mine/04.0006", "/sys/module/my_module"];
    let nodes = paths.map(|path| rig.session.resolve(path).unwrap());
    let others = ["cex4card", "cex4queue", "vfio_ap"].map(|name| format!("/sys/bus/ap/drivers/{name}"));
    for other in others {
        assert!(nodes.iter().all(|node| rig.session.resolve(&other).unwrap().ino != node.ino));
    }
    unregister(&mut rig);
    for node in &nodes {
        assert_eq!(rig.session.entry(node.ino), Err(Errno::ENOENT), "{}", node.name);
    }
    rig.run("unload vfio_ap\nload vfio_ap\nunload vfio_ap");
    register(&mut rig);
    for (path, node) in paths.iter().zip(&nodes) {
        assert_eq!(rig.session.resolve(path).as_ref(), Ok(node), "{path}");
    }
}
