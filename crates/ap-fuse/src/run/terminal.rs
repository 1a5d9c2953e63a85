//! The terminal is given to a command as a shell gives it to a job, and taken back. What runs is not known here.

use std::fs::File;
use std::os::fd::AsFd;

use rustix::process::{Pid, getpgrp};
use rustix::termios::{isatty, tcgetpgrp, tcsetpgrp};

/// The terminal that we are in the foreground of.
pub struct Terminal(File);

impl Terminal {
    /// The terminal to give away: only if both input and output are it (in a pipeline the other programs of our
    /// group need it, too) and it is ours to give.
    pub fn ours() -> Option<Terminal> {
        if !isatty(std::io::stdin()) || !isatty(std::io::stdout()) {
            return None;
        }
        Terminal::open().filter(Terminal::is_ours)
    }

    /// The terminal of our session.
    pub fn open() -> Option<Terminal> {
        File::options().read(true).write(true).open("/dev/tty").ok().map(Terminal)
    }

    /// Puts a process group into the foreground.
    pub fn give(&self, group: Pid) {
        let _ = tcsetpgrp(self.0.as_fd(), group);
    }

    /// Puts our own group into the foreground.
    pub fn take(&self) {
        self.give(getpgrp());
    }

    /// Whether our own group is in the foreground.
    pub fn is_ours(&self) -> bool {
        tcgetpgrp(&self.0).is_ok_and(|group| group == getpgrp())
    }
}
