//! `apmatrix shell`: a machine in the process.

use std::fs;

use insta::assert_snapshot;

use crate::common::{apmatrix, apmatrix_in};

fn tiny(text: &str) -> crate::common::Ran {
    apmatrix(&["shell", "--machine", "tiny", "-c", text])
}

#[test]
fn commands_work_on_a_booted_machine() {
    assert_snapshot!(tiny("ls /sys/bus/ap/devices; cat /sys/bus/ap/bindings").ok(), @r"
    04.0006
    04.0047
    0a.0006
    0a.0047
    card04
    card0a
    4/4 (complete)
    ");
    assert_snapshot!(tiny("echo -10 > /sys/bus/ap/apmask && readlink /sys/bus/ap/devices/0a.0006/driver").ok(), @"../../../../bus/ap/drivers/vfio_ap");
}

#[test]
fn verbs_and_events_are_there() {
    let text = "events > /dev/null; hw unplug .71; events";
    assert_snapshot!(tiny(text).ok(), @r"
    instruction zapq 04.0047 rc=01
    uevent unbind /devices/ap/card04/04.0047 SUBSYSTEM=ap DEVTYPE=ap_queue MODE=ep11
    uevent remove /devices/ap/card04/04.0047 SUBSYSTEM=ap DEVTYPE=ap_queue MODE=ep11
    instruction zapq 0a.0047 rc=01
    uevent unbind /devices/ap/card0a/0a.0047 SUBSYSTEM=ap DEVTYPE=ap_queue MODE=cca
    uevent remove /devices/ap/card0a/0a.0047 SUBSYSTEM=ap DEVTYPE=ap_queue MODE=cca
    ");
    let text = "echo 0x0 > /sys/bus/ap/apmask; cd /sys/devices/vfio_ap/matrix; U=a0000000-0000-4000-8000-000000000001; \
                echo $U > mdev_supported_types/vfio_ap-passthrough/create; echo 4 > $U/assign_adapter; \
                echo 6 > $U/assign_domain; guest start g1 $U; guest show g1; echo +4 > /sys/bus/ap/apmask; guest list";
    let ran = tiny(text);
    assert_snapshot!(format!("status {}\n{}{}", ran.status, ran.out, ran.err), @r"
    status 0
    name g1
    hook 1
    nset 1
    nclear 0
    apm 0x0800000000000000000000000000000000000000000000000000000000000000
    aqm 0x0200000000000000000000000000000000000000000000000000000000000000
    adm 0x0000000000000000000000000000000000000000000000000000000000000000
    queue 04.0006
    g1 a0000000-0000-4000-8000-000000000001
    -c:1: /sys/bus/ap/apmask: Device or resource busy (EBUSY)
    ");
}

#[test]
fn the_last_status_is_the_exit_status() {
    assert_eq!(tiny("cat /sys/none").status, 1);
    assert_eq!(tiny("exit 7").status, 7);
    let ran = tiny("hw plugg 4");
    assert_snapshot!(format!("status {}\n{}{}", ran.status, ran.out, ran.err), @r"
    status 1
    hw: `plugg` is no hw verb: expected plug, unplug, control, configure, deconfigure, checkstop, repair, type, fault, keys, set, modules or advance; did you mean `plug`?
    ");
}

#[test]
fn scripts_that_are_none_are_status_4() {
    assert_snapshot!(tiny("echo 'a").failed(), @r"
    status 4
    error: -c:1:6: this ' is never closed (add a closing ')
    ");
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("s.sh"), "echo one\nls | wc\n").expect("it can be written");
    assert_snapshot!(apmatrix_in(directory.path(), &["shell", "s.sh"]).failed(), @r"
    status 4
    error: s.sh:2:4: pipes are not supported (use $(COMMAND), or run programs under
      `apmatrix run`)
    ");
    assert_snapshot!(apmatrix_in(directory.path(), &["shell", "none.sh"]).failed(), @r"
    status 4
    error: none.sh: No such file or directory
    hint: `ls` lists the files of this directory
    ");
}
