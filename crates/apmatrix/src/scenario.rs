//! Scenarios as they are played: a scenario file with its shell text parsed.

use std::path::Path;
use std::time::{Duration, Instant};

use ap_files::scenario::{Place, Script};
use ap_files::{FileError, KernelChoice, ScenarioFile, boot, read};
use ap_proof::scenario::{BACKGROUND, MAX_TASKS, Mistake, Part, Ready, Scenario, SetupError, Task};

use crate::error::CliError;

/// A scenario that can be played.
#[derive(Clone, Debug)]
pub struct Playable {
    /// What its file says.
    pub file: ScenarioFile,
    /// What plays.
    pub scenario: Scenario,
}

impl Playable {
    /// The scenario of a file.
    ///
    /// # Errors
    /// If it cannot be read, or what it says is not a scenario: the error points to the place.
    pub fn read(path: &Path) -> Result<Playable, CliError> {
        let text = read(path).map_err(|error| {
            CliError::input(error.to_string())
                .hint("expected a scenario file; `apmatrix explore --list` names those in `scenarios/`")
                .because(error)
        })?;
        Playable::parse(path, &text)
    }

    /// The scenario that `text`, the content of the file `path`, describes.
    ///
    /// # Errors
    /// If it is not one: the error points to the place and says what was expected.
    pub fn parse(path: &Path, text: &str) -> Result<Playable, CliError> {
        let file = ScenarioFile::parse(path, text)?;
        let scenario = scenario(&file)?;
        Ok(Playable { file, scenario })
    }

    /// The same on another kernel.
    #[must_use]
    pub fn with_kernel(mut self, kernel: Option<&KernelChoice>) -> Playable {
        if let Some(kernel) = kernel {
            self.file.machine.kernel = kernel.clone();
        }
        self
    }

    /// Boots the machine, runs the set-up, plays all one-after-the-other orders.
    ///
    /// # Errors
    /// If the set-up fails, or a task has a mistake: the error points to the place.
    pub fn ready(&self, budget: Option<Duration>) -> Result<Ready, CliError> {
        let session = boot(&self.file.machine)?;
        let started = Instant::now();
        let late = || budget.is_some_and(|budget| started.elapsed() > budget);
        Ready::new(&self.scenario, session, &late).map_err(|error| match error {
            SetupError::Mistake(mistake) => self.mistake(&mistake).into(),
            error => CliError::input(format!("{}: {error}", self.file.path.display())).because(error),
        })
    }

    fn mistake(&self, mistake: &Mistake) -> FileError {
        let place = match mistake.part {
            Part::Setup => Place::Setup(mistake.line),
            Part::Task(task) => Place::Run(task, mistake.line),
        };
        self.file.wrong(place, mistake.what.clone(), mistake.remedy.clone())
    }
}

fn scenario(file: &ScenarioFile) -> Result<Scenario, FileError> {
    if file.tasks.len() > MAX_TASKS {
        let what = format!("{} tasks are too many", file.tasks.len());
        return Err(file.wrong(Place::Head(MAX_TASKS), what, format!("expected at most {MAX_TASKS}")));
    }
    let setup = script(file, &file.setup, Place::Setup)?;
    let mut tasks = Vec::new();
    for (number, task) in file.tasks.iter().enumerate() {
        if task.name == BACKGROUND {
            let expected = "expected another name: the background work's task has this one";
            let what = format!("a task can't be called `{BACKGROUND}`");
            return Err(file.wrong(Place::Name(number), what, expected));
        }
        let line = |line| Place::Run(number, line);
        let script = script(file, &task.run, line)?;
        if script.is_empty() {
            return Err(file.wrong(Place::Task(number), "the task does nothing", "expected a command"));
        }
        if let Some(place) = script.background() {
            return Err(file.wrong(
                line(place.line),
                "a task can't put a command into the background",
                "expected a task of its own for what runs at the same time",
            ));
        }
        tasks.push(Task { name: task.name.clone(), script });
    }
    Ok(Scenario { title: file.title.clone(), setup, tasks })
}

/// A shell text, parsed; `line` is the place of a line of it.
fn script(
    file: &ScenarioFile,
    script: &Script,
    line: impl Fn(u32) -> Place,
) -> Result<ap_shell::Script, FileError> {
    let parsed = ap_shell::parse(&script.text, "scenario")
        .map_err(|error| file.wrong(line(error.line), error.what.clone(), error.remedy.clone()))?;
    if let Some(unknown) = parsed.unknown_commands().first() {
        let remedy = match unknown.nearest {
            Some(near) => format!("did you mean `{near}`?"),
            None => "expected a command of `apmatrix shell`; its `help` lists them".to_owned(),
        };
        let what = format!("there is no command `{}`", unknown.name);
        return Err(file.wrong(line(unknown.place.line), what, remedy));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use ap_files::scenario::VERDICTS;
    use ap_proof::oracle::Verdict;

    #[test]
    fn a_scenario_can_expect_every_verdict_there_is() {
        assert_eq!(VERDICTS, Verdict::ALL.map(Verdict::word));
    }
}
