//! Which tasks are enough in a state, by what all knew when the search began.
//!
//! [`persistent`], [`futures`](super::futures) and [`transactions`](super::transactions) choose by a task's automaton. The one
//! that an exploration learns is its own, and grows while it searches: what is chosen by it depends on who learned what when.
//! So a search that is shared out chooses by an automaton of all that *all* knew before it began, which does not change: the
//! places by their fingerprints, the edges between them, and of the steps what they do to which objects. It can't be walked on
//! (what edges publish is nobody else's), and need not be. What follows from it is sets: which objects, which tasks, which
//! places; these do not depend on how places and objects are numbered. So every exploration chooses the same in a state, and
//! that depends on the state and on what was known alone: a task that was walked to a place that nobody knew takes all tasks
//! along, and so does a step that nobody took.
//!
//! It is enough for the reason that is given in those modules, if what was relied on still holds by all that is known when the
//! search has ended: every claim that any exploration relied on, told by the names of what it is about; and that each place that
//! was run through still belongs to a transaction. If not, the search begins anew by what is known then. The argument of
//! `futures` asks for nothing else: it never says when the sets were computed.
//!
//! This module knows nothing of who explores what.

use std::panic::Location;

use rustc_hash::FxHashMap;

use super::automaton::{Automaton, Edge, NodeId};
use super::claims::{Claim, Doing, Later};
use super::futures::Futures;
use super::lessons::{Reader, Words};
use super::model::Phase;
use super::objects::{Facts, ObjectId, Objects, Op};
use super::persistent;
use super::print::Prints;
use super::reach::Reach;
use super::rules::Common;
use super::state::State;
use super::tasks::Tasks;

/// What all knew, and what follows from it.
pub(crate) struct Frozen {
    automaton: Automaton,
    futures: Futures,
    places: FxHashMap<u64, NodeId>,
    prints: Vec<u64>,
    inputs: Vec<(u64, u64)>,
    /// For each of the exploration's own places the one of the same fingerprint, and whether it is inside a transaction.
    own: Vec<Option<NodeId>>,
    inside: Vec<bool>,
    /// A state whose places are those that all knew.
    state: State,
    /// How many of the claims were told.
    told: usize,
}

impl Frozen {
    /// Of what all know now. Objects that were not met here are given numbers.
    pub(crate) fn new(common: &Common, objects: &mut Objects, transact: bool) -> Frozen {
        let (mut automaton, mut places, mut prints) =
            (Automaton::default(), FxHashMap::default(), Vec::new());
        for (&print, place) in common.places() {
            let op = place.step.map(|step| Op {
                kind: step.kind,
                object: objects.named(step.object, common.facts_of(step.object)),
                mutex: objects.named(step.mutex, common.facts_of(step.mutex)),
                at: Location::caller(),
            });
            let held = place.held.iter();
            let held: Vec<_> =
                held.map(|&(name, read)| (objects.named(name, common.facts_of(name)), read)).collect();
            let node = automaton.node(place.task.into(), print, op, place.forced, held.into_iter(), None);
            if node as usize == prints.len() {
                prints.push(print);
            }
            places.insert(print, node);
        }
        let mut inputs = Vec::new();
        for (from, input, does) in common.edges() {
            if let (Some(&node), Some(&next)) = (places.get(&from), places.get(&does.to)) {
                // Two that differ are a contradiction, which whoever met it has told.
                if automaton.learn(node, input, Edge { next, ..Edge::default() }).is_ok()
                    && automaton.edges_len() > inputs.len()
                {
                    inputs.push((from, input));
                }
            }
        }
        let mut futures = Futures::new(None, Reach::default());
        futures.begin(&automaton, objects, transact);
        let state = State::new(0);
        Frozen {
            automaton,
            futures,
            places,
            prints,
            inputs,
            own: Vec::new(),
            inside: Vec::new(),
            state,
            told: 0,
        }
    }

    /// Takes note of places that the exploration learned.
    pub(crate) fn renew(&mut self, prints: &Prints) {
        for print in prints.all(self.own.len()) {
            let node = self.places.get(print).copied();
            self.own.push(node);
            self.inside.push(node.is_some_and(|node| self.futures.is_inside(node)));
        }
    }

