//! `apmatrix explore SCENARIO…`: scenario files.

mod audit;
mod report;
mod results;
mod telling;
mod trace;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ap_proof::scenario::{Checked, Explored, OnProgress, Picture, Ready};
use ap_sysfs::nearest::meant;
use explore::{Followed, Options, Progress, Replay, ReplayError, Schedule, Strategy};

use self::audit::Audit;
use super::explore::args::{Args, Engine};
use super::explore::report::count;
use crate::error::{CliError, Outcome};
use crate::scenario::Playable;
use crate::schema::{Named, of};
use crate::terminal::{cut, width};
use crate::timeline::page::{self, Page};
use crate::{jobs, progress};

/// What it prints.
pub const SCHEMAS: [Named; 3] = [
    Named::new(
        "explorations",
        "several scenarios: `apmatrix explore A B --json`",
        of::<report::Several<'static>>,
    ),
    Named::new("explore", "a scenario: `apmatrix explore SCENARIO --json`", of::<report::Document>),
    Named::new(
        "replayed",
        "a schedule: `apmatrix explore SCENARIO --replay … --json`",
        of::<report::ReplayDocument>,
    ),
];

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

/// The scenario of the checkout whose name is near to an argument's.
fn near(argument: &Path) -> Option<String> {
    let stems = std::fs::read_dir(DIRECTORY).ok()?.flatten().filter_map(|entry| {
        let path = entry.path();
        let toml = path.extension().is_some_and(|extension| extension == "toml");
        Some(path.file_stem().filter(|_| toml)?.to_str()?.to_owned())
    });
    let stems: Vec<String> = stems.collect();
    meant(argument.to_str()?, stems.iter().map(String::as_str)).map(str::to_owned)
}

/// The scenario that an argument means, on the kernel that was asked for.
pub(super) fn read(argument: &Path, args: &Args) -> Result<Playable, CliError> {
    let path = find(argument);
    let read = Playable::read(&path).map_err(|error| match near(argument) {
        Some(near) if !path.exists() => error.hint(format!("did you mean the scenario `{near}`?")),
        _ => error,
    });
    Ok(read?.with_kernel(args.kernel.as_ref()))
}

/// Says what was seen of one scenario.
///
/// # Errors
/// If it can't be printed, or the page not be written.
pub(super) fn print(
    play: &Playable,
    ready: &Ready,
    explored: Explored,
    args: &Args,
    started: Instant,
) -> Outcome {
    let wrong = report::unexpected(play, &explored);
    if let Some(path) = &args.html {
        write(path, &telling::page(play, ready, &explored, wrong.as_deref()))?;
    }
    let mut told = Told::new();
    let seen = Seen { beginning: ready.picture(), explored, wrong, other: None };
    told.status = told.tell_one(play, seen, args, 1);
    told.end(args, 1, started)
}

/// Whether what was seen of a scenario is not what its author expects.
pub(super) fn is_unexpected(play: &Playable, explored: &Explored) -> bool {
    report::unexpected(play, explored).is_some() || explored.report.verdict != expected(play)
}

/// Explores scenarios, as many at once as there are processors; they are told of in their order.
///
/// # Errors
/// If a file is wrong, or the schedule does not fit.
pub fn run(args: &Args) -> Outcome {
    if args.audit.is_some() && args.engine == Engine::Dpor {
        return Err(CliError::usage(
            "`--audit` is for the engines that go by what tasks remember, and dpor does not",
        )
        .hint("leave `--engine` out, or say `--engine every`"));
    }
    let plays: Vec<Playable> =
        args.scenarios.iter().map(|path| read(path, args)).collect::<Result<_, _>>()?;
    if let Some(schedule) = &args.replay {
        let [play] = plays.as_slice() else {
            return Err(CliError::usage("`--replay` follows a schedule of one scenario: name that one"));
        };
        return replay(play, schedule, args);
    }
    if args.html.is_some() && plays.len() > 1 {
        return Err(CliError::usage("`--html` writes the page of one scenario: name that one"));
    }
    let told = Mutex::new(Told::new());
    let (next, started) = (AtomicUsize::new(0), Instant::now());
    let threads = jobs::wanted(args.threads()).min(plays.len());
    let work = |_| {
        while let Some((index, play)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            plays.get(index).map(|play| (index, play))
        } {
            let seen = explore(play, args, threads == 1);
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            told.waiting.insert(index, seen);
            told.tell(&plays, args);
            if told.status.is_err() {
                return;
            }
        }
    };
    if jobs::run(threads, &work).is_err() {
        work(0);
    }
    told.into_inner().unwrap_or_else(PoisonError::into_inner).end(args, plays.len(), started)
}

