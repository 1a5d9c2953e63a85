//! Rules of the bus (specification, pages 1 and 2), one test each.

mod support;

use support::{Rig, SMALL};

#[test]
fn without_flags_no_configuration_ever_changes() {
    let machine = "hw qci na=63 nd=84 flags=0\nhw ap 4 type=14 mode=ep11\nhw apm 4\nhw aqm 6\n";
    let mut rig = Rig::boot(machine, "apmask=0x0");
    rig.run(
        "
        AP/ap_max_domain_id = 15
        Q : 04.0006 card04
        TYPE/create <- $M1
        M1/assign_domain <- 6
        M1/assign_adapter <- 4
        M1/assign_adapter <- 5
        open 1 g1
        hw ap 5 type=14 mode=ep11
        hw apm +5
        clear
        AP/scans <- 1
        Q : 04.0006 05.0006 card04 card05
        instructions rapq 05.0006 rc=00
        M1/guest_matrix = 04.0006
        hw apm -5
        AP/scans <- 1
        Q : 04.0006 card04
        M1/guest_matrix = 04.0006
        ",
    );
}

#[test]
fn a_number_of_adapters_of_zero_is_taken_by_the_mdevs_as_it_is() {
    let mut rig =
        Rig::boot("hw qci na=0 nd=0 flags=0xc0000000\nhw ap 0 type=14 mode=cca\nhw apm 0\nhw aqm 0,6\n", "");
    rig.run(
        "
        AP/ap_max_adapter_id = 63
        AP/ap_max_domain_id = 15
        Q : 00.0000 00.0006 card00
        TYPE/create <- $M1
        M1/assign_adapter <- 1 ! ENODEV
        M1/assign_domain <- 1 ! ENODEV
        M1/assign_control_domain <- 0
        ",
    );
}

#[test]
fn without_apxa_the_highest_ids_are_63_and_15() {
    let mut rig = Rig::boot("hw qci na=255 nd=255 flags=0x80000000\nhw apm all\nhw aqm all\n", "");
    rig.run(
        "
        AP/ap_max_adapter_id = 63
        AP/ap_max_domain_id = 15
        AP/features = APSC
        TYPE/create <- $M1
        M1/assign_adapter <- 64 ! ENODEV
        M1/assign_domain <- 16 ! ENODEV
        M1/assign_control_domain <- 16 ! ENODEV
        AP/ap_domain <- 16 ! EINVAL
        AP/ap_domain <- 0x0f
        AP/ap_domain = 15
        ",
    );
}

#[test]
fn parameters_are_read_as_given_and_poll_thread_has_no_effect_with_interrupts() {
    let mut rig = Rig::boot("hw opt fac65=1", "poll_thread=1");
    rig.run(
        "
        AP/ap_interrupts = 1
        AP/poll_thread = 0
        /sys/module/ap/parameters/poll_thread = 1
        AP/poll_thread <- 1
        AP/poll_thread = 0
        ",
    );
    let mut rig = Rig::boot("hw opt fac65=1", "poll_thread=1 useirq=0 domain=0x06");
    rig.run(
        "
        AP/ap_interrupts = 0
        AP/poll_thread = 1
        AP/ap_domain = 6
        /sys/module/ap/parameters/useirq = 0
        /sys/module/ap/parameters/poll_thread = 1
        /sys/module/ap/parameters/domain = 6
        /sys/module/ap/parameters/apmask = (null)
        ",
    );
}

#[test]
fn a_domain_parameter_out_of_range_or_not_in_aqmask_is_logged_and_dropped() {
    for (parameters, log, chosen) in [
        ("domain=85", "ap: 85 is not a valid cryptographic domain", "6"),
        ("domain=300", "ap: 300 is not a valid cryptographic domain", "6"),
        ("domain=6 aqmask=+71", "ap: 6 is not a valid cryptographic domain", "71"),
        ("domain=-1", "", "6"),
        ("domain=84", "", "84"),
    ] {
        let mut rig = Rig::boot(SMALL, "");
        rig.run("unload vfio_ap\nunload zcrypt_cex4\nunload zcrypt\nunload ap\nclear");
        rig.run(&format!("load ap {parameters}\nlog {log}\nAP/ap_domain = {chosen}"));
    }
}

