//! Tools that know nothing of apmatrix, as they are installed here, on a private `/sys`: as root and as an ordinary
//! user. Nothing is installed, and nothing of this host changes.
//!
//! A closing line on standard error says how many cases ran; whoever lacks a tool or /dev/fuse is told which did not.

#[path = "tools/first.rs"]
mod first;
#[path = "tools/libvirt.rs"]
mod libvirt;
#[path = "tools/mdevctl.rs"]
mod mdevctl;
mod skip;
#[path = "tools/support.rs"]
mod support;
#[path = "tools/udev.rs"]
mod udev;

use support::{Suite, Who};

#[test]
fn tools_work_on_a_private_sys() {
    let mut suite = Suite::new();
    for who in [Who::Root, Who::User] {
        suite.case(who, "first bar", &[], first::bar);
        suite.case(who, "additional zcrypt nodes", &[], first::zcrypt_nodes);
        suite.case(who, "mdevctl", &["mdevctl"], mdevctl::definitions);
        suite.case(who, "mdevctl's failures", &["mdevctl"], mdevctl::failures);
        suite.case(who, "udevadm info", &["udevadm"], udev::info);
        suite.case(who, "udevadm monitor", &["udevadm"], udev::monitor);
        suite.case(who, "libvirt", &["libvirtd", "virsh", "mdevctl"], libvirt::node_devices);
    }
    suite.end();
}
