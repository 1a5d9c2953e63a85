//! Signs that a worker can't go on: it would wait for ever for one that is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use timely::worker::Worker;

use crate::error::ClusterError;

/// After how long a worker that waits looks whether it waits in vain.
const LOOK: Duration = Duration::from_millis(100);

/// After how long it looks first: a worker that is done with its part a little sooner than the others is not always woken
/// when they are done with theirs, and a level may take less than a millisecond.
const GLANCE: Duration = Duration::from_micros(20);

/// For how long a worker parks that waits: twice as long each time.
struct Patience(Duration);

impl Patience {
    fn new() -> Patience {
        Patience(GLANCE)
    }

    fn next(&mut self) -> Option<Duration> {
        let now = self.0;
        self.0 = (now * 2).min(LOOK);
        Some(now)
    }
}

/// Nobody.
const NONE: usize = usize::MAX;

/// What the threads of a process tell each other.
#[derive(Clone, Debug)]
pub(crate) struct Signs(Arc<(AtomicBool, AtomicUsize)>);

impl Signs {
    /// All is well.
    pub(crate) fn new() -> Signs {
        Signs(Arc::new((AtomicBool::new(false), AtomicUsize::new(NONE))))
    }

    /// A worker of this process ends before its time.
    pub(crate) fn fail(&self) {
        self.0.0.store(true, Ordering::SeqCst);
    }

    /// A process is gone; the first one counts.
    pub(crate) fn lose(&self, process: usize) {
        let _others_follow = self.0.1.compare_exchange(NONE, process, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// The process that is gone.
    pub(crate) fn lost(&self) -> Option<usize> {
        Some(self.0.1.load(Ordering::SeqCst)).filter(|process| *process != NONE)
    }

    fn check(&self) -> Result<(), ClusterError> {
        match self.lost() {
            Some(process) => Err(ClusterError::Lost { process }),
            None if self.0.0.load(Ordering::SeqCst) => Err(ClusterError::Panicked),
            None => Ok(()),
        }
    }

    /// Has a worker do what is to be done, until something is so.
    pub(crate) fn step_until(
        &self,
        worker: &mut Worker,
        is_so: impl Fn() -> bool,
        mut meanwhile: impl FnMut(),
    ) -> Result<(), ClusterError> {
        let mut patience = Patience::new();
        while !is_so() {
            worker.step_or_park(patience.next());
            self.check()?;
            meanwhile();
        }
        Ok(())
    }

    /// Has a worker do what is to be done, and `work` in between, until that says that all is done.
    pub(crate) fn step_while(
        &self,
        worker: &mut Worker,
        mut work: impl FnMut() -> Busy,
    ) -> Result<(), ClusterError> {
        let mut patience = Patience::new();
        loop {
            match work() {
                Busy::Works => worker.step(),
                Busy::Waits => worker.step_or_park(patience.next()),
                Busy::Done => return Ok(()),
            };
            self.check()?;
        }
    }

    /// Has a worker do what is left to be done.
    pub(crate) fn step_until_idle(&self, worker: &mut Worker) -> Result<(), ClusterError> {
        let mut patience = Patience::new();
        while worker.has_dataflows() {
            worker.step_or_park(patience.next());
            self.check()?;
        }
        Ok(())
    }
}

/// What a worker does besides what timely has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Busy {
    /// It has more to do.
    Works,
    /// It has nothing to do before something comes.
    Waits,
    /// All is done.
    Done,
}

/// Tells the other threads if its own one panics.
pub(crate) struct Alarm<'s>(pub &'s Signs);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail();
        }
    }
}
