//! The format of scenario files, as TOML says it: shapes and keys. What they mean is checked in `check`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use crate::error::Problem;
use crate::kernel::{KernelKey, KernelSchema};
use crate::problem;

/// The version of scenario files that is understood.
pub const SCHEMA: &str = "apmatrix.scenario/1";

/// The results of one outcome, by task, with their places in the file.
pub(super) type Outcome = Spanned<BTreeMap<Spanned<String>, Spanned<String>>>;

/// A scenario: operations that run at the same time, and what is expected of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "apmatrix.scenario/1")]
pub(super) struct File {
    /// Always "apmatrix.scenario/1".
    #[schemars(with = "String", regex(pattern = "^apmatrix\\.scenario/1$"))]
    pub schema: Spanned<String>,
    /// What it is about; default: the file's name.
    pub title: Option<String>,
    /// A built-in machine, or a machine file relative to this file; default "default".
    #[schemars(with = "Option<String>")]
    pub machine: Option<Spanned<String>>,
    /// The kernel, as in machine files; default: the machine's.
    #[schemars(with = "Option<KernelSchema>")]
    pub kernel: Option<Spanned<KernelKey>>,
    /// Shell text that runs first, one command after the other.
    #[schemars(with = "Option<String>")]
    pub setup: Option<Spanned<String>>,
    /// What runs at the same time.
    #[serde(default)]
    #[schemars(with = "Vec<Task>", length(min = 1))]
    pub task: Vec<Spanned<Task>>,
    /// What is expected.
    pub expect: Option<Expect>,
}

/// A task.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Task {
    /// Its name, a word without blanks.
    #[schemars(with = "String", regex(pattern = r"^\S+$"))]
    pub name: Spanned<String>,
    /// What it does, as shell text.
    #[schemars(with = "String")]
    pub run: Spanned<String>,
}

/// What is expected.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    /// The verdict; default "clean".
    #[schemars(with = "Option<String>")]
    pub verdict: Option<Spanned<String>>,
    /// The complete set of results: of each task `ok`, an errno's name, or `failed`.
    #[schemars(with = "Option<Vec<BTreeMap<String, String>>>")]
    pub outcomes: Option<Vec<Outcome>>,
}

/// The JSON schema of scenario files.
#[must_use]
pub fn schema() -> String {
    crate::json_schema::of::<File>()
}

/// Reads the shapes and keys.
pub(super) fn parse(text: &str) -> Result<File, Problem> {
    problem::parse(text, SCHEMA)
}
