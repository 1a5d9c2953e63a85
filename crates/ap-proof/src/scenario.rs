//! Scenarios: operations that run at the same time over the real system, every interleaving explored.
//!
//! A scenario is a booted machine, a set-up and tasks in shell text. The set-up runs first; then the host's state is
//! kept, and each execution starts from it. Tasks call the tree and the verbs themselves, on the explorer's stacks:
//! every lock that `ap-host` takes is a step. Background work that operations ask for is done by a task of its own
//! (see [`Report::tasks`]).
//!
//! # What is checked
//! Deadlocks, livelocks, panics and lock-order cycles by the explorer; I1 and I6 whenever G, K and M are free; all of
//! [`ap_host::invariants::check`] at the end; I5 by `hands`; and that each outcome is that of some
//! one-after-the-other order of calls (see `serial`).
//!
//! # Time
//! Machine time does not pass: `sleep`, and the waits inside operations, are points at which others go on. Work that
//! is due later may happen at any moment. The periodic scan and the ten-second requests to guests are left out.

mod hands;
mod program;
mod serial;
mod sink;
mod stage;
mod state;
mod turn;
mod world;

use ap_shell::Script;
use ap_sysfs::Session;
use explore::{CrossCheck, Explorer, Options, Progress, Replay, ReplayError, Report, Schedule};

pub use serial::{Outcome, Serial};
pub use stage::BACKGROUND;

use program::Play;
use stage::Stage;

/// The most tasks of a scenario: the background is one more.
pub const MAX_TASKS: usize = explore::MAX_TASKS - 1;

/// The steps after which an execution is called a livelock: a mask write on a machine with 64 adapters takes tens of
/// thousands. (What comes back to a state that it was in is recognised long before.)
const MOST_STEPS: usize = 1_000_000;

/// Is told how an exploration goes on.
pub type OnProgress = Box<dyn FnMut(&Progress)>;

/// What plays.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is about.
    pub title: String,
    /// Runs first, one command after the other.
    pub setup: Script,
    /// Run at the same time.
    pub tasks: Vec<Task>,
}

/// A task.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// What it does.
    pub script: Script,
}

/// A part of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The set-up.
    Setup,
    /// The task of that number.
    Task(usize),
}

/// A mistake of the scenario's author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// In which part.
    pub part: Part,
    /// In which line of its text, from 1.
    pub line: u32,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// Why a scenario can't be explored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// Its author made a mistake: the set-up fails, a file has a name that no file can have, a task never ends.
    #[error("{}: {}", .0.what, .0.remedy)]
    Mistake(Mistake),
}

/// A scenario after its set-up: ready to be explored, any number of times.
pub struct Ready {
    stage: Stage,
    serial: Serial,
}

/// What an exploration of a scenario says.
#[derive(Clone, Debug)]
pub struct Explored {
    /// What the explorer says. The background is the last of its tasks.
    pub report: Report,
    /// The outcomes of one-after-the-other orders.
    pub serial: Serial,
}

/// What two explorers say of a scenario.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What the first says.
    pub explored: Explored,
    /// What the other says.
    pub other: Report,
    /// In what they differ, in sentences; empty if they agree as far as both came.
    pub differences: Vec<String>,
}

fn explorer(options: Options, progress: Option<OnProgress>) -> Explorer {
    let explorer = Explorer::new(Options { max_steps: options.max_steps.max(MOST_STEPS), ..options });
    match progress {
        Some(progress) => explorer.on_progress(progress),
        None => explorer,
    }
}

impl Ready {
    /// Runs the set-up over a booted session, and plays all one-after-the-other orders, unless it is `late`.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(scenario: &Scenario, session: Session, late: &dyn Fn() -> bool) -> Result<Ready, SetupError> {
        let stage = Stage::new(scenario, session)?;
        let serial = serial::play_all(&stage, false, late);
        if let Some(mistake) = serial.mistake {
            return Err(SetupError::Mistake(mistake));
        }
        Ok(Ready { stage, serial })
    }

    /// The outcomes of one-after-the-other orders.
    #[must_use]
    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    /// Explores every interleaving.
    pub fn explore(&self, options: Options, progress: Option<OnProgress>) -> Explored {
        self.judged(explorer(options, progress).run(&mut Play::new(&self.stage, &self.serial)))
    }

    /// Explores every interleaving, then once more in the other way (DPOR after the state cache, the state cache after
    /// all others), and compares what both say. The options' budget is for each.
    pub fn cross_check(&self, options: Options, progress: Option<OnProgress>) -> Checked {
        let mut explorer = explorer(options, progress);
        let CrossCheck { first, second, differences } =
            explorer.cross_check(&mut Play::new(&self.stage, &self.serial));
        Checked { explored: self.judged(first), other: self.judged(second).report, differences }
    }

    fn judged(&self, mut report: Report) -> Explored {
        if !self.serial.complete && report.exhausted {
            report.exhausted = false;
            report.why = Some("not all one-after-the-other orders could be played".to_owned());
            if report.verdict == "clean" {
                report.verdict = "unknown";
            }
        }
        if report.verdict == "clean" && !report.lock_order.cycles.is_empty() {
            report.verdict = "deadlock";
        }
        Explored { report, serial: self.serial.clone() }
    }

    /// Follows a schedule step by step.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn replay(&self, schedule: &Schedule) -> Result<Replay, ReplayError> {
        Explorer::new(Options::default()).replay(&mut Play::new(&self.stage, &self.serial), schedule)
    }
}
