//! Scenario files: what `explore` plays. (`INTERFACES.md`, Scenarios.)
//!
//! A [`ScenarioFile`] says which machine, which set-up and tasks in shell text, and what is expected. The shell text is
//! not parsed here; whoever runs it points to its mistakes with [`ScenarioFile::wrong`].

mod check;
mod format;
mod model;

use std::ops::Range;
use std::path::Path;

use crate::error::{FileError, Problem};

pub use format::{SCHEMA, schema};
pub use model::{Expect, Results, ScenarioFile, Script, Task, VERDICTS};

/// A place in a scenario file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of the set-up's text, from 1.
    Setup(u32),
    /// A line of a task's text, from 1.
    Run(usize, u32),
    /// The whole text of a task.
    Task(usize),
    /// The name of a task.
    Name(usize),
    /// The head of a task's table.
    Head(usize),
}

impl ScenarioFile {
    /// The scenario that `text`, the content of the file `path`, describes. Its machine's file is read.
    ///
    /// # Errors
    /// If it is not one: the error points to the place and says what was expected.
    pub fn parse(path: &Path, text: &str) -> Result<ScenarioFile, FileError> {
        let parsed = format::parse(text).and_then(|file| check::scenario(file, path, text));
        parsed.map_err(|problem| problem.in_file(&path.display().to_string(), text))
    }

    /// An error that points to a place in this file: what is wrong there, and what was expected.
    #[must_use]
    pub fn wrong(&self, place: Place, what: impl Into<String>, expected: impl Into<String>) -> FileError {
        let problem = Problem::new(self.span(place), what, expected);
        problem.in_file(&self.path.display().to_string(), &self.text)
    }

    fn span(&self, place: Place) -> Range<usize> {
        let task = |task: usize| &self.tasks[task];
        match place {
            Place::Setup(line) => self.setup.line(&self.text, line),
            Place::Run(number, line) => task(number).run.line(&self.text, line),
            Place::Task(number) => task(number).run.span.clone(),
            Place::Name(number) => task(number).name_at.clone(),
            Place::Head(number) => task(number).head_at.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
