//! H10: the shell on a terminal, through a pseudo-terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Longer than any answer takes, also on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// A program on a terminal of its own.
pub struct Terminal {
    child: Child,
    keys: File,
    shown: Receiver<Vec<u8>>,
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
        let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it can be opened");
        let name = ptsname(&master, Vec::new()).expect("it has a name");
        let size = Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("it has a size");
        let slave = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("it opens");
        let side = || Stdio::from(slave.try_clone().expect("another one"));
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", program]).args(arguments);
        command.env_clear().env("PATH", "/usr/bin:/bin").envs(variables.iter().copied());
        command.stdin(side()).stdout(side()).stderr(side());
        let child = command.spawn().expect("setsid (util-linux) is there");
        drop((command, slave));
        let mut reader = File::from(master.try_clone().expect("another one"));
        let (told, shown) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if told.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Terminal { child, keys: File::from(master), shown, text: String::new() }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("it listens");
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

const PROMPT: &str = "tiny:/sys# ";

fn shell() -> Terminal {
    let mut terminal = Terminal::start(80, &["shell", "--machine", "tiny"]);
    terminal.until(PROMPT);
    terminal
}

#[test]
fn h10_history_brings_lines_back_and_tab_completes() {
    let mut terminal = shell();
    terminal.press("echo -n fi; echo rst\r");
    terminal.until("first");
    terminal.until(PROMPT);
    terminal.press("\u{1b}[A");
    terminal.until("echo -n fi; echo rst");
    terminal.press("\r");
    terminal.until("first");
    terminal.until(PROMPT);
    terminal.press("ls -d /sys/bus/ap/dev\t");
    terminal.until("/sys/bus/ap/devices/");
    terminal.press("\u{15}hw unp\t");
    terminal.until("hw unplug ");
    terminal.press("\u{15}exit 3\r");
    assert_eq!(terminal.end().0, Some(3));
}

#[test]
fn h10_control_c_drops_the_line_and_the_machine_stays() {
    let mut terminal = shell();
    terminal.press("echo 0x0 > /sys/bus/ap/apmask\r");
    terminal.until("apmask");
    terminal.until(PROMPT);
    terminal.press("echo this is not wan\u{3}");
    terminal.until(PROMPT);
    terminal.press("cat /sys/bus/ap/apmask\r");
    terminal.until("\n0x0000");
    terminal.until(PROMPT);
    // A line that is not complete, too.
    terminal.press("for x in 1 2; do\r");
    terminal.press("\u{3}");
    terminal.until(PROMPT);
    let (status, _) = terminal.leave();
    assert_eq!(status, Some(130), "^D ends with the last status");
}

#[test]
fn h10_control_c_ends_a_write_that_waits_and_a_command_that_runs() {
    let mut terminal = shell();
    let uuid = "62177883-f1bb-47f0-914d-32a22e3a8804";
    terminal.press(&format!(
        "M=/sys/devices/vfio_ap/matrix; echo {uuid} > $M/mdev_supported_types/vfio_ap-passthrough/create; guest start g \
         {uuid}; echo do''ne\r"
    ));
    terminal.until("\ndone");
    terminal.until(PROMPT);
    // The write waits for the guest, and says so; no prompt comes before ^C, and nothing after it on the line runs.
    terminal.press(&format!("echo 1 > $M/{uuid}/remove; echo af''ter\r"));
    // Where its line breaks is the terminal's.
    terminal.until("guest g lets mdev");
    terminal.until("(^C: it goes on in the background)");
    terminal.press("echo ty''ped meanwhile\u{3}");
    let shown = terminal.until("it goes on as job 1");
    assert!(!shown.contains(PROMPT) && !shown.contains("after"), "{shown:?}");
    let shown = terminal.until(PROMPT);
    assert!(!shown.contains("after"), "{shown:?}");
    terminal.press("echo $?; jobs\r");
    terminal.until("\n130");
    terminal.until("[1] Running");
    terminal.until(PROMPT);
    // `wait` waits again, and so ^C ends that.
    terminal.press("wait 1\r");
    terminal.until("wait: job 1 waits");
    terminal.press("\u{3}");
    terminal.until("job 1 goes on");
    terminal.until(PROMPT);
    // The history is still there, and the removal ends when the guest lets go.
    terminal.press("\u{1b}[A\u{1b}[A");
    terminal.until("echo $?; jobs");
    terminal.press("\u{15}guest stop g; wait 1; echo en''ded $?\r");
    terminal.until("\nended 0");
    terminal.until(PROMPT);
    let uuid = "62177883-f1bb-47f0-914d-32a22e3a8805";
    terminal.press(&format!(
        "echo {uuid} > $M/mdev_supported_types/vfio_ap-passthrough/create; guest start g {uuid}; echo a''gain\r"
    ));
    terminal.until("\nagain");
    terminal.until(PROMPT);
    // A command that would run for a long time.
    let words = "1 2 3 4 5 6 7 8 9 0";
    terminal.press(&format!(
        "W='{words}'; echo be''gins; for a in $W $W; do for b in $W $W; do for c in $W $W; do for d in $W $W; do for e in \
         $W $W; do for f in $W; do tree /sys/bus > /dev/null; done; done; done; done; done; done\r"
    ));
    terminal.until("\nbegins");
    terminal.press("\u{3}");
    terminal.until(PROMPT);
    terminal.press("echo $?; guest list\r");
    terminal.until("\n130");
    terminal.until(uuid);
    terminal.leave();
}

#[test]
fn h10_several_lines_are_pasted_as_one() {
    let mut terminal = shell();
    terminal.press("\u{1b}[200~echo o''ne\necho t''wo\n\u{1b}[201~\r");
    let shown = terminal.until("\ntwo");
    assert!(shown.contains("\none"), "{shown:?}");
    // A tab in what is pasted completes nothing.
    terminal.until(PROMPT);
    terminal.press("\u{1b}[200~echo a\tb\u{1b}[201~\r");
    terminal.until("\na b");
    terminal.leave();
}

#[test]
fn h10_the_commands_that_errors_name_are_there() {
    let mut terminal = shell();
    terminal.press("apmatrix ls 04.0006\r");
    terminal.until("04.0006   CEX8P");
    terminal.press("hw --help\r");
    terminal.until("unplug");
    terminal.press("help why\r");
    terminal.until("why [PATH TEXT]");
    terminal.press("echo zz > /sys/bus/ap/apmask\r");
    terminal.until("sh:1: /sys/bus/ap/apmask: Invalid argument (EINVAL)");
    terminal.press("why\r");
    terminal.until("refused (EINVAL, Invalid argument)");
    terminal.leave();
}
