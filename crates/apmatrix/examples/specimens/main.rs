//! Puts each defect of the past back into a copy of the workspace, and sees whether it is found.
//!
//! `cargo run --release -p apmatrix --example specimens [-- [--quick] [--list] [--refresh] [NAME…]]`. Says `found`,
//! `MISSED` or `NO LONGER APPLIES` for each, and ends with 1 unless all are found; 3 if it could not do its work. With
//! `--refresh` it builds nothing, but writes the patches anew whose lines have moved, or whose context has changed.

#![forbid(unsafe_code)]

mod list;
mod patch;
mod scratch;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Instant;

use list::{List, Specimen};
use patch::Patch;
use scratch::Scratch;

/// What can be asked for.
const OPTIONS: [&str; 3] = ["--quick", "--list", "--refresh"];

/// What became of a specimen.
enum Fate {
    Found(String),
    Missed(String),
    NoLongerApplies(String),
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("specimens: {error}");
            ExitCode::from(3)
        }
    }
}

fn run() -> Result<bool, String> {
    let (options, names): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|word| word.starts_with("--"));
    if let Some(unknown) = options.iter().find(|option| !OPTIONS.contains(&option.as_str())) {
        let options = OPTIONS.join(", ");
        return Err(format!("`{unknown}` is no option: expected {options}, and names of specimens"));
    }
    let asked = |option: &str| options.iter().any(|known| known == option);
    let mut chosen = List::read()?.specimen;
    chosen.retain(
        |one| if names.is_empty() { one.quick || !asked("--quick") } else { names.contains(&one.name) },
    );
    if let Some(unknown) = names.iter().find(|name| !chosen.iter().any(|one| one.name == **name)) {
        return Err(format!("there is no specimen `{unknown}`; `--list` names them"));
    }
    if asked("--list") {
        for one in &chosen {
            println!("{} ({}, {}): {}", one.name, one.rows.join(" "), one.kind, one.about);
        }
        return Ok(true);
    }
    if asked("--refresh") {
        return refresh(&chosen);
    }
    let started = Instant::now();
    let scratch = Scratch::new().map_err(|error| format!("the copy of the workspace: {error}"))?;
    let mut all = unpatched(&scratch, &chosen)?;
    let mut found = 0;
    for specimen in &chosen {
        let begun = Instant::now();
        let (word, what) = match try_one(&scratch, specimen)? {
            Fate::Found(what) => {
                found += 1;
                ("found", what)
            }
            Fate::Missed(what) => ("MISSED", what),
            Fate::NoLongerApplies(what) => ("NO LONGER APPLIES", what),
        };
        let (name, rows, seconds) = (&specimen.name, specimen.rows.join(" "), begun.elapsed().as_secs());
        println!("{word:6} {name} ({rows}, {}): {what} [{seconds} s]", specimen.kind);
        if word != "found" {
            println!("       {}", specimen.about);
        }
    }
    all &= found == chosen.len();
    println!("{found} of {} found in {} s", chosen.len(), started.elapsed().as_secs());
    Ok(all)
}

/// Brings patches in line with the files that they change, where nothing is in doubt.
fn refresh(chosen: &[Specimen]) -> Result<bool, String> {
    let mut all = true;
    for specimen in chosen {
        let before = specimen.patch()?;
        let read = |path: &str| std::fs::read_to_string(list::root().join(path)).unwrap_or_default();
        match Patch::parse(&before).refreshed(read) {
            Some(after) if after == before => {}
            Some(after) => {
                std::fs::write(specimen.path(), after)
                    .map_err(|error| format!("{}: {error}", specimen.name))?;
                println!("refreshed {}", specimen.name);
            }
            None => {
                all = false;
                println!("NO LONGER APPLIES {}", specimen.name);
            }
        }
    }
    Ok(all)
}

/// The shipped system must be clean where the specimens are looked for: else finding them means nothing.
fn unpatched(scratch: &Scratch, chosen: &[Specimen]) -> Result<bool, String> {
    scratch.build().map_err(|error| error.to_string())??;
    let mut clean = true;
    let all: BTreeSet<Vec<String>> = chosen.iter().map(Specimen::arguments).collect();
    for arguments in &all {
        let done = scratch.explore(arguments).map_err(|error| error.to_string())?;
        let ok = done.is_some_and(|done| done.ok);
        if !ok {
            println!("NOT CLEAN without a patch: apmatrix {}", arguments.join(" "));
        }
        clean &= ok;
    }
    println!(
        "without a patch: {} explorations, {}",
        all.len(),
        if clean { "all clean" } else { "not all clean" }
    );
    Ok(clean)
}

fn try_one(scratch: &Scratch, specimen: &Specimen) -> Result<Fate, String> {
    let patch = Patch::parse(&specimen.patch()?);
    let io = |error: std::io::Error| format!("{}: {error}", specimen.name);
    if !scratch.apply(&patch).map_err(io)? {
        return Ok(Fate::NoLongerApplies("a hunk is not there any more".into()));
    }
    let fate = match scratch.build().map_err(io)? {
        Err(errors) => {
            let first = errors.lines().find(|line| line.starts_with("error")).unwrap_or("it does not build");
            Fate::NoLongerApplies(first.to_owned())
        }
        Ok(()) => match scratch.explore(&specimen.arguments()).map_err(io)? {
            None => Fate::Missed("the exploration does not end".into()),
            Some(done) => judge(specimen, &done.output, &done.errors),
        },
    };
    scratch.restore(&patch).map_err(io)?;
    Ok(fate)
}

/// Looks for the violation that is expected.
fn judge(specimen: &Specimen, output: &str, errors: &str) -> Fate {
    let Ok(document) = serde_json::from_str::<serde_json::Value>(output) else {
        return Fate::Missed(
            errors.lines().find(|line| !line.trim().is_empty()).unwrap_or("no report").into(),
        );
    };
    let word = |value: &serde_json::Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let violations = document["violations"].as_array().cloned().unwrap_or_default();
    let expected = violations.iter().find(|one| {
        one["known"].is_null()
            && word(one, "verdict") == specimen.verdict
            && word(one, "what").contains(&specimen.says)
    });
    match expected {
        Some(one) => Fate::Found(format!("{}, {}", specimen.verdict, word(one, "what"))),
        None => {
            let others: Vec<String> = violations
                .iter()
                .map(|one| format!("{}, {}", word(one, "verdict"), word(one, "what")))
                .collect();
            let others = if others.is_empty() { "nothing".into() } else { others.join("; ") };
            Fate::Missed(format!("expected {} ({}), got: {others}", specimen.verdict, specimen.says))
        }
    }
}
