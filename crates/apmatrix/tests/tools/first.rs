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
        ls; readlink zcrypt_1 zcrypt_1/subsystem; stat -c '%A %n' zcrypt_1/*; cat zcrypt_1/dev
        cd /sys/devices/virtual/zcrypt/zcrypt-apqn-04-6-0
        echo +0x04 > apmask; echo +6,-7 > aqmask; echo +0-255 > ioctlmask; printf 0x8 > admask
        cat apmask aqmask admask ioctlmask uevent
        env echo zcrypt_1 > /sys/class/zcrypt/create
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
    zcrypt_1
    ../../devices/virtual/zcrypt/zcrypt_1
    ../../../../class/zcrypt
    -rw-r--r-- zcrypt_1/admask
    -rw-r--r-- zcrypt_1/apmask
    -rw-r--r-- zcrypt_1/aqmask
    -r--r--r-- zcrypt_1/dev
    -rw-r--r-- zcrypt_1/ioctlmask
    lrwxrwxrwx zcrypt_1/subsystem
    -rw-r--r-- zcrypt_1/uevent
    253:1
    0x0800000000000000000000000000000000000000000000000000000000000000
    0x0200000000000000000000000000000000000000000000000000000000000000
    0x8000000000000000000000000000000000000000000000000000000000000000
    0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
    MAJOR=253
    MINOR=0
    DEVNAME=zcrypt-apqn-04-6-0
    echo: write error: File exists
    echo: write error: No such file or directory
    echo: write error: Invalid argument
    cat: -: No such device
    /sys/class/zcrypt:
    a!b
    create
    destroy
    zcrypt_1

    /sys/devices/virtual/zcrypt:
    a!b
    zcrypt_1
    ");
}
