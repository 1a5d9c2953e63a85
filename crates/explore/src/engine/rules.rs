//! What several explorations that share out a search tell each other, and the rules that follow from it.
//!
//! A *lesson* is what one of them learned since it was asked last: how tasks use which objects, the edges of automata, which
//! locks were asked for while which were held (with a path that leads there), and whether anything was put off, or tasks
//! went round. All of it is named by what is the same in all explorations (`print`), so that lessons can be added up in any
//! order, and twice. The *rules* by which a search is walked follow from the sum: [`Rules`]. This module knows nothing of how
//! lessons travel.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::{FxHashMap, FxHashSet};

use super::collect::Path;
use super::graph::Asked;
use super::learned::Learned;
use super::mix::mix;
use super::objects::Facts;
use super::print::{self, Prints};
use super::tasks::Tasks;

/// What decides, besides a state, which steps are taken from it and where they end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// How tasks use objects, by the objects' names.
    pub facts: FxHashMap<u64, Facts>,
    /// The tasks that can come to a place where they were.
    pub rounders: Tasks,
    /// They do, where others could be put off meanwhile: nothing is.
    pub cyclic: bool,
}

/// What all explorations know.
#[derive(Debug, Default)]
pub(crate) struct Common {
    facts: BTreeMap<u64, Facts>,
    /// Edges by their tasks: the places at their ends.
    edges: BTreeSet<(u8, u64, u64)>,
    rounders: Tasks,
    /// Something was put off; tasks went round; both.
    slept: bool,
    round: bool,
    cyclic: bool,
    asked: BTreeMap<u64, Path>,
    problem: Option<String>,
}

/// How much of what one exploration learned was told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    edges: usize,
    asked: usize,
}

/// What nobody says who speaks of this.
const NO_LESSON: &str =
    "what another worker has learned can't be read: all of them must run the same program";

