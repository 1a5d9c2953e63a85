//! What several explorations that share out a search tell each other, and the rules that follow from it.
//!
//! A *lesson* is what one of them learned since it was asked last: how tasks use which objects, the places and edges of automata,
//! which locks were asked for while which were held (with a path that leads there), what was relied on, and whether anything was
//! put off, or tasks went round. All of it is named by what is the same in all explorations (`print`), so that lessons can be
//! added up in any order, and twice. The *rules* by which a search is walked follow from the sum: [`Rules`]. This module knows
//! nothing of how lessons travel, nor of how tasks are chosen.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;

use rustc_hash::{FxHashMap, FxHashSet};

use super::graph::{Asked, Graph, Holding};
use super::learned::Learned;
use super::lessons::{Asks, Does, Edge, Place, Reader, Words};
use super::mix::mix;
use super::objects::{Facts, Objects, Op};
use super::print::{self, Prints};
use super::tasks::{Tasks, members};

/// What decides, besides a state, which steps are taken from it and where they end; besides what is chosen by
/// ([`Frozen`](super::frozen::Frozen)).
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// How tasks use objects, by the objects' names.
    pub facts: FxHashMap<u64, Facts>,
    /// The tasks that can come to a place where they were.
    pub rounders: Tasks,
    /// They do, where others could be put off meanwhile: nothing is.
    pub cyclic: bool,
    /// Locks are taken in a circle: tasks are interrupted between them.
    pub entangled: bool,
}

/// What all explorations know.
#[derive(Debug, Default)]
pub(crate) struct Common {
    facts: BTreeMap<u64, Facts>,
    places: BTreeMap<u64, Place>,
    /// By where they begin and what is observed.
    edges: BTreeMap<(u64, u64), Does>,
    rounders: Tasks,
    /// Something was put off; tasks went round; both.
    slept: bool,
    round: bool,
    cyclic: bool,
    pub entangled: bool,
    asked: BTreeMap<u64, Asks>,
    claims: BTreeSet<Vec<u8>>,
    problem: Option<String>,
}

/// How much of what one exploration learned was told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    places: usize,
    edges: usize,
    asked: usize,
}

/// What is said of a lesson that is none.
const NO_LESSON: &str =
    "what another worker has learned can't be read: all of them must run the same program";

/// What is said of tasks that do different things in different explorations.
const DIFFERS: &str = "a task does different things in different workers though it observed the same: contents that a fingerprint \
    leaves out decide, or a checkpoint, mark or look leaves something out";

impl Told {
    /// What was learned, and is neither told nor known to all.
    pub(crate) fn lesson(
        &mut self,
        learned: &Learned,
        prints: &Prints,
        common: &Common,
        (slept, round): (bool, bool),
        claims: Vec<Vec<u8>>,
    ) -> Vec<u8> {
        let mut words = Words::default();
        words.byte(u8::from(slept) | u8::from(round) << 1);
        let news = learned.objects.facts().into_iter();
        let news = news.filter(|(name, facts)| common.facts.get(name) != Some(facts));
        words.each(news, |words, (name, facts)| words.fact(name, facts));
        let places: BTreeMap<u64, Place> = print::places(learned, prints, self.places)
            .filter(|(print, _)| !common.places.contains_key(print))
            .collect();
        self.places = learned.automaton.len();
        words.each(&places, |words, (print, place)| words.place(*print, place));
        let edges: BTreeSet<Edge> = print::edges(learned, prints, self.edges)
            .filter(|(from, input, does)| common.edges.get(&(*from, *input)) != Some(does))
            .collect();
        self.edges = learned.automaton.edges_len();
        words.each(edges, Words::edge);
        let asked = learned.graph.asked();
        let news: BTreeMap<u64, Asks> = asked[self.asked..]
            .iter()
            .map(|asked| (name(asked, learned), asks(asked, learned)))
            .filter(|(name, _)| !common.asked.contains_key(name))
            .collect();
        self.asked = asked.len();
        words.each(&news, |words, (name, asks)| words.asks(*name, asks));
        let claims: BTreeSet<Vec<u8>> =
            claims.into_iter().filter(|claim| !common.claims.contains(claim)).collect();
        words.each(&claims, |words, claim| words.text(claim));
        words.text(learned.problem.as_ref().map_or(String::new(), |problem| problem.words()).as_bytes());
        words.0
    }
}

