//! How a command is started and ends: T10, T11, T12, T13, T18, T19.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use crate::skip::skip;
use crate::support::{APMATRIX, Who, apmatrix, as_each, installed, lacks};

#[test]
fn t10_the_network_is_said() {
    let help = apmatrix(&["run", "--help"]);
    assert!(help.contains("network of its own") && help.contains("--no-uevents"), "{help}");
    for guide in ["use-it-in-ci.md", "test-a-tool.md"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide").join(guide);
        let text = std::fs::read_to_string(path).expect("a guide");
        assert!(text.contains("--no-uevents"), "{guide}");
    }
}

#[test]
fn t11_apmatrix_is_found_in_a_run() {
    as_each(&[], |who| {
        let said = who.ok("tiny", "export PATH=\"$PATH\"; apmatrix ls --json | grep -c schema");
        assert_eq!(said, "1\n");
    });
}

#[test]
fn t12_sudo_in_an_ordinary_users_run() {
    if let Some(why) = lacks(Who::User) {
        return skip("t12", why);
    }
    let said = Who::User.ok(
        "tiny",
        "say sudo -n id -u; say sudo -E A=b sh -c 'echo $A'; say sudo -u root -- echo x; say sudo -u nobody id
        sudo printf %s \"$(printf '\\377a')\" | od -An -tx1; say sudo echo --preserve-env=X
        say sudo nonesuch; echo -4 | sudo tee /sys/bus/ap/apmask; cat /sys/bus/ap/devices/04.0006/status",
    );
    assert_eq!(
        said,
        "$ sudo -n id -u\n0\n$ sudo -E A=b sh -c echo $A\nb\n$ sudo -u root -- echo x\nx\n\
         $ sudo -u nobody id\nsudo: there is nobody but root in an ordinary user's run: no nobody\nstatus 1\n\
         \x20ff 61\n$ sudo echo --preserve-env=X\n--preserve-env=X\n\
         $ sudo nonesuch\nsudo: nonesuch: command not found\nstatus 1\n-4\nunassigned\n"
    );
}

#[test]
fn t13_without_the_right_to_the_network() {
    let lacking = lacks(Who::Root).or((!installed("setpriv")).then(|| "no setpriv".to_owned()));
    if let Some(why) = lacking {
        return skip("t13", why);
    }
    let script = "echo A > /dev/tcp/127.0.0.1/9 || true; ip=1; cat /sys/class/net/lo/flags
        modprobe -r vfio_ap && modprobe vfio_ap && echo -4 > /sys/bus/ap/apmask; ls -l /sys/bus/ap/drivers/vfio_ap | grep -c 04.00";
    let output = Command::new("setpriv")
        .args([
            "--bounding-set=-net_admin",
            "--inh-caps=-net_admin",
            APMATRIX,
            "run",
            "--machine",
            "tiny",
            "--",
        ])
        .args(["sh", "-c", script])
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // Up and loopback.
    assert_eq!(text, "0x9\n2\n", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn t18_the_command_without_dashes() {
    as_each(&[], |_| {});
    if let Some(why) = lacks(Who::Root) {
        return skip("t18", why);
    }
    assert_eq!(apmatrix(&["run", "--machine", "tiny", "echo", "-V", "--machine"]), "-V --machine\n");
    assert_eq!(apmatrix(&["run", "sh", "-c", "echo $0 $#", "a", "--", "b"]), "a 2\n");
    assert_eq!(apmatrix(&["run", "--", "echo", "--"]), "--\n");
}

#[test]
fn t19_a_keys_signal_ends_the_loop_around() {
    if let Some(why) = lacks(Who::Root) {
        return skip("t19", why);
    }
    let run = |text: &str| {
        // Whoever runs the tests in the background has them ignore the key.
        let mut command = Command::new("env");
        command.args(["--default-signal=INT", APMATRIX, "run", "--machine", "tiny", "--", "sh", "-c", text]);
        command.stdin(Stdio::null());
        command.status().expect("it starts")
    };
    assert_eq!(run("kill -INT $$").signal(), Some(2), "it died of the signal, as its command did");
    assert_eq!(run("kill -TERM $$").code(), Some(143));
    assert_eq!(run("trap 'exit 5' INT; kill -INT $$").code(), Some(5));
    let script = format!("for i in 1 2 3; do {APMATRIX} run -- sh -c 'kill -INT $$'; echo $?; done");
    if !installed("bash") {
        return skip("t19, a loop around", "bash is not installed");
    }
    let output = Command::new("env").args(["--default-signal=INT", "bash", "-c", &script]).output();
    let output = output.expect("it starts");
    // A shell that was not interrupted itself goes on, and sees the status.
    assert!(output.stdout.starts_with(b"130\n"), "{output:?}");
}
