//! What newer kernels do differently: a test for each flag of page 7, with a host that lacks it beside one that has it.
//! (The recordings themselves are replayed elsewhere.)

mod support;

use std::collections::BTreeSet;

use ap_sysfs::Filesystem as _;
use ap_task::kernel::Ground;
use ap_task::{Flag, Kernel, Version};
use ap_vfio::IrqTarget;
use support::{Rig, SMALL, uuid};

/// A kernel that differs from 6.12 in one flag.
fn with(flag: Flag) -> Kernel {
    Kernel::default().with(flag, true)
}

/// Runs one script where the flag is, and one where it is not.
fn both(flag: Flag, script: &str, without: &str) {
    Rig::boot_on(with(flag), SMALL, "").run(script);
    Rig::boot(SMALL, "").run(without);
}

/// Gives a queue to vfio_ap by its override.
fn give(queue: &str) -> String {
    format!(
        "Q/{queue}/driver_override <- vfio_ap\nAP/drivers/cex4queue/unbind <- {queue}\n\
         AP/drivers/vfio_ap/bind <- {queue}\n"
    )
}

/// A host with overrides: an mdev has 04.0006, which its override gives to vfio_ap, and a guest runs.
fn overridden() -> Rig {
    let mut rig = Rig::boot_on(with(Flag::DriverOverride), SMALL, "");
    rig.run(&give("04.0006"));
    rig.run("TYPE/create <- $M1\nM1/assign_adapter <- 4\nM1/assign_domain <- 6\nopen 1 g1\nclear");
    rig
}

/// A host where a guest runs with 04.0006, and hears of changes.
fn guest(kernel: Kernel) -> Rig {
    let mut rig = Rig::boot_on(kernel, SMALL, "apmask=0x0");
    rig.run("TYPE/create <- $M1\nM1/assign_adapter <- 4\nM1/assign_domain <- 6\nopen 1 g1\nclear");
    rig
}

fn changes(rig: &mut Rig) -> u64 {
    rig.session.guest_config_count(&uuid("1")).expect("it is open")
}

#[test]
fn config_irq_counts_each_set_masks() {
    let mut rig = guest(with(Flag::ConfigIrq));
    assert_eq!(rig.session.guest_info(&uuid("1")).expect("it is open").num_irqs, 2);
    assert_eq!(changes(&mut rig), 0, "nothing is registered");
    rig.session.guest_config_irq(&uuid("1"), IrqTarget::Eventfd).expect("ok");
    rig.run("M1/assign_domain <- 71");
    assert_eq!((changes(&mut rig), changes(&mut rig)), (1, 0), "reading it takes it");
    rig.run("reset 1\nM1/assign_domain <- 71\nAP/scans <- 1");
    assert_eq!(changes(&mut rig), 0, "nothing has changed");
    let invalid = rig.session.guest_config_irq(&uuid("1"), IrqTarget::Invalid);
    assert_eq!(invalid.expect_err("it is no eventfd").name(), "EINVAL");
    rig.run("M1/unassign_domain <- 71");
    assert_eq!(changes(&mut rig), 1, "what was refused changes nothing");
    rig.session.guest_config_irq(&uuid("1"), IrqTarget::Off).expect("ok");
    rig.run("M1/assign_domain <- 71");
    assert_eq!(changes(&mut rig), 0);
    let kept = rig.session.guest_config_eventfd(&uuid("1")).expect("it is open").expect("one was registered");
    rig.session.guest_config_irq(&uuid("1"), IrqTarget::Eventfd).expect("ok");
    let counted =
        rig.session.guest_config_eventfd(&uuid("1")).expect("it is open").expect("one was registered");
    rig.run("M1/unassign_domain <- 71");
    rig.session.guest_config_irq(&uuid("1"), IrqTarget::Eventfd).expect("ok");
    assert_eq!(
        rig.session.eventfd_count(&uuid("1"), counted),
        Ok(1),
        "what another one replaced was signalled"
    );
    assert_eq!(rig.session.eventfd_count(&uuid("1"), counted), Ok(0), "once");
    let new = rig.session.guest_config_eventfd(&uuid("1")).expect("it is open").expect("one was registered");
    assert_ne!(kept, new);
    rig.run("close 1");
    assert_eq!(rig.session.eventfd_count(&uuid("1"), new), Ok(0), "a close signals nothing");
    rig.run("open 1 g1");
    assert_eq!(rig.session.eventfd_count(&uuid("1"), new), Ok(1), "it outlives the close");
    let mut rig = guest(Kernel::default());
    assert_eq!(rig.session.guest_info(&uuid("1")).expect("it is open").num_irqs, 1);
    let none = rig.session.guest_config_irq(&uuid("1"), IrqTarget::Eventfd);
    assert_eq!(none.expect_err("there is none").name(), "EINVAL");
}

