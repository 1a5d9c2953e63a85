//! H9: why a write is refused.

use std::fs;
use std::path::Path;

use ap_plan::Rule;
use serde_json::Value;

use crate::common::{apmatrix, apmatrix_in};

const UUID: &str = "62177883-f1bb-47f0-914d-32a22e3a8804";

/// A guest has adapter 4, domain 6.
fn guest() -> String {
    format!(
        "M=/sys/devices/vfio_ap/matrix; U={UUID}\necho -4 > /sys/bus/ap/apmask\n\
         echo $U > $M/mdev_supported_types/vfio_ap-passthrough/create\n\
         echo 4 > $M/$U/assign_adapter\necho 6 > $M/$U/assign_domain\nguest start g1 $U\n"
    )
}

#[test]
fn h9_the_shell_says_line_file_and_reason() {
    let text = format!("{}echo +4 > /sys/bus/ap/apmask\nwhy", guest());
    let ran = apmatrix(&["shell", "--machine", "tiny", "-c", &text]);
    assert_eq!(ran.err, "-c:7: /sys/bus/ap/apmask: Device or resource busy (EBUSY)\n");
    insta::assert_snapshot!(ran.out, @r"
    refused (EBUSY, Device or resource busy): +4 > /sys/bus/ap/apmask
    why     queue 04.0006 is assigned to mdev 62177883-f1bb-47f0-914d-32a22e3a8804,
            which guest g1 holds
    queues  04.0006 mdev 62177883-f1bb-47f0-914d-32a22e3a8804 (driver vfio_ap),
            guest g1: apmask lacks adapter 4, aqmask has domain 6
    rule    A mask gives the host no queue that an mdev has: whoever writes it has
            to take the queue from the mdev first.
            docs/reference/rules.md#in-use
    change  take adapter 4 from mdev 62177883-f1bb-47f0-914d-32a22e3a8804; guest g1
            loses what is taken while it runs
            cd /sys/devices/vfio_ap/matrix/62177883-f1bb-47f0-914d-32a22e3a8804
            echo 4 > unassign_adapter
    ");
}

#[test]
fn h9_all_mdevs_that_are_in_the_way_are_named_and_the_change_helps() {
    let other = "72177883-f1bb-47f0-914d-32a22e3a8804";
    let text = format!(
        "{}echo {other} > $M/mdev_supported_types/vfio_ap-passthrough/create\n\
         echo 4 > $M/{other}/assign_adapter\necho 71 > $M/{other}/assign_domain\n\
         why /sys/bus/ap/apmask +4\n\
         echo 4 > $M/{UUID}/unassign_adapter; echo 4 > $M/{other}/unassign_adapter; echo +4 > /sys/bus/ap/apmask",
        guest()
    );
    let ran = apmatrix(&["shell", "--machine", "tiny", "-c", &text]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{}", ran.out);
    insta::assert_snapshot!(ran.out, @r"
    would be refused (EBUSY, Device or resource busy): +4 > /sys/bus/ap/apmask
    why     queue 04.0006 is assigned to mdev 62177883-f1bb-47f0-914d-32a22e3a8804,
            which guest g1 holds; queue 04.0047 is assigned to mdev
            72177883-f1bb-47f0-914d-32a22e3a8804
    queues  04.0006 mdev 62177883-f1bb-47f0-914d-32a22e3a8804 (driver vfio_ap),
            guest g1: apmask lacks adapter 4, aqmask has domain 6
            04.0047 mdev 72177883-f1bb-47f0-914d-32a22e3a8804 (driver vfio_ap):
            apmask lacks adapter 4, aqmask has domain 71
    rule    A mask gives the host no queue that an mdev has: whoever writes it has
            to take the queue from the mdev first.
            docs/reference/rules.md#in-use
    change  take adapter 4 from mdev 62177883-f1bb-47f0-914d-32a22e3a8804; guest g1
            loses what is taken while it runs; then take adapter 4 from mdev
            72177883-f1bb-47f0-914d-32a22e3a8804
            cd /sys/devices/vfio_ap/matrix/62177883-f1bb-47f0-914d-32a22e3a8804
            echo 4 > unassign_adapter
            cd /sys/devices/vfio_ap/matrix/72177883-f1bb-47f0-914d-32a22e3a8804
            echo 4 > unassign_adapter
    ");
}

#[test]
fn octal_numbers_are_noted() {
    let ran = apmatrix(&["why", "--machine", "tiny", "apmask", "-010"]);
    insta::assert_snapshot!(ran.out, @r"
    goes through: -010 > /sys/bus/ap/apmask
    note  `010` begins with 0, so that it is octal: it means 8; adapter 8 is not
          there
    ");
}

#[test]
fn a_number_without_a_sign_is_noted_as_a_whole_mask() {
    let noted = |text: &str| {
        let ran = apmatrix(&["why", "--machine", "tiny", "apmask", text]);
        ran.out
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .contains("note without + or - it is a whole mask")
    };
    assert!(noted("4") && noted("10") && noted("0x4") && noted("0x0a"));
    for meant in ["-4", "+4", "0x0", "0xf000", "-4,-10"] {
        assert!(!noted(meant), "{meant}");
    }
}

#[test]
fn what_a_running_guest_loses_is_said_before() {
    let directory = tempfile::tempdir().expect("a directory");
    let uuid = "a0000000-0000-4000-8000-000000000001";
    let machine = format!(
        "schema = \"apmatrix.machine/1\"\ndomains = [6, 71]\napmask = \"-4\"\n[[adapter]]\nids = [4, 10]\ntype = \"CEX8P\"\n\
         [[mdev]]\nuuid = \"{uuid}\"\nadapters = 4\ndomains = [6, 71]\n[[guest]]\nname = \"g1\"\nmdev = \"{uuid}\"\n"
    );
    fs::write(directory.path().join("m.toml"), machine).expect("a file");
    let says = |file: &str, text: &str| {
        let ran =
            apmatrix_in(directory.path(), &["why", "--machine", "m.toml", &format!("{uuid}/{file}"), text]);
        ran.out.lines().filter(|line| line.starts_with("effect")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(says("unassign_domain", "6"), ["effect  guest g1, which runs, loses 1 queue"]);
    assert_eq!(says("unassign_adapter", "4"), ["effect  guest g1, which runs, loses 2 queues"]);
    assert_eq!(says("assign_control_domain", "6"), [""; 0], "no queue changes hands");
}

#[test]
fn h9_what_would_be_refused_is_said_before() {
    let ran = apmatrix(&["why", "--machine", "tiny", "apmask", "zz"]);
    assert_eq!((ran.status, ran.err.as_str()), (1, ""));
    assert!(
        ran.out.starts_with("would be refused (EINVAL, Invalid argument): zz > /sys/bus/ap/apmask\n"),
        "{}",
        ran.out
    );
    let ran = apmatrix(&["why", "--machine", "tiny", "apmask", "-4"]);
    assert_eq!(
        (ran.status, ran.out.as_str()),
        (0, "goes through: -4 > /sys/bus/ap/apmask\neffect  the host gives up 2 queues\n")
    );
    let document: Value = serde_json::from_str(
        &apmatrix(&["why", "--machine", "tiny", "bus/ap/ap_domain", "200", "--json"]).out,
    )
    .expect("a document");
    assert_eq!((&document["now"], &document["errno"]), (&"refused".into(), &"EINVAL".into()));
    let ran = apmatrix(&["why", "--machine", "tiny", "apmsk", "-4"]);
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("did you mean `bus/ap/apmask`?"), "{}", ran.err);
    // Directories, and what is only read.
    let ran = apmatrix(&["why", "--machine", "tiny", "/sys/bus/ap", "4"]);
    assert_eq!(
        (ran.status, ran.err.starts_with("error: /sys/bus/ap is a directory")),
        (1, true),
        "{}",
        ran.err
    );
    let ran = apmatrix(&["why", "--machine", "tiny", "features", "4"]);
    assert_eq!((ran.status, ran.err.starts_with("error: features is only read")), (1, true), "{}", ran.err);
    // A real host keeps nothing.
    let directory = tempfile::tempdir().expect("a directory");
    let ran = apmatrix_in(directory.path(), &["why", "--root", "."]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("say which write"), "{}", ran.err);
}

/// Each rule that is named has its place on the page that is named.
#[test]
fn h9_each_rule_has_its_page() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(apmatrix::why::PAGE);
    let page = fs::read_to_string(page).expect("the page");
    let plain: String = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for rule in Rule::ALL {
        assert!(page.contains(&format!("\n## {}\n", rule.name())), "{}", rule.name());
        assert!(plain.contains(rule.text()), "{}", rule.text());
    }
}
