//! What the reference does although it breaks an invariant, and transcripts pin (`docs/deviations.md`).

use ap_host::Snapshot;
use ap_host::invariants::Broken;

use super::hands::{BY_BUS, FAILED};

/// The number of a known one, `KNOWN-nnn`, if what is broken is exactly that.
pub(super) fn known(broken: &Broken, after: &Snapshot) -> Option<&'static str> {
    if broken.invariant != "I5" {
        return None;
    }
    let failed = broken.what.ends_with(FAILED);
    let from = |who: &str| broken.what.contains(&format!(" went from {who} to guest "));
    // The last reset of the guest before failed, and vfio_ap knows it: the next filtering keeps the queue out.
    let kept_out = after.mdevs.failed.iter().any(|apqn| broken.what.starts_with(&format!("queue {apqn} ")));
    if failed && from("a guest that has ended") && kept_out {
        return Some("KNOWN-002");
    }
    // The bus neither waits for the ZAPQ with which it takes a queue from a driver nor looks at its answer.
    if broken.what.ends_with(BY_BUS) {
        return Some("KNOWN-009");
    }
    None
}
