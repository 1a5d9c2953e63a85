//! What a change costs: the queues that are lost by it, and its writes.
//!
//! Knows states before and after; not what a change is for.

use std::cmp::Ordering;
use std::ops::AddAssign;

use ap_types::{AdapterId, DomainMask, Matrix, Uuid};

use crate::reason::{adapters, domains, smaller_part};
use crate::state::{Bindings, Mdev, State};
use crate::write::Write;

/// What a change costs. The first that differs decides which of two costs less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost {
    /// How many queues running guests lose.
    pub guests: i64,
    /// How many queues that are there mdevs and the host lose.
    pub queues: i64,
    /// How many writes it takes.
    pub writes: i64,
    /// How many queues that are not there mdevs lose.
    pub absent: i64,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        self.guests += other.guests;
        self.queues += other.queues;
        self.writes += other.writes;
        self.absent += other.absent;
    }
}

impl Cost {
    /// What decides between changes of different kinds: nobody misses a queue that is not there.
    #[must_use]
    pub fn of_what_is_there(self) -> (i64, i64, i64) {
        (self.guests, self.queues, self.writes)
    }

    /// What nothing costs.
    pub const NOTHING: Cost = Cost { guests: 0, queues: 0, writes: 0, absent: 0 };

    /// What a change of so many writes costs that leads from one state to another one and lets a write through.
    #[must_use]
    pub fn of_change(before: &State, changed: &State, write: Option<&Write>, writes: usize) -> Cost {
        let after = write.and_then(|write| changed.after(write).ok());
        let after = after.as_ref().unwrap_or(changed);
        let host = &before.queues.host;
        let lost = host.len() - host.shared_len(&after.queues.host);
        let mut cost = Cost { queues: count(lost), writes: count(writes), ..Cost::NOTHING };
        for (uuid, mdev) in &before.mdevs {
            let (matrix, shadow) =
                after.mdevs.get(uuid).map(|mdev| (mdev.matrix, mdev.shadow)).unwrap_or_default();
            cost += of_mdev(before, mdev, &matrix, &shadow);
        }
        cost
    }

    /// What it costs that of an mdev no more than this is left, one write for each id.
    fn of_taking(state: &State, mdev: &Mdev, left: &Matrix) -> Cost {
        let gone =
            (mdev.matrix.adapters - left.adapters).count() + (mdev.matrix.domains - left.domains).count();
        Cost { writes: count(gone), ..of_mdev(state, mdev, left, &mdev.shadow.shared(left)) }
    }
}

/// What an mdev and its guest lose if no more than this is assigned, and passed.
fn of_mdev(state: &State, mdev: &Mdev, matrix: &Matrix, shadow: &Matrix) -> Cost {
    let mut cost = Cost::NOTHING;
    if mdev.holder.is_some() {
        cost.guests = lost(&mdev.shadow, shadow);
    }
    let left = mdev.matrix.shared(matrix);
    let all = lost(&mdev.matrix, &left);
    if all > 0 {
        cost.queues = count(there(state, &mdev.matrix)) - count(there(state, &left));
        cost.absent = all - cost.queues;
    }
    cost
}

/// How many queues one product has that another one has not.
fn lost(before: &Matrix, after: &Matrix) -> i64 {
    count(before.queue_count()) - count(before.shared(after).queue_count())
}

/// How many queues of a product are there.
fn there(state: &State, matrix: &Matrix) -> usize {
    matrix.adapters.iter().map(|adapter| (row(state, adapter) & matrix.domains).count()).sum()
}

/// The domains of the queues of an adapter that are there.
fn row(state: &State, adapter: AdapterId) -> DomainMask {
    let Bindings { host, vfio, none } = &state.queues;
    host.row(adapter) | vfio.row(adapter) | none.row(adapter)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What is left of an mdev without its adapters of some queues, and without its domains of them; and what each costs.
fn takings(state: &State, mdev: &Mdev, queues: &Matrix) -> [(Matrix, Cost); 2] {
    let (mut by_adapters, mut by_domains) = (mdev.matrix, mdev.matrix);
    by_adapters.adapters -= queues.adapters;
    by_domains.domains -= queues.domains;
    [by_adapters, by_domains].map(|left| (left, Cost::of_taking(state, mdev, &left)))
}

/// What goes where adapters and domains cost the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rather {
    Adapters,
    Domains,
}

/// What is left of an mdev that gives up some queues at the least cost: all their adapters go, or all their domains.
pub(crate) fn least_taken(state: &State, mdev: &Mdev, queues: &Matrix, rather: Rather) -> Matrix {
    let [(by_adapters, adapters), (by_domains, domains)] = takings(state, mdev, queues);
    match adapters.cmp(&domains) {
        Ordering::Less => by_adapters,
        Ordering::Greater => by_domains,
        Ordering::Equal if rather == Rather::Adapters => by_adapters,
        Ordering::Equal => by_domains,
    }
}

/// What an mdev gives up at the least cost so that it has none of some queues: `adapter 4`, `domains 6, 71`.
pub(crate) fn least_part(state: &State, mdev: &Uuid, queues: &Matrix, rather: Rather) -> String {
    let Some(mdev) = state.mdevs.get(mdev) else { return smaller_part(queues) };
    let left = least_taken(state, mdev, queues, rather);
    match mdev.matrix.adapters - left.adapters {
        gone if !gone.is_empty() => adapters(&gone),
        _ if mdev.matrix.domains == left.domains => smaller_part(queues),
        _ => domains(&(mdev.matrix.domains - left.domains)),
    }
}
