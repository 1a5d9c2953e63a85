//! A host that runs short scripts: one operation or expectation per line.
//!
//! ```text
//! hw CMD                      the machine's operator, in the transcripts' words
//! load MODULE [PARAMETERS]    unload MODULE
//! open N GUEST                close N    reset N     request N     a guest on mdev N (1-9)
//! pqap GUEST GR0 GR1 GR2      guest VERB …
//! PATH <- TEXT                a write of TEXT and a newline; PATH <-| TEXT without one; \n and \0 are escapes
//! PATH <<- TEXT               a write that must wait;  done  what it was waiting for has come
//! PATH = TEXT                 a read gives TEXT and a newline;  PATH == TEXT  exactly TEXT
//! PATH : NAMES                the names in a directory
//! instructions A; B           what was issued since the last such line (or `clear`)
//! uevents ACTION DEVPATH [KEY=VALUE]…; …        all uevents since then
//! log TEXT | TEXT             all log lines since then
//! wait MILLISECONDS           clear
//! ```
//! Any line may end in ` ! ERRNO`: it must fail so. Paths: `AP/` is `/sys/bus/ap/`, `Q/` its devices, `C/` followed by
//! two digits a card, `M1/` the first mdev, `TYPE/` the mdev type.
#![allow(dead_code, reason = "every test file uses its part of it")]

use std::fmt::Write as _;

use ap_host::snapshot::Snapshot;
use ap_sysfs::errno::Errno;
use ap_sysfs::front::{Answer, Called, Entry, Event, Filesystem};
use ap_sysfs::session::Session;
use ap_task::Kernel;

/// The machine of most tests: an EP11 and a CCA adapter, two domains.
pub const SMALL: &str =
    "hw ap 4 type=14 mode=ep11\nhw ap 10 type=13 mode=cca\nhw apm 4,10\nhw aqm 6,71\nhw adm 6,71\n";

/// A host and what happened on it.
pub struct Rig {
    pub session: Session,
    instructions: Vec<String>,
    uevents: Vec<String>,
    log: Vec<String>,
}

/// The name of mdev `n`.
pub fn uuid(n: &str) -> String {
    format!("a0000000-0000-4000-8000-00000000000{n}")
}

/// A path, written out.
pub fn path_of(path: &str) -> String {
    let (head, rest) = path.split_once('/').unwrap_or((path, ""));
    let base = match head {
        "AP" => "/sys/bus/ap".to_owned(),
        "Q" => "/sys/bus/ap/devices".to_owned(),
        "C" => return format!("/sys/devices/ap/card{rest}"),
        "MX" => "/sys/devices/vfio_ap/matrix".to_owned(),
        "TYPE" => "/sys/devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough".to_owned(),
        _ if head.len() == 2 && head.starts_with('M') => {
            format!("/sys/devices/vfio_ap/matrix/{}", uuid(&head[1..]))
        }
        _ => return path.to_owned(),
    };
    if rest.is_empty() { base } else { format!("{base}/{rest}") }
}

/// A text, escapes and names of mdevs written out.
pub fn text_of(text: &str) -> String {
    let text = text.replace("\\n", "\n").replace("\\0", "\0");
    (1..=9).fold(text, |text, n| text.replace(&format!("$M{n}"), &uuid(&n.to_string())))
}

impl Rig {
    /// A machine without modules.
    pub fn bare(machine: &str) -> Rig {
        Rig::bare_on(Kernel::default(), machine)
    }

    /// The same with another kernel.
    pub fn bare_on(kernel: Kernel, machine: &str) -> Rig {
        let session = Session::with_kernel(kernel);
        let mut rig = Rig { session, instructions: Vec::new(), uevents: Vec::new(), log: Vec::new() };
        rig.run(machine);
        rig
    }

    /// A machine, and the modules on it; `parameters` are those of `ap`.
    pub fn boot(machine: &str, parameters: &str) -> Rig {
        Rig::boot_on(Kernel::default(), machine, parameters)
    }

    /// The same with another kernel.
    pub fn boot_on(kernel: Kernel, machine: &str, parameters: &str) -> Rig {
        let mut rig = Rig::bare_on(kernel, machine);
        rig.run(&format!("load ap {parameters}\nload zcrypt\nload zcrypt_cex4\nload mdev\nload vfio_ap"));
        rig.run("AP/config_time <- 120\nclear");
        rig
    }

    /// [`SMALL`], all queues given to guests, an mdev with both queues of adapter 4.
    pub fn assigned() -> Rig {
        let mut rig = Rig::boot(SMALL, "apmask=0x0");
        rig.run(
            "TYPE/create <- $M1\nM1/assign_adapter <- 4\nM1/assign_domain <- 6\nM1/assign_domain <- 71\nclear",
        );
        rig
    }

