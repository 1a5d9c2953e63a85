//! udevadm, and so libudev.

use insta::assert_snapshot;

use crate::support::{Who, after};

/// The devices, one with its parents, the subsystem's devices as `trigger` finds them.
pub fn info(who: Who) {
    let said = who.ok(
        "tiny",
        "say udevadm info --export-db
        say udevadm info -a -p /devices/ap/card0a/0a.0006
        say udevadm trigger --dry-run --verbose --subsystem-match=ap
        udevadm settle",
    );
    let devices: Vec<&str> =
        after(&said, "udevadm info --export-db").lines().filter(|line| line.starts_with("P: ")).collect();
    assert_eq!(
        devices,
        [
            "P: /devices/ap/card04",
            "P: /devices/ap/card04/04.0006",
            "P: /devices/ap/card04/04.0047",
            "P: /devices/ap/card0a",
            "P: /devices/ap/card0a/0a.0006",
            "P: /devices/ap/card0a/0a.0047",
            "P: /devices/vfio_ap/matrix",
            "P: /devices/virtual/misc/vfio",
            "P: /devices/virtual/misc/z90crypt",
            "P: /devices/virtual/net/lo",
        ]
    );
    for line in ["E: DEVTYPE=ap_queue", "E: DRIVER=cex4card", "E: DEV_TYPE=000D", "E: DEVNAME=/dev/z90crypt"]
    {
        assert!(said.lines().any(|known| known == line), "{line}: {said}");
    }
    let chain: Vec<&str> =
        after(&said, "udevadm info -a").lines().filter(|line| line.contains("looking")).collect();
    assert_snapshot!(chain.join("\n"), @r"
      looking at device '/devices/ap/card0a/0a.0006':
      looking at parent device '/devices/ap/card0a':
      looking at parent device '/devices/ap':
    ");
    assert!(said.contains("ATTRS{serialnr}==\"93AADX0A\""), "{said}");
    assert_eq!(after(&said, "udevadm trigger").lines().count(), 6, "{said}");
}

/// Devices that come, change and go, in both groups, in order.
pub fn monitor(who: Who) {
    let said = who.ok(
        "tiny",
        "cd /tmp; M=$(mktemp); udevadm monitor --kernel --udev > $M & P=$!
        # It listens when it hears something.
        until_so 'echo change > /sys/devices/ap/uevent; grep -q UDEV.*change $M'
        U=a0000000-0000-4000-8000-000000000001
        echo -10 > /sys/bus/ap/apmask
        echo $U > /sys/class/mdev_bus/matrix/mdev_supported_types/vfio_ap-passthrough/create
        echo 1 > /sys/bus/mdev/devices/$U/remove
        \"$APMATRIX\" hw unplug 4
        echo end > /sys/devices/ap/uevent
        until_so 'grep -q \"UDEV.*remove.*/devices/ap/card04 \" $M'
        kill $P; wait $P
        grep -E '^(KERNEL|UDEV  )\\[' $M; rm $M",
    );
    let seen = |group: &str| -> Vec<String> {
        let lines = said.lines().filter(|line| line.starts_with(group));
        let events = lines.filter_map(|line| line.split_once("] ")).map(|(_, event)| {
            let words: Vec<&str> = event.split_whitespace().collect();
            words.join(" ")
        });
        // Those of the beginning, and their like.
        events.filter(|event| event != "change /devices/ap (ap)").collect()
    };
    let kernel = seen("KERNEL[");
    assert_eq!(kernel, seen("UDEV "), "{said}");
    assert_snapshot!(kernel.join("\n"), @r"
    unbind /devices/ap/card0a/0a.0006 (ap)
    bind /devices/ap/card0a/0a.0006 (ap)
    unbind /devices/ap/card0a/0a.0047 (ap)
    bind /devices/ap/card0a/0a.0047 (ap)
    add /devices/vfio_ap/matrix/a0000000-0000-4000-8000-000000000001 (mdev)
    add /devices/virtual/vfio/0 (vfio)
    add /devices/vfio_ap/matrix/a0000000-0000-4000-8000-000000000001/vfio-dev/vfio0 (vfio-dev)
    bind /devices/vfio_ap/matrix/a0000000-0000-4000-8000-000000000001 (mdev)
    remove /devices/vfio_ap/matrix/a0000000-0000-4000-8000-000000000001/vfio-dev/vfio0 (vfio-dev)
    remove /devices/virtual/vfio/0 (vfio)
    unbind /devices/vfio_ap/matrix/a0000000-0000-4000-8000-000000000001 (mdev)
    remove /devices/vfio_ap/matrix/a0000000-0000-4000-8000-000000000001 (mdev)
    unbind /devices/ap/card04/04.0006 (ap)
    remove /devices/ap/card04/04.0006 (ap)
    unbind /devices/ap/card04/04.0047 (ap)
    remove /devices/ap/card04/04.0047 (ap)
    unbind /devices/ap/card04 (ap)
    remove /devices/ap/card04 (ap)
    ");
}
