//! `apmatrix explore SCENARIO…`: scenario files.

mod report;
mod trace;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ap_proof::scenario::{Checked, Explored, OnProgress};
use explore::{Options, Progress, Schedule, Strategy};

use super::explore::{Args, Engine};
use crate::cli::Outcome;
use crate::error::CliError;
use crate::scenario_file::ScenarioFile;

/// Where `--list` looks.
pub const DIRECTORY: &str = "scenarios";

/// The scenario files of a directory, by name; none if there is no such directory.
///
/// # Errors
/// If one of them is wrong.
pub fn list(directory: &Path) -> Result<Vec<ScenarioFile>, CliError> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Ok(Vec::new()) };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths.iter().map(|path| ScenarioFile::read(path)).collect()
}

/// The file that an argument means: a path, or a name that `--list` tells.
fn find(argument: &Path) -> PathBuf {
    let named = Path::new(DIRECTORY).join(argument).with_extension("toml");
    if !argument.exists() && argument.components().count() == 1 && named.exists() {
        return named;
    }
    argument.to_owned()
}

/// Explores scenarios one after the other.
///
/// # Errors
/// If a file is wrong, or the schedule does not fit.
pub fn run(args: &Args) -> Outcome {
    let files: Vec<ScenarioFile> =
        args.scenarios.iter().map(|path| ScenarioFile::read(&find(path))).collect::<Result<_, _>>()?;
    if let Some(schedule) = &args.replay {
        let [file] = files.as_slice() else {
            return Err(CliError::usage("`--replay` follows a schedule of one scenario: name that one"));
        };
        return replay(file, schedule, args);
    }
    let mut documents = Vec::new();
    let mut status = 0;
    for file in &files {
        let Seen { explored, wrong, other } = explore(file, args)?;
        let differ = other.as_ref().is_some_and(|other| !other.differences.is_empty());
        let failed = differ || wrong.is_some() || explored.report.verdict != expected(file);
        status = status.max(u8::from(failed));
        if args.json {
            documents.push(report::document(file, &explored, wrong.as_deref(), other));
        } else {
            report::print(file, &explored, wrong.as_deref(), other.as_ref())?;
        }
    }
    if args.json {
        match documents.as_slice() {
            [document] => super::print_json(document)?,
            _ => super::print_json(&serde_json::json!({
                "schema": "apmatrix.explorations/1",
                "scenarios": documents,
            }))?,
        }
    }
    Ok(status)
}

fn expected(file: &ScenarioFile) -> &str {
    file.expect.verdict.as_deref().unwrap_or("clean")
}

/// What was seen of one scenario.
struct Seen {
    explored: Explored,
    /// How it differs from what its author expects.
    wrong: Option<String>,
    /// What the other explorer says.
    other: Option<report::Other>,
}

/// Explores one.
fn explore(file: &ScenarioFile, args: &Args) -> Result<Seen, CliError> {
    let started = Instant::now();
    let budget = args.budget.map(Duration::from_secs);
    let ready = file.ready(budget)?;
    let left = budget.map(|budget| budget.saturating_sub(started.elapsed()));
    let strategy = if args.engine == Engine::Dpor { Strategy::Dpor } else { Strategy::StateCache };
    let options = Options { strategy, budget: left, ..Options::default() };
    let (explored, other) = if args.engine == Engine::Both {
        let Checked { explored, other, differences } = ready.cross_check(options, progress(file));
        (explored, Some(report::Other::new(&other, differences)))
    } else {
        (ready.explore(options, progress(file)), None)
    };
    let wrong = report::unexpected(file, &explored);
    Ok(Seen { explored, wrong, other })
}

/// A line on a terminal that tells how far it is.
fn progress(file: &ScenarioFile) -> Option<OnProgress> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let title = file.scenario.title.clone();
    Some(Box::new(move |at: &Progress| {
        let Progress { executions, states, elapsed, .. } = at;
        let seconds = elapsed.as_secs();
        let line = format!("\r\x1b[K{title}: {executions} interleavings, {states} states, {seconds} s\r");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }))
}

fn replay(file: &ScenarioFile, schedule: &str, args: &Args) -> Outcome {
    let schedule: Schedule = schedule.parse().map_err(|error: explore::ScheduleError| {
        CliError::usage(error.to_string()).hint("a report names schedules, like `0x3.1x2.0~5a1f`")
    })?;
    let ready = file.ready(args.budget.map(Duration::from_secs))?;
    let replay = ready.replay(&schedule).map_err(|error| CliError::failed(error.to_string()))?;
    if args.json {
        super::print_json(&report::replay_document(file, &replay))?;
    } else {
        report::print_replay(file, &replay)?;
    }
    Ok(u8::from(!replay.findings.is_empty()))
}
