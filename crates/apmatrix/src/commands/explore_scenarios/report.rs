//! What an exploration of a scenario says, for people and for programs. (`INTERFACES.md`, Scenarios.)

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use ap_files::scenario::Results;
use ap_proof::scenario::{Explored, Picture};
use explore::{OutcomeReport, Replay, Report, TraceStep, Violation};
use serde::Serialize;

use super::audit::Audit;
use super::results::{named, names, results, text};
use super::{telling, trace};
use crate::commands::explore::json::Found;
use crate::commands::explore::report::{count, several};
use crate::error::CliError;
use crate::jobs;
use crate::scenario::Playable;
use crate::terminal::{Wrapping, cut, findings};

/// How what was found differs from what the author expects, a line for each difference.
pub fn unexpected(play: &Playable, explored: &Explored) -> Option<String> {
    let mut wrong = Vec::new();
    let verdict = explored.report.verdict;
    if let Some(expected) = &play.file.expect.verdict
        && expected != verdict
    {
        wrong.push(format!("expected the verdict {expected}, found {verdict}"));
    }
    if let Some(expected) = &play.file.expect.outcomes {
        let found: BTreeSet<Results> =
            explored.report.outcomes.iter().map(|outcome| results(explored, outcome)).collect();
        for results in found.difference(expected) {
            wrong.push(format!("+ {}   (found, not expected)", text(results)));
        }
        if explored.report.exhausted {
            for results in expected.difference(&found) {
                wrong.push(format!("- {}   (expected, never found)", text(results)));
            }
        }
    }
    (!wrong.is_empty()).then(|| wrong.join("\n"))
}

/// What the second explorer says, in short.
#[derive(Serialize, schemars::JsonSchema)]
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

/// What is said first of a scenario: its verdict, or that it is not what its author expects.
pub fn word(explored: &Explored, wrong: Option<&str>, other: Option<&Other>) -> (&'static str, AnsiColor) {
    let differ = other.is_some_and(|other| !other.differences.is_empty());
    match (wrong, differ) {
        (None, false) => (explored.report.verdict, AnsiColor::Green),
        _ => ("not as expected", AnsiColor::Red),
    }
}

/// Prints a line about a scenario, for people who explore many.
pub fn print_line(
    play: &Playable,
    explored: &Explored,
    wrong: Option<&str>,
    other: Option<&Other>,
    width: usize,
) -> Result<(), CliError> {
    let (word, colour) = word(explored, wrong, other);
    let style = Style::new().bold().fg_color(Some(colour.into()));
    let Report { states, elapsed, exhausted, .. } = explored.report;
    let all = if exhausted { "" } else { ", not all interleavings" };
    let counts = format!("  {}, {:.1} s{all}", several(states, "state"), elapsed.as_secs_f64());
    let file = play.file.path.display().to_string();
    let file = between(word, &file, &counts, width);
    writeln!(findings(), "{style}{word}{style:#}  {file}{counts}")?;
    Ok(())
}

/// A file's name as far as a line of that width has room for it between a word and counts; its end says more than its
/// beginning.
fn between(word: &str, file: &str, counts: &str, width: usize) -> String {
    let room = width.saturating_sub(word.len() + 2 + counts.chars().count());
    if file.chars().count() <= room {
        return file.to_owned();
    }
    let kept: String = file.chars().rev().take(room.saturating_sub(1)).collect();
    format!("…{}", kept.chars().rev().collect::<String>())
}

/// Prints how many scenarios there were of each result.
pub fn print_sum(
    all: usize,
    sums: &BTreeMap<&'static str, usize>,
    took: std::time::Duration,
) -> Result<(), CliError> {
    let parts: Vec<String> = sums.iter().map(|(word, number)| format!("{number} {word}")).collect();
    let (parts, seconds) = (parts.join(", "), took.as_secs_f64());
    writeln!(findings(), "{all} scenarios: {parts}; {seconds:.1} s{}", memory(all))?;
    Ok(())
}

/// How much memory the process took, if it explored one scenario, or that many together.
fn memory(scenarios: usize) -> String {
    let together = if scenarios > 1 { " together" } else { "" };
    jobs::memory().map_or_else(String::new, |bytes| format!(", {} MiB{together}", bytes >> 20))
}

/// That only what follows a schedule was explored.
#[derive(Clone, Serialize, schemars::JsonSchema)]
pub struct After {
    /// How many steps of it were followed.
    pub steps: usize,
    /// Those steps.
    pub schedule: String,
    /// Why no more, if the schedule does not fit the program any further.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
}

