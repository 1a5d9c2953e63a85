//! Figures that a page states and that are the same on every machine are those of the program: states, interleavings.
//! Seconds are not looked at.

use std::process::Command;

use crate::pages::{Page, root};

fn explored(arguments: &[&str]) -> serde_json::Value {
    let out = Command::new(env!("CARGO_BIN_EXE_apmatrix"))
        .arg("explore")
        .args(arguments)
        .arg("--json")
        .current_dir(root())
        .output()
        .expect("the program runs");
    serde_json::from_slice(&out.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", String::from_utf8_lossy(&out.stderr)))
}

/// A number as pages write it: 1234567 is 1,234,567.
fn written(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[test]
fn h16_the_figures_of_the_explorers_page_are_the_programs() {
    let page = Page::read("docs/performance/explore.md");
    let mut wrong = Vec::new();
    let mut check = |name: &str, what: &str, number: u64, cells: &[String]| {
        let number = written(number);
        let stands =
            cells.iter().any(|cell| cell.split([' ', ';', '×']).any(|word| word.trim_matches(',') == number));
        if !stands {
            wrong.push(format!("{name}: {number} {what}, but the page has: {}", cells.join(" | ")));
        }
    };
    let rows = page.rows();
    let mut seen = 0;
    for (command, cells) in &rows {
        let Some(specimen) = command.strip_prefix("apmatrix explore --specimen ") else { continue };
        seen += 1;
        let document = explored(&["--specimen", specimen]);
        if specimen == "v12" {
            let rows = document["rows"].as_array().expect("rows");
            let questions = rows.iter().flat_map(|row| row.as_object().expect("a row").values());
            let executions = questions.filter_map(|question| question["executions"].as_u64()).sum();
            check(specimen, "interleavings", executions, cells);
            check(specimen, "variants", rows.len() as u64, cells);
        } else {
            check(specimen, "interleavings", document["executions"].as_u64().expect("a number"), cells);
            check(specimen, "states", document["states"].as_u64().expect("a number"), cells);
        }
    }
    assert!(seen >= 6, "the page has {seen} rows of specimens");

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A table with a row for each file of `scenarios/`: its page, what a row begins with, and in which cell stands what.
struct Table {
    page: &'static str,
    begins: &'static str,
    figures: &'static [(usize, &'static str)],
}

const TABLES: &[Table] = &[
    Table { page: "docs/performance/explore.md", begins: "| ", figures: &[(2, "outcomes"), (4, "states")] },
    Table {
        page: "scenarios/README.md",
        begins: "| [",
        figures: &[(4, "executions"), (5, "states"), (7, "outcomes")],
    },
];

#[test]
fn h16_the_tables_of_all_scenarios_are_the_programs() {
    let names = std::fs::read_dir(root().join("scenarios")).expect("scenarios");
    let names = names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut files: Vec<String> =
        names.filter(|name| name.ends_with(".toml")).map(|name| format!("scenarios/{name}")).collect();
    files.sort();
    let all = explored(&files.iter().map(String::as_str).collect::<Vec<_>>());
    let documents = all["scenarios"].as_array().expect("a list");
    assert_eq!(documents.len(), files.len());
    let mut wrong = Vec::new();
    for table in TABLES {
        let page = Page::read(table.page);
        let (mut text, mut states) = (page.text.clone(), 0);
        for (file, document) in files.iter().zip(documents) {
            assert_eq!(document["file"], *file);
            let name = file.trim_start_matches("scenarios/").trim_end_matches(".toml");
            let number = |what: &str| match &document[what] {
                serde_json::Value::Array(list) => list.len() as u64,
                number => number.as_u64().unwrap_or_else(|| panic!("{name}: {what} is {number}")),
            };
            states += number("states");
            let row = page.text.lines().find(|line| {
                line.starts_with(table.begins)
                    && line.trim_start_matches(table.begins).starts_with(&format!("{name}{}", end(table)))
            });
            let Some(row) = row else {
                wrong.push(format!("{}: there is no row of {name}", table.page));
                continue;
            };
            let figures: Vec<_> = table.figures.iter().map(|(at, what)| (*at, number(what))).collect();
            let right = with(&cells(row), &figures);
            if right != row {
                wrong.push(format!("{}: {row}\n  is now {right}", table.page));
                text = text.replace(row, &right);
            }
        }
        if let Some(row) = page.text.lines().find(|line| line.starts_with("| together |")) {
            let at = table.figures.iter().find(|(_, what)| *what == "states").map_or(0, |(at, _)| *at);
            let right = with(&cells(row), &[(at, states)]);
            if right != row {
                wrong.push(format!("{}: {row}\n  is now {right}", table.page));
                text = text.replace(row, &right);
            }
        }
        if text != page.text && crate::blocks::asked("rewrite") {
            std::fs::write(root().join(&page.name), text).expect("the page is ours");
            wrong.push(format!("{}: the table of scenarios is rewritten; run the test again", page.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What stands behind a scenario's name in a row.
fn end(table: &Table) -> &'static str {
    if table.begins.ends_with('[') { "](" } else { " |" }
}

fn cells(line: &str) -> Vec<String> {
    line.trim()
        .trim_start_matches('|')
        .trim_end_matches('|')
        .split('|')
        .map(|cell| cell.trim().to_owned())
        .collect()
}

/// The row with other numbers in some cells.
fn with(cells: &[String], numbers: &[(usize, u64)]) -> String {
    let mut cells = cells.to_vec();
    for &(at, number) in numbers {
        cells[at] = written(number);
    }
    let row = cells.iter().map(|cell| if cell.is_empty() { " ".to_owned() } else { format!(" {cell} ") });
    format!("|{}|", row.collect::<Vec<_>>().join("|"))
}
