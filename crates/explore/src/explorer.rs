//! The explorer: what users call.

use std::cell::RefCell;
use std::time::Instant;

use locks::{Object, hook};

use crate::engine::cache::Walk;
use crate::engine::collect::{Collector, End, Limits, Path};
use crate::engine::conductor::Conductor;
use crate::engine::control::Control;
use crate::engine::executor::Executor;
use crate::engine::graph::{Asking, Cycle};
use crate::engine::objects::ObjectId;
use crate::engine::replay::{self, ReplayError};
use crate::engine::tree::Tree;
use crate::engine::{random, shrink};
use crate::options::{Options, Strategy};
use crate::program::Program;
use crate::report::{LockOrder, OrderEdge, OutcomeReport, Progress, Replay, Report, Violation};
use crate::schedule::Schedule;

type Show = Box<dyn FnMut(&Progress)>;

/// Explores programs.
#[derive(Default)]
pub struct Explorer {
    options: Options,
    progress: Option<Show>,
}

/// What a search found.
struct Searched {
    collector: Collector,
    end: End,
    states: u64,
    deepest: usize,
}

impl Explorer {
    /// An explorer with these options.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Explorer { options, progress: None }
    }

    /// Calls `show` about ten times a second while exploring.
    #[must_use]
    pub fn on_progress(mut self, show: impl FnMut(&Progress) + 'static) -> Self {
        self.progress = Some(Box::new(show));
        self
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Explores the program.
    pub fn run(&mut self, program: &mut dyn Program) -> Report {
        let started = Instant::now();
        let conductor = Conductor { control: RefCell::new(Control::new()), program: RefCell::new(program) };
        conductor.control.borrow_mut().max_steps = self.options.max_steps;
        hook::install(&conductor, || {
            let mut executor = Executor::new(&conductor, self.options.stack);
            let searched = self.search(&mut executor);
            self.report(&mut executor, searched, started)
        })
    }

    /// Executes the program along a schedule, step by step.
    ///
    /// # Errors
    /// If the schedule doesn't fit the program, ends too early, or takes other steps than when it was recorded.
    pub fn replay(&mut self, program: &mut dyn Program, schedule: &Schedule) -> Result<Replay, ReplayError> {
        let conductor = Conductor { control: RefCell::new(Control::new()), program: RefCell::new(program) };
        conductor.control.borrow_mut().max_steps = self.options.max_steps;
        hook::install(&conductor, || {
            replay::replay(&mut Executor::new(&conductor, self.options.stack), schedule)
        })
    }

    fn search(&mut self, executor: &mut Executor<'_, '_>) -> Searched {
        let progress = self.progress.as_deref_mut().map(|show| show as &mut dyn FnMut(&Progress));
        let mut limits = Limits::new(&self.options, progress);
        loop {
            let mut searched = once(executor, &mut limits, self.options.strategy);
            if searched.end != End::Restart {
                return searched;
            }
            executor.conductor.control.borrow_mut().restart = false;
            if limits.tick(0, |elapsed| Progress { executions: 0, states: 0, depth: 0, elapsed, done: 0.0 }) {
                searched.end = End::Cut;
                return searched;
            }
        }
    }

    fn report(&self, executor: &mut Executor<'_, '_>, searched: Searched, started: Instant) -> Report {
        let Searched { collector, end, states, deepest } = searched;
        let problem = executor.conductor.control.borrow().problem.clone();
        let exhausted = end == End::Exhausted && problem.is_none();
        let outcomes = collector
            .outcomes
            .into_iter()
            .map(|seen| OutcomeReport {
                results: seen.results,
                state: seen.state,
                executions: seen.executions,
                schedule: with_checksum(executor, &seen.path),
            })
            .collect();
        let violations = self.violations(executor, collector.violations);
        let verdict = match violations.first() {
            Some(violation) => violation.finding.verdict,
            None if exhausted => "clean",
            None => "unknown",
        };
        let why = problem.or_else(|| (!exhausted).then(|| self.why(started)));
        let control = executor.conductor.control.borrow();
        Report {
            verdict,
            exhausted,
            why,
            tasks: control.names.clone(),
            executions: collector.executions,
            runs: executor.begun,
            states,
            steps: control.steps,
            deepest,
            outcomes,
            violations,
            lock_order: lock_order(&control),
            elapsed: started.elapsed(),
            collision: states as f64 * states as f64 / 2f64.powi(65),
        }
    }

    fn why(&self, started: Instant) -> String {
        match self.options {
            Options { strategy: Strategy::Random { .. }, .. } => {
                "executions were chosen by chance".to_owned()
            }
            Options { budget: Some(budget), .. } if started.elapsed() >= budget => {
                format!("the time of {} s is up", budget.as_secs_f64())
            }
            Options { max_executions: Some(most), .. } => format!("it stopped after {most} executions"),
            _ => "it stopped at a violation".to_owned(),
        }
    }

    /// Shows each violation by its shortest execution.
    fn violations(&self, executor: &mut Executor<'_, '_>, found: Vec<(u32, Path, u64)>) -> Vec<Violation> {
        let wanted: Vec<u32> = {
            let control = executor.conductor.control.borrow();
            let endless = |finding: u32| control.findings[finding as usize].verdict == "livelock";
            found.iter().map(|(finding, ..)| *finding).filter(|&finding| !endless(finding)).collect()
        };
        let mut best = if self.options.shrink && !wanted.is_empty() {
            shrink::fewest(executor, &self.options, &wanted)
        } else {
            Default::default()
        };
        let mut violations: Vec<Violation> = found
            .into_iter()
            .map(|(number, path, executions)| {
                let shrunk = best.remove(&number);
                show(executor, number, executions, shrunk, &path)
            })
            .collect();
        violations.sort_by_cached_key(|violation| {
            (violation.switches, violation.schedule.tasks().len(), violation.finding.clone())
        });
        violations
    }
}

