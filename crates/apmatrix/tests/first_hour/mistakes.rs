//! Mistakes of an administrator, a hundred or so: each message names the thing, the place, and what to do.

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
    Typed("echo -300 > /sys/bus/ap/aqmask", ["`-300` is not a text for aqmask: 300 is above 255", "bus/ap/aqmask", "write ids from 0 to 255"]),
    Typed("echo +4 > /sys/bus/ap/apmask", ["04.0006", "guest g1", "echo 4 > unassign_adapter"]),
    Typed("echo 5 > $M/$O/assign_adapter; echo 6 > $M/$O/assign_domain", ["05.0006 is the host's", "assign_domain", "echo -5 > /sys/bus/ap/apmask"]),
    Typed("echo 4 > $M/$O/assign_adapter; echo 6 > $M/$O/assign_domain", ["04.0006 is assigned to mdev 62177883", "guest g1", "unassign_adapter"]),
    Typed("echo 0xf0 > $M/$O/ap_config", ["is not three masks", "ap_config", "with commas between them"]),
    Typed("echo '' > $M/$U/assign_adapter", ["the text is empty", "assign_adapter", "write a number in decimal"]),
    Typed("echo 4,5 > $M/$U/assign_adapter", ["`4,5` is not a number", "assign_adapter", "decimal, or 0x"]),
    Typed("echo 4-5 > $M/$U/assign_adapter", ["`4-5` is not a number", "assign_adapter", "one id for each write"]),
    Typed("echo +5 > $M/$U/assign_adapter", ["05.0006 is the host's", "assign_adapter", "echo -5 > /sys/bus/ap/apmask"]),
    Typed("echo 99999999999999999999 > $M/$U/assign_adapter", ["larger than any number", "assign_adapter", "write a number"]),
    Typed("echo all > /sys/bus/ap/apmask", ["`all` is not a text for apmask", "bus/ap/apmask", "hex digits for the whole mask"]),
    Typed("echo 04.0006 > /sys/bus/ap/apmask", ["`04.0006` is not a text for apmask", "bus/ap/apmask", "+4,-10-12"]),
    Typed("echo -7-3 > /sys/bus/ap/apmask", ["`-7-3` is not a text for apmask: 7-3 runs backwards", "bus/ap/apmask", "write 3-7"]),
    Typed("echo -300-400 > /sys/bus/ap/apmask", ["300 is above 255", "bus/ap/apmask", "write ids from 0 to 255"]),
    Typed("echo 0100 > $M/$U/assign_adapter", ["adapter 64 is above", "it is octal: it means 64", "choose an adapter up to 63"]),
    Typed("echo 6 > $M/$O/assign_domain; echo 9 > $M/$O/assign_adapter; echo -6 > /sys/bus/ap/aqmask; echo +4,+6 > /sys/bus/ap/apmask; echo 4 > $M/$O/assign_adapter", ["04.0006 is assigned to mdev 62177883", "guest g1", "unassign_adapter"]),
    Typed("echo yes > $M/$O/remove", ["`yes` is not a number", "remove", "write 1"]),
    Typed("echo 62177883f1bb47f0914d32a22e3a8804 > $C", ["is not a UUID", "create", "36 characters"]),
    Typed("echo card04 > /sys/bus/ap/drivers/vfio_ap/unbind", ["`card04` is not a queue", "rules.md#binding", "05.0047"]),
    Typed("echo 99.0006 > /sys/bus/ap/drivers/vfio_ap/bind", ["99.0006 does not exist", "drivers/vfio_ap/bind", "leave queue 99.0006 out"]),
    Typed("echo 2 > /sys/bus/ap/devices/00.0006/online", ["`2` is neither 0 nor 1", "00.0006/online", "write 0 or 1"]),
    // What is there already, or not bound so.
    Typed("echo $U > $C", ["there is an mdev 62177883", "create", "change mdev"]),
    Typed("echo 00.0006 > /sys/bus/ap/drivers/vfio_ap/bind", ["00.0006 has a driver already", "drivers/vfio_ap/bind", "let an override or the masks give queue 00.0006 to vfio_ap: echo -0 > /sys/bus/ap/apmask"]),
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
    Typed("echo 5 > $M/62177883/assign_adapter", ["/62177883/assign_adapter", "-c:4", "did you mean `/sys/devices/vfio_ap/matrix/62177883-f1bb-47f0-914d-32a22e3a8804/assign_adapter`?"]),
    Typed("echo 5 > $M/$U", ["/sys/devices/vfio_ap/matrix/62177883", "-c:4", "it is a directory"]),
    Typed("echo $U > $M/create", ["there is no `create` there", "-c:4", "`ls /sys/devices/vfio_ap/matrix`"]),
    Typed("echo 1 > /sys/bus/ap/devices/04.0006/online", ["there is no `online` there", "-c:4", "`ls /sys/bus/ap/devices/04.0006`"]),
    Typed("echo 0 > /sys/bus/ap/devices/card99/online", ["there is no `card99` there", "-c:4", "`ls /sys/bus/ap/devices`"]),
    Typed("echo x > /tmp/x", ["/tmp/x", "-c:4", "nothing but /sys here"]),
    Typed("cat $M/$U/assign_adapter", ["assign_adapter", "cat", "it is only written"]),
    Typed("cat /sys/bus/ap", ["/sys/bus/ap", "cat", "`ls /sys/bus/ap`"]),
    Typed("echo 1 > $M/$U/remove", ["remove", "guest g1 lets mdev 62177883", "`apmatrix guest stop g1` ends that"]),
    Typed("why /sys/bus/ap +4", ["/sys/bus/ap is a directory", "why", "`ls /sys/"]),
    Typed("why features +4", ["features is only read", "EACCES", "`cat /sys/"]),
    // Short and cut paths.
    Typed("ls 04", ["'04'", "ls", "did you mean `/sys/bus/ap/devices/card04`?"]),
    Typed("cat 4/online", ["4/online", "cat", "did you mean `/sys/bus/ap/devices/card04/online`?"]),
    Typed("ls 04.0006", ["'04.0006'", "ls", "did you mean `/sys/bus/ap/devices/04.0006`?"]),
    Typed("cat apmaks", ["apmaks", "cat", "did you mean `/sys/bus/ap/apmask`?"]),
    Typed("echo +4 > apmask", ["apmask", "-c:4", "did you mean `/sys/bus/ap/apmask`?"]),
    Typed("cat /syss/bus/ap/apmask", ["/syss/bus/ap/apmask", "cat", "did you mean `/sys/bus/ap/apmask`?"]),
    Typed("why $U/assing_adapter 4", ["assing_adapter", "ENOENT or EACCES", "/assign_adapter`?"]),
    Typed("why 62177883/assign_adapter 4", ["62177883/assign_adapter: a write to it", "why", "did you mean `devices/vfio_ap/matrix/62177883-f1bb-47f0-914d-32a22e3a8804/assign_adapter`?"]),
    Typed("why card4/onlin 1", ["card4/onlin", "why", "did you mean `bus/ap/devices/card04/online`?"]),
    // Adapters that are not there.
    Typed("hw plug -4", ["`-4` is no range", "hw", "expected its first and its last id"]),
    Typed("hw plug .", ["an id is missing", "hw", "expected 0-255"]),
    Typed("hw unplug 04.0099", ["domain 153 is not there", "hw", "there are 4, 6, 22-23, 52, 71"]),
    Typed("hw unplug 77", ["adapter 77 is not there", "hw", "there are 0-7"]),
    Typed("hw fault 99.0006 rc=4", ["adapter 153 is not there", "hw", "there are 0-7"]),
    Typed("hw plug 200", ["adapter 200 is above the highest", "hw", "hw set na=200"]),
    Typed("hw checkstop 10", ["adapter 10 is not there", "hw", "there are 0-7"]),
    Typed("apmatrix ls 10", ["card0a (adapter 10)", "apmatrix ls", "there are card00, card01"]),
    Typed("apmatrix ls 5.10", ["`5.10`", "apmatrix ls", "write 05.0010 if that is hex"]),
    // Verbs, keys, values.
    Typed("hw set na", ["`na` needs a value", "hw", "na=VALUE"]),
    Typed("hw fault 04.0006 irq", ["`irq` needs a value", "hw", "irq=VALUE, 0 or 1"]),
    Typed("hw fault 04.0006 irq=2", ["`2` is no value for irq", "hw", "0 or 1"]),
    Typed("hw set log=2", ["`2` is no value for log", "hw", "0 or 1"]),
    Typed("hw modules unload ap", ["module ap: the module is in use", "hw", "`hw modules unload` these first: zcrypt, zcrypt_cex4, vfio_ap"]),
    Typed("hw modules load vfio_ap", ["loaded already", "hw", "`hw modules unload vfio_ap` first"]),
    Typed("hw advance 1h", ["`1h` is no number of milliseconds", "hw", "milliseconds"]),
    Typed("guest start g1 $O", ["guest g1 cannot have mdev 0a000000", "guest", "another guest can have it"]),
    Typed("guest unmap g1 zz", ["`zz` is no number", "guest", "0x and hex digits"]),
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
    (&["ls", "1a"], ["`1a`", "card or queue", "expected 26, or in hex 0x1a"]),
    (&["run", "-machine", "tiny"], ["'-m'", "did you mean `--machine`?", "Usage: apmatrix run"]),
    (&["ls", "--machine", "tniy"], ["tniy", "expected a machine file", "did you mean `tiny`?"]),
    (&["why", "apmask"], ["<TEXT>", "required", "Usage: apmatrix why"]),
    (&["events", "--machine", "tiny"], ["--machine", "unexpected", "`--machine` is an option of run"]),
    (&["explore", "--sequences", "--depth", "-1"], ["'-1'", "--depth", "expected a whole number, 0 or more"]),
    (&["explore", "--sequences", "--jobs", "0"], ["'0'", "--jobs", "from 1 to 256"]),
    (&["run", "--cpu", "x"], ["'x'", "--cpu", "expected a whole number"]),
    (&["apply", "d.toml", "--wait", "soon"], ["'soon'", "--wait", "from 0 to 86400"]),
    (&["serve", "--listen", "8080"], ["'8080'", "--listen", "like 127.0.0.1:8080"]),
    (&["exec", "--json"], ["--list", "required", "Usage: apmatrix exec"]),
    (&["replay", "trace.jsonl"], ["trace.jsonl", "No such file", "did you mean `traces.jsonl`?"]),
    (&["shell", "nowhere/a.sh"], ["nowhere/a.sh", "No such file", "there is no directory nowhere either"]),
    (&["import", "--archive", "tace.jsonl"], ["tace.jsonl", "No such file", "`traces.jsonl`"]),
    (&["plan", "d.toml", "--machine", "tiny", "-o", "nowhere/p.json"], ["nowhere/p.json", "cannot be written", "mkdir -p nowhere"]),
    (&["man", "traces.jsonl"], ["traces.jsonl", "cannot be written", "name another directory"]),
    (&["explore", "--specimen", "seed-theft", "--html", "nowhere/p.html"], ["nowhere/p.html", "cannot be written", "mkdir -p nowhere"]),
    // Files of another kind, and what is no text.
    (&["machine", "check", "d.toml"], ["unknown schema `apmatrix.desired/1`", "d.toml:1:10", "`apmatrix plan FILE` takes it"]),
    (&["explore", "other.toml"], ["unknown schema `apmatrix.machine/1`", "other.toml:1:10", "`apmatrix run --machine FILE` takes it"]),
    (&["machine", "check", "binary.toml"], ["not UTF-8", "binary.toml:1", "expected a machine file"]),
    (&["shell", "binary.toml"], ["UTF-8", "binary.toml", "expected a text in UTF-8"]),
    (&["import", "--archive", "binary.toml"], ["binary.toml", "no tar file", "zstdcat"]),
    (&["plan", "other.tml", "--machine", "tiny"], ["other.tml", "No such file", "did you mean the file `other.toml`?"]),
    (&["plan", "single.toml", "--machine", "tiny"], ["`[mdev]` is one table", "single.toml:2:1", "expected `[[mdev]]`"]),
    (&["plan", "number.toml", "--machine", "tiny"], ["integer `4`", "number.toml:3:8", "in quotation marks: \"4\""]),
    (&["machine", "check", "list.toml"], ["string \"APXA\"", "list.toml:2:12", "expected a list: [\"APXA\"]"]),
    (&["machine", "check", "huge.toml"], ["integer `99999999999999999999`", "huge.toml:2:11", "expected an id: a number 0-255"]),
    (&["machine", "check", "queue.toml"], ["`4.6` is not a queue", "queue.toml:7:8", "write 04.0006"]),
    (&["explore", "mine.toml"], ["unknown schema `apmatrix.machine/1`", "mine.toml:1:10", "`apmatrix run --machine FILE` takes it"]),
    (&["machine", "check", "words.toml"], ["`four` is no id", "words.toml:2:10", "\"all but 4,10\""]),
    (&["exec", "", "--", "true"], ["the name of the machine is empty", "error", "`apmatrix exec --list`"]),
    (&["why", "--machine", "tiny", "creat", "1"], ["creat", "ENOENT or EACCES", "vfio_ap-passthrough/create`?"]),
    (&["why", "--machine", "tiny", "apmask", "++4"], ["`++4` is not a text for apmask", "bus/ap/apmask", "+4,-10-12"]),
    (&["explore", "task.toml"], ["there is no command `ehco`", "task.toml:6:8", "did you mean `echo`?"]),
    (&["machine", "check", "empty.toml"], ["`schema` is missing", "empty.toml:1:1", "begin with `schema"]),
];

