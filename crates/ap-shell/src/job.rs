//! Jobs: lists in the background whose write has not returned.

use std::sync::Arc;

use crate::ast::{Item, Node, Step};
use crate::run::{Flow, Interp, Ran, follows};
use crate::shell::{Environment, Status};
use crate::task::Failing;
use crate::world::{Failure, JobId};
use ap_sysfs::Errno;

/// How many jobs may wait at once.
const MAX_JOBS: usize = 1024;

/// A command whose write has not returned.
#[derive(Clone, Debug)]
pub(crate) struct Parked {
    pub job: JobId,
    pub command: String,
    pub path: String,
    /// The command's own status, if the write succeeds.
    pub status: Status,
}

/// A list in the background.
#[derive(Debug)]
pub(crate) struct Job {
    pub number: u32,
    steps: Arc<[Step]>,
    next: usize,
    env: Environment,
    pub source: Arc<str>,
    waiting: Option<Parked>,
    pub status: Status,
    /// Whether its end was told.
    pub told: bool,
    /// The failure that nobody has waited for.
    pub failing: Option<Failing>,
}

impl Job {
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// As `jobs` shows it.
    pub fn describe(&self) -> String {
        let state = match (self.is_waiting(), self.status) {
            (true, _) => "Running".to_owned(),
            (false, Status { code: 0, .. }) => "Done".to_owned(),
            (false, Status { code, errno: None }) => format!("Exit {code}"),
            (false, Status { code, errno: Some(errno) }) => format!("Exit {code} ({})", errno.name()),
        };
        format!("[{}] {state:<10} {}", self.number, self.source)
    }
}

/// What `wait` found.
pub(crate) enum Waited {
    Ended(Status),
    /// Nothing is due that would end it.
    Stuck,
    Unknown,
}

