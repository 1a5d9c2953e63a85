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
    or      take domain 6 from mdev 62177883-f1bb-47f0-914d-32a22e3a8804; guest g1
            loses what is taken while it runs
            cd /sys/devices/vfio_ap/matrix/62177883-f1bb-47f0-914d-32a22e3a8804
            echo 6 > unassign_domain
    ");
}

#[test]
fn why_says_that_writes_have_gone_through_since_the_refusal() {
    let text =
        format!("{}echo +4 > /sys/bus/ap/apmask\necho 71 > $M/$U/assign_domain\nhw plug 5\nwhy", guest());
    let ran = apmatrix(&["shell", "--machine", "tiny", "-c", &text]);
    // What is plugged says so; it is no write to an attribute.
    let mut lines = ran.out.lines().skip(1);
    assert_eq!(lines.next(), Some("the last refusal; 1 write has gone through since"), "{}", ran.out);
    assert_eq!(
        lines.next(),
        Some("refused (EBUSY, Device or resource busy): +4 > /sys/bus/ap/apmask"),
        "{}",
        ran.out
    );
}

/// `mdevctl start` removes the mdev of which something was refused.
#[test]
fn why_is_about_the_mdev_as_it_was_when_it_is_gone_since() {
    let text = format!(
        "M=/sys/devices/vfio_ap/matrix; U={UUID}\necho $U > $M/mdev_supported_types/vfio_ap-passthrough/create\n\
         echo 4 > $M/$U/assign_adapter\necho 6 > $M/$U/assign_domain\necho 1 > $M/$U/remove\nwhy"
    );
    let ran = apmatrix(&["shell", "--machine", "tiny", "-c", &text]);
    insta::assert_snapshot!(ran.out, @r"
    the last refusal; 1 write has gone through since
    refused (EADDRNOTAVAIL, Cannot assign requested address): 6 >
      /sys/devices/vfio_ap/matrix/62177883-f1bb-47f0-914d-32a22e3a8804/assign_domain
    why     queue 04.0006 is the host's, by apmask and aqmask
    note    its mdev is gone since: this is said of it as it was
    queues  04.0006 the host's (driver cex4queue): apmask has adapter 4, aqmask has
            domain 6
    rule    A queue is the host's if apmask has its adapter and aqmask has its
            domain; one with an override, if the host's driver has it. An mdev gets
            no queue that is the host's.
            docs/reference/rules.md#reserved
    change  the host gives up 2 queues
            echo -4 > /sys/bus/ap/apmask
    or      the host gives up 2 queues, of adapters 4, 10
            echo -6 > /sys/bus/ap/aqmask
    ");
}

#[test]
fn why_says_that_it_would_be_refused_for_another_reason_by_now() {
    let text = format!(
        "M=/sys/devices/vfio_ap/matrix; U={UUID}; V=a0000000-0000-4000-8000-000000000001\n\
         echo $U > $M/mdev_supported_types/vfio_ap-passthrough/create\n\
         echo $V > $M/mdev_supported_types/vfio_ap-passthrough/create\n\
         echo 4 > $M/$U/assign_adapter\necho 6 > $M/$U/assign_domain\necho -4 > /sys/bus/ap/apmask\n\
         echo 4 > $M/$V/assign_adapter\necho 6 > $M/$V/assign_domain\nwhy"
    );
    let ran = apmatrix(&["shell", "--machine", "tiny", "-c", &text]);
    let said = crate::common::one_line(&ran.out);
    let wanted = "was refused (EADDRNOTAVAIL, Cannot assign requested address), and would now be for another reason \
                  (EADDRINUSE, Address already in use): 6 > ";
    assert!(said.contains(wanted), "{said}");
}

/// Adapters and domains in the wrong order: what is written is said in ids.
#[test]
fn whole_masks_are_said_in_ids() {
    for (file, text, said) in [
        ("apmask", "0x0c00", "note it is a whole mask: the host's are adapters 4-5 and no other"),
        ("aqmask", &format!("0x{}", "f".repeat(64)), "note it is a whole mask: all domains are the host's"),
    ] {
        let ran = apmatrix(&["why", "--machine", "tiny", file, text]);
        assert!(crate::common::one_line(&ran.out).contains(said), "{}", ran.out);
    }
}

#[test]
fn an_mdev_that_is_not_there_is_said_to_be_none() {
    let ran = apmatrix(&["why", "--machine", "tiny", &format!("{UUID}/assign_domain"), "6"]);
    assert!(crate::common::one_line(&ran.err).contains("hint: there is no mdev of that UUID"), "{}", ran.err);
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
    or      take domain 6 from mdev 62177883-f1bb-47f0-914d-32a22e3a8804; guest g1
            loses what is taken while it runs; then take domain 71 from mdev
            72177883-f1bb-47f0-914d-32a22e3a8804
            cd /sys/devices/vfio_ap/matrix/62177883-f1bb-47f0-914d-32a22e3a8804
            echo 6 > unassign_domain
            cd /sys/devices/vfio_ap/matrix/72177883-f1bb-47f0-914d-32a22e3a8804
            echo 71 > unassign_domain
    ");
}

/// Adapter 4 or domain 6 of the other mdev: each costs one queue. Who assigns a domain is told of the domain first.
#[test]
fn what_costs_the_same_is_told_too_and_ids_of_the_kind_that_is_written_come_first() {
    let other = "72177883-f1bb-47f0-914d-32a22e3a8804";
    let text = format!(
        "M=/sys/devices/vfio_ap/matrix\necho -4 > /sys/bus/ap/apmask\n\
         for u in {UUID} {other}; do echo $u > $M/mdev_supported_types/vfio_ap-passthrough/create; done\n\
         echo 4 > $M/{UUID}/assign_adapter\necho 6 > $M/{UUID}/assign_domain\n"
    );
    let domain = format!("take domain 6 from mdev {UUID}");
    let adapter = format!("take adapter 4 from mdev {UUID}");
    let both = |first: &str, or: &str| {
        format!(
            "change {first} cd /sys/devices/vfio_ap/matrix/{UUID} echo {} > unassign_{} \
             or {or} cd /sys/devices/vfio_ap/matrix/{UUID} echo {} > unassign_{}",
            first.split(' ').nth(2).unwrap(),
            first.split(' ').nth(1).unwrap(),
            or.split(' ').nth(2).unwrap(),
            or.split(' ').nth(1).unwrap()
        )
    };
    let why = said(
        "tiny",
        &format!(
            "{text}echo 4 > $M/{other}/assign_adapter; why devices/vfio_ap/matrix/{other}/assign_domain 6"
        ),
    );
    assert!(why.contains(&both(&domain, &adapter)), "{why}");
    let why = said(
        "tiny",
        &format!(
            "{text}echo 6 > $M/{other}/assign_domain; why devices/vfio_ap/matrix/{other}/assign_adapter 4"
        ),
    );
    assert!(why.contains(&both(&adapter, &domain)), "{why}");
}

/// Nothing is refused, and the guest has lost an adapter by a reset that failed.
#[test]
fn why_tells_of_a_guest_that_lost_something_without_a_refusal() {
    let text = format!(
        "{}echo 71 > $M/$U/assign_domain\nhw fault 04.0047 zrc=0x10:1\necho 71 > $M/$U/unassign_domain\n\
         echo 71 > $M/$U/assign_domain\nwhy",
        guest()
    );
    let why = said("tiny", &text);
    assert!(why.starts_with("nothing was refused so far"), "{why}");
    assert!(
        why.contains(&format!("note: guest g1 lacks adapter 4 of mdev {UUID}, which perhaps a reset")),
        "{why}"
    );
    assert!(!said("tiny", &format!("{}why", guest())).contains("note"));
}

/// `10` is no id but a mask, of which the change was to take adapter 3 from a running guest.
#[test]
fn a_mask_that_looks_like_an_id_is_answered_with_what_is_meant() {
    let why = said("tiny", &format!("{}why apmask 18", guest()));
    assert!(
        why.contains("change write -18 if the host is to give adapter 18 up, +18 if it is to have it"),
        "{why}"
    );
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
            .contains(&format!("note without + or - {text} is the left end of a mask"))
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

/// What the last `why` of these lines says, in one line.
fn said(machine: &str, lines: &str) -> String {
    let ran = apmatrix(&["shell", "--machine", machine, "-c", lines]);
    ran.out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What `apmatrix why FILE TEXT` says, in one line.
fn asked(machine: &str, file: &str, text: &str) -> String {
    let ran = apmatrix(&["why", "--machine", machine, file, text]);
    (ran.out + &ran.err).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_guest_loses_no_queue_where_less_is_enough() {
    let create = "M=/sys/devices/vfio_ap/matrix; U=62177883-f1bb-47f0-914d-32a22e3a8804\n\
                  echo $U > $M/mdev_supported_types/vfio_ap-passthrough/create\n";
    let nine = format!(
        "{create}echo -4 > /sys/bus/ap/apmask; echo -6 > /sys/bus/ap/aqmask; echo 4 > $M/$U/assign_adapter\n\
         echo 6 > $M/$U/assign_domain; echo 9 > $M/$U/assign_domain; guest start g1 $U\n"
    );
    let why = said("default", &format!("{nine}why apmask +4"));
    assert!(
        why.contains(&format!(
            "change take domain 9 from mdev {UUID}; guest g1, which runs, loses no queue "
        )),
        "{why}"
    );
    let ran = apmatrix(&[
        "shell",
        "--machine",
        "default",
        "-c",
        &format!(
            "{nine}echo 9 > $M/$U/unassign_domain; echo +4 > /sys/bus/ap/apmask; cat $M/$U/guest_matrix"
        ),
    ]);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("04.0006\n", ""));
    // Three queues of one adapter, of which one is in the way.
    let three = format!(
        "{create}echo -71,-22,-6 > /sys/bus/ap/aqmask; echo 5 > $M/$U/assign_adapter\n\
         for d in 71 22 6; do echo $d > $M/$U/assign_domain; done; guest start g1 $U\nwhy aqmask +71"
    );
    let why = said("default", &three);
    assert!(!why.contains("take adapter 5"), "{why}");
}

#[test]
fn what_is_off_is_named_with_the_command_that_mends_it() {
    let off = |how: &str, file: &str| {
        let lines = format!(
            "hw {how}; echo 1 > /sys/bus/ap/scans; sleep 100; echo 1 > /sys/bus/ap/devices/{file}/online; why"
        );
        said("default", &lines)
    };
    for (how, file, what, command) in [
        ("checkstop 5", "05.0006", "queue 05.0006 is checkstopped, as its card is", "repair card05"),
        ("checkstop 5", "card05", "card05 is checkstopped", "repair card05"),
        ("deconfigure 5", "05.0006", "queue 05.0006 is deconfigured, as its card is", "configure card05"),
        ("checkstop 05.0006", "05.0006", "queue 05.0006 is checkstopped", "repair 05.0006"),
        ("fault 05.0006 rc=3", "05.0006", "queue 05.0006 is deconfigured", "repair 05.0006"),
    ] {
        let why = off(how, file);
        assert!(why.contains(&format!("why {what} rule")), "{how}: {why}");
        assert!(why.contains(&format!("`apmatrix hw {command}`; the host")), "{how}: {why}");
        assert_eq!(why.matches("apmatrix hw ").count(), 1, "{how}: {why}");
        let mended = format!(
            "hw {how}; echo 1 > /sys/bus/ap/scans; sleep 100; hw {command}; echo 1 > /sys/bus/ap/scans; sleep 100\n\
             echo 1 > /sys/bus/ap/devices/{file}/online"
        );
        let ran = apmatrix(&["shell", "--machine", "default", "-c", &mended]);
        assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{how}");
    }
}

#[test]
fn an_id_that_is_no_number_is_told_how_to_be_written() {
    let machine = guest();
    let says = |text: &str| said("tiny", &format!("{machine}why $U/assign_domain '{text}'"));
    for (text, slip, write) in [
        ("5 ", "blanks are not taken", "change write 5"),
        (" 5", "blanks are not taken", "change write 5"),
        ("09", "it begins with 0, so that it is octal, which has no 8 and no 9", "change write 9"),
        ("0b11", "binary is not taken", "change write 3"),
        ("0a", "`0a` is not a number", "change write 0x0a, or 10 in decimal"),
        ("b11", "`b11` is not a number", "change write a number in decimal, or 0x and hex digits"),
    ] {
        let why = says(text);
        assert!(why.contains(slip) && why.contains(write), "{text}: {why}");
    }
    for text in ["-5 --x", "+4 --json"] {
        let why = asked("tiny", "apmask", text);
        assert!(
            why.contains("blanks are not taken") && !why.contains("--x,") && !why.contains("4--"),
            "{why}"
        );
    }
}

#[test]
fn a_mask_that_is_too_long_is_told_its_length() {
    let long = format!("0x{}", "f".repeat(65));
    let why = asked("tiny", "apmask", &long);
    assert!(why.contains("it has 65 hex digits, and a mask has at most 64"), "{why}");
    let machine = guest();
    let why = said("tiny", &format!("{machine}why $U/ap_config {long},0x0,0x0"));
    assert!(why.contains("of the adapters, it has 65 hex digits"), "{why}");
}

#[test]
fn ids_in_ap_config_are_noted_and_nothing_is_given_up_for_them() {
    let machine = guest();
    let why = said("default", &format!("{machine}why $U/ap_config 4,6,6"));
    assert!(why.contains("note each part is a whole mask"), "{why}");
    assert!(why.contains("4,6,6 means adapter 1, domains 1-2, control domains 1-2"), "{why}");
    assert!(
        why.contains("change write 0x08,0x02,0x02 for adapter 4, domain 6 and control domain 6"),
        "{why}"
    );
    assert!(!why.contains("aqmask -"), "{why}");
    let why = said("default", &format!("{machine}why $U/ap_config ,,"));
    assert!(why.contains("the mdev is to have no adapters, domains and control domains"), "{why}");
    assert!(why.contains("guest g1, which runs, loses 1 queue"), "{why}");
}

#[test]
fn a_queue_that_its_driver_keeps_is_the_hosts_by_its_driver() {
    let directory = tempfile::tempdir().expect("a directory");
    let machine = "schema = \"apmatrix.machine/1\"\nkernel = \"7.1\"\ndomains = [6, 71]\n[[adapter]]\nids = [4, 10]\n\
                   type = \"CEX8P\"\n";
    fs::write(directory.path().join("m.toml"), machine).expect("a file");
    let lines = format!(
        "M=/sys/devices/vfio_ap/matrix; U={UUID}\necho $U > $M/mdev_supported_types/vfio_ap-passthrough/create\n\
         echo vfio_ap > /sys/bus/ap/devices/04.0006/driver_override; echo 6 > $M/$U/assign_domain\n\
         why $U/assign_adapter 4"
    );
    let ran = apmatrix_in(directory.path(), &["shell", "--machine", "m.toml", "-c", &lines]);
    let why = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        why.contains("why queue 04.0006 is the host's, by its driver, which decides as it has an override"),
        "{why}"
    );
    assert!(!why.contains("by apmask and aqmask"), "{why}");
}

#[test]
fn a_reset_of_a_guests_queue_and_a_bind_of_a_lent_one_are_explained() {
    let machine = guest();
    let why = said("tiny", &format!("{machine}echo 1 > /sys/bus/ap/devices/04.0006/reset; why"));
    assert!(why.starts_with("refused (EBUSY"), "{why}");
    assert!(why.contains("why guest g1 has queue 04.0006, by mdev"), "{why}");
    assert!(why.contains("change stop the guest: apmatrix guest stop g1"), "{why}");
    let why = said(
        "tiny",
        &format!(
            "{machine}echo 04.0006 > /sys/bus/ap/drivers/vfio_ap/unbind\n\
        echo 04.0006 > /sys/bus/ap/drivers/cex4queue/bind; why"
        ),
    );
    assert!(why.contains("take adapter 4 from mdev") || why.contains("out of aqmask"), "{why}");
    assert!(why.contains("echo +4 > /sys/bus/ap/apmask; no bind is needed then"), "{why}");
}

#[test]
fn a_path_is_found_below_the_root_however_it_is_written() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(directory.path().join("mnt/bus/ap")).expect("directories");
    fs::write(directory.path().join("mnt/bus/ap/apmask"), "0xff\n").expect("a file");
    let whole = directory.path().join("mnt/bus/ap/apmask");
    for path in ["mnt/bus/ap/apmask", whole.to_str().expect("a text")] {
        let ran = apmatrix_in(directory.path(), &["why", "--root", "mnt", path, "+4"]);
        assert!(!ran.err.contains("there is no file"), "{path}: {}", ran.err);
    }
}

#[test]
fn a_file_without_its_directory_is_asked_which() {
    let machine = guest();
    for (file, hint) in [
        ("assign_adapter", format!("which mdev? Write `{UUID}/assign_adapter`")),
        ("online", "which card or queue? Write ".to_owned()),
        ("bind", "which driver? Write `cex4card/bind`".to_owned()),
    ] {
        let ran = apmatrix(&["shell", "--machine", "tiny", "-c", &format!("{machine}why {file} 1")]);
        assert!(ran.err.replace('\n', " ").contains(&hint), "{file}: {}", ran.err);
    }
    assert!(asked("tiny", "assign_adapter", "4").contains("which mdev?"));
    assert!(asked("tiny", "vfio_ap/bind", "04.0006").contains("bus/ap/drivers/vfio_ap/bind"));
    assert!(!asked("tiny", "nope", "1").contains("did you mean"));
    assert!(asked("tiny", "", "1").contains("the path is empty"));
}

/// Who asked why a guest lacks a queue was told that an argument is missing.
#[test]
fn a_queue_is_no_write_and_where_it_is_told_of_is_said() {
    for (path, hint) in [
        ("02.0003", "who has a queue, and what keeps it from a guest, is told by `apmatrix view`"),
        ("prod", "`apmatrix import` and `plan` note a guest that lacks an adapter"),
        ("apmask", "Usage: apmatrix why [PATH TEXT]"),
        ("/sys/bus/ap/apmask", "Usage: apmatrix why [PATH TEXT]"),
    ] {
        let ran = apmatrix(&["why", path]);
        assert_eq!(ran.status, 2, "{path}: {}", ran.err);
        let said = ran.err.replace("\n  ", " ");
        assert!(
            said.contains(&format!("would be written to `{path}`")) && said.contains(hint),
            "{path}: {said}"
        );
    }
}

#[test]
fn nothing_that_moves_a_cursor_is_printed() {
    let ran = apmatrix(&["why", "--machine", "tiny", "apmask", "\u{1b}[31m4\u{9b}"]);
    assert!(!(ran.out.clone() + &ran.err).contains(['\u{1b}', '\u{9b}']), "{:?}", ran.out);
    assert!(ran.out.contains("$'\\x1b[31m4\\u009b' >"), "{}", ran.out);
}
