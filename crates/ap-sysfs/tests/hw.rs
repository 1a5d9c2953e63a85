//! What the operator's verbs say of what is not there, comes too late, or concerns master keys.

mod support;

use support::{Rig, SMALL};

/// What a verb answers: its text, or its error's.
fn says(rig: &mut Rig, line: &str) -> String {
    match rig.session.hw(line) {
        Ok(text) => text.trim_end().to_owned(),
        Err(error) => format!("{}: {}", error.errno.name(), error.text),
    }
}

#[test]
fn h6_verbs_name_what_is_not_there_and_what_was_made() {
    let mut rig = Rig::boot(SMALL, "");
    let adapter = "ENODEV: adapter 9 is not there: there are 4, 10";
    for (line, said) in [
        (
            "plug 64",
            "EINVAL: adapter 64 is above the highest, 63: raise it with `hw set na=64` before `ap` is loaded",
        ),
        (
            "plug .85",
            "EINVAL: domain 85 is above the highest, 84: raise it with `hw set nd=85` before `ap` is loaded",
        ),
        (
            "plug 04.0055",
            "EINVAL: domain 85 is above the highest, 84: raise it with `hw set nd=85` before `ap` is loaded",
        ),
        (
            "control plug 85",
            "EINVAL: domain 85 is above the highest, 84: raise it with `hw set nd=85` before `ap` is loaded",
        ),
        ("unplug 9", adapter),
        ("unplug .9", "ENODEV: domain 9 is not there: there are 6, 71"),
        ("control unplug 7-9", "ENODEV: control domain 7-9 is not there: there are 6, 71"),
        ("configure 9", adapter),
        ("deconfigure 9", adapter),
        ("checkstop 9", adapter),
        ("checkstop 09.0006", adapter),
        ("repair 9", adapter),
        ("type 9 CEX8C", adapter),
        ("fault 09.0006 rc=1", adapter),
        ("keys 09.0006 current=none", adapter),
        ("unplug 4-9", ""),
        ("plug 9", "adapter 9 is new: card09, a CEX8C; `hw type 9 …` makes it another one"),
        ("unplug 9", ""),
        // One that the machine had before is the same one.
        ("plug card09", ""),
        ("plug 0x14", "adapter 20 is new: card14, a CEX8C; `hw type 20 …` makes it another one"),
        ("plug 30-32", "adapters 30-32 are new: a CEX8C each"),
        ("plug 7-5", "EINVAL: `7-5`: the range is the wrong way round: expected 5-7"),
        ("plug 0a", "EINVAL: `0a` is no id: expected 10, or in hex 0x0a: a number alone is decimal"),
        ("unplug .0009", "ENODEV: domain 0009 is not there: there are 6, 71"),
        ("fault 4.6 rc=1", "EINVAL: `4.6` is no APQN: write 04.0006"),
        ("fault 0a.0009 rc=1", "domain 9 is not in the configuration: it counts from `hw plug .9` on"),
        ("fault 0a.0006 zrc=7", "EINVAL: `7` is no value for zrc: expected CODE:TIMES, like 0x10:1"),
        (
            "fault 0a.0006 busi=7",
            "EINVAL: `busi` is no key of a queue's faults: expected rc, busy, rip, resetlat, zrc, trc, bs, irq; did you \
             mean `busy`?",
        ),
        ("checkstop 9", ""),
    ] {
        assert_eq!(says(&mut rig, line), said, "{line}");
    }
    rig.run("hw apm 4,200\nhw q 9 9 rc=3");
}

#[test]
fn settings_that_come_too_late_say_so() {
    let mut rig = Rig::boot(SMALL, "");
    for key in ["se=1", "fac65=1", "na=31", "nd=20", "vm=1", "fac12=0", "instr=1"] {
        let said = says(&mut rig, &format!("set {key}"));
        assert!(said.ends_with("when `ap` is loaded, and it is: no effect until then"), "{key}: {said}");
    }
    assert_eq!(says(&mut rig, "set flags=0xc0000000 fac15=1"), "");
    let mut rig = Rig::bare("");
    assert_eq!(says(&mut rig, "set se=1 na=31"), "");
}

#[test]
fn t14_a_master_key_belongs_to_a_domain_of_an_adapter() {
    let mut rig = Rig::boot("hw aqm 6,71\nhw ap 3 type=14 mode=ep11 serial=A\n", "");
    for line in ["plug 4", "plug 5"] {
        assert!(says(&mut rig, line).ends_with("makes it another one"), "{line}");
    }
    rig.pass(500);
    let read = |rig: &mut Rig, queue: &str| {
        rig.read(&format!("/sys/bus/ap/devices/{queue}/mkvps")).expect("it answers")
    };
    let usual = read(&mut rig, "04.0006");
    assert_eq!(usual, read(&mut rig, "05.0006"), "the same domain of another adapter");
    assert_ne!(usual, read(&mut rig, "04.0047"), "another domain");
    assert!(usual.starts_with("AES NEW: empty 0x0000000000000000\nAES CUR: valid 0x"), "{usual}");
    assert_eq!(says(&mut rig, "keys 04.0006 current=0xab new=0xcd"), "");
    let set = read(&mut rig, "04.0006");
    assert!(
        set.starts_with("AES NEW: full 0x00000000000000cd\nAES CUR: valid 0x00000000000000ab\n"),
        "{set}"
    );
    assert_eq!(says(&mut rig, "keys 04.0006 current=none"), "");
    assert!(read(&mut rig, "04.0006").contains("AES CUR: invalid 0x0000000000000000\n"));
    assert_eq!(usual, read(&mut rig, "05.0006"));
    for (line, said) in [
        (
            "keys 04.0006 current=ab",
            "EINVAL: `ab` is no pattern: expected 0x and up to 16 hex digits, or none",
        ),
        (
            "keys 04.0006 next=none",
            "EINVAL: `next` is no register of master keys: expected new, current or old",
        ),
    ] {
        assert_eq!(says(&mut rig, line), said);
    }
}

#[test]
fn advance_lets_any_time_up_to_a_year_pass_wherever_it_is_written() {
    const HW: &str = "/sys/kernel/debug/apmatrix/hw";
    let mut rig = Rig::boot(SMALL, "");
    let before = rig.session.now();
    assert_eq!(says(&mut rig, "advance 3600000"), "");
    assert_eq!(rig.session.now(), before + 3_600_000);
    rig.write(HW, b"advance 7200000\nadvance 1\n")
        .expect("it is done at once, whatever else waits for an hour");
    assert_eq!(rig.session.now(), before + 3 * 3_600_000 + 1);
    let too_long = "is no number of milliseconds: expected digits, up to a year";
    for time in ["18446744073709551615", "31536000001", "-1", "soon"] {
        assert_eq!(says(&mut rig, &format!("advance {time}")), format!("EINVAL: `{time}` {too_long}"));
        assert_eq!(
            rig.write(HW, format!("advance {time}").as_bytes()).expect_err("too long").name(),
            "EINVAL"
        );
    }
    assert_eq!(rig.session.now(), before + 3 * 3_600_000 + 1);
}
