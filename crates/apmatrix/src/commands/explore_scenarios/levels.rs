//! One scenario by several workers: its states, level by level.
//!
//! This module knows nothing of how states are shared out, nor of what a report looks like.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ap_cluster::Progress;
use explore::{Audit, Options, Strategy};

use super::{Seen, Told, report, telling, write};
use crate::commands::explore::args::{Args, Engine};
use crate::commands::explore::cluster::{self, Asked};
use crate::commands::explore::report::count;
use crate::error::{CliError, Outcome};
use crate::scenario::{Playable, States};

/// Whether workers are to share out the states of a scenario; of several scenarios each is explored by one thread.
pub fn are_meant(args: &Args, scenarios: usize) -> bool {
    args.hosts.is_some() || args.checkpoint.is_some() || (args.workers.is_some() && scenarios == 1)
}

/// Explores one scenario.
///
/// # Errors
/// If the options don't fit, the file is wrong, or the search can't be done.
pub fn run(plays: &[Playable], args: &Args) -> Outcome {
    let option = match args {
        Args { hosts: Some(_), .. } => "--hosts",
        Args { checkpoint: Some(_), .. } => "--checkpoint",
        _ => "--workers",
    };
    let [play] = plays else {
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
    let budget = args.budget.map(Duration::from_secs);
    let ready = play.ready(budget)?;
    let left = budget.map(|budget| budget.saturating_sub(started.elapsed()));
    let strategy = if args.engine == Engine::Every { Strategy::EveryState } else { Strategy::StateCache };
    let options = Options { strategy, budget: left, audit: Audit::Off, ..Options::default() };
    let states = Arc::new(States::new(play, &ready, options));
    let asked = Asked {
        budget: left,
        workers: args.threads(),
        hosts: args.hosts.as_deref().zip(args.process),
        checkpoint: args.checkpoint.as_deref(),
    };
    let title = &play.scenario.title;
    let (found, process) = cluster::search(states.clone(), None, asked, &|progress| said(title, progress))?;
    let explored = states.judged(&ready, found);
    let wrong = report::unexpected(play, &explored);
    if process > 0 {
        cluster::print_done(process, explored.report.verdict);
        return Ok(u8::from(wrong.is_some() || explored.report.verdict != super::expected(play)));
    }
    if let Some(path) = &args.html {
        write(path, &telling::page(play, &ready, &explored, wrong.as_deref()))?;
    }
    let mut told = Told::new();
    let seen = Seen { beginning: ready.picture(), explored, wrong, other: None };
    told.status = told.tell_one(play, seen, args, 1);
    told.end(args, 1, started)
}

fn said(title: &str, progress: &Progress) -> String {
    let Progress { depth, states, done: (done, of), time, .. } = *progress;
    let (done, of, states, seconds) = (count(done), count(of), count(states), time.as_secs());
    let counts = format!(": step {depth}, {done} of {of} states done; {states} states, {seconds} s");
    super::in_one_line(title, &counts, crate::terminal::width())
}
