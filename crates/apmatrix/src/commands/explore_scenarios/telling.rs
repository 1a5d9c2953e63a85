//! How executions of a scenario are told: by the lines of its tasks, the letters of locks, and the queues' hands.

use std::collections::BTreeMap;

use ap_proof::scenario::{Explored, Picture, Ready, letter, object};
use explore::{DeadlockReport, Replay, TraceStep};
use locks::Object;

use super::results::{named, names, results, text};
use crate::commands::explore::report::count;
use crate::scenario::Playable;
use crate::timeline::page::{Execution, Page};
use crate::timeline::{self, Names, Step, merged, whose};

/// A trace's steps, told.
pub fn steps(play: &Playable, trace: &[TraceStep], picture: &mut Picture) -> Vec<Step> {
    let line = |task: usize, line: u32| {
        let script = &play.file.tasks.get(task)?.run;
        Some(script.text.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?)?.trim().to_owned())
    };
    let told = Names { object: &|step| object(&step.on), held: &held, line: &line, place: &place };
    merged(timeline::steps(trace, &told, picture))
}

/// Who waits for whom at the end.
pub fn waits(deadlock: Option<&DeadlockReport>) -> Vec<(usize, String)> {
    timeline::waits(deadlock, &|on, _| object(on))
}

/// A lock that is held: those with a letter.
fn held(lock: &Object) -> Option<String> {
    letter(lock.level).map(|_| object(lock))
}

/// A place in the source: crate and file.
fn place(at: &str) -> String {
    at.replacen("crates/", "", 1).replacen("/src/", "/", 1)
}

/// The page of an exploration. `unexpected`: how it differs from what its author expects, if it does.
pub fn page(play: &Playable, ready: &Ready, explored: &Explored, unexpected: Option<&str>) -> Page {
    let report = &explored.report;
    let violations = report.violations.iter().map(|violation| {
        let picture = ready.picture();
        Execution {
            title: violation.finding.verdict.to_owned(),
            wrong: true,
            what: violation.finding.what.clone(),
            again: again(play, &violation.schedule.to_string()),
            queues: queues(&picture),
            steps: steps(play, &violation.trace, &mut picture.clone()),
            waits: waits(violation.deadlock.as_ref()),
            state: ready
                .replay(&violation.schedule)
                .ok()
                .and_then(|replay| replay.outcome)
                .map(|(_, state)| state)
                .unwrap_or_default(),
        }
    });
    let outcomes = report.outcomes.iter().filter_map(|outcome| {
        let replay = ready.replay(&outcome.schedule).ok()?;
        let ended = results(explored, outcome);
        let mut told = Execution { title: text(&ended), ..execution(play, ready, &replay) };
        if play.file.expect.outcomes.as_ref().is_some_and(|expected| !expected.contains(&ended)) {
            told.wrong = true;
            told.what = [told.what.as_str(), "found, not expected"].join(if told.what.is_empty() {
                ""
            } else {
                "; "
            });
        }
        Some(told)
    });
    Page {
        title: play.scenario.title.clone(),
        // As the terminal says it first.
        verdict: unexpected.map_or(report.verdict, |_| "not as expected").to_owned(),
        good: unexpected.is_none(),
        summary: format!(
            "{}{} interleavings: {} told apart, {} states, {:.1} s",
            unexpected.map_or_else(String::new, |_| format!("{}; ", report.verdict)),
            if report.exhausted { "all" } else { "not all" },
            count(report.executions),
            count(report.states),
            report.elapsed.as_secs_f64(),
        ),
        unexpected: unexpected.into_iter().flat_map(str::lines).map(str::to_owned).collect(),
        tasks: report.tasks.clone(),
        beside: None,
        executions: violations.chain(outcomes).collect(),
    }
}

/// The page of one execution that was replayed.
pub fn replayed(play: &Playable, ready: &Ready, replay: &Replay) -> Page {
    let good = replay.findings.is_empty();
    Page {
        title: play.scenario.title.clone(),
        verdict: replay.findings.first().map_or("replayed", |finding| finding.verdict).to_owned(),
        good,
        summary: "one execution, replayed".to_owned(),
        unexpected: Vec::new(),
        tasks: names(play),
        beside: None,
        executions: vec![execution(play, ready, replay)],
    }
}

fn execution(play: &Playable, ready: &Ready, replay: &Replay) -> Execution {
    let picture = ready.picture();
    let (ended, state) = replay.outcome.clone().unwrap_or_default();
    let found: Vec<&str> = replay.findings.iter().map(|finding| finding.what.as_str()).collect();
    Execution {
        title: text(&named(&names(play), &ended)),
        wrong: !found.is_empty(),
        what: found.join("; "),
        again: again(play, &replay.schedule.to_string()),
        queues: queues(&picture),
        steps: steps(play, &replay.trace, &mut picture.clone()),
        waits: waits(replay.deadlock.as_ref()),
        state,
    }
}

fn queues(picture: &Picture) -> BTreeMap<String, String> {
    picture.queues.iter().map(|(apqn, hands)| (apqn.to_string(), whose(Some(hands)))).collect()
}

fn again(play: &Playable, schedule: &str) -> String {
    format!("apmatrix explore {} --replay {schedule}", play.file.path.display())
}
