//! The load: workers that share one rate, and a word about them every two seconds.

use std::io;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::watch::TICK;
use crate::work;

/// What the load says every [`TICK`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Beat {
    /// Operations so far.
    pub operations: u64,
    /// Device events heard so far.
    pub uevents: u64,
    /// Operations that ended otherwise than they should.
    pub errors: u64,
    /// For how many ticks the slowest call has been under way.
    pub stuck: u32,
}

impl Beat {
    /// Reads the line that [`run`] prints.
    pub fn parse(line: &str) -> Option<Beat> {
        let fields: Vec<u64> =
            line.strip_prefix("beat ")?.split(' ').map_while(|word| word.parse().ok()).collect();
        match fields[..] {
            [operations, uevents, errors, stuck] => {
                Some(Beat { operations, uevents, errors, stuck: u32::try_from(stuck).ok()? })
            }
            _ => None,
        }
    }
}

/// What the workers have in common.
pub struct Shared {
    started: Instant,
    /// Between two operations.
    gap: Duration,
    /// When the next operation may begin.
    next: Mutex<Duration>,
    errors: AtomicU64,
    /// Device events heard.
    pub uevents: AtomicU64,
}

/// A worker's own record: calls begun and ended.
#[derive(Default)]
pub struct Record {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// What a worker works with.
pub struct Worker {
    shared: Arc<Shared>,
    record: Arc<Record>,
    random: u64,
}

impl Worker {
    /// One operation: in its turn, and with an end that it may have: success, or an errno of `may`.
    pub fn try_one<T>(
        &mut self,
        what: &str,
        may: &[i32],
        call: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, i32> {
        self.pace();
        self.record.begun.fetch_add(1, Ordering::Relaxed);
        let done = call();
        self.record.ended.fetch_add(1, Ordering::Relaxed);
        done.map_err(|error| {
            let errno = error.raw_os_error().unwrap_or(0);
            if !may.contains(&errno) {
                self.wrong(&format!("{what}: {error}"));
            }
            errno
        })
    }

    /// An operation that must fail with `errno`.
    pub fn must_fail<T>(&mut self, what: &str, errno: i32, call: impl FnOnce() -> io::Result<T>) {
        if self.try_one(what, &[errno], call).is_ok() {
            self.wrong(&format!("{what}: succeeded, but {} was due", io::Error::from_raw_os_error(errno)));
        }
    }

    /// Something that must be so.
    pub fn must(&self, holds: bool, what: &str) {
        if !holds {
            self.wrong(what);
        }
    }

    fn wrong(&self, what: &str) {
        // Enough to see what it is.
        if self.shared.errors.fetch_add(1, Ordering::Relaxed) < 50 {
            println!("UNEXPECTED after {:.1} s: {what}", self.shared.started.elapsed().as_secs_f64());
        }
    }

    /// A number below `limit`; which ones come does not matter, only that all do.
    pub fn random(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % limit
    }

    /// Who shares the load.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    fn pace(&self) {
        let now = self.shared.started.elapsed();
        let turn = {
            let mut next = self.shared.next.lock().expect("no worker panics in here");
            // What was missed, being stopped or slow, is not made up for.
            *next = (*next + self.shared.gap).max(now.saturating_sub(Duration::from_millis(100)));
            *next
        };
        std::thread::sleep(turn.saturating_sub(now));
    }
}

/// Runs all workers until somebody ends this process.
pub fn run(rate: u64) -> ExitCode {
    let shared = Arc::new(Shared {
        started: Instant::now(),
        gap: Duration::from_secs(1) / u32::try_from(rate.max(1)).unwrap_or(u32::MAX),
        next: Mutex::new(Duration::ZERO),
        errors: AtomicU64::new(0),
        uevents: AtomicU64::new(0),
    });
    let mut records = Vec::new();
    for (number, (name, work)) in work::WORKERS.iter().enumerate() {
        let record = Arc::new(Record::default());
        let mut worker = Worker {
            shared: Arc::clone(&shared),
            record: Arc::clone(&record),
            random: 0x9e37_79b9_7f4a_7c15 + number as u64,
        };
        records.push((record, 0, 0));
        let thread = std::thread::Builder::new().name((*name).to_owned());
        thread
            .spawn(move || {
                loop {
                    work(&mut worker);
                }
            })
            .expect("a thread");
    }
    let ended = |record: &Record| record.ended.load(Ordering::Relaxed);
    loop {
        std::thread::sleep(TICK);
        for (record, last, stuck) in &mut records {
            let begun = record.begun.load(Ordering::Relaxed);
            *stuck = if begun == *last && begun > ended(record) { *stuck + 1 } else { 0 };
            *last = begun;
        }
        println!(
            "beat {} {} {} {}",
            records.iter().map(|(record, ..)| ended(record)).sum::<u64>(),
            shared.uevents.load(Ordering::Relaxed),
            shared.errors.load(Ordering::Relaxed),
            records.iter().map(|(_, _, stuck)| *stuck).max().unwrap_or(0)
        );
    }
}
