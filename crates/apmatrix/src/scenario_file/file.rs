//! The format of scenario files, as TOML says it: shapes and keys. What they mean is checked in `check`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::machine::{Problem, toml_problem};

/// The results of one outcome, by task, with their places in the file.
pub(super) type OutcomeText = Spanned<BTreeMap<Spanned<String>, Spanned<String>>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub schema: Spanned<String>,
    pub title: Option<String>,
    pub machine: Option<Spanned<String>>,
    pub setup: Option<Spanned<String>>,
    #[serde(default)]
    pub task: Vec<Spanned<Task>>,
    pub expect: Option<Expect>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Task {
    pub name: Spanned<String>,
    pub run: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    pub verdict: Option<Spanned<String>>,
    pub outcomes: Option<Vec<OutcomeText>>,
}

/// Reads the shapes and keys.
pub(super) fn parse(text: &str) -> Result<File, Problem> {
    toml::from_str(text).map_err(|error| {
        let problem = toml_problem(text, &error);
        if problem.message.contains("`schema` is missing") {
            return problem.help(format!("begin with `schema = \"{}\"`", super::SCHEMA));
        }
        // What stands there tells which key has the wrong shape.
        let at = text.get(problem.span.start..).unwrap_or_default();
        if problem.message == "invalid type: map" && at.starts_with("[task]") {
            return problem.help("each task begins with `[[task]]`, in two brackets");
        }
        problem
    })
}