#[test]
fn request_clears_takes_the_queues_of_a_guest_at_once_and_gives_nothing_back() {
    let cleared = "instructions clear_masks g1";
    let mut rig = guest(with(Flag::RequestClears).with(Flag::ConfigIrq, true));
    rig.session.guest_config_irq(&uuid("1"), IrqTarget::Eventfd).expect("ok");
    rig.run("M1/remove <<- 1");
    rig.run(cleared);
    assert_eq!(changes(&mut rig), 1);
    rig.run("Q/04.0006/status = in use");
    // Whatever changes the shadow APCB is kept from the guest (N25, DEV-019).
    rig.run("AP/drivers/vfio_ap/unbind <- 04.0006\nAP/drivers/vfio_ap/bind <- 04.0006\nclear");
    assert_eq!(changes(&mut rig), 0);
    rig.run("wait 10000");
    rig.run(cleared);
    rig.run("close 1\ndone");
    let mut rig = guest(Kernel::default());
    rig.run("M1/remove <<- 1\ninstructions ");
}

#[test]
fn the_bus_resets_a_queue_that_was_taken_from_its_guest() {
    let mut rig = guest(with(Flag::RequestClears));
    rig.run("Q/04.0006/reset <- 1 ! EBUSY\nM1/remove <<- 1\nclear\nQ/04.0006/reset <- 1");
    rig.run("instructions rapq 04.0006 rc=00\nhw ap 4 chkstop=1\nAP/scans <- 1\nhw ap 4 chkstop=0\nclear");
    rig.run("AP/scans <- 1\ninstructions rapq 04.0006 rc=00; rapq 04.0047 rc=00");
    rig.run("clear\nclose 1\ndone");
}

#[test]
fn a_revision_asks_nobody_about_a_queue_without_a_driver() {
    let mut rig = overridden();
    rig.run("close 1\nQ/04.0006/driver_override <- \nAP/drivers/vfio_ap/unbind <- 04.0006\nclear");
    rig.run("AP/apmask <- -200\nlog ");
}

#[test]
fn request_clears_also_where_an_mdev_is_unbound() {
    let mut rig = guest(with(Flag::RequestClears));
    rig.run("/sys/bus/mdev/drivers/vfio_ap_mdev/unbind <<- $M1\ninstructions clear_masks g1\nclose 1\ndone");
}

#[test]
fn in_use_whole_asks_about_the_added_bits_with_all_of_the_other_mask() {
    let setup = "AP/apmask <- -4\nAP/aqmask <- -6\nTYPE/create <- $M1\nM1/assign_adapter <- 4\n\
                 AP/apmask <- +4\nAP/apmask <- -4\nM1/assign_domain <- 6\nclear\n";
    let refused = "AP/apmask <- +4 ! EBUSY\n\
         log vfio_ap_mdev $M1: Can not reserve queue 04.0006 for host driver: in use by mdev\n\
         AP/aqmask <- +6 ! EBUSY\nM1/unassign_domain <- 6\nAP/apmask <- +4";
    both(
        Flag::InUseWhole,
        &format!("{setup}{refused}"),
        &format!("{setup}AP/apmask <- +4\nAP/aqmask <- +6 ! EBUSY"),
    );
}

#[test]
fn driver_override_is_there_for_queues_only() {
    both(
        Flag::DriverOverride,
        "Q/04.0006/driver_override == \\n\nC/04/driver_override ! ENOENT",
        "Q/04.0006/driver_override ! ENOENT",
    );
}

#[test]
fn driver_override_takes_the_text_up_to_a_newline_or_nul() {
    let mut rig = Rig::boot_on(with(Flag::DriverOverride), SMALL, "");
    rig.run(
        "
        Q/04.0006/driver_override <-| vfio_ap
        Q/04.0006/driver_override = vfio_ap
        Q/04.0006/driver_override <-| a b\\nc
        Q/04.0006/driver_override = a b
        Q/04.0006/driver_override <-| x\\0y
        Q/04.0006/driver_override = x
        instructions
        uevents
        Q/04.0006/driver_override <-| \\n
        Q/04.0006/driver_override == \\n
        ",
    );
    let long = "x".repeat(4095);
    rig.run("Q/04.0006/driver_override <- kept");
    rig.run(&format!("Q/04.0006/driver_override <-| {long} ! EINVAL\nQ/04.0006/driver_override = kept"));
    rig.run(&format!("Q/04.0006/driver_override <-| {}", &long[1..]));
}

