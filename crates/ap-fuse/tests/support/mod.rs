//! What the tests that mount share: re-executing themselves as server or client, time limits, skips.
//!
//! Every test program is its own `main`: mounts need a process with one thread, and clients that run inside.

#![allow(dead_code)]

pub mod serve;
pub mod tree;

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The hard limit for any one thing that a test starts.
pub const LIMIT: Duration = Duration::from_secs(90);

/// A test program's cases, and what came of them.
#[derive(Default)]
pub struct Suite {
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
    filter: Vec<String>,
}

/// Why a case can't be run here.
pub enum Skip {
    /// Something is not there or not allowed that CI has: with `APMATRIX_NO_SKIPS=1` that is a failure.
    Lacks(String),
    /// The kernel of this machine has not what the case compares with.
    Kernel(String),
}

impl Suite {
    /// Takes the names to run from the arguments, as cargo's own harness does.
    pub fn new() -> Suite {
        let filter = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
        Suite { filter, ..Suite::default() }
    }

    /// Runs a case; a panic is its failure.
    pub fn case(&mut self, name: &str, case: impl FnOnce() -> Result<(), Skip>) {
        if !self.filter.is_empty() && !self.filter.iter().any(|filter| name.contains(filter.as_str())) {
            return;
        }
        let start = Instant::now();
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(case));
        let took = start.elapsed().as_millis();
        match done {
            Ok(Ok(())) => {
                println!("test {name} ... ok ({took} ms)");
                self.passed += 1;
            }
            Ok(Err(Skip::Lacks(why)))
                if std::env::var_os("APMATRIX_NO_SKIPS").is_some_and(|value| value == "1") =>
            {
                println!("test {name} ... FAILED: APMATRIX_NO_SKIPS=1, and this was left out: {why}");
                self.failed.push(name.to_owned());
            }
            Ok(Err(Skip::Lacks(why) | Skip::Kernel(why))) => {
                println!("test {name} ... SKIPPED: {why}");
                self.skipped.push(name.to_owned());
            }
            Err(_) => {
                println!("test {name} ... FAILED ({took} ms)");
                self.failed.push(name.to_owned());
            }
        }
    }

    /// Prints the closing line and ends the program.
    pub fn end(self) -> ! {
        let (passed, failed, skipped) = (self.passed, self.failed.len(), self.skipped.len());
        println!("\ntest result: {passed} passed; {failed} failed; {skipped} skipped");
        for name in &self.failed {
            println!("  failed: {name}");
        }
        std::process::exit(i32::from(failed > 0));
    }
}

/// Whether mounts can be made here.
pub fn need_mounts() -> Result<(), Skip> {
    if !rustix::process::geteuid().is_root() {
        return Err(Skip::Lacks(
            "needs root, to make namespaces in which nothing of the machine is touched".to_owned(),
        ));
    }
    ap_fuse::preflight().map_err(|error| Skip::Lacks(error.to_string()))
}

/// Puts this process into a mount namespace of its own, before it starts anything: whatever the cases mount or leave
/// mounted by mistake is seen by nobody else, and gone with this process.
pub fn isolate() {
    use rustix::mount::{MountPropagationFlags, mount_change};
    use rustix::thread::{UnshareFlags, unshare_unsafe};
    if rustix::process::geteuid().is_root() {
        // SAFETY: no file descriptors or memory are unshared.
        if unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.is_ok() {
            let _ = mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC);
        }
    }
}

/// This program again, as `test_tree` would be called.
pub fn own(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("our own path"));
    command.arg(serve::SERVE).args(arguments).env("RUST_BACKTRACE", "0").stdin(Stdio::null());
    command
}

/// This program as an ordinary user, with a /dev/fuse that it may open, in a mount namespace of its own.
pub fn as_user(arguments: &[&str]) -> Command {
    // Where the test program is, the user may have no way to.
    let script = "mount -t tmpfs -o mode=755 none /mnt && mknod -m 666 /mnt/fuse c 10 229 \
                  && mount --bind /mnt/fuse /dev/fuse && cp \"$1\" /mnt/program && chmod 755 /mnt/program \
                  && shift && exec setpriv --reuid=65534 --regid=65534 --clear-groups /mnt/program \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-c", script, "sh"]);
    command.arg(std::env::current_exe().expect("our own path")).arg(serve::SERVE).args(arguments);
    command.env("RUST_BACKTRACE", "0").stdin(Stdio::null());
    command
}

/// A command line that runs a client function of this program.
pub fn client(name: &str, arguments: &[&str]) -> Vec<String> {
    let own = std::env::current_exe().expect("our own path").to_string_lossy().into_owned();
    let mut line = vec![own, serve::CLIENT.to_owned(), name.to_owned()];
    line.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    line
}

/// Runs something to its end, but not longer than [`LIMIT`].
pub fn finish(mut command: Command) -> Output {
    let child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn().expect("a child");
    finish_child(child)
}

/// Waits for the end of something, but not longer than [`LIMIT`].
pub fn finish_child(mut child: Child) -> Output {
    let drain = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                let _ = pipe.read_to_end(&mut bytes);
            }
            bytes
        })
    };
    let stdout = drain(child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>));
    let stderr = drain(child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>));
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child to wait for") {
            break status;
        }
        if start.elapsed() > LIMIT {
            let _ = rustix::process::kill_process_group(pid(&child), rustix::process::Signal::KILL);
            let _ = child.wait();
            panic!("not done within {} s", LIMIT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let read = |thread: std::thread::JoinHandle<Vec<u8>>| thread.join().unwrap_or_default();
    Output { status, stdout: read(stdout), stderr: read(stderr) }
}

/// A child's process number.
pub fn pid(child: &Child) -> rustix::process::Pid {
    rustix::process::Pid::from_child(child)
}

/// Runs a shell text in a private /sys that is the tests' tree; what it printed and its exit status.
pub fn run(options: &[&str], text: &str) -> (String, i32) {
    let mut arguments = vec!["run"];
    arguments.extend_from_slice(options);
    arguments.extend_from_slice(&["--", "sh", "-c", text]);
    outcome(&finish(own(&arguments)))
}

/// What was printed, on either stream, and the exit status.
pub fn outcome(output: &Output) -> (String, i32) {
    use std::os::unix::process::ExitStatusExt;
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let status = output.status.code().unwrap_or_else(|| 256 + output.status.signal().unwrap_or(0));
    (String::from_utf8_lossy(&text).into_owned(), status)
}

/// Waits until something is so, but not longer than [`LIMIT`].
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < LIMIT, "not within {} s: {what}", LIMIT.as_secs());
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// The processes whose environment has `mark`: those that a run with that mark left.
pub fn marked(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let path = entry.path();
        if std::fs::read(path.join("environ")).is_ok_and(|environment| has(&environment, mark.as_bytes())) {
            let command = std::fs::read(path.join("cmdline")).unwrap_or_default();
            found.push(format!(
                "{} {}",
                path.display(),
                String::from_utf8_lossy(&command).replace('\0', " ")
            ));
        }
    }
    found
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The FUSE mounts of ours that this mount namespace shows.
pub fn mounts() -> Vec<String> {
    let text = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
    text.lines().filter(|line| line.contains("fuse.apmatrix")).map(str::to_owned).collect()
}

/// The name of this program's case in `main`: server, client or none.
pub fn role() -> Option<(String, Vec<OsString>)> {
    let mut arguments = std::env::args_os().skip(1);
    let role = arguments.next()?.into_string().ok()?;
    [serve::SERVE, serve::CLIENT].contains(&role.as_str()).then(|| (role, arguments.collect()))
}
