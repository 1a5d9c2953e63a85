//! Scenario files: what `explore` plays. (`INTERFACES.md`, Scenarios.)

mod check;
mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ap_proof::scenario::{Mistake, Part, Ready, Scenario, SetupError};

use crate::boot::boot;
use crate::error::CliError;
use crate::machine::{Machine, MachineError, Problem};

/// The version of scenario files that is understood.
pub const SCHEMA: &str = "apmatrix.scenario/1";

/// The verdicts that a scenario can expect.
pub const VERDICTS: [&str; 13] = [
    "clean",
    "deadlock",
    "livelock",
    "race",
    "use-after-free",
    "stolen",
    "shared",
    "unfiltered",
    "unreset",
    "leak",
    "spurious-busy",
    "not-linearizable",
    "panic",
];

/// The results of an outcome, by task.
pub type Results = BTreeMap<String, String>;

/// What a scenario's author expects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// The verdict.
    pub verdict: Option<String>,
    /// All outcomes' results.
    pub outcomes: Option<BTreeSet<Results>>,
}

/// A scenario, checked.
#[derive(Clone, Debug)]
pub struct ScenarioFile {
    /// Where it is from.
    pub path: PathBuf,
    /// What plays.
    pub scenario: Scenario,
    /// On which machine.
    pub machine: Machine,
    /// What is expected.
    pub expect: Expect,
    text: String,
    setup: Block,
    tasks: Vec<Block>,
}

/// Where a shell text stands in the file.
#[derive(Clone, Debug, Default)]
struct Block {
    span: Range<usize>,
    /// Where its first line begins.
    start: usize,
}

impl ScenarioFile {
    /// The scenario of a file.
    ///
    /// # Errors
    /// If it cannot be read, or what it says is not a scenario: the error points to the place.
    pub fn read(path: &Path) -> Result<ScenarioFile, CliError> {
        let wrong = |said: String| {
            CliError::input(format!("{}{said}", path.display()))
                .hint("expected a scenario file; `apmatrix explore --list` names those in `scenarios/`")
        };
        let bytes = fs::read(path).map_err(|error| wrong(format!(": {}", crate::error::said(&error))))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
            wrong(format!(":{line}: the text is not UTF-8"))
        })?;
        ScenarioFile::parse(path, &text)
    }

    /// The scenario that `text`, the content of the file `path`, describes.
    ///
    /// # Errors
    /// If it is not one: the error points to the place and says what was expected.
    pub fn parse(path: &Path, text: &str) -> Result<ScenarioFile, CliError> {
        let parsed = file::parse(text).and_then(|file| check::scenario(file, path, text));
        parsed.map_err(|problem| wrong(problem.in_file(&path.display().to_string(), text)))
    }

    /// Boots the machine, runs the set-up, plays all one-after-the-other orders.
    ///
    /// # Errors
    /// If the set-up fails, or a task has a mistake: the error points to the place.
    pub fn ready(&self, budget: Option<Duration>) -> Result<Ready, CliError> {
        let session = boot(&self.machine).map_err(|error| CliError::failed(error.to_string()))?;
        let started = Instant::now();
        let late = || budget.is_some_and(|budget| started.elapsed() > budget);
        Ready::new(&self.scenario, session, &late).map_err(|error| match error {
            SetupError::Mistake(mistake) => self.mistake(&mistake),
            error => CliError::input(format!("{}: {error}", self.path.display())),
        })
    }

    fn mistake(&self, mistake: &Mistake) -> CliError {
        let block = match mistake.part {
            Part::Setup => &self.setup,
            Part::Task(task) => &self.tasks[task],
        };
        let span = block.line(&self.text, mistake.line);
        let problem = Problem::new(span, mistake.what.clone(), mistake.remedy.clone());
        wrong(problem.in_file(&self.path.display().to_string(), &self.text))
    }
}

fn wrong(error: MachineError) -> CliError {
    let mut error = CliError::from(error);
    error.message = "the scenario file cannot be used".to_owned();
    error
}

impl Block {
    fn new(span: Range<usize>, text: &str) -> Block {
        let token = &text[span.clone()];
        let quotes = ["\"\"\"", "'''"].iter().any(|quotes| token.starts_with(quotes));
        let mut start = span.start + if quotes { 3 } else { 1 };
        if quotes {
            for newline in ["\r\n", "\n"] {
                if text[start..].starts_with(newline) {
                    start += newline.len();
                    break;
                }
            }
        }
        Block { span, start }
    }

    /// The line of that number (from 1) of the shell text, as a part of the file.
    fn line(&self, text: &str, line: u32) -> Range<usize> {
        let mut from = self.start.min(text.len());
        for _ in 1..line {
            match text[from..self.span.end].find('\n') {
                Some(at) => from += at + 1,
                None => break,
            }
        }
        let end = text[from..].find('\n').map_or(text.len(), |at| from + at);
        let end = end.min(self.span.end).max(from);
        let blank = text[from..end].len() - text[from..end].trim_start().len();
        from + blank..end.max(from + blank)
    }
}