impl Interp<'_> {
    /// Starts a list in the background: it runs to its end or to the first write that does not return.
    pub fn start(&mut self, item: &Item) -> Result<(), Flow> {
        let waiting = self.state.jobs.iter().filter(|job| job.is_waiting()).count();
        if waiting >= MAX_JOBS {
            return Err(self.abort(&format!("more than {MAX_JOBS} jobs wait")));
        }
        self.charge_bytes(self.state.env.size)?;
        let number = self.enlist(item.steps.clone(), item.source.clone(), None);
        self.resume(number, None);
        if self.state.interactive && self.job(number).is_some_and(|job| job.is_waiting()) {
            self.complain(&format!("[{number}] {}", item.source));
        }
        if self.exhausted() {
            return Err(Flow::Exit(Status::of(2)));
        }
        Ok(())
    }

    fn enlist(&mut self, steps: Arc<[Step]>, source: Arc<str>, waiting: Option<Parked>) -> u32 {
        // Only the last statuses are kept for `wait N`.
        if self.state.jobs.len() >= 2 * MAX_JOBS {
            self.state.jobs.retain(Job::is_waiting);
        }
        self.state.last_job += 1;
        let number = self.state.last_job;
        self.state.jobs.push(Job {
            number,
            steps,
            next: 0,
            env: self.state.env.clone(),
            source,
            waiting,
            status: Status::OK,
            told: false,
            failing: None,
        });
        number
    }

    fn job(&mut self, number: u32) -> Option<&mut Job> {
        self.state.jobs.iter_mut().find(|job| job.number == number)
    }

    /// Goes on with a job; `answer` is that of the write it waits for.
    fn resume(&mut self, number: u32, answer: Option<Result<usize, Failure>>) {
        let Some(index) = self.state.jobs.iter().position(|job| job.number == number) else { return };
        // While it runs it is in no list, so that nothing in it can wait for it or forget it.
        let mut job = self.state.jobs.remove(index);
        let inside = std::mem::replace(&mut self.in_job, true);
        let (steps, mut next, mut status) = (job.steps.clone(), job.next, job.status);
        let parked = job.waiting.take();
        // The job runs in its own copy of the variables, and a failure of it is not the foreground's.
        std::mem::swap(&mut self.state.env, &mut job.env);
        let failing = self.state.failing.take();
        let mut waiting = None;
        if let (Some(parked), Some(answer)) = (parked, answer) {
            let ended = self.answered(&parked, answer);
            status = match steps.get(next) {
                Some(step) => self.judge_at(step, ended),
                None => ended,
            };
            next += 1;
        }
        while let Some(step) = steps.get(next) {
            if follows(step.tie, status) {
                let Node::Simple(simple) = &*step.command else { break };
                match self.simple(step, simple) {
                    Ok(Ran::Done(ended)) => status = self.judge_at(step, ended),
                    Ok(Ran::Pending(parked)) => {
                        waiting = Some(parked);
                        break;
                    }
                    Err(Flow::Exit(ended)) => {
                        status = ended;
                        next = steps.len();
                        break;
                    }
                    Err(Flow::Break | Flow::Continue) => status = Status::OK,
                }
                self.state.env.last = status;
            }
            next += 1;
        }
        self.in_job = inside;
        let failed = std::mem::replace(&mut self.state.failing, failing);
        std::mem::swap(&mut self.state.env, &mut job.env);
        job.failing = failed.filter(|_| waiting.is_none() && !status.is_ok());
        (job.next, job.status, job.waiting) = (next, status, waiting);
        let place = self.state.jobs.partition_point(|other| other.number < number);
        self.state.jobs.insert(place, job);
    }

    fn judge_at(&mut self, step: &Step, ended: Status) -> Status {
        self.note_at(step, ended);
        self.judge(step, ended)
    }

    /// The status of a command whose write has returned.
    fn answered(&mut self, parked: &Parked, answer: Result<usize, Failure>) -> Status {
        match answer {
            Ok(_) => parked.status,
            Err(failure) => self.write_failed(&parked.command, &parked.path, failure),
        }
    }

    /// Waits in the foreground for a write; if nothing can end it, it becomes a job.
    pub fn settle(&mut self, parked: Parked, source: &str) -> Status {
        if let Some(answer) = self.world.wait(parked.job) {
            return self.answered(&parked, answer);
        }
        let number = self.enlist(Arc::default(), source.into(), Some(parked));
        self.complain(&format!(
            "sh: `{source}` does not return: it goes on as job {number} (let happen what it waits for, then `wait {number}`)"
        ));
        Status { code: 130, errno: Some(Errno::EINTR) }
    }

    /// Goes on with the jobs whose writes have returned.
    pub fn reap(&mut self) {
        if self.in_job {
            return;
        }
        let waiting: Vec<(u32, JobId)> = (self.state.jobs.iter())
            .filter_map(|job| job.waiting.as_ref().map(|parked| (job.number, parked.job)))
            .collect();
        for (number, id) in waiting {
            if let Some(answer) = self.world.poll(id) {
                self.resume(number, Some(answer));
            }
        }
    }

    /// Waits for a job's end. A job knows no other jobs, as a subshell doesn't: so none runs inside another.
    pub fn wait_for(&mut self, number: u32) -> Waited {
        if self.in_job {
            return Waited::Unknown;
        }
        loop {
            let Some(job) = self.job(number) else { return Waited::Unknown };
            let Some(id) = job.waiting.as_ref().map(|parked| parked.job) else {
                job.told = true;
                let (failing, status) = (job.failing.take(), job.status);
                self.blamed = failing;
                return Waited::Ended(status);
            };
            match self.world.wait(id) {
                Some(answer) => self.resume(number, Some(answer)),
                None => return Waited::Stuck,
            }
        }
    }

    /// Waits for all jobs at a task's end; one that cannot end has failed.
    pub fn wait_for_all(&mut self) {
        let waiting: Vec<u32> =
            self.state.jobs.iter().filter(|job| job.is_waiting()).map(|job| job.number).collect();
        for number in waiting {
            while let Some(id) =
                self.job(number).and_then(|job| job.waiting.as_ref()).map(|parked| parked.job)
            {
                let Some(answer) = self.world.wait(id) else {
                    self.give_up(number);
                    break;
                };
                self.resume(number, Some(answer));
            }
        }
    }

    fn give_up(&mut self, number: u32) {
        if let Some(job) = self.job(number) {
            let place = job.steps.get(job.next).map(|step| step.place);
            job.status = Status { code: 130, errno: Some(Errno::EINTR) };
            job.failing = Some(Failing {
                errno: job.status.errno,
                status: 130,
                line: place.map_or(1, |place| place.line),
                column: place.map_or(1, |place| place.column),
                command: job.source.to_string(),
                message: "it never returned".to_owned(),
            });
        }
    }

    /// Tells of jobs that ended since they were last told of, and forgets them.
    pub fn notify(&mut self) {
        self.reap();
        let ended: Vec<String> = (self.state.jobs.iter_mut())
            .filter(|job| !job.is_waiting() && !job.told)
            .map(|job| {
                job.told = true;
                job.describe()
            })
            .collect();
        ended.iter().for_each(|line| self.complain(line));
    }
}
