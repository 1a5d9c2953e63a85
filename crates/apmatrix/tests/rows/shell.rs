//! The shell and `run` agree: T8.

use crate::support::{Who, apmatrix, as_each};

const UNLOAD: &str = "hw modules unload vfio_ap; hw modules unload mdev; hw modules unload zcrypt_cex4
    hw modules unload zcrypt; hw modules unload ap; hw modules load ap; hw plug .9
    ls /sys/bus/ap/devices";

#[test]
fn t8_work_that_is_due_is_done() {
    let inside = apmatrix(&["shell", "--machine", "tiny", "-c", UNLOAD]);
    assert_eq!(inside.lines().count(), 8, "{inside}");
    as_each(&[], |who| {
        let said = who.ok("tiny", &format!("hw() {{ \"$APMATRIX\" hw \"$@\"; }}; {UNLOAD}"));
        assert_eq!(said, inside);
    });
}

#[test]
fn t8_verbs_tell_of_themselves_in_the_shell() {
    for verb in ["hw", "guest"] {
        let inside = apmatrix(&["shell", "-c", &format!("{verb} --help")]);
        let outside = apmatrix(&[verb, "--help"]);
        assert!(inside.lines().count() > 5, "{inside}");
        let begins = |line: &str| line.split_whitespace().next().unwrap_or_default().to_owned();
        assert!(inside.lines().all(|line| outside.contains(&begins(line))), "{inside}\n{outside}");
    }
}

#[test]
fn machines_of_two_runs_are_two() {
    as_each(&[], |who| {
        let script = "echo -4 > /sys/bus/ap/apmask; cat /sys/bus/ap/apmask";
        let first = who.ok("tiny", script);
        assert_eq!(Who::ok(who, "tiny", script), first);
    });
}
