//! The explorer: what users call.
//!
//! It has the searches look, and puts what they found into a report. It knows nothing of how they look.

use std::time::{Duration, Instant};

use locks::{Object, hook};

use crate::engine::collect::{End, Limits, Met, Path, Searched};
use crate::engine::conductor::Conductor;
use crate::engine::executor::Executor;
use crate::engine::graph::{Asking, Cycle};
use crate::engine::learned::Learned;
use crate::engine::objects::{ObjectId, place};
use crate::engine::random::Chance;
use crate::engine::replay::{self, Followed, ReplayError};
use crate::engine::tree::Tree;
use crate::engine::{audit, cache, executions, rounds, shrink};
use crate::options::{Audit, Options, Strategy};
use crate::program::{Finding, Program};
use crate::report::{AuditReport, LockOrder, OrderEdge, OutcomeReport, Progress, Replay, Report, Violation};
use crate::schedule::Schedule;
use crate::verdict;

/// A find that came at the end of the budget is shrunk for so long all the same.
const LEAST_SHRINK: Duration = Duration::from_secs(1);

type Show = Box<dyn FnMut(&Progress)>;

/// Explores programs: all their interleavings, or one execution along a schedule.
#[derive(Default)]
pub struct Explorer {
    options: Options,
    progress: Option<Show>,
    /// What every execution begins with.
    first: Vec<u8>,
}

/// What is known when the search and the audit have ended.
pub(crate) struct Explored {
    pub searched: Searched,
    /// How many executions were run, and how many steps executed, without the audit's.
    pub runs: u64,
    pub warm_up: u64,
    pub chosen_again: u64,
    pub steps: u64,
    pub audit: Option<AuditReport>,
}

