//! `apmatrix explore --specimen ID`.

use std::time::{Duration, Instant};

use ap_seed::{Specimen, specimen, specimens, table};
use ap_sysfs::nearest::meant;
use explore::{Explorer, Followed, Options, Progress, Schedule, ScheduleError};
use indicatif::ProgressBar;

use super::args::Args;
use super::{json, report, telling};
use crate::error::{CliError, Outcome};
use crate::progress::bar;
use crate::terminal::{findings, width};
use crate::timeline::page;

/// Explores a specimen, or replays one of its schedules.
pub fn run(id: &str, args: &Args) -> Outcome {
    if id == "v12" {
        return series(args);
    }
    let mut specimen = find(id)?;
    match &args.replay {
        Some(schedule) => replay(&mut specimen, schedule, args),
        None => explore(&mut specimen, args),
    }
}

/// The specimen of this name.
pub fn find(id: &str) -> Result<Specimen, CliError> {
    specimen(id).ok_or_else(|| {
        // The pattern of those of the series is listed, and is none itself.
        let known = specimens().iter().map(|known| known.id).filter(|known| specimen(known).is_some());
        let near = meant(id, known);
        let error = CliError::usage(format!("there is no specimen `{id}`"));
        let error = match id.starts_with("v12-") {
            true => {
                error.hint("PP, LOCK and QUESTION stand for a cell of the table: v12-07-trylock-theft_race")
            }
            false => error,
        };
        let error = match near {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        };
        error.hint("`apmatrix explore --list` says what there is")
    })
}

fn explore(specimen: &mut Specimen, args: &Args) -> Outcome {
    let bar = bar(&specimen.id);
    let options = Options { budget: args.budget.map(Duration::from_secs), ..Options::default() };
    let shown = bar.clone();
    let mut explorer = Explorer::new(options).on_progress(move |progress| show(&shown, progress));
    let found = specimen.explore(&mut explorer);
    bar.finish_and_clear();
    if let Some(path) = &args.html {
        page::write(path, &telling::page(specimen, &found))
            .map_err(|error| CliError::unwritten(path, error))?;
    }
    if args.json {
        crate::commands::print_json(&json::document(specimen, &found, args.budget))?;
    } else {
        let mut out = findings();
        report::print(&mut out, specimen, &found, width())?;
    }
    Ok(u8::from(!found.is_clean()))
}

fn replay(specimen: &mut Specimen, schedule: &str, args: &Args) -> Outcome {
    let schedule: Schedule = schedule.parse().map_err(|error: ScheduleError| {
        CliError::usage(error.to_string())
            .hint("a report names schedules, like `0x3.1x2.0~5a1f`")
            .because(error)
    })?;
    let Followed { replay, left } = Explorer::default().follow(&mut *specimen.program, &schedule);
    if let Some(path) = &args.html {
        page::write(path, &telling::replayed(specimen, &replay))
            .map_err(|error| CliError::unwritten(path, error))?;
    }
    if args.json && left.is_none() {
        crate::commands::print_json(&json::replayed(specimen, &replay))?;
    } else if !args.json {
        report::print_replay(&mut findings(), specimen, &replay, width())?;
    }
    if let Some(error) = left {
        return Err(CliError::failed(error.to_string())
            .hint(format!(
                "{} of its steps fit; `apmatrix explore --specimen {}` names schedules that fit whole",
                replay.trace.len(),
                specimen.id
            ))
            .because(error));
    }
    Ok(u8::from(!replay.findings.is_empty()))
}

/// The table of the series: nothing is wrong with it if all is as the history expects.
fn series(args: &Args) -> Outcome {
    if args.replay.is_some() {
        return Err(CliError::usage("`v12` is a table, and a schedule is of one of its cells")
            .hint("name the cell: `--specimen v12-07-trylock-theft_race`"));
    }
    let (bar, started) = (bar("v12"), Instant::now());
    let left = || args.budget.map(|budget| Duration::from_secs(budget).saturating_sub(started.elapsed()));
    let table = table(left, |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    if args.json {
        crate::commands::print_json(&json::series(&table, started.elapsed()))?;
    } else {
        report::print_table(&mut findings(), &table, started.elapsed(), width())?;
    }
    Ok(u8::from(table.unexpected().next().is_some() || table.unknown().next().is_some()))
}

fn show(bar: &ProgressBar, progress: &Progress) {
    bar.set_position((progress.done * 1000.0) as u64);
    let left = if progress.done > 0.01 {
        let left = progress.elapsed.as_secs_f64() * (1.0 - progress.done) / progress.done;
        format!(", about {left:.0} s left")
    } else {
        String::new()
    };
    bar.set_message(format!("{}{left}", report::several(progress.executions, "interleaving")));
}
