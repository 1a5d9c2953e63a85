//! `apmatrix explore --sequences`: every sequence of an alphabet of operations.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ap_cluster::{CheckpointError, ClusterError, Hosts, HostsError, News, Progress, search};
use ap_proof::oracle::Known;
use ap_proof::sequences::{Alphabet, Report, Violation, alphabet, alphabets};
use ap_sysfs::nearest::meant;
use ap_task::Kernel;
use serde::Serialize;

use super::explore::report::{count, several};
use crate::error::{CliError, Outcome};
use crate::schema::{Named, of};
use crate::terminal::{command, cut, findings, width, wrapped};
use crate::{jobs, progress};

/// The alphabet that is explored if none is named: it closes.
const DEFAULT: &str = "core";

/// What to explore.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// The alphabet's name.
    pub alphabet: Option<&'a str>,
    /// The kernel, if not the alphabet's.
    pub kernel: Option<Kernel>,
    /// Sequences of at most this length.
    pub depth: Option<u32>,
    /// At most so many seconds.
    pub budget: Option<u64>,
    /// How many workers in each process; `None`: one for each processor.
    pub jobs: Option<u16>,
    /// The host file, and which of its processes this is.
    pub hosts: Option<(&'a Path, usize)>,
    /// Where levels are kept.
    pub checkpoint: Option<&'a Path>,
    /// One JSON document instead of text.
    pub json: bool,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Document<'a> {
    schema: &'static str,
    alphabet: &'a str,
    about: &'a str,
    kernel: String,
    operations: usize,
    verdict: &'a str,
    exhausted: bool,
    closed: bool,
    depth: u32,
    transitions: u64,
    states: u64,
    levels: &'a [u64],
    seconds: f64,
    transitions_per_second: f64,
    memory_bytes: Option<u64>,
    violations: Vec<Wrong>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Wrong {
    verdict: &'static str,
    invariant: String,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<&'static str>,
    count: u64,
    operations: usize,
    sequence: Vec<String>,
}

/// What it prints.
pub const SCHEMAS: [Named; 1] = [Named::new(
    "sequences",
    "all sequences: `apmatrix explore --sequences --json`",
    of::<Document<'static>>,
)];

/// Explores an alphabet.
///
/// # Errors
/// If there is no such alphabet, or the search can't be done.
pub fn run(wanted: &Wanted<'_>) -> Outcome {
    let name = wanted.alphabet.unwrap_or(DEFAULT);
    let Some(mut alphabet) = alphabet(name) else {
        let names: Vec<&str> = alphabets().iter().map(|alphabet| alphabet.name).collect();
        let error = CliError::usage(format!("there is no alphabet `{name}`"));
        let error = match meant(name, names.iter().copied()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        };
        return Err(error.hint(format!("expected one of {}", names.join(", "))));
    };
    if let Some(kernel) = wanted.kernel {
        if let Some(flag) = alphabet.lacks(kernel) {
            return Err(CliError::usage(format!(
                "alphabet `{name}` uses {}, which Linux {kernel} has not",
                flag.name()
            ))
            .hint(format!(
                "leave `--kernel` out (it is explored on Linux {}), or name a kernel that has it: `apmatrix machine list --kernels`",
                alphabet.kernel
            )));
        }
        alphabet.kernel = kernel;
    }
    let hosts = wanted.hosts.map(|(file, process)| Hosts::read(file, process)).transpose();
    let hosts = hosts.map_err(|error| refused(error.into()))?;
    let (process, alphabet) = (hosts.as_ref().map_or(0, Hosts::process), Arc::new(alphabet));
    let bar = progress::line();
    let mut waiting = None;
    let report = search(
        ap_cluster::Wanted {
            alphabet: alphabet.clone(),
            depth: wanted.depth,
            budget: wanted.budget.map(Duration::from_secs),
            workers: wanted.jobs.map(usize::from),
            hosts,
            checkpoint: wanted.checkpoint.map(Path::to_owned),
        },
        &mut |news| {
            let waits = matches!(news, News::Waiting(_));
            let line = said(news);
            // Whoever starts a process by a script sees nothing else until all are there.
            if waits && bar.is_hidden() && waiting.as_ref() != Some(&line) {
                eprintln!("{line}");
                waiting = Some(line.clone());
            }
            bar.set_message(cut(&line, width().saturating_sub(4)));
        },
    );
    bar.finish_and_clear();
    let report = report.map_err(refused)?;
    if process > 0 {
        eprintln!("process {process} is done, verdict: {}; process 0 has the report", report.verdict());
    } else if wanted.json {
        document(&alphabet, &report)?;
    } else {
        text(&alphabet, &report)?;
    }
    Ok(u8::from(report.verdict() != "clean"))
}

fn said(news: News<'_>) -> String {
    match news {
        News::Waiting(address) => format!("waiting for the process at {address}"),
        News::Progress(Progress { depth, transitions, states, done: (done, of), .. }) => {
            format!(
                "sequences of {depth}: {} of {} states done; {} transitions, {} states",
                count(done),
                count(of),
                count(transitions),
                count(states)
            )
        }
    }
}

/// What kind of error it is that nothing was explored, and what to do.
fn refused(error: ClusterError) -> CliError {
    let message = error.to_string();
    match &error {
        ClusterError::Hosts(
            HostsError::NoAddress { .. } | HostsError::NoSuchProcess { .. } | HostsError::Unreadable { .. },
        ) => CliError::input(message)
            .hint("the host file has a line HOST:PORT for each process, and --process counts them from 0"),
        ClusterError::Hosts(HostsError::Differs { .. } | HostsError::Twice { .. }) => CliError::environment(
            message,
        )
        .hint("start the same program with the same options on all machines, and an own --process each"),
        ClusterError::Hosts(_) => CliError::environment(message),
        ClusterError::Lost { .. } | ClusterError::Other { .. } => CliError::environment(message).hint(
            "start all processes again; with --checkpoint they go on from the last level that was finished",
        ),
        ClusterError::Checkpoint(error) => {
            let hint = match error {
                CheckpointError::Torn { .. } | CheckpointError::Foreign { .. } => {
                    "remove the folder to begin anew, or put the file back as it was"
                }
                CheckpointError::NotOurs { .. }
                | CheckpointError::Other { .. }
                | CheckpointError::Version { .. } => "give another folder, or remove this one to begin anew",
                CheckpointError::InUse { .. } => "wait for that search, or give another folder",
                _ => "give another folder, or mend this one",
            };
            match error {
                CheckpointError::Io { .. } | CheckpointError::InUse { .. } => CliError::environment(message),
                _ => CliError::input(message),
            }
            .hint(hint)
        }
        ClusterError::Start(_) => CliError::environment(message).hint("give fewer workers with --workers"),
        _ => CliError::failed(message),
    }
}

fn wrong(violation: &Violation) -> Wrong {
    Wrong {
        verdict: violation.broken.word(),
        invariant: violation.broken.law().to_string(),
        what: violation.broken.to_string(),
        known: violation.known.map(Known::number),
        count: violation.count,
        operations: violation.sequence.len(),
        sequence: violation.lines(),
    }
}

fn document(alphabet: &Alphabet, report: &Report) -> Result<(), CliError> {
    let document = Document {
        schema: "apmatrix.sequences/1",
        alphabet: alphabet.name,
        about: alphabet.about,
        kernel: alphabet.kernel.to_string(),
        operations: report.operations,
        verdict: report.verdict(),
        exhausted: report.cut.is_none(),
        closed: report.closed,
        depth: report.depth,
        transitions: report.transitions,
        states: report.states,
        levels: &report.levels,
        seconds: report.time.as_secs_f64(),
        transitions_per_second: report.speed(),
        memory_bytes: jobs::memory(),
        violations: report.violations.iter().map(wrong).collect(),
    };
    let text = serde_json::to_string_pretty(&document).map_err(std::io::Error::from)?;
    writeln!(findings(), "{text}")?;
    Ok(())
}

fn text(alphabet: &Alphabet, report: &Report) -> Result<(), CliError> {
    let mut out = findings();
    let width = width();
    let known = report.violations.iter().filter(|violation| violation.known.is_some()).count();
    let rest = if known > 0 { format!(" but for {known} known") } else { String::new() };
    let (verdict, Alphabet { name, about, kernel, .. }) = (report.verdict(), alphabet);
    let (on, option) = match *kernel == Kernel::default() {
        true => (String::new(), String::new()),
        false => (format!(" on Linux {kernel}"), format!(" --kernel {kernel}")),
    };
    writeln!(out, "{}", wrapped(&format!("{verdict}{rest}; alphabet {name}{on}: {about}"), width, 2))?;
    let how_far = match (report.closed, report.cut) {
        (true, _) => format!("closed at depth {}: sequences of every length are explored", report.depth),
        (false, None) => format!("every sequence of at most {} operations", report.depth),
        (false, Some(why)) => {
            format!("NOT EXHAUSTED ({why}): every sequence of at most {} operations", report.depth)
        }
    };
    writeln!(out, "{}", wrapped(&format!("  {how_far}"), width, 4))?;
    let memory = jobs::memory().map_or_else(String::new, |bytes| format!(", {} MiB", bytes >> 20));
    // Of what took no time worth measuring there is none.
    let speed = match report.speed() {
        speed if speed >= 1.0 => format!(", {speed:.0} transitions/s"),
        _ => String::new(),
    };
    let counts = format!(
        "  {} operations, {}, {}, {:.1} s{speed}{memory}",
        report.operations,
        several(report.transitions, "transition"),
        several(report.states, "state"),
        report.time.as_secs_f64(),
    );
    writeln!(out, "{}", wrapped(&counts, width, 4))?;
    for violation in &report.violations {
        let broken = &violation.broken;
        let number =
            violation.known.map_or_else(|| broken.word().to_uppercase(), |known| known.number().to_owned());
        writeln!(out, "\n{}", wrapped(&format!("{number}: {broken} ({})", broken.law()), width, 2))?;
        let (count, length) = (violation.count, violation.sequence.len());
        writeln!(
            out,
            "  met {}; a shortest sequence has {}",
            several(count, "time"),
            several(u64::try_from(length).unwrap_or(u64::MAX), "operation")
        )?;
        writeln!(out, "  # apmatrix shell --machine tiny{option}")?;
        for line in violation.lines() {
            writeln!(out, "{}", command(&format!("  {line}"), width, 6))?;
        }
    }
    Ok(())
}
