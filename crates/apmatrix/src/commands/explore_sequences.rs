//! `apmatrix explore --sequences`: every sequence of an alphabet of operations.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ap_cluster::Progress;
use ap_proof::oracle::Known;
use ap_proof::sequences::{Alphabet, Report, Violation, alphabet, alphabets};
use ap_sysfs::nearest::meant;
use ap_task::Kernel;
use serde::Serialize;

use super::explore::cluster::{self, Asked};
use super::explore::report::{count, several};
use crate::error::{CliError, Outcome};
use crate::jobs;
use crate::schema::{Named, of};
use crate::terminal::{command, findings, width, wrapped};

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
    let alphabet = Arc::new(alphabet);
    let asked = Asked {
        budget: wanted.budget.map(Duration::from_secs),
        workers: wanted.jobs,
        hosts: wanted.hosts,
        checkpoint: wanted.checkpoint,
    };
    let (report, process) = cluster::search(alphabet.clone(), wanted.depth, asked, &said)?;
    if process > 0 {
        cluster::print_done(process, report.verdict());
    } else if wanted.json {
        document(&alphabet, &report)?;
    } else {
        text(&alphabet, &report)?;
    }
    Ok(u8::from(report.verdict() != "clean"))
}

fn said(progress: &Progress) -> String {
    let Progress { depth, transitions, states, done: (done, of), .. } = *progress;
    format!(
        "sequences of {depth}: {} of {} states done; {} transitions, {} states",
        count(done),
        count(of),
        count(transitions),
        count(states)
    )
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
