//! A command with a private `/sys` that is the machine.
//!
//! Its parts know nothing of one another but what is said here: `namespaces` are entered, `keep` takes what stays of
//! the real `/sys` and puts it back, `dev`, `udev`, `kmod`, `copies` and `private` cover what else belongs to the
//! machine, `programs` are put where this host lacks them, `command` (with its `terminal`) is started last.

mod answering;
mod command;
mod copies;
mod cover;
mod dev;
mod entrance;
mod keep;
mod kmod;
mod namespaces;
mod private;
mod programs;
mod terminal;
mod udev;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use ap_sysfs::modules::ModuleFile;
use ap_sysfs::{Device, Filesystem, Uevent};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

pub use self::command::Ended;
use self::command::Signals;
use self::dev::Nodes;
pub use self::entrance::{Entrance, enter};
use self::keep::{Kept, hide_whole_ones};
use self::namespaces::Entered;
use self::programs::Programs;
pub use self::programs::{Instead, StandIn};
use crate::channel::DevFuse;
use crate::error::Error;
use crate::graft::{Graft, Stem};
use crate::guard::{Guard, Watch};
use crate::intercept::{Interceptor, filter};
use crate::mounting::{attach, detached, open_device, preflight_sys};
use crate::processor::pin;
use crate::session::{Factory, Session, UeventSink, Waits};
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
    /// The files of the machine's modules.
    pub modules: Vec<ModuleFile>,
    /// After how long it is said on standard error which calls wait, and for whom; none: never.
    pub tell_waits_after: Option<Duration>,
    /// How a line for standard error is laid out; by default as it is.
    pub layout: fn(&str) -> String,
    /// Where the run is written down, so that others can [`enter`] it; none: nowhere.
    pub entrance: Option<PathBuf>,
    /// Programs of ours for those that this host lacks, or that can't work here.
    pub stand_ins: Vec<StandIn>,
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
            modules: Vec::new(),
            layout: str::to_owned,
            entrance: None,
            tell_waits_after: Some(Duration::from_secs(10)),
            stand_ins: Vec::new(),
        }
    }
}

/// Runs a command with a private `/sys`; how it ended.
///
/// To be called while the process has a single thread, and to be followed by its end: it is in the command's
/// namespaces from then on. When this returns, no process, mount or file of the run is left.
///
/// # Errors
/// What the environment lacks, or why the command can't be started; [`Error::exit_status`] is what to exit with.
pub fn run<F>(options: &RunOptions, factory: F) -> Result<Ended, Error>
where
    F: FnOnce() -> Box<dyn Filesystem> + Send + 'static,
{
    preflight_sys()?;
    let signals = Signals::block();
    if let Some(cpu) = options.cpu {
        pin(cpu)?;
    }
    let outside = std::fs::read_link("/proc/self/ns/mnt").map_err(|_| Error::NoProc)?;
    let own = std::env::current_exe().ok();
    let entered = namespaces::enter(options.uevents)?;
    // Before there is one of the run's own: requests name processes by the numbers that they have for us.
    let proc = rustix::fs::open("/proc", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|_| Error::NoProc)?;
    let target = PathBuf::from("/sys");
    let guard = Guard::start(&Watch::Namespace { target: target.clone(), outside })?;
    let run = Run { options, entered, own, proc, signals: &signals, guard: &guard };
    let ran = run.guarded(Box::new(factory));
    // First the processes (the server still answers what they wait for), then the mount.
    guard.end();
    let _ = rustix::mount::unmount(
        &target,
        rustix::mount::UnmountFlags::DETACH | rustix::mount::UnmountFlags::FORCE,
    );
    ran
}

/// What a run has before it has a tree.
struct Run<'a> {
    options: &'a RunOptions,
    entered: Entered,
    /// This program.
    own: Option<PathBuf>,
    proc: OwnedFd,
    signals: &'a Signals,
    guard: &'a Guard,
}

/// The private `/dev`, for whoever announces events; none where there is no such.
type SharedNodes = Arc<Mutex<Option<Nodes>>>;

