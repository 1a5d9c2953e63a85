//! The findings of an exploration, each once, by number. This module knows nothing of how they are made.

use rustc_hash::FxHashMap;

use crate::program::Finding;
use crate::verdict;

/// All findings so far, numbered as they were made first.
#[derive(Default)]
pub(crate) struct Findings {
    all: Vec<Finding>,
    numbers: FxHashMap<(&'static str, String), u32>,
}

impl Findings {
    /// Gives the finding's number, a new one if it was never made before.
    pub(crate) fn number(&mut self, finding: Finding) -> u32 {
        let next = self.all.len() as u32;
        let key = (finding.verdict, finding.what.clone());
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.all.push(finding);
        }
        number
    }

    /// Gives the finding of a number.
    pub(crate) fn get(&self, number: u32) -> &Finding {
        &self.all[number as usize]
    }
}

/// The finding that an execution has more steps than an execution may have.
pub(crate) fn endless(steps: usize) -> Finding {
    Finding::new(verdict::LIVELOCK, format!("an execution goes on after {steps} steps"))
}
