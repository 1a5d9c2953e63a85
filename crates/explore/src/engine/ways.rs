//! States by the ways that lead to them: what a search that is shared out by several explorations needs of each.
//!
//! A way is the tasks that were chosen, one after the other, from the state in which all stand before their first step. Ways
//! come in ascending order mostly, and the states along the last one are kept, so that what two of them begin with is walked
//! once. What comes of each task's step is told: the fingerprint of the state after it ([`Prints`](super::print::Prints)),
//! and what was found. Steps are walked on what was learned; where an edge is missing an execution is led there and takes
//! it.
//!
//! # What follows from the state and the rules alone
//! Several explorations each learn in their own order. So that they mean the same by a state and its steps, they agree on
//! *rules* ([`Rules`](super::rules::Rules)): who is known to use which object and how (and so before which steps others can
//! go), and whether anything may be put off. These are *frozen* while a search is walked: what is learned meanwhile does
//! not count ([`Objects::freeze`](super::objects::Objects::freeze)), and is told to all afterwards
//! ([`Ways::lesson`], [`Ways::learn`]). If all of it together would tell other steps apart, or says that what was put off
//! could be put off for ever, the search begins anew by rules that know it ([`Ways::begin`]).
//!
//! So, by induction over the length of ways: which states there are after so many steps, what is found there, and what is learned
//! there, is the same whoever walks them; for an execution goes along a way, takes a step that is told of, and is left then. So
//! it is the same, too, whether the search begins anew, and by which rules; and all searches are the same up to the one that
//! counts, however they are shared out. (Only by which of several executions it is known that a lock is asked for while another
//! is held may differ.) There is such a one: whenever a search begins anew, more is known than when the last one began, and of
//! a program that comes to an end there is only so much to know.
//!
//! # What is left out
//! Steps beside a sleep, which touches nothing; what is inside a transaction; and the tasks without which those that are taken
//! are enough, by what all knew when the search began ([`Frozen`](super::frozen::Frozen), which says why that is right and
//! follows from the state alone). What was relied on is looked at again when the search has ended, and now and then before: if
//! it does not hold by what is known then, or locks are taken in a circle, the search begins anew.
//!
//! That is enough where executions come to no state again. In the ordinary search a cycle is met along its stack. Here there is
//! none: where the tasks that can go round at all, by everybody's automata, lead back to a state is looked at from each state to
//! which one of them came by a checkpoint (only checkpoints make cycles, so each has such a step). If they do, and anything was
//! left out, the search begins anew and leaves nothing out; and a group of states that all tasks go round in and none leaves is
//! an execution that never ends.
//!
//! This module knows nothing of who walks the other ways, nor of which states were met before.

mod round;
mod telling;

use super::executor::Executor;
use super::frozen::Frozen;
use super::learned::Learned;
use super::mode::Mode;
use super::objects::OpKind;
use super::print::{Prints, Sum};
use super::reach::Reach;
use super::rules::{Common, Rules};
use super::state::{Missing, State, first, walk};
use super::tasks::{Tasks, members};
use crate::met::{Came, Found};

/// A state of the way.
struct Frame {
    state: State,
    /// The task whose step led there.
    task: u8,
    /// The length of the path up to here, and how many places before which others could go the last step ran through.
    steps: usize,
    points: usize,
    /// The sum of its cells, for fingerprints.
    cells: Sum,
}

impl Frame {
    fn new(state: State) -> Frame {
        Frame { state, task: 0, steps: 0, points: 0, cells: Sum::default() }
    }
}

/// Goes to states by their ways.
pub(crate) struct Ways<'e, 'c, 'p> {
    pub executor: &'e mut Executor<'c, 'p>,
    max_steps: usize,
    every: bool,
    frames: Vec<Frame>,
    /// How many of the frames are those of the present way.
    depth: usize,
    path: Vec<u8>,
    /// What the real execution did so far, if one was begun.
    live: Vec<u8>,
    begun: bool,
    found: Vec<(u32, usize)>,
    prints: Prints,
    rules: Rules,
    /// What is chosen by, unless nothing is left out.
    frozen: Option<Frozen>,
    /// The places that one step may run through: a transaction may go round for ever, which is noticed between steps.
    most_points: usize,
    /// What all know.
    common: Common,
    /// What all were told of what was learned here.
    told: super::rules::Told,
    /// Anything was put off, and a cycle was met.
    slept: bool,
    round: bool,
    /// What was found before anybody took a step.
    beginning: Vec<u32>,
    /// The longest path to a state that was explored from.
    pub deepest: usize,
}

