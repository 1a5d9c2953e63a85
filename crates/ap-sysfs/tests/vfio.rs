//! Rules of vfio_ap (specification, page 3), one test each.

mod support;

use support::{Rig, SMALL};

#[test]
fn numbers_of_assignments_in_the_order_of_their_errors() {
    let mut rig = Rig::boot(SMALL, "apmask=+10");
    rig.run(
        "
        TYPE/create <- $M1
        TYPE/create <- $M2
        M1/assign_adapter <- 18446744073709551616 ! ERANGE
        M1/assign_adapter <- 64 ! ENODEV
        M1/assign_adapter <- 256 ! ENODEV
        M1/assign_domain <- 85 ! ENODEV
        M1/unassign_domain <- 85 ! ENODEV
        M1/unassign_control_domain <- 85 ! ENODEV
        M1/unassign_adapter <- 5
        M1/assign_domain <- 6
        M1/assign_adapter <- 10 ! EADDRNOTAVAIL
        M1/assign_adapter <- 4
        M1/assign_adapter <- 4
        M2/assign_adapter <- 4
        M2/assign_domain <- 6 ! EADDRINUSE
        M2/ap_config <- 0x0820,0x02,0x02 ! EADDRNOTAVAIL
        M2/ap_config <- 0x08000000000000008000,0x02,0x02 ! EADDRINUSE
        M2/ap_config <- 0x00000000000000008000,0x02,0x02 ! ENODEV
        M2/ap_config <- 0x08,0x02,0x02 ! EADDRINUSE
        M2/matrix == 04.\\n
        M2/control_domains == 
        M2/ap_config <- 0x04,0x02\\n
        M2/control_domains == 
        ",
    );
}

#[test]
fn a_guest_without_an_apcb_may_hold_several_mdevs_and_gets_nothing() {
    let mut rig = Rig::assigned();
    rig.run(
        "
        TYPE/create <- $M2
        guest make gz noapcb
        clear
        open 1 gz
        open 2 gz
        open 1 g1 ! EBUSY
        Q/04.0006/status = assigned
        M1/unassign_domain <- 71
        instructions zapq 04.0047 rc=00
        reset 1
        instructions zapq 04.0006 rc=00
        close 1
        instructions
        unload vfio_ap ! EAGAIN
        close 2
        close 2 ! ENOENT
        ",
    );
}

#[test]
fn opening_needs_a_kvm_that_has_no_mdev_yet() {
    let mut rig = Rig::assigned();
    rig.run(
        "
        TYPE/create <- $M2
        open 1 - ! EINVAL
        open 3 g1 ! ENOENT
        open 1 g1
        open 2 g1 ! EPERM
        open 1 g2 ! EBUSY
        Q/04.0006/status = in use
        Q/0a.0006/status = unassigned
        close 1
        open 2 g1
        ",
    );
}

#[test]
fn the_bus_never_resets_a_queue_in_a_running_guest() {
    let mut rig = Rig::assigned();
    rig.run(
        "
        open 1 g1
        clear
        Q/04.0006/reset <- 1 ! EBUSY
        hw ap 4 chkstop=1
        AP/scans <- 1
        hw ap 4 chkstop=0
        AP/scans <- 1
        instructions
        Q/04.0006/reset = No Reset Timer set.
        Q/04.0006/request_count = 0
        close 1
        clear
        Q/04.0006/reset <- 1
        instructions rapq 04.0006 rc=00
        ",
    );
}

#[test]
fn the_bus_leaves_a_running_guests_interrupts_alone() {
    let mut rig = Rig::boot(&format!("hw opt fac65=1\n{SMALL}"), "apmask=0x0");
    rig.run(
        "
        TYPE/create <- $M1
        M1/assign_adapter <- 4
        M1/assign_domain <- 6
        open 1 g1
        hw ap 4 deconf=1
        AP/scans <- 1
        hw ap 4 deconf=0
        clear
        AP/scans <- 1
        wait 1000
        instructions rapq 04.0047 rc=00; aqic 0a.0006 ir=1 rc=00; aqic 04.0047 ir=1 rc=00; aqic 0a.0047 ir=1 rc=00
        ",
    );
}

