//! The way into a run that goes on: what it writes down for that, and entering it.
//!
//! Whoever enters has the run's mounts, network and processes, and ends with it. What the command sees of modules is
//! intercepted for it, too, and for what it leaves in the background. Who may enter is the kernel's to say: the user of the run, and root.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

use super::answering::Answering;
use super::command::{Ended, Signals, start};
use crate::error::Error;
use crate::intercept::{Interceptor, filter};

/// What a run that can be entered is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrance {
    /// The process that serves, whose mounts and network they are.
    pub server: u32,
    /// The first process of the run's process namespace, if it has one.
    pub first: Option<u32>,
    /// The run's mounts, as `/proc/PID/ns/mnt` names them: another run may get the same numbers later.
    pub mounts: String,
    /// Variables of the command's environment that are the run's.
    pub environment: BTreeMap<String, String>,
}

impl Entrance {
    /// As it is written down: a line for each fact.
    #[must_use]
    pub fn text(&self) -> String {
        let Entrance { server, first, mounts, environment } = self;
        let mut text = format!("server {server}\nmounts {mounts}\n");
        text.extend(first.map(|first| format!("first {first}\n")));
        text.extend(environment.iter().map(|(key, value)| format!("set {key}={}\n", escaped(value))));
        text
    }

    /// Reads what was written down; `None` if it is nothing of the kind.
    #[must_use]
    pub fn parse(text: &str) -> Option<Entrance> {
        let value = |key: &str| text.split('\n').find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        let set = text.split('\n').filter_map(|line| line.strip_prefix("set ")?.split_once('='));
        Some(Entrance {
            server: value("server")?.parse().ok()?,
            first: value("first").and_then(|first| first.parse().ok()),
            mounts: value("mounts")?.to_owned(),
            environment: set.map(|(key, value)| (key.to_owned(), unescaped(value))).collect(),
        })
    }

    /// Whether that run goes on.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        let link = fs::read_link(format!("/proc/{}/ns/mnt", self.server));
        link.is_ok_and(|link| link.to_string_lossy() == self.mounts)
    }
}

/// In one line.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

fn unescaped(text: &str) -> String {
    let (mut plain, mut letters) = (String::new(), text.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => plain.extend(letters.next().map(|letter| if letter == 'n' { '\n' } else { letter })),
            other => plain.push(other),
        }
    }
    plain
}

/// Runs a command in a run that goes on; how it ended. To be called while the process has a single thread.
///
/// # Errors
/// If the run is gone or may not be entered, or the command cannot be started.
pub fn enter(entrance: &Entrance, modules: Vec<&'static str>, command: &[OsString]) -> Result<Ended, Error> {
    let signals = Signals::block();
    let open = |path: &str| {
        rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
    };
    let proc = open("/proc").map_err(|_| Error::NoProc)?;
    let here = std::env::current_dir();
    let server = process(entrance.server)?;
    let first = entrance.first.map(process).transpose()?;
    let own = |name: &str| fs::read_link(format!("/proc/self/ns/{name}")).ok();
    let theirs = |name: &str| fs::read_link(format!("/proc/{}/ns/{name}", entrance.server)).ok();
    let entering = Error::setup("entering the run");
    let mut spaces = ThreadNameSpaceType::MOUNT;
    if own("net") != theirs("net") {
        spaces |= ThreadNameSpaceType::NETWORK;
    }
    if own("user") != theirs("user") {
        spaces |= ThreadNameSpaceType::USER;
    }
    move_into_thread_name_spaces(server.as_fd(), spaces).map_err(entering)?;
    // Entering other mounts leads to their root; the run has this user's directories, too.
    if let Ok(here) = here {
        let _ = std::env::set_current_dir(here);
    }
    let tree = open("/sys").map_err(Error::setup("opening the run's /sys"))?;
    intercept(&Interceptor { proc, tree, modules });
    if let Some(first) = &first {
        move_into_thread_name_spaces(first.as_fd(), ThreadNameSpaceType::PROCESS_ID)
            .map_err(Error::setup("entering the run's processes"))?;
    }
    let environment: Vec<(&str, OsString)> =
        entrance.environment.iter().map(|(key, value)| (key.as_str(), value.into())).collect();
    Ok(start(command, &environment)?.wait(&signals))
}

fn process(number: u32) -> Result<OwnedFd, Error> {
    let gone = || Error::Setup {
        what: "looking for the run",
        source: io::Error::new(io::ErrorKind::NotFound, "it has ended"),
    };
    let pid = i32::try_from(number).ok().and_then(Pid::from_raw).ok_or_else(gone)?;
    pidfd_open(pid, PidfdFlags::empty()).map_err(|_| gone())
}

/// Has calls of this process and of the command intercepted from here on, if that is possible.
fn intercept(interceptor: &Interceptor) {
    let installed = Answering::start(|listener| interceptor.serve(listener)).and_then(|answering| {
        let listener = filter::install()?;
        answering.tell(&listener)
    });
    if let Err(error) = installed {
        tracing::debug!("no calls are intercepted: {error}");
    }
}

/// Writes an entrance down.
pub(super) fn write(path: &Path, entrance: &Entrance) -> Result<(), Error> {
    fs::write(path, entrance.text()).map_err(Error::setup("writing down the run's name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entrance_is_read_as_it_was_written() {
        let path = ("PATH".to_owned(), "/a b:/c'd\\e\\n:/b\u{fc}\n\r:/\"q\"\r".to_owned());
        let entrance = Entrance {
            server: 4711,
            first: Some(4712),
            mounts: "mnt:[4026532]".to_owned(),
            environment: BTreeMap::from([path]),
        };
        assert_eq!(Entrance::parse(&entrance.text()), Some(entrance.clone()));
        assert!(!entrance.goes_on());
        assert_eq!(Entrance::parse("nonsense"), None);
    }
}