impl Told {
    /// What was learned, and is neither told nor known to all.
    pub(crate) fn lesson(
        &mut self,
        learned: &Learned,
        prints: &Prints,
        common: &Common,
        (slept, round): (bool, bool),
    ) -> Vec<u8> {
        let mut words = Words::default();
        words.flags(slept, round, false);
        let news = learned.objects.facts();
        words.facts(news.into_iter().filter(|(name, facts)| common.facts.get(name) != Some(facts)));
        let edges: BTreeSet<_> = print::edges(&learned.automaton, prints, self.edges).collect();
        self.edges = learned.automaton.edges_len();
        words.edges(edges.difference(&common.edges).copied());
        let asked = learned.graph.asked();
        let news: BTreeMap<u64, &[u8]> = asked[self.asked..]
            .iter()
            .map(|asked| (name(asked, learned), asked.witness.as_slice()))
            .filter(|(name, _)| !common.asked.contains_key(name))
            .collect();
        self.asked = asked.len();
        words.asked(news.into_iter());
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

impl Common {
    /// Adds a lesson.
    ///
    /// # Errors
    /// If it is none.
    pub(crate) fn add(&mut self, lesson: &[u8]) -> Result<(), String> {
        self.read(&mut Reader(lesson)).ok_or_else(|| NO_LESSON.to_owned())
    }

    fn read(&mut self, lesson: &mut Reader<'_>) -> Option<()> {
        let flags = lesson.take(1)?[0];
        self.slept |= flags & 1 != 0;
        self.round |= flags & 2 != 0;
        self.cyclic |= flags & 4 != 0 || self.slept && self.round;
        for _ in 0..lesson.word()? {
            let (name, bits) = (lesson.word()?, lesson.word()?);
            let facts = Facts {
                tried: bits & 1 != 0,
                racy: bits & 2 != 0,
                users: (bits >> 16) as Tasks,
                changers: (bits >> 32) as Tasks,
            };
            let known = self.facts.entry(name).or_default();
            *known = known.or(facts);
        }
        let mut grown: Tasks = 0;
        for _ in 0..lesson.word()? {
            let (task, from, to) = (lesson.take(1)?[0], lesson.word()?, lesson.word()?);
            if self.edges.insert((task, from, to)) {
                grown |= Tasks::checked_shl(1, task.into())?;
            }
        }
        for task in super::tasks::members(grown & !self.rounders) {
            if self.goes_round(task as u8) {
                self.rounders |= 1 << task;
            }
        }
        for _ in 0..lesson.word()? {
            let (name, path) = (lesson.word()?, lesson.text()?.to_vec());
            let known = self.asked.entry(name).or_insert_with(|| path.clone());
            if (path.len(), &path) < (known.len(), known) {
                *known = path;
            }
        }
        let problem = std::str::from_utf8(lesson.text()?).ok()?;
        if !problem.is_empty() && self.problem.as_deref().is_none_or(|known| problem < known) {
            self.problem = Some(problem.to_owned());
        }
        lesson.0.is_empty().then_some(())
    }

    /// Whether a task's edges lead to a place again.
    fn goes_round(&self, task: u8) -> bool {
        let mut next: FxHashMap<u64, Vec<u64>> = FxHashMap::default();
        let (first, last) = ((task, 0, 0), (task, u64::MAX, u64::MAX));
        for &(_, from, to) in self.edges.range(first..=last) {
            next.entry(from).or_default().push(to);
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

    /// The rules that follow.
    pub(crate) fn rules(&mut self) -> Rules {
        (self.slept, self.round) = (false, false);
        Rules {
            facts: self.facts.iter().map(|(name, facts)| (*name, *facts)).collect(),
            rounders: self.rounders,
            cyclic: self.cyclic,
        }
    }

    /// Whether a search by these rules does not count any more.
    pub(crate) fn outgrows(&self, rules: &Rules) -> bool {
        let before = |name: &u64| rules.facts.get(name).copied().unwrap_or_default();
        self.rounders != rules.rounders
            || self.cyclic != rules.cyclic
            || self.facts.iter().any(|(name, facts)| !facts.tells_apart_as(before(name)))
    }

    /// All of it, as a lesson.
    pub(crate) fn lesson(&self) -> Vec<u8> {
        let mut words = Words::default();
        words.flags(self.slept, self.round, self.cyclic);
        words.facts(self.facts.iter().map(|(name, facts)| (*name, *facts)));
        words.edges(self.edges.iter().copied());
        words.asked(self.asked.iter().map(|(name, path)| (*name, path.as_slice())));
        words.text(self.problem.as_deref().unwrap_or_default().as_bytes());
        words.0
    }

    /// What keeps any of the explorations from being trusted.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Paths to what others asked for, and this exploration did not.
    pub(crate) fn not_asked(&self, learned: &Learned) -> Vec<Path> {
        let own: FxHashSet<u64> = learned.graph.asked().iter().map(|asked| name(asked, learned)).collect();
        self.asked.iter().filter(|(name, _)| !own.contains(name)).map(|(_, path)| path.clone()).collect()
    }
}

/// A lesson that is written.
#[derive(Default)]
struct Words(Vec<u8>);

impl Words {
    fn flags(&mut self, slept: bool, round: bool, cyclic: bool) {
        self.0.push(u8::from(slept) | u8::from(round) << 1 | u8::from(cyclic) << 2);
    }

    fn word(&mut self, word: u64) {
        self.0.extend(word.to_le_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        self.word(text.len() as u64);
        self.0.extend(text);
    }

    /// Writes how many there are, then each.
    fn each<T>(&mut self, all: impl Iterator<Item = T>, mut write: impl FnMut(&mut Words, T)) {
        let (mut words, mut count) = (Words::default(), 0);
        for one in all {
            write(&mut words, one);
            count += 1;
        }
        self.word(count);
        self.0.append(&mut words.0);
    }

    fn facts(&mut self, facts: impl Iterator<Item = (u64, Facts)>) {
        self.each(facts, |words, (name, Facts { tried, racy, users, changers })| {
            let bits = u64::from(tried) | u64::from(racy) << 1;
            words.word(name);
            words.word(bits | u64::from(users) << 16 | u64::from(changers) << 32);
        });
    }

    fn edges(&mut self, edges: impl Iterator<Item = (u8, u64, u64)>) {
        self.each(edges, |words, (task, from, to)| {
            words.0.push(task);
            words.word(from);
            words.word(to);
        });
    }

    fn asked<'p>(&mut self, asked: impl Iterator<Item = (u64, &'p [u8])>) {
        self.each(asked, |words, (name, path)| {
            words.word(name);
            words.text(path);
        });
    }
}

/// A lesson that is read.
struct Reader<'l>(&'l [u8]);

impl<'l> Reader<'l> {
    fn take(&mut self, bytes: usize) -> Option<&'l [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn word(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'l [u8]> {
        let length = usize::try_from(self.word()?).ok()?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lesson(slept: bool, round: bool, edges: &[(u8, u64, u64)]) -> Vec<u8> {
        let mut words = Words::default();
        words.flags(slept, round, false);
        let facts = Facts { users: 1 << edges.len(), changers: 1, ..Facts::default() };
        words.facts([(7, facts)].into_iter());
        words.edges(edges.iter().copied());
        words.asked([(9, &[0, 1][..edges.len().min(2)])].into_iter());
        words.text(b"");
        words.0
    }

    /// In whatever order lessons come, and however often, what all know is the same; and it is a lesson itself.
    #[test]
    fn lessons_add_up_in_any_order() {
        let lessons = [
            lesson(true, false, &[(0, 1, 2)]),
            lesson(false, true, &[(0, 2, 1), (1, 1, 2)]),
            lesson(false, false, &[(1, 2, 3), (1, 1, 3), (2, 1, 2)]),
        ];
        let sum = |order: &[usize]| {
            let mut common = Common::default();
            order.iter().for_each(|&one| common.add(&lessons[one]).unwrap());
            common
        };
        let one = sum(&[0, 1, 2]);
        assert_eq!((one.rounders, one.cyclic), (1, true), "task 0 goes round, and task 1 does not");
        assert_eq!(one.facts[&7].users, 0b1110);
        for order in [[2, 1, 0].as_slice(), &[1, 0, 2, 0], &[0, 2, 2, 1]] {
            assert_eq!(sum(order).lesson(), one.lesson());
        }
        let mut again = Common::default();
        again.add(&one.lesson()).unwrap();
        assert_eq!(again.lesson(), one.lesson());
    }

    #[test]
    fn what_is_no_lesson_is_refused() {
        let good = lesson(true, true, &[(0, 1, 2)]);
        for length in 0..good.len() {
            assert!(Common::default().add(&good[..length]).is_err(), "{length}");
        }
        let mut long = good;
        long.push(0);
        assert!(Common::default().add(&long).is_err());
    }
}