#[test]
fn driver_override_and_masks_exclude_each_other() {
    Rig::boot_on(with(Flag::DriverOverride), SMALL, "").run(
        "
        AP/apmask <- -4
        Q/04.0006/driver_override <- vfio_ap ! EINVAL
        Q/04.0006/driver_override <-| \\n ! EINVAL
        AP/apmask <- +4
        Q/04.0006/driver_override <- vfio_ap
        AP/apmask <- zz ! EINVAL
        AP/apmask <- +4 ! EINVAL
        AP/aqmask <- -6 ! EINVAL
        Q/04.0006/driver_override <-| \\n
        AP/apmask <- +4
        AP/aqmask <- -6
        ",
    );
    // Masks that the kernel was booted with do not count, nor what changes nothing or is refused (N19b).
    Rig::boot_on(with(Flag::DriverOverride), SMALL, "apmask=0x0").run(
        "
        AP/apmask <- 0x0
        AP/apmask <- zz ! EINVAL
        Q/04.0006/driver_override <- cex4queue
        ",
    );
}

#[test]
fn driver_override_decides_who_may_have_a_queue() {
    let mut rig = Rig::boot_on(with(Flag::DriverOverride), SMALL, "");
    rig.run(
        "
        Q/04.0006/driver_override <- vfio_ap
        AP/drivers/vfio_ap/bind <- 04.0006 ! EBUSY
        AP/drivers/cex4queue/unbind <- 04.0006
        AP/drivers/cex4queue/bind <- 04.0006 ! ENODEV
        AP/drivers_probe <- 04.0006
        AP/drivers/vfio_ap : 04.0006 bind module uevent unbind
        Q/04.0047/driver_override <- cex4card
        AP/drivers/cex4queue/unbind <- 04.0047
        AP/drivers/vfio_ap/bind <- 04.0047 ! ENODEV
        AP/drivers_probe <- 04.0047
        AP/bindings = 3/4
        ",
    );
    // What comes again has none, and goes to the host.
    rig.run("hw apm -4\nAP/scans <- 1\nhw apm +4\nAP/scans <- 1\nAP/bindings = 4/4 (complete)");
    rig.run("Q/04.0006/driver_override == \\n\nAP/apmask <- -4");
}

#[test]
fn driver_override_says_whose_an_apqn_is() {
    let mut rig = overridden();
    rig.run(
        "
        M1/assign_domain <- 71 ! EADDRNOTAVAIL
        Q/04.0047/driver_override <- vfio_ap
        M1/assign_domain <- 71 ! EADDRNOTAVAIL
        AP/drivers/cex4queue/unbind <- 04.0047
        M1/assign_domain <- 71 ! EADDRNOTAVAIL
        AP/drivers/vfio_ap/bind <- 04.0047
        M1/assign_domain <- 71
        M1/unassign_domain <- 71
        Q/04.0047/driver_override <- cex4queue
        M1/assign_domain <- 71
        Q/04.0006/driver_override <-| \\n
        M1/assign_domain <- 71
        M1/unassign_domain <- 71
        M1/assign_domain <- 71 ! EADDRNOTAVAIL
        M1/assign_control_domain <- 71
        ",
    );
}

#[test]
fn driver_override_that_is_cleared_is_no_way_to_steal_a_queue() {
    let refused = "log vfio_ap_mdev $M1: Can not reserve queue 04.0006 for host driver: in use by mdev\n\
                   instructions \nQ/04.0006/status = in use";
    for write in ["AP/apmask <- -200 ! EBUSY", "AP/aqmask <- -200 ! EBUSY", "AP/apmask <- -5 ! EBUSY"] {
        let mut rig = overridden();
        rig.run(&format!("Q/04.0006/driver_override <-| \\n\nclear\n{write}\n{refused}"));
        // What gives the queue to guests takes nothing; nor does one that changes nothing.
        rig.run("AP/apmask <- 0x{} \n".replace("{}", &"f".repeat(64)).trim_end());
        rig.run("AP/apmask <- -4\nQ/04.0006/status = in use");
    }
    let mut rig = overridden();
    rig.run("close 1\nM1/unassign_domain <- 6\nQ/04.0006/driver_override <-| \\n\nAP/apmask <- -200");
    rig.run("Q/04.0006/status ! ENOENT");
}

#[test]
fn bindings_count_reads_the_last_announcement() {
    let mut rig = Rig::bare_on(with(Flag::BindingsCount), SMALL);
    rig.run("load ap\nload zcrypt\nAP/bindings_complete_count = 0\nload zcrypt_cex4");
    rig.run("AP/bindings_complete_count = 1\nAP/drivers/cex4queue/unbind <- 04.0006");
    rig.run("AP/drivers/cex4queue/bind <- 04.0006\nAP/scans <- 1\nAP/bindings_complete_count = 2");
    Rig::boot(SMALL, "").run("AP/bindings_complete_count ! ENOENT");
}

