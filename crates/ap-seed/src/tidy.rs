//! Among the shortest executions that show a violation, the one that tells it as the mail does.

use explore::{Explorer, Program, Replay, Schedule, Violation};

use crate::mail::MailStep;

/// Replaces a violation's execution by one with as many context switches in which more of the mail's steps come in
/// the mail's order, if there is one.
///
/// The search finds one execution of the fewest switches; where exactly a task is interrupted is left to chance.
/// Here the first interruption is tried at every earlier step.
pub(super) fn tidy(
    explorer: &mut Explorer,
    program: &mut dyn Program,
    violation: &mut Violation,
    mail: &[MailStep],
) {
    let runs: Vec<(u8, usize)> =
        violation.schedule.tasks().chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect();
    let [(first, length), .., (last, _)] = runs[..] else { return };
    if mail.is_empty() || runs.len() != 3 || first != last {
        return;
    }
    let mut best = in_order(&violation.trace, mail);
    for earlier in 1..length {
        let text =
            format!("{first}x{earlier}.{}x{}.{last}x{}", runs[1].0, runs[1].1, runs[2].1 + length - earlier);
        let Ok(schedule) = text.parse::<Schedule>() else { continue };
        let Ok(replay) = explorer.replay(program, &schedule) else { continue };
        let (shows, score) = (replay.findings.contains(&violation.finding), in_order(&replay.trace, mail));
        if shows && score > best && replay.schedule.switches() == violation.switches {
            best = score;
            show(violation, replay);
        }
    }
}

fn show(violation: &mut Violation, replay: Replay) {
    violation.schedule = replay.schedule;
    violation.trace = replay.trace;
    violation.deadlock = replay.deadlock;
}

/// How many of the mail's steps come one after the other, from the first on.
fn in_order(trace: &[explore::TraceStep], mail: &[MailStep]) -> usize {
    let mut steps = trace.iter();
    mail.iter().take_while(|wanted| steps.any(|step| wanted.is_step(step))).count()
}
