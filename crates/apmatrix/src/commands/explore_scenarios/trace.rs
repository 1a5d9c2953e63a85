//! A trace for people: a column per task, a line per step.

use std::fmt::Write as _;

use explore::TraceStep;

/// The widest column.
const WIDEST: usize = 40;

/// The trace, a line per step: number, the step in its task's column, source, locks held.
///
/// The tasks that take no step have no column.
pub fn columns(tasks: &[String], trace: &[TraceStep]) -> String {
    let used: Vec<usize> =
        (0..tasks.len()).filter(|task| trace.iter().any(|step| step.task == *task)).collect();
    let words: Vec<String> = trace.iter().map(words).collect();
    let width = |task: usize| {
        let steps = trace.iter().zip(&words).filter(|(step, _)| step.task == task);
        steps.map(|(_, words)| words.chars().count()).max().unwrap_or(0).max(tasks[task].len()).min(WIDEST)
    };
    let widths: Vec<usize> = used.iter().map(|task| width(*task)).collect();
    let mut text = String::from("     ");
    for (task, width) in used.iter().zip(&widths) {
        let _ = write!(text, " {:width$} ", tasks[*task]);
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    for (number, (step, words)) in trace.iter().zip(&words).enumerate() {
        let mut line = format!("{:5}", number + 1);
        for (task, width) in used.iter().zip(&widths) {
            let cell = if *task == step.task { words.as_str() } else { "·" };
            let _ = write!(line, " {cell:width$} ");
        }
        let _ = write!(line, " {}", step.at);
        if !step.held.is_empty() {
            let _ = write!(line, "  [{}]", step.held.join(", "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
        for finding in &step.found {
            let _ = writeln!(text, "      ^ {}: {}", finding.verdict, finding.what);
        }
    }
    text
}

fn words(step: &TraceStep) -> String {
    let failed = if step.ok { "" } else { " (busy)" };
    format!("{} {}{failed}", step.step, step.object)
}
