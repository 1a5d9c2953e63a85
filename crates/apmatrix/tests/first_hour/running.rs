//! H5, H19, H22: what a run says, and reaching one that goes on.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{apmatrix, one_line};
use crate::skip::skip;

const UUID: &str = "62177883-f1bb-47f0-914d-32a22e3a8804";

/// A command in an environment of its own, with programs on its path.
fn run(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_apmatrix"));
    command.env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin").env("XDG_RUNTIME_DIR", directory);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Whether machines can run here; says so if not.
pub(crate) fn can_run(test: &str) -> bool {
    let ran = apmatrix(&["run", "--machine", "tiny", "--", "/bin/true"]);
    if ran.status != 0 {
        skip(test, &ran.err);
    }
    ran.status == 0
}

/// Runs a script that waits, and lets it go on when a line was said of that; the line, and what it printed.
fn first_told(directory: &Path, script: &str) -> (String, String) {
    let arguments = ["run", "--machine", "tiny", "--tell-waits", "1", "--", "bash", "-c", script];
    let mut command = run(directory, &arguments);
    let mut child = command
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut said = String::new();
    BufReader::new(child.stderr.take().expect("a pipe")).read_line(&mut said).expect("a line");
    drop(child.stdin.take());
    let ended = child.wait_with_output().expect("it ends");
    (said, String::from_utf8_lossy(&ended.stdout).into_owned())
}

#[test]
fn h5_a_run_says_who_waits_for_whom() {
    if !can_run("h5") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    // The shell's own write waits, so another process lets the guest go: when it was said.
    let script = format!(
        "M=/sys/devices/vfio_ap/matrix; echo 0x0 > /sys/bus/ap/apmask\n\
         echo {UUID} > $M/mdev_supported_types/vfio_ap-passthrough/create\n\
         echo 4 > $M/{UUID}/assign_adapter; echo 6 > $M/{UUID}/assign_domain\n\
         echo start g1 {UUID} > /sys/kernel/debug/apmatrix/guests\n\
         echo 1 > $M/{UUID}/remove & read told; echo stop g1 > /sys/kernel/debug/apmatrix/guests; wait $!; echo gone"
    );
    let (said, printed) = first_told(directory.path(), &script);
    assert_eq!(
        said,
        format!(
            "apmatrix run: bash: a call below /sys/devices/vfio_ap/matrix/{UUID} waits until guest g1 lets mdev {UUID} go, \
             which it has open; `apmatrix guest stop g1` ends that\n"
        )
    );
    assert_eq!(printed, "gone\n");
}

/// An apply was silent for 17 seconds, and only the log knew of which queue.
#[test]
fn a_run_says_which_reset_a_call_waits_for() {
    if !can_run("a reset that does not end") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let script = format!(
        "M=/sys/devices/vfio_ap/matrix; echo 0x0 > /sys/bus/ap/apmask\n\
         echo {UUID} > $M/mdev_supported_types/vfio_ap-passthrough/create\n\
         echo 4 > $M/{UUID}/assign_adapter; echo 6 > $M/{UUID}/assign_domain\n\
         echo start g1 {UUID} > /sys/kernel/debug/apmatrix/guests\n\
         echo fault 04.0006 rc=2 > /sys/kernel/debug/apmatrix/hw\n\
         echo 4 > $M/{UUID}/unassign_adapter & read told; echo fault 04.0006 rc=0 > /sys/kernel/debug/apmatrix/hw\n\
         wait $!; echo taken"
    );
    let (said, printed) = first_told(directory.path(), &script);
    assert!(
        said.starts_with(
            "apmatrix run: bash: a call waits, as it seems for the reset of queue 04.0006 to end"
        ),
        "{said}"
    );
    assert!(said.ends_with("`apmatrix hw fault 04.0006 rc=0` ends it\n"), "{said}");
    assert_eq!(printed, "taken\n");
}

/// ^C in a reset that lasts: nothing was said, and a plan that is refused then advised to stop a guest.
#[test]
fn an_apply_that_is_interrupted_says_what_ends_it_and_so_does_a_plan_that_is_refused() {
    if !can_run("an interrupted apply") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    let want = |domain: u8| {
        format!(
            "schema = \"apmatrix.desired/1\"\n[[mdev]]\nuuid = \"{UUID}\"\nadapters = [4]\ndomains = [{domain}]\n"
        )
    };
    std::fs::write(at.join("want.toml"), want(71)).expect("a file");
    std::fs::write(at.join("none.toml"), want(71).replace("[4]", "[10]")).expect("a file");
    let script = format!(
        "set -m; M=/sys/devices/vfio_ap/matrix; echo 0x0 > /sys/bus/ap/apmask\n\
         echo {UUID} > $M/mdev_supported_types/vfio_ap-passthrough/create\n\
         echo 4 > $M/{UUID}/assign_adapter; echo 6 > $M/{UUID}/assign_domain\n\
         echo start g1 {UUID} > /sys/kernel/debug/apmatrix/guests; cd {}\n\
         echo fault 04.0006 rc=2 > /sys/kernel/debug/apmatrix/hw\n\
         apmatrix apply want.toml --allow unplug 2> told & \n\
         until grep -sq doing /sys/kernel/debug/apmatrix/run/apmatrix/journal; do sleep 0.1; done\n\
         kill -INT $!\n\
         for i in $(seq 200); do if grep -q interrupted told; then break; fi; sleep 0.1; done; cat told\n\
         echo fault 04.0006 rc=0 > /sys/kernel/debug/apmatrix/hw; wait $!; echo status $?\n\
         apmatrix plan none.toml 2>&1; apmatrix recover 2>&1",
        at.display()
    );
    let mut command =
        run(at, &["run", "--machine", "tiny", "--tell-waits", "60", "--", "bash", "-c", &script]);
    let ended = command.stderr(Stdio::null()).stdout(Stdio::piped()).output().expect("it starts");
    let said = one_line(&String::from_utf8_lossy(&ended.stdout));
    assert!(said.contains("interrupted at step 1, a write that may still take effect"), "{said}");
    assert!(said.contains("`apmatrix recover` ends it, forward or back status 130"), "{said}");
    let note = "note: an apply is under way, or was interrupted: then `apmatrix recover` ends it";
    let refused = said.find("error: there is no plan").expect("there is no plan");
    assert!(said[..refused].contains(note), "{said}");
}

/// An apply was taken back at night, and a guest lacked an adapter by it: `recover` said that there is nothing to do.
#[test]
fn who_comes_after_an_apply_was_taken_back_is_told_what_a_guest_lacks() {
    if !can_run("after an apply was taken back") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    let want = "schema = \"apmatrix.desired/1\"\n[host]\napmask = \"-10\"\n";
    std::fs::write(at.join("want.toml"), want).expect("a file");
    let script = format!(
        "M=/sys/devices/vfio_ap/matrix; echo -4 > /sys/bus/ap/apmask\n\
         echo {UUID} > $M/mdev_supported_types/vfio_ap-passthrough/create\n\
         echo 4 > $M/{UUID}/assign_adapter; echo 6 > $M/{UUID}/assign_domain; echo 71 > $M/{UUID}/assign_domain\n\
         echo start g1 {UUID} > /sys/kernel/debug/apmatrix/guests; cd {}\n\
         apmatrix apply want.toml --confirm 1 2> /dev/null\n\
         until grep -q ended /sys/kernel/debug/apmatrix/run/apmatrix/journal; do sleep 0.1; done\n\
         apmatrix recover 2>&1; echo status $?\n\
         echo fault 04.0047 zrc=0x10:1 > /sys/kernel/debug/apmatrix/hw\n\
         echo 71 > $M/{UUID}/unassign_domain; echo 71 > $M/{UUID}/assign_domain\n\
         apmatrix confirm 2>&1; echo status $?; apmatrix recover 2>&1; echo status $?",
        at.display()
    );
    let mut command = run(at, &["run", "--machine", "tiny", "--", "bash", "-c", &script]);
    let ended = command.stderr(Stdio::null()).stdout(Stdio::piped()).output().expect("it starts");
    let said = one_line(&String::from_utf8_lossy(&ended.stdout));
    let lacks = format!("guest g1 lacks adapter 4 of mdev {UUID}");
    assert_eq!(said.matches(&lacks).count(), 2, "{said}");
    assert_eq!(said.matches("status 1").count(), 2, "{said}");
    assert!(said.contains(&format!("hint: {lacks}")) && said.contains(&format!("note: {lacks}")), "{said}");
}

#[test]
fn h19_a_running_machine_is_reached_by_its_name() {
    if !can_run("h19") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    let mut lab = run(
        at,
        &[
            "run",
            "--machine",
            "tiny",
            "--name",
            "lab",
            "--",
            "bash",
            "-c",
            "echo up; read x; cat /sys/bus/ap/apmask",
        ],
    )
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .spawn()
    .expect("it starts");
    let mut out = BufReader::new(lab.stdout.take().expect("a pipe"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert_eq!(line, "up\n");
    let said = |arguments: &[&str]| {
        let output = run(at, arguments).output().expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    assert_eq!(said(&["exec", "--list"]), (Some(0), "lab\n".into(), String::new()));
    let exec = said(&[
        "exec",
        "lab",
        "--",
        "bash",
        "-c",
        "echo -4 > /sys/bus/ap/apmask; echo $APMATRIX_MACHINE; exit 7",
    ]);
    assert_eq!(exec, (Some(7), "tiny\n".into(), String::new()));
    let mut pwd = run(at, &["exec", "lab", "--", "pwd"]);
    let pwd = pwd.current_dir(at).output().expect("it starts").stdout;
    let here = std::fs::canonicalize(at).expect("it is there");
    assert_eq!(
        String::from_utf8_lossy(&pwd).trim_end(),
        here.to_string_lossy(),
        "it starts where it is called"
    );
    let (status, _, err) = said(&["exec", "lap", "--", "true"]);
    assert_eq!(
        (status, err.as_str()),
        (Some(3), "error: no machine called `lap` runs\nhint: did you mean `lab`?\n")
    );
    let (status, _, err) = said(&["run", "--name", "lab", "--", "true"]);
    assert_eq!(status, Some(2), "{err}");
    assert!(err.contains("a machine called `lab` runs already"), "{err}");
    drop(lab.stdin.take());
    line.clear();
    out.read_line(&mut line).expect("a line");
    assert!(line.starts_with("0xf7ff"), "what was written from outside is seen inside: {line}");
    assert!(lab.wait().expect("it ends").success());
    let none = "no machine runs that has a name: `apmatrix run --name lab` starts one\n".to_owned();
    assert_eq!(said(&["exec", "--list"]), (Some(0), String::new(), none));
    // A name that a killed one left is free.
    std::fs::write(at.join("apmatrix/lab"), "server 1\nmounts mnt:[1]\n").expect("a file");
    assert_eq!(said(&["run", "--machine", "tiny", "--name", "lab", "--", "true"]).0, Some(0));
}

/// What takes an apply back outlives the `exec` that it was started by, and writes down that it did.
#[test]
fn an_apply_by_exec_is_taken_back_and_not_confirmed_any_more() {
    if !can_run("an apply by exec") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    std::fs::write(at.join("want.toml"), "schema = \"apmatrix.desired/1\"\n[host]\napmask = \"-4\"\n")
        .expect("a file");
    let lab = ["run", "--machine", "tiny", "--name", "lab", "--", "bash", "-c", "echo up; read x; true"];
    let mut lab = run(at, &lab).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(lab.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let exec = |command: &[&str]| {
        let mut exec = run(at, &[&["exec", "lab", "--"], command].concat());
        let output = exec.current_dir(at).output().expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let program = env!("CARGO_BIN_EXE_apmatrix");
    let applied = exec(&[program, "apply", "want.toml", "--confirm", "1"]);
    assert_eq!(applied.0, Some(0), "{}", applied.2);
    let journal = "/sys/kernel/debug/apmatrix/run/apmatrix/journal";
    let ended = format!("until grep -q ended {journal}; do sleep 0.1; done; cat /sys/bus/ap/apmask");
    let (status, mask, err) = exec(&["timeout", "60", "sh", "-c", &ended]);
    assert_eq!((status, mask.trim_end()), (Some(0), format!("0x{}", "f".repeat(64)).as_str()), "{err}");
    let (status, _, err) = exec(&[program, "confirm"]);
    assert_eq!(status, Some(1), "{err}");
    let err = one_line(&err);
    assert!(err.starts_with("error: there is nothing to confirm: the last apply ("), "{err}");
    let ended =
        " s ago, since it was not confirmed in time; nothing of it is in force hint: `apmatrix apply`";
    assert!(err.contains(") was taken back ") && err.contains(ended), "{err}");
    for (verb, status) in [("revert", 1), ("recover", 0)] {
        let (got, _, err) = exec(&[program, verb]);
        assert_eq!(got, Some(status), "{err}");
        assert!(
            one_line(&err).contains("since it was not confirmed in time; nothing of it is in force"),
            "{err}"
        );
    }
    // More time would not have helped who took it back himself.
    for (verb, status) in [(&["apply", "want.toml"][..], 0), (&["revert"], 0), (&["revert"], 1)] {
        let (got, _, err) = exec(&[&[program], verb].concat());
        assert_eq!(got, Some(status), "{verb:?}: {err}");
        let err = one_line(&err);
        assert!(
            status == 0 || err.contains("since `apmatrix revert` was called; nothing of it is in force"),
            "{err}"
        );
        assert!(status == 0 || err.contains("hint: `apmatrix apply`") && !err.contains("--confirm"), "{err}");
    }
    drop(lab.stdin.take());
    assert!(lab.wait().expect("it ends").success());
}

#[test]
fn what_exec_leaves_in_the_background_goes_on_being_answered() {
    if !can_run("what exec leaves in the background") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    let lab = ["run", "--machine", "tiny", "--name", "lab", "--", "bash", "-c", "echo up; read x; true"];
    let mut lab = run(at, &lab).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(lab.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    // To open a file for reading and writing is one of the calls that are held up. It is opened when `exec` has ended.
    let left = "(read go < go; exec 3<> both; echo $? > opened) > /dev/null 2>&1 < /dev/null &";
    let exec = ["exec", "lab", "--", "sh", "-c", &format!("mkfifo go; {left}")];
    let output = run(at, &exec).current_dir(at).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(at.join("go"), "go\n").expect("it is read");
    let opened = at.join("opened");
    for _ in 0..600 {
        if std::fs::read_to_string(&opened).is_ok_and(|text| !text.is_empty()) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(std::fs::read_to_string(&opened).expect("it goes on"), "0\n");
    drop(lab.stdin.take());
    assert!(lab.wait().expect("it ends").success());
}

#[test]
fn names_are_not_taken_from_a_directory_that_others_can_use() {
    let user = tempfile::tempdir().expect("a directory");
    let (names, elsewhere) = (user.path().join("apmatrix"), user.path().join("elsewhere"));
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    // One that runs, as far as its file says: this test's own process.
    let mounts = std::fs::read_link("/proc/self/ns/mnt").expect("a name");
    let lab = format!("server {}\nmounts {}\n", std::process::id(), mounts.display());
    let refused = |arguments: &[&str]| {
        let output = run(user.path(), arguments).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {said}");
        assert!(said.contains("is no directory that only you can use"), "{arguments:?}: {said}");
        assert!(said.contains("hint: names of machines are kept there"), "{arguments:?}: {said}");
    };
    let refused = || {
        refused(&["exec", "lab", "--", "true"]);
        refused(&["exec", "--list"]);
        refused(&["run", "--machine", "tiny", "--name", "other", "--", "true"]);
    };
    std::fs::create_dir(&names).expect("a directory");
    std::fs::write(names.join("lab"), lab).expect("a file");
    mode(&names, 0o700);
    let listed = run(user.path(), &["exec", "--list"]).output().expect("it starts");
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "lab\n", "it is the directory that is refused below");
    mode(&names, 0o777);
    refused();
    mode(&names, 0o700);
    std::fs::rename(&names, &elsewhere).expect("it is ours");
    std::os::unix::fs::symlink(&elsewhere, &names).expect("a link");
    refused();
    std::fs::remove_file(&names).expect("it is ours");
    std::fs::rename(&elsewhere, &names).expect("it is ours");
    if std::os::unix::fs::chown(&names, Some(65534), None).is_ok() {
        refused();
    } else {
        skip("the directory of another user", "only root can make one");
    }
}

#[test]
fn h22_a_command_of_apmatrix_that_is_run_alone_gets_a_tip() {
    if !can_run("h22") {
        return;
    }
    let ran = apmatrix(&["run", "--machine", "tiny", "--", "explore"]);
    assert_eq!(ran.status, 125, "{}", ran.err);
    assert!(ran.err.contains("`apmatrix run -- apmatrix explore` runs that command"), "{}", ran.err);
}

#[test]
fn h8_a_directory_that_is_not_empty_is_not_hidden() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("mine"), "").expect("a file");
    let path = directory.path().display().to_string();
    let ran = apmatrix(&["mount", &path]);
    let text: String = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.contains("fsopen") {
        return skip("h8", text);
    }
    assert_eq!(ran.status, 3, "{text}");
    assert!(
        text.contains("is not empty (mine is in it)") && text.contains("name an empty directory"),
        "{text}"
    );
}