/// What is the same in all explorations of that a lock was asked for.
fn name(asked: &Asked, learned: &Learned) -> u64 {
    let step = mix(print::step(&asked.op, &learned.objects), asked.task as u64);
    asked.held.iter().fold(step, |sum, held| {
        let lock = mix(learned.objects.get(held.object).name, print::at(held.at));
        mix(sum, mix(lock, held.read.into()))
    })
}

fn asks(asked: &Asked, learned: &Learned) -> Asks {
    let name = |object| learned.objects.get(object).name;
    Asks {
        task: asked.task as u8,
        kind: asked.op.kind,
        object: name(asked.op.object),
        held: asked.held.iter().map(|held| (name(held.object), held.read)).collect(),
        path: asked.witness.clone(),
    }
}

impl Common {
    /// Adds a lesson.
    ///
    /// # Errors
    /// If it is none.
    pub(crate) fn add(&mut self, lesson: &[u8]) -> Result<(), String> {
        self.read(&mut Reader(lesson)).ok_or_else(|| NO_LESSON.to_owned())
    }

    fn read(&mut self, lesson: &mut Reader<'_>) -> Option<()> {
        let flags = lesson.byte()?;
        self.slept |= flags & 1 != 0;
        self.round |= flags & 2 != 0;
        self.cyclic |= flags & 4 != 0 || self.slept && self.round;
        self.entangled |= flags & 8 != 0;
        for _ in 0..lesson.word()? {
            let (name, facts) = lesson.fact()?;
            let known = self.facts.entry(name).or_default();
            *known = known.or(facts);
        }
        for _ in 0..lesson.word()? {
            let (print, place) = lesson.place()?;
            self.places.entry(print).or_insert(place);
        }
        let mut grown: Tasks = 0;
        for _ in 0..lesson.word()? {
            let (from, input, does) = lesson.edge()?;
            let known = *self.edges.entry((from, input)).or_insert_with(|| {
                grown |= self.places.get(&from).map_or(0, |place| 1 << place.task);
                does
            });
            if known != does {
                self.complain(DIFFERS);
            }
        }
        for task in members(grown & !self.rounders) {
            if self.goes_round(task as u8) {
                self.rounders |= 1 << task;
            }
        }
        for _ in 0..lesson.word()? {
            let (name, asks) = lesson.asks()?;
            let known = self.asked.entry(name).or_insert_with(|| asks.clone());
            if (asks.path.len(), &asks.path) < (known.path.len(), &known.path) {
                *known = asks;
            }
        }
        for _ in 0..lesson.word()? {
            self.claims.insert(lesson.text()?.to_vec());
        }
        let problem = std::str::from_utf8(lesson.text()?).ok()?;
        if !problem.is_empty() {
            self.complain(problem);
        }
        lesson.0.is_empty().then_some(())
    }

    /// Of all that keeps the search from being trusted the same is told, whoever met what first.
    fn complain(&mut self, problem: &str) {
        if self.problem.as_deref().is_none_or(|known| problem < known) {
            self.problem = Some(problem.to_owned());
        }
    }

    /// Whether a task's edges lead to a place again.
    fn goes_round(&self, task: u8) -> bool {
        let mut next: FxHashMap<u64, Vec<u64>> = FxHashMap::default();
        for (&(from, _), does) in &self.edges {
            if self.places.get(&from).is_some_and(|place| place.task == task) {
                next.entry(from).or_default().push(does.to);
            }
        }
        // Along a stack: a place that stands on it is met again.
        let (mut left, mut on) = (FxHashSet::default(), FxHashSet::default());
        for &root in next.keys() {
            let mut stack = vec![(root, 0)];
            while let Some((place, done)) = stack.last_mut() {
                let place = *place;
                if *done == 0 && (left.contains(&place) || !on.insert(place)) {
                    stack.pop();
                    continue;
                }
                let Some(&to) = next.get(&place).and_then(|to| to.get(*done)) else {
                    on.remove(&place);
                    left.insert(place);
                    stack.pop();
                    continue;
                };
                *done += 1;
                if on.contains(&to) {
                    return true;
                }
                stack.push((to, 0));
            }
        }
        false
    }

