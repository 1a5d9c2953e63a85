//! What a second round of recordings corrected: a test for each row of page 6, with its neighbours. (The recordings
//! themselves are replayed elsewhere.)

mod support;

use ap_sysfs::{Called, Entry, Errno, Filesystem as _};
use support::{Rig, SMALL};

/// An EP11 adapter with two queues in a Secure Execution guest.
const SECURE: &str =
    "hw qci flags=0xc0800000\nhw opt se=1\nhw ap 3 type=14 mode=ep11\nhw apm 3\nhw aqm 6,71\n";

#[test]
fn f01_asking_an_adapter_whose_card_is_checkstopped() {
    for (code, attribute) in [(4, "chkstop"), (3, "config")] {
        let mut rig = Rig::boot(SMALL, "");
        rig.run(&format!(
            "
            hw q 10 6 rc={code}
            AP/scans <- 1
            C/0a/{attribute} = {}
            Q/0a.0047/{attribute} = {}
            AP/scans = 2
            Q/0a.0047/mkvps
            AP/scans = 3
            C/0a/serialnr == \\n
            AP/scans = 4
            C/04/serialnr == \\n
            AP/scans = 4
            ",
            u8::from(code == 4),
            u8::from(code == 3),
        ));
    }
}

#[test]
fn f01_a_card_must_be_switched_on_and_have_its_driver() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        C/0a/online <- 0
        Q/0a.0047/mkvps
        AP/scans = 2
        C/0a/online <- 1
        Q/0a.0047/online <- 0
        C/0a/serialnr == \\n
        AP/scans = 2
        Q/0a.0047/mkvps
        AP/scans = 3
        Q/0a.0047/online <- 1
        AP/drivers/cex4card/unbind <- card0a
        Q/0a.0047/mkvps
        AP/scans = 4
        Q/04.0006/online <- 0
        Q/04.0006/mkvps
        Q/04.0006/op_modes == \\n
        AP/scans = 4
        ",
    );
}

#[test]
fn f01c_asking_an_adapter_that_takes_short_messages_only() {
    for (ml, scans) in [(1, 3), (2, 1), (0, 1), (3, 1)] {
        let mut rig = Rig::boot(&format!("{SMALL}hw ap 4,10 ml={ml}\n"), "");
        rig.run(&format!(
            "
            Q/0a.0047/mkvps
            C/0a/serialnr == \\n
            AP/scans = {scans}
            C/04/serialnr == \\n
            Q/04.0006/op_modes == \\n
            AP/scans = {scans}
            "
        ));
    }
}

#[test]
fn f01d_bound_is_what_the_bus_saw_last() {
    let mut rig = Rig::boot(&format!("{SECURE}hw q 3 6,71 bs=2\n"), "");
    rig.run(
        "
        Q/03.0006/mkvps
        AP/scans = 2
        hw q 3 6 bs=1
        Q/03.0006/mkvps
        AP/scans = 3
        Q/03.0006/mkvps
        AP/scans = 3
        hw q 3 6 bs=2
        Q/03.0006/ap_functions = 0x86008000
        Q/03.0006/mkvps
        AP/scans = 3
        Q/03.0006/se_associate = unassociated
        Q/03.0006/mkvps
        AP/scans = 4
        Q/03.0006/se_bind <- 1
        Q/03.0006/mkvps
        AP/scans = 4
        hw q 3 6 bs=2
        Q/03.0006/se_bind = unbound
        Q/03.0006/mkvps
        AP/scans = 5
        hw q 3 6 bs=1
        Q/03.0006/reset <- 1
        wait 200
        Q/03.0006/mkvps
        AP/scans = 5
        hw q 3 6 bs=2
        Q/03.0006/se_associate <- 1 ! EINVAL
        Q/03.0006/mkvps
        AP/scans = 6
        ",
    );
}

#[test]
fn f02_an_mdev_keeps_the_limits_of_its_creation() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        TYPE/create <- $M1
        hw qci na=31 nd=20
        AP/scans <- 1
        TYPE/create <- $M2
        AP/apmask <- 0x0
        M1/assign_adapter <- 63
        M1/assign_adapter <- 64 ! ENODEV
        M1/assign_domain <- 84
        M1/assign_control_domain <- 84
        M1/unassign_control_domain <- 85 ! ENODEV
        M2/assign_adapter <- 31
        M2/assign_adapter <- 32 ! ENODEV
        M2/unassign_adapter <- 63 ! ENODEV
        M2/assign_domain <- 21 ! ENODEV
        M2/assign_control_domain <- 21 ! ENODEV
        M2/ap_config <- 0x0,0x0,0x000002 ! ENODEV
        M2/ap_config <- 0x0,0x0,0x000008
        M1/ap_config <- 0x0,0x0,0x000002
        hw qci flags=0x80000000
        AP/scans <- 1
        TYPE/create <- $M3
        M2/assign_adapter <- 31
        M2/assign_domain <- 20
        M3/assign_domain <- 16 ! ENODEV
        M3/assign_domain <- 15
        ",
    );
}

