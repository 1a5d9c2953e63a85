//! How executions of a specimen are told: in the mail's names.

use std::collections::BTreeMap;

use ap_proof::scenario::Picture;
use ap_seed::{Place, Specimen, names};
use explore::{DeadlockReport, Explorer, Replay, Report, TraceStep};
use locks::Object;

use super::report;
use crate::timeline::page::{Execution, Page};
use crate::timeline::{self, Names, Step};

fn lock(object: &Object, name: &str) -> String {
    names::lock(object).map_or_else(|| name.to_owned(), |lock| lock.both())
}

/// The function, and its place.
fn place(at: &str) -> String {
    match Place::at(at) {
        Some(place) => {
            format!("{}, {}:{}", place.function, place.file.trim_start_matches("seed/"), place.line)
        }
        None => at.rsplit('/').next().unwrap_or(at).to_owned(),
    }
}

fn steps(trace: &[TraceStep]) -> Vec<Step> {
    let names = Names {
        object: &|step| lock(&step.on, &step.object),
        held: &|held| Some(names::letter(held.level).to_owned()),
        line: &|_, _| None,
        place: &place,
    };
    // The letter of what is taken stands among what is held.
    let mut steps = timeline::steps(trace, &names, &mut Picture::default());
    for (step, from) in steps.iter_mut().zip(trace) {
        step.object = names::letter(from.on.level).to_owned();
    }
    steps
}

fn waits(deadlock: Option<&DeadlockReport>) -> Vec<(usize, String)> {
    timeline::waits(deadlock, &lock)
}

/// The page of an exploration.
pub fn page(specimen: &mut Specimen, found: &Report) -> Page {
    let ends: Vec<Execution> = found
        .outcomes
        .iter()
        .filter_map(|outcome| {
            let replay = Explorer::default().replay(&mut *specimen.program, &outcome.schedule).ok()?;
            let ends = if outcome.executions == 1 { "ends" } else { "end" };
            let what = format!("{} {ends} so", report::several(outcome.executions, "interleaving"));
            Some(Execution { what, ..execution(specimen, &replay) })
        })
        .collect();
    let violations = found.violations.iter().map(|violation| Execution {
        title: violation.finding.verdict.to_owned(),
        wrong: true,
        what: violation.finding.what.clone(),
        again: again(specimen, &violation.schedule.to_string()),
        queues: BTreeMap::new(),
        steps: steps(&violation.trace),
        waits: waits(violation.deadlock.as_ref()),
        state: String::new(),
    });
    Page {
        title: specimen.title.clone(),
        verdict: found.verdict.to_owned(),
        good: found.is_clean(),
        summary: report::counts(found),
        tasks: cast(specimen),
        executions: violations.chain(ends).collect(),
    }
}

/// The page of one execution.
pub fn replayed(specimen: &Specimen, replay: &Replay) -> Page {
    let verdict = replay.findings.first().map_or("replayed", |finding| finding.verdict);
    Page {
        title: specimen.title.clone(),
        verdict: verdict.to_owned(),
        good: replay.findings.is_empty(),
        summary: "one execution, replayed".to_owned(),
        tasks: cast(specimen),
        executions: vec![execution(specimen, replay)],
    }
}

fn execution(specimen: &Specimen, replay: &Replay) -> Execution {
    let (results, state) = replay.outcome.clone().unwrap_or_default();
    let found: Vec<&str> = replay.findings.iter().map(|finding| finding.what.as_str()).collect();
    let named = specimen.cast.iter().zip(&results).map(|((name, _), result)| format!("{name} {result}"));
    let named = named.collect::<Vec<_>>().join(", ");
    let verdict = replay.findings.first().map_or("replayed", |finding| finding.verdict);
    Execution {
        title: if named.is_empty() { verdict.to_owned() } else { named },
        wrong: !found.is_empty(),
        what: found.join("; "),
        again: again(specimen, &replay.schedule.to_string()),
        queues: BTreeMap::new(),
        steps: steps(&replay.trace),
        waits: waits(replay.deadlock.as_ref()),
        state,
    }
}

fn cast(specimen: &Specimen) -> Vec<String> {
    specimen
        .cast
        .iter()
        .map(|(name, does)| if does.is_empty() { name.clone() } else { format!("{name}: {does}") })
        .collect()
}

fn again(specimen: &Specimen, schedule: &str) -> String {
    format!("apmatrix explore --specimen {} --replay {schedule}", specimen.id)
}
