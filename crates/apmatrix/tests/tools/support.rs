//! Runs of scripts on machines, as one user or another, within time limits, leaving nothing.

#![allow(dead_code, reason = "not every test program uses all")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use assert_cmd::Command;

use crate::skip::{skip, skip_all, tell};

/// The program.
pub const APMATRIX: &str = env!("CARGO_BIN_EXE_apmatrix");
/// How long a script may take: far more than any needs.
const LIMIT: Duration = Duration::from_secs(120);

/// In the environment of everything that a case starts.
const MARK: &str = "APMATRIX_TOOLS_TEST";

/// As whom a script runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Root of this host.
    Root,
    /// Somebody without privileges: whoever runs the tests, or nobody if that is root.
    User,
}

/// What a script printed, on either stream, and its status.
#[derive(Debug)]
pub struct Said {
    /// Text.
    pub text: String,
    /// The exit status.
    pub status: Option<i32>,
}

fn we_are_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Whether a program is there.
pub fn installed(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where daemons are, ordinary users do not look.
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    places.into_iter().any(|directory| directory.join(tool).is_file())
}

/// Begins every script: `say` runs a command and prints its name, what it says and its status.
const PRELUDE: &str = "exec 2>&1; export PATH=\"$PATH:/usr/sbin:/sbin\" LC_ALL=C
say() { echo \"\\$ $*\"; \"$@\" || echo \"status $?\"; }
# Tries a condition until it holds, but not longer than 20 s.
until_so() { n=0; until eval \"$1\"; do n=$((n+1)); [ $n -lt 400 ] || { echo \"never: $1\"; exit 99; }; sleep 0.05; done; }
";

impl Who {
    /// `apmatrix` with a /dev/fuse that this user may open, in a mount namespace of its own.
    fn command(self) -> Command {
        let mut command = Command::from_std(self.through(""));
        command.timeout(LIMIT);
        command
    }

    /// The same, started through another program.
    fn through(self, starter: &str) -> std::process::Command {
        let mut command = match self {
            Who::User if we_are_root() => {
                // Where the program is, the user may have no way to.
                let script = format!(
                    "mount -t tmpfs -o mode=755 none /mnt && mknod -m 666 /mnt/fuse c 10 229 \
                     && mount --bind /mnt/fuse /dev/fuse && cp \"$1\" /mnt/apmatrix && chmod 755 /mnt/apmatrix \
                     && shift && cd / && export APMATRIX=/mnt/apmatrix \
                     && exec setpriv --reuid=65534 --regid=65534 --clear-groups {starter} /mnt/apmatrix \"$@\""
                );
                let mut command = std::process::Command::new("unshare");
                command.args(["-m", "--propagation", "private", "sh", "-c", &script, "sh", APMATRIX]);
                command
            }
            Who::Root | Who::User => std::process::Command::new(APMATRIX),
        };
        command.env("APMATRIX", APMATRIX).env(MARK, std::process::id().to_string());
        command
    }

    /// Why this user can't have a private `/sys` here.
    fn lacks(self) -> Option<String> {
        if self == Who::Root && !we_are_root() {
            return Some("the tests don't run as root".to_owned());
        }
        let output = self.command().args(["run", "--machine", "tiny", "--", "true"]).output();
        let output = output.expect("the command starts");
        let why = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        match output.status.code() {
            Some(0) => None,
            Some(3 | 1 | 32) => Some(why),
            other => panic!("{other:?}: {why}"),
        }
    }

    /// Runs a shell script on a machine.
    pub fn run(self, machine: &str, script: &str) -> Said {
        let script = format!("{PRELUDE}{script}");
        let mut command = self.command();
        let output = command.args(["run", "--machine", machine, "--", "sh", "-uc", &script]).output();
        let output = output.expect("the command starts");
        let text = [output.stdout, output.stderr].concat();
        Said { text: String::from_utf8_lossy(&text).into_owned(), status: output.status.code() }
    }

    /// Runs a script that must end well; what it printed.
    pub fn ok(self, machine: &str, script: &str) -> String {
        let said = self.run(machine, script);
        assert_eq!(said.status, Some(0), "{}", said.text);
        said.text
    }
}

/// Why a user can't have a private `/sys` here.
pub fn lacks(who: Who) -> Option<String> {
    who.lacks()
}

/// Does something as root and as an ordinary user, where that is possible, what it needs is here, and leaves nothing.
pub fn as_each(needs: &[&str], case: impl Fn(Who)) {
    for who in [Who::Root, Who::User] {
        let absent =
            needs.iter().find(|tool| !installed(tool)).map(|tool| format!("{tool} is not installed"));
        match absent.or_else(|| who.lacks()) {
            Some(why) => {
                let test = std::thread::current();
                skip(&format!("{} as {who:?}", test.name().unwrap_or("a row")), why);
            }
            None => {
                let before = Host::now();
                case(who);
                assert_eq!(Host::now(), before, "something was left behind");
            }
        }
    }
}

/// What the program prints that is given these arguments, and ends well.
pub fn apmatrix(arguments: &[&str]) -> String {
    let output = Command::new(APMATRIX).args(arguments).timeout(LIMIT).output().expect("it starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A run of an ordinary user in which a system call fails.
pub fn refused(fault: &str) -> Said {
    let mut command = Command::from_std(Who::User.through(&format!("strace -o /dev/null -e inject={fault}")));
    command.timeout(LIMIT);
    let output = command.args(["run", "--machine", "tiny", "--", "true"]).output().expect("it starts");
    let text = [output.stdout, output.stderr].concat();
    Said { text: String::from_utf8_lossy(&text).into_owned(), status: output.status.code() }
}

/// The part of a text from a line that begins so, up to the next command of a script.
pub fn after<'a>(text: &'a str, command: &str) -> &'a str {
    let at = text.find(&format!("$ {command}")).unwrap_or_else(|| panic!("no `{command}` in\n{text}"));
    let rest = text[at..].split_once('\n').map_or("", |(_, rest)| rest);
    if rest.starts_with("$ ") { "" } else { rest.find("\n$ ").map_or(rest, |end| &rest[..=end]) }
}

/// What must be the same after a case as before.
#[derive(Debug, PartialEq, Eq)]
pub struct Host {
    mounts: Vec<String>,
    files: BTreeSet<String>,
}

impl Host {
    /// As it is.
    pub fn now() -> Host {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let mounts = mounts.lines().filter(|line| line.contains("apmatrix")).map(str::to_owned).collect();
        let mut files = BTreeSet::new();
        for directory in [
            "/etc/mdevctl.d",
            "/etc/udev/rules.d",
            "/run/udev",
            "/run/lock",
            "/run/libvirt",
            "/var/lib/libvirt",
            "/dev/vfio",
            "/dev/zcrypt",
            "/lib/modules",
        ] {
            walk(Path::new(directory), &mut files);
        }
        Host { mounts, files }
    }
}

fn walk(directory: &Path, files: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        files.insert(entry.path().display().to_string());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&entry.path(), files);
        }
    }
}