    /// For each of the exploration's places whether a task that stands there is inside a transaction.
    pub(crate) fn inside(&self) -> &[bool] {
        &self.inside
    }

    /// The tasks that are enough in a state, of those that can go on.
    pub(crate) fn choose(&mut self, state: &State, enabled: Tasks, objects: &Objects) -> Tasks {
        self.state.copy(state);
        for task in 0..state.model.tasks {
            if state.model.phases[task] == Phase::Ended {
                self.state.nodes[task] = 0;
                continue;
            }
            match self.own.get(state.nodes[task] as usize).copied().flatten() {
                Some(node) => self.state.nodes[task] = node,
                None => return enabled,
            }
        }
        persistent::choose(&mut self.futures, &self.automaton, objects, &self.state, enabled, None)
    }

    /// What was relied on and not told yet, by names.
    pub(crate) fn claims(&mut self, objects: &Objects) -> Vec<Vec<u8>> {
        let claims = self.futures.claims.all();
        let told = claims[self.told..].iter().map(|claim| self.words(claim, objects)).collect();
        self.told = claims.len();
        told
    }

    fn words(&self, claim: &Claim, objects: &Objects) -> Vec<u8> {
        let mut words = Words::default();
        let name = |id: ObjectId| objects.get(id).name;
        let later = match *claim {
            Claim::Apart { step, later, oracle } => {
                words.byte(u8::from(oracle) << 1);
                match step {
                    Doing::Edge(edge) => {
                        let (from, input) = self.inputs[edge as usize];
                        words.byte(1);
                        words.word(from);
                        words.word(input);
                    }
                    Doing::Place(node) => {
                        words.byte(0);
                        words.word(self.prints[node as usize]);
                    }
                }
                later
            }
            Claim::Silent { later, condition } => {
                words.byte(1);
                words.word(name(condition));
                later
            }
        };
        let mut held: Vec<_> =
            self.futures.locks_of(later.held).iter().map(|&(id, read)| (name(id), read)).collect();
        held.sort_unstable();
        words.locks(&held);
        words.word(self.prints[later.node as usize]);
        words.byte(u8::from(later.woken));
        words.0
    }

    /// Whether a claim holds; `None` if it is none.
    fn holds(&mut self, claim: &[u8], objects: &mut Objects) -> Option<bool> {
        let mut reader = Reader(claim);
        let kind = reader.byte()?;
        let (mut step, mut condition) = (None, None);
        if kind & 1 == 0 {
            step = Some(match reader.byte()? {
                0 => Doing::Place(*self.places.get(&reader.word()?)?),
                _ => {
                    let from = *self.places.get(&reader.word()?)?;
                    Doing::Edge(self.automaton.edge_number(from, reader.word()?)?)
                }
            });
        } else {
            condition = Some(objects.named(reader.word()?, Facts::default()));
        }
        let mut locks = Vec::new();
        for (name, read) in reader.locks()? {
            locks.push((objects.named(name, Facts::default()), read));
        }
        let held = self.futures.number_of(locks.into_iter());
        let node = *self.places.get(&reader.word()?)?;
        let later = Later { held, node, woken: reader.byte()? != 0 };
        let claim = match (step, condition) {
            (Some(step), _) => Claim::Apart { step, later, oracle: kind & 2 != 0 },
            (None, condition) => Claim::Silent { later, condition: condition? },
        };
        Some(self.futures.holds(&claim, &self.automaton, objects))
    }

    /// Whether a search that chose by `before` counts, by what is known here: all these claims hold, and the places that it ran
    /// through are inside transactions.
    pub(crate) fn bears(&mut self, before: &Frozen, common: &Common, objects: &mut Objects) -> bool {
        let runs_through = |(print, node): (&u64, &NodeId)| {
            let now = self.places.get(print).is_some_and(|node| self.futures.is_inside(*node));
            now || !before.futures.is_inside(*node)
        };
        before.places.iter().all(runs_through)
            && common.claims().all(|claim| self.holds(claim, objects) == Some(true))
    }
}
