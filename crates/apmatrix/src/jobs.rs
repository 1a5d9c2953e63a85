//! As many things at once as there are processors. This module knows nothing of what is done.

use std::num::NonZero;
use std::thread;

/// How many threads: as many as were asked for, else one for each processor.
pub fn wanted(asked: Option<u16>) -> usize {
    asked.map_or_else(|| thread::available_parallelism().map_or(1, NonZero::get), usize::from)
}

/// Runs `f` so many times at the same time, with the numbers 0, 1, …
pub fn run(times: usize, f: &(dyn Fn(usize) + Sync)) {
    thread::scope(|scope| {
        for number in 1..times {
            scope.spawn(move || f(number));
        }
        f(0);
    });
}