    /// The rules that follow. What is told of the search before does not count for the next one.
    pub(crate) fn rules(&mut self) -> Rules {
        (self.slept, self.round) = (false, false);
        self.claims.clear();
        Rules {
            facts: self.facts.iter().map(|(name, facts)| (*name, *facts)).collect(),
            rounders: self.rounders,
            cyclic: self.cyclic,
            entangled: self.entangled,
        }
    }

    /// Whether a search by these rules does not count any more.
    pub(crate) fn outgrows(&self, rules: &Rules) -> bool {
        let before = |name: &u64| rules.facts.get(name).copied().unwrap_or_default();
        self.rounders != rules.rounders
            || self.cyclic != rules.cyclic
            || self.entangled != rules.entangled
            || self.facts.iter().any(|(name, facts)| !facts.tells_apart_as(before(name)))
    }

    /// All of it, as a lesson.
    pub(crate) fn lesson(&self) -> Vec<u8> {
        let mut words = Words::default();
        let flags = [self.slept, self.round, self.cyclic, self.entangled];
        words.byte((0..).zip(flags).map(|(bit, flag)| u8::from(flag) << bit).sum());
        words.each(&self.facts, |words, (name, facts)| words.fact(*name, *facts));
        words.each(&self.places, |words, (print, place)| words.place(*print, place));
        words.each(&self.edges, |words, (&(from, input), &does)| words.edge((from, input, does)));
        words.each(&self.asked, |words, (name, asks)| words.asks(*name, asks));
        words.each(&self.claims, |words, claim| words.text(claim));
        words.text(self.problem.as_deref().unwrap_or_default().as_bytes());
        words.0
    }

    /// What keeps any of the explorations from being trusted.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// What is known of an object by its name.
    pub(crate) fn facts_of(&self, name: u64) -> Facts {
        self.facts.get(&name).copied().unwrap_or_default()
    }

    /// All places, by their fingerprints.
    pub(crate) fn places(&self) -> impl Iterator<Item = (&u64, &Place)> {
        self.places.iter()
    }

    /// All edges.
    pub(crate) fn edges(&self) -> impl Iterator<Item = Edge> {
        self.edges.iter().map(|(&(from, input), &does)| (from, input, does))
    }

    /// How many edges there are.
    pub(crate) fn edges_len(&self) -> usize {
        self.edges.len()
    }

    /// What was relied on in this search.
    pub(crate) fn claims(&self) -> impl Iterator<Item = &[u8]> {
        self.claims.iter().map(Vec::as_slice)
    }

    /// Whether locks are taken in a circle, by so many tasks.
    pub(crate) fn is_entangled(&self, objects: &mut Objects, tasks: usize) -> bool {
        let mut graph = Graph::default();
        for asks in self.asked.values() {
            let (object, at) = (objects.named(asks.object, self.facts_of(asks.object)), Location::caller());
            let op = Op { kind: asks.kind, object, mutex: object, at };
            let mut held = Vec::new();
            for &(name, read) in &asks.held {
                let object = objects.named(name, self.facts_of(name));
                held.push(Holding { object, read, kept: false, looks: false, at });
            }
            graph.asks(asks.task.into(), &op, &held, std::iter::empty());
        }
        graph.is_entangled(tasks)
    }

