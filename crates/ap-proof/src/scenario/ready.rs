//! A scenario that is ready to be explored, and what explorations of it say.

use ap_sysfs::Session;
use explore::{
    CrossCheck, Explorer, Followed, Options, Progress, Replay, ReplayError, Report, Schedule, Ways,
};

use crate::oracle::Verdict;
use crate::scenario::definition::{Scenario, SetupError};
use crate::scenario::picture::Picture;
use crate::scenario::program::Interleavings;
use crate::scenario::serial::{Serial, play_all};
use crate::scenario::stage::Stage;

/// The most tasks of a scenario: the background is one more.
pub const MAX_TASKS: usize = explore::MAX_TASKS - 1;

/// The steps after which an execution is called a livelock: a mask write on a machine with 64 adapters takes tens of
/// thousands. (What comes back to a state that it was in is recognised long before.)
const MOST_STEPS: usize = 1_000_000;

/// Is told how an exploration goes on.
pub type OnProgress = Box<dyn FnMut(&Progress)>;

/// What a report says instead of `clean` where not everything was explored.
const UNKNOWN: &str = "unknown";

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
        let serial = play_all(&stage, false, late);
        if let Some(mistake) = serial.mistake {
            return Err(SetupError::Mistake(mistake));
        }
        Ok(Ready { stage, serial })
    }

    /// The same over another session, when the outcomes of one-after-the-other orders are known.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn knowing(scenario: &Scenario, session: Session, serial: Serial) -> Result<Ready, SetupError> {
        Ok(Ready { stage: Stage::new(scenario, session)?, serial })
    }

    /// The outcomes of one-after-the-other orders.
    #[must_use]
    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    /// Explores every interleaving.
    pub fn explore(&self, options: Options, progress: Option<OnProgress>) -> Explored {
        let mut program = self.program(&options);
        let report = explorer(options, progress).run(&mut program);
        self.judged(report, program.decided())
    }

    /// Explores every interleaving, then once more in the other way (DPOR after the state cache, the state cache after
    /// all others), and compares what both say. The options' budget is for each.
    pub fn cross_check(&self, options: Options, progress: Option<OnProgress>) -> Checked {
        let mut program = self.program(&options);
        let CrossCheck { first, second, differences } = explorer(options, progress).cross_check(&mut program);
        let decided = program.decided();
        Checked {
            explored: self.judged(first, decided),
            other: self.judged(second, decided).report,
            differences,
        }
    }

    fn program(&self, options: &Options) -> Interleavings<'_> {
        Interleavings::new(&self.stage, &self.serial, options.budget)
    }

    /// Has `f` go to states by the ways that lead to them ([`Explorer::by_ways`]). Also says whether all outcomes that it came to
    /// could be compared with what orders end in.
    pub fn by_ways<R>(&self, options: Options, f: impl FnOnce(&mut Ways<'_, '_, '_>) -> R) -> (R, bool) {
        // What one worker found out in time, who reports must find out again, though the time is up then.
        let mut program = Interleavings::new(&self.stage, &self.serial, None);
        let came = explorer(options, None).by_ways(&mut program, f);
        (came, program.decided())
    }

    /// What the explorer says, judged by what it does not know. `decided`: all outcomes could be compared with what orders end
    /// in.
    #[must_use]
    pub fn judged(&self, mut report: Report, decided: bool) -> Explored {
        if !decided && report.exhausted {
            report.exhausted = false;
            report.why = Some("not all one-after-the-other orders could be played".to_owned());
            if report.verdict == Verdict::Clean.word() {
                report.verdict = UNKNOWN;
            }
        }
        if report.verdict == Verdict::Clean.word() && !report.lock_order.cycles.is_empty() {
            report.verdict = Verdict::Deadlock.word();
        }
        Explored { report, serial: self.serial.clone() }
    }

    /// Explores every interleaving that begins along a schedule ([`Explorer::after`]).
    pub fn explore_after(
        &self,
        schedule: &Schedule,
        options: Options,
        progress: Option<OnProgress>,
    ) -> Explored {
        let mut program = self.program(&options);
        let report = explorer(options, progress).after(schedule).run(&mut program);
        self.judged(report, program.decided())
    }

    /// Follows a schedule step by step, as far as it fits.
    pub fn follow(&self, schedule: &Schedule) -> Followed {
        let options = Options::default();
        let mut program = self.program(&options);
        explorer(options, None).follow(&mut program, schedule)
    }

    /// Follows a schedule step by step.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn replay(&self, schedule: &Schedule) -> Result<Replay, ReplayError> {
        let Followed { replay, left } = self.follow(schedule);
        left.map_or(Ok(replay), Err)
    }

    /// Who has which queue when the tasks begin.
    #[must_use]
    pub fn picture(&self) -> Picture {
        Picture::of(self.stage.beginning())
    }
}