/// Searches until the end, or until something is learned that makes it begin anew.
fn once(executor: &mut Executor<'_, '_>, limits: &mut Limits<'_>, strategy: Strategy) -> Searched {
    match strategy {
        Strategy::StateCache => {
            let mut walk = Walk::new(executor, limits);
            let end = walk.run();
            let (states, deepest) = (walk.states(), walk.deepest);
            Searched { collector: std::mem::take(&mut walk.collector), end, states, deepest }
        }
        Strategy::Dpor | Strategy::Dfs => {
            let mut tree = Tree::new(executor, limits, strategy == Strategy::Dpor);
            let end = tree.run();
            Searched { deepest: tree.deepest, collector: std::mem::take(&mut tree.collector), end, states: 0 }
        }
        Strategy::Random { seed, executions } => {
            let mut collector = Collector::default();
            let (end, deepest) = random::search(executor, limits, &mut collector, seed, executions);
            Searched { collector, end, states: 0, deepest }
        }
    }
}

/// Executes a violation's path, and tells all of it; the shrunk path if that shows the violation.
fn show(
    executor: &mut Executor<'_, '_>,
    number: u32,
    executions: u64,
    shrunk: Option<(Path, bool)>,
    path: &[u8],
) -> Violation {
    let finding = executor.conductor.control.borrow().findings[number as usize].clone();
    let (replay, fewest) = shrunk
        .and_then(|(path, fewest)| Some((replay::follow(executor, &path).ok()?, fewest)))
        .filter(|(replay, _)| replay.findings.contains(&finding))
        .map_or_else(
            || (replay::follow(executor, path).ok(), false),
            |(replay, fewest)| (Some(replay), fewest),
        );
    let (schedule, trace, deadlock) = match replay {
        Some(replay) => (replay.schedule, replay.trace, replay.deadlock),
        None => (Schedule::new(path.to_vec(), None), Vec::new(), None),
    };
    let deadlock = deadlock.filter(|_| finding.verdict == "deadlock");
    let schedule = if finding.verdict == "livelock" { schedule.endless() } else { schedule };
    Violation { switches: schedule.switches(), finding, schedule, fewest, executions, trace, deadlock }
}

fn with_checksum(executor: &mut Executor<'_, '_>, path: &[u8]) -> Schedule {
    let replay = replay::follow(executor, path);
    replay.map_or_else(|_| Schedule::new(path.to_vec(), None), |replay| replay.schedule)
}

fn lock_order(control: &Control) -> LockOrder {
    let edge = |held: ObjectId, asked: ObjectId, way: &Asking| OrderEdge {
        held: control.objects.get(held).object,
        held_name: control.objects.name(held),
        asked: control.objects.get(asked).object,
        asked_name: control.objects.name(asked),
        task: control.names[way.task].clone(),
        held_at: format!("{}:{}", way.held_at.file(), way.held_at.line()),
        asked_at: format!("{}:{}", way.asked_at.file(), way.asked_at.line()),
        schedule: Schedule::new(way.witness.clone(), None),
    };
    let place = |object: &Object| (object.rank, object.level, object.key);
    let mut edges: Vec<OrderEdge> =
        control.graph.edges().map(|(held, asked, ways)| edge(held, asked, &ways[0])).collect();
    edges.sort_by_key(|edge| (place(&edge.held), place(&edge.asked)));
    let cycle = |cycle: &Cycle| {
        let mut edges: Vec<OrderEdge> =
            cycle.edges.iter().map(|(held, asked, way)| edge(*held, *asked, way)).collect();
        let first = (0..edges.len()).min_by_key(|&index| place(&edges[index].held));
        edges.rotate_left(first.unwrap_or(0));
        edges
    };
    let mut cycles: Vec<Vec<OrderEdge>> = control.graph.cycles().iter().map(cycle).collect();
    cycles.sort_by_key(|cycle| cycle.iter().map(|edge| place(&edge.held)).collect::<Vec<_>>());
    LockOrder { edges, cycles }
}
