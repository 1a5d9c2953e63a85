//! `apmatrix explore --list`.

use std::io::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::commands::explore_scenarios;
use crate::error::Outcome;

/// What can be explored.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    specimens: Vec<Entry>,
    scenarios: Vec<Entry>,
}

#[derive(Serialize)]
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
    let mut out = anstream::stdout().lock();
    for (title, entries) in
        [("specimens (--specimen ID)", &document.specimens), ("scenarios", &document.scenarios)]
    {
        let width = entries.iter().map(|entry| entry.id.len()).max().unwrap_or(0);
        if !entries.is_empty() {
            writeln!(out, "{title}:")?;
        }
        for entry in entries {
            writeln!(out, "  {:width$}  {}", entry.id, entry.title)?;
        }
    }
    Ok(0)
}