#[test]
fn modules_answer_eagain_while_needed_and_enoent_when_not_loaded() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        load ap ! EEXIST
        unload ap ! EAGAIN
        unload mdev ! EAGAIN
        unload zcrypt ! EAGAIN
        unload zcrypt_cex4
        unload zcrypt_cex4 ! ENOENT
        unload zcrypt
        load zcrypt_cex4 ! ENOENT
        unload vfio_ap
        unload ap
        load vfio_ap ! ENOENT
        unload mdev
        load mdev
        load ap poll_thread=no ! EINVAL
        load ap
        ",
    );
    let mut rig = Rig::boot("hw opt instr=0\nload ap ! ENODEV\nload mdev\nunload mdev\nhw opt instr=1", "");
    rig.run("AP/scans = 1");
}

#[test]
fn a_bus_begins_with_autoprobe_on() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        AP/drivers_autoprobe <- 0
        /sys/bus/matrix/drivers_autoprobe <- 0
        /sys/bus/mdev/drivers_autoprobe <- 0
        unload vfio_ap
        unload mdev
        load mdev
        load vfio_ap
        /sys/bus/matrix/drivers_autoprobe = 1
        /sys/bus/mdev/drivers_autoprobe = 1
        AP/drivers_autoprobe = 0
        ",
    );
}

#[test]
fn types_below_10_and_unknown_types_without_qact_make_no_card() {
    let machine = "hw ap 1 type=9 mode=cca\nhw ap 2 type=15 mode=cca\nhw ap 3 type=10 mode=none\n\
                   hw apm 1-3\nhw aqm 6\n";
    let mut rig = Rig::boot(machine, "");
    rig.run("Q : 03.0006 card03\nAP/bindings = 0/1\nAP/drivers/cex4card/bind <- card03 ! ENODEV");
    let mut rig = Rig::boot(&format!("hw qci flags=0xe0000000\n{machine}"), "");
    rig.run(
        "
        Q : 02.0006 03.0006 card02 card03
        C/02/hwtype = 14
        C/02/raw_hwtype = 15
        C/02/type = CEX8C
        C/03/uevent == DEVTYPE=ap_card\\nDEV_TYPE=000A\\nMODALIAS=ap:t0A\\n
        C/03/type ! ENOENT
        ",
    );
    // QACT that does not answer NORMAL counts as none.
    let mut rig = Rig::boot(&format!("hw qci flags=0xe0000000\n{machine}hw ap 2 deconf=1\n"), "");
    rig.run("Q : 03.0006 card03\nhw ap 2 deconf=0\nAP/scans <- 1\nQ : 02.0006 03.0006 card02 card03");
}

#[test]
fn a_scan_takes_over_one_change_of_a_queue() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        hw ap 4 chkstop=1
        AP/scans <- 1
        Q/04.0006/chkstop = 1
        hw ap 4 deconf=1
        clear
        AP/scans <- 1
        Q/04.0006/chkstop = 0
        Q/04.0006/config = 1
        uevents change /devices/ap/card04 CONFIG=0 DRIVER=cex4card
        AP/scans <- 1
        Q/04.0006/config = 0
        hw ap 4 deconf=0 chkstop=0
        clear
        AP/scans <- 1
        Q/04.0006/config = 1
        instructions rapq 04.0006 rc=00; rapq 04.0047 rc=00
        Q/04.0006/reset = No Reset Timer set.
        ",
    );
}

