//! Numbers and sets of tasks. This module knows nothing of what tasks do.

/// The most tasks that one program may have.
pub const MAX_TASKS: usize = 16;

/// A set of tasks: bit `n` stands for task `n`.
pub(crate) type Tasks = u16;

/// The members of a set of tasks, the one of the smallest number first.
#[inline]
pub(crate) fn members(tasks: Tasks) -> impl Iterator<Item = usize> {
    let mut left = tasks;
    std::iter::from_fn(move || {
        (left != 0).then(|| {
            let task = left.trailing_zeros() as usize;
            left &= left - 1;
            task
        })
    })
}