    /// Paths to what others asked for, and this exploration did not.
    pub(crate) fn not_asked(&self, learned: &Learned) -> Vec<Vec<u8>> {
        let own: FxHashSet<u64> = learned.graph.asked().iter().map(|asked| name(asked, learned)).collect();
        let others = self.asked.iter().filter(|(name, _)| !own.contains(name));
        others.map(|(_, asks)| asks.path.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::lessons::Step;
    use crate::engine::objects::OpKind;

    /// A task's places are a hundred times its number, and what it is.
    fn lesson(slept: bool, round: bool, edges: &[(u64, u64, u64)]) -> Vec<u8> {
        doing(0, slept, round, edges)
    }

    /// The same, of edges along which this is done.
    fn doing(print: u64, slept: bool, round: bool, edges: &[(u64, u64, u64)]) -> Vec<u8> {
        let mut words = Words::default();
        words.byte(u8::from(slept) | u8::from(round) << 1);
        let facts = Facts { users: 1 << edges.len(), changers: 1, watched: true, ..Facts::default() };
        words.each([(7, facts)], |words, (name, facts)| words.fact(name, facts));
        let step = Some(Step { kind: OpKind::Wait, object: 7, mutex: 8 });
        let place = |task| Place { task, forced: task == 1, step, held: vec![(8, true)] };
        let places: BTreeMap<u64, Place> =
            edges.iter().map(|(from, ..)| (*from, place((*from / 100) as u8))).collect();
        words.each(&places, |words, (print, place)| words.place(*print, place));
        let edges_of = edges.iter().map(|&(from, input, to)| (from, input, Does { to, print }));
        words.each(edges_of, Words::edge);
        let asks = Asks {
            task: 0,
            kind: OpKind::Lock,
            object: 7,
            held: vec![(8, false)],
            path: vec![0; edges.len()],
        };
        words.each([(9, &asks)], |words, (name, asks)| words.asks(name, asks));
        words.each([&[1, 2, 3][..edges.len().min(3)]], Words::text);
        words.text(b"");
        words.0
    }

    /// In whatever order lessons come, and however often, what all know is the same; and it is a lesson itself.
    #[test]
    fn lessons_add_up_in_any_order() {
        let lessons = [
            lesson(true, false, &[(1, 0, 2)]),
            lesson(false, true, &[(2, 5, 1), (101, 0, 102)]),
            lesson(false, false, &[(102, 0, 103), (101, 1, 103), (201, 0, 202)]),
        ];
        let sum = |order: &[usize]| {
            let mut common = Common::default();
            order.iter().for_each(|&one| common.add(&lessons[one]).unwrap());
            common
        };
        let one = sum(&[0, 1, 2]);
        assert_eq!((one.rounders, one.cyclic), (1, true), "task 0 goes round, and task 1 does not");
        assert_eq!((one.facts[&7].users, one.claims.len(), one.problem()), (0b1110, 3, None));
        for order in [[2, 1, 0].as_slice(), &[1, 0, 2, 0], &[0, 2, 2, 1]] {
            assert_eq!(sum(order).lesson(), one.lesson());
        }
        let mut again = Common::default();
        again.add(&one.lesson()).unwrap();
        assert_eq!(again.lesson(), one.lesson());
    }

    #[test]
    fn what_is_no_lesson_is_refused() {
        let good = lesson(true, true, &[(1, 0, 2)]);
        for length in 0..good.len() {
            assert!(Common::default().add(&good[..length]).is_err(), "{length}");
        }
        let mut long = good;
        long.push(0);
        assert!(Common::default().add(&long).is_err());
    }

    #[test]
    fn tasks_that_do_different_things_in_different_workers_are_told() {
        let mut common = Common::default();
        common.add(&lesson(false, false, &[(1, 0, 2)])).unwrap();
        common.add(&lesson(false, false, &[(1, 0, 3)])).unwrap();
        assert_eq!(common.problem(), Some(DIFFERS));
        // They end in the same place, and one has published something else.
        let mut common = Common::default();
        common.add(&doing(1, false, false, &[(1, 0, 2)])).unwrap();
        common.add(&doing(1, false, false, &[(1, 0, 2)])).unwrap();
        assert_eq!(common.problem(), None);
        common.add(&doing(2, false, false, &[(1, 0, 2)])).unwrap();
        assert_eq!(common.problem(), Some(DIFFERS));
    }
}
