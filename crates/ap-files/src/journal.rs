//! The journal of an apply: a line of JSON for each thing that is about to be done, and for each that is done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of journals that is understood.
pub const SCHEMA: &str = "apmatrix.journal/1";

/// A write, as the tree takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Text {
    /// The file, below the tree's root.
    pub path: String,
    /// What is written.
    pub text: String,
}

/// A step, and what takes it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StepText {
    /// The write.
    #[serde(flatten)]
    pub write: Text,
    /// The writes that take it back, in order.
    pub back: Vec<Text>,
}

/// What an apply begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Begin {
    /// Always `apmatrix.journal/1`.
    pub schema: String,
    /// Tells this apply from others.
    pub id: String,
    /// When it began, in seconds since 1970.
    pub at: u64,
    /// In how many seconds it has to be confirmed, if it has to.
    pub confirm: Option<u64>,
    /// The mdevs that somebody had open, and who.
    pub held: BTreeMap<String, String>,
    /// All steps.
    pub steps: Vec<StepText>,
}

/// How an apply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// The host is as it was before.
    Before,
    /// The host is as it was to be.
    After,
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Record {
    /// An apply begins.
    Begin(Box<Begin>),
    /// This step is about to be written; from 0.
    Doing(usize),
    /// It was written, and looked at.
    Done(usize),
    /// All steps are done. Until when it has to be confirmed, in seconds since 1970; 0: it need not be.
    Applied(u64),
    /// It is being taken back, for this reason.
    Back(String),
    /// So late it was when that began, in seconds since 1970.
    Clock(u64),
    /// This step is about to be taken back.
    Undoing(usize),
    /// It has ended.
    Ended(End),
}

/// Where an apply is, by its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// What it began with.
    pub begin: Begin,
    /// Where it is.
    pub at: At,
    /// Why and when it was taken back, or is being taken back, if it is.
    pub taken_back: Option<TakenBack>,
}

/// Why an apply was taken back, and when that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenBack {
    /// Why.
    pub why: String,
    /// When, in seconds since 1970, if the journal says so.
    pub at: Option<u64>,
}

/// Where an apply is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// Under way: so many steps are done, and perhaps one more was written.
    Doing(usize),
    /// Done, and waiting to be confirmed until then.
    Waiting(u64),
    /// Being taken back, for this reason.
    Back(String),
    /// Ended.
    Ended(End),
}

/// A journal that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the journal is not what this version of apmatrix writes")]
pub struct JournalError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub source: Option<serde_json::Error>,
}

impl Record {
    /// The line, without its end.
    #[must_use]
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Journal {
    /// Where the apply is that the journal tells of; `None` if it tells of none. A last line without end was not
    /// written whole, and does not count.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn parse(text: &str) -> Result<Option<Journal>, JournalError> {
        let mut journal: Option<Journal> = None;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let Some(line) = line.strip_suffix('\n') else { break };
            let strange = |source| JournalError { line: number + 1, source };
            let record: Record = serde_json::from_str(line).map_err(|error| strange(Some(error)))?;
            match (record, &mut journal) {
                (Record::Begin(begin), None) if begin.schema == SCHEMA => {
                    journal = Some(Journal { begin: *begin, at: At::Doing(0), taken_back: None });
                }
                (Record::Begin(_), _) | (_, None) => return Err(strange(None)),
                (Record::Doing(_) | Record::Undoing(_), Some(_)) => {}
                (Record::Done(step), Some(journal)) => journal.at = At::Doing(step.saturating_add(1)),
                (Record::Applied(0), Some(journal)) => journal.at = At::Ended(End::After),
                (Record::Applied(until), Some(journal)) => journal.at = At::Waiting(until),
                (Record::Back(why), Some(journal)) => {
                    journal.taken_back = Some(TakenBack { why: why.clone(), at: None });
                    journal.at = At::Back(why);
                }
                (Record::Clock(at), Some(journal)) => {
                    if let Some(taken_back) = &mut journal.taken_back {
                        taken_back.at = Some(at);
                    }
                }
                (Record::Ended(end), Some(journal)) => journal.at = At::Ended(end),
            }
        }
        Ok(journal)
    }
}
