//! What comes of the steps of a search that goes by ways, as it is told: data. This module knows nothing of who tells it.

use locks::hook;

use crate::program::Finding;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is told apart by: the same in every exploration of a program.
    pub key: u64,
    /// It is a way in which executions end, rather than something that is wrong.
    pub ends: bool,
}

impl Found {
    pub(crate) fn of(finding: &Finding) -> Found {
        Found { key: hook::fingerprint(&(finding.verdict, finding.what.as_str())), ends: false }
    }
}

/// What comes of a task's step, or of a state in which no task can go on.
#[derive(Clone, Copy, Debug)]
pub struct Came<'a> {
    /// The task that took the step; `None` if it is about the state itself.
    pub task: Option<u8>,
    /// The fingerprint of the state after the step, if there is one from which to go on; of the state itself, if it is about
    /// that one, and it is not where executions end.
    pub to: Option<u128>,
    /// What was found.
    pub found: &'a [Found],
    /// The execution goes on after more steps than may be: what comes after it is not looked at.
    pub endless: bool,
}

/// Something that was found, and the way that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// See [`Found`].
    pub key: u64,
    /// See [`Found`].
    pub ends: bool,
    /// How often it was found.
    pub count: u64,
    /// The tasks that were chosen.
    pub way: Vec<u8>,
}
