//! Jobs: lists in the background, each of which goes on when the write that it waits for returns.
//!
//! It knows simple commands (only they may stand in the background) and no other lists. The builtins `wait` and `jobs`
//! use it.

use super::context::{Context, Flow, Ran};
use super::pending;
use super::simple::simple;
use super::state::{Job, MAX_JOBS};
use crate::ast::{Item, Node, Step};
use crate::outcome::{Cause, Failing, Status};
use crate::place::Place;
use crate::world::{Failure, JobId};

/// What `wait` found.
pub(crate) enum Waited {
    /// The job ended.
    Ended(Status),
    /// Nothing is due that would end it.
    Stuck,
    /// Whoever sits at the prompt has waited long enough.
    Interrupted,
    /// There is no such job.
    Unknown,
}

/// Starts a list in the background: it runs to its end or to the first write that does not return.
pub(super) fn start(context: &mut Context<'_>, item: &Item) -> Result<(), Flow> {
    let waiting = context.state.jobs.iter().filter(|job| job.is_waiting()).count();
    if waiting >= MAX_JOBS {
        return Err(context.abort(&format!("more than {MAX_JOBS} jobs wait")));
    }
    context.charge_bytes(context.state.env.size)?;
    let number = context.state.enlist(item.steps.clone(), item.source.clone(), None);
    resume(context, number, None);
    if context.state.interactive && context.state.job(number).is_some_and(|job| job.is_waiting()) {
        context.complain(&format!("[{number}] {}", item.source));
    }
    if context.exhausted() {
        return Err(Flow::Exit(Status::of(2)));
    }
    Ok(())
}

/// Goes on with a job; `answer` is that of the write it waits for.
fn resume(context: &mut Context<'_>, number: u32, answer: Option<Result<usize, Failure>>) {
    let Some(index) = context.state.jobs.iter().position(|job| job.number == number) else { return };
    // While it runs it is in no list, so that nothing in it can wait for it or forget it.
    let mut job = context.state.jobs.remove(index);
    let inside = std::mem::replace(&mut context.in_job, true);
    // The job runs in its own copy of the variables, and a failure of it is not the foreground's.
    std::mem::swap(&mut context.state.env, &mut job.env);
    let failing = context.state.failing.take();
    go_on(context, &mut job, answer);
    context.in_job = inside;
    let failed = std::mem::replace(&mut context.state.failing, failing);
    std::mem::swap(&mut context.state.env, &mut job.env);
    job.failing = failed.filter(|_| !job.is_waiting() && !job.status.is_ok());
    let place = context.state.jobs.partition_point(|other| other.number < number);
    context.state.jobs.insert(place, job);
}

/// Runs a job's steps up to its end or to the next write that does not return.
fn go_on(context: &mut Context<'_>, job: &mut Job, answer: Option<Result<usize, Failure>>) {
    let steps = job.steps.clone();
    if let (Some(parked), Some(answer)) = (job.waiting.take(), answer) {
        let ended = pending::answered(context, &parked, answer);
        job.status = match steps.get(job.next) {
            Some(step) => judged(context, step, ended),
            None => ended,
        };
        job.next += 1;
    }
    while let Some(step) = steps.get(job.next) {
        if step.tie.follows(job.status) {
            let Node::Simple(command) = &*step.command else { break };
            match simple(context, step, command) {
                Ok(Ran::Done(ended)) => job.status = judged(context, step, ended),
                Ok(Ran::Pending(parked)) => {
                    job.waiting = Some(parked);
                    break;
                }
                Err(Flow::Exit(ended) | Flow::Interrupted(ended)) => {
                    job.status = ended;
                    job.next = steps.len();
                    break;
                }
                Err(Flow::Break | Flow::Continue) => job.status = Status::OK,
            }
            context.state.env.last = job.status;
        }
        job.next += 1;
    }
}

/// A step's status after its `!`, remembered if it failed.
fn judged(context: &mut Context<'_>, step: &Step, ended: Status) -> Status {
    context.at(step);
    context.note(ended);
    context.judge(step, ended)
}

/// Goes on with the jobs whose writes have returned.
pub(crate) fn reap(context: &mut Context<'_>) {
    if context.in_job {
        return;
    }
    let waiting: Vec<(u32, JobId)> = (context.state.jobs.iter())
        .filter_map(|job| job.waiting.as_ref().map(|parked| (job.number, parked.job)))
        .collect();
    for (number, id) in waiting {
        if let Some(answer) = context.world.poll(id) {
            resume(context, number, Some(answer));
        }
    }
}

/// Waits for a job's end. A job knows no other jobs, as a subshell doesn't: so none runs inside another.
pub(crate) fn wait_for(context: &mut Context<'_>, number: u32) -> Waited {
    if context.in_job {
        return Waited::Unknown;
    }
    loop {
        let Some(job) = context.state.job(number) else { return Waited::Unknown };
        let Some(id) = job.waiting.as_ref().map(|parked| parked.job) else {
            job.told = true;
            let (failing, status) = (job.failing.take(), job.status);
            context.blamed = failing;
            return Waited::Ended(status);
        };
        match context.world.wait(id).or_else(|| pending::linger(context, id, &format!("wait: job {number}")))
        {
            Some(answer) => resume(context, number, Some(answer)),
            None if context.state.foreground.is_some() => return Waited::Interrupted,
            None => return Waited::Stuck,
        }
    }
}

/// Waits for all jobs at a task's end; one that cannot end has failed.
pub(crate) fn wait_for_all(context: &mut Context<'_>) {
    let waiting: Vec<u32> =
        context.state.jobs.iter().filter(|job| job.is_waiting()).map(|job| job.number).collect();
    for number in waiting {
        while let Some(id) =
            context.state.job(number).and_then(|job| job.waiting.as_ref()).map(|parked| parked.job)
        {
            let Some(answer) = context.world.wait(id) else {
                if let Some(job) = context.state.job(number) {
                    give_up(job);
                }
                break;
            };
            resume(context, number, Some(answer));
        }
    }
}

fn give_up(job: &mut Job) {
    let Place { line, column } = job.steps.get(job.next).map_or(Place::START, |step| step.place);
    job.status = Status::interrupted();
    job.failing = Some(Failing {
        cause: Cause::Waits,
        errno: job.status.errno,
        status: job.status.code,
        line,
        column,
        command: job.source.to_string(),
        message: "it never returned".to_owned(),
    });
}

/// Tells of jobs that ended since they were last told of.
pub(crate) fn notify(context: &mut Context<'_>) {
    reap(context);
    let ended: Vec<String> = (context.state.jobs.iter_mut())
        .filter(|job| !job.is_waiting() && !job.told)
        .map(|job| {
            job.told = true;
            job.describe()
        })
        .collect();
    ended.iter().for_each(|line| context.complain(line));
}
