//! What every transition is judged by.

use ap_host::invariants;
use ap_types::Apqn;
use ap_vfio::QueueStatus;

use crate::oracle::Broken;
use crate::sequences::operation::Operation;
use crate::sequences::state::{Returned, State};
use crate::sequences::{answers, rules};

/// Judges one transition; what the oracle of clean hand-over found is in `found` already.
pub(super) fn judge(
    before: &State,
    operation: &Operation,
    returned: &Returned,
    statuses: &[(Apqn, Option<QueueStatus>)],
    found: &mut Vec<Broken>,
) {
    answers::judge(&before.host, operation, returned.answer, found);
    if returned.changed {
        if returned.answer.is_err() && !matches!(operation, Operation::Reset { .. }) {
            found.push(Broken::FailedAndChanged);
        } else if answers::nothing_to_do(&before.host, operation) {
            found.push(Broken::NothingToDoAndChanged);
        }
    }
    // What holds of a state was found out when it was met first.
    if !returned.after.host.is(&before.host) {
        found.extend(invariants::check(&returned.after.host).into_iter().map(Broken::from));
    }
    rules::judge(before, operation, returned, statuses, found);
}