#[test]
fn f02b_guest_matrix_shows_nothing_above_the_limits_of_the_last_filtering() {
    let mut rig = Rig::boot("hw qci na=255 nd=255 flags=0xf0000000\nhw aqm 3,33,80\n", "");
    rig.run(
        "
        TYPE/create <- $M1
        AP/apmask <- 0x0
        M1/assign_domain <- 80
        M1/guest_matrix = .0050
        hw qci flags=0
        AP/scans <- 1
        M1/guest_matrix = .0050
        M1/assign_domain <- 33
        M1/matrix == .0021\\n.0050\\n
        M1/guest_matrix ==
        M1/assign_domain <- 3
        M1/guest_matrix = .0003
        hw qci flags=0xf0000000
        AP/scans <- 1
        M1/guest_matrix = .0003
        M1/assign_domain <- 5
        M1/guest_matrix == .0003\\n.0021\\n.0050\\n
        ",
    );
}

#[test]
fn f02c_guest_matrix_when_the_highest_domain_shrinks() {
    let mut rig = Rig::boot("hw qci na=10 nd=6 flags=0xf0000000\n", "");
    rig.run(
        "
        TYPE/create <- $M1
        M1/assign_domain <- 6
        hw aqm +6
        hw qci nd=3
        AP/scans <- 1
        M1/matrix = .0006
        M1/guest_matrix ==
        ",
    );
}

#[test]
fn f03_whether_there_is_qci_is_decided_when_ap_is_loaded() {
    let mut rig = Rig::boot(&format!("hw qci flags=0\n{SMALL}"), "");
    rig.run(
        "
        AP/features = -
        hw qci flags=0xc0000000
        AP/scans <- 1
        AP/features = -
        AP/ap_adapter_mask = not supported
        ",
    );
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        hw opt fac12=0
        hw apm -10
        AP/scans <- 1
        AP/devices : 04.0006 04.0047 card04
        hw qci flags=0
        AP/scans <- 1
        AP/features = -
        AP/ap_adapter_mask = not supported
        hw qci flags=0x80000000
        AP/scans <- 1
        AP/features = APSC
        ",
    );
}

#[test]
fn f04a_se_associate_takes_0_to_65535() {
    let mut rig = Rig::boot(&format!("{SECURE}hw q 3 6,71 bs=2\n"), "");
    rig.run(
        "
        Q/03.0006/se_bind <- 1
        Q/03.0006/se_associate <- 65536 ! EINVAL
        Q/03.0006/se_associate <- 65535
        Q/03.0006/se_associate = associated 65535
        Q/03.0047/se_bind <- 1
        Q/03.0047/se_associate <- 0
        Q/03.0047/se_associate = associated 0
        ",
    );
}

#[test]
fn f04b_an_association_that_the_bus_did_not_make() {
    let mut rig = Rig::boot(&format!("{SECURE}hw q 3 6,71 bs=0\n"), "");
    rig.run(
        "
        Q/03.0006/se_bind = bound
        Q/03.0006/se_associate ! EIO
        hw q 3 6 bs=1
        Q/03.0006/se_associate = unassociated
        Q/03.0006/se_associate <- 9
        Q/03.0006/se_associate = associated 9
        hw q 3 6 bs=1
        Q/03.0006/se_associate = association pending
        hw q 3 6 bs=2
        Q/03.0006/se_associate = unassociated
        hw q 3 6 bs=0
        Q/03.0006/se_associate = associated 9
        Q/03.0006/se_bind <- 0
        wait 200
        hw q 3 6 bs=0
        Q/03.0006/se_associate ! EIO
        ",
    );
}

#[test]
fn f04c_an_unbind_is_remembered_until_a_rapq_was_accepted() {
    let mut rig = Rig::boot(SECURE, "");
    rig.run(
        "
        hw q 3 6 rc=9
        clear
        Q/03.0006/se_bind <- 0
        instructions rapq 03.0006 rc=09 f
        Q/03.0006/reset <- 1
        instructions rapq 03.0006 rc=09 f
        hw q 3 6 rc=0
        Q/03.0006/reset <- 1
        instructions rapq 03.0006 rc=00 f
        wait 200
        clear
        Q/03.0006/reset <- 1
        instructions rapq 03.0006 rc=00
        ",
    );
}

