//! The mdevs of a machine file beside its masks: what an mdev has, the host does not keep; and one mask that cures all.
//!
//! Knows ids; not how a file says them.

use std::ops::Range;

use ap_sysfs::ids::listed;
use ap_types::{Apqn, Mask, Matrix};

use super::model::Mdev;
use crate::error::{Mistakes, Problem};

/// Takes out the mdevs of whose queues the host keeps some, each of them a mistake. The first one says with which mask all of
/// them are right. `written`: whether the file says apmask, and aqmask.
pub(super) fn check(
    mdevs: &mut Vec<(Mdev, Range<usize>)>,
    reserved: &Matrix,
    written: (bool, bool),
    mistakes: &mut Mistakes,
) {
    let (mut needed, mut wanted) = (Matrix::default(), Matrix::default());
    for (mdev, _) in mdevs.iter() {
        let Matrix { adapters, domains, .. } = mdev.matrix;
        if !(domains & reserved.domains).is_empty() {
            wanted.adapters |= adapters;
        }
        if !(adapters & reserved.adapters).is_empty() {
            wanted.domains |= domains;
        }
    }
    for (mdev, _) in mdevs.iter().filter(|(mdev, _)| mdev.matrix.shares_queue(reserved)) {
        let both = mdev.matrix.shared(reserved);
        needed.adapters |= both.adapters;
        needed.domains |= both.domains;
    }
    let mut help = match written {
        (false, true) => Some(proposal("aqmask", reserved.domains, needed.domains, wanted.domains)),
        _ => Some(proposal("apmask", reserved.adapters, needed.adapters, wanted.adapters)),
    };
    mdevs.retain(|(mdev, span)| {
        let both = mdev.matrix.shared(reserved);
        let Some((adapter, domain)) = both.adapters.iter().next().zip(both.domains.iter().next()) else {
            return true;
        };
        let message = format!("queue {} is the host's", Apqn::new(adapter, domain));
        let expected = "expected an mdev of queues that `apmask` and `aqmask` leave";
        let mut problem = Problem::new(span.clone(), message, expected);
        problem.help = help.take();
        mistakes.0.push(problem);
        false
    });
}

/// The mask with which the host keeps nothing that is needed; `wanted` is what no mask may keep.
fn proposal<M>(key: &str, mask: M, needed: M, wanted: M) -> String
where
    M: Mask
        + Copy
        + IntoIterator<Item = M::Id>
        + std::ops::Not<Output = M>
        + std::ops::Sub<Output = M>
        + std::ops::BitOr<Output = M>,
{
    let of = |mask: M| listed(mask.into_iter().map(Into::into));
    // Who lists what the mdevs are to have has listed what is to be given away.
    if !mask.has_highest() && of(wanted - mask).is_empty() {
        return format!(
            "{key} is what the host keeps, and not what the mdevs are to have: did you mean `{key} = \"all but {}\"`?",
            of(mask)
        );
    }
    if !mask.has_highest() {
        // A text of digits alone would be the kernel's mask.
        let left = match of(mask - needed) {
            none if none.is_empty() => "\"none\"".to_owned(),
            one if one.bytes().all(|byte| byte.is_ascii_digit()) => format!("[{one}]"),
            ids => format!("\"{ids}\""),
        };
        return format!(
            "the host keeps {} by this {key}; for example `{key} = {left}`, with which all mdevs of this file are right. Of a mask \
             in hex the first digit is that of the ids 0-3",
            of(mask)
        );
    }
    format!(
        "for example `{key} = \"all but {}\"`, with which all mdevs of this file are right",
        of(!mask | needed)
    )
}
