//! The protocol under shuttle: `shuttle OPERATIONS right|deadlock|theft random|pct|dfs SECONDS`.

#[path = "threads.rs"]
mod threads;
mod sync {
    pub use shuttle::sync::{Arc, Mutex};
    pub use shuttle::thread;
}

use std::time::{Duration, Instant};

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

/// The depth of a bug that the second scheduler is told to look for: both mistakes show with one switch.
const DEPTH: usize = 2;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (tasks, mistake) = threads::asked(&mut arguments);
    let scheduler = arguments.next().expect("random, pct or dfs");
    let seconds = arguments.next().expect("SECONDS").parse().expect("SECONDS is a number");
    let limit = Duration::from_secs(seconds);
    threads::told(move || {
        let began = Instant::now();
        let run = |scheduler: Box<dyn Scheduler + Send>| {
            let mut config = Config::new();
            config.max_time = Some(limit);
            Runner::new(scheduler, config).run(move || threads::execution(tasks, mistake));
        };
        match scheduler.as_str() {
            "random" => run(Box::new(RandomScheduler::new(usize::MAX))),
            "pct" => run(Box::new(PctScheduler::new(DEPTH, usize::MAX))),
            "dfs" => run(Box::new(DfsScheduler::new(None, false))),
            other => panic!("`{other}` is not random, pct or dfs"),
        }
        scheduler == "dfs" && began.elapsed() < limit
    });
}
