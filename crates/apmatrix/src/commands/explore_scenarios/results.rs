//! The results of outcomes in words.

use ap_files::scenario::Results;
use ap_proof::scenario::{BACKGROUND, Explored};
use explore::OutcomeReport;

use crate::scenario::Playable;

/// The results of an outcome, by task, without the background's.
pub fn results(explored: &Explored, outcome: &OutcomeReport) -> Results {
    named(&explored.report.tasks, &outcome.results)
}

/// Results by the tasks' names, without the background's.
pub fn named(tasks: &[String], results: &[String]) -> Results {
    let pairs = tasks.iter().zip(results).filter(|(name, _)| *name != BACKGROUND);
    pairs.map(|(name, result)| (name.clone(), result.clone())).collect()
}

/// Results in a line.
pub fn text(results: &Results) -> String {
    results.iter().map(|(name, result)| format!("{name}={result}")).collect::<Vec<_>>().join(" ")
}

/// The tasks' names, the background's last.
pub fn names(play: &Playable) -> Vec<String> {
    let tasks = play.scenario.tasks.iter().map(|task| task.name.clone());
    tasks.chain([BACKGROUND.to_owned()]).collect()
}
