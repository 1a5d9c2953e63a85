//! What a scenario file means: names, the machine, what is expected.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use ap_sysfs::Errno;
use ap_sysfs::nearest::meant;
use toml::Spanned;

use super::format::{self, File, SCHEMA};
use super::model::{Expect, Results, ScenarioFile, Script, Task, VERDICTS};
use crate::error::Problem;
use crate::kernel;
use crate::machine::{BUILT_IN, MachineFile};
use crate::problem;

/// The machine of a scenario that names none.
const DEFAULT_MACHINE: &str = "default";

/// The scenario that `file`, of the text `text` at `path`, describes.
pub(super) fn scenario(file: File, path: &Path, text: &str) -> Result<ScenarioFile, Problem> {
    problem::version(&file.schema, SCHEMA)?;
    let mut machine = machine(file.machine.as_ref(), path)?;
    if let Some(key) = &file.kernel {
        machine.kernel = kernel::choice(key)?;
    }
    let script = |source: &Spanned<String>| Script::new(source.get_ref(), source.span(), text);
    if file.task.is_empty() {
        let end = text.trim_end().len();
        return Err(Problem::new(
            end.saturating_sub(1)..end,
            "the scenario has no task",
            "expected at least one `[[task]]` with `name` and `run`",
        ));
    }
    let mut tasks = Vec::new();
    for task in &file.task {
        let format::Task { name, run } = task.get_ref();
        name_of(name, &tasks)?;
        tasks.push(Task {
            name: name.get_ref().clone(),
            run: script(run),
            name_at: name.span(),
            head_at: head(task.span(), text),
        });
    }
    let expect = expect(file.expect.as_ref(), &tasks)?;
    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    Ok(ScenarioFile {
        path: path.to_owned(),
        title: file.title.unwrap_or(stem),
        machine,
        setup: file.setup.as_ref().map(script).unwrap_or_default(),
        tasks,
        expect,
        text: text.to_owned(),
    })
}

/// A built-in machine, or one of a file relative to the scenario's.
fn machine(name: Option<&Spanned<String>>, path: &Path) -> Result<MachineFile, Problem> {
    let (name, span) = match name {
        Some(name) => (name.get_ref().as_str(), name.span()),
        None => (DEFAULT_MACHINE, 0..0),
    };
    let known = || BUILT_IN.iter().map(|built_in| built_in.name);
    if known().any(|known| known == name) {
        return MachineFile::load(name)
            .map_err(|error| Problem::new(span, error.to_string(), "expected a machine"));
    }
    let file = path.parent().unwrap_or(Path::new("")).join(name);
    if name.is_empty() || !file.exists() {
        let names = known().collect::<Vec<_>>().join(", ");
        let problem = Problem::new(
            span,
            format!("there is no machine `{name}`"),
            format!("expected one of {names}, or a machine file relative to this file"),
        );
        return Err(match meant(name, known()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None if name.is_empty() => problem,
            None => problem.help(format!("{} does not exist", file.display())),
        });
    }
    MachineFile::read(&file).map_err(|error| {
        let line = error.line().map_or_else(String::new, |line| format!(":{line}"));
        let what = format!("the machine file {}{line} cannot be used: {error}", file.display());
        let expected = if error.expected().is_empty() { "expected a machine file" } else { error.expected() };
        Problem::new(span, what, expected)
            .help(format!("`apmatrix machine check {}` says more", file.display()))
    })
}

fn name_of(name: &Spanned<String>, tasks: &[Task]) -> Result<(), Problem> {
    let text = name.get_ref();
    if text.is_empty() || text.chars().any(char::is_whitespace) {
        return Err(Problem::new(
            name.span(),
            format!("`{text}` is no task's name"),
            "expected a word without blanks",
        ));
    }
    if tasks.iter().any(|task| task.name == *text) {
        return Err(Problem::new(
            name.span(),
            format!("two tasks are called `{text}`"),
            "expected a name of its own",
        ));
    }
    Ok(())
}

fn expect(file: Option<&format::Expect>, tasks: &[Task]) -> Result<Expect, Problem> {
    let Some(file) = file else { return Ok(Expect::default()) };
    if let Some(verdict) = &file.verdict
        && !VERDICTS.contains(&verdict.get_ref().as_str())
    {
        let problem = Problem::new(
            verdict.span(),
            format!("`{}` is no verdict", verdict.get_ref()),
            format!("expected one of {}", VERDICTS.join(", ")),
        );
        return Err(match meant(verdict.get_ref(), VERDICTS) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem,
        });
    }
    let outcomes = file.outcomes.as_ref().map(|list| {
        list.iter().map(|outcome| results(outcome, tasks)).collect::<Result<BTreeSet<Results>, Problem>>()
    });
    let verdict = file.verdict.as_ref().map(|verdict| verdict.get_ref().clone());
    Ok(Expect { verdict, outcomes: outcomes.transpose()? })
}

type Named = BTreeMap<Spanned<String>, Spanned<String>>;

fn results(outcome: &Spanned<Named>, tasks: &[Task]) -> Result<Results, Problem> {
    let mut results = Results::new();
    for (name, result) in outcome.get_ref() {
        if !tasks.iter().any(|task| task.name == *name.get_ref()) {
            let names = tasks.iter().map(|task| task.name.as_str());
            let near = meant(name.get_ref(), names.clone());
            let expected = match near {
                Some(near) => format!("expected a task's name; the nearest is `{near}`"),
                None => format!("expected one of {}", names.collect::<Vec<_>>().join(", ")),
            };
            return Err(Problem::new(
                name.span(),
                format!("no task is called `{}`", name.get_ref()),
                expected,
            ));
        }
        let text = result.get_ref().as_str();
        if !matches!(text, "ok" | "failed") && Errno::from_name(text).is_none() {
            return Err(Problem::new(
                result.span(),
                format!("`{text}` is no result"),
                "expected `ok`, the name of an errno like `EBUSY`, or `failed`",
            ));
        }
        results.insert(name.get_ref().clone(), text.to_owned());
    }
    match tasks.iter().find(|task| !results.contains_key(&task.name)) {
        Some(task) => Err(Problem::new(
            outcome.span(),
            format!("the outcome says nothing of task `{}`", task.name),
            "expected a result of every task",
        )),
        None => Ok(results),
    }
}

/// The first line of a part of the file.
fn head(span: Range<usize>, text: &str) -> Range<usize> {
    let end = text[span.clone()].find('\n').map_or(span.end, |at| span.start + at);
    span.start..end
}
