//! The protocol under loom: `loom OPERATIONS right|deadlock|theft SECONDS`. It knows at most five threads.

#[path = "threads.rs"]
mod threads;
mod sync {
    pub use loom::sync::{Arc, Mutex};
    pub use loom::thread;
}

use std::time::{Duration, Instant};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (tasks, mistake) = threads::asked(&mut arguments);
    let seconds = arguments.next().expect("SECONDS").parse().expect("SECONDS is a number");
    let limit = Duration::from_secs(seconds);
    threads::told(move || {
        let began = Instant::now();
        let mut builder = loom::model::Builder::new();
        builder.max_duration = Some(limit);
        builder.max_branches = 100_000;
        builder.check(move || threads::execution(tasks, mistake));
        began.elapsed() < limit
    });
}
