//! An execution along a given path. This module knows nothing of where the path comes from.

use rustc_hash::FxHashSet;
use thiserror::Error;

use super::deadlock::of_task;
use super::executions::{Scheduler, execute};
use super::executor::Executor;
use super::findings;
use super::mode::Mode;
use super::model::Phase;
use super::tasks::members;
use super::trace;
use crate::program::Finding;
use crate::report::Replay;
use crate::schedule::Schedule;

/// Why a schedule could not be replayed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayError {
    /// It names a task that the program doesn't have.
    #[error("step {step} is by task {task}, but there are only {tasks} tasks (0 to {})", tasks - 1)]
    NoSuchTask {
        /// Which step, from 1.
        step: usize,
        /// The task.
        task: u8,
        /// How many there are.
        tasks: usize,
    },
    /// It lets a task go on that has ended.
    #[error(
        "step {step} is by `{task}`, which has ended: {}",
        fits.as_ref().map_or_else(
            || "the schedule is of another program, or of another version".to_owned(),
            |fits| format!(
                "on this way it takes fewer steps; `{fits}` fits (or the schedule is of another program or version)"
            ),
        )
    )]
    Ended {
        /// Which step, from 1.
        step: usize,
        /// The task's name.
        task: String,
        /// A whole one that fits: the steps before, and the rest as far as it can be followed.
        fits: Option<Schedule>,
    },
    /// It lets a task go on that can't.
    #[error(
        "step {step} is by `{task}`, which waits for `{object}`, held by another task: {}",
        fits.as_ref().map_or_else(
            || "cut where that is let go, unless the schedule is of another program or version".to_owned(),
            |fits| format!("`{fits}` fits (or the schedule is of another program or version)"),
        )
    )]
    Blocked {
        /// Which step, from 1.
        step: usize,
        /// The task's name.
        task: String,
        /// What it waits for.
        object: String,
        /// A whole one that fits: the steps before, those by which others let it go, and the rest as far as it can be
        /// followed. `None` if nobody lets it go.
        fits: Option<Schedule>,
    },
    /// It ends while tasks can go on, and nothing was found.
    #[error("the schedule ends after {steps} steps, but {} can go on and nothing is wrong yet", tasks.join(", "))]
    TooShort {
        /// How many steps it has.
        steps: usize,
        /// The names of the tasks that can go on.
        tasks: Vec<String>,
    },
    /// It is said to go on for ever, and all tasks have ended, or none can go on.
    #[error("the schedule is said to go on for ever, and nobody can go on after its {steps} steps")]
    Ends {
        /// How many steps it has.
        steps: usize,
    },
    /// It is said to go on for ever, and does not come back to where it was.
    #[error(
        "the schedule is said to go on for ever, which its {steps} steps do not show: they lead to no state twice"
    )]
    NotShown {
        /// How many steps it has.
        steps: usize,
    },
    /// The steps are not those that were recorded.
    #[error(
        "the schedule can be followed, but its steps are others than when it was recorded (checksum {found:04x} instead of {recorded:04x})"
    )]
    Differs {
        /// The checksum that the schedule tells.
        recorded: u16,
        /// That of the steps taken.
        found: u16,
    },
}

/// A schedule that was followed as far as it fits the program.
#[derive(Clone, Debug)]
pub struct Followed {
    /// What happened so far.
    pub replay: Replay,
    /// Why the rest of the schedule could not be followed, or is not what was recorded; `None` if all is well.
    pub left: Option<ReplayError>,
}

/// Goes along a path, given by the task of each step.
pub(crate) struct Along<'a> {
    path: &'a [u8],
    mode: Mode,
    /// Why the path can't be followed to its end.
    failed: Option<ReplayError>,
}

impl<'a> Along<'a> {
    pub(crate) fn new(path: &'a [u8], mode: Mode) -> Self {
        Along { path, mode, failed: None }
    }
}

impl Scheduler for Along<'_> {
    const PATIENCE: u32 = 1;

    fn mode(&self) -> Mode {
        self.mode
    }

    fn next_execution(&mut self) -> bool {
        true
    }

    fn next_task(&mut self, executor: &Executor<'_, '_>) -> Option<usize> {
        let control = executor.conductor.control.borrow();
        let (run, learned) = (&control.run, &control.learned);
        let taken = run.taken.len();
        let task = *self.path.get(taken)?;
        let (step, index) = (taken + 1, usize::from(task));
        if index >= executor.tasks() {
            self.failed = Some(ReplayError::NoSuchTask { step, task, tasks: executor.tasks() });
            return None;
        }
        if run.enabled() >> index & 1 == 0 {
            let task = learned.names[index].clone();
            self.failed = Some(match (run.model.phases[index], &run.pending[index]) {
                (Phase::Ended, _) | (_, None) => ReplayError::Ended { step, task, fits: None },
                (phase, Some(op)) => {
                    let object = if phase == Phase::Woken { op.mutex } else { op.object };
                    ReplayError::Blocked { step, task, object: learned.objects.called(object), fits: None }
                }
            });
            return None;
        }
        Some(index)
    }
}

