//! A second process that ends everything when the serving one is killed.
//!
//! A server that gets SIGKILL while a client's request is in its hands, and while its announcing thread waits for
//! that client's directory, never gets rid of its own `/dev/fuse`: server and client then wait for each other,
//! unkillably. Someone else has to cut the connection. The guard has no `/dev/fuse` open, hears of the server's
//! end by the signal that the kernel sends for it, and unmounts by force.
//!
//! For `run` it is also process 1 of a process namespace, so that no process outlives its end, wherever that
//! process went; where `/proc` can't be mounted afresh, such a namespace would only confuse, and the guard looks for
//! the processes in its mount namespace instead.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

use crate::error::Error;
use crate::signal;

const STARTING: &str = "starting the guard process";

/// What the guard guards.
#[derive(Clone, Debug)]
pub enum Watch {
    /// A mount that others can see: it is unmounted, and no process touched.
    Mount(PathBuf),
    /// Everything in a mount namespace of our own; `outside` names the one that we came from.
    Namespace {
        /// Where the tree is mounted.
        target: PathBuf,
        /// What `/proc/self/ns/mnt` said before.
        outside: PathBuf,
    },
}

/// The guard, as the server sees it.
pub struct Guard {
    pid: Pid,
    watch: Watch,
    /// Whether it is process 1 of a namespace.
    first: bool,
    _leash: OwnedFd,
}

impl Guard {
    /// Makes a guard; for a namespace one that is process 1 of a process namespace, if that is possible.
    ///
    /// The process must have a single thread, and not have opened `/dev/fuse` yet.
    pub fn start(watch: &Watch) -> Result<Guard, Error> {
        if matches!(watch, Watch::Namespace { .. })
            && let Some(guard) = Guard::fork(watch, true)?
        {
            return Ok(guard);
        }
        let ended = || io::Error::other("it ended at once");
        Guard::fork(watch, false)?.ok_or_else(|| Error::Setup { what: STARTING, source: ended() })
    }

    fn fork(watch: &Watch, first: bool) -> Result<Option<Guard>, Error> {
        let parent = rustix::process::getpid();
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(Error::setup("making a pipe"));
        let (leash_end, leash) = pipe()?;
        let (answer, answer_end) = pipe()?;
        // SAFETY: the process has one thread (the caller's promise), so the child may do anything; it never returns.
        let pid = match unsafe { clone3(if first { libc::CLONE_NEWPID as u64 } else { 0 }) } {
            Ok(pid) => pid,
            Err(_) if first => return Ok(None),
            Err(source) => return Err(Error::setup(STARTING)(source)),
        };
        let Some(pid) = Pid::from_raw(pid) else {
            drop((leash, answer));
            guard(watch, if first { None } else { Some(parent) }, &leash_end, answer_end);
        };
        drop((leash_end, answer_end));
        let stands = std::fs::File::from(answer).read(&mut [0]).is_ok_and(|count| count == 1);
        if !stands {
            reap(pid);
            return Ok(None);
        }
        Ok(Some(Guard { pid, watch: watch.clone(), first, _leash: leash }))
    }

    /// The number of the guard, if it is process 1 of a namespace.
    pub fn first(&self) -> Option<u32> {
        self.first.then(|| self.pid.as_raw_nonzero().get().unsigned_abs())
    }

    /// Makes the calling thread's next children live in the guard's process namespace.
    ///
    /// No thread can be made after this.
    pub fn adopt_children(&self) -> Result<(), Error> {
        if !self.first {
            return rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
                .map_err(Error::setup("becoming the reaper"));
        }
        let pidfd =
            pidfd_open(self.pid, PidfdFlags::empty()).map_err(Error::setup("opening the guard process"))?;
        move_into_thread_name_spaces(pidfd.as_fd(), ThreadNameSpaceType::PROCESS_ID)
            .map_err(Error::setup("entering the process namespace"))
    }

    /// Ends the guard, and with it every process in its namespace; returns when they are gone.
    pub fn end(self) {
        if !self.first {
            self.watch.kill_neighbours(&[rustix::process::getpid(), self.pid]);
        }
        let _ = kill_process(self.pid, Signal::KILL);
        reap(self.pid);
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
    }
}

