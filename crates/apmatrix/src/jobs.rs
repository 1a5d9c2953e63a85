//! As many things at once as there are processors, and the memory that they take. This module knows nothing of what is done.

use std::io;
use std::num::NonZero;
use std::thread;

/// How many threads: as many as were asked for, else one for each processor.
pub fn wanted(asked: Option<u16>) -> usize {
    asked.map_or_else(|| thread::available_parallelism().map_or(1, NonZero::get), usize::from)
}

/// Runs `f` so many times at the same time, with the numbers 0, 1, …; fewer times, but at least twice, if no more
/// threads can be started.
///
/// # Errors
/// Why not even a second one can be started, if one was wanted: then nothing ran.
pub fn run(times: usize, f: &(dyn Fn(usize) + Sync)) -> io::Result<()> {
    thread::scope(|scope| {
        for number in 1..times {
            match thread::Builder::new().spawn_scoped(scope, move || f(number)) {
                Ok(_) => {}
                Err(error) if number == 1 => return Err(error),
                Err(_) => break,
            }
        }
        f(0);
        Ok(())
    })
}

/// The most memory that this process ever had, as far as the system tells.
pub fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
