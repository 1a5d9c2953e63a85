//! The seed at the crate's boundary: the table, the specimens, their traces and schedules.

use std::time::Duration;

use ap_seed::{PATCHES, Place, Question, Series, ask, id_of, specimen, specimens, table};
use explore::{Explorer, Options, Report, Schedule, Strategy};

fn explorer(strategy: Strategy) -> Explorer {
    Explorer::new(Options { strategy, ..Options::default() })
}

fn explored(id: &str) -> Report {
    specimen(id).unwrap().explore(&mut explorer(Strategy::StateCache))
}

#[test]
fn the_table_is_as_the_history_expects() {
    let table = table(|| None, |_, _| {});
    assert_eq!(table.rows.len(), 36);
    assert_eq!(table.unexpected().map(|(s, q)| id_of(s, q)).collect::<Vec<_>>(), [""; 0]);
    assert_eq!(table.unknown().count(), 0);
    for row in &table.rows {
        for (question, answer) in row.iter() {
            let id = id_of(row.series, question);
            assert_eq!(answer.found, row.series.expected(question), "{id}");
            assert!(answer.exhausted, "{id}");
            assert_eq!(answer.found, answer.schedule.is_some(), "{id}");
            let Some(schedule) = &answer.schedule else { continue };
            let schedule: Schedule = schedule.to_string().parse().unwrap();
            let replay = explorer(Strategy::StateCache)
                .replay(&mut *specimen(&id).unwrap().program, &schedule)
                .unwrap_or_else(|error| panic!("{id}: {error}"));
            assert!(replay.findings.iter().any(|f| f.verdict == question.verdict()), "{id}");
        }
    }
}

#[test]
fn questions_that_no_time_is_left_for_are_not_answered() {
    let table = table(|| Some(Duration::ZERO), |_, _| {});
    assert_eq!(table.unknown().count(), table.rows.len() * Question::ALL.len());
}

#[test]
fn dpor_gives_the_same_answers() {
    for series in Series::all() {
        for question in Question::ALL {
            let options = Options { strategy: Strategy::Dpor, shrink: false, ..Options::default() };
            let answer = ask(series, question, &options);
            assert!(answer.exhausted, "{}", id_of(series, question));
            assert_eq!(answer.found, series.expected(question), "{}", id_of(series, question));
        }
    }
}

/// The fewest context switches of all executions, one by one.
fn fewest(id: &str) -> u32 {
    let options = Options { strategy: Strategy::Dfs, shrink: false, ..Options::default() };
    let report = Explorer::new(options).run(&mut *specimen(id).unwrap().program);
    assert!(report.exhausted, "{id}");
    report.violations.iter().map(|violation| violation.switches).min().unwrap()
}

#[test]
fn traces_have_the_fewest_context_switches() {
    for (id, verdict, switches) in [
        ("seed-deadlock", "deadlock", 1),
        ("seed-theft", "stolen", 2),
        ("seed-busy", "spurious-busy", 2),
        ("override-theft", "stolen", 1),
    ] {
        let report = explored(id);
        assert_eq!(report.verdict, verdict, "{id}");
        assert!(report.exhausted, "{id}");
        assert!(report.violations[0].fewest, "{id}");
        assert_eq!(report.violations[0].switches, switches, "{id}");
        assert_eq!(fewest(id), switches, "{id}");
    }
    let report = explored("seed-protected");
    assert_eq!((report.verdict, report.violations[0].switches), ("deadlock", 2));
    assert!(report.violations[0].fewest, "three tasks take turns twice at least");
}

/// The numbers of the mail's steps in the order in which a trace takes them, and those that are only waited for.
fn numbers(id: &str) -> Vec<u8> {
    let specimen_ = specimen(id).unwrap();
    let report = explored(id);
    let violation = &report.violations[0];
    let mut numbers = Vec::new();
    for step in &violation.trace {
        let number = specimen_.mail.iter().find(|mail| mail.is_step(step)).map(|mail| mail.number);
        numbers.extend(number.filter(|number| !numbers.contains(number)));
    }
    for waiting in violation.deadlock.iter().flat_map(|deadlock| &deadlock.cycle) {
        let number = specimen_.mail.iter().find(|mail| mail.is("lock", waiting.on.level, &waiting.at));
        numbers.extend(number.map(|mail| mail.number));
    }
    numbers
}

#[test]
fn traces_go_through_the_mails_steps_in_the_mails_order() {
    assert_eq!(numbers("seed-deadlock"), [1, 2, 3, 4]);
    assert_eq!(numbers("seed-theft"), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_schedule_replays_step_by_step() {
    for id in ["seed-deadlock", "seed-theft", "seed-busy", "seed-protected", "override-theft"] {
        for violation in explored(id).violations {
            let schedule: Schedule = violation.schedule.to_string().parse().unwrap();
            let replay = explorer(Strategy::StateCache)
                .replay(&mut *specimen(id).unwrap().program, &schedule)
                .unwrap();
            assert_eq!(replay.trace, violation.trace, "{id}");
            assert_eq!(replay.deadlock, violation.deadlock, "{id}");
            assert!(replay.findings.contains(&violation.finding), "{id}");
        }
    }
}

#[test]
fn a_schedule_of_another_specimen_is_an_error() {
    let schedule = explored("seed-theft").violations[0].schedule.clone();
    let mut other = specimen("seed-deadlock").unwrap();
    let error = explorer(Strategy::StateCache).replay(&mut *other.program, &schedule).unwrap_err();
    assert!(!error.to_string().is_empty());
}

#[test]
fn the_merged_protocol_is_clean() {
    for (id, outcomes) in [("shipped", 2), ("shipped-4", 2), ("shipped-5", 3), ("override-shipped", 2)] {
        let report = explored(id);
        assert_eq!(report.verdict, "clean", "{id} {:?}", report.violations);
        assert!(report.exhausted);
        assert_eq!(report.outcomes.len(), outcomes, "{id} {:?}", report.outcomes);
        assert!(report.lock_order.cycles.is_empty());
    }
    let options = Options { strategy: Strategy::Dpor, ..Options::default() };
    for id in ["shipped", "shipped-4"] {
        let report = Explorer::new(options.clone()).run(&mut *specimen(id).unwrap().program);
        assert_eq!(report.verdict, "clean", "{id}");
    }
}

#[test]
fn every_listed_specimen_exists() {
    for listed in specimens() {
        let known = ["v12", "v12-PP-LOCK-QUESTION"].contains(&listed.id);
        assert!(known || specimen(listed.id).is_some(), "{}", listed.id);
    }
    assert!(specimen("v12-07-trylock-theft_race").is_some());
    for id in ["", "v12", "v12-18-trylock-deadlock", "v12-07-deadlock", "seed", "v12-07-trylock-theft"] {
        assert!(specimen(id).is_none(), "{id}");
    }
}

#[test]
fn patches_are_numbered() {
    assert!(PATCHES.iter().map(|patch| patch.number).eq(1..=17));
}

#[test]
fn places_of_the_models_are_known() {
    let violation = explored("seed-theft").violations.remove(0);
    for step in &violation.trace {
        let place = Place::at(&step.at).unwrap_or_else(|| panic!("{}", step.at));
        assert!(place.file.starts_with("seed/v12/"));
    }
    assert_eq!(Place::at("seed/other.rs:3"), None);
    assert_eq!(Place::at("nothing"), None);
}
