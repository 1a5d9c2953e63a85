//! What an apply tells while it is under way.

use ap_plan::Store;

/// Something that an apply tells.
#[derive(Clone, Copy, Debug)]
pub enum Report<'a> {
    /// It waits for the lock that this process holds, so many seconds at the most.
    WaitsForLock(&'a str, u64),
    /// The lock's owner is gone, and the lock is taken from it.
    StaleLock(&'a str),
    /// This step, from 1, of so many, is written.
    Step(usize, usize, &'a Store),
    /// It was, and looks as it should.
    Done(usize),
    /// Queues reset, and it waits for them.
    Resetting(usize),
    /// All is taken back, for this reason.
    Back(&'a str),
    /// This step is taken back.
    Undo(usize, &'a Store),
    /// Something that went wrong and does not stop anything.
    Warning(&'a str),
    /// How the last apply ended, to somebody for whom there is nothing to do.
    Ended(&'a str),
}
