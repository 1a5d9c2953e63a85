//! A command with a private `/sys` that is the machine.
//!
//! Its parts know nothing of one another but what is said here: `namespaces` are entered, `keep` takes what stays of
//! the real `/sys` and puts it back, `udev` and `copies` cover what else belongs to the machine, `command` (with its
//! `terminal`) is started last.

mod command;
mod copies;
mod keep;
mod namespaces;
mod terminal;
mod udev;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use ap_sysfs::Filesystem;
use rustix::io::Errno;

use self::command::Signals;
use self::keep::Kept;
use crate::channel::DevFuse;
use crate::error::Error;
use crate::graft::Graft;
use crate::guard::{Guard, Watch};
use crate::mounting::{attach, detached, open_device, preflight_sys};
use crate::processor::pin;
use crate::session::{Factory, Session, UeventSink};
use crate::uevent::Uevents;

/// What to run, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunOptions {
    /// The command; empty: the user's shell.
    pub command: Vec<OsString>,
    /// The processor for the server, the command and all that it starts: messages between them are several times
    /// cheaper on one.
    pub cpu: Option<usize>,
    /// Whether device events are sent; it takes a network namespace of one's own, which has no network.
    pub uevents: bool,
    /// The machine's name, for the shell's prompt.
    pub label: String,
    /// What a shell's user is told at the start; none: a list of things to try.
    pub banner: Option<String>,
    /// More paths of the real `/sys` (relative to it) that stay visible.
    pub keep: Vec<String>,
}

impl Default for RunOptions {
    fn default() -> RunOptions {
        RunOptions {
            command: Vec::new(),
            cpu: None,
            uevents: true,
            label: "apmatrix".to_owned(),
            banner: None,
            keep: Vec::new(),
        }
    }
}

/// Runs a command with a private `/sys`; its exit status, or 128 and the signal that ended it.
///
/// To be called while the process has a single thread, and to be followed by its end: it is in the command's
/// namespaces from then on. When this returns, no process, mount or file of the run is left.
///
/// # Errors
/// What the environment lacks, or why the command can't be started; [`Error::exit_status`] is what to exit with.
pub fn run<F>(options: &RunOptions, factory: F) -> Result<i32, Error>
where
    F: FnOnce() -> Box<dyn Filesystem> + Send + 'static,
{
    preflight_sys()?;
    let signals = Signals::block();
    if let Some(cpu) = options.cpu {
        pin(cpu)?;
    }
    let outside =
        std::fs::read_link("/proc/self/ns/mnt").map_err(Error::setup("reading /proc/self/ns/mnt"))?;
    namespaces::enter(options.uevents)?;
    let target = PathBuf::from("/sys");
    let guard = Guard::start(&Watch::Namespace { target: target.clone(), outside })?;
    let ran = run_guarded(options, Box::new(factory), &signals, &guard);
    // First the processes (the server still answers what they wait for), then the mount.
    guard.end();
    let _ = rustix::mount::unmount(
        &target,
        rustix::mount::UnmountFlags::DETACH | rustix::mount::UnmountFlags::FORCE,
    );
    ran
}

fn run_guarded(
    options: &RunOptions,
    factory: Factory,
    signals: &Signals,
    guard: &Guard,
) -> Result<i32, Error> {
    let kept = Kept::take(options.uevents, &options.keep);
    let device = open_device()?;
    let mount = detached(&device)?;
    let sink = if options.uevents { Some(uevents()?) } else { None };
    let stems = kept.stems();
    let (tell, told) = mpsc::channel();
    let with_grafts: Factory = Box::new(move || {
        let graft = Graft::new(factory(), &stems);
        let _ = tell.send(graft.paths());
        Box::new(graft)
    });
    let session = DevFuse::new(device)
        .and_then(|channel| Session::start(channel, with_grafts, sink))
        .map_err(Error::setup("serving the tree"))?;
    attach(&mount, Path::new("/sys")).map_err(|errno| match errno {
        Errno::PERM | Errno::ACCESS => Error::MountDenied(errno.into()),
        _ => Error::Setup { what: "covering /sys", source: errno.into() },
    })?;
    kept.put_back(&told.recv().unwrap_or_default())?;
    if options.uevents {
        udev::provide_control();
    }
    copies::provide_copies();
    let shell = options.command.is_empty();
    let command = if shell { vec![users_shell()] } else { options.command.clone() };
    let environment = environment(options, shell);
    if shell && std::io::stdin().is_terminal() {
        eprintln!("{}", options.banner.as_deref().unwrap_or(BANNER));
    }
    // No thread can be made from here on.
    guard.adopt_children()?;
    let status = command::start(&command, &environment)?.wait(signals);
    drop(session);
    Ok(status)
}

const BANNER: &str = "\
This shell's /sys is an emulated machine; `exit` ends it. Things to try:
  ls /sys/bus/ap/devices
  echo -5 > /sys/bus/ap/apmask; cat /sys/bus/ap/apmask
  cat /sys/kernel/debug/apmatrix/state
  lszcrypt -V; mdevctl types; udevadm monitor &";

fn users_shell() -> OsString {
    std::env::var_os("SHELL").filter(|shell| !shell.is_empty()).unwrap_or_else(|| "/bin/sh".into())
}

fn environment(options: &RunOptions, shell: bool) -> Vec<(&'static str, OsString)> {
    // libudev takes no directory for /sys that isn't a sysfs, unless told.
    let mut environment =
        vec![("SYSTEMD_DEVICE_VERIFY_SYSFS", "0".into()), ("APMATRIX_MACHINE", options.label.clone().into())];
    if shell {
        // Bash's start files set PS1; what PROMPT_COMMAND does comes after them.
        let mark = format!("({}) ", options.label.replace(['\\', '\'', '"', '$', '`'], ""));
        environment.push(("PS1", format!("{mark}\\$ ").into()));
        environment.push(("PROMPT_COMMAND", format!("PS1=\"{mark}${{PS1#\"{mark}\"}}\"").into()));
    }
    environment
}

fn uevents() -> Result<UeventSink, Error> {
    let mut uevents = Uevents::open().map_err(Error::setup("opening the sockets for uevents"))?;
    Ok(Box::new(move |uevent| uevents.send(uevent)))
}
