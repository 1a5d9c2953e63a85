//! What a scenario file means: shell texts that parse, names that fit together.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use ap_proof::scenario::{BACKGROUND, MAX_TASKS, Scenario, Task};
use ap_shell::Script;
use ap_sysfs::Errno;
use toml::Spanned;

use super::file::{self, File};
use super::{Block, Expect, Results, SCHEMA, ScenarioFile, VERDICTS};
use crate::machine::{BUILT_IN, Machine, Problem};

/// The machine of a scenario that names none.
const DEFAULT_MACHINE: &str = "default";

pub(super) fn scenario(file: File, path: &Path, text: &str) -> Result<ScenarioFile, Problem> {
    version(&file.schema)?;
    let machine = machine(file.machine.as_ref(), path)?;
    let (setup, setup_block) = match &file.setup {
        Some(setup) => script(setup, text)?,
        None => (ap_shell::parse("", "setup").map_err(|_| nothing())?, Block::default()),
    };
    if file.task.is_empty() {
        let end = text.trim_end().len();
        return Err(Problem::new(
            end.saturating_sub(1)..end,
            "the scenario has no task",
            "expected at least one `[[task]]` with `name` and `run`",
        ));
    }
    if let Some(extra) = file.task.get(MAX_TASKS) {
        return Err(Problem::new(
            head(extra.span(), text),
            format!("{} tasks are too many", file.task.len()),
            format!("expected at most {MAX_TASKS}"),
        ));
    }
    let (mut tasks, mut blocks) = (Vec::new(), Vec::new());
    for task in &file.task {
        let file::Task { name, run } = task.get_ref();
        name_of(name, &tasks)?;
        let (script, block) = script(run, text)?;
        if script.is_empty() {
            return Err(Problem::new(run.span(), "the task does nothing", "expected a command"));
        }
        if let Some(place) = script.background() {
            return Err(Problem::new(
                block.line(text, place.line),
                "a task can't put a command into the background",
                "expected a task of its own for what runs at the same time",
            ));
        }
        tasks.push(Task { name: name.get_ref().clone(), script });
        blocks.push(block);
    }
    let expect = expect(file.expect.as_ref(), &tasks)?;
    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    Ok(ScenarioFile {
        path: path.to_owned(),
        scenario: Scenario { title: file.title.unwrap_or(stem), setup, tasks },
        machine,
        expect,
        text: text.to_owned(),
        setup: setup_block,
        tasks: blocks,
    })
}

fn nothing() -> Problem {
    Problem::new(0..0, "the empty text is no script", "expected shell text")
}

fn version(schema: &Spanned<String>) -> Result<(), Problem> {
    if schema.get_ref() == SCHEMA {
        return Ok(());
    }
    let problem = Problem::new(
        schema.span(),
        format!("unknown schema `{}`", schema.get_ref()),
        format!("expected \"{SCHEMA}\""),
    );
    Err(match schema.get_ref().starts_with("apmatrix.scenario/") {
        true => problem.help("this version of apmatrix reads version 1 of scenario files only"),
        false => problem,
    })
}

/// A built-in machine, or one of a file relative to the scenario's.
fn machine(name: Option<&Spanned<String>>, path: &Path) -> Result<Machine, Problem> {
    let (name, span) = match name {
        Some(name) => (name.get_ref().as_str(), name.span()),
        None => (DEFAULT_MACHINE, 0..0),
    };
    let known = || BUILT_IN.iter().map(|built_in| built_in.name).collect::<Vec<_>>().join(", ");
    if BUILT_IN.iter().any(|built_in| built_in.name == name) {
        return Machine::load(name)
            .map_err(|error| Problem::new(span, error.to_string(), "expected a machine"));
    }
    let file = path.parent().unwrap_or(Path::new("")).join(name);
    if name.is_empty() || !file.exists() {
        let near = nearest(name, BUILT_IN.iter().map(|built_in| built_in.name));
        let problem = Problem::new(
            span,
            format!("there is no machine `{name}`"),
            format!("expected one of {}, or a machine file relative to this file", known()),
        );
        return Err(match near {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None if name.is_empty() => problem,
            None => problem.help(format!("{} does not exist", file.display())),
        });
    }
    Machine::read(&file).map_err(|error| {
        let line = error.line().map_or_else(String::new, |line| format!(":{line}"));
        let what = format!("the machine file {}{line} cannot be used: {error}", file.display());
        let expected = if error.expected().is_empty() { "expected a machine file" } else { error.expected() };
        Problem::new(span, what, expected)
            .help(format!("`apmatrix machine check {}` says more", file.display()))
    })
}

fn script(source: &Spanned<String>, text: &str) -> Result<(Script, Block), Problem> {
    let block = Block::new(source.span(), text);
    let script = ap_shell::parse(source.get_ref(), "scenario").map_err(|error| {
        Problem::new(block.line(text, error.line), error.what.clone(), error.remedy.clone())
    })?;
    if let Some(unknown) = script.unknown_commands().first() {
        let remedy = match unknown.nearest {
            Some(near) => format!("did you mean `{near}`?"),
            None => "expected a command of `apmatrix shell`; its `help` lists them".to_owned(),
        };
        let span = block.line(text, unknown.place.line);
        return Err(Problem::new(span, format!("there is no command `{}`", unknown.name), remedy));
    }
    Ok((script, block))
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
    if text == BACKGROUND {
        let expected = "expected another name: the background work's task has this one";
        return Err(Problem::new(name.span(), format!("a task can't be called `{text}`"), expected));
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

fn expect(file: Option<&file::Expect>, tasks: &[Task]) -> Result<Expect, Problem> {
    let Some(file) = file else { return Ok(Expect::default()) };
    if let Some(verdict) = &file.verdict
        && !VERDICTS.contains(&verdict.get_ref().as_str())
    {
        let problem = Problem::new(
            verdict.span(),
            format!("`{}` is no verdict", verdict.get_ref()),
            format!("expected one of {}", VERDICTS.join(", ")),
        );
        return Err(match nearest(verdict.get_ref(), VERDICTS.into_iter()) {
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
            let near = nearest(name.get_ref(), names.clone());
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

/// The known word that comes nearest, if one is near.
pub(super) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    known
        .map(|known| (strsim::jaro_winkler(word, known), known))
        .filter(|(near, _)| *near > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}
