//! What is found at the end of a way: executions that end, or never do, and tasks that wait for ever.
//!
//! Knows where the walk is; not how it comes there.

use super::Ways;
use crate::engine::collect::{Collector, Path};
use crate::engine::deadlock::Deadlock;
use crate::engine::executions::execute;
use crate::engine::findings;
use crate::engine::mode::Mode;
use crate::engine::model::Phase;
use crate::engine::replay::Along;
use crate::engine::tasks::{Tasks, members};
use crate::met::{Found, Met};
use crate::program::{Finding, Outcome};

impl Ways<'_, '_, '_> {
    fn finding_endless(&self) -> Finding {
        findings::endless(self.max_steps)
    }

    /// That an execution does not end.
    pub(super) fn endless(&self) -> Found {
        Found::of(&self.finding_endless())
    }

    /// The deadlock of the present state, in which no task can go on, if it is one.
    fn deadlock(&self) -> Option<Finding> {
        let state = &self.frames[self.depth].state;
        let unfinished = |&task: &usize| match state.model.phases[task] {
            Phase::Ended => false,
            Phase::Waiting(_) => self.executor.daemons() >> task & 1 == 0,
            _ => true,
        };
        let stuck: Tasks = (0..state.model.tasks).filter(unfinished).fold(0, |set, task| set | 1 << task);
        let learned = &self.executor.conductor.control.borrow().learned;
        let deadlock = || Deadlock::of(&state.model, &state.pending(learned), stuck);
        (stuck != 0).then(|| deadlock().finding(&learned.objects, &learned.names))
    }

    /// Executes the present way, and has the program look at its end.
    fn outcome(&mut self) -> Result<(Vec<String>, Outcome), String> {
        self.sync()?;
        let end = self.executor.finish();
        self.begun = false;
        Ok(end)
    }

    /// What there is to say of the present state, in which no task can go on.
    pub(super) fn ended(&mut self) -> Result<Vec<Found>, String> {
        if let Some(deadlock) = self.deadlock() {
            return Ok(vec![Found::of(&deadlock)]);
        }
        let (results, outcome) = self.outcome()?;
        let ends = Found { key: outcome_key(&results, &outcome.state), ends: true };
        Ok(std::iter::once(ends).chain(outcome.findings.iter().map(Found::of)).collect())
    }

    /// Goes again to where things were met, and tells them in full.
    ///
    /// # Errors
    /// If they are not there.
    pub(crate) fn collect(&mut self, met: &[Met]) -> Result<Collector, String> {
        let mut collector = Collector::new(false, None);
        for Met { key, ends, count, way } in met {
            let lost = || "what was found is not found again: the program is not deterministic".to_owned();
            if *ends {
                self.reach(way)?;
                let path = self.path.clone();
                let (results, outcome) = self.outcome()?;
                if outcome_key(&results, &outcome.state) != *key {
                    return Err(lost());
                }
                let index = collector.outcome(results, outcome, &path);
                collector.outcomes[index].executions = *count;
                continue;
            }
            let (finding, path) = self.again(way, *key)?.ok_or_else(lost)?;
            let number = self.executor.conductor.control.borrow_mut().learned.finding(finding);
            collector.violation(number, &path);
            if let Some(met) = collector.violations.last_mut() {
                met.2 = *count;
            }
        }
        Ok(collector)
    }

    /// The finding of a key that a way shows, and the path that leads there.
    fn again(&mut self, way: &[u8], key: u64) -> Result<Option<(Finding, Path)>, String> {
        let is_it = |finding: &Finding| Found::of(finding).key == key;
        if let Some((last, before)) = way.split_last() {
            self.reach(before)?;
            // A way may come from a file, or from another machine.
            if !members(self.enabled()).any(|task| task == usize::from(*last)) {
                return Ok(None);
            }
            let ends = self.advance(usize::from(*last))?;
            let control = self.executor.conductor.control.borrow();
            for (number, steps) in &self.found {
                let finding = control.learned.findings.get(*number);
                if is_it(finding) {
                    return Ok(Some((finding.clone(), self.path[..*steps].to_vec())));
                }
            }
            drop(control);
            if !ends {
                return Ok(Some((self.finding_endless(), self.path.clone())).filter(|(it, _)| is_it(it)));
            }
            if let Some(round) = self.around(usize::from(*last))?
                && is_it(&round.0)
            {
                return Ok(Some(round));
            }
        }
        self.reach(way)?;
        let path = self.path.clone();
        if way.is_empty() {
            let control = self.executor.conductor.control.borrow();
            let mut beginning = self.beginning.iter().map(|number| control.learned.findings.get(*number));
            if let Some(finding) = beginning.find(|finding| is_it(finding)) {
                return Ok(Some((finding.clone(), path)));
            }
        }
        if path.len() > self.max_steps {
            return Ok(Some((self.finding_endless(), path)).filter(|(it, _)| is_it(it)));
        }
        if self.enabled() != 0 {
            return Ok(None);
        }
        if let Some(deadlock) = self.deadlock() {
            return Ok(Some((deadlock, path)).filter(|(it, _)| is_it(it)));
        }
        let (_, outcome) = self.outcome()?;
        Ok(outcome.findings.into_iter().find(is_it).map(|finding| (finding, path)))
    }

    /// Executes along all steps of paths, and learns which locks were asked for while which were held.
    pub(crate) fn ask_along(&mut self, paths: &[Path]) {
        for path in paths {
            self.executor.set_mode(Mode::Plain);
            self.executor.conductor.control.borrow_mut().learned.single = usize::MAX;
            execute(self.executor, &mut Along::new(path, Mode::Plain), usize::MAX);
            self.executor.abandon();
        }
        self.begun = false;
        self.executor.conductor.control.borrow_mut().learned.single = 0;
        self.executor.set_mode(Mode::Learn);
    }

    /// What others asked for and this exploration did not: paths that lead there.
    pub(crate) fn not_asked(&mut self) -> Vec<Path> {
        let control = self.executor.conductor.control.borrow();
        self.common.not_asked(&control.learned)
    }
}

fn outcome_key(results: &[String], state: &str) -> u64 {
    locks::hook::fingerprint(&(results, state))
}
