//! The specimens as far as can be seen without building them: list, patches and page agree, every patch applies.

#[path = "../examples/specimens/list.rs"]
#[expect(dead_code, reason = "the runner uses more of it")]
mod list;
#[path = "../examples/specimens/patch.rs"]
mod patch;

use std::collections::{BTreeMap, BTreeSet};

use list::{List, root};
use patch::Patch;

/// The rows of the history of the real drivers' defects, sections 1 and 4.
fn rows() -> BTreeSet<String> {
    let numbered =
        |letter: &'static str, last: u32| (1..=last).map(move |number| format!("{letter}{number}"));
    let mut all: BTreeSet<String> = numbered("A", 16).chain(numbered("B", 14)).collect();
    all.extend(numbered("C", 16).chain(numbered("D", 12)).chain(numbered("N", 26)));
    all.extend(["B1a", "B8a", "D1a", "D2a", "N19a"].map(str::to_owned));
    all
}

fn page() -> String {
    std::fs::read_to_string(root().join("specimens/README.md")).expect("specimens/README.md")
}

/// What the page says, by row.
fn table() -> BTreeMap<String, String> {
    let page = page();
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = cells.map(|line| line.split(" | ").map(str::to_owned).collect::<Vec<_>>());
    rows.filter(|cells| cells.len() == 3 && cells[0] != "row" && cells[0] != "---")
        .map(|cells| (cells[0].clone(), cells[2].clone()))
        .collect()
}

#[test]
fn every_patch_applies() {
    for specimen in List::read().expect("the list").specimen {
        let patch = Patch::parse(&specimen.patch().expect("its patch"));
        assert_ne!(patch.paths().count(), 0, "{} changes nothing", specimen.name);
        for path in patch.paths() {
            let text = std::fs::read_to_string(root().join(path)).expect("the file that it changes");
            let new = patch.apply(path, &text);
            assert!(new.is_some_and(|new| new != text), "{} no longer applies to {path}", specimen.name);
        }
    }
}

#[test]
fn list_patches_and_page_name_the_same() {
    let listed: BTreeSet<String> =
        List::read().expect("the list").specimen.into_iter().map(|specimen| specimen.name).collect();
    let directory = std::fs::read_dir(root().join("specimens")).expect("specimens/");
    let names = directory.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let patches: BTreeSet<String> =
        names.filter_map(|name| name.strip_suffix(".patch").map(str::to_owned)).collect();
    assert_eq!(listed, patches);
    let table = table();
    let named: BTreeSet<String> = table
        .values()
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter(|word| word.contains('-') || listed.contains(*word))
        .map(str::to_owned)
        .collect();
    assert_eq!(listed, named);
}

#[test]
fn every_row_of_the_history_is_a_specimen_or_says_why_not() {
    let (table, list) = (table(), List::read().expect("the list"));
    assert_eq!(table.keys().cloned().collect::<BTreeSet<_>>(), rows());
    for (row, says) in &table {
        let specimens: Vec<&str> = list
            .specimen
            .iter()
            .filter(|specimen| specimen.rows.contains(row))
            .map(|one| one.name.as_str())
            .collect();
        if specimens.is_empty() {
            let reason = ["cannot exist: ", "is shipped: "].iter().any(|start| says.starts_with(start));
            assert!(reason, "row {row} has no specimen and no reason: {says}");
        }
        for name in specimens {
            assert!(says.contains(&format!("`{name}`")), "row {row} does not name {name}");
        }
    }
}

#[test]
fn a_patch_applies_only_where_its_lines_are_once() {
    let patch = Patch::parse("why\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n one\n-two\n+TWO\n");
    assert_eq!(patch.apply("f", "zero\none\ntwo\n").as_deref(), Some("zero\none\nTWO\n"));
    assert_eq!(patch.apply("f", "one\ntwo\none\ntwo\n"), None);
    assert_eq!(patch.apply("f", "one\n"), None);
    assert_eq!(patch.apply("g", "one\ntwo\n"), None);
}

#[test]
fn a_patch_is_refreshed_where_it_is_still_certain() {
    let patch = Patch::parse("why\n\n--- a/f\n+++ b/f\n@@ -1,5 +1,5 @@\n one\n\n-two\n+TWO\n\n three\n");
    let refreshed = |text: &str| patch.refreshed(|_| text.to_owned());
    // Moved by a line, and a line of context is another one.
    let anew = "why\n\n--- a/f\n+++ b/f\n@@ -2,6 +2,6 @@\n 1\n ONE\n\n-two\n+TWO\n\n three\n";
    assert_eq!(refreshed("0\n1\nONE\n\ntwo\n\nthree\n").as_deref(), Some(anew));
    // What it changes is not there, or twice.
    assert_eq!(refreshed("one\n\nTWO\n\nthree\n"), None);
    assert_eq!(refreshed("ONE\n\ntwo\n\nTHREE\n\ntwo\n\n"), None);
    // Where three lines of context are not enough there are more.
    let twice = "a\n1\n2\n3\nx\n1\n2\n3\nb\n1\n2\n3\nx\n1\n2\n3\nc\n";
    let patch = Patch::parse("--- a/f\n+++ b/f\n@@ -4,6 +4,5 @@\n b\n 1\n 2\n 3\n-x\n 1\n");
    let anew = patch.refreshed(|_| twice.to_owned()).expect("it is certain");
    assert_eq!(Patch::parse(&anew).apply("f", twice), patch.apply("f", twice));
    assert!(anew.contains("\n@@ -9,9 +9,8 @@\n b\n 1\n"), "{anew}");
}
