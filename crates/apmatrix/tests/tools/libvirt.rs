//! libvirt's node-device driver, with a daemon of its own in namespaces of its own.

use crate::support::{Who, after};

/// Everything that a libvirtd writes to is a tmpfs; the parts of /run that it and libudev read stay.
const DAEMON: &str = "
mount --bind /run/udev /mnt; mount -t tmpfs none /run; mkdir /run/udev /run/lock; mount --move /mnt /run/udev
for D in /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt; do
    [ ! -d $D ] || mount -t tmpfs none $D
done
# Nobody else exists in an ordinary user's namespace.
printf 'user = \"root\"\\ngroup = \"root\"\\n' > /etc/libvirt/qemu.conf
libvirtd > /run/libvirtd.log 2>&1 & DAEMON=$!
until_so '[ -S /run/libvirt/libvirt-sock ] || ! kill -0 $DAEMON'
v() { echo \"\\$ $*\"; timeout 20 virsh -q -c nodedev:///system \"$@\" || { echo \"status $?\"; cat /run/libvirtd.log; }; }
# The devices are found by a thread, after the socket is there.
until_so '[ -n \"$(timeout 20 virsh -q -c nodedev:///system nodedev-list --cap ap_matrix)\" ]'
";

/// Lists the AP devices; defines, starts, destroys and undefines an mdev; sees one that others make and remove.
pub fn node_devices(who: Who) {
    let script = format!(
        "{DAEMON}{}",
        "v nodedev-list --cap ap_card
        v nodedev-list --cap ap_queue
        v nodedev-list --cap ap_matrix
        v nodedev-dumpxml ap_0a_0006
        v nodedev-dumpxml ap_matrix
        echo -10 > /sys/bus/ap/apmask
        until_so 'timeout 20 virsh -c nodedev:///system nodedev-dumpxml ap_0a_0006 | grep -q vfio_ap'
        cat > /run/m.xml <<X
<device><parent>ap_matrix</parent><capability type='mdev'><type id='vfio_ap-passthrough'/>
<uuid>a0000000-0000-4000-8000-000000000001</uuid>
<attr name='assign_adapter' value='0x0a'/><attr name='assign_domain' value='6'/></capability></device>
X
        D=mdev_a0000000_0000_4000_8000_000000000001_matrix
        v nodedev-define /run/m.xml
        v nodedev-start $D
        v nodedev-list --cap mdev
        v nodedev-dumpxml $D
        echo '$ matrix'; cat /sys/bus/mdev/devices/*/matrix
        v nodedev-destroy $D
        echo '$ gone'; ls /sys/bus/mdev/devices
        v nodedev-undefine $D
        list() { timeout 20 virsh -q -c nodedev:///system nodedev-list --cap mdev; }
        U=b0000000-0000-4000-8000-000000000001
        echo $U > /sys/class/mdev_bus/matrix/mdev_supported_types/vfio_ap-passthrough/create
        until_so '[ \"$(list)\" = mdev_b0000000_0000_4000_8000_000000000001_matrix ]'
        echo 1 > /sys/bus/mdev/devices/$U/remove
        until_so '[ -z \"$(list)\" ]'
        kill $DAEMON; wait $DAEMON; echo \"$ end $?\""
    );
    let said = who.ok("tiny", &script);
    let lines = |command: &str| after(&said, command).lines().collect::<Vec<_>>();
    assert_eq!(lines("nodedev-list --cap ap_card"), ["ap_card04", "ap_card0a"], "{said}");
    let queues = ["ap_04_0006", "ap_04_0047", "ap_0a_0006", "ap_0a_0047"];
    assert_eq!(lines("nodedev-list --cap ap_queue"), queues, "{said}");
    assert_eq!(lines("nodedev-list --cap ap_matrix"), ["ap_matrix"], "{said}");
    for part in ["<parent>ap_card0a</parent>", "<name>cex4queue</name>", "<ap-domain>0x0006</ap-domain>"] {
        assert!(after(&said, "nodedev-dumpxml ap_0a_0006").contains(part), "{part}: {said}");
    }
    for part in ["<deviceAPI>vfio-ap</deviceAPI>", "<availableInstances>65536</availableInstances>"] {
        assert!(after(&said, "nodedev-dumpxml ap_matrix").contains(part), "{part}: {said}");
    }
    let name = "mdev_a0000000_0000_4000_8000_000000000001_matrix";
    assert_eq!(lines("nodedev-list --cap mdev"), [name], "{said}");
    for part in
        ["<iommuGroup number='0'/>", "<attr name='assign_domain' value='6'/>", "<name>vfio_ap_mdev</name>"]
    {
        assert!(after(&said, &format!("nodedev-dumpxml {name}")).contains(part), "{part}: {said}");
    }
    assert_eq!(lines("matrix"), ["0a.0006"], "{said}");
    assert_eq!(lines("gone"), Vec::<&str>::new(), "{said}");
    assert!(!said.contains("status ") && said.ends_with("$ end 0\n"), "{said}");
}
