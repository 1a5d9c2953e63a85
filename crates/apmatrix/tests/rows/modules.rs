//! Modules: T1 and T20.

use crate::skip::pass_over;
use crate::support::{after, as_each};

/// What kmod's programs say, whoever they are: this host's, or ours where it has none.
#[test]
fn t1_modprobe_in_a_run() {
    as_each(&[], |who| {
        let said = who.ok(
            "tiny",
            "say modprobe vfio_ap; say modprobe -n -v vfio_ap
            say modprobe -r vfio_ap; say test -e /sys/module/mdev
            say modprobe -n -v vfio_ap; say test -e /sys/module/vfio_ap
            say modprobe -v vfio_ap
            say cat /sys/module/ap/refcnt /sys/module/mdev/holders/vfio_ap/initstate
            say rmmod mdev; say rmmod vfio_ap; say rmmod vfio_ap
            say modprobe nonesuch; say modprobe -q nonesuch; say modprobe ''; say modprobe ../bus
            say modinfo -F depends zcrypt_cex4
            KO=$(modinfo -n vfio_ap); say insmod $KO; say insmod $KO; say insmod /etc/passwd
            say lsmod",
        );
        let status = |command: &str| after(&said, command).lines().last().unwrap_or_default().to_owned();
        assert_eq!(after(&said, "modprobe vfio_ap"), "", "{said}");
        assert_eq!(after(&said, "modprobe -n -v vfio_ap"), "", "{said}");
        assert_eq!(status("test -e /sys/module/mdev"), "status 1", "nobody needs it any more: {said}");
        assert_eq!(status("test -e /sys/module/vfio_ap"), "status 1", "-n does nothing: {said}");
        let inserted: Vec<&str> = after(&said, "modprobe -v vfio_ap").lines().collect();
        assert!(inserted.len() == 2 && inserted[0].ends_with("/mdev.ko "), "{said}");
        assert!(inserted[1].ends_with("/vfio_ap.ko "), "{said}");
        assert_eq!(after(&said, "cat /sys/module/ap/refcnt"), "3\nlive\n", "{said}");
        assert!(said.contains("rmmod: ERROR: Module mdev is in use by: vfio_ap\nstatus 1\n"), "{said}");
        assert!(said.contains("rmmod: ERROR: Module vfio_ap is not currently loaded\nstatus 1\n"), "{said}");
        assert!(
            said.contains("modprobe: FATAL: Module nonesuch not found in directory /lib/modules/"),
            "{said}"
        );
        assert_eq!(after(&said, "modprobe -q nonesuch"), "status 1\n", "{said}");
        assert_eq!(status("modprobe ../bus"), "status 1", "what is no name is no module's: {said}");
        assert!(said.contains("\n$ modprobe \n") && status("modprobe \n") == "status 1", "{said}");
        assert_eq!(after(&said, "modinfo -F depends"), "ap,zcrypt\n", "{said}");
        assert!(said.contains("vfio_ap.ko: File exists\nstatus 1\n"), "{said}");
        assert!(said.contains("module /etc/passwd: Invalid module format\nstatus 1\n"), "{said}");
        let listed: Vec<&str> = after(&said, "lsmod").lines().collect();
        assert_eq!(listed[0], "Module                  Size  Used by");
        assert_eq!(listed[1], "vfio_ap                49152  0 ", "the last first: {said}");
        assert_eq!(listed[2], "mdev                   24576  1 vfio_ap", "{said}");
        assert!(listed[5].starts_with("ap ") && listed.len() == 6, "{said}");
    });
}

/// Whoever has another path, or names the program whole.
#[test]
fn t1_modprobe_of_the_system() {
    as_each(&[], |who| {
        let said = who.ok(
            "tiny",
            "env -i /sbin/modprobe -r vfio_ap; say test -e /sys/module/vfio_ap; lsmod | head -n 1",
        );
        assert_eq!(said, "$ test -e /sys/module/vfio_ap\nstatus 1\nModule                  Size  Used by\n");
    });
}