    /// Runs a script.
    pub fn run(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            self.line(line);
        }
        assert_eq!(self.session.panics(), &[] as &[String]);
    }

    fn line(&mut self, line: &str) {
        let (what, expected) = match line.rsplit_once(" ! ") {
            Some((what, errno)) => (what, Some(errno.trim())),
            None => (line, None),
        };
        let got = self.operation(what, line);
        let got = got.err().map(Errno::name);
        assert_eq!(got, expected, "{line}");
        self.pass(200);
    }

    /// Runs a line that is no attribute's, whatever it answers.
    pub fn attempt(&mut self, line: &str) -> Result<(), Errno> {
        self.operation(line, line)
    }

    fn operation(&mut self, what: &str, line: &str) -> Result<(), Errno> {
        let (verb, rest) = what.split_once(' ').unwrap_or((what, ""));
        match verb {
            "hw" => self.session.machine(rest).map_err(|error| error.errno),
            "pqap" => self.session.hw(what).map(|_| ()).map_err(|error| error.errno),
            "guest" => self.session.guest(rest).map(|_| ()).map_err(|error| error.errno),
            "load" => {
                let (module, parameters) = rest.split_once(' ').unwrap_or((rest, ""));
                self.session.insmod(module, parameters)
            }
            "unload" => self.session.rmmod(rest),
            "open" => {
                let (n, guest) = rest.split_once(' ').unwrap_or((rest, "-"));
                self.session.guest_open(&uuid(n), guest).map_err(|(errno, _)| errno)
            }
            "close" => self.session.guest_close(&uuid(rest)),
            "reset" => self.session.guest_reset(&uuid(rest)),
            "request" => self.session.guest_request_irq(&uuid(rest)),
            "wait" => {
                self.pass(rest.parse().unwrap());
                Ok(())
            }
            "clear" => {
                (self.instructions, self.uevents, self.log) = Default::default();
                Ok(())
            }
            "instructions" => {
                let got = std::mem::take(&mut self.instructions).join("; ");
                assert_eq!(got, rest, "{line}");
                Ok(())
            }
            "uevents" => {
                assert_eq!(std::mem::take(&mut self.uevents).join("; "), text_of(rest), "{line}");
                Ok(())
            }
            "log" => {
                assert_eq!(std::mem::take(&mut self.log).join(" | "), text_of(rest), "{line}");
                Ok(())
            }
            "done" => {
                let finished = self.session.finished();
                assert!(matches!(finished[..], [(_, Answer::Stored(Ok(_)))]), "{line}: {finished:?}");
                Ok(())
            }
            path => self.attribute(path, rest, line),
        }
    }

    fn attribute(&mut self, path: &str, rest: &str, line: &str) -> Result<(), Errno> {
        let path = path_of(path);
        let (operator, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let text = text_of(text);
        match operator {
            "<-" => self.write(&path, format!("{text}\n").as_bytes()).map(|_| ()),
            "<-|" => self.write(&path, text.as_bytes()).map(|_| ()),
            "<<-" => {
                let entry = self.open(&path, 0o200)?;
                let called = self.session.store_within(entry.ino, format!("{text}\n").as_bytes(), 300);
                assert!(matches!(called, Called::Pending(_)), "{line}: {called:?}");
                Ok(())
            }
            "=" => {
                let got = self.read(&path)?;
                assert_eq!(got, format!("{text}\n"), "{line}");
                Ok(())
            }
            "==" => {
                let got = self.read(&path)?;
                assert_eq!(got, text, "{line}");
                Ok(())
            }
            ":" => {
                let directory = self.session.resolve_following(&path)?;
                let entries = self.session.entries(directory.ino)?;
                let names: Vec<String> = entries.into_iter().map(|entry| entry.name).collect();
                assert_eq!(names.join(" "), text, "{line}");
                Ok(())
            }
            "" => self.read(&path).map(|_| ()),
            _ => panic!("no line of a script: {line}"),
        }
    }

    fn open(&mut self, path: &str, bit: u16) -> Result<Entry, Errno> {
        let entry = self.session.resolve_following(path)?;
        if entry.mode & bit == 0 { Err(Errno::EACCES) } else { Ok(entry) }
    }

    /// One write(2); the answer is how many bytes were taken.
    pub fn write(&mut self, path: &str, data: &[u8]) -> Result<usize, Errno> {
        let entry = self.open(path, 0o200)?;
        match self.session.store(entry.ino, data) {
            Called::Done(answer) => answer,
            Called::Pending(_) => panic!("a write to {path} waits"),
        }
    }

    /// The text of an attribute.
    pub fn read(&mut self, path: &str) -> Result<String, Errno> {
        let entry = self.open(path, 0o400)?;
        match self.session.show(entry.ino) {
            Called::Done(answer) => answer.map(|text| String::from_utf8(text).unwrap()),
            Called::Pending(_) => panic!("a read of {path} waits"),
        }
    }

    /// Lets time pass and takes the events.
    pub fn pass(&mut self, milliseconds: u64) {
        self.session.advance(milliseconds);
        for event in self.session.events() {
            match event {
                Event::Instruction(text) => self.instructions.push(text),
                Event::Log { text, .. } if text.contains("Waited") => {}
                Event::Log { text, .. } => self.log.push(text),
                Event::Uevent(uevent) => {
                    let mut text = format!("{} {}", uevent.action, uevent.devpath);
                    for (key, value) in uevent.env {
                        if !matches!(key.as_str(), "SUBSYSTEM" | "DEVTYPE" | "DEV_TYPE" | "MODALIAS" | "MODE")
                        {
                            let _ = write!(text, " {key}={}", value.trim_end());
                        }
                    }
                    self.uevents.push(text);
                }
            }
        }
    }

    /// The whole state.
    pub fn snapshot(&mut self) -> Snapshot {
        assert!(self.session.quiescent());
        let tree = self.session.tree().clone();
        locks::enter(|held| tree.host.snapshot(&tree.machine, held))
    }

    /// Every attribute below `/sys`, with its path.
    pub fn attributes(&mut self) -> Vec<(String, Entry)> {
        let mut found = Vec::new();
        let mut todo = vec!["/sys".to_owned()];
        while let Some(path) = todo.pop() {
            let directory = self.session.resolve(&path).unwrap();
            for entry in self.session.entries(directory.ino).unwrap() {
                let path = format!("{path}/{}", entry.name);
                match entry.kind {
                    ap_sysfs::front::Kind::Directory => todo.push(path),
                    ap_sysfs::front::Kind::File => found.push((path, entry)),
                    ap_sysfs::front::Kind::Link => {}
                }
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }
}