/// Replays a path as far as it can be followed; it need not be complete. Also says why it was left, if it was.
fn walked(executor: &mut Executor<'_, '_>, path: &[u8]) -> (Replay, Option<ReplayError>) {
    let mut along = Along::new(path, Mode::Follow { noting: true });
    executor.set_mode(along.mode());
    execute(executor, &mut along, usize::MAX);
    let replay = trace::look(executor);
    if let Some(ReplayError::Blocked { step, fits, .. } | ReplayError::Ended { step, fits, .. }) =
        &mut along.failed
    {
        *fits = mended(executor, &path[*step - 1..]);
    }
    executor.abandon();
    (replay, along.failed)
}

/// How many steps a schedule is mended with at the most.
const LONGEST_MENDING: usize = 10_000;

/// Goes on until the task of the first step can, unless it has ended, with who is in its way at each; then with the rest
/// as far as it fits, and to an end. Gives all steps.
fn mended(executor: &mut Executor<'_, '_>, rest: &[u8]) -> Option<Schedule> {
    let task = usize::from(rest[0]);
    let mut left = LONGEST_MENDING;
    let ended = executor.conductor.control.borrow().run.model.phases[task] == Phase::Ended;
    while !ended && executor.enabled() >> task & 1 == 0 {
        left = left.checked_sub(1)?;
        let next = in_the_way(executor, task)?;
        executor.step(next);
    }
    for &task in rest {
        let task = usize::from(task);
        if task < executor.tasks() && executor.enabled() >> task & 1 == 1 {
            executor.step(task);
        }
    }
    executor.drain(left);
    (executor.enabled() == 0).then(|| Schedule::new(executor.conductor.control.borrow().run.path(), None))
}

/// Who could go on for a task that can't: who holds what it waits for, or what that one waits for; else anybody.
fn in_the_way(executor: &Executor<'_, '_>, task: usize) -> Option<usize> {
    let control = executor.conductor.control.borrow();
    let run = &control.run;
    let enabled = run.enabled();
    let mut next = task;
    for _ in 0..executor.tasks() {
        if enabled >> next & 1 == 1 {
            return Some(next);
        }
        let Some(stuck) = of_task(&run.model, &run.pending, next) else { break };
        let Some(&holder) = stuck.holders.first() else { break };
        next = holder;
    }
    members(enabled).next()
}

/// Whether the state after a path, which can be followed, is one that it led to before.
fn comes_back(executor: &mut Executor<'_, '_>, path: &[u8]) -> bool {
    executor.set_mode(Mode::Learn);
    executor.conductor.control.borrow_mut().learned.single = usize::MAX;
    executor.begin();
    let mut seen = FxHashSet::default();
    for &task in path {
        seen.insert(executor.conductor.control.borrow().run.stands());
        executor.step(usize::from(task));
    }
    let back = seen.contains(&executor.conductor.control.borrow().run.stands());
    executor.abandon();
    executor.conductor.control.borrow_mut().learned.single = 0;
    back
}

/// Replays a path; it need not be complete.
///
/// # Errors
/// If the path can't be followed to its end.
pub(crate) fn follow(executor: &mut Executor<'_, '_>, path: &[u8]) -> Result<Replay, ReplayError> {
    let (replay, left) = walked(executor, path);
    left.map_or(Ok(replay), Err)
}

/// Executes a path, which can be followed and leads to an end, for its schedule with a checksum and for what is wrong with
/// it. `None` if it can't be followed.
pub(crate) fn told(executor: &mut Executor<'_, '_>, path: &[u8]) -> Option<(Schedule, Vec<Finding>)> {
    let mut along = Along::new(path, Mode::Follow { noting: false });
    executor.set_mode(along.mode());
    execute(executor, &mut along, usize::MAX);
    let told = along.failed.is_none().then(|| trace::told(executor));
    executor.abandon();
    told
}

/// Replays a schedule as far as it fits the program, and says why not further: it must be complete or show a
/// violation, and be of this program.
pub(crate) fn replay(executor: &mut Executor<'_, '_>, schedule: &Schedule) -> Followed {
    let (mut replay, left) = walked(executor, schedule.tasks());
    if left.is_some() {
        return Followed { replay, left };
    }
    if let (Some(recorded), Some(found)) = (schedule.checksum(), replay.schedule.checksum())
        && recorded != found
    {
        return Followed { replay, left: Some(ReplayError::Differs { recorded, found }) };
    }
    if schedule.is_endless() {
        let steps = schedule.tasks().len();
        if replay.outcome.is_some() || replay.deadlock.is_some() {
            return Followed { replay, left: Some(ReplayError::Ends { steps }) };
        }
        let many = steps >= executor.conductor.control.borrow().max_steps;
        if !many && !comes_back(executor, schedule.tasks()) {
            return Followed { replay, left: Some(ReplayError::NotShown { steps }) };
        }
        replay.schedule = replay.schedule.endless();
        replay.findings.push(findings::endless(steps));
        return Followed { replay, left: None };
    }
    let open = replay.outcome.is_none() && replay.deadlock.is_none() && replay.findings.is_empty();
    let left = open.then(|| {
        let control = executor.conductor.control.borrow();
        let names = members(control.run.enabled()).map(|task| control.learned.names[task].clone());
        ReplayError::TooShort { steps: schedule.tasks().len(), tasks: names.collect() }
    });
    Followed { replay, left }
}
