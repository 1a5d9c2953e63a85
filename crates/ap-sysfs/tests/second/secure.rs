//! Secure Execution: bind states and associations.

use crate::{SECURE, support::Rig};

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
