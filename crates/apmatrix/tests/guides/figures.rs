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

    // The table of all scenarios: the page's after, and its sum.
    let rows: Vec<&str> =
        page.text.lines().filter(|line| line.starts_with("| ") && line.contains(" | clean | ")).collect();
    let files: Vec<String> = rows.iter().map(|line| format!("scenarios/{}.toml", cells(line)[0])).collect();
    let all = explored(&files.iter().map(String::as_str).collect::<Vec<_>>());
    let (mut sum, mut scenarios, mut edits) = (0, 0, Vec::new());
    for (line, document) in rows.into_iter().zip(all["scenarios"].as_array().expect("a list")) {
        let cells = cells(line);
        assert_eq!(document["file"], format!("scenarios/{}.toml", cells[0]));
        let states = document["states"].as_u64().expect("a number");
        let outcomes = document["outcomes"].as_array().expect("a list");
        check(&cells[0], "states", states, &cells[4..5]);
        check(&cells[0], "outcomes", outcomes.len() as u64, &cells[2..3]);
        edits.push((line.to_owned(), with(&cells, &[(2, outcomes.len() as u64), (4, states)])));
        (sum, scenarios) = (sum + states, scenarios + 1);
    }
    assert!(scenarios > 80, "the page has {scenarios} rows of scenarios");
    let line = page.text.lines().find(|line| line.starts_with("| together |")).expect("a sum");
    let together = cells(line);
    check("together", "states", sum, &together[4..5]);
    edits.push((line.to_owned(), with(&together, &[(4, sum)])));
    if !wrong.is_empty() && crate::blocks::asked("rewrite") {
        let mut text = page.text.clone();
        for (old, new) in edits {
            text = text.replace(&old, &new);
        }
        std::fs::write(root().join(&page.name), text).expect("the page is ours");
        wrong.push(format!("{}: the table of scenarios is rewritten; run the test again", page.name));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
