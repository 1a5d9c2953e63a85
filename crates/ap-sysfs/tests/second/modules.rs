//! Modules, their parameters, nodes and `uevent` files; what a reload leaves behind.

use ap_sysfs::{Called, Entry, Errno, Filesystem as _};

use crate::support::{Rig, SMALL};

#[test]
fn f10_what_a_uevent_file_takes() {
    let uuid = "11111111-2222-3333-4444-555555555555";
    let words = |count: usize| (0..count).map(|n| format!(" K{n}=v")).collect::<String>();
    let mut rig = Rig::boot(SMALL, "");
    rig.run("TYPE/create <- $M1\nwait 500\nclear");
    rig.run(&format!(
        "
        C/04/uevent <-| add
        C/04/uevent <-| add\\0
        C/04/uevent <-| add\\0x ! EINVAL
        C/04/uevent <-| add\\n\\0 ! EINVAL
        C/04/uevent <-| add\\0\\n ! EINVAL
        C/04/uevent <- add {uuid}{} ! ENOMEM
        C/04/uevent <- add {uuid}{} ! EINVAL
        C/04/uevent <- add {uuid} A={} ! ENOMEM
        C/04/uevent <- add {uuid} A={} ! EINVAL
        log cex4card card04: uevent: failed to send synthetic uevent: -22 \
         | cex4card card04: uevent: failed to send synthetic uevent: -22 \
         | cex4card card04: uevent: failed to send synthetic uevent: -22 \
         | cex4card card04: uevent: failed to send synthetic uevent: -12 \
         | cex4card card04: uevent: failed to send synthetic uevent: -22 \
         | cex4card card04: uevent: failed to send synthetic uevent: -12 \
         | cex4card card04: uevent: failed to send synthetic uevent: -22
        C/04/uevent <- add {uuid}{}
        C/04/uevent <- add {uuid} A={}
        ",
        words(55),
        words(64),
        "v".repeat(1900),
        "v".repeat(2000),
        words(54),
        "v".repeat(1800),
    ));
    rig.run(
        "
        clear
        MX/uevent <- junk ! EINVAL
        M1/uevent <- junk ! EINVAL
        /sys/devices/vfio_ap/uevent <- junk ! EINVAL
        AP/uevent <- junk ! EINVAL
        log vfio_ap matrix: uevent: failed to send synthetic uevent: -22 \
         | vfio_ap_mdev $M1: uevent: failed to send synthetic uevent: -22 \
         |  vfio_ap: uevent: failed to send synthetic uevent: -22
        /sys/devices/vfio_ap/uevent <- add
        uevents
        ",
    );
}

#[test]
fn f11_nodes_of_zcrypt() {
    let class = "/sys/class/zcrypt";
    let nodes = "/devices/virtual/zcrypt";
    let mut rig = Rig::boot(SMALL, "");
    rig.run(&format!(
        "
        clear
        {class}/destroy <- n1 ! ENOENT
        {class}/create <- a/b
        uevents add {nodes}/a!b MAJOR=253 MINOR=0 DEVNAME=a/b
        {class}/create <-| \\n
        /sys{nodes} : a!b zcrypt_1
        {class} : a!b create destroy zcrypt_1
        /sys{nodes}/zcrypt_1/dev = 253:1
        clear
        {class}/create <- create ! EEXIST
        uevents remove {nodes}/create MAJOR=253 MINOR=2 DEVNAME=create
        {class}/create <- a/b ! EEXIST
        {class}/destroy <- a/b ! ENOENT
        {class}/destroy <-|  a!b
        {class}/destroy <- zcrypt_1
        ",
    ));
    let gone = rig.session.resolve(&format!("/sys{nodes}"));
    assert_eq!(gone.map(|entry| entry.name), Err(Errno::ENOENT), "there only while a node is");
}

#[test]
fn f12_parameters_of_ap() {
    let mut rig = Rig::bare(SMALL);
    rig.run(
        "
        load ap poll_thread=y ! EINVAL
        log ap: `y' invalid for parameter `poll_thread'
        AP/apmask ! ENOENT
        load ap domain=99999999999 ! ERANGE
        load ap apmask ! EINVAL
        load ap nosuch=1 domain=6 junk apmask=\"0x08\" msgpool_min_items=0 -- useirq=x
        AP/apmask = 0x0800000000000000000000000000000000000000000000000000000000000000
        /sys/module/ap/parameters/apmask = 0x08
        /sys/module/ap/parameters/domain = 6
        /sys/module/ap/parameters/msgpool_min_items = 0
        load zcrypt nosuch=1
        ",
    );
    let mut rig = Rig::bare("hw opt instr=0\n");
    rig.run("load ap domain=x ! EINVAL\nload ap ! ENODEV");
}

#[test]
fn f13_unloading_zcrypt() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        unload vfio_ap
        unload zcrypt_cex4
        /sys/class/zcrypt/create <- n
        clear
        unload zcrypt
        uevents remove /devices/virtual/zcrypt/n MAJOR=253 MINOR=0 DEVNAME=n; \
         remove /class/zcrypt; \
         remove /devices/virtual/misc/z90crypt MAJOR=10 MINOR=256 DEVNAME=z90crypt; \
         remove /module/zcrypt
        ",
    );
}

#[test]
fn f14_unloading_ap_removes_all_devices_first() {
    let mut rig = Rig::bare("hw ap 3 type=14 mode=ep11\nhw apm 3\nhw aqm 6\n");
    rig.run(
        "
        load ap
        wait 500
        clear
        unload ap
        uevents remove /devices/ap/card03/03.0006; \
         remove /devices/ap/card03; \
         remove /devices/ap; remove /bus/ap; remove /module/ap
        load ap
        wait 500
        AP/devices : 03.0006 card03
        ",
    );
}

#[test]
fn m48_what_was_opened_before_a_reload_belongs_to_what_is_gone() {
    let mut rig = Rig::boot(SMALL, "apmask=0x0");
    let before: Vec<_> = rig
        .attributes()
        .into_iter()
        .filter(|(path, _)| path.contains("vfio_ap") || path.contains("/bus/matrix/"))
        .collect();
    assert!(before.len() > 12, "{before:?}");
    rig.run("unload vfio_ap");
    let text = format!("{}\n", crate::support::uuid("1"));
    for (path, entry) in &before {
        used(&mut rig, path, entry, &text);
    }
    rig.run("load vfio_ap");
    for (path, entry) in &before {
        used(&mut rig, path, entry, &text);
    }
    rig.run("MX/mdev_supported_types/vfio_ap-passthrough/devices :\nTYPE/create <- $M1");
}

/// A file that was opened before is used: it answers `ENODEV`, whether it is read or written.
fn used(rig: &mut Rig, path: &str, entry: &Entry, text: &str) {
    if entry.mode & 0o400 != 0 {
        assert_eq!(rig.session.show(entry.ino), Called::Done(Err(Errno::ENODEV)), "{path}");
    }
    if entry.mode & 0o200 != 0 {
        let answer = rig.session.store(entry.ino, text.as_bytes());
        assert_eq!(answer, Called::Done(Err(Errno::ENODEV)), "{path}");
    }
}