impl<'e, 'c, 'p> Ways<'e, 'c, 'p> {
    /// `every`: nothing is left out but steps beside a sleep.
    pub(crate) fn new(executor: &'e mut Executor<'c, 'p>, max_steps: usize, every: bool) -> Self {
        Ways {
            executor,
            max_steps,
            every,
            frames: Vec::new(),
            depth: 0,
            path: Vec::new(),
            live: Vec::new(),
            begun: false,
            found: Vec::new(),
            prints: Prints::default(),
            rules: Rules::default(),
            frozen: None,
            most_points: Reach::default().most_points(),
            common: Common::default(),
            told: super::rules::Told::default(),
            slept: false,
            round: false,
            beginning: Vec::new(),
            deepest: 0,
        }
    }

    /// What was learned since this was asked last.
    pub(crate) fn lesson(&mut self) -> Vec<u8> {
        let control = self.executor.conductor.control.borrow();
        self.prints.renew(&control.learned);
        let claims = self.frozen.as_mut().map(|frozen| frozen.claims(&control.learned.objects));
        let met = (self.slept, self.round);
        self.told.lesson(&control.learned, &self.prints, &self.common, met, claims.unwrap_or_default())
    }

    /// Takes over what all have learned; whether the search is to begin anew.
    ///
    /// # Errors
    /// If somebody's lesson is not one.
    pub(crate) fn learn(&mut self, lessons: &[Vec<u8>]) -> Result<bool, String> {
        let before = worth_looking(self.common.edges_len());
        lessons.iter().try_for_each(|lesson| self.common.add(lesson))?;
        let looks = worth_looking(self.common.edges_len()) > before;
        Ok(self.common.outgrows(&self.rules) || looks && self.holds_no_more())
    }

    /// All have come to the end of the search; whether it is to begin anew.
    pub(crate) fn close(&mut self) -> bool {
        self.holds_no_more()
    }

    /// Whether what was left out relied on what does not hold by what all know now.
    fn holds_no_more(&mut self) -> bool {
        let Some(frozen) = &self.frozen else { return false };
        let objects = &mut self.executor.conductor.control.borrow_mut().learned.objects;
        let tasks = self.frames.first().map_or(0, |frame| frame.state.model.tasks);
        if !self.rules.entangled && self.common.is_entangled(objects, tasks) {
            self.common.entangled = true;
            return true;
        }
        let mut now = Frozen::new(&self.common, objects, !self.rules.entangled);
        !now.bears(frozen, &self.common, objects)
    }

    /// All that all know by now, as one lesson.
    pub(crate) fn knowledge(&self) -> Vec<u8> {
        self.common.lesson()
    }

    /// Begins a search by what is known by now; gives the fingerprint of the state that it begins in.
    pub(crate) fn begin(&mut self) -> Result<u128, String> {
        let mut control = self.executor.conductor.control.borrow_mut();
        let Learned { objects, names, .. } = &mut control.learned;
        self.common.entangled |= self.common.is_entangled(objects, names.len());
        drop(control);
        self.rules = self.common.rules();
        (self.slept, self.round) = (false, false);
        self.abandon();
        self.executor.set_mode(Mode::Learn);
        let mut control = self.executor.conductor.control.borrow_mut();
        control.learned.restart = false;
        control.learned.objects.freeze();
        control.learned.objects.tell(&self.rules.facts);
        let objects = &mut control.learned.objects;
        let (common, rules) = (&self.common, &self.rules);
        self.frozen = (!rules.cyclic && !self.every).then(|| Frozen::new(common, objects, !rules.entangled));
        drop(control);
        (self.depth, self.frames) = (0, Vec::new());
        self.root()
    }

    /// Ends the search: what was learned counts, and executions are as they always are.
    pub(crate) fn end(&mut self) {
        self.abandon();
        let control = &mut *self.executor.conductor.control.borrow_mut();
        control.learned.restart = false;
        control.learned.objects.thaw();
        if let Some(problem) = self.common.problem() {
            control.learned.complain(|| problem.to_owned());
        }
    }

    fn abandon(&mut self) {
        self.executor.abandon();
        self.begun = false;
    }