#[test]
fn a_scan_neither_errs_nor_resets_an_uninitiated_queue() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        AP/drivers/cex4queue/unbind <- 04.0006
        Q/04.0006/request_count = -
        hw q 4 6 rc=3
        clear
        AP/scans <- 1
        Q/04.0006/config = 0
        uevents change /devices/ap/card04 CONFIG=0 DRIVER=cex4card; change /devices/ap/card04/04.0006 CONFIG=0
        hw q 4 6 rc=0
        AP/scans <- 1
        instructions
        Q/04.0006/config = 1
        Q/04.0006/request_count = -
        Q/04.0006/reset <- 1
        instructions
        Q/04.0006/reset = Reset in progress.
        AP/drivers/cex4queue/bind <- 04.0006
        instructions rapq 04.0006 rc=00
        Q/04.0006/reset = No Reset Timer set.
        ",
    );
}

#[test]
fn a_queue_in_error_repeats_a_refused_rapq_at_each_later_poll() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        hw q 4 6 trc=0x0b:1
        clear
        Q/04.0006/reset <- 1
        instructions rapq 04.0006 rc=00
        Q/04.0006/reset = Reset in progress.
        AP/poll_timeout <- 250000
        instructions
        Q/04.0006/reset = No Reset Timer set.
        hw q 4 6 zrc=0x0b:2
        Q/04.0006/reset <- 1
        Q/04.0006/reset = Reset in progress.
        AP/poll_timeout <- 250000
        instructions rapq 04.0006 rc=0b; rapq 04.0006 rc=0b
        AP/poll_timeout <- 250000
        instructions rapq 04.0006 rc=00
        ",
    );
}

#[test]
fn the_config_of_a_card_sends_its_event_even_without_a_change() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        C/04/config <- 1
        instructions
        uevents change /devices/ap/card04 CONFIG=1 DRIVER=cex4card
        C/04/config <- 0
        instructions sclp_deconfigure 04
        Q/04.0006/config = 1
        C/04/online = 0
        C/04/online <- 1 ! ENODEV
        C/04/online <- 2 ! EINVAL
        C/04/config <- 2 ! EINVAL
        C/04/config <-  -1 ! EINVAL
        AP/scans <- 1
        Q/04.0006/config = 0
        Q/04.0006/online <- 1 ! ENODEV
        Q/04.0006/online <- 2 ! EINVAL
        C/04/config <- 4294967297
        C/04/config = 1
        ",
    );
}

#[test]
fn a_card_switches_its_queues_in_the_order_in_which_they_were_bound() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        AP/drivers/cex4queue/unbind <- 04.0006
        AP/drivers/cex4queue/bind <- 04.0006
        clear
        C/04/online <- 0
        uevents change /devices/ap/card04 ONLINE=0 DRIVER=cex4card; change /devices/ap/card04/04.0047 ONLINE=0 DRIVER=cex4queue; change /devices/ap/card04/04.0006 ONLINE=0 DRIVER=cex4queue
        Q/04.0006/online <- 1 ! EINVAL
        Q/04.0006/online <- 0
        uevents change /devices/ap/card04/04.0006 ONLINE=0 DRIVER=cex4queue
        ",
    );
}

#[test]
fn an_attribute_that_finds_no_usable_queue_forces_one_scan_per_read() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        AP/scans = 1
        C/0a/serialnr == \\n
        AP/scans = 1
        C/0a/online <- 0
        C/0a/serialnr == \\n
        AP/scans = 2
        Q/0a.0006/mkvps
        AP/scans = 3
        Q/04.0006/online <- 0
        Q/04.0006/mkvps == WK CUR: - -\\nWK NEW: - -\\n
        Q/04.0006/op_modes == \\n
        AP/scans = 3
        C/04/op_modes == \\n
        AP/scans = 3
        AP/apmask <- -4
        C/04/FW_version == \\n
        AP/scans = 4
        C/04/API_ordinalnr == \\n
        AP/scans = 5
        ",
    );
}

