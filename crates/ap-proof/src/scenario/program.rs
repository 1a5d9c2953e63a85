//! A scenario as a program for the explorer.

use std::collections::BTreeSet;
use std::rc::Rc;

use ap_host::invariants::{self, Broken};
use explore::{Finding, Program, Task};
use locks::{Level, Object};

use super::serial::{Outcome, Serial, Sweeps};
use super::stage::{Actor, Cast, Stage};
use super::state::{describe, masks_and_matrices, without_flags};
use super::turn::AtOnce;

/// A scenario as the explorer runs it.
pub(super) struct Play<'s> {
    stage: &'s Stage,
    /// The outcomes that one-after-the-other orders have, if all are known.
    serial: Option<&'s Serial>,
    /// The outcomes of orders in which bindings are revised in a turn of its own.
    relaxed: Option<BTreeSet<Outcome>>,
}

impl<'s> Play<'s> {
    pub(super) fn new(stage: &'s Stage, serial: &'s Serial) -> Play<'s> {
        Play { stage, serial: serial.complete.then_some(serial), relaxed: None }
    }

    /// What is wrong with an outcome that no order has.
    fn linearizable(&mut self, outcome: &Outcome) -> Option<Finding> {
        let serial = self.serial?;
        if serial.outcomes.contains(outcome) {
            return None;
        }
        let stage = self.stage;
        let relaxed =
            self.relaxed.get_or_insert_with(|| super::serial::play_all(stage, true, &|| false).outcomes);
        if relaxed.contains(outcome) {
            return None;
        }
        // A device that is being made or removed is there, and its driver's attributes are not: creating one is refused,
        // where without the device there is no such file.
        let absent = |results: &[String]| -> Vec<String> {
            let absent = |result: &String| if result == "EACCES" { "ENOENT" } else { result }.to_owned();
            results.iter().map(absent).collect()
        };
        let same = |kept: fn(&str) -> String| {
            let (results, state) = (absent(&outcome.results), kept(&outcome.state));
            relaxed.iter().any(|other| absent(&other.results) == results && kept(&other.state) == state)
        };
        let Sweeps { bindings, flags } = serial.sweeps;
        if flags && same(without_flags) || bindings && same(masks_and_matrices) {
            return None;
        }
        let busy = ["EBUSY", "EAGAIN"].map(str::to_owned);
        let spurious = outcome.results.iter().enumerate().find(|(task, result)| {
            busy.contains(result) && relaxed.iter().all(|other| other.results[*task] != **result)
        });
        if let Some((task, result)) = spurious {
            let name = self.stage.name(task);
            return Some(Finding::new(
                "spurious-busy",
                format!("{name} answers {result}, which it does in no one-after-the-other order"),
            ));
        }
        let results: Vec<String> =
            (0..).zip(&outcome.results).map(|(task, r)| format!("{}={r}", self.stage.name(task))).collect();
        let same: Vec<&Outcome> = relaxed.iter().filter(|other| other.results == outcome.results).collect();
        let difference = match same.first() {
            None => "no one-after-the-other order gives these results".to_owned(),
            Some(nearest) => {
                format!("they give another final state: {}", difference(&outcome.state, &nearest.state))
            }
        };
        Some(Finding::new("not-linearizable", format!("{}: {difference}", results.join(" "))))
    }
}

/// The lines in which two states differ.
fn difference(found: &str, expected: &str) -> String {
    let only = |a: &str, b: &str| -> Vec<String> {
        a.lines()
            .filter(|line| !b.lines().any(|other| other == *line))
            .map(|line| format!("`{line}`"))
            .collect()
    };
    let (here, there) = (only(found, expected), only(expected, found));
    format!("{} instead of {}", here.join(", "), there.join(", "))
}

fn verdict(broken: &Broken) -> &'static str {
    match broken.invariant {
        "I1" => "shared",
        "I2" => "stolen",
        "I5" => "unreset",
        "I11" => "leak",
        _ => "unfiltered",
    }
}

fn finding(broken: &Broken) -> Finding {
    Finding::new(verdict(broken), format!("{}: {}", broken.invariant, broken.what))
}

impl Program for Play<'_> {
    fn begin(&mut self) -> Vec<Task> {
        let Cast { actors, .. } = self.stage.begin(|_| Rc::new(AtOnce));
        let task = |Actor { name, body, daemon }| Task { name, body, daemon };
        actors.into_iter().map(task).collect()
    }

    fn finish(&mut self, results: &[String]) -> explore::Outcome {
        let end = self.stage.look();
        let mut findings: Vec<Finding> = invariants::check(&end).iter().map(finding).collect();
        let results = results[..self.stage.tasks()].to_vec();
        let outcome = Outcome { results, state: describe(&end) };
        findings.extend(self.linearizable(&outcome));
        explore::Outcome { state: outcome.state, findings }
    }

    fn watches(&self, object: &Object) -> bool {
        use ap_host::order::{Guests, Kvm, Mdevs};
        [Guests::NAME, Kvm::NAME, Mdevs::NAME].contains(&object.level)
    }

    fn settled(&mut self) -> Vec<Finding> {
        let mut found = Vec::new();
        self.stage.settled(&mut found);
        found.iter().map(finding).collect()
    }
}
