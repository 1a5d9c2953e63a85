//! Whoever changes a host and waits is told what is waited for; and on ^C, what becomes of it.
//!
//! A write to a host may not return for as long as a reset takes, and cannot be called off: it ends in the kernel, whether
//! somebody waits for it or not. Knows what is told while it is under way ([`Report`]); not how a host is changed.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use ap_apply::report::Report;
use signal_hook::consts::SIGINT;
use signal_hook::low_level::emulate_default_handler;

use crate::terminal::{width, wrapped};

/// How often it is looked whether ^C was pressed.
const LOOK: Duration = Duration::from_millis(100);
/// After so long without a word it is told what is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What ends an apply that is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Somebody calls `recover`.
    Recovery,
    /// The process that watches over it takes it back.
    Guard,
}

/// What is said of ^C that came too late; what would come next (files for the next boot) does not.
const OVER: &str = "interrupted when it was over: `apmatrix recover` says how it ended";

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// The host is read; nothing is written yet.
    Reading,
    /// It waits for the lock, which was told.
    Lock,
    /// This step is written.
    Step(usize),
    /// This step was written, and it is looked what came of it.
    After(usize),
    /// All is to be taken back.
    Back,
    /// This step is taken back.
    Undo(usize),
}

impl At {
    /// Where it is after a report.
    fn of(self, report: &Report<'_>) -> At {
        match (report, self) {
            (Report::WaitsForLock(..), _) => At::Lock,
            (Report::StaleLock(_), _) => At::Reading,
            (Report::Step(number, ..), _) => At::Step(*number),
            (Report::Done(number), _) => At::After(*number),
            (Report::Resetting(_), At::Step(number)) => At::After(number),
            (Report::Back(_), _) => At::Back,
            (Report::Undo(number, _), _) => At::Undo(*number),
            (Report::Resetting(_) | Report::Warning(_) | Report::Ended(_), at) => at,
        }
    }
}

/// What is said of something that does not return; `None`: it was said.
fn waits(at: At) -> Option<String> {
    let seconds = PATIENCE.as_secs();
    let writes = |what: String| {
        format!(
            "{what} has not returned for {seconds} s: it waits for something of the host, mostly for the reset of a queue. \
             The kernel's log says of which one (`dmesg`; of an emulated host `apmatrix events`)"
        )
    };
    Some(match at {
        At::Lock => return None,
        At::Reading | At::Back => format!(
            "reading the host has taken {seconds} s so far: a file does not answer, as long as a change of the host goes on, or a \
             reset"
        ),
        At::Step(number) => writes(format!("step {number}")),
        At::After(number) => {
            format!(
                "{seconds} s after step {number} the host is not yet as it is to be: mostly queues still reset"
            )
        }
        At::Undo(number) => writes(format!("taking back step {number}")),
    })
}

/// What becomes of it after ^C.
fn interrupted(at: At, ends: Ends) -> String {
    let so_far = match at {
        At::Reading | At::Lock => return "interrupted: this command has written nothing".to_owned(),
        At::Step(number) => format!("interrupted at step {number}, a write that may still take effect"),
        At::After(number) => format!("interrupted after step {number}"),
        At::Back => "interrupted while all is taken back".to_owned(),
        At::Undo(number) => {
            format!("interrupted at taking back step {number}, a write that may still take effect")
        }
    };
    match ends {
        Ends::Guard => {
            format!("{so_far}: all is taken back when it is over; `apmatrix recover` says how it ended")
        }
        Ends::Recovery => {
            format!("{so_far}: what was done stays until `apmatrix recover` ends it, forward or back")
        }
    }
}