    /// Walks to the state in which every task stands before its first step.
    fn root(&mut self) -> Result<u128, String> {
        self.start();
        let tasks = self.executor.tasks();
        self.path.clear();
        self.found.clear();
        let mut control = self.executor.conductor.control.borrow_mut();
        let mut state = first(&mut control, tasks, &mut self.found, &self.path)
            .map_err(|_| "the tasks begin in different ways: the program is not deterministic".to_owned())?;
        self.prints.renew(&control.learned);
        if let Some(frozen) = &mut self.frozen {
            frozen.renew(&self.prints);
        }
        let objects = &control.learned.objects;
        let cells = self.prints.cells(&state.model, objects);
        let print = self.prints.state(&mut state, cells, objects);
        drop(control);
        self.frames.push(Frame { cells, ..Frame::new(state) });
        self.beginning = self.found.iter().map(|(finding, _)| *finding).collect();
        Ok(print)
    }

    fn start(&mut self) {
        self.executor.begin();
        self.live.clear();
        self.begun = true;
    }

    /// Goes to a state.
    fn reach(&mut self, way: &[u8]) -> Result<(), String> {
        if self.frames.is_empty() {
            self.root()?;
        }
        let same = self.frames[1..=self.depth].iter().zip(way).take_while(|(on, task)| on.task == **task);
        self.depth = same.count();
        for &task in &way[self.depth..] {
            let can = self.enabled() & Tasks::checked_shl(1, task.into()).unwrap_or(0) != 0;
            if !can || !self.advance(task.into())? {
                return Err(format!(
                    "an execution does not go as it went before: the program is not deterministic, or the way {way:?} is \
                     another program's"
                ));
            }
            self.depth += 1;
        }
        self.path.truncate(self.frames[self.depth].steps);
        Ok(())
    }

    /// Whether anything keeps the search from being trusted.
    pub(crate) fn has_problem(&self) -> bool {
        self.common.problem().is_some() || self.executor.conductor.control.borrow().learned.problem.is_some()
    }

    fn enabled(&self) -> Tasks {
        self.frames[self.depth].state.enabled(&self.executor.conductor.control.borrow().learned)
    }

