//! The page of an exploration: all its executions as timelines, in one file that needs nothing else.
//!
//! What is shown is data in the file; `page.html` draws it. This module knows nothing of how it was found.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Serialize;

use super::Step;

/// What a page shows.
#[derive(Serialize)]
pub struct Page {
    /// What was explored.
    pub title: String,
    /// The verdict.
    pub verdict: String,
    /// Whether it is as it should be.
    pub good: bool,
    /// How much was explored, in a sentence.
    pub summary: String,
    /// How it differs from what its author expects, a line for each difference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unexpected: Vec<String>,
    /// The tasks' names.
    pub tasks: Vec<String>,
    /// A text whose marks steps have, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
    /// What is wrong first, then all ways in which it ends.
    pub executions: Vec<Execution>,
}

/// A text beside the executions, to whose lines marks of steps refer.
#[derive(Serialize)]
pub struct Beside {
    /// What it is.
    pub title: String,
    /// Its lines, each with its mark.
    pub lines: Vec<String>,
}

/// One execution.
#[derive(Serialize)]
pub struct Execution {
    /// In a few words: a verdict, or the tasks' results.
    pub title: String,
    /// Whether something is wrong with it.
    pub wrong: bool,
    /// What is wrong, if something is.
    pub what: String,
    /// The command that replays it.
    pub again: String,
    /// Whose each queue is at the beginning, by APQN.
    pub queues: BTreeMap<String, String>,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Who waits at its end, and for what.
    pub waits: Vec<(usize, String)>,
    /// The final state, if all tasks ended.
    pub state: String,
}

const TEMPLATE: &str = include_str!("page.html");
const DATA: &str = "@DATA@";
const TITLE: &str = "@TITLE@";

/// The page as HTML.
#[must_use]
pub fn html(page: &Page) -> String {
    // In a script nothing ends it but a tag; in a title nothing but one, or an entity, means anything.
    let data = serde_json::to_string(page).unwrap_or_default().replace('<', "\\u003c");
    let title = page.title.replace('&', "&amp;").replace('<', "&lt;");
    let (before, after) = TEMPLATE.split_once(DATA).unwrap_or((TEMPLATE, ""));
    [&before.replacen(TITLE, &title, 1), data.as_str(), after].concat()
}

/// Writes the page.
///
/// # Errors
/// What the system says.
pub fn write(path: &Path, page: &Page) -> io::Result<()> {
    std::fs::write(path, html(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_cannot_leave_its_place() {
        let page = Page {
            title: "</title><script>alert(1)</script> & @DATA@".to_owned(),
            verdict: "clean".to_owned(),
            good: true,
            summary: "</script><script>alert(2)</script>".to_owned(),
            unexpected: Vec::new(),
            tasks: vec!["<b>".to_owned()],
            beside: None,
            executions: Vec::new(),
        };
        let text = html(&page);
        assert!(text.contains("<title>&lt;/title>&lt;script>alert(1)&lt;/script> &amp; @DATA@"), "{text}");
        assert!(!text.contains("<script>alert"), "{text}");
        let from = text.find("application/json\">").expect("data") + "application/json\">".len();
        let to = from + text[from..].find("</script>").expect("its end");
        let value: serde_json::Value = serde_json::from_str(&text[from..to]).expect("JSON");
        assert_eq!(value["tasks"][0], "<b>");
        assert_eq!(value["title"], page.title);
    }
}
