//! What a scenario is, and what its author can do wrong.

use ap_shell::Script;

/// What plays.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is about.
    pub title: String,
    /// Runs first, one command after the other.
    pub setup: Script,
    /// Run at the same time.
    pub tasks: Vec<Task>,
}

/// A task.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// What it does.
    pub script: Script,
}

/// A part of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The set-up.
    Setup,
    /// The task of that number.
    Task(usize),
}

/// A mistake of the scenario's author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// In which part.
    pub part: Part,
    /// In which line of its text, from 1.
    pub line: u32,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// Why a scenario can't be explored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// Its author made a mistake: the set-up fails, a file has a name that no file can have, a task never ends.
    #[error("{}: {}", .0.what, .0.remedy)]
    Mistake(Mistake),
}
