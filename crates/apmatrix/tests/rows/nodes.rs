//! Device nodes: T2 and T3.

use crate::skip::pass_over;
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

/// A node's owner and mode say who may open it, as a file's do. (Root of a run without the right to override them is
/// somebody else.)
#[test]
fn t2_who_may_open_a_node_is_said_by_its_mode() {
    as_each(&["python3", "setpriv"], |who| {
        let said = who.ok(
            "tiny",
            "printf my > /sys/class/zcrypt/create
            plain() { setpriv --bounding-set=-dac_override sh -c 'exec 3<>/dev/my; echo opened' 2>&1 | tail -n 1; }
            plain; chmod 0 /dev/my; plain; (exec 3<>/dev/my; echo opened); chmod 666 /dev/my; plain
            python3 -c '
import os
try: os.open(\"/dev/my\", os.O_RDWR | os.O_CREAT | os.O_EXCL)
except OSError as error: print(error.strerror)'",
        );
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 5, "{said}");
        assert!(lines[1].contains("Permission denied") || lines[1].contains("cannot create"), "{said}");
        assert_eq!(
            [lines[0], lines[2], lines[3], lines[4]],
            ["opened", "opened", "opened", "File exists"],
            "{said}"
        );
    });
}

/// What a node is opened as stays open once, whatever signals come meanwhile.
#[test]
fn t2_signals_leave_no_file_open() {
    as_each(&["python3"], |who| {
        let said = who.ok(
            "tiny",
            "python3 - <<'P'
import os, signal
linux = tuple(int(n) for n in os.uname().release.split('.')[:2])
if linux < (5, 14):
    print('signals come in between')
else:
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, False)
    before = len(os.listdir('/proc/self/fd'))
    signal.setitimer(signal.ITIMER_REAL, 5e-5, 5e-5)
    for _ in range(500):
        os.close(os.open('/dev/z90crypt', os.O_RDWR))
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(len(os.listdir('/proc/self/fd')) - before)
P",
        );
        match said.trim_end() {
            "signals come in between" => pass_over("files left open by signals", "Linux before 5.14"),
            left => assert_eq!(left, "0"),
        }
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
