//! What is learned over all executions of one exploration.
//!
//! Walks over states need nothing else. This module knows nothing of the execution that is running, nor of how a
//! search goes from one execution to the next.

use locks::Object;
use rustc_hash::FxHashMap;

use super::automaton::Automaton;
use super::findings::Findings;
use super::graph::Graph;
use super::objects::{ObjectId, Objects};
use super::past::Pasts;
use super::problem::Problem;
use super::races::Race;
use super::tasks::Tasks;
use crate::program::Finding;

/// What is known of the program.
#[derive(Default)]
pub(crate) struct Learned {
    /// The tasks' names.
    pub names: Vec<String>,
    pub objects: Objects,
    /// Which locks were asked for while which were held.
    pub graph: Graph,
    /// What tasks do.
    pub automaton: Automaton,
    /// The whole pasts with which audited tasks came to places.
    pub pasts: Pasts,
    pub findings: Findings,
    /// What the oracle over settled states found, by the fingerprint of what it looks at.
    pub settled: FxHashMap<u64, Box<[u32]>>,
    /// Fingerprints of objects' contents at the beginning; 0 where they were not met yet.
    initial: Vec<u64>,
    /// Why nothing that is found can be trusted.
    pub problem: Option<Problem>,
    /// How many steps were executed.
    pub steps: u64,
    /// It was learned that more must be told apart: the search begins anew.
    pub restart: bool,
    /// The tasks that said that something no longer counts: what an audit looks at.
    pub forgetful: Tasks,
    /// Some task passed a checkpoint, so that it may come to a state again.
    pub returning: bool,
    /// An execution comes to a state that it was in: nothing may be left out.
    pub cyclic: bool,
    /// So many steps are those of a schedule, which counts each: others may go before all of them.
    pub single: usize,
    /// Locks are taken in a circle: tasks are interrupted between them.
    pub entangled: bool,
}

impl Learned {
    /// Gives the object's number.
    pub(crate) fn object(&mut self, object: Object) -> ObjectId {
        self.objects.id(object).0
    }

    /// Takes note that a task passes a checkpoint. If none ever did, the search begins anew: from now on there may be
    /// cycles.
    pub(crate) fn returns(&mut self) {
        self.restart |= !self.returning;
        self.returning = true;
    }

    /// Takes note of why nothing that is found can be trusted, if nothing is known to be wrong yet.
    pub(crate) fn complain(&mut self, what: impl FnOnce() -> String) {
        self.problem.get_or_insert_with(|| Problem::Other(what()));
    }

    /// Gives the finding's number.
    pub(crate) fn finding(&mut self, finding: Finding) -> u32 {
        self.findings.number(finding)
    }

    /// Gives the number of the finding that a race is, and learns from it which accesses must be points.
    pub(crate) fn race(&mut self, race: &Race) -> u32 {
        if race.needs_interleaving() {
            self.restart |= self.objects.races(race.object);
        }
        let finding = race.finding(&self.objects, &self.names);
        self.finding(finding)
    }

    /// Gives a content's fingerprint as it is compared: 0 stands for what was there at the beginning.
    pub(crate) fn normal(&self, id: ObjectId, fingerprint: u64) -> u64 {
        match self.initial.get(id as usize) {
            Some(&initial) if initial == fingerprint => 0,
            _ => fingerprint,
        }
    }

    /// Takes note of what an object contains that nobody changed since the beginning.
    pub(crate) fn contains_at_first(&mut self, id: ObjectId, fingerprint: u64) {
        let index = id as usize;
        if self.initial.len() <= index {
            self.initial.resize(index + 1, 0);
        }
        if self.initial[index] == 0 {
            self.initial[index] = fingerprint;
        }
    }
}