/// Files with which mistakes are made.
const FILES: &[(&str, &[u8])] = &[
    ("traces.jsonl", b""),
    ("d.toml", b"schema = \"apmatrix.desired/1\"\n"),
    ("mine.toml", b"schema = \"apmatrix.machine/1\"\nmax_adapter = 63\nmax_domain = 84\ndomains = [4]\n"),
    ("other.toml", b"schema = \"apmatrix.machine/1\"\n"),
    ("binary.toml", b"\xff\xfe\x00\x1b[31m\x07"),
    ("empty.toml", b""),
    ("single.toml", b"schema = \"apmatrix.desired/1\"\n[mdev]\nuuid = \"62177883-f1bb-47f0-914d-32a22e3a8804\"\n"),
    ("number.toml", b"schema = \"apmatrix.desired/1\"\n[[mdev]]\nuuid = 4\n"),
    ("list.toml", b"schema = \"apmatrix.machine/1\"\nfeatures = \"APXA\"\n"),
    ("huge.toml", b"schema = \"apmatrix.machine/1\"\ndomains = 99999999999999999999\n"),
    (
        "queue.toml",
        b"schema = \"apmatrix.machine/1\"\ndomains = [6]\n[[adapter]]\nid = 4\ntype = \"CEX8P\"\n[[queue]]\napqn = \"4.6\"\n",
    ),
    ("words.toml", b"schema = \"apmatrix.machine/1\"\napmask = \"four\"\n"),
    (
        "task.toml",
        b"schema = \"apmatrix.scenario/1\"\ntitle = \"t\"\nmachine = \"tiny\"\n[[task]]\nname = \"a\"\nrun = \"ehco 1\"\n",
    ),
];