#[test]
fn while_a_removal_waits_its_assignments_count_and_its_files_are_gone() {
    let mut rig = Rig::assigned();
    rig.run(
        "
        TYPE/create <- $M2
        open 1 g1
        clear
        M1/remove <<- 1
        uevents remove /devices/vfio_ap/matrix/$M1/vfio-dev/vfio0
        log vfio_ap_mdev $M1: No device request registered, blocked until released by user
        M1 : iommu_group
        M1/matrix ! ENOENT
        M1/uevent ! ENOENT
        /sys/bus/mdev/devices : $M2
        TYPE/devices : $M2
        TYPE/available_instances = 65534
        TYPE/create <- $M1 ! EEXIST
        /sys/bus/mdev/drivers_probe <- $M1 ! ENODEV
        /sys/bus/mdev/drivers_probe <- $M2
        /sys/bus/mdev/drivers/vfio_ap_mdev/unbind <- $M1 ! ENODEV
        open 1 g2 ! ENOENT
        Q/04.0006/status = in use
        AP/apmask <- +4 ! EBUSY
        M2/assign_domain <- 6
        M2/assign_adapter <- 4 ! EADDRINUSE
        unload vfio_ap ! EAGAIN
        clear
        AP/drivers/vfio_ap/unbind <- 04.0006
        instructions set_masks g1 apm=0x0000000000000000000000000000000000000000000000000000000000000000 aqm=0x0200000000000000010000000000000000000000000000000000000000000000 adm=0x0000000000000000000000000000000000000000000000000000000000000000; zapq 04.0006 rc=00; zapq 04.0047 rc=00; zapq 04.0006 rc=00
        AP/drivers/vfio_ap/bind <- 04.0006
        clear
        close 1
        done
        instructions clear_masks g1; zapq 04.0047 rc=00; zapq 04.0006 rc=00; zapq 04.0047 rc=00; zapq 04.0006 rc=00
        log vfio_ap_mdev $M1: Removing from iommu group 0
        uevents remove /devices/virtual/vfio/0 MAJOR=254 MINOR=0 DEVNAME=vfio/0; unbind /devices/vfio_ap/matrix/$M1; remove /devices/vfio_ap/matrix/$M1
        TYPE/available_instances = 65535
        TYPE/create <- $M3
        log vfio_ap_mdev $M3: Adding to iommu group 0
        ",
    );
}

