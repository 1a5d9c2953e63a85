//! A third opinion on programs with cycles: a depth-first search over real executions, each from its beginning, that ends
//! where an execution stands as one before it stood.
//!
//! It shares nothing with the state caches but the execution of a schedule: no marks, no fingerprints, no reduction. What it
//! goes by is what the interpreter wrote down itself. It knows only what a task knows at the beginnings of statements, so
//! between them it goes by the steps since. Programs that wait on conditions are not for it: who was woken stands nowhere.

use std::collections::{BTreeSet, HashSet};

use explore::{Explorer, Finding, Options, ReplayError, Schedule};

use crate::generate::{Op, Program};
use crate::interpret::{self, Standing};

/// How many places of executions are looked at; larger programs are given up.
const MOST: usize = 2_000;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub outcomes: BTreeSet<(Vec<String>, String)>,
    /// All but those that are endless.
    pub findings: BTreeSet<Finding>,
    /// Whether an execution came back to where it had been.
    pub returns: bool,
}

/// Where an execution stands: what was written down, the steps of each task since its statement began, what each holds,
/// and who can go on.
type Place = (Standing, Vec<Vec<String>>, Vec<Vec<String>>, Vec<u8>);

struct Search<'p> {
    program: &'p Program,
    seen: HashSet<Place>,
    /// Those that lead to where the search is.
    on_the_way: Vec<Place>,
    found: Found,
}

/// All that can come of a program; `None` if it is too large, or waits on conditions.
pub fn search(program: &Program) -> Option<Found> {
    if program.tasks.iter().flatten().any(|op| matches!(op, Op::Wait(_))) {
        return None;
    }
    let mut search =
        Search { program, seen: HashSet::new(), on_the_way: Vec::new(), found: Found::default() };
    search.from(&mut Vec::new(), &vec![Vec::new(); program.tasks.len()], &[])?;
    Some(search.found)
}

impl Search<'_> {
    /// Explores from the end of a path, by way of the steps and the counts of statements before its last step.
    fn from(&mut self, path: &mut Vec<u8>, before: &[Vec<String>], begun: &[u64]) -> Option<()> {
        let schedule: Schedule =
            path.iter().map(u8::to_string).collect::<Vec<_>>().join(".").parse().expect("a schedule");
        let mut explorer = Explorer::new(Options { max_steps: 500, ..Options::default() });
        let followed = explorer.follow(&mut interpret::scene(self.program.clone()), &schedule);
        let (standing, counts) = interpret::standing();
        let replay = followed.replay;
        let tasks = match followed.left {
            None => {
                self.found.findings.extend(replay.findings);
                self.found.outcomes.extend(replay.outcome);
                return Some(());
            }
            Some(ReplayError::TooShort { tasks, .. }) => tasks,
            Some(other) => panic!("{schedule}: {other}"),
        };
        let enabled: Vec<u8> = tasks.iter().map(|name| name[1..].parse().expect("a number")).collect();
        let mut since = before.to_vec();
        if let (Some(step), Some(&task)) = (replay.trace.last(), path.last()) {
            let task = usize::from(task);
            since[task].push(format!("{} {} {}", step.step, step.object, step.ok));
            if counts.get(task) != begun.get(task) {
                since[task].clear();
            }
        }
        let mut held = vec![Vec::new(); since.len()];
        replay.trace.into_iter().for_each(|step| held[step.task] = step.held);
        let place = (standing, since.clone(), held, enabled.clone());
        self.found.returns |= self.on_the_way.contains(&place);
        if !self.seen.insert(place.clone()) {
            return Some(());
        }
        if self.seen.len() > MOST {
            return None;
        }
        self.on_the_way.push(place);
        for task in enabled {
            path.push(task);
            self.from(path, &since, &counts)?;
            path.pop();
        }
        self.on_the_way.pop();
        Some(())
    }
}
