//! What an exploration found.

use std::time::Duration;

use super::operation::Operation;
use super::world::SETTLE;

/// Something that does not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which invariant of page 4 or rule of page 2 or 3; or `deadlock`, `livelock`, `panic`.
    pub invariant: &'static str,
    /// The verdict's word, as scenarios use them; `rule` if only a rule of page 2 or 3 is broken.
    pub verdict: &'static str,
    /// What is wrong.
    pub what: String,
    /// `KNOWN-nnn`, if it is one of those.
    pub known: Option<&'static str>,
    /// How often it was met.
    pub count: u64,
    /// What is done before the sequence begins.
    pub beginning: Vec<Operation>,
    /// A shortest sequence.
    pub sequence: Vec<Operation>,
}

/// The result.
#[derive(Clone, Debug)]
pub struct Report {
    /// The alphabet's name.
    pub alphabet: &'static str,
    /// How many operations it has.
    pub operations: usize,
    /// How many transitions were explored.
    pub transitions: u64,
    /// How many states were found.
    pub states: u64,
    /// To which depth every sequence was explored.
    pub depth: u32,
    /// Whether no new states are left: sequences of every length were explored.
    pub closed: bool,
    /// Whether it ended before the depth that was asked for, and why.
    pub cut: Option<&'static str>,
    /// States first met at each depth.
    pub levels: Vec<u64>,
    /// How long it took.
    pub time: Duration,
    /// What does not hold; known ones, too.
    pub violations: Vec<Violation>,
}

impl Violation {
    /// The lines that show it, for `apmatrix shell --machine tiny`.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for operation in self.beginning.iter().chain(&self.sequence) {
            lines.push(operation.to_string());
            if operation.leaves_work() {
                lines.push(format!("sleep {}", SETTLE as f64 / 1000.0));
            }
        }
        if lines.last().is_some_and(|line| line.starts_with("sleep")) {
            lines.pop();
        }
        lines
    }
}

impl Report {
    /// The worst that was found: `clean` only if all sequences of the depth that was asked for were explored.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        match self.violations.iter().find(|violation| violation.known.is_none()) {
            Some(violation) => violation.verdict,
            None if self.cut.is_some() => "unknown",
            None => "clean",
        }
    }

    /// Whether nothing but known ones was found.
    #[must_use]
    pub fn clean(&self) -> bool {
        self.violations.iter().all(|violation| violation.known.is_some())
    }

    /// Transitions in a second.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.transitions as f64 / self.time.as_secs_f64().max(1e-9)
    }
}

/// The verdict of a broken invariant.
pub(super) fn verdict(invariant: &str) -> &'static str {
    match invariant {
        "I1" => "shared",
        "I2" => "stolen",
        "I5" => "unreset",
        "I8" => "not-linearizable",
        "I9" => "spurious-busy",
        "I11" => "leak",
        "deadlock" => "deadlock",
        "livelock" => "livelock",
        "panic" => "panic",
        "page 2" | "page 3" => "rule",
        _ => "unfiltered",
    }
}
