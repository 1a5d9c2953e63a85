//! Mistakes that were made when the reductions were built, to be made again on purpose.
//!
//! A test makes each and expects the fuzzer to find it: that is what says that the fuzzer would find others. Nothing
//! else sets one. This module knows nothing of the reductions themselves.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// That a section changes nothing is concluded from the contents with which it was seen.
    LearnedSilence,
    /// What is learned of objects later does not change what was concluded before.
    StaleSharing,
    /// A transaction begins with a lock that no other task uses.
    PrivateBegins,
    /// What a task makes, and not only what it holds, publishes nothing if it is as it was.
    SilentMaking,
    /// A transaction depends on others by its first step only.
    FirstStepOnly,
    /// Places that were learned after the sets were computed have no future.
    OneRound,
    /// Where a choice relied on what holds no more, nothing else is chosen.
    ChosenOnce,
    /// Who can go round is looked up before states are chosen again, and not after.
    RoundOnce,
    /// A place that a transaction may not run through any more matters only if something was known of what follows it.
    UnknownRest,
    /// A cycle is nothing to be careful about.
    IgnoredCycles,
    /// Transactions are taken at once whatever the lock order is.
    HiddenDeadlocks,
}
