//! What a replay prints: lines for people, one document for scripts.

use std::fmt::Write as _;

use serde::Serialize;

use crate::replay::engine::{Difference, FileResult};

/// How much of a long value is shown to people.
const SHOWN: usize = 160;

/// What came of all files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// A result per transcript, in order.
    pub files: Vec<FileResult>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Document<'a> {
    schema: &'static str,
    passed: usize,
    failed: usize,
    files: Vec<FileDocument<'a>>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct FileDocument<'a> {
    name: &'a str,
    ok: bool,
    operations: u64,
    #[serde(flatten)]
    difference: Option<&'a Difference>,
}

/// The schema of the document for scripts.
#[must_use]
pub fn schema() -> schemars::Schema {
    crate::schema::of::<Document<'static>>()
}

impl Report {
    /// How many transcripts were as recorded.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.files.iter().filter(|file| file.ok()).count()
    }

    /// How many were not.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.files.len() - self.passed()
    }

    /// The exit status: 1 if a transcript differs.
    #[must_use]
    pub fn status(&self) -> u8 {
        u8::from(self.failed() > 0)
    }

    /// The last line for people.
    #[must_use]
    pub fn summary(&self) -> String {
        format!("{} passed, {} failed", self.passed(), self.failed())
    }

    /// The document for scripts: `apmatrix.replay/1`.
    ///
    /// # Panics
    /// Never: all its keys are strings.
    #[must_use]
    pub fn json(&self) -> String {
        let files = self.files.iter().map(|file| FileDocument {
            name: &file.name,
            ok: file.ok(),
            operations: file.operations,
            difference: file.differences.first(),
        });
        let document = Document {
            schema: "apmatrix.replay/1",
            passed: self.passed(),
            failed: self.failed(),
            files: files.collect(),
        };
        serde_json::to_string_pretty(&document).expect("plain data is JSON")
    }
}

/// The lines for people about one file: `ok NAME`, or `FAIL NAME:i …` for each difference.
#[must_use]
pub fn lines(file: &FileResult) -> String {
    if file.ok() {
        return format!("ok {}\n", file.name);
    }
    let mut text = String::new();
    for difference in &file.differences {
        let Difference { at, op, path, field, .. } = difference;
        let (expected, got) = excerpts(difference.expected.as_deref(), difference.got.as_deref());
        let subject = [op, path.as_str()].join(" ");
        let subject = subject.trim_end();
        let _ = writeln!(text, "FAIL {}:{at} {subject}: expected {field} {expected} got {got}", file.name);
    }
    text
}

/// Both values, quoted; of long ones the part around the first difference.
fn excerpts(expected: Option<&str>, got: Option<&str>) -> (String, String) {
    let (left, right) = (expected.unwrap_or_default(), got.unwrap_or_default());
    let common =
        left.char_indices().zip(right.chars()).find(|((_, a), b)| a != b).map_or(0, |((at, _), _)| at);
    let whole = left.len().min(right.len());
    let same = if common == 0 && left.get(..whole) == right.get(..whole) { whole } else { common };
    let from = if left.len().max(right.len()) > SHOWN { same.saturating_sub(SHOWN / 4) } else { 0 };
    let excerpt = |value: Option<&str>| match value {
        None => "nothing".to_owned(),
        Some(value) => {
            let from = (0..=from.min(value.len())).rev().find(|at| value.is_char_boundary(*at)).unwrap_or(0);
            let shown: String = value[from..].chars().take(SHOWN).collect();
            let before = if from > 0 { "…" } else { "" };
            let after = if from + shown.len() < value.len() { "…" } else { "" };
            format!("{before}{shown:?}{after}")
        }
    };
    (excerpt(expected), excerpt(got))
}
