//! Resets and polls: a queue's state machine.

use crate::support::{Rig, SMALL};

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