impl Run<'_> {
    fn guarded(&self, factory: Factory) -> Result<Ended, Error> {
        let options = self.options;
        let kept = Kept::take(options.uevents, &options.keep);
        hide_whole_ones();
        let device = open_device()?;
        let mount = detached(&device)?;
        let nodes = self.nodes(&mount);
        let sink = sink(options.uevents, &nodes, copy(&self.proc))?;
        let mut stems = kept.stems();
        stems.push((RUN_DIRECTORY.to_owned(), Stem::Unlisted));
        let (tell, told) = mpsc::channel();
        let with_grafts: Factory = Box::new(move || {
            let mut graft = Graft::new(factory(), &stems);
            let _ = tell.send((graft.paths(), graft.devices()));
            Box::new(graft)
        });
        let layout = options.layout;
        let tell = move |text: &str| eprintln!("{}", layout(&format!("apmatrix run: {text}")));
        let waits = options.tell_waits_after.map(|after| Waits { after, tell: Box::new(tell) });
        let session = DevFuse::new(device)
            .and_then(|channel| Session::start(channel, with_grafts, Some(sink), copy(&self.proc), waits))
            .map_err(Error::setup("serving the tree"))?;
        attach(&mount, Path::new("/sys")).map_err(|errno| match errno {
            Errno::PERM | Errno::ACCESS => Error::MountDenied(errno.into()),
            _ => Error::Setup { what: "covering /sys", source: errno.into() },
        })?;
        let (grafted, devices) = told.recv().unwrap_or_default();
        kept.put_back(&grafted)?;
        private::provide_directory(&Path::new("/sys").join(RUN_DIRECTORY));
        self.cover_the_rest(&nodes, &devices);
        let intercepted = self.intercept(mount);
        let own = self.own.as_deref();
        let programs = Programs::provide(&options.stand_ins, intercepted, self.entered, own);
        let ended = self.command(&programs)?;
        drop(session);
        Ok(ended)
    }

    fn nodes(&self, mount: &OwnedFd) -> SharedNodes {
        let provided = copy(mount).ok_or(Errno::MFILE).and_then(Nodes::provide);
        Arc::new(Mutex::new(match provided {
            Ok(nodes) => Some(nodes),
            Err(errno) => {
                tracing::debug!("/dev is not private: {errno}");
                None
            }
        }))
    }

    /// Covers what else belongs to the machine. A command can do without any of it.
    fn cover_the_rest(&self, nodes: &SharedNodes, devices: &[Device]) {
        if let Some(nodes) = &mut *nodes.lock().unwrap_or_else(PoisonError::into_inner) {
            devices.iter().for_each(|device| nodes.add(device.number, &device.name, false));
        }
        let modules = cover::taken(Path::new(MODULES));
        if let Err(errno) = modules.and_then(|mount| attach(&mount, Path::new("/proc/modules"))) {
            tracing::debug!("no /proc/modules of the machine's: {errno}");
        }
        if self.options.uevents {
            udev::provide_control();
        }
        copies::provide_copies();
        private::provide_private();
        kmod::provide_modules(&self.options.modules);
    }

    /// Has calls of this thread and of the command intercepted from here on; whether that is possible.
    fn intercept(&self, tree: OwnedFd) -> bool {
        let Some(proc) = copy(&self.proc) else { return false };
        let modules = self.options.modules.iter().map(|module| module.name).collect();
        let interceptor = Interceptor { proc, tree, modules };
        let (listen, listener) = mpsc::channel::<OwnedFd>();
        let thread = std::thread::Builder::new().name("intercept".to_owned()).spawn(move || {
            if let Ok(listener) = listener.recv() {
                interceptor.serve(&listener);
            }
        });
        let installed = thread.and_then(|_| filter::install());
        match installed {
            Ok(listener) => listen.send(listener).is_ok(),
            Err(error) => {
                tracing::debug!("no calls are intercepted: {error}");
                false
            }
        }
    }

    fn command(&self, programs: &Programs) -> Result<Ended, Error> {
        let options = self.options;
        let shell = options.command.is_empty();
        let command = if shell { vec![users_shell()] } else { options.command.clone() };
        let mut environment = environment(options, shell);
        environment.extend(programs.path().map(|path| ("PATH", path)));
        if shell && std::io::stdin().is_terminal() {
            eprintln!("{}", options.banner.as_deref().unwrap_or(BANNER));
        }
        if let Some(path) = &options.entrance {
            let text =
                |(key, value): &(&str, OsString)| Some(((*key).to_owned(), value.to_str()?.to_owned()));
            // There is another /proc by now, which does not know us.
            let mounts =
                rustix::fs::readlinkat(&self.proc, "thread-self/ns/mnt", Vec::new()).unwrap_or_default();
            let entrance = Entrance {
                server: std::process::id(),
                first: self.guard.first(),
                mounts: mounts.to_string_lossy().into_owned(),
                environment: environment.iter().filter_map(text).collect(),
            };
            entrance::write(path, &entrance)?;
        }
        // No thread can be made from here on.
        self.guard.adopt_children()?;
        Ok(command::start(&command, &environment)?.wait(self.signals))
    }
}

/// A directory below the tree's root, in no listing, for files that are about this machine: it is the run's own, and goes
/// with it.
pub const RUN_DIRECTORY: &str = "kernel/debug/apmatrix/run";

/// The machine's modules as `/proc/modules` lists them.
const MODULES: &str = "/sys/kernel/debug/apmatrix/modules";

fn copy(fd: &OwnedFd) -> Option<OwnedFd> {
    fd.try_clone().ok()
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

/// Where events go: into `/dev`, and then to whoever listens.
fn sink(uevents: bool, nodes: &SharedNodes, proc: Option<OwnedFd>) -> Result<UeventSink, Error> {
    let open = || Uevents::open(proc).map_err(Error::setup("opening the sockets for uevents"));
    let mut netlink = if uevents { Some(open()?) } else { None };
    let nodes = Arc::clone(nodes);
    Ok(Box::new(move |uevent: &Uevent| {
        if let Some(nodes) = &mut *nodes.lock().unwrap_or_else(PoisonError::into_inner) {
            nodes.follow(uevent);
        }
        if let Some(netlink) = &mut netlink {
            netlink.send(uevent);
        }
    }))
}
