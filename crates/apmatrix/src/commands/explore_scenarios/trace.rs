//! An execution for people: the lines of the tasks' scripts, and below them what each step does.

use std::fmt::Write as _;

use crate::timeline::Step;

/// The width of the columns beside the words.
const NUMBERS: usize = 9;
const PLACE: usize = 18;

/// The trace, a line for each of these steps. Where another task goes on there is its name.
pub fn text(tasks: &[String], steps: &[Step], width: usize) -> String {
    let mut text = String::new();
    let mut last = None;
    for step in steps {
        if last != Some(step.task) || step.call.is_some() {
            let call = step.call.as_deref().unwrap_or("goes on");
            let line = format!("{}: {call}", tasks[step.task]);
            let _ = writeln!(text, "{}", wrapped(&line, 4, width));
        }
        last = Some(step.task);
        let numbers = match step {
            Step { first, last, .. } if first == last => last.to_string(),
            Step { first, last, .. } => format!("{first}-{last}"),
        };
        // Their letters are enough.
        let letters = step.held.iter().filter_map(|held| held.split(' ').next());
        let held = letters.collect::<Vec<_>>().join(" ");
        let words = if held.is_empty() { step.words.clone() } else { format!("{}  [{held}]", step.words) };
        let room = width.saturating_sub(NUMBERS + 3 + PLACE).max(20);
        let file = step.at.rsplit('/').next().unwrap_or_default();
        let line = format!("{numbers:>NUMBERS$}  {words:room$} {file}");
        let _ = writeln!(text, "{}", line.trim_end());
        for told in &step.told {
            let _ = writeln!(text, "{}", wrapped(&format!("{:NUMBERS$}  = {told}", ""), NUMBERS + 4, width));
        }
        for found in &step.found {
            let _ = writeln!(text, "{}", wrapped(&format!("{:NUMBERS$}  ^ {found}", ""), NUMBERS + 4, width));
        }
    }
    text
}

/// A line, and as many more as it needs.
fn wrapped(line: &str, indent: usize, width: usize) -> String {
    let indent = " ".repeat(indent);
    textwrap::fill(line, textwrap::Options::new(width).subsequent_indent(&indent))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::timeline::{Kind, merged};

    fn step(task: usize, kind: Kind, words: &str) -> Step {
        let object = words.split_once(' ').map_or("", |(_, object)| object);
        Step {
            first: 0,
            last: 0,
            mark: None,
            task,
            kind,
            words: words.to_owned(),
            object: object.trim_start_matches("at ").to_owned(),
            at: "masks.rs:7".to_owned(),
            held: Vec::new(),
            call: None,
            answer: None,
            told: Vec::new(),
            changed: Vec::new(),
            found: Vec::new(),
        }
    }

    #[test]
    fn what_belongs_together_is_one_line() {
        let mut steps = vec![
            step(0, Kind::Takes, "takes P"),
            step(0, Kind::Releases, "releases P"),
            step(0, Kind::Takes, "takes M"),
            step(1, Kind::Looks, "looks at A"),
            step(1, Kind::Looked, "looked at A"),
            step(0, Kind::Releases, "releases M"),
        ];
        steps[0].call = Some("echo +10 > /sys/bus/ap/apmask".to_owned());
        steps[2].held = vec!["M".to_owned()];
        steps[5].told = vec!["guest g1 has 0a.0006".to_owned()];
        steps[5].found = vec!["stolen: 0a.0006".to_owned()];
        for (index, step) in steps.iter_mut().enumerate() {
            (step.first, step.last) = (index + 1, index + 1);
        }
        let steps = merged(steps);
        let tasks = ["bus".to_owned(), "admin".to_owned()];
        assert_snapshot!(text(&tasks, &steps, 60), @r"
        bus: echo +10 > /sys/bus/ap/apmask
              1-2  takes and releases P           masks.rs:7
                3  takes M  [M]                   masks.rs:7
        admin: goes on
              4-5  looks at A                     masks.rs:7
        bus: goes on
                6  releases M                     masks.rs:7
                   = guest g1 has 0a.0006
                   ^ stolen: 0a.0006
        ");
    }
}