#[test]
fn region_info_invalid() {
    let (mut new, mut old) = (guest(with(Flag::RegionInfoInvalid)), guest(Kernel::default()));
    let says = |rig: &mut Rig| rig.session.guest_region_info(&uuid("1")).map(|_| ()).unwrap_err().name();
    assert_eq!((says(&mut new), says(&mut old)), ("EINVAL", "EOPNOTSUPP"));
}

/// The permission bits of a file.
fn mode(rig: &mut Rig, path: &str) -> u16 {
    rig.session.resolve(path).unwrap_or_else(|errno| panic!("{path}: {}", errno.name())).mode
}

#[test]
fn open_parameters_may_be_read_by_everybody() {
    let (mut new, mut old) = (Rig::boot_on(with(Flag::OpenParameters), SMALL, ""), Rig::boot(SMALL, ""));
    for (name, opened) in [("useirq", 0o444), ("apmask", 0o444), ("msgpool_min_items", 0o400)] {
        let path = format!("/sys/module/ap/parameters/{name}");
        assert_eq!((mode(&mut new, &path), mode(&mut old, &path)), (opened, 0o440), "{name}");
    }
}

#[test]
fn message_pools_of_zcrypt() {
    let threshold = "/sys/module/zcrypt/parameters/mempool_threshold";
    both(Flag::MessagePools, &format!("{threshold} = 5"), &format!("{threshold} ! ENOENT"));
    let mut rig = Rig::bare_on(with(Flag::MessagePools), SMALL);
    rig.run("load ap\nclear\nload zcrypt mempool_threshold=0 ! EINVAL\nlog \n");
    rig.run("load zcrypt mempool_threshold=x ! EINVAL");
    rig.run("log zcrypt: `x' invalid for parameter `mempool_threshold'");
    rig.run(&format!("load zcrypt mempool_threshold=7\n{threshold} = 7"));
}

#[test]
fn serial_of_default_domain_forces_a_scan_only_for_that_queue() {
    let script = |scans: u32| format!("Q/0a.0006/online <- 0\nC/0a/serialnr == \\n\nAP/scans = {scans}");
    both(Flag::SerialOfDefaultDomain, &script(2), &script(1));
    let mut rig = Rig::boot_on(with(Flag::SerialOfDefaultDomain), SMALL, "");
    rig.run("AP/drivers/cex4queue/unbind <- 0a.0006\nC/0a/serialnr == \\n\nAP/scans = 1");
}

#[test]
fn raw_depth_reads_one_less() {
    both(Flag::RawDepth, "C/04/depth = 7", "C/04/depth = 8");
}

#[test]
fn deep_queues_have_five_bits() {
    let again = "hw ap 4 qd=31\nhw apm -4\nAP/scans <- 1\nhw apm +4\nAP/scans <- 1\n";
    both(Flag::DeepQueues, &format!("{again}C/04/depth = 32"), &format!("{again}C/04/depth = 16"));
}

#[test]
fn device_syspath_is_in_fdinfo() {
    let (mut new, mut old) = (guest(with(Flag::DeviceSyspath)), guest(Kernel::default()));
    let path = format!("vfio-device-syspath: /sys/devices/vfio_ap/matrix/{}", uuid("1"));
    assert_eq!(new.session.guest_fdinfo(&uuid("1")), Ok(vec![path]));
    assert_eq!(old.session.guest_fdinfo(&uuid("1")), Ok(Vec::new()));
}

#[test]
fn answers_forgotten_or_kept_while_the_adapter_is_off() {
    let told = "hw ap 4,10 serial=93AADX04\n";
    let script =
        |after: &str| format!("C/0a/serialnr = 93AADX04\nC/0a/online <- 0\nC/0a/serialnr == {after}");
    let machine = format!("{SMALL}{told}");
    Rig::boot_on(with(Flag::AnswersForgotten), &machine, "").run(&script("\\n"));
    Rig::boot(&machine, "").run(&script("93AADX04\\n"));
}

/// Which flags have a test, and which have no effect.
#[test]
fn every_flag_has_a_test_or_no_effect() {
    let source = include_str!("third.rs");
    let named: BTreeSet<String> = source
        .lines()
        .filter_map(|line| line.strip_prefix("fn ")?.split('(').next())
        .map(str::to_owned)
        .collect();
    for flag in Flag::ALL {
        let start = flag.name().replace('-', "_");
        let tested = named.iter().any(|name| name.starts_with(&start));
        let idle = matches!(flag.ground(), Ground::NoEffect(_));
        assert!(tested != idle, "{flag}");
    }
    assert_eq!(Kernel::of(Version::V6_12), Kernel::default());
}
