//! What a walk finds: findings of its steps, executions that do not end, and the states in which no task can go on.
//!
//! Knows where the walk is; not how it goes on.

use super::Walk;
use crate::engine::deadlock::Deadlock;
use crate::engine::findings;
use crate::engine::mode::Mode;
use crate::engine::model::Phase;
use crate::engine::tasks::Tasks;

impl Walk<'_, '_, '_, '_, '_> {
    /// Notes what the last step found.
    pub(super) fn report(&mut self) {
        if self.retraces.is_some() {
            return;
        }
        for (finding, steps) in std::mem::take(&mut self.found) {
            self.violation(finding, steps);
        }
    }

    pub(super) fn violation(&mut self, finding: u32, steps: usize) {
        self.collector.violation(finding, &self.path[..steps]);
    }

    pub(super) fn livelock(&mut self) {
        let finding = findings::endless(self.limits.max_steps);
        let number = self.executor.conductor.control.borrow_mut().learned.finding(finding);
        self.violation(number, self.path.len());
        self.collector.cut = true;
    }

    /// Looks at a state in which no task can go on.
    pub(super) fn ended(&mut self, fingerprint: u64) {
        let frame = &self.frames[self.depth];
        let unfinished = |&task: &usize| match frame.state.model.phases[task] {
            Phase::Ended => false,
            Phase::Waiting(_) => self.executor.daemons() >> task & 1 == 0,
            _ => true,
        };
        let stuck: Tasks =
            (0..frame.state.model.tasks).filter(unfinished).fold(0, |set, task| set | 1 << task);
        if stuck != 0 {
            let mut control = self.executor.conductor.control.borrow_mut();
            let learned = &mut control.learned;
            let deadlock = Deadlock::of(&frame.state.model, &frame.state.pending(learned), stuck);
            let finding = deadlock.finding(&learned.objects, &learned.names);
            let number = learned.finding(finding);
            drop(control);
            return self.violation(number, self.path.len());
        }
        if self.mode != Mode::Learn || !self.sync() {
            return;
        }
        let (results, outcome) = self.executor.finish();
        self.begun = false;
        for finding in &outcome.findings {
            let number = self.executor.conductor.control.borrow_mut().learned.finding(finding.clone());
            self.violation(number, self.path.len());
        }
        let index = self.collector.outcome(results, outcome, &self.path);
        self.terminals.insert(fingerprint, index);
    }
}
