//! Debian's mdevctl (1.2.0).

use insta::assert_snapshot;

use crate::support::{Who, after};

const IDS: &str = "U=a0000000-0000-4000-8000-000000000001 V=a0000000-0000-4000-8000-000000000002
";

/// Types, a definition with attributes, modified, started, listed, stopped, started by its parent, removed.
pub fn definitions(who: Who) {
    let said = who.ok(
        "tiny",
        &(IDS.to_owned()
            + "say mdevctl types
            echo -10 > /sys/bus/ap/apmask
            mdevctl define -u $U -p matrix -t vfio_ap-passthrough
            mdevctl modify -u $U --addattr=assign_adapter --value=10
            mdevctl modify -u $U --addattr=assign_domain --value=0x47
            mdevctl modify -u $U --addattr=assign_control_domain --value=6
            say mdevctl list --defined
            mdevctl start -u $U
            say mdevctl list -v
            say mdevctl list --dumpjson
            say cat /sys/bus/mdev/devices/$U/matrix /sys/bus/mdev/devices/$U/control_domains
            mdevctl stop -u $U
            say mdevctl list
            mdevctl modify -u $U --auto
            mdevctl define -u $V -p matrix -t vfio_ap-passthrough
            mdevctl start-parent-mdevs matrix
            say ls /sys/bus/mdev/devices
            say mdevctl list --defined
            mdevctl stop -u $U
            mdevctl undefine -u $U
            mdevctl undefine -u $V
            say mdevctl list --defined --verbose
            say ls /sys/bus/mdev/devices /etc/mdevctl.d/matrix"),
    );
    assert_snapshot!(said, @r#"
    $ mdevctl types
    matrix
      vfio_ap-passthrough
        Available instances: 65536
        Device API: vfio-ap
        Name: VFIO AP Passthrough Device

    $ mdevctl list --defined
    a0000000-0000-4000-8000-000000000001 matrix vfio_ap-passthrough manual

    $ mdevctl list -v
    a0000000-0000-4000-8000-000000000001 matrix vfio_ap-passthrough manual (defined)
      Attrs:
        @{0}: {"assign_adapter":"10"}
        @{1}: {"assign_domain":"0x47"}
        @{2}: {"assign_control_domain":"6"}

    $ mdevctl list --dumpjson
    [
      {
        "matrix": [
          {
            "a0000000-0000-4000-8000-000000000001": {
              "mdev_type": "vfio_ap-passthrough",
              "start": "manual",
              "attrs": [
                {
                  "assign_adapter": "10"
                },
                {
                  "assign_domain": "0x47"
                },
                {
                  "assign_control_domain": "6"
                }
              ]
            }
          }
        ]
      }
    ]
    $ cat /sys/bus/mdev/devices/a0000000-0000-4000-8000-000000000001/matrix /sys/bus/mdev/devices/a0000000-0000-4000-8000-000000000001/control_domains
    0a.0047
    0006
    $ mdevctl list

    $ ls /sys/bus/mdev/devices
    a0000000-0000-4000-8000-000000000001
    $ mdevctl list --defined
    a0000000-0000-4000-8000-000000000001 matrix vfio_ap-passthrough auto (active)
    a0000000-0000-4000-8000-000000000002 matrix vfio_ap-passthrough manual

    $ mdevctl list --defined --verbose

    $ ls /sys/bus/mdev/devices /etc/mdevctl.d/matrix
    /etc/mdevctl.d/matrix:

    /sys/bus/mdev/devices:
    "#);
}

/// A queue of the host's, a queue of another mdev, an id too high, an attribute that is none; each undone.
pub fn failures(who: Who) {
    let said = who.ok(
        "tiny",
        &(IDS.to_owned()
            + "echo -10 > /sys/bus/ap/apmask
            mdevctl define -u $U -p matrix -t vfio_ap-passthrough
            mdevctl modify -u $U --addattr=assign_adapter --value=10
            mdevctl modify -u $U --addattr=assign_domain --value=6
            mdevctl start -u $U
            try() {
                mdevctl define -u $V -p matrix -t vfio_ap-passthrough
                mdevctl modify -u $V --addattr=assign_domain --value=6
                mdevctl modify -u $V --addattr=$1 --value=$2
                say mdevctl start -u $V
                mdevctl undefine -u $V
                ls /sys/bus/mdev/devices
            }
            try assign_adapter 10
            try assign_adapter 4
            try assign_adapter 64
            try assign_domain 0x55
            try assign_adapter x
            try assign_adaptor 4
            say mdevctl start -u $U
            say mdevctl start -u $V -p matrix -t vfio_ap-passthroug
            mdevctl stop -u $U
            say mdevctl stop -u $U"),
    );
    assert!(after(&said, "mdevctl start").contains("Address already in use (os error 98)"), "{said}");
    assert_snapshot!(said, @r"
    $ mdevctl start -u a0000000-0000-4000-8000-000000000002
    Error: Failed to write 10 to attribute assign_adapter

    Caused by:
        Address already in use (os error 98)
    status 1
    a0000000-0000-4000-8000-000000000001
    $ mdevctl start -u a0000000-0000-4000-8000-000000000002
    Error: Failed to write 4 to attribute assign_adapter

    Caused by:
        Cannot assign requested address (os error 99)
    status 1
    a0000000-0000-4000-8000-000000000001
    $ mdevctl start -u a0000000-0000-4000-8000-000000000002
    Error: Failed to write 64 to attribute assign_adapter

    Caused by:
        No such device (os error 19)
    status 1
    a0000000-0000-4000-8000-000000000001
    $ mdevctl start -u a0000000-0000-4000-8000-000000000002
    Error: Failed to write 0x55 to attribute assign_domain

    Caused by:
        No such device (os error 19)
    status 1
    a0000000-0000-4000-8000-000000000001
    $ mdevctl start -u a0000000-0000-4000-8000-000000000002
    Error: Failed to write x to attribute assign_adapter

    Caused by:
        Invalid argument (os error 22)
    status 1
    a0000000-0000-4000-8000-000000000001
    $ mdevctl start -u a0000000-0000-4000-8000-000000000002
    Error: Invalid attribute 'assign_adaptor'
    status 1
    a0000000-0000-4000-8000-000000000001
    $ mdevctl start -u a0000000-0000-4000-8000-000000000001
    Error: Device already exists
    status 1
    $ mdevctl start -u a0000000-0000-4000-8000-000000000002 -p matrix -t vfio_ap-passthroug
    Error: Parent matrix does not support mdev type vfio_ap-passthroug
    status 1
    $ mdevctl stop -u a0000000-0000-4000-8000-000000000001
    Error: Error removing device a0000000-0000-4000-8000-000000000001

    Caused by:
        No such file or directory (os error 2)
    status 1
    ");
}
