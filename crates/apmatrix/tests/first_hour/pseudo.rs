//! A program on a pseudo-terminal: what it shows, and keys.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Longer than any answer takes, also on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// Both ends of a terminal that is so many columns wide: what a window holds, and what programs are given. No program
/// inherits either.
pub fn pair(columns: u16) -> (OwnedFd, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).expect("a terminal");
    grantpt(&master).expect("it is ours");
    unlockpt(&master).expect("it can be opened");
    let name = ptsname(&master, Vec::new()).expect("it has a name");
    let size = Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&master, size).expect("it has a size");
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    (master, rustix::fs::open(&name, flags, Mode::empty()).expect("it opens"))
}

/// A program on a terminal of its own.
pub struct Terminal {
    child: Child,
    keys: File,
    shown: Receiver<Vec<u8>>,
    held: Arc<AtomicBool>,
    text: String,
}

impl Terminal {
    /// Starts `apmatrix` on a terminal that is so many columns wide; it is the program's controlling terminal.
    pub fn start(columns: u16, arguments: &[&str]) -> Terminal {
        Terminal::with(columns, &[("TERM", "xterm")], arguments)
    }

    /// The same, with these variables and no others.
    pub fn with(columns: u16, variables: &[(&str, &str)], arguments: &[&str]) -> Terminal {
        Terminal::of(columns, variables, env!("CARGO_BIN_EXE_apmatrix"), arguments)
    }

    /// The same of any program.
    pub fn of(columns: u16, variables: &[(&str, &str)], program: &str, arguments: &[&str]) -> Terminal {
        let (master, slave) = pair(columns);
        let side = || Stdio::from(slave.try_clone().expect("another one"));
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", program]).args(arguments);
        command.env_clear().env("PATH", "/usr/bin:/bin").envs(variables.iter().copied());
        command.stdin(side()).stdout(side()).stderr(side());
        let child = command.spawn().expect("setsid (util-linux) is there");
        drop((command, slave));
        let mut reader = File::from(master.try_clone().expect("another one"));
        let (told, shown) = channel();
        let held = Arc::new(AtomicBool::new(false));
        let waits = held.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if told.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
                while waits.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        });
        Terminal { child, keys: File::from(master), shown, held, text: String::new() }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.press_bytes(keys.as_bytes());
    }

    /// The same of keys that are no text.
    pub fn press_bytes(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).expect("it listens");
    }

    /// Whether nobody reads from now on what is shown, at most what is read just now.
    #[allow(dead_code, reason = "not every test that includes this uses it")]
    pub fn hold(&self, held: bool) {
        self.held.store(held, Ordering::Relaxed);
    }

    /// How many bytes are shown and not read.
    #[allow(dead_code, reason = "not every test that includes this uses it")]
    pub fn unread(&self) -> u64 {
        rustix::io::ioctl_fionread(&self.keys).expect("it tells")
    }

    /// Waits until that is shown, and gives all that was shown up to there, since the last question.
    pub fn until(&mut self, wanted: &str) -> String {
        loop {
            if let Some(at) = self.text.find(wanted) {
                let rest = self.text.split_off(at + wanted.len());
                return std::mem::replace(&mut self.text, rest);
            }
            match self.shown.recv_timeout(LONG) {
                Ok(bytes) => self.text.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("{wanted:?} is not shown ({error}): {:?}", self.text),
            }
        }
    }

    /// Says that it is over (^D on an empty line), until it has ended: a key that comes while a command runs is none of the
    /// line editor's.
    #[allow(dead_code, reason = "not every test that includes this uses it")]
    pub fn leave(mut self) -> (Option<i32>, String) {
        for _ in 0..LONG.as_millis() / 200 {
            if self.child.try_wait().expect("it can be asked").is_some() {
                return self.end();
            }
            // It may just have closed the terminal.
            let _ = self.keys.write_all(b"\x15\x04");
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("^D does not end it: {:?}", self.text);
    }

    /// Waits until the program has ended: its status, and what it still showed.
    pub fn end(mut self) -> (Option<i32>, String) {
        let mut waits = (0..LONG.as_millis() / 50).map(|_| std::thread::sleep(Duration::from_millis(50)));
        let status = loop {
            match self.child.try_wait().expect("it can be asked") {
                Some(status) => break status.code(),
                None => waits.next().unwrap_or_else(|| panic!("it does not end: {:?}", self.text)),
            }
        };
        drop(self.keys);
        while let Ok(bytes) = self.shown.recv_timeout(Duration::from_millis(500)) {
            self.text.push_str(&String::from_utf8_lossy(&bytes));
        }
        (status, self.text)
    }
}
