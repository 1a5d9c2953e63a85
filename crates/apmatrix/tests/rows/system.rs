//! What surrounds the machine's directories: T5, T6, T7, T17, T21, and how a sysfs behaves.

use crate::skip::skip;
use crate::support::as_each;

#[test]
fn t5_libudev_without_our_environment() {
    as_each(&["udevadm"], |who| {
        let said = who.ok(
            "tiny",
            "env -i /usr/bin/udevadm info /sys/devices/ap/card04 | grep DEVPATH
            env -i /usr/bin/stat -f -c %T /sys /sys/devices/ap /proc
            env -i /bin/sh -c 'cd /sys/bus; /usr/bin/stat -f -c %T ap ../..'",
        );
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[..4], ["E: DEVPATH=/devices/ap/card04", "sysfs", "sysfs", "proc"], "{said}");
        assert!(lines[4] == "sysfs" && lines[5] != "sysfs", "{said}");
    });
}

#[test]
fn t6_no_link_leads_nowhere() {
    as_each(&[], |who| {
        let said = who.ok("tiny", "say test -e /sys/devices/system/cpu/cpu0/subsystem; find /sys -xtype l");
        assert_eq!(said, "$ test -e /sys/devices/system/cpu/cpu0/subsystem\n");
    });
}

#[test]
fn t7_nested_namespaces_mount_afresh() {
    as_each(&["unshare"], |who| {
        let said = who.ok(
            "tiny",
            "say unshare -Urmn mount -t sysfs none /mnt
            say unshare -Urmpf mount -t proc proc /mnt",
        );
        assert_eq!(
            said,
            "$ unshare -Urmn mount -t sysfs none /mnt\n$ unshare -Urmpf mount -t proc proc /mnt\n"
        );
    });
}

#[test]
fn t7_bubblewrap_in_a_run() {
    as_each(&["bwrap"], |who| {
        let said = who.ok("tiny", "bwrap --ro-bind / / --dev /dev --proc /proc ls /sys/bus/ap/devices");
        assert_eq!(said, "04.0006\n04.0047\n0a.0006\n0a.0047\ncard04\ncard0a\n");
    });
}

#[test]
fn t17_locks_are_private() {
    if !std::path::Path::new("/run/lock").is_dir() {
        return skip("t17", "this host has no /run/lock");
    }
    as_each(&[], |who| {
        let said = who.ok("tiny", "ls -A /run/lock; echo 5 > /run/lock/ap-t17");
        assert_eq!(said, "");
        assert!(!std::path::Path::new("/run/lock/ap-t17").exists());
    });
}

#[test]
fn t21_what_was_open_when_its_device_went() {
    as_each(&["python3"], |who| {
        let said = who.ok(
            "tiny",
            "python3 - <<'P'
import os, select, stat, threading, time
U = 'a0000000-0000-4000-8000-000000000001'
def store(path, text):
    with open(path, 'w') as file: file.write(text)
store('/sys/class/mdev_bus/matrix/mdev_supported_types/vfio_ap-passthrough/create', U)
D = '/sys/devices/vfio_ap/matrix/' + U
file = os.open(D + '/matrix', os.O_RDONLY); os.read(file, 4096)
folder = os.open(D, os.O_RDONLY)
waiter = select.poll(); waiter.register(file, select.POLLPRI | select.POLLERR)
print('before', waiter.poll(20))
threading.Timer(0.2, store, (D + '/remove', '1')).start()
start = time.time(); (_, events), = waiter.poll(20000)
print('woken', events == select.POLLPRI | select.POLLERR, time.time() - start < 10)
(_, events), = waiter.poll(20000); print('again', events == select.POLLPRI | select.POLLERR)
print(os.listdir(folder), stat.S_ISDIR(os.fstat(folder).st_mode)); os.fchdir(folder)
try: os.pread(file, 10, 0)
except OSError as error: print(error.strerror)
P",
        );
        assert_eq!(said, "before []\nwoken True True\nagain True\n[] True\nNo such device\n");
    });
}

#[test]
fn it_behaves_as_a_sysfs() {
    as_each(&["python3"], |who| {
        let said = who.ok(
            "tiny",
            "python3 - <<'P'
import os
def tried(what, *arguments):
    try: print(what.__name__, what(*arguments))
    except OSError as error: print(what.__name__, error.strerror)
file = os.open('/sys/bus/ap/apmask', os.O_RDONLY)
tried(os.lseek, file, 1 << 40, os.SEEK_SET); tried(os.lseek, file, 100, os.SEEK_SET)
tried(os.fsync, os.open('/sys/bus/ap', os.O_RDONLY))
for path in ('/sys/devices/ap', '/sys/devices/ap/card04', '/sys/devices/ap/card04/04.0006'):
    print(os.stat(path).st_nlink)
os.chmod('/sys/bus/ap/apmask', 0o444); tried(os.open, '/sys/bus/ap/apmask', os.O_WRONLY)
U = 'a0000000-0000-4000-8000-000000000001'
with open('/sys/class/mdev_bus/matrix/mdev_supported_types/vfio_ap-passthrough/create', 'w') as f: f.write(U)
print(os.stat('/sys/devices/vfio_ap/matrix').st_nlink, os.listdir('/sys/kernel/iommu_groups/0'))
P",
        );
        let expected =
            "lseek Invalid argument\nlseek 100\nfsync Invalid argument\n4\n4\n2\nopen Permission denied\n4 ";
        assert!(said.starts_with(expected) && said.contains("'reserved_regions'"), "{said}");
    });
}
