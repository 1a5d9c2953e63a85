//! `apmatrix explore SCENARIO` with `--hosts` or `--checkpoint`: one scenario by several workers: its states, level by level.
//!
//! This module knows nothing of how states are shared out, nor of what a report looks like.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ap_cluster::Progress;
use explore::{Audit, Options, Strategy};

use super::explore::args::{Args, Engine};
use super::explore::cluster::{self, Asked};
use super::explore::report::count;
use super::explore_scenarios::{in_one_line, is_unexpected, print, read};
use crate::error::{CliError, Outcome};
use crate::states::States;
use crate::terminal::width;

/// Whether workers are to share out the states of a scenario: by several processes, or so that it can go on. As long as the
/// threads of one process are enough one of them alone is the quickest.
#[must_use]
pub fn are_meant(args: &Args) -> bool {
    args.hosts.is_some() || args.checkpoint.is_some()
}

/// Explores one scenario.
///
/// # Errors
/// If the options don't fit, the file is wrong, or the search can't be done.
pub fn run(args: &Args) -> Outcome {
    let option = if args.hosts.is_some() { "--hosts" } else { "--checkpoint" };
    let [scenario] = args.scenarios.as_slice() else {
        return Err(CliError::usage(format!("`{option}` is about one scenario: name that one")).hint(
            "several scenario files are explored at once, as many as `--jobs` says; on a cluster give each machine some of them",
        ));
    };
    if matches!(args.engine, Engine::Dpor | Engine::Both) {
        let hint = format!(
            "leave one of the two out, or say `--engine every`; without `{option}` one thread does what `--engine` says"
        );
        return Err(
            CliError::usage(format!("`{option}` visits states, and `--engine` says another way")).hint(hint)
        );
    }
    if args.audit.is_some() {
        return Err(CliError::usage(format!("`--audit` is done by one thread, and `{option}` says several"))
            .hint(format!("audit the scenario once without `{option}`")));
    }
    let started = Instant::now();
    let play = read(scenario, args)?;
    let budget = args.budget.map(Duration::from_secs);
    let ready = play.ready(budget)?;
    let left = budget.map(|budget| budget.saturating_sub(started.elapsed()));
    let strategy = if args.engine == Engine::Every { Strategy::EveryState } else { Strategy::StateCache };
    let options = Options { strategy, budget: left, audit: Audit::Off, ..Options::default() };
    let states = Arc::new(States::new(&play, &ready, options));
    let asked = Asked {
        budget: left,
        workers: args.threads(),
        hosts: args.hosts.as_deref().zip(args.process),
        checkpoint: args.checkpoint.as_deref(),
    };
    let title = &play.scenario.title;
    let (found, process) = cluster::search(states.clone(), None, asked, &|progress| said(title, progress))?;
    let explored = states.judged(&ready, found);
    if process > 0 {
        cluster::print_done(process, explored.report.verdict);
        return Ok(u8::from(is_unexpected(&play, &explored)));
    }
    print(&play, &ready, explored, args, started)
}

fn said(title: &str, progress: &Progress) -> String {
    let Progress { depth, states, done: (done, of), time, .. } = *progress;
    let (done, of, states, seconds) = (count(done), count(of), count(states), time.as_secs());
    let counts = format!(": step {depth}, {done} of {of} states done; {states} states, {seconds} s");
    in_one_line(title, &counts, width())
}
