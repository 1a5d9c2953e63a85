//! A scenario as its file describes it, checked but for its shell text.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;

use crate::machine::MachineFile;

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
    /// The verdict, one of [`VERDICTS`].
    pub verdict: Option<String>,
    /// All outcomes' results: the complete set.
    pub outcomes: Option<BTreeSet<Results>>,
}

/// A scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioFile {
    /// Where it is from.
    pub path: PathBuf,
    /// What it is about; the file's name if the file does not say.
    pub title: String,
    /// The machine on which it plays.
    pub machine: MachineFile,
    /// What runs first; empty if the file has none.
    pub setup: Script,
    /// What runs at the same time: one task at least, with different names.
    pub tasks: Vec<Task>,
    /// What is expected.
    pub expect: Expect,
    /// The whole file, for errors.
    pub(super) text: String,
}

/// A task of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name: a word without blanks.
    pub name: String,
    /// What it does.
    pub run: Script,
    /// Where its name stands.
    pub(super) name_at: Range<usize>,
    /// Where its table begins.
    pub(super) head_at: Range<usize>,
}

/// A shell text, and where it stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// The text.
    pub text: String,
    /// The string that it is, quotes included.
    pub(super) span: Range<usize>,
    /// Where its first line begins.
    start: usize,
}

impl Script {
    /// The shell text that the string at `span` of the file `source` is.
    pub(super) fn new(text: &str, span: Range<usize>, source: &str) -> Script {
        let token = &source[span.clone()];
        let quotes = ["\"\"\"", "'''"].iter().any(|quotes| token.starts_with(quotes));
        let mut start = span.start + if quotes { 3 } else { 1 };
        if quotes {
            for newline in ["\r\n", "\n"] {
                if source[start..].starts_with(newline) {
                    start += newline.len();
                    break;
                }
            }
        }
        Script { text: text.to_owned(), span, start }
    }

    /// The line of that number (from 1) of the shell text, as a part of the file `source`.
    pub(super) fn line(&self, source: &str, line: u32) -> Range<usize> {
        let mut from = self.start.min(source.len());
        for _ in 1..line {
            match source[from..self.span.end].find('\n') {
                Some(at) => from += at + 1,
                None => break,
            }
        }
        let end = source[from..].find('\n').map_or(source.len(), |at| from + at);
        let end = end.min(self.span.end).max(from);
        let blank = source[from..end].len() - source[from..end].trim_start().len();
        from + blank..end.max(from + blank)
    }
}
