//! Limits of mdevs, what is decided when vfio_ap is loaded, what the end of a guest forgets.

use crate::support::{Rig, SMALL};

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
