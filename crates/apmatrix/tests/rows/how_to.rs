//! The guide's how-to, as root and as an ordinary user, and what is left after it.

use std::fs;
use std::path::Path;

use crate::support::{Host, as_each};

/// The script that the guide shows.
fn script() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/run-a-how-to.md");
    let page = fs::read_to_string(path).expect("the guide");
    let (_, rest) = page.split_once("<<'EOF'\n").expect("a script");
    rest.split_once("\nEOF\n").expect("its end").0.to_owned()
}

#[test]
fn a_how_to_runs_unchanged() {
    as_each(&["mdevctl"], |who| {
        let said = who.run("tiny", &format!("{}\necho finished", script()));
        assert!(said.status == Some(0) && said.text.ends_with("finished\n"), "{}", said.text);
    });
}

/// Also when everything is killed in the middle of it: the server, by the signal that nobody hears.
#[test]
fn nothing_is_left_after_a_kill() {
    as_each(&["mdevctl", "udevadm"], |who| {
        let before = Host::now();
        let script = format!(
            "{}\nprintf left > /sys/class/zcrypt/create; modprobe vfio_ap; sudo true || true
            /lib/systemd/systemd-udevd & exec 9<> /dev/left; echo 1 > /run/lock/left
            while :; do modprobe -r vfio_ap; modprobe vfio_ap; done & sleep 0.5; echo ready; sleep 1000",
            script()
        );
        let mut run = who.start("tiny", &script);
        run.until_it_says("ready");
        run.kill_the_server();
        run.nothing_is_left();
        assert_eq!(Host::now(), before);
        assert!(!Path::new("/dev/left").exists() && !Path::new("/run/lock/left").exists());
    });
}
