//! One exploration checked by another. This module compares reports and knows nothing of how they came about.

use std::collections::BTreeSet;

use crate::explorer::Explorer;
use crate::options::{Options, Strategy};
use crate::program::{Finding, Program};
use crate::report::Report;

/// What two explorers say of one program.
#[derive(Clone, Debug)]
pub struct CrossCheck {
    /// What the explorer with the options' strategy says.
    pub first: Report,
    /// What the explorer with the other strategy says.
    pub second: Report,
    /// In what they differ, in sentences; empty if they agree.
    pub differences: Vec<String>,
}

impl CrossCheck {
    /// Whether both explored everything and say the same.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.differences.is_empty() && self.first.exhausted && self.second.exhausted
    }
}

impl Explorer {
    /// Explores the program in the way that the options say, then in the other way: DPOR for the state cache, the
    /// state cache for all others. The two rely on different things, so what both say can be relied on more.
    ///
    /// If either is not exhausted, only what it found is compared with what the other rules out.
    pub fn cross_check(&mut self, program: &mut dyn Program) -> CrossCheck {
        let first = self.run(program);
        let strategy = match self.options().strategy {
            Strategy::StateCache | Strategy::EveryState => Strategy::Dpor,
            _ => Strategy::StateCache,
        };
        let options = Options { strategy, shrink: false, ..self.options().clone() };
        let second = Explorer::new(options).run(program);
        let mut differences = Vec::new();
        compare(&first, &second, &mut differences);
        compare(&second, &first, &mut differences);
        CrossCheck { first, second, differences }
    }
}

/// Notes what `one` found and `other`, which explored everything, did not.
fn compare(one: &Report, other: &Report, differences: &mut Vec<String>) {
    if !other.exhausted {
        return;
    }
    let findings: BTreeSet<&Finding> = other.violations.iter().map(|violation| &violation.finding).collect();
    for violation in one.violations.iter().filter(|violation| !findings.contains(&violation.finding)) {
        let (finding, schedule) = (&violation.finding, &violation.schedule);
        differences.push(format!("only one found {}: {} ({schedule})", finding.verdict, finding.what));
    }
    let outcomes: BTreeSet<_> =
        other.outcomes.iter().map(|outcome| (&outcome.results, &outcome.state)).collect();
    for outcome in
        one.outcomes.iter().filter(|outcome| !outcomes.contains(&(&outcome.results, &outcome.state)))
    {
        let (results, schedule) = (outcome.results.join(", "), &outcome.schedule);
        differences.push(format!("only one found the outcome {results}: {} ({schedule})", outcome.state));
    }
}
