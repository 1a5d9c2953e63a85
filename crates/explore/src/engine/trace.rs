//! What can be said of an execution where it stands: its steps in words, what was found, who waits for whom.
//!
//! This module knows nothing of how the execution came there.

use super::deadlock::{Deadlock, Stuck};
use super::executor::Executor;
use super::graph::Holding;
use super::learned::Learned;
use super::mix::mix;
use super::objects::{At, ObjectId, OpKind, place};
use super::run::{Run, Taken};
use crate::program::Finding;
use crate::report::{DeadlockReport, Replay, TraceStep, Waiting};
use crate::schedule::Schedule;

/// Everything that can be said of the execution where it stands. If no task is unfinished, the execution ends.
pub(crate) fn look(executor: &mut Executor<'_, '_>) -> Replay {
    let mut replay = {
        let control = executor.conductor.control.borrow();
        let (run, learned) = (&control.run, &control.learned);
        let (trace, held) = trace(run, learned);
        let (schedule, findings) = (schedule(run, learned), found(run, learned));
        let mut replay = Replay { trace, findings, deadlock: None, outcome: None, schedule };
        let stuck = executor.unfinished();
        if run.enabled() == 0 && stuck != 0 {
            let deadlock = Deadlock::of(&run.model, &run.pending, stuck);
            replay.findings.push(deadlock.finding(&learned.objects, &learned.names));
            replay.deadlock = Some(report(learned, &deadlock, &held));
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

/// Of an execution that has come to its end, its schedule and what is wrong with it, without its steps in words.
pub(crate) fn told(executor: &mut Executor<'_, '_>) -> (Schedule, Vec<Finding>) {
    let control = executor.conductor.control.borrow();
    let (schedule, mut findings) =
        (schedule(&control.run, &control.learned), found(&control.run, &control.learned));
    drop(control);
    if executor.unfinished() == 0 {
        findings.extend(executor.finish().1.findings);
    }
    (schedule, findings)
}

fn schedule(run: &Run, learned: &Learned) -> Schedule {
    Schedule::new(run.path(), Some(checksum(run, learned)))
}

/// What was found on the way, each once.
fn found(run: &Run, learned: &Learned) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for (finding, _) in &run.found {
        let finding = learned.findings.get(*finding);
        if !findings.contains(finding) {
            findings.push(finding.clone());
        }
    }
    findings
}

/// The trace, and what each task holds at its end.
fn trace(run: &Run, learned: &Learned) -> (Vec<TraceStep>, Vec<Vec<Holding>>) {
    let mut held: Vec<Vec<Holding>> = vec![Vec::new(); run.model.tasks];
    let mut trace = Vec::with_capacity(run.taken.len());
    for (index, taken) in run.taken.iter().enumerate() {
        let task = usize::from(taken.task);
        let (step, object, at) = take(&mut held[task], taken);
        let found = run.found.iter().filter(|(_, steps)| *steps == index + 1);
        trace.push(TraceStep {
            task,
            name: learned.names[task].clone(),
            step,
            object: learned.objects.name(object),
            on: learned.objects.get(object).object,
            at: place(at),
            ok: taken.ok,
            held: held[task].iter().map(|held| learned.objects.name(held.object)).collect(),
            holds: held[task].iter().map(|held| learned.objects.get(held.object).object).collect(),
            found: found.map(|(finding, _)| learned.findings.get(*finding).clone()).collect(),
            notes: Vec::new(),
        });
    }
    for note in &run.notes {
        // What is said before the first step is said of that step.
        let of = if note.started {
            note.steps.checked_sub(1)
        } else {
            trace.iter().position(|step| step.task == note.task)
        };
        if let Some(step) = of.and_then(|step| trace.get_mut(step)) {
            step.notes.push(note.text.clone());
        }
    }
    (trace, held)
}

/// Follows what a task holds; gives the step's name, its object and its place.
fn take(held: &mut Vec<Holding>, taken: &Taken) -> (&'static str, ObjectId, At) {
    let op = &taken.op;
    if let Some(holding) = taken.takes() {
        held.push(holding);
        let step = if taken.woken { OpKind::Lock } else { op.kind };
        return (step.words(), holding.object, op.at);
    }
    let mut at = op.at;
    if op.kind.is_release() || op.kind == OpKind::Wait {
        let index = held.iter().rposition(|held| held.object == op.mutex);
        if let Some(released) = index.map(|index| held.remove(index))
            && op.kind.is_release()
        {
            at = released.at;
        }
    }
    (op.kind.words(), op.object, at)
}

fn report(learned: &Learned, deadlock: &Deadlock, held: &[Vec<Holding>]) -> DeadlockReport {
    let objects = &learned.objects;
    let waiting = |stuck: &Stuck| Waiting {
        task: stuck.task,
        name: learned.names[stuck.task].clone(),
        object: objects.name(stuck.object),
        on: objects.get(stuck.object).object,
        condition: stuck.condition,
        at: place(stuck.op.at),
        holders: stuck
            .holders
            .iter()
            .map(|&holder| {
                let taken = held[holder].iter().find(|held| held.object == stuck.object);
                (learned.names[holder].clone(), taken.map_or(String::new(), |taken| place(taken.at)))
            })
            .collect(),
        holds: held[stuck.task].iter().map(|held| (objects.name(held.object), place(held.at))).collect(),
    };
    DeadlockReport {
        cycle: deadlock.cycle.iter().map(waiting).collect(),
        others: deadlock.others.iter().map(waiting).collect(),
    }
}

/// A checksum of what was done, without source lines.
fn checksum(run: &Run, learned: &Learned) -> u16 {
    let mut sum = 0;
    for taken in &run.taken {
        let object = learned.objects.get(taken.op.object).object;
        let name = locks::hook::fingerprint(&(object.level, object.key));
        let flags = (taken.op.kind as u64) << 16 | u64::from(taken.task) << 8 | u64::from(taken.ok) << 1;
        sum = mix(mix(sum, name), flags | u64::from(taken.woken));
    }
    (sum >> 48) as u16
}