/// The processes that have `mark` in their environment.
fn marked(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.windows(mark.len()).any(|window| window == mark.as_bytes()) {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            found.push(String::from_utf8_lossy(&line).replace('\0', " "));
        }
    }
    found
}

/// A run that was started and not waited for.
pub struct Running {
    child: std::process::Child,
    said: std::io::BufReader<std::process::ChildStdout>,
    /// In the environment of all its processes.
    mark: String,
}

impl Who {
    /// Starts a script on a machine.
    pub fn start(self, machine: &str, script: &str) -> Running {
        let script = format!("{PRELUDE}{script}");
        let mut command = self.through("");
        // Other tests of this program have theirs.
        let mark = format!("{}-{}", std::process::id(), started());
        command.env(MARK, &mark).args(["run", "--machine", machine, "--", "sh", "-uc", &script]);
        command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().expect("the command starts");
        let said = std::io::BufReader::new(child.stdout.take().expect("its output"));
        Running { child, said, mark: format!("{MARK}={mark}\0") }
    }
}

impl Running {
    /// Waits for a line.
    pub fn until_it_says(&mut self, wanted: &str) {
        let (mut line, mut all) = (String::new(), String::new());
        while line.trim_end() != wanted {
            line.clear();
            let read = std::io::BufRead::read_line(&mut self.said, &mut line).expect("its output");
            all += &line;
            assert!(read > 0, "it ended without `{wanted}`:\n{all}");
        }
    }

    /// Kills the program itself; everything else is the guard's to end.
    pub fn kill_the_server(&mut self) {
        self.child.kill().expect("it runs");
        let _ = self.child.wait();
    }

    /// Waits until no process of it is left.
    pub fn nothing_is_left(&self) {
        let start = Instant::now();
        while !marked(&self.mark).is_empty() {
            assert!(start.elapsed() < LIMIT, "left: {:?}", marked(&self.mark));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// How many runs were started before.
fn started() -> usize {
    static STARTED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    STARTED.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// The cases, and what came of them.
#[derive(Default)]
pub struct Suite {
    ran: usize,
    skipped: Vec<String>,
    failed: Vec<String>,
}

impl Suite {
    /// None so far.
    pub fn new() -> Suite {
        Suite::default()
    }

    /// Runs a case, if what it needs is here; a panic is its failure.
    pub fn case(&mut self, who: Who, name: &str, needs: &[&str], case: fn(Who)) {
        let name = format!("{name} ({})", if who == Who::Root { "root" } else { "user" });
        let absent =
            needs.iter().find(|tool| !installed(tool)).map(|tool| format!("{tool} is not installed"));
        if let Some(why) = absent.or_else(|| who.lacks()) {
            self.skipped.push(format!("{name}: {why}"));
            return;
        }
        let (before, start) = (Host::now(), Instant::now());
        let done = std::panic::catch_unwind(|| {
            // The users' outputs must be the same.
            insta::allow_duplicates! { case(who) };
            assert_eq!(Host::now(), before, "something was left behind");
            let mark = format!("{MARK}={}\0", std::process::id());
            assert_eq!(marked(&mark), Vec::<String>::new(), "processes were left behind");
        });
        match done {
            Ok(()) => {
                self.ran += 1;
                tell(&format!("tools: {name} ok ({} ms)", start.elapsed().as_millis()));
            }
            Err(_) => self.failed.push(name),
        }
    }

    /// Prints the closing line; fails if a case did.
    pub fn end(self) {
        tell(&format!("tools: {} ran, {} skipped", self.ran, self.skipped.len()));
        assert!(self.failed.is_empty(), "failed: {}", self.failed.join(", "));
        skip_all(self.skipped);
    }
}
