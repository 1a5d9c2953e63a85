//! `apmatrix run`, and transcripts through its /sys. Without /dev/fuse or namespaces these are skipped, and say so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ap_files::transcript::TranscriptError;
use apmatrix::replay::Input;

use crate::skip::skip;

const APMATRIX: &str = env!("CARGO_BIN_EXE_apmatrix");

/// Runs a command on a machine, for a minute at most: its status and output.
fn run(directory: &Path, machine: &str, command: &[&str]) -> (i32, String) {
    let mut run = assert_cmd::Command::new(APMATRIX);
    run.current_dir(directory).args(["run", "--machine", machine, "--"]).args(command);
    let output = run.timeout(Duration::from_secs(60)).output().expect("the command starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

/// Whether runs are possible here; says so if not.
fn possible(test: &str) -> bool {
    let output = Command::new(APMATRIX).args(["run", "--machine", "tiny", "--", "true"]).output();
    let output = output.expect("the command starts");
    match output.status.code() {
        Some(0) => true,
        Some(3) => {
            skip(test, String::from_utf8_lossy(&output.stderr));
            false
        }
        other => panic!("{other:?}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

#[test]
fn a_command_sees_the_machine_and_gives_the_status() {
    if !possible("a_command_sees_the_machine_and_gives_the_status") {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let script = "cat /sys/bus/ap/bindings; echo -10 > /sys/bus/ap/apmask; cat /sys/bus/ap/devices/0a.0006/status; exit 7";
    let said = run(directory.path(), "tiny", &["sh", "-c", script]);
    assert_eq!(said, (7, "4/4 (complete)\nunassigned\n".into()));
    let said = run(
        directory.path(),
        "tiny",
        &[APMATRIX, "guest", "start", "g1", "a0000000-0000-4000-8000-000000000001"],
    );
    assert_eq!(said.0, 1, "{}", said.1);
    assert!(said.1.contains("g1"), "{}", said.1);
    let said = run(directory.path(), "tiny", &["no-such-command"]);
    assert_eq!(said.0, 125, "{}", said.1);
}

/// Devices come and go while others read whatever there is; what a write's answer says is seen at once.
const ROUNDS: &str = r#"
M=/sys/devices/vfio_ap/matrix HW=/sys/kernel/debug/apmatrix/hw stale=0
for reader in 1 2 3; do
  while :; do grep -rs . /sys/devices/ap /sys/devices/vfio_ap /sys/bus/ap > /dev/null; done &
  readers="$readers $!"
done
listed() { for entry in "$1"/*; do [ "$entry" != "$1/$2" ] || return 0; done; return 1; }
there() { [ -e "$1/$2" ] && listed "$1" "$2" || { stale=$((stale + 1)); echo "round $round: no $1/$2"; }; }
gone() { { [ -e "$1/$2" ] || listed "$1" "$2"; } && { stale=$((stale + 1)); echo "round $round: still $1/$2"; }; }
round=0
while [ $((round += 1)) -le 300 ]; do
  U=$(printf a0000000-0000-4000-8000-%012x $((round % 7)))
  echo $U > $M/mdev_supported_types/vfio_ap-passthrough/create || exit
  there $M $U; there /sys/bus/mdev/devices $U
  echo 1 > $M/$U/remove || exit
  gone $M $U; gone /sys/bus/mdev/devices $U
  echo unplug 10 > $HW || exit
  gone /sys/devices/ap card0a; gone /sys/bus/ap/devices 0a.0006
  echo plug 10 > $HW || exit
  there /sys/devices/ap card0a; there /sys/bus/ap/devices 0a.0006
done
kill $readers
echo "$((round - 1)) rounds, $stale stale"
"#;

#[test]
fn three_hundred_rounds_with_readers_inside() {
    if !possible("three_hundred_rounds_with_readers_inside") {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    assert_eq!(run(directory.path(), "tiny", &["sh", "-c", ROUNDS]), (0, "300 rounds, 0 stale\n".into()));
}

#[test]
fn scenarios_pass_through_the_mount() {
    if !possible("scenarios_pass_through_the_mount") {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("blank.toml"), "schema = \"apmatrix.machine/1\"\n")
        .expect("it can be written");
    let archive = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts.tar.xz");
    let mut names = Vec::new();
    let unpacked = Input::Archive(archive).each::<TranscriptError>(&mut |name, lines| {
        if name.starts_with("scenario-") {
            let mut text = String::new();
            for line in lines {
                text += &serde_json::to_string(&line?).expect("a line is JSON");
                text.push('\n');
            }
            let file = format!("{name}.jsonl");
            fs::write(directory.path().join(&file), text).expect("it can be written");
            names.push(file);
        }
        Ok(())
    });
    unpacked.expect("the archive is readable");
    assert_eq!(names.len(), 31);
    for name in names {
        let said = run(directory.path(), "blank.toml", &[APMATRIX, "replay", "--through", "/sys", &name]);
        assert_eq!(said.0, 0, "{}", said.1);
    }
}
