//! What an exploration of a scenario says, for people and for programs. (`INTERFACES.md`, Scenarios.)

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use ap_files::scenario::Results;
use ap_proof::scenario::{Explored, Picture};
use explore::{OutcomeReport, Replay, Report, TraceStep, Violation};
use serde::Serialize;

use super::results::{count, named, names, results, text};
use super::{telling, trace};
use crate::error::CliError;
use crate::scenario::Playable;

/// How what was found differs from what the author expects, in a sentence.
pub fn unexpected(play: &Playable, explored: &Explored) -> Option<String> {
    let mut wrong = Vec::new();
    let verdict = explored.report.verdict;
    if let Some(expected) = &play.file.expect.verdict
        && expected != verdict
    {
        wrong.push(format!("the verdict is {verdict}, not {expected}"));
    }
    if let Some(expected) = &play.file.expect.outcomes {
        let found: BTreeSet<Results> =
            explored.report.outcomes.iter().map(|outcome| results(explored, outcome)).collect();
        for results in found.difference(expected) {
            wrong.push(format!("not expected: {}", text(results)));
        }
        if explored.report.exhausted {
            for results in expected.difference(&found) {
                wrong.push(format!("expected, but never so: {}", text(results)));
            }
        }
    }
    (!wrong.is_empty()).then(|| wrong.join("; "))
}

/// What the second explorer says, in short.
#[derive(Serialize)]
pub struct Other {
    engine: &'static str,
    verdict: &'static str,
    exhausted: bool,
    executions: u64,
    seconds: f64,
    /// In what the two differ; empty if they agree as far as both came.
    pub differences: Vec<String>,
}

impl Other {
    /// Of the report of DPOR.
    pub fn new(report: &Report, differences: Vec<String>) -> Other {
        let seconds = report.elapsed.as_secs_f64();
        let Report { verdict, exhausted, executions, .. } = *report;
        Other { engine: "dpor", verdict, exhausted, executions, seconds, differences }
    }

    fn text(&self) -> String {
        let how_far = if self.exhausted { "all" } else { "not all, as the time was up" };
        let (verdict, executions) = (self.verdict, count(self.executions));
        let says = format!("{verdict}, {how_far}: {executions} executions, {:.1} s", self.seconds);
        match self.differences.as_slice() {
            [] if self.exhausted => format!("the other explorer agrees ({says})"),
            [] => format!("the other explorer says nothing else as far as it came ({says})"),
            differences => format!("the other explorer DIFFERS ({says}): {}", differences.join("; ")),
        }
    }
}

/// Prints the report for people.
pub fn print(
    play: &Playable,
    beginning: &Picture,
    explored: &Explored,
    wrong: Option<&str>,
    other: Option<&Other>,
) -> Result<(), CliError> {
    let report = &explored.report;
    let mut out = anstream::stdout().lock();
    let good = wrong.is_none() && other.is_none_or(|other| other.differences.is_empty());
    let style =
        Style::new().bold().fg_color(Some(if good { AnsiColor::Green } else { AnsiColor::Red }.into()));
    writeln!(out, "{style}{}{style:#} {}", report.verdict, play.scenario.title)?;
    let (executions, states) = (count(report.executions), count(report.states));
    let seconds = report.elapsed.as_secs_f64();
    let all = if report.exhausted { "all interleavings" } else { "not all interleavings" };
    writeln!(
        out,
        "  {all}: {executions} told apart, {states} states, {} orders one after the other, {seconds:.1} s",
        explored.serial.outcomes.len()
    )?;
    if let Some(why) = &report.why {
        writeln!(out, "  not exhausted: {why}")?;
    }
    if let Some(other) = other {
        writeln!(out, "  {}", other.text())?;
    }
    if let Some(wrong) = wrong {
        writeln!(out, "  not as expected: {wrong}")?;
    }
    for (index, outcome) in report.outcomes.iter().enumerate() {
        let results = text(&results(explored, outcome));
        let times = if outcome.executions == 1 { "interleaving" } else { "interleavings" };
        writeln!(out, "\n  outcome {}: {results}", index + 1)?;
        writeln!(
            out,
            "    {} {times}, for example --replay {}",
            count(outcome.executions),
            outcome.schedule
        )?;
        for line in outcome.state.lines() {
            writeln!(out, "      {line}")?;
        }
    }
    for violation in &report.violations {
        print_violation(&mut out, (play, beginning), &report.tasks, violation)?;
    }
    for cycle in &report.lock_order.cycles {
        writeln!(out, "\n  locks are taken in a circle, though no interleaving of this scenario deadlocks:")?;
        for edge in cycle {
            writeln!(
                out,
                "    {} asks for {} at {} and holds {} from {}",
                edge.task, edge.asked_name, edge.asked_at, edge.held_name, edge.held_at
            )?;
        }
    }
    writeln!(out)?;
    Ok(())
}

fn print_violation(
    out: &mut impl std::io::Write,
    (play, beginning): (&Playable, &Picture),
    tasks: &[String],
    violation: &Violation,
) -> Result<(), CliError> {
    let fewest = if violation.fewest { "the fewest possible" } else { "perhaps not the fewest" };
    writeln!(out, "\n  {}: {}", violation.finding.verdict, violation.finding.what)?;
    writeln!(
        out,
        "    {} steps, {} context switches ({fewest}), --replay {}",
        violation.trace.len(),
        violation.switches,
        violation.schedule
    )?;
    let steps = telling::steps(play, &violation.trace, &mut beginning.clone());
    write!(out, "{}", trace::text(tasks, &steps, WIDTH))?;
    for (task, waits) in telling::waits(violation.deadlock.as_ref()) {
        writeln!(out, "    {} {waits}", tasks[task])?;
    }
    Ok(())
}