#[test]
fn what_other_systems_write_is_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let machine =
        FILES.iter().find(|(name, _)| *name == "mine.toml").map(|(_, text)| *text).unwrap_or_default();
    fs::write(at("bom.toml"), [b"\xef\xbb\xbf", machine].concat()).expect("a file");
    fs::write(at("crlf.toml"), String::from_utf8_lossy(machine).replace('\n', "\r\n")).expect("a file");
    fs::write(at("script.sh"), b"\xef\xbb\xbfecho o''ne\r\nif true; then\r\necho t''wo\r\nfi\r\n")
        .expect("a file");
    for name in ["bom.toml", "crlf.toml"] {
        assert!(
            apmatrix_in(directory.path(), &["machine", "check", name]).ok().starts_with("ok: "),
            "{name}"
        );
    }
    assert_eq!(apmatrix_in(directory.path(), &["shell", "script.sh"]).ok(), "one\ntwo\n");
}

/// All of what is said, its blanks made one.
fn said(ran: &Ran) -> String {
    format!("{} {}", ran.out, ran.err).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn mistakes_are_named_with_place_and_remedy() {
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
    for (name, bytes) in FILES {
        fs::write(directory.path().join(name), bytes).expect("a file");
    }
    for (arguments, named) in COMMANDS {
        let ran = apmatrix_in(directory.path(), arguments);
        assert_ne!(ran.status, 0, "{arguments:?}");
        assert!(!ran.err.contains('\u{1b}'), "{arguments:?}: {:?}", ran.err);
        look(&arguments.join(" "), &ran, *named);
    }
    // A machine file, and one that is not there.
    fs::write(directory.path().join("m.toml"), "schema = \"apmatrix.machine/1\"\ndomain = 4\n")
        .expect("a file");
    let ran = apmatrix_in(directory.path(), &["machine", "check", "m.toml"]);
    look("m.toml", &ran, ["unknown key `domain`", "m.toml:2:1", "did you mean `domains`?"]);
    assert!(wrong.is_empty(), "{} are not named:\n{}", wrong.len(), wrong.join("\n"));
    assert!(IN_THE_SHELL.len() + TOLD_AT_ONCE.len() + COMMANDS.len() >= 100);
}
