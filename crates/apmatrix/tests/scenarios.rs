//! The scenarios of `scenarios/`: each ends as it says, and both explorers say the same.
//!
//! This is the quick form. The long one, with every scenario and ten minutes for each explorer, is
//! `apmatrix explore scenarios/*.toml --engine both --budget 600`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ap_proof::scenario::Explored;
use apmatrix::scenario::Playable;
use explore::{Options, Strategy};

/// Scenarios that take long in a build for debugging.
const LONG: [&str; 7] = [
    "mask-read-against-swap",
    "module-load-against-plug",
    "module-load-then-assign",
    "module-unload-against-plug",
    "scan-mask-assign",
    "two-mask-writers",
    "two-mdevs-one-queue",
];

/// Scenarios that the second explorer exhausts at once, too.
const BOTH: [&str; 6] = [
    "bind-against-mask",
    "create-against-remove",
    "module-unload-against-guest",
    "protected-guest",
    "unbind-against-ap-config",
    "unbind-against-scan",
];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

fn files() -> Vec<Playable> {
    let entries = std::fs::read_dir(directory()).expect("scenarios/");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths.iter().map(|path| Playable::read(path).unwrap_or_else(|error| panic!("{error:?}"))).collect()
}

fn name(play: &Playable) -> String {
    play.file.path.file_stem().expect("a file").to_string_lossy().into_owned()
}

fn explore(play: &Playable, strategy: Strategy, seconds: u64) -> Explored {
    let budget = Some(Duration::from_secs(seconds));
    let ready = play.ready(budget).unwrap_or_else(|error| panic!("{}: {error:?}", name(play)));
    ready.explore(Options { strategy, budget, ..Options::default() }, None)
}

/// Results and final states.
fn outcomes(explored: &Explored) -> BTreeSet<(Vec<String>, String)> {
    explored.report.outcomes.iter().map(|outcome| (outcome.results.clone(), outcome.state.clone())).collect()
}

fn check(play: &Playable, explored: &Explored) {
    let name = name(play);
    let report = &explored.report;
    assert_eq!((report.verdict, report.exhausted), ("clean", true), "{name}: {:?}", report.why);
    assert_eq!(play.file.expect.verdict.as_deref(), Some("clean"), "{name}");
    let tasks: Vec<&String> = play.scenario.tasks.iter().map(|task| &task.name).collect();
    let found: BTreeSet<_> = report
        .outcomes
        .iter()
        .map(|outcome| tasks.iter().map(|t| (*t).clone()).zip(outcome.results.clone()).collect())
        .collect();
    if let Some(expected) = &play.file.expect.outcomes {
        assert_eq!(expected, &found, "{name}");
    }
}

#[test]
fn there_are_at_least_twenty_of_two_to_five_tasks() {
    let files = files();
    assert!(files.len() >= 20);
    assert!(files.iter().all(|file| (2..=5).contains(&file.scenario.tasks.len())));
    for listed in LONG.iter().chain(&BOTH) {
        assert!(files.iter().any(|file| name(file) == *listed), "{listed}");
    }
}

#[test]
fn short_ones_end_as_they_say() {
    for file in files().iter().filter(|file| !LONG.contains(&name(file).as_str())) {
        check(file, &explore(file, Strategy::StateCache, 60));
    }
}

#[test]
fn both_explorers_say_the_same_of_the_shortest() {
    for file in files().iter().filter(|file| BOTH.contains(&name(file).as_str())) {
        let (cache, dpor) = (explore(file, Strategy::StateCache, 60), explore(file, Strategy::Dpor, 60));
        check(file, &dpor);
        assert_eq!(outcomes(&cache), outcomes(&dpor), "{}", name(file));
    }
}

/// The rows of the specification's table "who takes what" (page 4), as `scenarios/README.md` numbers them, and what in
/// a task's text uses them.
const ROWS: [(&str, &[&str]); 16] = [
    ("mask write", &["> /sys/bus/ap/apmask", "> /sys/bus/ap/aqmask"]),
    ("revising bindings", &["> /sys/bus/ap/apmask", "> /sys/bus/ap/aqmask"]),
    ("mask read", &["cat /sys/bus/ap/apmask", "cat /sys/bus/ap/aqmask"]),
    ("bind, unbind", &["/bind", "/unbind", "/drivers_probe"]),
    (
        "scan",
        &[
            "/scans",
            "hw plug",
            "hw unplug",
            "hw configure",
            "hw deconfigure",
            "hw checkstop",
            "hw repair",
            "hw control",
        ],
    ),
    ("assign, ap_config write", &["/assign_adapter", "/assign_domain", "/ap_config"]),
    ("unassign, control domains", &["/unassign_", "assign_control_domain"]),
    ("matrix reads", &["/matrix\n", "/matrix ", "/guest_matrix", "/control_domains"]),
    ("registering a driver", &["hw modules load"]),
    ("status read", &["/status"]),
    ("mdev create", &["/create"]),
    ("mdev remove", &["/remove"]),
    ("guest open, close", &["guest start", "guest stop"]),
    ("AQIC", &["guest aqic"]),
    ("device ioctls, unmap", &["guest reset", "guest request", "guest unmap", "guest info"]),
    (
        "probe, remove by vfio_ap",
        &[
            "drivers/vfio_ap/",
            "> /sys/bus/ap/apmask",
            "> /sys/bus/ap/aqmask",
            "hw plug",
            "hw unplug",
            "hw modules load vfio_ap",
            "hw modules unload vfio_ap",
        ],
    ),
];

/// The numbers of the rows that a scenario's tasks use.
fn rows(play: &Playable) -> Vec<usize> {
    let document: toml::Table =
        std::fs::read_to_string(&play.file.path).expect("the file").parse().expect("TOML");
    let tasks = document["task"].as_array().expect("tasks");
    let text: String =
        tasks.iter().map(|task| format!("{}\n", task["run"].as_str().expect("its text").trim())).collect();
    let uses = |words: &[&str]| words.iter().any(|word| text.contains(word));
    ROWS.iter().enumerate().filter(|(_, (_, words))| uses(words)).map(|(number, _)| number + 1).collect()
}

#[test]
fn every_row_of_who_takes_what_is_used() {
    let used: BTreeSet<usize> = files().iter().flat_map(rows).collect();
    for (index, (name, _)) in ROWS.iter().enumerate() {
        assert!(used.contains(&(index + 1)), "no scenario uses row {}, {name}", index + 1);
    }
}

#[test]
fn the_page_lists_every_scenario() {
    let page = std::fs::read_to_string(directory().join("README.md")).expect("scenarios/README.md");
    let missing: Vec<String> = files()
        .iter()
        .map(|file| {
            let (name, tasks) = (name(file), file.scenario.tasks.len());
            let rows: Vec<String> = rows(file).iter().map(usize::to_string).collect();
            let row =
                format!("| [{name}]({name}.toml) | {} | {tasks} | {} |", file.scenario.title, rows.join(" "));
            row.replace("|  |", "| |")
        })
        .filter(|line| !page.contains(line))
        .collect();
    assert!(missing.is_empty(), "expected in scenarios/README.md:\n{}", missing.join("\n"));
    let listed = page.lines().filter(|line| line.starts_with("| [")).count();
    assert_eq!(listed, files().len());
}
