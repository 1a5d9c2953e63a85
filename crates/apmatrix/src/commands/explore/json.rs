//! The documents of `explore --specimen`. (`INTERFACES.md`, Scenarios.)

use std::collections::BTreeMap;
use std::time::Duration;

use ap_seed::{Answer, Place, Question, Row, Specimen, Table, id_of};
use explore::{DeadlockReport, Finding, OutcomeReport, Replay, Report, TraceStep, Violation};
use serde::Serialize;

/// What was explored.
#[derive(Serialize, schemars::JsonSchema)]
pub struct Document {
    schema: &'static str,
    specimen: String,
    title: String,
    verdict: &'static str,
    exhausted: bool,
    executions: u64,
    states: u64,
    seconds: f64,
    bounds: Bounds,
    outcomes: Vec<Outcome>,
    violations: Vec<Wrong>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Bounds {
    tasks: usize,
    deepest: usize,
    budget_seconds: Option<u64>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Outcome {
    results: BTreeMap<String, String>,
    state: String,
    executions: u64,
    schedule: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Found>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Wrong {
    verdict: &'static str,
    what: String,
    schedule: String,
    switches: u32,
    fewest: bool,
    trace: Vec<Step>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<Waits>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Step {
    task: String,
    step: &'static str,
    object: String,
    level: &'static str,
    at: String,
    ok: bool,
    held: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<u8>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Waits {
    task: String,
    object: String,
    level: &'static str,
    at: String,
    holders: Vec<String>,
}

/// A schedule that was replayed.
#[derive(Serialize, schemars::JsonSchema)]
pub struct Replayed {
    schema: &'static str,
    specimen: String,
    title: String,
    schedule: String,
    findings: Vec<Found>,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    trace: Vec<Step>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<Waits>,
}

#[derive(Serialize, schemars::JsonSchema)]
pub struct Found {
    verdict: &'static str,
    what: String,
}

impl Found {
    /// What is wrong, as documents say it.
    pub fn of(finding: &Finding) -> Found {
        Found { verdict: finding.verdict, what: finding.what.clone() }
    }
}

/// The document of an exploration.
pub fn document(specimen: &Specimen, report: &Report, budget: Option<u64>) -> Document {
    let outcome = |outcome: &OutcomeReport| Outcome {
        results: results(specimen, &outcome.results),
        state: outcome.state.clone(),
        executions: outcome.executions,
        schedule: outcome.schedule.to_string(),
        findings: outcome.findings.iter().map(Found::of).collect(),
    };
    let wrong = |violation: &Violation| Wrong {
        verdict: violation.finding.verdict,
        what: violation.finding.what.clone(),
        schedule: violation.schedule.to_string(),
        switches: violation.switches,
        fewest: violation.fewest,
        trace: steps(specimen, &violation.trace),
        waiting: waiting(violation.deadlock.as_ref()),
    };
    Document {
        schema: "apmatrix.specimen/1",
        specimen: specimen.id.clone(),
        title: specimen.title.clone(),
        verdict: report.verdict,
        exhausted: report.exhausted,
        executions: report.executions,
        states: report.states,
        seconds: report.elapsed.as_secs_f64(),
        bounds: Bounds { tasks: specimen.cast.len(), deepest: report.deepest, budget_seconds: budget },
        outcomes: report.outcomes.iter().map(outcome).collect(),
        violations: report.violations.iter().map(wrong).collect(),
        why: report.why.clone(),
    }
}

/// The document of a replay.
pub fn replayed(specimen: &Specimen, replay: &Replay) -> Replayed {
    Replayed {
        schema: "apmatrix.specimen-replayed/1",
        specimen: specimen.id.clone(),
        title: specimen.title.clone(),
        schedule: replay.schedule.to_string(),
        findings: replay.findings.iter().map(Found::of).collect(),
        results: replay.outcome.as_ref().map(|(words, _)| results(specimen, words)),
        state: replay.outcome.as_ref().map(|(_, state)| state.clone()),
        trace: steps(specimen, &replay.trace),
        waiting: waiting(replay.deadlock.as_ref()),
    }
}

fn results(specimen: &Specimen, results: &[String]) -> BTreeMap<String, String> {
    specimen.cast.iter().map(|(name, _)| name.clone()).zip(results.iter().cloned()).collect()
}

fn steps(specimen: &Specimen, trace: &[TraceStep]) -> Vec<Step> {
    let step = |step: &TraceStep| Step {
        task: step.name.clone(),
        step: step.step,
        object: step.object.clone(),
        level: step.on.level,
        at: step.at.clone(),
        ok: step.ok,
        held: step.held.clone(),
        notes: step.notes.clone(),
        function: Place::at(&step.at).map(|place| place.function),
        mail: specimen.mail.iter().find(|mail| mail.is_step(step)).map(|mail| mail.number),
    };
    trace.iter().map(step).collect()
}

fn waiting(deadlock: Option<&DeadlockReport>) -> Vec<Waits> {
    let all = deadlock.into_iter().flat_map(|deadlock| deadlock.cycle.iter().chain(&deadlock.others));
    all.map(|waiting| Waits {
        task: waiting.name.clone(),
        object: waiting.object.clone(),
        level: waiting.on.level,
        at: waiting.at.clone(),
        holders: waiting.holders.iter().map(|(name, _)| name.clone()).collect(),
    })
    .collect()
}

/// The series' table.
#[derive(Serialize, schemars::JsonSchema)]
pub struct Series {
    schema: &'static str,
    seconds: f64,
    as_expected: usize,
    rows: Vec<Variant>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Variant {
    prefix: u8,
    lock: &'static str,
    theft_sequence: Cell,
    theft_race: Cell,
    deadlock: Cell,
    protected_guest_cycle: Cell,
    spurious_busy: Cell,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Cell {
    found: bool,
    exhausted: bool,
    executions: u64,
    schedule: Option<String>,
    expected: bool,
    specimen: String,
}

/// The document of the table.
pub fn series(table: &Table, took: Duration) -> Series {
    let cell = |row: &Row, (question, answer): (Question, &Answer)| Cell {
        found: answer.found,
        exhausted: answer.exhausted,
        executions: answer.executions,
        schedule: answer.schedule.as_ref().map(ToString::to_string),
        expected: row.series.expected(question),
        specimen: id_of(row.series, question),
    };
    let variant = |row: &Row| {
        let [a, b, c, d, e] = &row.answers;
        let [qa, qb, qc, qd, qe] = Question::ALL;
        Variant {
            prefix: row.series.prefix,
            lock: row.series.locking.key(),
            theft_sequence: cell(row, (qa, a)),
            theft_race: cell(row, (qb, b)),
            deadlock: cell(row, (qc, c)),
            protected_guest_cycle: cell(row, (qd, d)),
            spurious_busy: cell(row, (qe, e)),
        }
    };
    Series {
        schema: "apmatrix.v12/1",
        seconds: took.as_secs_f64(),
        as_expected: table.as_expected(),
        rows: table.rows.iter().map(variant).collect(),
    }
}
