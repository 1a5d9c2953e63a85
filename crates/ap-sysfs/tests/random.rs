//! Random operations on a small machine: no panic, nothing stays pending but a removal, every invariant holds.

mod support;

use ap_host::invariants;
use ap_sysfs::errno::Errno;
use ap_sysfs::front::{Called, Filesystem};
use proptest::prelude::*;
use support::{Rig, uuid};

/// One operation, as a line of a script.
fn operation() -> impl Strategy<Value = String> {
    let adapter = prop_oneof![Just(4u8), Just(5), Just(10)];
    let domain = prop_oneof![Just(5u8), Just(6), Just(71)];
    let n = 1..4u8;
    let sign = prop_oneof![Just('+'), Just('-')];
    let queue = (adapter.clone(), domain.clone()).prop_map(|(a, d)| format!("{a:02x}.{d:04x}"));
    let driver = prop_oneof![Just("cex4queue"), Just("vfio_ap")];
    let verb = prop_oneof![Just("bind"), Just("unbind")];
    prop_oneof![
        1 => (sign.clone(), adapter.clone()).prop_map(|(s, a)| format!("AP/apmask <- {s}{a}")),
        1 => (sign.clone(), domain.clone()).prop_map(|(s, d)| format!("AP/aqmask <- {s}{d}")),
        1 => (sign.clone(), adapter.clone()).prop_map(|(s, a)| format!("hw apm {s}{a}")),
        1 => (sign.clone(), domain.clone()).prop_map(|(s, d)| format!("hw aqm {s}{d}")),
        1 => (sign, domain.clone()).prop_map(|(s, d)| format!("hw adm {s}{d}")),
        4 => Just("AP/scans <- 1".to_owned()),
        1 => n.clone().prop_map(|n| format!("TYPE/create <- $M{n}")),
        1 => n.clone().prop_map(|n| format!("M{n}/remove <- 1")),
        1 => n.clone().prop_map(|n| format!("/sys/bus/mdev/drivers/vfio_ap_mdev/unbind <- $M{n}")),
        4 => (n.clone(), adapter.clone()).prop_map(|(n, a)| format!("M{n}/assign_adapter <- {a}")),
        4 => (n.clone(), domain.clone()).prop_map(|(n, d)| format!("M{n}/assign_domain <- {d}")),
        1 => (n.clone(), adapter.clone()).prop_map(|(n, a)| format!("M{n}/unassign_adapter <- {a}")),
        1 => (n.clone(), domain.clone()).prop_map(|(n, d)| format!("M{n}/unassign_domain <- {d}")),
        1 => (n.clone(), domain.clone()).prop_map(|(n, d)| format!("M{n}/assign_control_domain <- {d}")),
        1 => (n.clone(), 0..16u8, 0..16u8).prop_map(|(n, a, d)| format!("M{n}/ap_config <- 0x0{a:x},0x0{d:x},0x02")),
        2 => (n.clone(), 1..3u8).prop_map(|(n, g)| format!("open {n} g{g}")),
        1 => n.clone().prop_map(|n| format!("open {n} gz")),
        2 => n.clone().prop_map(|n| format!("close {n}")),
        1 => n.clone().prop_map(|n| format!("reset {n}")),
        1 => n.prop_map(|n| format!("request {n}")),
        1 => (1..3u8, queue.clone(), any::<bool>())
            .prop_map(|(g, q, on)| format!("guest aqic g{g} {q} {}", if on { "on" } else { "off" })),
        1 => (driver, verb, queue.clone()).prop_map(|(d, v, q)| format!("AP/drivers/{d}/{v} <- {q}")),
        1 => queue.clone().prop_map(|q| format!("AP/drivers_probe <- {q}")),
        1 => queue.prop_map(|q| format!("Q/{q}/reset <- 1")),
        1 => (adapter.clone(), any::<bool>()).prop_map(|(a, on)| format!("hw ap {a} deconf={}", u8::from(on))),
        1 => (adapter.clone(), any::<bool>()).prop_map(|(a, on)| format!("hw ap {a} chkstop={}", u8::from(on))),
        1 => (adapter.clone(), any::<bool>()).prop_map(|(a, on)| format!("C/{a:02x}/config <- {}", u8::from(on))),
        1 => (adapter, domain, fault()).prop_map(|(a, d, f)| format!("hw q {a} {d} {f}")),
        1 => prop_oneof![Just("vfio_ap"), Just("zcrypt_cex4")].prop_map(|m| format!("unload {m}")),
        1 => prop_oneof![Just("vfio_ap"), Just("zcrypt_cex4")].prop_map(|m| format!("load {m}")),
        1 => Just("wait 11000".to_owned()),
    ]
}

/// Faults that end.
fn fault() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("rc=0".to_owned()),
        Just("rc=1".to_owned()),
        Just("rc=11".to_owned()),
        (0..4u8).prop_map(|n| format!("resetlat={n}")),
        (0..3u8).prop_map(|n| format!("busy={n}")),
        (prop_oneof![Just(1u8), Just(2), Just(3), Just(5), Just(10), Just(11)], 0..3u8)
            .prop_map(|(rc, n)| format!("zrc={rc}:{n}")),
        (prop_oneof![Just(1u8), Just(2), Just(10), Just(0x35)], 0..3u8)
            .prop_map(|(rc, n)| format!("trc={rc}:{n}")),
    ]
}

fn run(operations: &[String]) {
    let machine = "hw ap 4 type=14 mode=ep11\nhw ap 5 type=14 mode=accel\nhw ap 10 type=13 mode=cca\n\
                   hw apm 4,10\nhw aqm 6,71\nhw adm 6\nguest make gz noapcb\n";
    let mut rig = Rig::boot(machine, "apmask=+10");
    for (at, line) in operations.iter().enumerate() {
        let waits = perform(&mut rig, line);
        rig.pass(200);
        assert_eq!(rig.session.panics(), &[] as &[String], "{operations:#?}");
        assert!(
            !waits || line.contains("/remove") || line.contains("mdev/unbind"),
            "{line} waits: {operations:#?}"
        );
        if rig.session.quiescent() {
            let broken = invariants::check(&rig.snapshot());
            assert!(broken.is_empty(), "{broken:?} after {at} {line}: {operations:#?}");
        }
    }
    // Whatever waits ends when the guests let go.
    for n in 1..4 {
        let _ = rig.session.guest_close(&uuid(&n.to_string()));
    }
    rig.pass(200);
    assert!(rig.session.quiescent(), "{operations:#?}");
}

/// Whether it waits. What it answers is not looked at.
fn perform(rig: &mut Rig, line: &str) -> bool {
    match line.split_once(" <- ") {
        Some((path, text)) => {
            let path = support::path_of(path);
            let text = support::text_of(text);
            let Ok(entry) = rig.session.resolve_following(&path) else { return false };
            matches!(
                rig.session.store_within(entry.ino, format!("{text}\n").as_bytes(), 5_000),
                Called::Pending(_)
            )
        }
        None => rig.attempt(line) == Err(Errno::EAGAIN) && !line.starts_with("unload"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn random_operations_keep_every_invariant(operations in proptest::collection::vec(operation(), 1..60)) {
        run(&operations);
    }
}
