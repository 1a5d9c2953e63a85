//! The lock that tools of this kind share: a file that is made exclusively, with its owner's process number as text.

use crate::report::Report;
use crate::tree::{Desk, Fault, Kind};

/// How often a lock that is held is looked at again, in milliseconds.
const AGAIN_MS: u64 = 500;

/// Why the lock was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error(
        "another tool changes crypto devices: its lock is held by process {owner}, and was not given up in {waited} s"
    )]
    Held {
        /// The process.
        owner: String,
        /// How long we waited.
        waited: u64,
    },
    /// The system refuses.
    #[error("the lock: {0}")]
    Fault(#[from] Fault),
}

/// Takes the lock: waits for who has it, and takes it from who is gone.
///
/// # Errors
/// [`LockError`].
pub fn take(
    desk: &mut dyn Desk,
    wait_seconds: u64,
    report: &mut dyn FnMut(Report<'_>),
) -> Result<(), LockError> {
    let mut waited_ms = 0;
    loop {
        match desk.take_lock() {
            Ok(()) => return Ok(()),
            Err(fault) if fault.kind == Kind::Exists => {}
            Err(fault) => return Err(fault.into()),
        }
        let owner = match desk.lock_text() {
            Ok(text) => text.trim().to_owned(),
            // It was just given up.
            Err(fault) if fault.kind == Kind::NotFound => continue,
            Err(fault) => return Err(fault.into()),
        };
        // A lock whose owner is no number is being made just now: whoever makes it writes the number next.
        let gone = owner.parse::<u32>().is_ok_and(|pid| !desk.lives(pid));
        let unfinished = owner.is_empty() && waited_ms >= 5_000;
        if gone || unfinished {
            match desk.drop_lock() {
                Ok(()) => {
                    report(Report::StaleLock(&owner));
                    continue;
                }
                Err(fault) if fault.kind == Kind::NotFound => continue,
                // Another one is about to take it over.
                Err(fault) if fault.kind == Kind::Exists => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        if waited_ms >= wait_seconds.saturating_mul(1000) {
            return Err(LockError::Held { owner, waited: wait_seconds });
        }
        if waited_ms == 0 {
            report(Report::WaitsForLock(&owner, wait_seconds));
        }
        desk.sleep(AGAIN_MS);
        waited_ms += AGAIN_MS;
    }
}