/// Prints a replayed execution.
pub fn print_replay(play: &Playable, beginning: &Picture, replay: &Replay) -> Result<(), CliError> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{}", play.scenario.title)?;
    let steps = telling::steps(play, &replay.trace, &mut beginning.clone());
    write!(out, "{}", trace::text(&names(play), &steps, WIDTH))?;
    for finding in &replay.findings {
        writeln!(out, "{}: {}", finding.verdict, finding.what)?;
    }
    if let Some((results, state)) = &replay.outcome {
        writeln!(out, "{}", text(&named(&names(play), results)))?;
        for line in state.lines() {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}

/// How wide traces are.
const WIDTH: usize = 80;

/// The document of several scenarios.
#[derive(Serialize)]
pub struct Several<'d> {
    schema: &'static str,
    scenarios: &'d [Document],
}

impl Several<'_> {
    /// Of the documents of each.
    pub fn new(scenarios: &[Document]) -> Several<'_> {
        Several { schema: "apmatrix.explorations/1", scenarios }
    }
}

/// The document of one scenario.
#[derive(Serialize)]
pub struct Document {
    schema: &'static str,
    title: String,
    file: String,
    verdict: &'static str,
    exhausted: bool,
    executions: u64,
    states: u64,
    seconds: f64,
    bounds: Bounds,
    outcomes: Vec<OutcomeDocument>,
    violations: Vec<ViolationDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unexpected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<Other>,
}

#[derive(Serialize)]
struct Bounds {
    tasks: usize,
    deepest: usize,
    serial_outcomes: usize,
}

#[derive(Serialize)]
struct OutcomeDocument {
    results: BTreeMap<String, String>,
    state: String,
    executions: u64,
    schedule: String,
}

#[derive(Serialize)]
struct ViolationDocument {
    verdict: &'static str,
    what: String,
    schedule: String,
    switches: u32,
    trace: Vec<StepDocument>,
}

#[derive(Serialize)]
struct StepDocument {
    task: String,
    step: &'static str,
    object: String,
    level: &'static str,
    at: String,
    held: Vec<String>,
}

/// The document of one scenario.
pub fn document(
    play: &Playable,
    explored: &Explored,
    unexpected: Option<&str>,
    other: Option<Other>,
) -> Document {
    let report = &explored.report;
    let outcome = |outcome: &OutcomeReport| OutcomeDocument {
        results: results(explored, outcome),
        state: outcome.state.clone(),
        executions: outcome.executions,
        schedule: outcome.schedule.to_string(),
    };
    Document {
        schema: "apmatrix.explore/1",
        title: play.scenario.title.clone(),
        file: play.file.path.display().to_string(),
        verdict: report.verdict,
        exhausted: report.exhausted,
        executions: report.executions,
        states: report.states,
        seconds: report.elapsed.as_secs_f64(),
        bounds: Bounds {
            tasks: play.scenario.tasks.len(),
            deepest: report.deepest,
            serial_outcomes: explored.serial.outcomes.len(),
        },
        outcomes: report.outcomes.iter().map(outcome).collect(),
        violations: report.violations.iter().map(violation).collect(),
        why: report.why.clone(),
        unexpected: unexpected.map(str::to_owned),
        other,
    }
}

fn violation(violation: &Violation) -> ViolationDocument {
    ViolationDocument {
        verdict: violation.finding.verdict,
        what: violation.finding.what.clone(),
        schedule: violation.schedule.to_string(),
        switches: violation.switches,
        trace: steps(&violation.trace),
    }
}

fn steps(trace: &[TraceStep]) -> Vec<StepDocument> {
    let step = |step: &TraceStep| StepDocument {
        task: step.name.clone(),
        step: step.step,
        object: step.object.clone(),
        level: step.on.level,
        at: step.at.clone(),
        held: step.held.clone(),
    };
    trace.iter().map(step).collect()
}

/// The document of a replayed execution.
#[derive(Serialize)]
pub struct ReplayDocument {
    schema: &'static str,
    title: String,
    schedule: String,
    findings: Vec<FindingDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Results>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    trace: Vec<StepDocument>,
}

#[derive(Serialize)]
struct FindingDocument {
    verdict: &'static str,
    what: String,
}

/// The document of a replayed execution.
pub fn replay_document(play: &Playable, replay: &Replay) -> ReplayDocument {
    let findings = replay.findings.iter();
    let findings = findings.map(|f| FindingDocument { verdict: f.verdict, what: f.what.clone() }).collect();
    let (results, state) = match &replay.outcome {
        Some((results, state)) => (Some(named(&names(play), results)), Some(state.clone())),
        None => (None, None),
    };
    ReplayDocument {
        schema: "apmatrix.replayed/1",
        title: play.scenario.title.clone(),
        schedule: replay.schedule.to_string(),
        findings,
        results,
        state,
        trace: steps(&replay.trace),
    }
}
