//! The words for what an exploration concludes.
//!
//! These are the verdicts that the engine itself gives. A program's oracles may use any other word for what they
//! find; nothing in this crate looks at those.

/// Everything was explored, and nothing is wrong.
pub const CLEAN: &str = "clean";

/// Nothing wrong was found, but not everything was explored, or what was explored can't be trusted.
pub const UNKNOWN: &str = "unknown";

/// Tasks wait for each other, or for a notification, and never go on.
pub const DEADLOCK: &str = "deadlock";

/// Tasks take steps for ever and never end.
pub const LIVELOCK: &str = "livelock";

/// Two tasks access the same tracked data, one of them writes it, and no lock orders the two accesses.
pub const RACE: &str = "race";

/// A task accesses tracked data that was freed before, or that nothing keeps from being freed before.
pub const USE_AFTER_FREE: &str = "use-after-free";

/// A task panicked.
pub const PANIC: &str = "panic";
