//! What an exploration says: data for whoever shows it. This module knows nothing of how it was found out.

use std::time::Duration;

use locks::Object;

use crate::program::Finding;
use crate::schedule::Schedule;
use crate::verdict;

/// The result of an exploration.
#[derive(Clone, Debug)]
pub struct Report {
    /// [`verdict::CLEAN`] if everything was explored and nothing is wrong; the verdict of the first of the violations
    /// if there are any; else [`verdict::UNKNOWN`].
    pub verdict: &'static str,
    /// Whether every interleaving is covered.
    pub exhausted: bool,
    /// Why not every interleaving is covered, or why what was found can't be relied on; `None` if neither is so.
    pub why: Option<String>,
    /// The tasks' names, by their numbers.
    pub tasks: Vec<String>,
    /// The interleavings that were told apart: how many the search followed to an end or to a known state.
    pub executions: u64,
    /// How many executions were run for real, those that show outcomes and violations included.
    pub runs: u64,
    /// How many of them were chosen by chance before the search, to learn what tasks share; 0 if it was too small to need that.
    pub warm_up: u64,
    /// In how many states, after the walk over all of them, tasks were chosen again by what was learned meanwhile.
    pub chosen_again: u64,
    /// How many states were met; 0 unless the strategy is the state cache.
    pub states: u64,
    /// How many steps were taken in the executions that were run for real.
    pub steps: u64,
    /// How many steps the longest execution had.
    pub deepest: usize,
    /// All ways in which executions end.
    pub outcomes: Vec<OutcomeReport>,
    /// What is wrong, each thing once; what is shown with the fewest context switches comes first.
    pub violations: Vec<Violation>,
    /// Which locks were asked for while which were held.
    pub lock_order: LockOrder,
    /// What the audit of checkpoints, marks and looks did, if there was one.
    pub audit: Option<AuditReport>,
    /// How long it took, shrinking included.
    pub elapsed: Duration,
    /// The chance that two different states had the same fingerprint, so that something was missed; 0 unless the
    /// strategy is the state cache.
    pub collision: f64,
}

impl Report {
    /// Whether the exploration covered everything and found nothing wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.verdict == verdict::CLEAN
    }

    /// The violations of this verdict.
    pub fn of<'a>(&'a self, verdict: &'a str) -> impl Iterator<Item = &'a Violation> {
        self.violations.iter().filter(move |violation| violation.finding.verdict == verdict)
    }
}

/// A way in which executions end.
#[derive(Clone, Debug)]
pub struct OutcomeReport {
    /// The tasks' results, by the tasks' numbers.
    pub results: Vec<String>,
    /// The final state, as the program puts it ([`Outcome::state`](crate::Outcome::state)).
    pub state: String,
    /// How many of the executions that the search followed end so.
    pub executions: u64,
    /// The schedule of one of these executions.
    pub schedule: Schedule,
    /// What is wrong with that one. What is wrong on the way may be so in one execution that ends like this and not in
    /// another.
    pub findings: Vec<Finding>,
}

/// Something that is wrong, with an execution that shows it.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The verdict, and what is wrong in words.
    pub finding: Finding,
    /// The schedule of an execution that shows it.
    pub schedule: Schedule,
    /// How many context switches that execution has.
    pub switches: u32,
    /// Whether it was proven that no execution with fewer switches shows it.
    pub fewest: bool,
    /// How many of the executions that the search followed show it.
    pub executions: u64,
    /// The steps of that execution.
    pub trace: Vec<TraceStep>,
    /// Who waits for whom at the end of that execution, if that is what is wrong.
    pub deadlock: Option<DeadlockReport>,
}

/// A step of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceStep {
    /// The number of the task that took it.
    pub task: usize,
    /// The name of that task.
    pub name: String,
    /// What it did: `lock`, `unlock`, `try-lock`, …
    pub step: &'static str,
    /// The name of the object that it was about, with the key where that says anything.
    pub object: String,
    /// The object itself.
    pub on: Object,
    /// Its place in the source, `file:line`; of a release the place where the lock was taken.
    pub at: String,
    /// What a try-lock answered; `true` for all other steps.
    pub ok: bool,
    /// The locks that the task holds after the step, by their names.
    pub held: Vec<String>,
    /// The same locks themselves.
    pub holds: Vec<Object>,
    /// What was found when it was taken.
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
    /// The task's name.
    pub name: String,
    /// The name of the object that it waits for.
    pub object: String,
    /// The object itself.
    pub on: Object,
    /// Whether it waits to be notified, rather than for a lock.
    pub condition: bool,
    /// The place in the source where it waits, `file:line`.
    pub at: String,
    /// Who holds the object: the name of each task, and the place in the source where it took the object.
    pub holders: Vec<(String, String)>,
    /// What the waiting task holds: the name of each object, and the place in the source where it was taken.
    pub holds: Vec<(String, String)>,
}

/// Which locks were asked for while which were held, over all executions.
#[derive(Clone, Debug, Default)]
pub struct LockOrder {
    /// Each pair of locks of which one was held while the other was asked for, in the locks' order.
    pub edges: Vec<OrderEdge>,
    /// The cycles of this relation: executions that deadlock are possible there unless something other than locks
    /// prevents them.
    pub cycles: Vec<Vec<OrderEdge>>,
}

/// A lock that was asked for while another was held.
#[derive(Clone, Debug)]
pub struct OrderEdge {
    /// The lock that was held.
    pub held: Object,
    /// The name of that lock.
    pub held_name: String,
    /// The lock that was asked for.
    pub asked: Object,
    /// The name of that lock.
    pub asked_name: String,
    /// The name of the task that asked.
    pub task: String,
    /// The place in the source where the lock that was held was taken, `file:line`.
    pub held_at: String,
    /// The place in the source where the other was asked for, `file:line`.
    pub asked_at: String,
    /// The schedule of an execution that leads there.
    pub schedule: Schedule,
}

/// What the audit of checkpoints, marks and looks did ([`Audit`](crate::Audit)).
#[derive(Clone, Copy, Debug)]
pub struct AuditReport {
    /// Whether it came to its end, rather than to the end of the time, or to a place where a task did different things.
    pub finished: bool,
    /// To how many places tasks came by a checkpoint, a mark or a look.
    pub places: u64,
    /// To how many of them they came with different pasts, so that there was something to compare.
    pub compared: u64,
    /// To how many of them they came with more pasts than were followed.
    pub beyond: u64,
    /// How many states were walked through; they are not among [`Report::states`].
    pub states: u64,
    /// How many executions were run for real; they are not among [`Report::runs`].
    pub runs: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// How far an exploration is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// How many interleavings were told apart so far ([`Report::executions`]).
    pub executions: u64,
    /// How many states were met so far ([`Report::states`]).
    pub states: u64,
    /// How many choices lead to where the search is at present.
    pub depth: usize,
    /// How long the exploration has taken so far.
    pub elapsed: Duration,
    /// A guess at the share of the search that is done, from 0 to 1.
    pub done: f64,
}

/// An execution that was replayed.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The steps that were taken.
    pub trace: Vec<TraceStep>,
    /// What was found on the way and at the end.
    pub findings: Vec<Finding>,
    /// Who waits for whom at the end, if it is a deadlock.
    pub deadlock: Option<DeadlockReport>,
    /// The tasks' results and the final state, if all tasks ended.
    pub outcome: Option<(Vec<String>, String)>,
    /// The schedule, with the checksum of the steps that were taken.
    pub schedule: Schedule,
}
