//! `apmatrix view` at a real terminal, on a machine in `apmatrix run`: writes that wait, a terminal that nobody reads.
//!
//! Without /dev/fuse or namespaces these are skipped, and a line on standard error says so.

#[path = "first_hour/pseudo.rs"]
mod pseudo;
mod skip;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pseudo::Terminal;

const APMATRIX: &str = env!("CARGO_BIN_EXE_apmatrix");

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(240);

/// Whether machines can run here; says so if not, past the harness.
fn can_run(test: &str) -> bool {
    let output = Command::new(APMATRIX).args(["run", "--machine", "tiny", "--", "true"]).output();
    let output = output.expect("it starts");
    if !output.status.success() {
        skip::skip(test, String::from_utf8_lossy(&output.stderr));
    }
    output.status.success()
}

/// `view` in `run`, after some lines of a shell.
fn view(machine: &str, before: &str) -> Terminal {
    let script = format!("{before}\nexec {APMATRIX} view");
    Terminal::start(160, &["run", "--machine", machine, "--", "sh", "-c", &script])
}

/// A write waits until a guest goes, for ever if nobody lets it: `view` goes on, and can be ended.
/// Words are looked for one by one: between them the terminal may be told to move instead of a blank.
#[test]
fn a_write_that_waits_keeps_nobody() {
    if !can_run("a_write_that_waits_keeps_nobody") {
        return;
    }
    let mdev = "a0000001-0000-4000-8000-000000000001";
    let matrix = "/sys/devices/vfio_ap/matrix";
    let before = format!(
        "echo {mdev} > {matrix}/mdev_supported_types/vfio_ap-passthrough/create\n\
         echo start g1 {mdev} > /sys/kernel/debug/apmatrix/guests"
    );
    for stop in [false, true] {
        let mut terminal = view("tiny", &before);
        terminal.until("CEX8P");
        terminal.press(&format!(":echo 1 > {matrix}/{mdev}/remove\r"));
        terminal.until("waits:");
        terminal.press(":echo -4 > /sys/bus/ap/apmask\r");
        terminal.until("begun:");
        if stop {
            // What ends the waiting goes beside it; what became of the write is an event.
            terminal.press(":guest stop g1\r");
            terminal.until("returned,");
        }
        terminal.press("q");
        let (status, text) = terminal.end();
        assert_eq!(status, Some(0), "{text}");
    }
}

/// Waits for a file.
fn wait_for(path: &Path, what: &str) {
    let begun = Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < PATIENCE, "{what} has not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A terminal that nobody reads blocks `view` while it draws; who uses the tree does not notice.
#[test]
fn a_terminal_that_nobody_reads_slows_nobody() {
    if !can_run("a_terminal_that_nobody_reads_slows_nobody") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path().display();
    let operations = format!(
        "(until [ -e {place}/go ]; do sleep 0.1; done; turn=0\n\
         while [ $((turn += 1)) -le 500 ]; do\n\
         echo +4 > /sys/bus/ap/apmask && echo -4 > /sys/bus/ap/apmask || exit\n\
         done; echo $turn > {place}/count; mv {place}/count {place}/done) &"
    );
    let mut terminal = view("default", &operations);
    terminal.until("CEX8P");
    terminal.hold(true);
    // Help comes and goes, a screen each time: more than the terminal holds.
    for _ in 0..200 {
        terminal.press("?");
    }
    let mut unread = 0;
    while unread == 0 || terminal.unread() != unread {
        unread = terminal.unread();
        std::thread::sleep(Duration::from_secs(1));
    }
    std::fs::write(directory.path().join("go"), "").expect("a file");
    wait_for(&directory.path().join("done"), "the end of 1,000 operations");
    let count = std::fs::read_to_string(directory.path().join("done")).expect("a file");
    assert_eq!(count, "501\n");
    // It would have shown by now that an adapter has left apmask, if it could.
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(terminal.unread(), unread, "it was blocked all the time");
    terminal.hold(false);
    terminal.press("/free\r");
    terminal.until("It is free");
    terminal.press("q");
    let (status, text) = terminal.end();
    assert_eq!(status, Some(0), "{text}");
}

/// A terminal that is gone (its window was closed) ends `view`: it read on, for ever, with half a processor.
#[test]
fn a_terminal_that_is_gone_ends_it() {
    let (master, slave) = pseudo::pair(160);
    let side = || Stdio::from(slave.try_clone().expect("another one"));
    // It is its controlling terminal, as a window's is: SIGHUP comes first, and alone was not enough.
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait", APMATRIX, "view", "--machine", "tiny"]).env("TERM", "xterm");
    command.stdin(side()).stdout(side()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    drop((command, slave));
    let (mut master, mut shown, mut buffer) = (std::fs::File::from(master), String::new(), [0; 4096]);
    while !shown.contains("CEX8P") {
        let length = master.read(&mut buffer).expect("it shows the matrix");
        shown.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    // A key that is not whole yet.
    master.write_all(b"\x1b[<0;1").expect("it listens");
    std::thread::sleep(Duration::from_millis(100));
    drop(master);
    let begun = Instant::now();
    while child.try_wait().expect("it can be asked").is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill().expect("it is ours");
            panic!("it has not ended");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
