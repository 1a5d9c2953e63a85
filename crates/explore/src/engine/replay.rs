//! An execution along a given path, with all that can be said of it.

use std::panic::Location;

use thiserror::Error;

use super::control::{Control, Event};
use super::deadlock::{Deadlock, Stuck};
use super::executor::Executor;
use super::graph::Holding;
use super::model::{Phase, mix};
use super::objects::OpKind;
use crate::program::Finding;
use crate::report::{DeadlockReport, Replay, TraceStep, Waiting};
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
        "step {step} is by `{task}`, which has ended: the schedule is of another program, or of another version"
    )]
    Ended {
        /// Which step, from 1.
        step: usize,
        /// The task's name.
        task: String,
    },
    /// It lets a task go on that can't.
    #[error(
        "step {step} is by `{task}`, which waits for `{object}`: the schedule is of another program, or of another version"
    )]
    Blocked {
        /// Which step, from 1.
        step: usize,
        /// The task's name.
        task: String,
        /// What it waits for.
        object: String,
    },
    /// It ends while tasks can go on, and nothing was found.
    #[error("the schedule ends after {steps} steps, but {} can go on and nothing is wrong yet", tasks.join(", "))]
    TooShort {
        /// How many steps it has.
        steps: usize,
        /// The names of the tasks that can go on.
        tasks: Vec<String>,
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

/// Replays a path; it need not be complete.
pub(crate) fn follow(executor: &mut Executor<'_, '_>, path: &[u8]) -> Result<Replay, ReplayError> {
    {
        let mut control = executor.conductor.control.borrow_mut();
        control.every = true;
        control.recording = false;
        control.reduced = false;
    }
    executor.begin();
    let followed = steps(executor, path);
    let replay = followed.map(|()| look(executor));
    executor.abandon();
    executor.conductor.control.borrow_mut().every = false;
    replay
}

/// Replays a schedule, which must be complete or show a violation, and be of this program.
pub(crate) fn replay(executor: &mut Executor<'_, '_>, schedule: &Schedule) -> Result<Replay, ReplayError> {
    let mut replay = follow(executor, schedule.tasks())?;
    if let (Some(recorded), Some(found)) = (schedule.checksum(), replay.schedule.checksum())
        && recorded != found
    {
        return Err(ReplayError::Differs { recorded, found });
    }
    if schedule.is_endless() {
        replay.schedule = replay.schedule.endless();
        replay.findings.push(super::cache::livelock(schedule.tasks().len()));
        return Ok(replay);
    }
    if replay.outcome.is_none() && replay.deadlock.is_none() && replay.findings.is_empty() {
        let control = executor.conductor.control.borrow();
        let can =
            |&task: &usize| control.pending[task].as_ref().is_some_and(|op| control.model.enabled(task, op));
        let tasks = (0..control.model.tasks).filter(can).map(|task| control.names[task].clone());
        return Err(ReplayError::TooShort { steps: schedule.tasks().len(), tasks: tasks.collect() });
    }
    Ok(replay)
}

fn steps(executor: &mut Executor<'_, '_>, path: &[u8]) -> Result<(), ReplayError> {
    loop {
        let taken = executor.conductor.control.borrow().events.len();
        let Some(&task) = path.get(taken) else { return Ok(()) };
        let (step, index) = (taken + 1, usize::from(task));
        if index >= executor.tasks() {
            return Err(ReplayError::NoSuchTask { step, task, tasks: executor.tasks() });
        }
        if executor.enabled() >> index & 1 == 0 {
            let control = executor.conductor.control.borrow();
            let task = control.names[index].clone();
            return Err(match (control.model.phases[index], &control.pending[index]) {
                (Phase::Ended, _) | (_, None) => ReplayError::Ended { step, task },
                (Phase::Woken, Some(op)) => {
                    ReplayError::Blocked { step, task, object: control.objects.name(op.mutex) }
                }
                (_, Some(op)) => ReplayError::Blocked { step, task, object: control.objects.name(op.object) },
            });
        }
        executor.step(index);
    }
}

/// Everything that can be said of the execution where it stands.
fn look(executor: &mut Executor<'_, '_>) -> Replay {
    let mut replay = {
        let control = executor.conductor.control.borrow();
        let (trace, held) = trace(&control);
        let mut findings: Vec<Finding> = Vec::new();
        for (finding, _) in &control.found {
            let finding = &control.findings[*finding as usize];
            if !findings.contains(finding) {
                findings.push(finding.clone());
            }
        }
        let schedule =
            Schedule::new(control.events.iter().map(|event| event.task).collect(), Some(checksum(&control)));
        let mut replay = Replay { trace, findings, deadlock: None, outcome: None, schedule };
        let stuck = executor.unfinished();
        if executor.enabled() == 0 && stuck != 0 {
            let deadlock = Deadlock::of(&control.model, &control.pending, stuck);
            replay.findings.push(deadlock.finding(&control.objects, &control.names));
            replay.deadlock = Some(report(&control, &deadlock, &held));
        }
        replay
    };
    if executor.unfinished() == 0 {
        let (results, outcome) = executor.finish();
        replay.findings.extend(outcome.findings);
        replay.outcome = Some((results, outcome.state));
    }
    replay
}

/// The trace, and what each task holds at its end.
fn trace(control: &Control) -> (Vec<TraceStep>, Vec<Vec<Holding>>) {
    let mut held: Vec<Vec<Holding>> = vec![Vec::new(); control.model.tasks];
    let mut trace = Vec::with_capacity(control.events.len());
    for (index, event) in control.events.iter().enumerate() {
        let task = usize::from(event.task);
        let (step, object, at) = take(&mut held[task], event);
        let found = control.found.iter().filter(|(_, steps)| *steps == index + 1);
        trace.push(TraceStep {
            task,
            name: control.names[task].clone(),
            step,
            object: control.objects.name(object),
            on: control.objects.get(object).object,
            at: place(at),
            ok: event.ok,
            held: held[task].iter().map(|held| control.objects.name(held.object)).collect(),
            found: found.map(|(finding, _)| control.findings[*finding as usize].clone()).collect(),
            notes: Vec::new(),
        });
    }
    for (task, steps, started, text) in &control.notes {
        // What is said before the first step is said of that step.
        let of =
            if *started { steps.checked_sub(1) } else { trace.iter().position(|step| step.task == *task) };
        if let Some(step) = of.and_then(|step| trace.get_mut(step)) {
            step.notes.push(text.clone());
        }
    }
    (trace, held)
}

/// Follows what a task holds; gives the step's name, its object and its place.
fn take(held: &mut Vec<Holding>, event: &Event) -> (&'static str, u32, &'static Location<'static>) {
    let op = &event.op;
    if event.woken {
        held.push(Holding { object: op.mutex, read: false, at: op.at });
        return ("lock", op.mutex, op.at);
    }
    if op.kind.is_acquire() && event.ok {
        let read = matches!(op.kind, OpKind::ReadLock | OpKind::TryReadLock);
        held.push(Holding { object: op.object, read, at: op.at });
    } else if op.kind.is_release() || op.kind == OpKind::Wait {
        let index = held.iter().rposition(|held| held.object == op.mutex);
        if let Some(taken) = index.map(|index| held.remove(index))
            && op.kind != OpKind::Wait
        {
            return (op.kind.words(), op.object, taken.at);
        }
    }
    (op.kind.words(), op.object, op.at)
}

fn report(control: &Control, deadlock: &Deadlock, held: &[Vec<Holding>]) -> DeadlockReport {
    let holdings = |held: &[Holding]| -> Vec<(String, String)> {
        held.iter().map(|held| (control.objects.name(held.object), place(held.at))).collect()
    };
    let waiting = |stuck: &Stuck| Waiting {
        task: stuck.task,
        name: control.names[stuck.task].clone(),
        object: control.objects.name(stuck.object),
        on: control.objects.get(stuck.object).object,
        condition: stuck.condition,
        at: place(stuck.op.at),
        holders: stuck
            .holders
            .iter()
            .map(|&holder| {
                let taken = held[holder].iter().find(|held| held.object == stuck.object);
                (control.names[holder].clone(), taken.map_or(String::new(), |taken| place(taken.at)))
            })
            .collect(),
        holds: holdings(&held[stuck.task]),
    };
    DeadlockReport {
        cycle: deadlock.cycle.iter().map(waiting).collect(),
        others: deadlock.others.iter().map(waiting).collect(),
    }
}

fn place(at: &Location<'_>) -> String {
    format!("{}:{}", at.file(), at.line())
}

/// A checksum of what was done, without source lines.
fn checksum(control: &Control) -> u16 {
    let mut sum = 0;
    for event in &control.events {
        let object = control.objects.get(event.op.object).object;
        let name = locks::hook::fingerprint(&(object.level, object.key));
        let flags = (event.op.kind as u64) << 16 | u64::from(event.task) << 8 | u64::from(event.ok) << 1;
        sum = mix(mix(sum, name), flags | u64::from(event.woken));
    }
    (sum >> 48) as u16
}