#[test]
fn cca_queues_are_never_usable_in_a_secure_execution_guest() {
    let machine =
        format!("hw qci flags=0xc0800000\nhw opt se=1\n{SMALL}hw ap 11 type=13 mode=none\nhw apm +11\n");
    let mut rig = Rig::boot(&machine, "");
    rig.run(
        "
        Q/0a.0006/se_bind ! ENOENT
        Q/0b.0006/se_bind ! ENOENT
        Q/04.0006/se_bind = bound
        C/0a/serialnr == \\n
        AP/scans = 2
        Q/0a.0006/mkvps
        AP/scans = 3
        C/04/serialnr == \\n
        AP/scans = 3
        hw q 4 6,71 bs=2
        C/04/serialnr == \\n
        AP/scans = 3
        AP/scans <- 1
        C/04/serialnr == \\n
        AP/scans = 5
        ",
    );
}

#[test]
fn secure_execution_numbers_and_states() {
    let machine =
        format!("hw qci flags=0xc0800000\nhw opt se=1\n{SMALL}hw ap 11 type=13 mode=accel\nhw apm +11\n");
    let mut rig = Rig::boot(&machine, "");
    rig.run(
        "
        Q/0b.0006/se_associate = -
        Q/0b.0006/se_associate <- junk ! EINVAL
        Q/0b.0006/se_associate <- 1 ! EINVAL
        hw q 4 6 bs=2
        Q/04.0006/se_associate <- 1 ! EINVAL
        Q/04.0006/se_bind <- on
        Q/04.0006/se_bind <- 1 ! EINVAL
        Q/04.0006/se_associate <- 65536 ! EINVAL
        Q/04.0006/se_associate <- 4294967296 ! ERANGE
        Q/04.0006/se_associate <- 18446744073709551616 ! ERANGE
        Q/04.0006/se_associate <- 65534
        Q/04.0006/se_associate = associated 65534
        hw q 4 6 rc=3
        Q/04.0006/se_bind <- 1 ! EIO
        clear
        Q/04.0006/se_bind <- 0
        instructions rapq 04.0006 rc=03 f
        hw q 4 6 rc=9
        Q/04.0006/se_bind ! EIO
        Q/04.0006/ap_functions ! EIO
        ",
    );
}

#[test]
fn names_are_taken_to_the_letter_but_for_one_newline() {
    let mut rig = Rig::boot(SMALL, "");
    let attributes = ["AP/drivers/cex4queue/bind", "AP/drivers/cex4queue/unbind", "AP/drivers_probe"];
    let names =
        ["04.0006\\n", " 04.0006", "04.0006 ", "4.6", "04.006", "CARD04", "0A.0006", "04.0106", "junk", ""];
    for attribute in attributes {
        for name in names {
            rig.run(&format!("{attribute} <- {name} ! ENODEV"));
        }
    }
    rig.run(
        "
        AP/drivers_probe <- 04.0006\\0junk
        AP/drivers_probe <-| card04
        AP/drivers/cex4queue/bind <- 04.0006\\0 ! EBUSY
        AP/drivers/vfio_ap/bind <- 04.0006 ! EBUSY
        AP/drivers/cex4queue/bind <- card04 ! ENODEV
        AP/drivers/cex4card/bind <- 04.0006 ! ENODEV
        AP/drivers/cex4card/bind <- card04 ! EBUSY
        AP/drivers/vfio_ap/unbind <- 04.0006 ! ENODEV
        AP/drivers/cex4card/unbind <- card04
        AP/drivers/cex4queue/unbind <- 04.0006
        AP/drivers/cex4queue/bind <- 04.0006 ! ENODEV
        AP/drivers/cex4card/bind <- card04
        AP/drivers/cex4queue/bind <- 04.0006
        ",
    );
}

#[test]
fn bindings_complete_is_announced_once_after_each_probe_by_the_next_scan() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        AP/drivers/cex4queue/unbind <- 04.0006
        AP/scans <- 1
        AP/drivers/cex4queue/bind <- 04.0006
        clear
        AP/scans <- 1
        uevents change /devices/ap BINDINGS=complete COMPLETECOUNT=2
        AP/scans <- 1
        uevents
        AP/drivers/cex4card/unbind <- card04
        AP/drivers/cex4card/bind <- card04
        clear
        AP/scans <- 1
        uevents change /devices/ap BINDINGS=complete COMPLETECOUNT=3
        ",
    );
}

