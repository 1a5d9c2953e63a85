//! The builtins about what takes time: `wait`, `jobs`, `sleep`. How a job goes on is the runner's business.

use crate::outcome::Status;
use crate::run::context::{Context, Flow};
use crate::run::jobs::{self, Waited};

/// The longest sleep: a year.
const MAX_SLEEP: u64 = 366 * 24 * 3600 * 1000;

pub(super) fn wait(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    if !args.is_empty() {
        let mut status = Status::OK;
        for word in args {
            let number = word.strip_prefix('%').unwrap_or(word).parse::<u32>();
            status = match number {
                Ok(number) => one(context, number)?,
                Err(_) => context.misused("wait", &format!("{word} is no job's number")),
            };
        }
        return Ok(status);
    }
    if context.in_job {
        return Ok(Status::OK);
    }
    let numbers: Vec<u32> = context.state.jobs.iter().map(|job| job.number).collect();
    let (mut failed, mut blamed) = (Status::OK, None);
    for number in numbers {
        // As in other shells `wait` succeeds whatever came of the jobs; for a task a failed one is its failure.
        let unseen = context.state.jobs.iter().any(|job| job.number == number && job.failing.is_some());
        let waiting = context.state.jobs.iter().any(|job| job.number == number && job.is_waiting());
        let status = one(context, number)?;
        let counts = status.code == 130 || context.state.strict && (unseen || waiting);
        if counts && failed.is_ok() {
            (failed, blamed) = (status, context.blamed.take());
        }
    }
    context.blamed = blamed;
    context.state.jobs.retain(|job| job.is_waiting());
    Ok(failed)
}

fn one(context: &mut Context<'_>, number: u32) -> Result<Status, Flow> {
    Ok(match jobs::wait_for(context, number) {
        Waited::Ended(status) => status,
        Waited::Stuck => {
            context.complain(&format!(
                "wait: job {number} does not return, and nothing is due that would end it"
            ));
            Status::interrupted()
        }
        Waited::Interrupted => {
            context.complain(&format!("wait: job {number} goes on"));
            return Err(Flow::Interrupted(context.note(Status::interrupted())));
        }
        Waited::Unknown => {
            context.complain(&format!("wait: there is no job {number}"));
            Status::of(127)
        }
    })
}

pub(super) fn jobs(context: &mut Context<'_>, _: &[String]) -> Result<Status, Flow> {
    jobs::reap(context);
    let mut lines = Vec::new();
    for job in context.state.jobs.iter_mut().filter(|job| job.is_waiting() || !job.told) {
        job.told |= !job.is_waiting();
        lines.push(job.describe());
    }
    lines.iter().for_each(|line| context.print_line(line));
    Ok(Status::OK)
}

pub(super) fn sleep(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    let [time] = args else {
        return Ok(context.misused("sleep", "one time is needed"));
    };
    match milliseconds(time) {
        Some(time) => {
            context.world.sleep(time);
            Ok(Status::OK)
        }
        None => Ok(context.misused("sleep", &format!("{time} is no time up to a year"))),
    }
}

/// `2`, `0.5`, `.5`, `250ms`, `3s`, `1m`; parts of a millisecond are dropped.
fn milliseconds(text: &str) -> Option<u64> {
    let (number, unit) = if let Some(number) = text.strip_suffix("ms") {
        (number, 1)
    } else if let Some(number) = text.strip_suffix('m') {
        (number, 60_000)
    } else {
        (text.strip_suffix('s').unwrap_or(text), 1000)
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && part.is_empty() || !digits(whole) || !digits(part) {
        return None;
    }
    let value = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u64>().ok() };
    let fraction = value(part)? * unit / 10u64.pow(part.len() as u32);
    Some(value(whole)? * unit + fraction).filter(|&time| time <= MAX_SLEEP)
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn times_are_seconds_unless_they_name_a_unit() {
        assert_eq!(milliseconds("2"), Some(2000));
        assert_eq!(milliseconds("0.25"), Some(250));
        assert_eq!(milliseconds(".5"), Some(500));
        assert_eq!(milliseconds("250ms"), Some(250));
        assert_eq!(milliseconds("1.5m"), Some(90_000));
        assert_eq!(milliseconds("3s"), Some(3000));
        for wrong in ["", ".", "s", "-1", "1e3", "+1", "99999999999", "1.2.3", "0.1234567890123", "1h"] {
            assert_eq!(milliseconds(wrong), None, "{wrong}");
        }
    }
}
