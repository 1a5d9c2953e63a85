//! How tasks end, and what all of them together end in.

use std::fmt;

use ap_shell::TaskResult;
use ap_sysfs::Errno;

use crate::scenario::words::FinalState;

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ended {
    /// All of it ran.
    Ok,
    /// Its first failing command was answered so.
    Refused(Errno),
    /// Its first failing command has no errno.
    Failed,
    /// It panicked.
    Panicked,
}

impl Ended {
    /// The word that files and reports use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Ended::Ok => "ok",
            Ended::Refused(errno) => errno.name(),
            Ended::Failed => "failed",
            Ended::Panicked => "panic",
        }
    }

    /// The end of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Ended> {
        [Ended::Ok, Ended::Failed, Ended::Panicked]
            .into_iter()
            .find(|ended| ended.word() == word)
            .or_else(|| Errno::from_name(word).map(Ended::Refused))
    }

    /// What it is refused with, if that says that something is in use or not ready.
    pub(super) fn busy(self) -> Option<Errno> {
        match self {
            Ended::Refused(errno) => [Errno::EBUSY, Errno::EAGAIN].contains(&errno).then_some(errno),
            Ended::Ok | Ended::Failed | Ended::Panicked => None,
        }
    }
}

impl From<&TaskResult> for Ended {
    fn from(result: &TaskResult) -> Ended {
        match result {
            TaskResult::Ok => Ended::Ok,
            TaskResult::Failed(failing) => failing.errno.map_or(Ended::Failed, Ended::Refused),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The tasks' results and the final state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Outcome {
    /// In the tasks' order.
    pub results: Vec<Ended>,
    /// What user space and guests can tell apart.
    pub state: FinalState,
}
