use std::time::Duration;

use ap_seed::{Specimen, specimen, table};
use explore::{Explorer, Report, Schedule};
use serde_json::Value;

use super::{json, report};

fn explored(id: &str) -> (Specimen, Report) {
    let mut specimen = specimen(id).unwrap();
    let report = specimen.explore(&mut Explorer::default());
    (specimen, report)
}

/// What a function prints, without colours.
fn printed(print: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut out = anstream::StripStream::new(Vec::new());
    print(&mut out).unwrap();
    String::from_utf8(out.into_inner()).unwrap()
}

/// The part of a report that is the trace.
fn trace_of(text: &str) -> String {
    let lines = text.lines().skip_while(|line| !line.contains("holds"));
    lines.take_while(|line| !line.contains("context switch")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_deadlock_is_told_in_the_mails_names_and_order() {
    let (specimen, found) = explored("seed-deadlock");
    let text = printed(|out| report::print(out, &specimen, &found, 200));
    let trace = trace_of(&text);
    let at = |part: &str| trace.find(part).unwrap_or_else(|| panic!("{part}\n{trace}"));
    let order = ["(1)", "(2)", "(3)", "(4)", "BANG DEADLOCK: BUS waits for matrix_dev->lock (M)"].map(at);
    assert!(order.is_sorted(), "{text}");
    for part in
        ["apmask_store [mask", "assign_adapter_store", "vfio_ap_mdev_resource_in_use", "ap_perms_mutex (P)"]
    {
        at(part);
    }
    let again = "1 context switch, the fewest possible; again: apmatrix explore --specimen seed-deadlock";
    assert!(text.contains(&format!("{again} --replay 0.1~")), "{text}");
    assert!(trace.lines().all(|line| line.chars().count() <= 106), "{trace}");
}

#[test]
fn the_theft_is_told_in_the_mails_order() {
    let (specimen, found) = explored("seed-theft");
    let text = printed(|out| report::print(out, &specimen, &found, 200));
    let trace = trace_of(&text);
    let at = |part: &str| trace.find(part).unwrap_or_else(|| panic!("{part}\n{trace}"));
    let order = ["(1)", "(2)", "(3)", "(4)", "(5)", "(6)", "BANG STOLEN: 05.0004 is in the matrix"].map(at);
    assert!(order.is_sorted(), "{text}");
    assert!(text.contains("2 context switches, the fewest possible"), "{text}");
}

#[test]
fn a_replay_prints_the_same_trace() {
    for id in ["seed-deadlock", "seed-theft", "seed-busy", "seed-protected"] {
        let (mut specimen, found) = explored(id);
        let violation = &found.violations[0];
        let first = printed(|out| report::print_violation(out, &specimen, violation, 200));
        let schedule: Schedule = violation.schedule.to_string().parse().unwrap();
        let replay = Explorer::default().replay(&mut *specimen.program, &schedule).unwrap();
        let again = printed(|out| report::print_replay(out, &specimen, &replay, 200));
        assert!(again.starts_with(&trace_of(&first)), "{first}\n{again}");
    }
}

#[test]
fn documents_have_the_shape_that_interfaces_promise() {
    let (specimen, found) = explored("seed-theft");
    let value = serde_json::to_value(json::document(&specimen, &found, None)).unwrap();
    assert_eq!(value["schema"], "apmatrix.specimen/1");
    assert_eq!(value["verdict"], "stolen");
    assert_eq!(value["exhausted"], true);
    for key in ["title", "executions", "states", "bounds"] {
        assert!(!value[key].is_null(), "{key}");
    }
    let outcome = &value["outcomes"][0];
    assert!(outcome["results"]["BUS"].is_string() && outcome["schedule"].is_string(), "{outcome}");
    assert!(outcome["executions"].is_u64() && outcome["state"].is_string());
    let violation = &value["violations"][0];
    assert_eq!((&violation["verdict"], &violation["switches"]), (&Value::from("stolen"), &Value::from(2)));
    let step = &violation["trace"][0];
    assert_eq!(step["task"], "BUS");
    assert_eq!(step["step"], "lock");
    assert_eq!(step["level"], "Perms");
    assert!(step["object"].is_string());
    assert!(step["at"].as_str().unwrap().contains("bus.rs:"));
    assert_eq!((&step["mail"], &step["function"]), (&Value::from(1), &Value::from("apmask_store")));

    let (specimen, found) = explored("shipped");
    let value = serde_json::to_value(json::document(&specimen, &found, Some(9))).unwrap();
    assert_eq!((&value["verdict"], &value["exhausted"]), (&Value::from("clean"), &Value::from(true)));
    assert_eq!(value["violations"], Value::Array(Vec::new()));
}

#[test]
fn the_table_has_the_shape_that_interfaces_promise() {
    let (table, took) = (table(|| None, |_, _| {}), Duration::from_millis(1));
    let value = serde_json::to_value(json::series(&table, took)).unwrap();
    assert_eq!(value["rows"].as_array().unwrap().len(), 36);
    assert_eq!(value["as_expected"], 180);
    let row = &value["rows"][14];
    assert_eq!((&row["prefix"], &row["lock"]), (&Value::from(7), &Value::from("trylock")));
    assert_eq!(value["rows"][15]["lock"], "blocking");
    for key in ["theft_sequence", "theft_race", "deadlock", "protected_guest_cycle", "spurious_busy"] {
        let cell = &row[key];
        assert!(cell["found"].is_boolean() && cell["exhausted"].is_boolean(), "{key}: {cell}");
        assert!(cell["executions"].is_u64());
        assert_eq!(cell["schedule"].is_string(), cell["found"] == true);
    }
    let text = printed(|out| report::print_table(out, &table, took, 200));
    assert!(text.contains("180 of 180 as expected"), "{text}");
    assert_eq!(
        text.lines().filter(|line| line.contains("trylock ") || line.starts_with("   blocking")).count(),
        36
    );
}