impl Explorer {
    /// An explorer with these options.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Explorer { options, progress: None, first: Vec::new() }
    }

    /// Explores only executions that begin along this schedule: every state of them, whatever the strategy, without an
    /// audit, and what is wrong is shown as it was met. If the schedule does not fit, the report says so and is never
    /// `clean`; [`follow`](Explorer::follow) tells how far it fits.
    #[must_use]
    pub fn after(mut self, schedule: &Schedule) -> Self {
        self.first = schedule.tasks().to_vec();
        self
    }

    /// Calls `show` about ten times a second while exploring.
    #[must_use]
    pub fn on_progress(mut self, show: impl FnMut(&Progress) + 'static) -> Self {
        self.progress = Some(Box::new(show));
        self
    }

    /// The options that the explorer was made with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Explores the program's interleavings as the options say, and shows what is wrong by its shortest execution.
    pub fn run(&mut self, program: &mut dyn Program) -> Report {
        let started = Instant::now();
        let conductor = Conductor::new(program, self.options.max_steps);
        hook::install_scoped(&conductor, || {
            conductor.control.borrow_mut().mistake = self.options.mistake;
            let mut executor = Executor::new(&conductor, self.options.stack);
            let explored = self.explore(&mut executor);
            self.report(&mut executor, explored, started)
        })
    }

    /// Executes the program along a schedule, step by step.
    ///
    /// # Errors
    /// If the schedule doesn't fit the program, ends too early, or takes other steps than when it was recorded.
    pub fn replay(&mut self, program: &mut dyn Program, schedule: &Schedule) -> Result<Replay, ReplayError> {
        let Followed { replay, left } = self.follow(program, schedule);
        left.map_or(Ok(replay), Err)
    }

    /// Executes the program along a schedule as far as it fits, step by step, and says where it left and why.
    pub fn follow(&mut self, program: &mut dyn Program, schedule: &Schedule) -> Followed {
        let conductor = Conductor::new(program, self.options.max_steps);
        hook::install_scoped(&conductor, || {
            replay::replay(&mut Executor::new(&conductor, self.options.stack), schedule)
        })
    }

    /// Searches, and audits what the search relied on; both anew whenever it is learned that more must be told apart.
    fn explore(&mut self, executor: &mut Executor<'_, '_>) -> Explored {
        let progress = self.progress.as_deref_mut().map(|show| show as &mut dyn FnMut(&Progress));
        let mut limits = Limits::new(&self.options, progress);
        loop {
            let mut searched = if self.first.is_empty() {
                search(executor, &mut limits, &self.options)
            } else {
                cache::every_state_after(executor, &mut limits, &self.first)
            };
            if searched.end != End::Restart {
                limits.give_back(&mut searched.collector);
            }
            let mut explored = {
                let steps = executor.conductor.control.borrow().learned.steps;
                {
                    let (runs, warm_up, chosen_again) = (executor.begun, limits.warm_up, limits.chosen_again);
                    Explored { searched, runs, warm_up, chosen_again, steps, audit: None }
                }
            };
            let sound = executor.conductor.control.borrow().learned.problem.is_none();
            if let (Strategy::StateCache | Strategy::EveryState, Audit::Histories(pasts)) =
                (self.options.strategy, self.options.audit)
                && explored.searched.end == End::Exhausted
                && self.first.is_empty()
                && sound
            {
                let budget = self.options.audit_budget;
                let (end, report) = audit::search(executor, &mut limits, pasts as usize, budget);
                explored.audit = Some(report);
                if end == End::Restart {
                    explored.searched.end = End::Restart;
                }
            }
            if explored.searched.end != End::Restart {
                return explored;
            }
            executor.conductor.control.borrow_mut().learned.restart = false;
            if limits.tick(0, |elapsed| Progress { executions: 0, states: 0, depth: 0, elapsed, done: 0.0 }) {
                explored.searched.end = End::Cut;
                limits.give_back(&mut explored.searched.collector);
                return explored;
            }
            rounds::keep(executor, &mut limits, explored.searched.collector);
        }
    }

    /// Puts what was explored into a report; it shows each violation by its shortest execution.
    pub(crate) fn report(
        &self,
        executor: &mut Executor<'_, '_>,
        explored: Explored,
        started: Instant,
    ) -> Report {
        let Explored { searched, runs, warm_up, chosen_again, steps, audit } = explored;
        let Searched { collector, end, states, .. } = searched;
        audit::locate(executor);
        let problem = executor.conductor.control.borrow().learned.problem.as_ref().map(|p| p.words());
        let exhausted = end == End::Exhausted && problem.is_none();
        let before = (executor.begun, executor.conductor.control.borrow().learned.steps);
        let outcomes = collector
            .outcomes
            .into_iter()
            .map(|seen| {
                let (schedule, findings) = told(executor, &seen.path);
                OutcomeReport {
                    results: seen.results,
                    state: seen.state,
                    executions: seen.executions,
                    schedule,
                    findings,
                }
            })
            .collect();
        let violations = self.violations(executor, collector.violations, started);
        let verdict = match violations.first() {
            Some(violation) => violation.finding.verdict,
            None if exhausted => verdict::CLEAN,
            None => verdict::UNKNOWN,
        };
        let why = problem.or_else(|| (!exhausted).then(|| self.why(started)));
        let learned = &executor.conductor.control.borrow().learned;
        Report {
            verdict,
            exhausted,
            why,
            tasks: learned.names.clone(),
            executions: collector.executions,
            runs: runs + (executor.begun - before.0),
            warm_up,
            chosen_again,
            states,
            steps: steps + (learned.steps - before.1),
            deepest: collector.deepest,
            outcomes,
            violations,
            lock_order: lock_order(learned),
            audit,
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
                format!("the time is up ({:.1} s)", budget.as_secs_f64())
            }
            Options { max_executions: Some(most), .. } => format!("it stopped after {most} executions"),
            _ => "it stopped at a violation".to_owned(),
        }
    }

    /// Shows each violation by its shortest execution.
    fn violations(
        &self,
        executor: &mut Executor<'_, '_>,
        found: Vec<Met>,
        started: Instant,
    ) -> Vec<Violation> {
        let wanted: Vec<u32> = {
            let findings = &executor.conductor.control.borrow().learned.findings;
            let endless = |finding: u32| findings.get(finding).verdict == verdict::LIVELOCK;
            found.iter().map(|(finding, ..)| *finding).filter(|&finding| !endless(finding)).collect()
        };
        let mut best = if self.options.shrink && self.first.is_empty() && !wanted.is_empty() {
            // Beyond the budget only as long as a trace is worth.
            let left =
                self.options.budget.map(|budget| budget.saturating_sub(started.elapsed()).max(LEAST_SHRINK));
            let time = left.map_or(self.options.shrink_budget, |left| left.min(self.options.shrink_budget));
            shrink::fewest(executor, &self.options, &wanted, time)
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
fn search(executor: &mut Executor<'_, '_>, limits: &mut Limits<'_>, options: &Options) -> Searched {
    match options.strategy {
        Strategy::StateCache => rounds::search(executor, limits, (options.mistake, options.reach)),
        Strategy::EveryState => cache::every_state(executor, limits),
        Strategy::Dpor => executions::search(executor, limits, &mut Tree::new(true), None),
        Strategy::Dfs => executions::search(executor, limits, &mut Tree::new(false), None),
        Strategy::Random { seed, executions } => {
            executions::search(executor, limits, &mut Chance::new(seed, executions), None)
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
    let finding = executor.conductor.control.borrow().learned.findings.get(number).clone();
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
    let deadlock = deadlock.filter(|_| finding.verdict == verdict::DEADLOCK);
    let schedule = if finding.verdict == verdict::LIVELOCK { schedule.endless() } else { schedule };
    Violation { switches: schedule.switches(), finding, schedule, fewest, executions, trace, deadlock }
}

/// Executes a path for its schedule with a checksum, and for what is wrong with it.
fn told(executor: &mut Executor<'_, '_>, path: &[u8]) -> (Schedule, Vec<Finding>) {
    replay::told(executor, path).unwrap_or_else(|| (Schedule::new(path.to_vec(), None), Vec::new()))
}

fn lock_order(learned: &Learned) -> LockOrder {
    let edge = |held: ObjectId, asked: ObjectId, way: &Asking| OrderEdge {
        held: learned.objects.get(held).object,
        held_name: learned.objects.called(held),
        asked: learned.objects.get(asked).object,
        asked_name: learned.objects.called(asked),
        task: learned.names[way.task].clone(),
        held_at: place(way.held_at),
        asked_at: place(way.asked_at),
        schedule: Schedule::new(way.witness.clone(), None),
    };
    let rank = |object: &Object| (object.rank, object.level, object.key);
    let mut edges: Vec<OrderEdge> =
        learned.graph.edges().map(|(held, asked, ways)| edge(held, asked, &ways[0])).collect();
    edges.sort_by_key(|edge| (rank(&edge.held), rank(&edge.asked)));
    let cycle = |cycle: &Cycle| {
        let mut edges: Vec<OrderEdge> =
            cycle.edges.iter().map(|(held, asked, way)| edge(*held, *asked, way)).collect();
        let first = (0..edges.len()).min_by_key(|&index| rank(&edges[index].held));
        edges.rotate_left(first.unwrap_or(0));
        edges
    };
    let mut cycles: Vec<Vec<OrderEdge>> = learned.graph.cycles().iter().map(cycle).collect();
    cycles.sort_by_key(|cycle| cycle.iter().map(|edge| rank(&edge.held)).collect::<Vec<_>>());
    LockOrder { edges, cycles }
}
