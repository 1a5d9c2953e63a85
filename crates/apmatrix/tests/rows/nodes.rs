//! Device nodes: T2 and T3.

use crate::support::{after, as_each};

#[test]
fn t2_zcrypt_nodes_can_be_used() {
    as_each(&["python3"], |who| {
        let said = who.ok(
            "tiny",
            "[ ! -e /dev/my ]; printf my > /sys/class/zcrypt/create
            stat -c '%F %a' /dev/my; stat -Lc '%F' /dev/zcrypt/my
            [ \"$(printf %d:%d $(stat -c '0x%t 0x%T' /dev/my))\" = \"$(cat /sys/class/zcrypt/my/dev)\" ] && echo same
            echo +4 > /sys/class/zcrypt/my/apmask; echo +0x58 > /sys/class/zcrypt/my/ioctlmask
            python3 - <<'P'
import errno, fcntl, os
node = os.open('/dev/my', os.O_RDWR | os.O_CLOEXEC)
answer = bytearray(256)
fcntl.ioctl(node, 0x81007a58, answer)
print('status', answer[4], answer[10], answer[5])
for number in (0xc0007a05, 0x81007a59):
    try:
        fcntl.ioctl(node, number, bytearray(256)); print('taken')
    except OSError as error:
        print(errno.errorcode[error.errno])
P
            printf my > /sys/class/zcrypt/destroy; ls /dev/zcrypt; say test -e /dev/my",
        );
        assert_eq!(
            said,
            "character special file 600\ncharacter special file\nsame\nstatus 12 12 0\nEPERM\nEPERM\n\
             $ test -e /dev/my\nstatus 1\n"
        );
    });
}

#[test]
fn t2_z90crypt_answers_from_the_machine() {
    as_each(&["python3"], |who| {
        let said = who.ok(
            "tiny",
            "stat -c '%F %a' /dev/z90crypt /dev/vfio/vfio
            \"$APMATRIX\" hw deconfigure 4
            python3 - <<'P'
import ctypes, errno, os, struct
libc = ctypes.CDLL(None, use_errno=True)
node = os.open('/dev/z90crypt', os.O_RDWR)
room = ctypes.create_string_buffer(1 << 18)
def ask(fd, number, argument=room):
    return libc.ioctl(fd, ctypes.c_ulong(number), argument)
assert ask(node, 0xc0007a5f) == 0
words = struct.unpack('65536I', room.raw)
print(['%04x' % place for place, word in enumerate(words) if word])
assert ask(node, 0x80047a47) == 0
print('domain', struct.unpack_from('i', room.raw)[0])
for number in (0xc0007a04, 0xc0007a05, 0xc0007a06, 0xc0007a81, 0x5401):
    assert ask(node, number) == -1
    print(errno.errorcode[ctypes.get_errno()])
vfio = os.open('/dev/vfio/vfio', os.O_RDWR)
print('version', ask(vfio, 0x3b64, 0))
P
            modprobe -r zcrypt_cex4; say test -e /dev/z90crypt; modprobe zcrypt; say test -c /dev/z90crypt",
        );
        assert_eq!(
            said,
            "character special file 666\ncharacter special file 666\n\
             ['0406', '0447', '0a06', '0a47']\ndomain 6\nENODEV\nENODEV\nENODEV\nENODEV\nENOTTY\nversion 0\n\
             $ test -e /dev/z90crypt\nstatus 1\n$ test -c /dev/z90crypt\n"
        );
    });
}

#[test]
fn t3_devices_have_numbers() {
    as_each(&[], |who| {
        let said = who.ok(
            "tiny",
            "U=a0000000-0000-4000-8000-000000000001
            echo $U > /sys/class/mdev_bus/matrix/mdev_supported_types/vfio_ap-passthrough/create
            cat /sys/devices/virtual/vfio/0/dev /sys/devices/virtual/misc/z90crypt/dev /sys/class/misc/vfio/dev
            printf my > /sys/class/zcrypt/create
            for DEV in vfio/0 z90crypt vfio/vfio my; do
                N=$(printf %d:%d $(stat -c '0x%t 0x%T' /dev/$DEV)); cat /sys/dev/char/$N/dev
            done
            say readlink /sys/dev/char/254:0
            echo 1 > /sys/bus/mdev/devices/$U/remove; printf my > /sys/class/zcrypt/destroy
            modprobe -r zcrypt_cex4; ls /sys/dev/char /dev/vfio; ls /sys/dev/block",
        );
        let numbers: Vec<&str> = said.lines().take(7).collect();
        assert_eq!(numbers[..6], ["254:0", "10:256", "10:196", "254:0", "10:256", "10:196"], "{said}");
        assert!(numbers[6].ends_with(":0"), "{said}");
        assert_eq!(
            after(&said, "readlink"),
            "../../devices/virtual/vfio/0\n/dev/vfio:\nvfio\n\n/sys/dev/char:\n10:196\n",
            "{said}"
        );
    });
}
