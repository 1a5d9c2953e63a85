//! What every transition is judged by.

mod answers;
mod rules;

use ap_host::invariants::{self, Broken};
use ap_host::vfio_ap::QueueStatus;
use ap_types::Apqn;

use super::operation::Operation;
use super::world::{Outcome, Ran, State};

/// Judges one transition; what the tracker found is in `found` already.
pub(super) fn judge(
    before: &State,
    operation: &Operation,
    ran: &Ran,
    statuses: &[(Apqn, Option<QueueStatus>)],
    found: &mut Vec<Broken>,
) {
    let Outcome::Returned(result) = ran.outcome else { return };
    answers::judge(&before.host, operation, result, found);
    if ran.changed {
        if result.is_err() && !matches!(operation, Operation::Reset { .. }) {
            found.push(Broken { invariant: "I8", what: "an operation that failed changed something".into() });
        } else if answers::nothing_to_do(&before.host, operation) {
            let what = "an operation that asked for what is there already changed something".into();
            found.push(Broken { invariant: "I8", what });
        }
    }
    found.extend(invariants::check(&ran.after.host));
    rules::judge(before, operation, result.is_ok(), ran, statuses, found);
}
