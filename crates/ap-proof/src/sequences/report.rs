//! What an exploration found.

use std::time::Duration;

use crate::oracle::{Broken, Known, Verdict};
use crate::sequences::bench::SETTLE;
use crate::sequences::operation::Operation;

/// Something that does not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    /// What is wrong: of several that are one known deviation, the first.
    pub broken: Broken,
    /// The known deviation that it is.
    pub known: Option<Known>,
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
        let mut operations = self.beginning.iter().chain(&self.sequence).peekable();
        while let Some(operation) = operations.next() {
            lines.push(operation.to_string());
            if operation.leaves_work() && operations.peek().is_some() {
                lines.push(format!("sleep {}", SETTLE as f64 / 1000.0));
            }
        }
        lines
    }
}

impl Report {
    /// The first that was found and is not known: `clean` only if all sequences of the depth that was asked for were
    /// explored, else `unknown`; `rule` if that breaks only a rule of page 2 or 3.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        match self.violations.iter().find(|violation| violation.known.is_none()) {
            Some(violation) => violation.broken.word(),
            None if self.cut.is_some() => "unknown",
            None => Verdict::Clean.word(),
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
