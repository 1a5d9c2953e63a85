//! `apmatrix explore SCENARIO…`: scenario files.

mod report;
mod trace;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ap_proof::scenario::{Checked, Explored, OnProgress};
use explore::{Options, Progress, Schedule, Strategy};

use super::explore::args::{Args, Engine};
use crate::error::{CliError, Outcome};
use crate::progress;
use crate::scenario::Playable;

/// Where `--list` looks.
pub const DIRECTORY: &str = "scenarios";

/// The scenario files of a directory, by name; none if there is no such directory.
///
/// # Errors
/// If one of them is wrong.
pub fn list(directory: &Path) -> Result<Vec<Playable>, CliError> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Ok(Vec::new()) };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths.iter().map(|path| Playable::read(path)).collect()
}

/// The file that an argument means: a path, or a name that `--list` tells.
fn find(argument: &Path) -> PathBuf {
    let named = Path::new(DIRECTORY).join(argument).with_extension("toml");
    if !argument.exists() && argument.components().count() == 1 && named.exists() {
        return named;
    }
    argument.to_owned()
}

/// The scenario that an argument means, on the kernel that was asked for.
fn read(argument: &Path, args: &Args) -> Result<Playable, CliError> {
    Ok(Playable::read(&find(argument))?.with_kernel(args.kernel.as_ref()))
}

/// Explores scenarios one after the other.
///
/// # Errors
/// If a file is wrong, or the schedule does not fit.
pub fn run(args: &Args) -> Outcome {
    let plays: Vec<Playable> =
        args.scenarios.iter().map(|path| read(path, args)).collect::<Result<_, _>>()?;
    if let Some(schedule) = &args.replay {
        let [play] = plays.as_slice() else {
            return Err(CliError::usage("`--replay` follows a schedule of one scenario: name that one"));
        };
        return replay(play, schedule, args);
    }
    let mut documents = Vec::new();
    let mut status = 0;
    for play in &plays {
        let Seen { explored, wrong, other } = explore(play, args)?;
        let differ = other.as_ref().is_some_and(|other| !other.differences.is_empty());
        let failed = differ || wrong.is_some() || explored.report.verdict != expected(play);
        status = status.max(u8::from(failed));
        if args.json {
            documents.push(report::document(play, &explored, wrong.as_deref(), other));
        } else {
            report::print(play, &explored, wrong.as_deref(), other.as_ref())?;
        }
    }
    if args.json {
        match documents.as_slice() {
            [document] => super::print_json(document)?,
            scenarios => super::print_json(&report::Several::new(scenarios))?,
        }
    }
    Ok(status)
}

fn expected(play: &Playable) -> &str {
    play.file.expect.verdict.as_deref().unwrap_or("clean")
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
fn explore(play: &Playable, args: &Args) -> Result<Seen, CliError> {
    let started = Instant::now();
    let budget = args.budget.map(Duration::from_secs);
    let ready = play.ready(budget)?;
    let left = budget.map(|budget| budget.saturating_sub(started.elapsed()));
    let strategy = if args.engine == Engine::Dpor { Strategy::Dpor } else { Strategy::StateCache };
    let options = Options { strategy, budget: left, ..Options::default() };
    let (explored, other) = if args.engine == Engine::Both {
        let Checked { explored, other, differences } = ready.cross_check(options, progress(play));
        (explored, Some(report::Other::new(&other, differences)))
    } else {
        (ready.explore(options, progress(play)), None)
    };
    let wrong = report::unexpected(play, &explored);
    Ok(Seen { explored, wrong, other })
}

/// A line on a terminal that tells how far it is; it goes when the exploration ends.
fn progress(play: &Playable) -> Option<OnProgress> {
    let line = progress::line();
    if line.is_hidden() {
        return None;
    }
    let title = play.scenario.title.clone();
    Some(Box::new(move |at: &Progress| {
        let Progress { executions, states, elapsed, .. } = at;
        let seconds = elapsed.as_secs();
        line.set_message(format!("{title}: {executions} interleavings, {states} states, {seconds} s"));
    }))
}

fn replay(play: &Playable, schedule: &str, args: &Args) -> Outcome {
    let schedule: Schedule = schedule.parse().map_err(|error: explore::ScheduleError| {
        CliError::usage(error.to_string())
            .hint("a report names schedules, like `0x3.1x2.0~5a1f`")
            .because(error)
    })?;
    let ready = play.ready(args.budget.map(Duration::from_secs))?;
    let replay =
        ready.replay(&schedule).map_err(|error| CliError::failed(error.to_string()).because(error))?;
    if args.json {
        super::print_json(&report::replay_document(play, &replay))?;
    } else {
        report::print_replay(play, &replay)?;
    }
    Ok(u8::from(!replay.findings.is_empty()))
}
