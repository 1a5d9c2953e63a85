//! A scenario as a program for the explorer.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ap_host::invariants;
use ap_sysfs::Errno;
use ap_task::order::{Guests, Kvm, Mdevs};
use explore::{Finding, Program, Task};
use locks::{Level, Object};

use crate::oracle::{Broken, Difference, NoOrder};
use crate::scenario::glossary;
use crate::scenario::outcome::{Ended, Outcome};
use crate::scenario::serial::{Serial, play_all};
use crate::scenario::stage::{Actor, Cast, Stage};
use crate::scenario::sweeps::Sweeps;
use crate::scenario::turn::AtOnce;
use crate::scenario::words::FinalState;

/// A scenario as the explorer runs it.
pub(super) struct Interleavings<'s> {
    stage: &'s Stage,
    /// The outcomes that one-after-the-other orders have, if all are known.
    serial: Option<&'s Serial>,
    /// The outcomes of orders in which bindings are revised in a turn of its own; none if they can't all be known.
    relaxed: Option<Option<BTreeSet<Outcome>>>,
    /// When the time is up.
    until: Option<Instant>,
}

impl<'s> Interleavings<'s> {
    /// The scenario on that stage, with what its orders end in; orders that are played later must fit into the budget,
    /// too.
    pub(super) fn new(stage: &'s Stage, serial: &'s Serial, budget: Option<Duration>) -> Interleavings<'s> {
        let until = budget.and_then(|budget| Instant::now().checked_add(budget));
        Interleavings { stage, serial: serial.complete.then_some(serial), relaxed: None, until }
    }

    /// Whether every outcome could be compared with what orders end in.
    pub(super) fn decided(&self) -> bool {
        self.serial.is_some() && self.relaxed != Some(None)
    }

    /// What is wrong with an outcome that no order has.
    fn linearizable(&mut self, outcome: &Outcome) -> Option<Broken> {
        let serial = self.serial?;
        if serial.outcomes.contains(outcome) {
            return None;
        }
        let stage = self.stage;
        let until = self.until;
        let relaxed = self.relaxed.get_or_insert_with(|| {
            let late = || until.is_some_and(|until| Instant::now() >= until);
            let Serial { outcomes, mistake, complete, .. } = play_all(stage, true, &late);
            (complete && mistake.is_none()).then_some(outcomes)
        });
        // Nobody is accused by orders that are not all known.
        let relaxed = relaxed.as_ref()?;
        if relaxed.contains(outcome) || excused(outcome, relaxed, serial.sweeps) {
            return None;
        }
        let refused = outcome.results.iter().enumerate().find_map(|(task, result)| {
            let errno = result.busy()?;
            relaxed.iter().all(|other| other.results[task] != *result).then_some((task, errno))
        });
        if let Some((task, refusal)) = refused {
            return Some(Broken::RefusedInNoOrder { task: stage.name(task).to_owned(), refusal });
        }
        let named = |(task, result): (usize, &Ended)| (stage.name(task).to_owned(), result.word());
        let nearest = relaxed.iter().find(|other| other.results == outcome.results);
        let difference = nearest
            .map(|nearest| Difference::between(&outcome.state.to_string(), &nearest.state.to_string()));
        Some(NoOrder { results: outcome.results.iter().enumerate().map(named).collect(), difference }.into())
    }
}

/// Whether an outcome differs from those of orders only in what calls that are not one piece may leave different.
fn excused(outcome: &Outcome, orders: &BTreeSet<Outcome>, sweeps: Sweeps) -> bool {
    let results = absent(&outcome.results);
    let same = |kept: &dyn Fn(&FinalState) -> bool| {
        orders.iter().any(|order| absent(&order.results) == results && kept(&order.state))
    };
    let without_flags = outcome.state.without_flags();
    sweeps.flags && same(&|state| state.without_flags() == without_flags)
        || sweeps.bindings && same(&|state| state.promised() == outcome.state.promised())
}

/// The results where a file that may not be created counts as one that is not there: a device that is being made or
/// removed is there, and its driver's attributes are not.
fn absent(results: &[Ended]) -> Vec<Ended> {
    let (refused, missing) = (Ended::Refused(Errno::EACCES), Ended::Refused(Errno::ENOENT));
    results.iter().map(|result| if *result == refused { missing } else { *result }).collect()
}

fn finding(broken: &Broken) -> Finding {
    let what = match broken {
        Broken::State(state) => format!("{}: {state}", state.invariant()),
        other => other.to_string(),
    };
    Finding::new(broken.word(), what)
}

impl Program for Interleavings<'_> {
    fn begin(&mut self) -> Vec<Task> {
        let Cast { actors, .. } = self.stage.begin(|_| Rc::new(AtOnce));
        let task = |Actor { name, body, daemon, listener }| Task {
            name,
            body: Box::new(move || body().word().to_owned()),
            daemon,
            listener: Some(listener),
        };
        actors.into_iter().map(task).collect()
    }

    fn finish(&mut self, results: &[String]) -> explore::Outcome {
        let end = self.stage.look();
        let mut broken: Vec<Broken> = invariants::check(&end).into_iter().map(Broken::from).collect();
        let ended = |word: &String| Ended::from_word(word).expect("a task's result is one of these words");
        let results = results[..self.stage.tasks()].iter().map(ended).collect();
        let outcome = Outcome { results, state: FinalState::of(&end) };
        broken.extend(self.linearizable(&outcome));
        explore::Outcome { state: outcome.state.to_string(), findings: broken.iter().map(finding).collect() }
    }

    fn called(&self, object: &Object) -> Option<String> {
        glossary::called(object)
    }

    fn watches(&self, object: &Object) -> bool {
        [Guests::NAME, Kvm::NAME, Mdevs::NAME].contains(&object.level)
    }

    fn settled(&mut self) -> Vec<Finding> {
        let mut found = Vec::new();
        self.stage.settled(&mut found);
        found.into_iter().map(|broken| finding(&broken.into())).collect()
    }
}
