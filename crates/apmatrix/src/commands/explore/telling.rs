//! How executions of a specimen are told: in the mail's names.

use std::collections::BTreeMap;

use ap_proof::scenario::Picture;
use ap_seed::{MailStep, Place, Specimen, names};
use explore::{DeadlockReport, Explorer, Replay, Report, TraceStep};
use locks::Object;

use super::report;
use super::trace::Numbers;
use crate::timeline::page::{Beside, Execution, Page};
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

/// An execution's steps, and who waits for whom at its end; with the numbers that the mail gives them.
fn told(
    mail: &'static [MailStep],
    trace: &[TraceStep],
    deadlock: Option<&DeadlockReport>,
) -> (Vec<Step>, Vec<(usize, String)>) {
    let names = Names {
        object: &|step| lock(&step.on, &step.object),
        held: &|held| Some(names::letter(held.level).to_owned()),
        line: &|_, _| None,
        place: &place,
    };
    // The letter of what is taken stands among what is held.
    let mut steps = timeline::steps(trace, &names, &mut Picture::default());
    let mut numbers = Numbers::new(mail);
    for (step, from) in steps.iter_mut().zip(trace) {
        step.object = names::letter(from.on.level).to_owned();
        let number = numbers.of(from.step, from.on.level, &from.at);
        step.mark = number.map(|number| format!("({number})"));
    }
    let mut waits = timeline::waits(deadlock, &lock);
    let all = deadlock.into_iter().flat_map(|deadlock| deadlock.cycle.iter().chain(&deadlock.others));
    for ((_, words), from) in waits.iter_mut().zip(all) {
        if let Some(number) = numbers.of("lock", from.on.level, &from.at) {
            *words = format!("({number}) {words}");
        }
    }
    (steps, waits)
}

/// The page of an exploration.
pub fn page(specimen: &mut Specimen, found: &Report) -> Page {
    let ends: Vec<Execution> = found
        .outcomes
        .iter()
        .filter_map(|outcome| {
            let replay = Explorer::default().replay(&mut *specimen.program, &outcome.schedule).ok()?;
            Some(execution(specimen, &replay))
        })
        .collect();
    let violations: Vec<Execution> = found
        .violations
        .iter()
        .map(|violation| {
            let (steps, waits) = told(specimen.mail, &violation.trace, violation.deadlock.as_ref());
            let replay = Explorer::default().replay(&mut *specimen.program, &violation.schedule).ok();
            let (_, state) = replay.and_then(|replay| replay.outcome).unwrap_or_default();
            Execution {
                title: violation.finding.verdict.to_owned(),
                wrong: true,
                what: violation.finding.what.clone(),
                again: again(specimen, &violation.schedule.to_string()),
                queues: BTreeMap::new(),
                steps,
                waits,
                state,
            }
        })
        .collect();
    Page {
        title: specimen.title.clone(),
        verdict: found.verdict.to_owned(),
        good: found.is_clean(),
        summary: report::counts(found),
        unexpected: Vec::new(),
        tasks: cast(specimen),
        beside: mail(specimen),
        executions: violations.into_iter().chain(ends).collect(),
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
        unexpected: Vec::new(),
        tasks: cast(specimen),
        beside: mail(specimen),
        executions: vec![execution(specimen, replay)],
    }
}

fn execution(specimen: &Specimen, replay: &Replay) -> Execution {
    let (results, state) = replay.outcome.clone().unwrap_or_default();
    let found: Vec<&str> = replay.findings.iter().map(|finding| finding.what.as_str()).collect();
    let named = specimen.cast.iter().zip(&results).map(|((name, _), result)| format!("{name} {result}"));
    let named = named.collect::<Vec<_>>().join(", ");
    let verdict = replay.findings.first().map_or("replayed", |finding| finding.verdict);
    let (steps, waits) = told(specimen.mail, &replay.trace, replay.deadlock.as_ref());
    Execution {
        title: if named.is_empty() { verdict.to_owned() } else { named },
        wrong: !found.is_empty(),
        what: found.join("; "),
        again: again(specimen, &replay.schedule.to_string()),
        queues: BTreeMap::new(),
        steps,
        waits,
        state,
    }
}

/// The mail's own words for its steps, under a title.
fn mail(specimen: &Specimen) -> Option<Beside> {
    let line = |step: &MailStep| format!("({}) {}", step.number, step.says);
    (!specimen.mail.is_empty()).then(|| Beside {
        title: "The mail, condensed".to_owned(),
        lines: specimen.mail.iter().map(line).collect(),
    })
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
