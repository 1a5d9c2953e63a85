//! Forty mistakes of an administrator: each message names the thing, the place, and what to do.

use std::fs;

use crate::common::{Ran, apmatrix_in};

const UUID: &str = "62177883-f1bb-47f0-914d-32a22e3a8804";
const OTHER: &str = "0a000000-0000-4000-8000-000000000001";

/// The machine `default` with an mdev: adapter 4, domain 6, a guest on it.
fn lab() -> String {
    format!(
        "M=/sys/devices/vfio_ap/matrix; U={UUID}; O={OTHER}; C=$M/mdev_supported_types/vfio_ap-passthrough/create\n\
         echo -4 > /sys/bus/ap/apmask; echo $U > $C; echo $O > $C\n\
         echo 4 > $M/$U/assign_adapter; echo 6 > $M/$U/assign_domain; guest start g1 $U\n"
    )
}

/// A mistake: what is typed in the shell, and what its message and the answer of `why` name: the thing, the place, what
/// to do.
struct Typed(&'static str, [&'static str; 3]);

#[rustfmt::skip]
const IN_THE_SHELL: &[Typed] = &[
    // Wrong ids.
    Typed("echo 0a > $M/$U/assign_adapter", ["`0a` is not a number", "assign_adapter", "write 0x0a"]),
    Typed("echo 64 > $M/$U/assign_adapter", ["adapter 64 is above", "assign_adapter", "choose an adapter up to 63"]),
    Typed("echo 85 > $M/$U/assign_domain", ["domain 85 is above", "assign_domain", "choose a domain up to 84"]),
    Typed("echo 300 > $M/$U/assign_control_domain", ["control domain 300 is above", "assign_control_domain", "up to 84"]),
    Typed("echo card04 > $M/$U/assign_adapter", ["`card04` is not a number", "assign_adapter", "decimal, or 0x"]),
    Typed("echo 04.0006 > $M/$U/assign_domain", ["`04.0006` is not a number", "assign_domain", "decimal, or 0x"]),
    Typed("echo nonsense > $C", ["`nonsense` is not a UUID", "create", "uuidgen"]),
    Typed("echo 4.6 > /sys/bus/ap/drivers/vfio_ap/unbind", ["`4.6` is not a queue", "drivers/vfio_ap/unbind", "05.0047"]),
    Typed("echo 200 > /sys/bus/ap/ap_domain", ["`200` is not a value for ap_domain", "bus/ap/ap_domain", "from 0 to 84"]),
    // Masks: their texts, and their order.
    Typed("echo 4 5 > /sys/bus/ap/apmask", ["`4 5` is not a text for apmask", "bus/ap/apmask", "+4,-10-12"]),
    Typed("echo '+4, +5' > /sys/bus/ap/apmask", ["is not a text for apmask", "bus/ap/apmask", "+4,-10-12"]),
    Typed("echo -300 > /sys/bus/ap/aqmask", ["`-300` is not a text for aqmask", "bus/ap/aqmask", "0x and hex digits"]),
    Typed("echo +4 > /sys/bus/ap/apmask", ["04.0006", "guest g1", "unassign_adapter"]),
    Typed("echo 5 > $M/$O/assign_adapter; echo 6 > $M/$O/assign_domain", ["05.0006 is the host's", "assign_domain", "echo -5 > /sys/bus/ap/apmask"]),
    Typed("echo 4 > $M/$O/assign_adapter; echo 6 > $M/$O/assign_domain", ["04.0006 is assigned to mdev 62177883", "guest g1", "unassign_adapter"]),
    Typed("echo 0xf0 > $M/$O/ap_config", ["is not three masks", "ap_config", "with commas between them"]),
    // What is there already, or not bound so.
    Typed("echo $U > $C", ["there is an mdev 62177883", "create", "change mdev"]),
    Typed("echo 00.0006 > /sys/bus/ap/drivers/vfio_ap/bind", ["00.0006 has a driver already", "drivers/vfio_ap/bind", "echo 00.0006 > /sys/bus/ap/drivers/cex4queue/unbind"]),
    Typed("echo 00.0006 > /sys/bus/ap/drivers/vfio_ap/unbind", ["00.0006 is not bound to vfio_ap", "drivers/vfio_ap/unbind", "leave it"]),
    Typed("echo 99 > /sys/bus/ap/config_time; echo 3 > /sys/bus/ap/config_time", ["`3` is not a value for config_time", "bus/ap/config_time", "from 5 to 120"]),
    Typed("hw deconfigure 0; sleep 40; echo 1 > /sys/bus/ap/devices/00.0006/online", ["00.0006 is deconfigured", "online", "hw configure"]),
];