/// What was said of scenarios, in their order.
struct Told {
    /// Those that were explored sooner than one before them.
    waiting: BTreeMap<usize, Result<Seen, CliError>>,
    next: usize,
    documents: Vec<report::Document>,
    /// How many there were of each result.
    sums: BTreeMap<&'static str, usize>,
    status: Outcome,
}

impl Told {
    /// Nothing yet.
    fn new() -> Told {
        Told {
            waiting: BTreeMap::new(),
            next: 0,
            documents: Vec::new(),
            sums: BTreeMap::new(),
            status: Ok(0),
        }
    }

    /// Says what is to be said of all together.
    fn end(self, args: &Args, plays: usize, started: Instant) -> Outcome {
        let Told { mut documents, sums, status, .. } = self;
        let status = status?;
        if args.json {
            match documents.as_mut_slice() {
                [document] => {
                    document.memory_bytes = jobs::memory();
                    super::print_json(document)?;
                }
                scenarios => super::print_json(&report::Several::new(scenarios))?,
            }
        } else if plays > 1 {
            report::print_sum(plays, &sums, started.elapsed())?;
        }
        Ok(status)
    }

    /// Says what is known of the next ones.
    fn tell(&mut self, plays: &[Playable], args: &Args) {
        while let (Ok(status), Some(seen)) = (&self.status, self.waiting.remove(&self.next)) {
            let (status, play) = (*status, &plays[self.next]);
            self.next += 1;
            self.status =
                seen.and_then(|seen| self.tell_one(play, seen, args, plays.len())).map(|new| status.max(new));
        }
    }

    fn tell_one(&mut self, play: &Playable, seen: Seen, args: &Args, plays: usize) -> Outcome {
        let Seen { beginning, explored, wrong, other } = seen;
        let differ = other.as_ref().is_some_and(|other| !other.differences.is_empty());
        let audit = args.audit.map(|pasts| Audit::new(pasts, &explored.report));
        let unaudited = audit.as_ref().is_some_and(|audit| !audit.finished);
        let failed = differ || unaudited || wrong.is_some() || explored.report.verdict != expected(play);
        if args.json {
            let mut document = report::document(play, &explored, wrong.as_deref(), other);
            document.audit = audit;
            self.documents.push(document);
        } else {
            let (wrong, other) = (wrong.as_deref(), other.as_ref());
            let beside = report::Beside { wrong, other, audit: audit.as_ref(), after: None };
            *self.sums.entry(report::word(&explored, wrong, other).0).or_default() += 1;
            if plays > 1 {
                report::print_line(play, &explored, wrong, other, width())?;
            }
            if plays == 1 || failed {
                report::print(play, &beginning, &explored, beside, (plays, width()))?;
            }
        }
        Ok(u8::from(failed))
    }
}

fn expected(play: &Playable) -> &str {
    play.file.expect.verdict.as_deref().unwrap_or("clean")
}

/// What was seen of one scenario.
struct Seen {
    /// Who had which queue at the beginning.
    beginning: Picture,
    explored: Explored,
    /// How it differs from what its author expects.
    wrong: Option<String>,
    /// What the other explorer says.
    other: Option<report::Other>,
}

/// Explores one.
fn explore(play: &Playable, args: &Args, alone: bool) -> Result<Seen, CliError> {
    let started = Instant::now();
    let budget = args.budget.map(Duration::from_secs);
    let ready = play.ready(budget)?;
    let left = budget.map(|budget| budget.saturating_sub(started.elapsed()));
    let strategy = match args.engine {
        Engine::Cache | Engine::Both => Strategy::StateCache,
        Engine::Every => Strategy::EveryState,
        Engine::Dpor => Strategy::Dpor,
    };
    let mut options = Options { strategy, budget: left, ..Options::default() };
    if let Some(pasts) = args.audit {
        // As long as it takes, or as long as there is time.
        options.audit = explore::Audit::Histories(pasts);
        options.audit_budget = Duration::from_secs(u32::MAX.into());
    }
    let progress = |play| if alone { progress(play) } else { None };
    let (explored, other) = if args.engine == Engine::Both {
        let Checked { explored, other, differences } = ready.cross_check(options, progress(play));
        (explored, Some(report::Other::new(&other, differences)))
    } else {
        (ready.explore(options, progress(play)), None)
    };
    let wrong = report::unexpected(play, &explored);
    if let Some(path) = &args.html {
        write(path, &telling::page(play, &ready, &explored, wrong.as_deref()))?;
    }
    Ok(Seen { beginning: ready.picture(), explored, wrong, other })
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
        let (executions, states) = (count(*executions), count(*states));
        let counts = format!(": {executions} interleavings, {states} states, {seconds} s");
        line.set_message(in_one_line(&title, &counts, width()));
    }))
}