fn reap(pid: Pid) {
    while let Err(Errno::INTR) = rustix::process::waitpid(Some(pid), WaitOptions::empty()) {}
}

/// fork(2) with namespaces, which libc has no call for: 0 in the child.
///
/// # Safety
/// As for fork(2): in a process with several threads the child may only call what is safe in signal handlers.
unsafe fn clone3(flags: u64) -> io::Result<i32> {
    let mut arguments = [0_u64; 8];
    arguments[0] = flags;
    arguments[4] = libc::SIGCHLD as u64;
    // SAFETY: the arguments are a `struct clone_args` of its first version, 64 bytes, without a stack: as fork(2).
    let pid = unsafe { libc::syscall(libc::SYS_clone3, arguments.as_ptr(), size_of_val(&arguments)) };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid as i32) }
}

/// The guard's whole life. `parent` is the server's number; none if it is not visible from here.
fn guard(watch: &Watch, parent: Option<Pid>, leash: &OwnedFd, answer: OwnedFd) -> ! {
    let signals = signal::block(&[
        libc::SIGTERM,
        libc::SIGCHLD,
        libc::SIGINT,
        libc::SIGHUP,
        libc::SIGQUIT,
        libc::SIGTSTP,
    ]);
    let _ = rustix::thread::set_name(c"ap-guard");
    // A group of its own: signals of the terminal are not for it.
    let _ = rustix::process::setpgid(None, None);
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::TERM));
    if parent.is_none() && mount_proc().is_err() {
        exit(1);
    }
    let told = std::fs::File::from(answer).write_all(b"+").is_ok();
    detach_from_terminal();
    // The server may have died before the kernel was asked to tell: then nobody holds the other end.
    let mut end = [PollFd::new(leash, PollFlags::empty())];
    let orphan = !told || poll(&mut end, Some(&Timespec::default())).is_ok_and(|count| count > 0);
    loop {
        if orphan {
            break;
        }
        let caught = signal::wait(&signals);
        match caught.signal {
            libc::SIGCHLD => while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {},
            // The kernel signs with the server's number; 0 if it is outside the namespace.
            libc::SIGTERM if caught.sender == parent.map_or(0, Pid::as_raw_pid) => break,
            _ => {}
        }
    }
    let (Watch::Mount(target) | Watch::Namespace { target, .. }) = watch;
    let _ = rustix::mount::unmount(target, UnmountFlags::FORCE | UnmountFlags::DETACH);
    if parent.is_some() {
        watch.kill_neighbours(&[rustix::process::getpid()]);
    }
    exit(0);
}

fn exit(status: i32) -> ! {
    // SAFETY: ends the process; nothing of the parent's is to be flushed or dropped here.
    unsafe { libc::_exit(status) }
}

/// Lets go of the terminal and of pipes: whoever reads them must see their end when the command ends.
fn detach_from_terminal() {
    if let Ok(null) = std::fs::File::options().read(true).write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}

fn mount_proc() -> rustix::io::Result<()> {
    let context = rustix::mount::fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(&context, "source", "proc")?;
    rustix::mount::fsconfig_create(&context)?;
    let flags = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mount = rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, flags)?;
    rustix::mount::move_mount(&mount, "", rustix::fs::CWD, "/proc", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

impl Watch {
    /// Kills every process in our mount namespace but `spared`, until there is none. Never outside a namespace of
    /// our own.
    fn kill_neighbours(&self, spared: &[Pid]) {
        let Watch::Namespace { outside, .. } = self else { return };
        let Ok(own) = std::fs::read_link("/proc/self/ns/mnt") else { return };
        if own == *outside {
            return;
        }
        for _ in 0..100 {
            let mut found = false;
            for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
                let name = entry.file_name();
                let Some(pid) = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
                else {
                    continue;
                };
                let there = std::fs::read_link(entry.path().join("ns/mnt"));
                if !spared.contains(&pid) && there.is_ok_and(|namespace| namespace == own) {
                    found |= kill_process(pid, Signal::KILL).is_ok();
                }
            }
            while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
            if !found {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