/// What is typed, and what its message names; `why` has nothing to add.
#[rustfmt::skip]
const TOLD_AT_ONCE: &[Typed] = &[
    // Attributes mistyped, files that are only read, directories that are not there.
    Typed("echo +4 > /sys/bus/ap/apmsk", ["/sys/bus/ap/apmsk", "-c:4", "did you mean `/sys/bus/ap/apmask`?"]),
    Typed("echo 1 > /sys/bus/ap/features", ["/sys/bus/ap/features", "-c:4", "it is only read"]),
    Typed("cat /sys/bus/ap/apmaks", ["/sys/bus/ap/apmaks", "cat", "did you mean `/sys/bus/ap/apmask`?"]),
    Typed("ls /sys/bus/app", ["/sys/bus/app", "ls", "did you mean `/sys/bus/ap`?"]),
    // Adapters that are not there.
    Typed("hw unplug 77", ["adapter 77 is not there", "hw", "there are 0-7"]),
    Typed("hw fault 99.0006 rc=4", ["adapter 153 is not there", "hw", "there are 0-7"]),
    Typed("hw plug 200", ["adapter 200 is above the highest", "hw", "hw set na=200"]),
    Typed("hw checkstop 10", ["adapter 10 is not there", "hw", "there are 0-7"]),
    Typed("apmatrix ls 10", ["card0a (adapter 10)", "apmatrix ls", "there are card00, card01"]),
    Typed("apmatrix ls 5.10", ["`5.10`", "apmatrix ls", "write 05.0010 if that is hex"]),
    // Verbs, keys, values.
    Typed("hw plugg 4", ["`plugg` is no hw verb", "hw", "did you mean `plug`?"]),
    Typed("hw fault 04.0006 rcc=4", ["`rcc` is no key", "a queue's faults", "did you mean `rc`?"]),
    Typed("hw fault 04.0006 zrc=16", ["`16` is no value for zrc", "hw", "CODE:TIMES"]),
    Typed("hw set fac12=yes", ["`yes` is no value for fac12", "hw", "0 or 1"]),
    Typed("hw type 4 CEX9", ["`CEX9` is no adapter type", "hw", "CEX4 to CEX8"]),
    Typed("guest start g2 $U", ["guest g2 cannot have mdev 62177883", "guest", "`guest stop g1` lets it go"]),
    Typed("guest stop g9", ["there is no guest `g9`", "guest", "there are g1"]),
    Typed("guest strat g2 $O", ["`strat` is no guest verb", "guest", "did you mean `start`?"]),
    Typed("lszcrypt", ["lszcrypt", "-c:4:1", "programs run under `apmatrix run`"]),
    Typed("ehco 1", ["ehco", "-c:4:1", "did you mean `echo`?"]),
];

/// Command lines.
#[rustfmt::skip]
const COMMANDS: &[(&[&str], [&str; 3])] = &[
    (&["run", "--machine", "tini"], ["tini", "No such file", "did you mean `tiny`?"]),
    (&["explore", "--specimen", "seed-dedlock"], ["seed-dedlock", "specimen", "did you mean `seed-deadlock`?"]),
    (&["explore", "--sequences", "--alphabet", "coree"], ["coree", "alphabet", "did you mean `core`?"]),
    (&["schema", "lss"], ["lss", "document", "did you mean `ls`?"]),
    (&["exec", "lab", "--", "true"], ["lab", "runs", "`apmatrix run --name lab` starts one"]),
    (&["ls", "0a"], ["`0a`", "card or queue", "expected 10, or in hex 0x0a"]),
    (&["why", "apmask"], ["<TEXT>", "required", "Usage: apmatrix why"]),
];

/// All of what is said, its blanks made one.
fn said(ran: &Ran) -> String {
    format!("{} {}", ran.out, ran.err).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn forty_mistakes_are_named_with_place_and_remedy() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut wrong = Vec::new();
    let mut look = |typed: &str, ran: &Ran, named: [&str; 3]| {
        let text = said(ran);
        for part in named.iter().filter(|part| !text.contains(**part)) {
            wrong.push(format!("{typed}\n  lacks {part:?}\n  {text}"));
        }
    };
    for (mistakes, why) in [(IN_THE_SHELL, "why"), (TOLD_AT_ONCE, "true")] {
        for Typed(typed, named) in mistakes {
            let script = format!("{}{typed}\n{why}\n", lab());
            let ran = apmatrix_in(directory.path(), &["shell", "--machine", "default", "-c", &script]);
            assert!(!ran.err.is_empty(), "{typed}: it is a mistake");
            look(typed, &ran, *named);
        }
    }
    for (arguments, named) in COMMANDS {
        let ran = apmatrix_in(directory.path(), arguments);
        assert_ne!(ran.status, 0, "{arguments:?}");
        look(&arguments.join(" "), &ran, *named);
    }
    // A machine file, and one that is not there.
    fs::write(directory.path().join("m.toml"), "schema = \"apmatrix.machine/1\"\ndomain = 4\n")
        .expect("a file");
    let ran = apmatrix_in(directory.path(), &["machine", "check", "m.toml"]);
    look("m.toml", &ran, ["unknown key `domain`", "m.toml:2:1", "did you mean `domains`?"]);
    assert!(wrong.is_empty(), "{} are not named:\n{}", wrong.len(), wrong.join("\n"));
    assert!(IN_THE_SHELL.len() + TOLD_AT_ONCE.len() >= 40);
}