/// Does something that tells how far it is, and passes that on to `tell`. Meanwhile the terminal hears what is waited
/// for; and ^C ends this process, as ever, but not without a word.
///
/// The work is done by a thread of its own: a signal goes to the main thread first, and would never be seen there while
/// a write does not return.
pub fn watched<R: Send>(
    ends: Ends,
    tell: fn(Report<'_>),
    work: impl FnOnce(&mut dyn FnMut(Report<'_>)) -> R + Send,
) -> R {
    let (pressed, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    // Where they can't be had ^C ends the process without a word. In the background of a script nobody presses it.
    if !ignored() {
        let _ = signal_hook::flag::register_conditional_default(SIGINT, Arc::clone(&over));
        let _ = signal_hook::flag::register(SIGINT, Arc::clone(&pressed));
    }
    let (says, heard) = channel();
    let mut at = At::Reading;
    let result = thread::scope(|scope| {
        let worker = scope.spawn(move || {
            work(&mut |report| {
                let now = at.of(&report);
                // What goes on as before has gone on for as long.
                if now != at {
                    at = now;
                    let _ = says.send(at);
                }
                tell(report);
            })
        });
        watch(ends, &pressed, &heard);
        worker.join()
    });
    over.store(true, Ordering::Relaxed);
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Whether this process was started so that ^C does nothing to it.
fn ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (SIGINT - 1) & 1 == 1)
}

fn watch(ends: Ends, pressed: &AtomicBool, heard: &Receiver<At>) {
    let (mut at, mut since, mut told, mut over) = (At::Reading, Instant::now(), false, false);
    loop {
        match heard.recv_timeout(LOOK) {
            Ok(next) => (at, since, told) = (next, Instant::now(), false),
            Err(RecvTimeoutError::Disconnected) => over = true,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if pressed.load(Ordering::Relaxed) {
            say(&if over { OVER.to_owned() } else { interrupted(at, ends) });
            // It does not come back.
            let _ = emulate_default_handler(SIGINT);
            return;
        }
        if over {
            return;
        }
        if !told && since.elapsed() >= PATIENCE {
            waits(at).iter().for_each(|line| say(line));
            told = true;
        }
    }
}

fn say(line: &str) {
    let _ = writeln!(anstream::stderr(), "{}", wrapped(line, width(), 2));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_says_what_stays_and_what_ends_it() {
        for nothing in [At::Reading, At::Lock] {
            assert_eq!(interrupted(nothing, Ends::Recovery), "interrupted: this command has written nothing");
        }
        assert_eq!(
            interrupted(At::Step(3), Ends::Recovery),
            "interrupted at step 3, a write that may still take effect: what was done stays until `apmatrix recover` ends it, \
             forward or back"
        );
        assert_eq!(
            interrupted(At::Undo(2), Ends::Guard),
            "interrupted at taking back step 2, a write that may still take effect: all is taken back when it is over; \
             `apmatrix recover` says how it ended"
        );
        let said = |at| waits(at).expect("it is said");
        assert!(said(At::Step(3)).starts_with("step 3 has not returned for 10 s"));
        assert!(said(At::Reading).starts_with("reading the host has taken 10 s so far"));
        assert!(said(At::After(3)).starts_with("10 s after step 3 the host is not yet as it is to be"));
        assert_eq!(waits(At::Lock), None, "it was told for whom, and how long");
    }

    /// A way back has written to the journal before it writes to the host.
    #[test]
    fn what_is_reported_says_where_it_is() {
        let store = ap_plan::Store { path: "bus/ap/apmask".into(), text: "-4".into() };
        let reports = [
            (Report::WaitsForLock("7", 30), At::Lock),
            (Report::StaleLock("7"), At::Reading),
            (Report::Step(1, 2, &store), At::Step(1)),
            (Report::Resetting(5), At::After(1)),
            (Report::Done(1), At::After(1)),
            (Report::Warning("it"), At::After(1)),
            (Report::Back("why"), At::Back),
            (Report::Undo(1, &store), At::Undo(1)),
            (Report::Resetting(5), At::Undo(1)),
        ];
        let mut at = At::Reading;
        for (report, then) in reports {
            at = at.of(&report);
            assert_eq!(at, then, "{report:?}");
        }
    }
}
