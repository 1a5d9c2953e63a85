//! The invariants of ARCHITECTURE.md that the sources themselves show.

mod imports;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The crates from the ground up: one may depend on those before it only.
const LAYERS: [&str; 22] = [
    "ap-types",
    "locks",
    "fibers",
    "explore",
    "ap-task",
    "ap-machine",
    "ap-bus",
    "ap-vfio",
    "ap-host",
    "ap-sysfs",
    "ap-files",
    "ap-shell",
    "ap-seed",
    "ap-proof",
    "ap-cluster",
    "ap-plan",
    "ap-apply",
    "ap-fuse",
    "ap-view",
    "ap-term",
    "ap-serve",
    "apmatrix",
];

/// The crates that are the system: what runs on a host, without front ends.
const SYSTEM: [&str; 7] = ["ap-types", "ap-task", "ap-machine", "ap-bus", "ap-vfio", "ap-host", "ap-sysfs"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn manifest(name: &str) -> toml::Table {
    let path = root().join("crates").join(name).join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn dependencies(name: &str) -> BTreeSet<String> {
    let manifest = manifest(name);
    let table = manifest.get("dependencies").and_then(toml::Value::as_table);
    table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

/// The sources of a crate, tests left out: path and text.
fn sources(name: &str) -> Vec<(PathBuf, String)> {
    fn walk(directory: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(directory).expect("a source directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "tests") {
                    walk(&path, found);
                }
            } else if path.extension().is_some_and(|ext| ext == "rs")
                && path.file_name().is_some_and(|name| name != "tests.rs")
            {
                let text = fs::read_to_string(&path).expect("a source file");
                let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
                found.push((path, shipped));
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join("crates").join(name).join("src"), &mut found);
    assert!(!found.is_empty(), "{name} has sources");
    found
}

/// Code lines (comments left out) of a crate that name one of `words`.
fn naming(name: &str, words: &[&str]) -> Vec<String> {
    let mut hits = Vec::new();
    for (path, text) in sources(name) {
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if words.iter().any(|word| code.contains(word)) {
                hits.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    hits
}

#[test]
fn every_crate_has_its_place_and_depends_downwards_only() {
    let mut present: Vec<String> = fs::read_dir(root().join("crates"))
        .expect("crates/")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    present.sort();
    let mut known: Vec<&str> = LAYERS.to_vec();
    known.sort_unstable();
    assert_eq!(present, known, "a new crate needs its place in LAYERS and a paragraph in ARCHITECTURE.md");
    for (place, name) in LAYERS.iter().enumerate() {
        for dependency in dependencies(name) {
            if let Some(other) = LAYERS.iter().position(|known| *known == dependency) {
                assert!(other < place, "{name} depends on {dependency}, which is above it");
            }
        }
    }
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for name in LAYERS {
        assert!(
            architecture.contains(&format!("- **{name}**:")),
            "ARCHITECTURE.md has a paragraph on {name}"
        );
    }
}

#[test]
fn no_import_runs_up_or_in_a_circle_inside_any_crate() {
    let mut all = Vec::new();
    for name in LAYERS {
        let modules = imports::modules(&root().join("crates").join(name).join("src"));
        let circles = imports::circles(&imports::imports(&modules));
        all.extend(circles.iter().map(|circle| format!("{name}: {circle}")));
    }
    assert!(all.is_empty(), "{all:#?}");
}

/// Also not in comments: whoever reads the bus must not need to know who drives its queues.
#[test]
fn the_bus_knows_no_driver_by_name() {
    for (path, text) in sources("ap-bus") {
        for (number, line) in text.lines().enumerate() {
            let words = line.to_lowercase();
            let hit = ["vfio", "mdev", "guest"].into_iter().find(|word| words.contains(word));
            assert_eq!(hit, None, "{}:{}: {line}", path.display(), number + 1);
        }
    }
}

#[test]
fn no_file_is_long_and_no_crate_is_unsafe_without_need() {
    for name in LAYERS {
        for (path, text) in sources(name) {
            assert!(text.lines().count() <= 600, "{} is longer than 600 lines", path.display());
        }
        if !matches!(name, "locks" | "fibers" | "ap-fuse") {
            let (path, root) = sources(name)
                .into_iter()
                .find(|(path, _)| path.file_name().is_some_and(|file| file == "lib.rs"))
                .expect("every crate has a lib.rs");
            assert!(root.contains("#![forbid(unsafe_code)]"), "{} forbids no unsafe code", path.display());
        }
    }
}

#[test]
fn general_crates_know_no_word_of_ap() {
    for name in ["locks", "fibers", "explore"] {
        let known: BTreeSet<String> = dependencies(name);
        assert!(known.iter().all(|dependency| !dependency.starts_with("ap-")), "{name}: {known:?}");
        let hits = naming(name, &["apqn", "Apqn", "apmask", "vfio", "mdev"]);
        assert!(hits.is_empty(), "{name} names AP: {hits:#?}");
    }
}

#[test]
fn only_one_crate_mounts_and_only_files_and_reports_are_serialised() {
    for name in LAYERS {
        let dependencies = dependencies(name);
        let mounts = !naming(name, &["\"/dev/fuse\""]).is_empty();
        assert!(!mounts || name == "ap-fuse", "{name} opens the FUSE device");
        for word in ["serde", "serde_json", "toml", "schemars"] {
            let may = matches!(name, "ap-files" | "ap-serve" | "apmatrix");
            assert!(may || !dependencies.contains(word), "{name} depends on {word}");
        }
    }
}

#[test]
fn the_system_does_no_io_and_knows_no_thread_and_no_clock() {
    let words =
        ["std::fs", "std::net", "std::process", "std::thread::", "std::time", "std::env", "SystemTime"];
    for name in SYSTEM.into_iter().chain(["ap-seed", "ap-proof", "ap-plan", "ap-apply", "ap-view"]) {
        // Searches have a budget, whoever shows a host has patience, and a destructor may ask whether it runs in a panic; neither is the system's.
        let search =
            |line: &String| matches!(name, "ap-proof" | "ap-apply" | "ap-view") && line.contains("std::time");
        let hits: Vec<String> = naming(name, &words)
            .into_iter()
            .filter(|line| !line.contains("std::thread::panicking") && !search(line))
            .collect();
        assert!(hits.is_empty(), "{name}: {hits:#?}");
    }
}

#[test]
fn only_one_crate_serves() {
    for name in LAYERS {
        let known = dependencies(name);
        for word in ["tokio", "axum", "hyper"] {
            assert!(name == "ap-serve" || !known.contains(word), "{name} depends on {word}");
        }
    }
}

#[test]
fn the_system_has_no_process_wide_state_and_no_atomics() {
    for name in SYSTEM {
        let hits = naming(name, &["static mut", "thread_local!", "LazyLock", "lazy_static", "Atomic"]);
        assert!(hits.is_empty(), "{name}: {hits:#?}");
    }
}

#[test]
fn only_locks_names_real_locks() {
    for name in SYSTEM.into_iter().chain(["ap-seed", "ap-proof"]) {
        let hits = naming(name, &["std::sync::Mutex", "std::sync::RwLock", "sync::Condvar", "parking_lot"]);
        assert!(hits.is_empty(), "{name}: {hits:#?}");
    }
}

#[test]
fn only_specimens_take_locks_out_of_order() {
    for name in LAYERS.iter().filter(|name| !matches!(**name, "locks" | "explore" | "ap-seed" | "ap-proof")) {
        let hits = naming(name, &["Unordered", "_unordered("]);
        assert!(hits.is_empty(), "{name}: {hits:#?}");
    }
    // The sink of an exploration is told of background work wherever the host stands.
    let outside: Vec<String> = naming("ap-proof", &["Unordered", "_unordered("])
        .into_iter()
        .filter(|line| !line.contains("/scenario/background.rs"))
        .collect();
    assert!(outside.is_empty(), "{outside:#?}");
}

#[test]
fn every_lock_level_has_its_section_in_order() {
    let page = fs::read_to_string(root().join("docs/locking.md")).expect("docs/locking.md");
    let sections: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).skip(1).collect();
    assert_eq!(
        sections,
        ap_task::order::LEVELS,
        "the sections after \"Rules\" are the levels, outermost first"
    );
}

/// The sources of all tests: path and text.
fn tests() -> Vec<(PathBuf, String)> {
    fn walk(directory: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(directory).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    for name in LAYERS {
        walk(&root().join("crates").join(name).join("tests"), &mut found);
    }
    assert!(found.len() > 100, "{} files", found.len());
    found
}

/// Statements that print, in words that the harness keeps to itself or past it, what a test leaves out.
fn told_skips(text: &str) -> Vec<String> {
    let prints = ["println!(", "print!(", "stderr()"];
    let starts = prints.iter().flat_map(|word| text.match_indices(word)).map(|(at, _)| at);
    let mut found: Vec<String> = starts
        .filter_map(|at| text[at..].split(';').next())
        .filter(|statement| statement.to_lowercase().contains("skipped"))
        .map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn what_tests_leave_out_is_said_in_one_way() {
    let word = "skip".to_owned() + "ped";
    for statement in ["eprintln!(\"WORD: no man\")", "let _ = writeln!(std::io::stderr(), \"a: WORD\")"] {
        assert_eq!(told_skips(&format!("{};\n", statement.replace("WORD", &word))).len(), 1, "{statement}");
    }
    // Those of ap-fuse have no harness: what they print is seen, and their closing line counts.
    let own =
        ["apmatrix/tests/skip/mod.rs", "ap-fuse/tests/support/mod.rs", "apmatrix/tests/architecture/main.rs"];
    let wrong: Vec<String> = tests()
        .into_iter()
        .filter(|(path, _)| !own.iter().any(|own| path.ends_with(own)))
        .flat_map(|(path, text)| {
            told_skips(&text).into_iter().map(move |line| format!("{}: {line}", path.display()))
        })
        .collect();
    assert!(wrong.is_empty(), "tests/skip says what is left out, where everybody sees it: {wrong:#?}");
}
