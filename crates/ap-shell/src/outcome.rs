//! What comes of a command: its status, why it failed, and the streams on which it says so.
//!
//! Nothing here knows how a command is written or run.

use ap_sysfs::Errno;

/// Where text is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// What a command answers.
    Out,
    /// What it complains about.
    Err,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Status {
    /// `$?`: 0 for success.
    pub code: u8,
    /// The errno behind a failure, if there was one.
    pub errno: Option<Errno>,
}

impl Status {
    /// Success.
    pub const OK: Status = Status { code: 0, errno: None };

    /// A status without an errno.
    #[must_use]
    pub const fn of(code: u8) -> Status {
        Status { code, errno: None }
    }

    /// Status 1 because of `errno`.
    #[must_use]
    pub const fn failed(errno: Errno) -> Status {
        Status { code: 1, errno: Some(errno) }
    }

    /// Status 130, which shells give a command that was left before its end.
    pub(crate) const fn interrupted() -> Status {
        Status { code: 130, errno: Some(Errno::EINTR) }
    }

    /// Whether it is success.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        self.code == 0
    }
}

/// Why a command counts as one that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It said so itself.
    Command,
    /// The script was stopped in it, because it does more than it may ([`Shell::set_budget`](crate::Shell::set_budget)).
    Budget,
    /// It waits, and nothing is due that could end its wait.
    Waits,
}

/// The command that failed first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// Why.
    pub cause: Cause,
    /// Its errno; none for what has none (`false`, an unknown command, a test that does not hold).
    pub errno: Option<Errno>,
    /// Its status.
    pub status: u8,
    /// Its line in the script, from 1.
    pub line: u32,
    /// Its column in the script, from 1.
    pub column: u32,
    /// Its text in the script.
    pub command: String,
    /// What it printed last to say why; empty if nothing.
    pub message: String,
}