#[test]
fn every_tenth_request_to_let_go_is_logged_also_if_registered_late() {
    let mut rig = Rig::assigned();
    rig.run(
        "
        open 1 g1
        M1/remove <<- 1
        wait 25000
        request 1
        clear
        wait 70000
        log
        wait 10000
        log vfio_ap_mdev $M1: Relaying device request to user (#10)
        wait 100000
        log vfio_ap_mdev $M1: Relaying device request to user (#20)
        close 1
        done
        ",
    );
}

#[test]
fn unbinding_an_mdev_waits_for_its_guest_and_leaves_the_device() {
    let mut rig = Rig::assigned();
    rig.run(
        "
        open 1 g1
        /sys/bus/mdev/drivers/vfio_ap_mdev/unbind <<- $M1
        M1 : iommu_group mdev_type remove subsystem uevent
        /sys/bus/mdev/devices : $M1
        open 1 g2 ! ENOENT
        AP/apmask <- +4 ! EBUSY
        close 1
        done
        M1 : mdev_type remove subsystem uevent
        M1/uevent == 
        /sys/bus/mdev/drivers/vfio_ap_mdev/bind <- $M1 ! ENODEV
        /sys/bus/mdev/drivers/vfio_ap_mdev/unbind <- $M1 ! ENODEV
        /sys/bus/mdev/drivers_probe <- $M1
        TYPE/create <- $M1 ! EEXIST
        TYPE/available_instances = 65535
        AP/apmask <- +4
        clear
        M1/remove <- 1
        uevents remove /devices/vfio_ap/matrix/$M1
        TYPE/available_instances = 65536
        ",
    );
}

#[test]
fn unloading_removes_all_mdevs_oldest_first_also_unbound_ones() {
    let mut rig = Rig::assigned();
    rig.run(
        "
        TYPE/create <- $M2
        TYPE/create <- $M3
        /sys/bus/mdev/drivers/vfio_ap_mdev/unbind <- $M2
        clear
        unload vfio_ap
        log vfio_ap matrix: MDEV: Unregistering | vfio_ap_mdev $M1: Removing from iommu group 0 | vfio_ap_mdev $M3: Removing from iommu group 2
        AP/bindings = 0/4
        load vfio_ap
        AP/bindings = 4/4 (complete)
        TYPE/available_instances = 65536
        ",
    );
}

#[test]
fn aqic_enable_by_its_answer() {
    let mut rig = Rig::assigned();
    rig.run(
        "
        open 1 g1
        clear
        pqap g1 0x03000406 0x800000000003 0
        instructions pqap rc=0 gr1=0000000000060000
        pqap g1 0x03000a06 0x800000000003 0x1000
        instructions pqap rc=0 gr1=0000000000010000
        pqap g1 0x03000406 0x800000000003 0x1000
        instructions pin 1000; gisc_register g1 3; aqic 04.0006 ir=1 rc=00; pqap rc=0 gr1=0000000081000000
        pqap g1 0x03000406 0x800000000004 0x2000
        instructions pin 2000; gisc_register g1 4; aqic 04.0006 ir=1 rc=07; gisc_unregister g1 4; unpin 2000; pqap rc=0 gr1=0000000081070000
        hw q 4 6 irq=0
        pqap g1 0x03000406 0x800000000005 0x3000
        instructions pin 3000; gisc_register g1 5; aqic 04.0006 ir=1 rc=00; gisc_unregister g1 3; unpin 1000; pqap rc=0 gr1=0000000081000000
        hw ap 4 deconf=1
        pqap g1 0x03000406 0x800000000006 0x4000
        instructions pin 4000; gisc_register g1 6; aqic 04.0006 ir=1 rc=03; gisc_unregister g1 6; unpin 4000; aqic 04.0006 ir=0 rc=03; gisc_unregister g1 5; unpin 3000; pqap rc=0 gr1=0000000081030000
        close 1
        clear
        pqap g1 0x03000406 0 0
        instructions pqap rc=1 gr1=0000000000010000
        ",
    );
}

#[test]
fn aqic_disable_is_tried_five_more_times_while_busy_and_frees_in_the_end() {
    let mut rig = Rig::assigned();
    let busy = "aqic 04.0006 ir=0 rc=05; ".repeat(6);
    rig.run(&format!(
        "
        open 1 g1
        pqap g1 0x03000406 0x800000000003 0x1000
        hw q 4 6 rc=5
        clear
        pqap g1 0x03000406 0 0
        instructions {busy}gisc_unregister g1 3; unpin 1000; pqap rc=0 gr1=0000000081050000
        hw q 4 6 rc=0 irq=0
        pqap g1 0x03000406 0x800000000003 0x1000
        clear
        guest unmap g1 0x1000
        instructions aqic 04.0006 ir=0 rc=00; gisc_unregister g1 3; unpin 1000
        pqap g1 0x03000406 0 0
        instructions aqic 04.0006 ir=0 rc=07; pqap rc=0 gr1=0000000080070000
        "
    ));
}

#[test]
fn a_reset_frees_interrupts_when_it_has_ended() {
    for (fault, answers) in [
        ("q 4 6 resetlat=3", "zapq 04.0006 rc=00"),
        ("ap 4 deconf=1", "zapq 04.0006 rc=03"),
        ("ap 4 chkstop=1", "zapq 04.0006 rc=04"),
        ("q 4 6 rc=1", "zapq 04.0006 rc=01"),
    ] {
        let mut rig = Rig::assigned();
        let eio = if fault.contains("resetlat") { "" } else { " ! EIO" };
        rig.run(&format!(
            "
            M1/unassign_domain <- 71
            open 1 g1
            pqap g1 0x03000406 0x800000000003 0x1000
            hw {fault}
            clear
            reset 1{eio}
            instructions {answers}; gisc_unregister g1 3; unpin 1000
            "
        ));
    }
}

#[test]
fn a_reset_is_checked_by_tapq_to_its_end() {
    for (fault, instructions, errno) in [
        ("zrc=2:2", "zapq 04.0006 rc=02; zapq 04.0006 rc=02; zapq 04.0006 rc=00", ""),
        ("zrc=0x0a:1", "zapq 04.0006 rc=0a; zapq 04.0006 rc=00", ""),
        ("trc=0x35:1", "zapq 04.0006 rc=00; zapq 04.0006 rc=00", ""),
        ("trc=0x36:1 zrc=0x0b:0", "zapq 04.0006 rc=00; zapq 04.0006 rc=00", ""),
        // Anything else that TAPQ says ends it, and what ZAPQ answered stays (KNOWN-001).
        ("trc=0x0a:1", "zapq 04.0006 rc=00", ""),
        ("trc=1:1", "zapq 04.0006 rc=00", ""),
        ("trc=1:1 zrc=5:1", "zapq 04.0006 rc=05", " ! EIO"),
        ("zrc=0x0b:1", "zapq 04.0006 rc=0b", " ! EIO"),
        ("zrc=3:1", "zapq 04.0006 rc=03", " ! EIO"),
        ("busy=2 rip=2", "zapq 04.0006 rc=00", ""),
    ] {
        let mut rig = Rig::assigned();
        rig.run(&format!(
            "M1/unassign_domain <- 71\nopen 1 g1\nhw q 4 6 {fault}\nclear\nreset 1{errno}\ninstructions {instructions}"
        ));
    }
}

#[test]
fn a_failed_reset_keeps_an_adapter_out_at_the_next_filtering_only() {
    let mut rig = Rig::assigned();
    rig.run(
        "
        hw q 4 6 zrc=0x0b:2
        open 1 g1
        close 1
        M1/guest_matrix == 04.0006\\n04.0047\\n
        open 1 g2
        Q/04.0006/status = in use
        M1/assign_domain <- 5
        M1/guest_matrix == .0006\\n.0047\\n
        Q/04.0006/status = assigned
        M1/unassign_domain <- 5
        M1/guest_matrix == .0006\\n.0047\\n
        AP/drivers/vfio_ap/unbind <- 04.0006
        AP/drivers/vfio_ap/bind <- 04.0006
        M1/guest_matrix == 04.0006\\n04.0047\\n
        ",
    );
}

#[test]
fn what_the_machine_adds_is_plugged_in_once_when_the_scan_is_complete() {
    let mut rig = Rig::boot(SMALL, "apmask=0x0");
    rig.run(
        "
        TYPE/create <- $M1
        M1/assign_adapter <- 4
        M1/assign_adapter <- 11
        M1/assign_domain <- 6
        M1/assign_domain <- 7
        M1/assign_control_domain <- 9
        open 1 g1
        hw ap 11 type=14 mode=cca
        hw apm +11
        hw aqm +7
        hw adm +9
        clear
        AP/scans <- 1
        instructions rapq 04.0007 rc=00; rapq 0a.0007 rc=00; rapq 0b.0006 rc=00; rapq 0b.0007 rc=00; rapq 0b.0047 rc=00; set_masks g1 apm=0x0810000000000000000000000000000000000000000000000000000000000000 aqm=0x0300000000000000000000000000000000000000000000000000000000000000 adm=0x0040000000000000000000000000000000000000000000000000000000000000
        hw adm -9
        AP/scans <- 1
        instructions set_masks g1 apm=0x0810000000000000000000000000000000000000000000000000000000000000 aqm=0x0300000000000000000000000000000000000000000000000000000000000000 adm=0x0000000000000000000000000000000000000000000000000000000000000000
        ",
    );
}

#[test]
fn adapters_that_came_do_not_count_if_a_queue_of_a_domain_that_came_is_missing_or_too_old() {
    // Domain 7 comes with the adapters: 11 lacks its queue, 12 is too old. Both are seen as not added, so their
    // probes filter, and nothing is left to do when the scan is complete.
    let mut rig = Rig::boot(SMALL, "apmask=0x0");
    rig.run(
        "
        TYPE/create <- $M1
        M1/assign_adapter <- 11
        M1/assign_domain <- 6
        open 1 g1
        hw ap 11 type=14 mode=cca
        hw ap 12 type=9 mode=cca
        hw q 11 7 rc=1
        hw apm +11-12
        hw aqm +7
        clear
        AP/scans <- 1
        instructions rapq 04.0007 rc=00; rapq 0a.0007 rc=00; set_masks g1 apm=0x0010000000000000000000000000000000000000000000000000000000000000 aqm=0x0200000000000000000000000000000000000000000000000000000000000000 adm=0x0000000000000000000000000000000000000000000000000000000000000000; rapq 0b.0047 rc=00
        M1/guest_matrix = 0b.0006
        ",
    );
}

#[test]
fn a_queue_whose_ids_left_the_configuration_is_not_reset_by_vfio_ap() {
    let mut rig = Rig::assigned();
    rig.run(
        "
        open 1 g1
        hw aqm -71
        clear
        AP/scans <- 1
        instructions set_masks g1 apm=0x0800000000000000000000000000000000000000000000000000000000000000 aqm=0x0200000000000000000000000000000000000000000000000000000000000000 adm=0x0000000000000000000000000000000000000000000000000000000000000000; zapq 04.0047 rc=01; zapq 0a.0047 rc=01
        M1/matrix == 04.0006\\n04.0047\\n
        M1/guest_matrix = 04.0006
        ",
    );
}

#[test]
fn without_qci_every_guest_matrix_is_empty() {
    let mut rig = Rig::boot(&format!("hw opt fac12=0\n{SMALL}"), "apmask=0x0");
    rig.run(
        "
        AP/features = -
        AP/ap_adapter_mask = not supported
        TYPE/create <- $M1
        M1/assign_adapter <- 4
        M1/assign_domain <- 6
        M1/assign_domain <- 16 ! ENODEV
        M1/assign_adapter <- 64 ! ENODEV
        M1/matrix = 04.0006
        M1/guest_matrix == 
        ",
    );
}

#[test]
fn ap_config_updates_a_running_guest_up_to_three_times() {
    let mut rig = Rig::assigned();
    rig.run(
        "
        M1/assign_control_domain <- 6
        open 1 g1
        clear
        M1/ap_config <- 0x0020,0x02,0x0
        instructions set_masks g1 apm=0x0000000000000000000000000000000000000000000000000000000000000000 aqm=0x0200000000000000010000000000000000000000000000000000000000000000 adm=0x0200000000000000000000000000000000000000000000000000000000000000; zapq 04.0006 rc=00; zapq 04.0047 rc=00; set_masks g1 apm=0x0000000000000000000000000000000000000000000000000000000000000000 aqm=0x0200000000000000000000000000000000000000000000000000000000000000 adm=0x0200000000000000000000000000000000000000000000000000000000000000; set_masks g1 apm=0x0020000000000000000000000000000000000000000000000000000000000000 aqm=0x0200000000000000000000000000000000000000000000000000000000000000 adm=0x0000000000000000000000000000000000000000000000000000000000000000
        M1/matrix = 0a.0006
        ",
    );
}
