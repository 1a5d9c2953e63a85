//! What an adapter is asked: serial number, master key patterns.

use crate::{
    SECURE,
    support::{Rig, SMALL},
};

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