/// Whatever `/sys/module` and `/proc/modules` say, they say the same.
#[test]
fn t1_module_attributes() {
    as_each(&[], |who| {
        let said = who.ok(
            "tiny",
            "cd /sys/module/vfio_ap; ls; cat initstate taint initsize refcnt; ls /sys/module/ap/holders
            if [ -e /proc/modules ]; then cmp /proc/modules /sys/kernel/debug/apmatrix/modules; fi
            U=a0000000-0000-4000-8000-000000000001; echo -4 > /sys/bus/ap/apmask
            echo $U > /sys/class/mdev_bus/matrix/mdev_supported_types/vfio_ap-passthrough/create
            \"$APMATRIX\" guest start g $U; cat refcnt; say modprobe -r vfio_ap
            \"$APMATRIX\" guest stop g; say modprobe -r vfio_ap; say cat refcnt",
        );
        let expected = "coresize\nholders\ninitsize\ninitstate\nrefcnt\ntaint\nuevent\nlive\n\n0\n0\n\
            vfio_ap\nzcrypt\nzcrypt_cex4\n1\n$ modprobe -r vfio_ap\nmodprobe: FATAL: Module vfio_ap is in use.\n\
            status 1\n$ modprobe -r vfio_ap\n$ cat refcnt\ncat: refcnt: No such file or directory\nstatus 1\n";
        assert_eq!(said, expected);
    });
}

/// libkmod in a program that we know nothing of, and without our path.
#[test]
fn t20_libkmod_in_other_programs() {
    as_each(&["udevadm"], |who| {
        let said = who.ok(
            "tiny",
            "modprobe -r vfio_ap
            env -i /usr/bin/udevadm test-builtin 'kmod load vfio_ap' /sys/devices/virtual/net/lo > /dev/null 2>&1
            cat /sys/module/vfio_ap/initstate",
        );
        assert_eq!(said, "live\n");
    });
}

#[test]
fn t20_systemd_modules_load() {
    as_each(&["/lib/systemd/systemd-modules-load"], |who| {
        let said = who.ok(
            "tiny",
            "modprobe -r vfio_ap
            F=$(mktemp); echo vfio_ap > $F; /lib/systemd/systemd-modules-load $F; rm $F
            cat /sys/module/vfio_ap/initstate",
        );
        assert!(said.ends_with("live\n"), "{said}");
    });
}

/// The modules' system calls themselves, as kmod makes them: also on a host that has no kmod, where our stand-ins run.
/// Signals come meanwhile: what was carried out once is not carried out again.
#[test]
fn t1_system_calls_of_modules_take_effect_once() {
    as_each(&["python3"], |who| {
        let said = who.ok(
            "tiny",
            "KO=$(modinfo -n vfio_ap) python3 - <<'P'
import ctypes, errno, os, platform, signal
libc = ctypes.CDLL(None, use_errno=True)
DELETE, INIT = {'x86_64': (176, 175), 's390x': (129, 128)}.get(platform.machine(), (106, 105))
def call(number, *arguments):
    done = libc.syscall(ctypes.c_long(number), *arguments)
    return 'ok' if done == 0 else errno.errorcode[ctypes.get_errno()]
def delete(name):
    return call(DELETE, name, ctypes.c_uint(os.O_NONBLOCK))
def init(image):
    return call(INIT, image, ctypes.c_ulong(len(image)), b'')
def loaded():
    return os.path.exists('/sys/module/vfio_ap')
image = open(os.environ['KO'], 'rb').read()
print(delete(b'vfio_ap'), loaded(), delete(b'vfio_ap'), delete(b'nonesuch'))
print(init(image), loaded(), init(image), init(b'no module'))
linux = tuple(int(n) for n in os.uname().release.split('.')[:2])
if linux < (5, 19):
    print('signals withdraw calls')
else:
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, False)
    signal.setitimer(signal.ITIMER_REAL, 3e-4, 3e-4)
    done = {(delete(b'vfio_ap'), init(image)) for _ in range(50)}
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(done)
P",
        );
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[..2], ["ok False ENOENT ENOENT", "ok True EEXIST ENOEXEC"], "{said}");
        match lines[2] {
            "signals withdraw calls" => pass_over("signals between calls", "Linux before 5.19"),
            done => assert_eq!(done, "{('ok', 'ok')}", "{said}"),
        }
    });
}