/// What is known of an exploration besides its report.
#[derive(Clone, Copy, Default)]
pub struct Beside<'a> {
    /// How it differs from what its author expects.
    pub wrong: Option<&'a str>,
    /// What the other explorer says.
    pub other: Option<&'a Other>,
    /// What became of the audit, if one was asked for.
    pub audit: Option<&'a Audit>,
    /// That it began after a schedule.
    pub after: Option<&'a After>,
}

/// Prints the report of one of so many scenarios for people, in lines of that width.
pub fn print(
    play: &Playable,
    beginning: &Picture,
    explored: &Explored,
    Beside { wrong, other, audit, after }: Beside<'_>,
    (scenarios, width): (usize, usize),
) -> Result<(), CliError> {
    let report = &explored.report;
    let mut out = Wrapping::new(findings(), width);
    let (word, colour) = word(explored, wrong, other);
    let style = Style::new().bold().fg_color(Some(colour.into()));
    let title = cut(&play.scenario.title, width.saturating_sub(word.len() + 1));
    writeln!(out, "{style}{word}{style:#} {title}")?;
    if let Some(wrong) = wrong {
        for line in wrong.lines() {
            writeln!(out, "  {line}")?;
        }
    }
    let (executions, states) = (count(report.executions), several(report.states, "state"));
    let seconds = report.elapsed.as_secs_f64();
    let all = if report.exhausted { "all interleavings" } else { "not all interleavings" };
    let all = match after {
        None => all.to_owned(),
        Some(After { steps, schedule, .. }) => {
            let steps = several(u64::try_from(*steps).unwrap_or(u64::MAX), "step");
            format!("{all} that begin with the {steps} of {schedule}, and none else")
        }
    };
    let orders = explored.serial.outcomes.len();
    let orders = if orders == 1 { "1 outcome".to_owned() } else { format!("{orders} outcomes") };
    writeln!(
        out,
        "  {all}: {executions} told apart, {states}; {orders} if one runs after the other; {seconds:.1} s{}",
        memory(scenarios)
    )?;
    if let Some(why) = &report.why {
        writeln!(out, "  not exhausted: {why}")?;
    }
    if let Some(other) = other {
        writeln!(out, "  {}", other.text())?;
    }
    if let Some(audit) = audit {
        writeln!(out, "  {}", audit.text())?;
    }
    for (index, outcome) in report.outcomes.iter().enumerate() {
        let results = text(&results(explored, outcome));
        writeln!(out)?;
        writeln!(out, "  outcome {}: {results}", index + 1)?;
        writeln!(out, "    for example --replay {}", outcome.schedule)?;
        for finding in &outcome.findings {
            writeln!(out, "    {}: {}", finding.verdict, finding.what)?;
        }
        for line in outcome.state.lines() {
            writeln!(out, "      {line}")?;
        }
    }
    for violation in &report.violations {
        print_violation(&mut out, (play, beginning), &report.tasks, (violation, width))?;
    }
    for cycle in &report.lock_order.cycles {
        writeln!(out)?;
        writeln!(out, "  locks are taken in a circle, though no interleaving of this scenario deadlocks:")?;
        for edge in cycle {
            let text = format!(
                "{} asks for {} at {} and holds {} from {}",
                edge.task, edge.asked_name, edge.asked_at, edge.held_name, edge.held_at
            );
            writeln!(out, "    {text}")?;
        }
    }
    writeln!(out)?;
    Ok(())
}

fn print_violation(
    out: &mut impl std::io::Write,
    (play, beginning): (&Playable, &Picture),
    tasks: &[String],
    (violation, width): (&Violation, usize),
) -> Result<(), CliError> {
    let fewest = if violation.fewest { "the fewest possible" } else { "perhaps not the fewest" };
    writeln!(out)?;
    writeln!(out, "  {}: {}", violation.finding.verdict, violation.finding.what)?;
    let switches = violation.switches;
    let switches =
        if switches == 1 { "1 context switch".to_owned() } else { format!("{switches} context switches") };
    writeln!(
        out,
        "    {} steps, {switches} ({fewest}), --replay {}",
        violation.trace.len(),
        violation.schedule
    )?;
    let steps = telling::steps(play, &violation.trace, &mut beginning.clone());
    write!(out, "{}", trace::text(tasks, &steps, width.min(WIDEST)))?;
    for (task, waits) in telling::waits(violation.deadlock.as_ref()) {
        writeln!(out, "    {} {waits}", tasks[task])?;
    }
    Ok(())
}

