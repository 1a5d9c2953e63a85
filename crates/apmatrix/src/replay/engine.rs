//! The loop over a transcript's operations, and where the first difference is.

use serde::Serialize;

use crate::replay::facts::{self, Mismatch};
use crate::replay::perform::Performer;
use crate::replay::rules::{self, Apcbs, Side};
use crate::replay::target::{Sees, Target, TargetError};
use ap_files::transcript::Line;

/// How to replay.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Goes on after a difference; what follows may be its consequence.
    pub keep_going: bool,
}

/// A difference between a transcript and the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Difference {
    /// The operation's number.
    pub at: u64,
    /// The operation.
    pub op: &'static str,
    /// What it was about.
    pub path: String,
    /// The fact that differs.
    pub field: String,
    /// What the recording says, if anything.
    pub expected: Option<String>,
    /// What came, if anything.
    pub got: Option<String>,
}

/// What came of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileResult {
    /// Its name, without extension.
    pub name: String,
    /// How many operations were replayed.
    pub operations: u64,
    /// The differences found: one at most, unless it was to keep going.
    pub differences: Vec<Difference>,
}

impl FileResult {
    /// Whether everything was as recorded.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Why a transcript could not be replayed to its end.
#[derive(Debug)]
pub enum ReplayError<E> {
    /// The transcript cannot be read.
    Input(E),
    /// The machine cannot be used any more.
    Target(TargetError),
}

/// Replays the transcript `name` on a fresh machine.
///
/// # Errors
/// If a line is not a transcript's, or the machine goes away.
pub fn replay<E>(
    name: &str,
    lines: impl Iterator<Item = Result<Line, E>>,
    target: &mut dyn Target,
    options: Options,
) -> Result<FileResult, ReplayError<E>> {
    let mut performer = Performer::new(target);
    let mut apcbs = Apcbs::default();
    let mut result = FileResult { name: name.to_owned(), operations: 0, differences: Vec::new() };
    for line in lines {
        let recorded = line.map_err(ReplayError::Input)?;
        let got = performer.perform(&recorded, rules::settles(name, recorded.i));
        performer.target().health().map_err(ReplayError::Target)?;
        result.operations += 1;
        recorded.hwlog.iter().for_each(|instruction| apcbs.follow(instruction));
        let sees = performer.target().sees();
        let mismatch = compare(name, &recorded, &got, &apcbs, sees).or_else(|| violation(performer.target()));
        if let Some(mismatch) = mismatch {
            result.differences.push(Difference {
                at: recorded.i,
                op: recorded.op.word(),
                path: recorded.object(),
                field: mismatch.field,
                expected: mismatch.expected,
                got: mismatch.got,
            });
            if !options.keep_going {
                break;
            }
        }
    }
    Ok(result)
}

/// The first thing in which `got` is not as `recorded`; `apcbs` are those after the operation.
#[must_use]
pub fn compare(name: &str, recorded: &Line, got: &Line, apcbs: &Apcbs, sees: Sees) -> Option<Mismatch> {
    let answer =
        facts::answer(recorded, Side::Recorded, sees).first_mismatch(&facts::answer(got, Side::Ours, sees));
    if !sees.events {
        return answer;
    }
    answer
        .or_else(|| if rules::has_uevents(name) { uevents(recorded, got) } else { None })
        .or_else(|| log(recorded, got))
        .or_else(|| instructions(recorded, got, apcbs))
}

fn uevents(recorded: &Line, got: &Line) -> Option<Mismatch> {
    let texts = |line: &Line| {
        let mut texts: Vec<String> = line.uevents.iter().map(facts::uevent).collect();
        rules::in_any_place(line, &mut texts);
        texts
    };
    facts::first_in_lists("uevents", &texts(recorded), &texts(got))
}

/// A recording keeps the first 400 lines of an operation, whatever they are, and says how many there were.
fn log(recorded: &Line, got: &Line) -> Option<Mismatch> {
    let texts = |line: &Line| {
        line.dmesg.iter().filter(|line| rules::log_line(&line.text)).map(facts::log_line).collect::<Vec<_>>()
    };
    let (expected, mut found) = (texts(recorded), texts(got));
    if let Some(total) = recorded.dmesg_total {
        let others = recorded.dmesg.len() - expected.len();
        let all = found.len() as u64;
        found.truncate(expected.len());
        // How many of the lines that were not kept are compared ones is known only if all of the kept ones are.
        let wrong = if others == 0 { all != total } else { all > total };
        if found == expected && wrong {
            return Some(Mismatch {
                field: "dmesg_total".into(),
                expected: Some(total.to_string()),
                got: Some(all.to_string()),
            });
        }
    }
    facts::first_in_lists("dmesg", &expected, &found)
}

fn instructions(recorded: &Line, got: &Line, apcbs: &Apcbs) -> Option<Mismatch> {
    let compared = |line: &Line| {
        let mut texts: Vec<String> = line.hwlog.iter().filter(|text| apcbs.compares(text)).cloned().collect();
        rules::in_parallel(line, &mut texts);
        texts
    };
    facts::first_in_lists("hwlog", &compared(recorded), &compared(got))
}

fn violation(target: &mut dyn Target) -> Option<Mismatch> {
    let violations = target.violations();
    (!violations.is_empty()).then(|| Mismatch {
        field: "invariants".into(),
        expected: None,
        got: Some(violations.join("; ")),
    })
}
