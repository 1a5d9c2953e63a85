//! What an exploration says.

use std::time::Duration;

use locks::Object;

use crate::program::Finding;
use crate::schedule::Schedule;

/// The result of an exploration.
#[derive(Clone, Debug)]
pub struct Report {
    /// `clean` if everything was explored and nothing is wrong; the verdict of the first of the violations if there
    /// are any; else `unknown`.
    pub verdict: &'static str,
    /// Whether every interleaving is covered.
    pub exhausted: bool,
    /// Why not, if it is not.
    pub why: Option<String>,
    /// The tasks' names.
    pub tasks: Vec<String>,
    /// The interleavings that were told apart: how many the search followed to an end or to a known state.
    pub executions: u64,
    /// How many executions were run for real.
    pub runs: u64,
    /// How many states were met (the state cache only).
    pub states: u64,
    /// How many steps were run for real.
    pub steps: u64,
    /// The most steps of an execution.
    pub deepest: usize,
    /// All ways in which executions end.
    pub outcomes: Vec<OutcomeReport>,
    /// What is wrong: fewest context switches first.
    pub violations: Vec<Violation>,
    /// Which locks were asked for while which were held.
    pub lock_order: LockOrder,
    /// How long it took, shrinking included.
    pub elapsed: Duration,
    /// The chance that two different states had the same fingerprint, so that something was missed (the state
    /// cache only).
    pub collision: f64,
}

impl Report {
    /// Whether the exploration covered everything and found nothing wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.verdict == "clean"
    }

    /// The violations of this verdict.
    pub fn of<'a>(&'a self, verdict: &'a str) -> impl Iterator<Item = &'a Violation> {
        self.violations.iter().filter(move |violation| violation.finding.verdict == verdict)
    }
}

/// A way in which executions end.
#[derive(Clone, Debug)]
pub struct OutcomeReport {
    /// The tasks' results.
    pub results: Vec<String>,
    /// The final state.
    pub state: String,
    /// How many of the executions that the search followed end so.
    pub executions: u64,
    /// One of them.
    pub schedule: Schedule,
}

/// Something that is wrong, with an execution that shows it.
#[derive(Clone, Debug)]
pub struct Violation {
    /// What is wrong.
    pub finding: Finding,
    /// An execution that shows it; the fewest context switches possible if `fewest` says so.
    pub schedule: Schedule,
    /// Its context switches.
    pub switches: u32,
    /// Whether it was proven that no execution with fewer switches shows it.
    pub fewest: bool,
    /// How many of the executions that the search followed show it.
    pub executions: u64,
    /// Its steps.
    pub trace: Vec<TraceStep>,
    /// Who waits for whom at its end, if that is what is wrong.
    pub deadlock: Option<DeadlockReport>,
}

/// A step of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceStep {
    /// The task's number and name.
    pub task: usize,
    /// Its name.
    pub name: String,
    /// What it did: `lock`, `unlock`, `try-lock`, …
    pub step: &'static str,
    /// The object's name, with its key where that says anything.
    pub object: String,
    /// The object.
    pub on: Object,
    /// Where in the source (of a release: where the lock was taken): `file:line`.
    pub at: String,
    /// What a try-lock answered; `true` for all others.
    pub ok: bool,
    /// The locks that the task holds after the step.
    pub held: Vec<String>,
    /// What was found in this step.
    pub found: Vec<Finding>,
    /// What the task said of it ([`locks::hook::note`]).
    pub notes: Vec<String>,
}

/// Tasks that wait for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadlockReport {
    /// Each waits for the next, the last for the first. Empty if some task waits for nobody.
    pub cycle: Vec<Waiting>,
    /// Other tasks that wait.
    pub others: Vec<Waiting>,
}

/// A task that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The task's number.
    pub task: usize,
    /// Its name.
    pub name: String,
    /// What it waits for.
    pub object: String,
    /// The object.
    pub on: Object,
    /// Whether it waits to be notified, rather than for a lock.
    pub condition: bool,
    /// Where in the source it waits: `file:line`.
    pub at: String,
    /// Who holds it: name, and where it was taken.
    pub holders: Vec<(String, String)>,
    /// What the waiting task holds: name, and where it was taken.
    pub holds: Vec<(String, String)>,
}

/// Which locks were asked for while which were held, over all executions.
#[derive(Clone, Debug, Default)]
pub struct LockOrder {
    /// The edges.
    pub edges: Vec<OrderEdge>,
    /// Cycles: executions that deadlock are possible there unless something other than locks prevents them.
    pub cycles: Vec<Vec<OrderEdge>>,
}

/// A lock that was asked for while another was held.
#[derive(Clone, Debug)]
pub struct OrderEdge {
    /// The lock that was held.
    pub held: Object,
    /// Its name.
    pub held_name: String,
    /// The lock that was asked for.
    pub asked: Object,
    /// Its name.
    pub asked_name: String,
    /// The task.
    pub task: String,
    /// Where the lock that was held was taken: `file:line`.
    pub held_at: String,
    /// Where the other was asked for: `file:line`.
    pub asked_at: String,
    /// An execution that leads there.
    pub schedule: Schedule,
}

/// How far an exploration is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// See [`Report::executions`].
    pub executions: u64,
    /// See [`Report::states`].
    pub states: u64,
    /// The depth of the search at present.
    pub depth: usize,
    /// The time since the beginning.
    pub elapsed: Duration,
    /// A guess at the share of the search that is done.
    pub done: f64,
}

/// An execution that was replayed.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Its steps.
    pub trace: Vec<TraceStep>,
    /// What was found in it.
    pub findings: Vec<Finding>,
    /// Who waits for whom at its end, if it ends in a deadlock.
    pub deadlock: Option<DeadlockReport>,
    /// The tasks' results and the final state, if all tasks ended.
    pub outcome: Option<(Vec<String>, String)>,
    /// The schedule, with the checksum of the steps that were taken.
    pub schedule: Schedule,
}
