//! The command is started in `/sys` as it is now and waited for; signals are passed on both ways.
//!
//! What `/sys` shows, and who serves it, is not known here.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::{
    Pid, Signal, WaitOptions, getpid, kill_process, kill_process_group, set_parent_process_death_signal,
    setpgid,
};

use super::terminal::Terminal;
use crate::error::Error;
use crate::signal;

/// Signals that whoever started us may send, and that are meant for the command.
const PASSED_ON: [i32; 8] = [
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGCONT,
];

/// The signals of this process, kept for [`Running::wait`] from before its first thread is made.
pub struct Signals {
    waited_for: libc::sigset_t,
}

impl Signals {
    /// Blocks them, for this thread and those that it makes.
    pub fn block() -> Signals {
        let mut signals = PASSED_ON.to_vec();
        // SIGTTOU: taking the terminal back from the background must not stop us.
        signals.extend([libc::SIGCHLD, libc::SIGTTOU]);
        Signals { waited_for: signal::block(&signals) }
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this status.
    Status(i32),
    /// By a signal.
    Signal {
        /// Which.
        signal: i32,
        /// Whether it was in the terminal's foreground, alone: a key's signal went to nobody else.
        on_terminal: bool,
    },
}

impl Ended {
    /// The exit status that says so: 128 and the signal that ended it.
    #[must_use]
    pub fn status(self) -> i32 {
        match self {
            Ended::Status(status) => status,
            Ended::Signal { signal, .. } => 128 + signal,
        }
    }

    /// Ends this process the same way, if a key did it: a shell's loop goes on if it only exits. Of a key's signal
    /// that only the command got those get theirs who would have had it, too: our process group.
    pub fn follow(self) {
        let Ended::Signal { signal: number @ (libc::SIGINT | libc::SIGQUIT), on_terminal } = self else {
            return;
        };
        signal::die_of(number, on_terminal);
    }
}

/// A command that runs.
pub struct Running {
    pid: Pid,
    terminal: Option<Terminal>,
}

/// Starts `command` with `/sys` as it is now, to die when the calling thread does.
pub fn start(command: &[OsString], environment: &[(&str, OsString)]) -> Result<Running, Error> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Error::CommandNotFound(String::new()));
    };
    let terminal = Terminal::ours();
    let give = terminal.is_some();
    let mut prepared = Command::new(program);
    prepared.args(arguments).envs(environment.iter().map(|(key, value)| (key, value)));
    // A directory of the real /sys would still be the real one.
    if let Ok(directory) = std::env::current_dir()
        && directory.starts_with("/sys")
    {
        prepared.current_dir(if directory.is_dir() { &directory } else { Path::new("/sys") });
    }
    // SAFETY: only system calls, which are safe between fork and exec.
    unsafe {
        prepared.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            if give {
                setpgid(None, None)?;
                signal::block(&[libc::SIGTTOU]);
                if let Some(terminal) = Terminal::open() {
                    terminal.give(getpid());
                }
            }
            signal::unblock_all();
            keep_modules_out();
            Ok(())
        });
    }
    let child = prepared.spawn().map_err(|source| {
        let command = program.to_string_lossy().into_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Error::CommandNotFound(command),
            io::ErrorKind::PermissionDenied => Error::CommandNotExecutable { command, source },
            _ if source.raw_os_error() == Some(libc::ENOEXEC) => {
                Error::CommandNotExecutable { command, source }
            }
            _ => Error::Setup { what: "starting the command", source },
        }
    })?;
    Ok(Running { pid: Pid::from_child(&child), terminal })
}

impl Running {
    /// Passes signals on until the command ends.
    pub fn wait(self, signals: &Signals) -> Ended {
        loop {
            if let Some(ended) = self.ended() {
                if let Some(terminal) = &self.terminal {
                    terminal.take();
                }
                return ended;
            }
            let caught = signal::wait(&signals.waited_for);
            match caught.signal {
                libc::SIGCHLD | libc::SIGTTOU => {}
                libc::SIGCONT => self.go_on(),
                // A key's signal goes to the whole group in the foreground: the command had its own, if it is in ours.
                // In a group of its own it had not, if we were in the foreground for a moment.
                libc::SIGINT | libc::SIGQUIT if caught.by_kernel && self.terminal.is_none() => {}
                signal => {
                    if let Some(signal) = Signal::from_named_raw(signal) {
                        let _ = kill_process(self.pid, signal);
                    }
                }
            }
        }
    }

    /// Looks after all children: orphans come to us where no process namespace has a first process to take them.
    fn ended(&self) -> Option<Ended> {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG | WaitOptions::UNTRACED)
        {
            if pid != self.pid {
                continue;
            }
            if status.stopped() {
                self.stop();
            } else {
                let on_terminal = self.terminal.is_some();
                return Some(match (status.exit_status(), status.terminating_signal()) {
                    (Some(status), _) => Ended::Status(status),
                    (None, signal) => Ended::Signal { signal: signal.unwrap_or(libc::SIGKILL), on_terminal },
                });
            }
        }
        None
    }

    /// The command was stopped: so are we, and whoever started us has the terminal.
    fn stop(&self) {
        if let Some(terminal) = &self.terminal {
            terminal.take();
            let _ = kill_process(getpid(), Signal::STOP);
            self.go_on();
        }
    }

    /// We go on: so does the command, in the foreground if we are.
    fn go_on(&self) {
        match &self.terminal {
            Some(terminal) => {
                if terminal.is_ours() {
                    terminal.give(self.pid);
                }
                let _ = kill_process_group(self.pid, Signal::CONT);
            }
            None => {
                let _ = kill_process(self.pid, Signal::CONT);
            }
        }
    }
}
/// From the next exec on nobody in the run may load a module into this host's kernel, whatever slips past whoever
/// intercepts. Who may not give that right up has none to begin with.
fn keep_modules_out() {
    const SYS_MODULE: libc::c_ulong = 16;
    // SAFETY: only this process's own bounding set.
    unsafe { libc::prctl(libc::PR_CAPBSET_DROP, SYS_MODULE, 0, 0, 0) };
}
