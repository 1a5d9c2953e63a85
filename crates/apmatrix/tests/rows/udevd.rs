//! A systemd-udevd inside a run: T15, settle and trigger, and mdevctl's own rules.

use crate::support::{after, as_each};

/// Starts udevd. Where mdevctl is not where its own rules say (Debian 12), they are told.
const UDEVD: &str = "
RULES=$(ls /lib/udev/rules.d/60-mdevctl.rules /usr/lib/udev/rules.d/60-mdevctl.rules 2>/dev/null | head -n 1)
if [ -n \"$RULES\" ]; then
    sed \"s,/usr/sbin/mdevctl,$(command -v mdevctl),\" $RULES > /etc/udev/rules.d/60-mdevctl.rules
fi
L=$(mktemp); M=$(mktemp)
$(ls /lib/systemd/systemd-udevd /usr/lib/systemd/systemd-udevd 2>/dev/null | head -n 1) > $L 2>&1 & UDEVD=$!
until_so '[ -S /run/udev/control ]'
udevadm settle -t 20
";

#[test]
fn t15_one_event_where_a_udevd_listens() {
    as_each(&["udevadm", "mdevctl"], |who| {
        let said = who.ok(
            "tiny",
            &(UDEVD.to_owned()
                + "udevadm monitor --kernel --udev > $M & P=$!
                until_so 'echo change > /sys/devices/ap/uevent; grep -q UDEV.*change $M'
                echo online > /sys/devices/ap/uevent; until_so 'grep -q UDEV.*online $M'
                udevadm settle -t 20; sleep 0.2
                grep -c KERNEL.*online $M; grep -c UDEV.*online $M
                kill $P $UDEVD; wait $UDEVD; rm $L $M"),
        );
        assert_eq!(said, "1\n1\n");
    });
}

#[test]
fn mdevctls_own_rules_start_a_defined_mdev() {
    as_each(&["udevadm", "mdevctl"], |who| {
        let said = who.ok(
            "tiny",
            &("U=a0000000-0000-4000-8000-000000000001
                echo -10 > /sys/bus/ap/apmask
                mdevctl define -u $U -p matrix -t vfio_ap-passthrough -a
                mdevctl modify -u $U --addattr=assign_adapter --value=10
                mdevctl modify -u $U --addattr=assign_domain --value=0x47
                modprobe -r vfio_ap
                "
            .to_owned()
                + UDEVD
                + "modprobe vfio_ap; say udevadm settle -t 20
                until_so '[ -e /sys/bus/mdev/devices/$U/matrix ]'; say cat /sys/bus/mdev/devices/$U/matrix
                udevadm settle -t 20; say test -c /dev/vfio/0; say udevadm trigger; say udevadm settle -t 20
                say udevadm trigger --settle --subsystem-match=ap
                say udevadm info -q property /dev/z90crypt; ls -l /dev/char/254:0 | sed 's/.* -> //'
                kill $UDEVD; wait $UDEVD; rm $L $M"),
        );
        assert_eq!(after(&said, "cat /sys/bus/mdev"), "0a.0047\n", "{said}");
        assert!(!said.contains("status ") && !said.contains("never"), "{said}");
        assert!(said.contains("DEVNAME=/dev/z90crypt\n") && said.ends_with("../vfio/0\n"), "{said}");
    });
}