    /// Tells what comes of each task's step in the state to which a way leads, or of the state itself if no task can go
    /// on there.
    ///
    /// # Errors
    /// If the way does not lead where it led.
    pub(crate) fn expand(&mut self, way: &[u8], tell: &mut dyn FnMut(Came<'_>)) -> Result<(), String> {
        self.reach(way)?;
        self.deepest = self.deepest.max(self.path.len());
        if self.path.len() > self.max_steps {
            let found = [self.endless()];
            tell(Came { task: None, to: None, found: &found, endless: true });
            return Ok(());
        }
        if way.is_empty() && !self.beginning.is_empty() {
            let control = self.executor.conductor.control.borrow();
            let of = |number: &u32| Found::of(control.learned.findings.get(*number));
            let found: Vec<Found> = self.beginning.iter().map(of).collect();
            let Frame { state, cells, .. } = &mut self.frames[0];
            let print = self.prints.state(state, *cells, &control.learned.objects);
            drop(control);
            tell(Came { task: None, to: Some(print), found: &found, endless: false });
        }
        let enabled = self.enabled();
        if enabled == 0 {
            let found = self.ended()?;
            tell(Came { task: None, to: None, found: &found, endless: false });
            return Ok(());
        }
        for task in members(self.chosen(enabled)) {
            let ends = self.advance(task)?;
            let mut found = self.findings();
            if !ends {
                found.push(self.endless());
                tell(Came { task: Some(task as u8), to: None, found: &found, endless: true });
                continue;
            }
            found.extend(self.goes_round(task)?);
            let print = self.print();
            tell(Came { task: Some(task as u8), to: Some(print), found: &found, endless: false });
        }
        Ok(())
    }

    /// The tasks whose steps are taken.
    fn chosen(&mut self, enabled: Tasks) -> Tasks {
        if self.rules.cyclic {
            return enabled;
        }
        let control = self.executor.conductor.control.borrow();
        let state = &self.frames[self.depth].state;
        let sleeps = |&task: &usize| {
            let node = control.learned.automaton.get(state.nodes[task]);
            node.op.is_some_and(|op| op.kind == OpKind::Sleep)
        };
        let chosen = match members(enabled).find(sleeps) {
            Some(task) => 1 << task,
            None => match &mut self.frozen {
                Some(frozen) if enabled & (enabled - 1) != 0 => {
                    frozen.choose(state, enabled, &control.learned.objects)
                }
                _ => enabled,
            },
        };
        self.slept |= chosen != enabled;
        chosen
    }

    /// The fingerprint of the state after the present one.
    fn print(&mut self) -> u128 {
        let control = self.executor.conductor.control.borrow();
        let Frame { state, cells, .. } = &mut self.frames[self.depth + 1];
        self.prints.state(state, *cells, &control.learned.objects)
    }

    /// What the last step found.
    fn findings(&self) -> Vec<Found> {
        let control = self.executor.conductor.control.borrow();
        self.found.iter().map(|(finding, _)| Found::of(control.learned.findings.get(*finding))).collect()
    }

    /// Walks a step of the task from the present state into the next frame; executes it if it is not known. Says whether the
    /// step ends.
    fn advance(&mut self, task: usize) -> Result<bool, String> {
        if self.frames.len() == self.depth + 1 {
            let state = State::new(self.frames[0].state.model.tasks);
            self.frames.push(Frame::new(state));
        }
        let mut executed = 0;
        loop {
            let (before, after) = self.frames.split_at_mut(self.depth + 1);
            let (frame, next) = (&before[self.depth], &mut after[0]);
            next.state.copy(&frame.state);
            next.state.returns = false;
            next.task = task as u8;
            self.path.truncate(frame.steps);
            self.found.clear();
            let mut points = 0;
            let mut control = self.executor.conductor.control.borrow_mut();
            self.prints.renew(&control.learned);
            let inside = match &mut self.frozen {
                None => None,
                Some(frozen) => {
                    frozen.renew(&self.prints);
                    Some(frozen.inside())
                }
            };
            let bounds = (self.max_steps, self.most_points, &mut points);
            let (learned, path, found) = (&mut control.learned, &mut self.path, &mut self.found);
            let walked = walk(learned, inside, &mut next.state, task, path, found, bounds);
            drop(control);
            match walked {
                Ok(()) => {
                    (next.steps, next.points) = (self.path.len(), points + 1);
                    let objects = &self.executor.conductor.control.borrow().learned.objects;
                    next.cells =
                        self.prints.moved(frame.cells, &frame.state.model, &next.state.model, objects);
                    return Ok(true);
                }
                Err(Missing::Endless) => {
                    (next.steps, next.points) = (self.path.len(), points + 1);
                    return Ok(false);
                }
                Err(Missing::Edge) => {}
            }
            // As far as it is known, and one step further.
            if points < executed {
                return Err(
                    "a step that was just executed is not known: this is a defect of the explorer".to_owned()
                );
            }
            if executed == 0 {
                self.sync()?;
            }
            for _ in executed..=points {
                self.execute(task)?;
            }
            executed = points + 1;
            if self.executor.conductor.control.borrow().run.overrun {
                let next = &mut self.frames[self.depth + 1];
                (next.task, next.steps, next.points) = (task as u8, self.path.len(), executed);
                return Ok(false);
            }
        }
    }

    /// Leads the real execution to the present state.
    ///
    /// One that is left is not gone on with, though that would be quicker and teach something: what is learned must not depend on
    /// who left what when.
    fn sync(&mut self) -> Result<(), String> {
        let on = self.frames[1..=self.depth].iter();
        let way: Vec<u8> = on.flat_map(|frame| std::iter::repeat_n(frame.task, frame.points)).collect();
        if !self.begun || !way.starts_with(&self.live) {
            self.start();
        }
        for &task in &way[self.live.len()..] {
            self.execute(task.into())?;
        }
        Ok(())
    }

    fn execute(&mut self, task: usize) -> Result<(), String> {
        if self.executor.enabled() >> task & 1 == 0 {
            return Err(
                "an execution took another way than before: the program is not deterministic".to_owned()
            );
        }
        self.executor.step(task);
        self.live.push(task as u8);
        Ok(())
    }
}

/// Of so many edges how often there were a quarter more: whenever there are, it is worth looking whether what was relied on still
/// holds. (It follows from their number alone, also when the search was ended and goes on.)
fn worth_looking(edges: usize) -> u32 {
    let (mut times, mut most) = (0, 64);
    while most < edges {
        most += most / 4;
        times += 1;
    }
    times
}
