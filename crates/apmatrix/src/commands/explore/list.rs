//! `apmatrix explore --list`.

use std::io::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::commands::explore_scenarios;
use crate::error::Outcome;
use crate::terminal::{Table, findings, width};

/// What can be explored.
#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct Document {
    schema: &'static str,
    specimens: Vec<Entry>,
    scenarios: Vec<Entry>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Entry {
    id: String,
    title: String,
}

/// Prints what can be explored: specimens, and the scenario files that are at hand.
pub fn run(json: bool) -> Outcome {
    let specimens = ap_seed::specimens();
    let specimens =
        specimens.iter().map(|s| Entry { id: s.id.to_owned(), title: s.title.to_owned() }).collect();
    let files = explore_scenarios::list(Path::new(explore_scenarios::DIRECTORY))?;
    let scenarios = files
        .into_iter()
        .map(|play| Entry { id: play.file.path.display().to_string(), title: play.scenario.title })
        .collect();
    let document = Document { schema: "apmatrix.explore-list/1", specimens, scenarios };
    if json {
        crate::commands::print_json(&document)?;
        return Ok(0);
    }
    let mut out = findings();
    for (title, entries) in
        [("specimens (--specimen ID)", &document.specimens), ("scenarios", &document.scenarios)]
    {
        if entries.is_empty() {
            continue;
        }
        writeln!(out, "{title}:")?;
        let mut table = Table::indented(2);
        entries.iter().for_each(|entry| table.row([&entry.id, &entry.title]));
        write!(out, "{}", table.render(width()))?;
    }
    Ok(0)
}