/// A title and counts behind what turns round: a line that is longer than the terminal would be a new one each time.
pub(super) fn in_one_line(title: &str, counts: &str, width: usize) -> String {
    let room = width.saturating_sub(counts.len() + 4);
    format!("{}{counts}", cut(title, room))
}

fn replay(play: &Playable, schedule: &str, args: &Args) -> Outcome {
    let schedule: Schedule = schedule.parse().map_err(|error: explore::ScheduleError| {
        CliError::usage(error.to_string())
            .hint("a report names schedules, like `0x3.1x2.0~5a1f`")
            .because(error)
    })?;
    let ready = play.ready(args.budget.map(Duration::from_secs))?;
    let Followed { replay, left } = ready.follow(&schedule);
    if args.explore {
        return explore_after(play, &ready, &Followed { replay, left }, args);
    }
    if let Some(path) = &args.html {
        write(path, &telling::replayed(play, &ready, &replay))?;
    }
    if args.json {
        let left = left.as_ref().map(ToString::to_string);
        super::print_json(&report::replay_document(play, &replay, left))?;
    } else {
        report::print_replay(play, &ready.picture(), &replay, width())?;
    }
    match left {
        None => Ok(u8::from(!replay.findings.is_empty())),
        Some(error) => Err(left_at(error, &replay)),
    }
}

/// That a schedule fits no further.
fn left_at(error: ReplayError, replay: &Replay) -> CliError {
    let hint = match replay.trace.last() {
        _ if matches!(error, ReplayError::NoSuchTask { .. }) => {
            return CliError::failed(error.to_string()).because(error);
        }
        None => "not even its first step fits".to_owned(),
        Some(last) => format!(
            "what is above was followed, up to step {}, `{}` at {}; with `--explore` what can come after it is explored",
            replay.trace.len(),
            last.name,
            last.at
        ),
    };
    CliError::failed(error.to_string()).hint(hint).because(error)
}

/// Explores what can come after a schedule, as far as it could be followed.
fn explore_after(play: &Playable, ready: &Ready, followed: &Followed, args: &Args) -> Outcome {
    let Followed { replay, left } = followed;
    // That a schedule ends before its tasks do is what is meant here.
    let left = left.as_ref().filter(|left| !matches!(left, ReplayError::TooShort { .. }));
    let steps = replay.trace.len();
    if let Some(left) = left {
        eprintln!("followed up to step {steps} only: {left}");
    }
    let schedule = replay.schedule.to_string();
    let after = report::After { steps, schedule, left: left.map(ToString::to_string) };
    let options = Options { budget: args.budget.map(Duration::from_secs), ..Options::default() };
    let explored = ready.explore_after(&replay.schedule, options, progress(play));
    if let Some(path) = &args.html {
        let mut page = telling::page(play, ready, &explored, None);
        page.good = explored.report.verdict == "clean";
        page.summary = format!("after the first {steps} steps of a schedule: {}", page.summary);
        write(path, &page)?;
    }
    if args.json {
        let mut document = report::document(play, &explored, None, None);
        document.memory_bytes = jobs::memory();
        document.after = Some(after);
        super::print_json(&document)?;
    } else {
        let beside = report::Beside { after: Some(&after), ..report::Beside::default() };
        report::print(play, &ready.picture(), &explored, beside, (1, width()))?;
    }
    Ok(u8::from(explored.report.verdict != "clean"))
}

/// Writes a page.
fn write(path: &Path, page: &Page) -> Result<(), CliError> {
    page::write(path, page).map_err(|error| CliError::unwritten(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_title_leaves_room_for_the_counts_and_what_turns_round() {
        let counts = ": 12 interleavings, 7 states, 3 s";
        assert_eq!(in_one_line("short", counts, 80), format!("short{counts}"));
        let line = in_one_line(&"long ".repeat(40), counts, 80);
        assert!(line.starts_with("long long ") && line.ends_with(&format!("…{counts}")), "{line}");
        assert_eq!(line.chars().count(), 76);
    }
}
