//! A command with a private `/sys` that is the machine.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::mpsc;

use ap_sysfs::Filesystem;
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, MoveMountFlags, mount_change, move_mount};
use rustix::thread::{CpuSet, UnshareFlags, sched_getaffinity, sched_setaffinity, unshare_unsafe};

use crate::channel::DevFuse;
use crate::command::{self, Signals};
use crate::graft::Graft;
use crate::guard::{Guard, Watch};
use crate::keep::Kept;
use crate::mounting::{detached, namespaces_refused, open_device};
use crate::session::{Session, UeventSink};
use crate::uevent::{self, Uevents};
use crate::{Error, Factory, private, udev};

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
    crate::preflight_sys()?;
    let signals = Signals::block();
    if let Some(cpu) = options.cpu {
        pin(cpu)?;
    }
    let outside =
        std::fs::read_link("/proc/self/ns/mnt").map_err(Error::setup("reading /proc/self/ns/mnt"))?;
    enter_namespaces(options.uevents)?;
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
    move_mount(&mount, "", CWD, "/sys", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).map_err(
        |errno| match errno {
            Errno::PERM | Errno::ACCESS => Error::MountDenied(errno.into()),
            _ => Error::Setup { what: "covering /sys", source: errno.into() },
        },
    )?;
    kept.put_back(&told.recv().unwrap_or_default())?;
    if options.uevents {
        udev::provide_control();
    }
    private::provide_copies();
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

pub fn pin(cpu: usize) -> Result<(), Error> {
    let usable = sched_getaffinity(None).map_err(Error::setup("asking for the processors"))?;
    if cpu >= CpuSet::MAX_CPU || !usable.is_set(cpu) {
        let all = (0..CpuSet::MAX_CPU).filter(|cpu| usable.is_set(*cpu)).map(|cpu| cpu.to_string());
        return Err(Error::NoProcessor { cpu, usable: all.collect::<Vec<_>>().join(", ") });
    }
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).map_err(Error::setup("taking a processor"))
}

/// Enters namespaces for mounts and, with `network`, for the network: directly if we may, else in a user namespace
/// whose root we are.
fn enter_namespaces(network: bool) -> Result<(), Error> {
    let mut flags = UnshareFlags::NEWNS;
    if network {
        flags |= UnshareFlags::NEWNET;
    }
    // SAFETY: the process has one thread, whose file descriptors and memory stay as they are.
    match unsafe { unshare_unsafe(flags) } {
        Err(Errno::PERM) => enter_user_namespace(flags)?,
        other => other.map_err(|errno| namespaces_refused(errno.into()))?,
    }
    // What is mounted here stays here; what the outside unmounts goes here, too.
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(|errno| Error::MountDenied(errno.into()))?;
    if network {
        uevent::loopback_up();
    }
    Ok(())
}

fn enter_user_namespace(flags: UnshareFlags) -> Result<(), Error> {
    let user = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    // SAFETY: as above.
    unsafe { unshare_unsafe(flags | UnshareFlags::NEWUSER) }
        .map_err(|errno| namespaces_refused(errno.into()))?;
    let write = |file: &str, text: String| {
        std::fs::write(file, text).map_err(Error::setup("mapping the user into the user namespace"))
    };
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("0 {user} 1"))?;
    write("/proc/self/gid_map", format!("0 {group} 1"))
}