#[test]
fn f05_only_a_refused_rapq_is_repeated() {
    let mut rig = Rig::boot(SMALL, "apmask=0x0");
    rig.run(
        "
        unload vfio_ap
        hw q 4 6 trc=66:2
        clear
        AP/apmask <- +4
        wait 200
        instructions rapq 04.0006 rc=00; rapq 04.0047 rc=00
        Q/04.0006/reset = Reset in progress.
        Q/04.0006/interrupt = Interrupts disabled.
        clear
        Q/04.0047/reset <- 1
        wait 200
        instructions rapq 04.0047 rc=00
        Q/04.0006/reset = No Reset Timer set.
        hw q 4 6 zrc=66:2
        Q/04.0006/reset <- 1
        clear
        Q/04.0047/reset <- 1
        wait 200
        instructions rapq 04.0047 rc=00; rapq 04.0006 rc=42
        Q/04.0047/reset <- 1
        wait 200
        instructions rapq 04.0047 rc=00; rapq 04.0006 rc=00
        ",
    );
}

#[test]
fn f06_a_checkstopped_queue_in_error_goes_on_without_rapq() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        hw q 4 71 rc=4
        AP/scans <- 1
        wait 200
        Q/04.0047/reset = No Reset Timer set.
        clear
        AP/scans <- 1
        wait 200
        instructions
        Q/04.0047/reset = Reset in progress.
        Q/04.0047/request_count = 0
        AP/scans <- 1
        Q/04.0047/reset = Reset in progress.
        instructions
        hw q 4 71 rc=0
        AP/scans <- 1
        wait 200
        instructions rapq 04.0047 rc=00
        Q/04.0047/reset = No Reset Timer set.
        hw q 4 71 rc=3
        AP/scans <- 1
        AP/scans <- 1
        wait 200
        Q/04.0047/reset = No Reset Timer set.
        ",
    );
}

#[test]
fn f07_a_poll_goes_over_the_queues_in_the_order_of_the_hash_table() {
    let machine = "hw opt fac65=1\nhw ap 3 type=14 mode=ep11\nhw apm 3\nhw aqm 4,6,20,71,84\n";
    let mut rig = Rig::boot(machine, "");
    rig.run(
        "
        wait 500
        hw ap 3 deconf=1
        AP/scans <- 1
        hw ap 3 deconf=0
        clear
        AP/scans <- 1
        wait 200
        instructions rapq 03.0004 rc=00; rapq 03.0006 rc=00; rapq 03.0014 rc=00; rapq 03.0047 rc=00; \
         rapq 03.0054 rc=00; aqic 03.0054 ir=1 rc=00; aqic 03.0047 ir=1 rc=00; aqic 03.0006 ir=1 rc=00; \
         aqic 03.0004 ir=1 rc=00; aqic 03.0014 ir=1 rc=00
        ",
    );
}

#[test]
fn f08_a_request_interrupt_is_forgotten_at_the_close() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        TYPE/create <- $M1
        open 1 g
        request 1
        close 1
        open 1 g
        clear
        M1/remove <<- 1
        log vfio_ap_mdev $M1: No device request registered, blocked until released by user
        close 1
        done
        ",
    );
}

#[test]
fn f09_asking_a_queue_that_takes_no_requests_forces_a_scan_and_tries_again() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        hw q 10 71 rc=3
        clear
        Q/0a.0047/mkvps
        uevents change /devices/ap/card0a/0a.0047 CONFIG=0 DRIVER=cex4queue
        AP/scans = 3
        hw q 10 71 rc=0
        AP/scans <- 1
        hw q 10 6 rc=4
        C/0a/serialnr == \\n
        Q/0a.0006/chkstop = 1
        hw aqm -71
        AP/scans = 6
        Q/0a.0047/mkvps ! ENODEV
        AP/scans = 7
        hw apm -4
        C/04/serialnr ! ENODEV
        AP/devices : 0a.0006 card0a
        ",
    );
}

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
fn f16_a_queue_that_is_shutting_down_is_polled() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        AP/apmask <- -4
        Q/04.0047/reset <- 1
        hw q 4 71 resetlat=5
        clear
        AP/apmask <- +4
        wait 500
        instructions zapq 04.0006 rc=00; zapq 04.0006 rc=00; rapq 04.0006 rc=00; zapq 04.0047 rc=00; \
         rapq 04.0047 rc=00; zapq 04.0047 rc=00; rapq 04.0047 rc=00
        ",
    );
}

#[test]
fn f16_one_that_a_guest_has_is_not() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        AP/apmask <- -4
        Q/04.0047/reset <- 1
        TYPE/create <- $M1
        M1/assign_adapter <- 4
        M1/assign_domain <- 71
        open 1 g
        clear
        Q/0a.0006/reset <- 1
        wait 200
        instructions rapq 0a.0006 rc=00
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
    let text = format!("{}\n", support::uuid("1"));
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
