//! An interactive shell on a terminal of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::support::{LIMIT, Skip, Suite, as_user, finish, finish_child, need_mounts, outcome, own};

pub fn cases(suite: &mut Suite) {
    suite.case("an_interactive_shell", an_interactive_shell);
    suite.case("keys_of_the_terminal", keys);
    suite.case("a_command_on_a_terminal", a_command);
    suite.case("a_terminal_can_be_made_inside", a_terminal_inside);
    suite.case("what_makes_terminals_does_not_bring_the_hosts_devices_back", no_devices_behind_terminals);
}

/// A program on a terminal, and what the terminal shows.
struct Terminal {
    keys: File,
    shown: Arc<Mutex<String>>,
    child: Child,
}

impl Terminal {
    fn start(mut command: Command) -> Terminal {
        let (mut master, mut slave) = (-1, -1);
        let null = std::ptr::null_mut();
        // SAFETY: plain out parameters; nulls are allowed for the rest.
        let made = unsafe {
            libc::openpty(&raw mut master, &raw mut slave, null, std::ptr::null(), std::ptr::null())
        };
        assert_eq!(made, 0, "a pseudo terminal");
        // SAFETY: both were just made and are nobody else's.
        let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
        rustix::io::fcntl_setfd(&master, rustix::io::FdFlags::CLOEXEC).expect("close on exec");
        let copy = || Stdio::from(slave.try_clone().expect("a copy"));
        command.stdin(copy()).stdout(copy()).stderr(copy()).env("TERM", "dumb");
        // SAFETY: only system calls.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY, 0);
                Ok(())
            });
        }
        let child = command.spawn().expect("a child");
        drop((slave, command));
        assert!(master.as_raw_fd() > 2);
        let mut screen = File::from(master.try_clone().expect("a copy"));
        let shown = Arc::new(Mutex::new(String::new()));
        let text = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                text.lock().expect("the screen").push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Terminal { keys: File::from(master), shown, child }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("keys");
    }

    fn shows(&self, text: &str) {
        let shown = || self.shown.lock().expect("the screen").clone();
        let start = std::time::Instant::now();
        while !shown().contains(text) {
            assert!(start.elapsed() < LIMIT, "the terminal does not show `{text}` but:\n{}", shown());
            std::thread::sleep(std::time::Duration::from_millis(3));
        }
    }

    fn forget(&self) {
        self.shown.lock().expect("the screen").clear();
    }
}

fn shell(name: &str) -> Command {
    let mut command = own(&["run"]);
    command.env("SHELL", name).env("HOME", "/nonexistent");
    command
}

fn an_interactive_shell() -> Result<(), Skip> {
    need_mounts()?;
    if !std::path::Path::new("/bin/bash").exists() {
        return Err(Skip::Lacks("there is no /bin/bash".to_owned()));
    }
    let mut terminal = Terminal::start(shell("/bin/bash"));
    terminal.shows("Things to try");
    terminal.shows("(apmatrix) ");
    terminal.press("echo $((40 + 2)) $(ls /sys/bus)\n");
    terminal.shows("42 test");
    // Job control works, and says nothing against it.
    terminal.press("sleep 1000 &\njobs; kill %1; exit 6\n");
    terminal.shows("Running");
    let shown = terminal.shown.lock().expect("the screen").clone();
    assert!(!shown.contains("no job control") && !shown.contains("process group"), "{shown}");
    assert_eq!(outcome(&finish_child(terminal.child)).1, 6);
    Ok(())
}

fn keys() -> Result<(), Skip> {
    need_mounts()?;
    // The outer shell has job control; it runs us as its job.
    let line = own(&["run"]);
    let program = line.get_program().to_string_lossy().into_owned();
    let mut outer = Command::new("/bin/bash");
    outer.args(["--norc", "--noprofile", "-i"]).env("PS1", "outer> ").env("HOME", "/nonexistent");
    let mut terminal = Terminal::start(outer);
    terminal.shows("outer> ");
    // What is shown differs from what is typed. One process only: a shell that is stopped while it starts another
    // waits for that one, stopped as well.
    let text = "trap 'echo got an i''nt' INT; echo be''gun; while :; do read line; done";
    terminal.press(&format!("{program} serve-the-tree run -- sh -c \"{text}\"\n"));
    terminal.shows("begun");
    terminal.press("\x03");
    terminal.shows("got an int");
    terminal.press("\x1a");
    terminal.shows("Stopped");
    terminal.forget();
    terminal.press("echo back in $((1 + 1)); fg\n");
    terminal.shows("back in 2");
    terminal.shows("serve-the-tree");
    terminal.press("\x03");
    terminal.shows("got an int");
    terminal.forget();
    terminal.press("\x1c");
    terminal.shows("outer> ");
    terminal.press("echo status $?; exit\n");
    // The shell's own child died of the key; its status is the command's.
    terminal.shows("status 131");
    assert_eq!(outcome(&finish_child(terminal.child)).1, 0);
    Ok(())
}

fn a_command() -> Result<(), Skip> {
    need_mounts()?;
    let mut terminal =
        Terminal::start(own(&["run", "--", "sh", "-c", "read line; echo \"got $line\"; exit 5"]));
    terminal.press("a line\n");
    terminal.shows("got a line");
    let shown = terminal.shown.lock().expect("the screen").clone();
    assert!(!shown.contains("Things to try"), "no banner for a command: {shown}");
    assert_eq!(outcome(&finish_child(terminal.child)).1, 5);
    Ok(())
}

/// `script`, tmux, expect and sshd make terminals: in a run there was none to be had.
fn a_terminal_inside() -> Result<(), Skip> {
    need_mounts()?;
    if Command::new("script").arg("--version").output().is_err() {
        return Err(Skip::Lacks("there is no `script`".to_owned()));
    }
    let text = "script -qec 'test -t 0 && test -t 1 && tty' /dev/null < /dev/null";
    for command in [own(&["run", "--", "sh", "-c", text]), as_user(&["run", "--", "sh", "-c", text])] {
        let (said, status) = outcome(&finish(command));
        assert_eq!(status, 0, "{said}");
        // By the mount of the device that made it.
        assert!(said.contains("/pts/"), "{said}");
    }
    Ok(())
}

/// A run shows the real `/dev` once more, as pseudo-terminals need it: the nodes that a run has itself are covered there.
fn no_devices_behind_terminals() -> Result<(), Skip> {
    need_mounts()?;
    // A `/dev` as that of a host which has such nodes: a directory and a device.
    let host = "set -e; d=$(mktemp -d); mount -t tmpfs dev $d; \
                for node in null zero full tty random urandom fuse ptmx; do cp -a /dev/$node $d; done; \
                mkdir $d/pts $d/vfio; mount --rbind /dev/pts $d/pts; mknod $d/z90crypt c 1 5; touch $d/vfio/7; \
                mount --move $d /dev; rmdir $d; exec \"$@\"";
    let look = "ls -d /dev/.real/vfio /dev/.real/z90crypt; ls /dev/.real/vfio; test -c /dev/.real/z90crypt && echo it is there; \
                test -c /dev/.real/ptmx && echo terminals";
    let inner = own(&["run", "--", "sh", "-c", look]);
    let mut outer = Command::new("unshare");
    outer.args(["--mount", "sh", "-c", host, "sh"]).arg(inner.get_program()).args(inner.get_args());
    let (said, status) = outcome(&finish(outer));
    assert_eq!((said.trim(), status), ("/dev/.real/vfio\n/dev/.real/z90crypt\nterminals", 0));
    Ok(())
}