#[test]
fn autoprobe_off_keeps_new_devices_unbound_but_not_those_of_a_mask_write() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        AP/drivers_autoprobe <- 0
        hw ap 11 type=14 mode=accel
        hw apm +11
        clear
        AP/scans <- 1
        instructions rapq 0b.0006 rc=00; rapq 0b.0047 rc=00
        Q/0b.0006/request_count = 0
        Q/0b.0006/reset = Reset in progress.
        AP/bindings = 4/6
        AP/apmask <- -11
        AP/bindings = 4/6
        AP/apmask <- +11
        AP/bindings = 4/6
        AP/drivers_probe <- card0b
        AP/apmask <- -4
        AP/bindings = 6/6 (complete)
        ",
    );
}

#[test]
fn every_device_says_what_it_is_in_its_events() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        TYPE/create <- $M1
        C/04/uevent == DEVTYPE=ap_card\\nDRIVER=cex4card\\nDEV_TYPE=000E\\nMODALIAS=ap:t0E\\nMODE=ep11\\n
        Q/04.0006/uevent == DEVTYPE=ap_queue\\nDRIVER=cex4queue\\nMODE=ep11\\n
        /sys/devices/ap/uevent == 
        MX/uevent == DRIVER=vfio_ap\\n
        M1/uevent == DRIVER=vfio_ap_mdev\\n
        M1/vfio-dev/vfio0/uevent == 
        /sys/devices/virtual/vfio/0/uevent == MAJOR=254\\nMINOR=0\\nDEVNAME=vfio/0\\n
        AP/uevent ! EACCES
        clear
        C/04/uevent <-| move
        M1/uevent <- offline
        /sys/module/ap/uevent <- change 11111111-1111-1111-1111-111111111111 A=1 B=2
        uevents move /devices/ap/card04 SYNTH_UUID=0 DRIVER=cex4card; offline /devices/vfio_ap/matrix/$M1 SYNTH_UUID=0 DRIVER=vfio_ap_mdev; change /module/ap SYNTH_UUID=11111111-1111-1111-1111-111111111111 SYNTH_ARG_A=1 SYNTH_ARG_B=2
        C/04/uevent <- Add ! EINVAL
        C/04/uevent <- add\\n ! EINVAL
        C/04/uevent <-  add ! EINVAL
        C/04/uevent <- add junk ! EINVAL
        C/04/uevent <- add 11111111-1111-1111-1111-111111111111 A ! EINVAL
        uevents
        ",
    );
}

#[test]
fn settings_outside_their_range_change_nothing() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "
        AP/config_time <- 4 ! EINVAL
        AP/config_time <- 121 ! EINVAL
        AP/config_time <- 5x
        AP/config_time = 5
        AP/poll_timeout <- 120000000001 ! EINVAL
        AP/poll_timeout <- 18446744073709551616 ! ERANGE
        AP/ap_domain <- 85 ! EINVAL
        AP/ap_domain <-  -1 ! EINVAL
        AP/aqmask <- -5
        AP/ap_domain <- 5 ! EINVAL
        AP/ap_domain <- 0x47junk
        AP/ap_domain = 71
        AP/aqmask <- -71
        AP/scans <- 1
        AP/ap_domain = 71
        ",
    );
}

#[test]
fn the_periodic_scan_comes_config_time_after_the_end_of_the_last_one() {
    let mut rig = Rig::boot(SMALL, "");
    rig.run(
        "AP/config_time <- 10\nwait 9000\nAP/scans = 1\nwait 1000\nAP/scans = 2\nwait 8000\nAP/scans = 2",
    );
    rig.run("AP/config_time <- 20\nwait 19000\nAP/scans = 2\nwait 1000\nAP/scans = 3");
}