/// Prints a replayed execution, in lines of that width.
pub fn print_replay(
    play: &Playable,
    beginning: &Picture,
    replay: &Replay,
    width: usize,
) -> Result<(), CliError> {
    let mut out = Wrapping::new(findings(), width);
    writeln!(out, "{}", cut(&play.scenario.title, width))?;
    let steps = telling::steps(play, &replay.trace, &mut beginning.clone());
    write!(out, "{}", trace::text(&names(play), &steps, width.min(WIDEST)))?;
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

/// How wide traces are at the most: their places in the source stand at the right margin.
const WIDEST: usize = 120;

/// The document of several scenarios.
#[derive(Serialize, schemars::JsonSchema)]
pub struct Several<'d> {
    schema: &'static str,
    /// The most memory that all of them took together.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<u64>,
    scenarios: &'d [Document],
}

impl Several<'_> {
    /// Of the documents of each.
    pub fn new(scenarios: &[Document]) -> Several<'_> {
        Several { schema: "apmatrix.explorations/1", memory_bytes: jobs::memory(), scenarios }
    }
}

/// The document of one scenario.
#[derive(Serialize, schemars::JsonSchema)]
pub struct Document {
    schema: &'static str,
    title: String,
    file: String,
    verdict: &'static str,
    exhausted: bool,
    executions: u64,
    states: u64,
    seconds: f64,
    /// The most memory that the process took; only where it explored this scenario alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    bounds: Bounds,
    outcomes: Vec<OutcomeDocument>,
    violations: Vec<ViolationDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// With `--replay … --explore`: nothing was explored but what begins with these steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unexpected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<Other>,
    /// Of the audit, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audit>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Bounds {
    tasks: usize,
    deepest: usize,
    serial_outcomes: usize,
}

#[derive(Serialize, schemars::JsonSchema)]
struct OutcomeDocument {
    results: BTreeMap<String, String>,
    state: String,
    executions: u64,
    schedule: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Found>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct ViolationDocument {
    verdict: &'static str,
    what: String,
    schedule: String,
    switches: u32,
    trace: Vec<StepDocument>,
}

#[derive(Serialize, schemars::JsonSchema)]
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
        findings: outcome.findings.iter().map(Found::of).collect(),
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
        memory_bytes: None,
        bounds: Bounds {
            tasks: play.scenario.tasks.len(),
            deepest: report.deepest,
            serial_outcomes: explored.serial.outcomes.len(),
        },
        outcomes: report.outcomes.iter().map(outcome).collect(),
        violations: report.violations.iter().map(violation).collect(),
        why: report.why.clone(),
        after: None,
        unexpected: unexpected.map(str::to_owned),
        other,
        audit: None,
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
#[derive(Serialize, schemars::JsonSchema)]
pub struct ReplayDocument {
    schema: &'static str,
    title: String,
    schedule: String,
    findings: Vec<Found>,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Results>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// Why the rest of the schedule could not be followed, or is not what was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<String>,
    trace: Vec<StepDocument>,
}

/// The document of a replayed execution.
pub fn replay_document(play: &Playable, replay: &Replay, left: Option<String>) -> ReplayDocument {
    let (results, state) = match &replay.outcome {
        Some((results, state)) => (Some(named(&names(play), results)), Some(state.clone())),
        None => (None, None),
    };
    ReplayDocument {
        schema: "apmatrix.replayed/1",
        title: play.scenario.title.clone(),
        schedule: replay.schedule.to_string(),
        findings: replay.findings.iter().map(Found::of).collect(),
        results,
        state,
        left,
        trace: steps(&replay.trace),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_is_cut_where_its_line_would_be_longer_than_the_terminal() {
        let (word, counts) = ("clean", "  1,234 states, 0.5 s");
        let long = format!("{}/hotplug.toml", "scenarios/".repeat(10));
        let shown = between(word, &long, counts, 80);
        assert!(shown.starts_with('…') && shown.ends_with("/hotplug.toml"), "{shown}");
        assert_eq!(word.len() + 2 + shown.chars().count() + counts.len(), 80);
        assert_eq!(between(word, "scenarios/theft.toml", counts, 80), "scenarios/theft.toml");
        let fits = "s".repeat(80 - word.len() - 2 - counts.len());
        assert_eq!(between(word, &fits, counts, 80), fits);
    }
}
