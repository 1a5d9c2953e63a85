//! What a shell can do.

use insta::assert_snapshot;

use crate::support::Who;

/// The issue's first bar, word for word.
pub fn bar(who: Who) {
    let said = who.ok(
        "tiny",
        "ls /sys/bus/ap/devices; echo -10 > /sys/bus/ap/apmask; cat /sys/bus/ap/devices/0a.0006/status",
    );
    assert_eq!(said, "04.0006\n04.0047\n0a.0006\n0a.0047\ncard04\ncard0a\nunassigned\n");
}

/// What zcryptctl and the container plug-in do to the class `zcrypt`.
pub fn zcrypt_nodes(who: Who) {
    let said = who.ok(
        "tiny",
        "cd /sys/class/zcrypt; stat -c '%A %n' *
        printf zcrypt-apqn-04-6-0 > create; echo > create
        ls; readlink zcrypt_0 zcrypt_0/subsystem; stat -c '%A %n' zcrypt_0/*; cat zcrypt_0/dev
        cd /sys/devices/virtual/zcrypt/zcrypt-apqn-04-6-0
        echo +0x04 > apmask; echo +6,-7 > aqmask; echo +0-255 > ioctlmask; printf 0x8 > admask
        cat apmask aqmask admask ioctlmask uevent
        env echo zcrypt_0 > /sys/class/zcrypt/create
        env echo a/b > /sys/class/zcrypt/create
        env echo none > /sys/class/zcrypt/destroy
        env echo +256 > apmask
        exec 9< apmask
        printf zcrypt-apqn-04-6-0 > /sys/class/zcrypt/destroy; cat <&9
        ls /sys/class/zcrypt /sys/devices/virtual/zcrypt",
    );
    assert_snapshot!(said, @r"
    --w------- create
    --w------- destroy
    create
    destroy
    zcrypt-apqn-04-6-0
    zcrypt_0
    ../../devices/virtual/zcrypt/zcrypt_0
    ../../../../class/zcrypt
    -rw-r--r-- zcrypt_0/admask
    -rw-r--r-- zcrypt_0/apmask
    -rw-r--r-- zcrypt_0/aqmask
    -r--r--r-- zcrypt_0/dev
    -rw-r--r-- zcrypt_0/ioctlmask
    lrwxrwxrwx zcrypt_0/subsystem
    -rw-r--r-- zcrypt_0/uevent
    250:1
    0x0800000000000000000000000000000000000000000000000000000000000000
    0x0200000000000000000000000000000000000000000000000000000000000000
    0x8000000000000000000000000000000000000000000000000000000000000000
    0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
    MAJOR=250
    MINOR=0
    DEVNAME=zcrypt-apqn-04-6-0
    echo: write error: File exists
    echo: write error: Invalid argument
    echo: write error: No such device
    echo: write error: Invalid argument
    cat: -: No such device
    /sys/class/zcrypt:
    create
    destroy
    zcrypt_0

    /sys/devices/virtual/zcrypt:
    zcrypt_0
    ");
}
