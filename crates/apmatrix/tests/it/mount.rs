//! `apmatrix run`, and transcripts through its /sys. Without /dev/fuse or namespaces these are skipped, and say so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use apmatrix::replay::{Input, InputError};

const APMATRIX: &str = env!("CARGO_BIN_EXE_apmatrix");

/// Runs a command on a machine, for a minute at most: its status and output.
fn run(directory: &Path, machine: &str, command: &[&str]) -> (i32, String) {
    let mut run = assert_cmd::Command::new(APMATRIX);
    run.current_dir(directory).args(["run", "--machine", machine, "--"]).args(command);
    let output = run.timeout(Duration::from_secs(60)).output().expect("the command starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

/// Whether runs are possible here.
fn possible() -> bool {
    let output = Command::new(APMATRIX).args(["run", "--machine", "tiny", "--", "true"]).output();
    let output = output.expect("the command starts");
    match output.status.code() {
        Some(0) => true,
        Some(3) => {
            eprintln!("skipped: {}", String::from_utf8_lossy(&output.stderr).trim_end());
            false
        }
        other => panic!("{other:?}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

#[test]
fn a_command_sees_the_machine_and_gives_the_status() {
    if !possible() {
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
    assert_eq!(said.0, 127, "{}", said.1);
}

#[test]
fn scenarios_pass_through_the_mount() {
    if !possible() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("blank.toml"), "schema = \"apmatrix.machine/1\"\n")
        .expect("it can be written");
    let archive = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts.tar.xz");
    let mut names = Vec::new();
    let unpacked = Input::Archive(archive).each::<InputError>(&mut |name, lines| {
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
