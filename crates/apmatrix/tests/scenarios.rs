//! The scenarios of `scenarios/`: each ends as it says, and both explorers say the same.
//!
//! The quick form is part of `cargo test`. The long one, with every scenario and ten minutes for each explorer:
//! `cargo test --release -p apmatrix --test scenarios -- --ignored --nocapture`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ap_proof::scenario::Explored;
use apmatrix::scenario_file::ScenarioFile;
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

fn files() -> Vec<ScenarioFile> {
    let entries = std::fs::read_dir(directory()).expect("scenarios/");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths.iter().map(|path| ScenarioFile::read(path).unwrap_or_else(|error| panic!("{error:?}"))).collect()
}

fn name(file: &ScenarioFile) -> String {
    file.path.file_stem().expect("a file").to_string_lossy().into_owned()
}

fn explore(file: &ScenarioFile, strategy: Strategy, seconds: u64) -> Explored {
    let budget = Some(Duration::from_secs(seconds));
    let ready = file.ready(budget).unwrap_or_else(|error| panic!("{}: {error:?}", name(file)));
    ready.explore(Options { strategy, budget, ..Options::default() }, None)
}

/// Results and final states.
fn outcomes(explored: &Explored) -> BTreeSet<(Vec<String>, String)> {
    explored.report.outcomes.iter().map(|outcome| (outcome.results.clone(), outcome.state.clone())).collect()
}

fn check(file: &ScenarioFile, explored: &Explored) {
    let name = name(file);
    let report = &explored.report;
    assert_eq!((report.verdict, report.exhausted), ("clean", true), "{name}: {:?}", report.why);
    assert_eq!(file.expect.verdict.as_deref(), Some("clean"), "{name}");
    let tasks: Vec<&String> = file.scenario.tasks.iter().map(|task| &task.name).collect();
    let found: BTreeSet<_> = report
        .outcomes
        .iter()
        .map(|outcome| tasks.iter().map(|t| (*t).clone()).zip(outcome.results.clone()).collect())
        .collect();
    if let Some(expected) = &file.expect.outcomes {
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

#[test]
#[ignore = "takes long; see the top of this file"]
fn all_end_as_they_say_and_both_explorers_say_the_same() {
    println!("{:38} {:>12} {:>10} {:>8} {:>12} {:>9}", "", "told apart", "states", "s", "DPOR", "s");
    for file in &files() {
        let cache = explore(file, Strategy::StateCache, 60);
        check(file, &cache);
        let dpor = explore(file, Strategy::Dpor, 8);
        let known = outcomes(&cache);
        let found = outcomes(&dpor);
        let wrong: Vec<_> = dpor.report.violations.iter().map(|violation| &violation.finding).collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", name(file));
        if dpor.report.exhausted {
            assert_eq!(found, known, "{}", name(file));
        } else {
            assert!(found.is_subset(&known), "{}", name(file));
        }
        let end = if dpor.report.exhausted { "" } else { " (not exhausted)" };
        let seconds = |explored: &Explored| explored.report.elapsed.as_secs_f64();
        println!(
            "{:38} {:12} {:10} {:8.2} {:12} {:9.1}{end}",
            name(file),
            cache.report.executions,
            cache.report.states,
            seconds(&cache),
            dpor.report.executions,
            seconds(&dpor)
        );
    }
}
