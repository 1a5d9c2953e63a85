//! Races, in words that are the same however they were found. This module knows nothing of how that is.

use super::objects::{ObjectId, Objects, OpKind};
use crate::program::Finding;
use crate::verdict;

/// An access to tracked data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub task: usize,
    pub kind: OpKind,
}

/// Two accesses that must not be as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Race {
    pub object: ObjectId,
    /// The access before, in this execution.
    first: Access,
    second: Access,
    /// In this execution the second comes after a free.
    after_free: bool,
    /// Nothing orders the two: there is another execution in which they come the other way round.
    unordered: bool,
}

impl Race {
    pub(crate) fn unordered(object: ObjectId, first: Access, second: Access) -> Self {
        Race { object, first, second, after_free: false, unordered: true }
    }

    pub(crate) fn after_free(object: ObjectId, freed_by: usize, second: Access, unordered: bool) -> Self {
        let first = Access { task: freed_by, kind: OpKind::Free };
        Race { object, first, second, after_free: true, unordered }
    }

    /// Whether accesses to the object must be steps of their own to see all that follows.
    pub(crate) fn needs_interleaving(&self) -> bool {
        self.unordered
    }

    pub(crate) fn finding(&self, objects: &Objects, names: &[String]) -> Finding {
        let object = objects.called(self.object);
        let verb = |access: Access| match access.kind {
            OpKind::Read => "reads",
            OpKind::Write => "writes",
            _ => "frees",
        };
        if self.after_free {
            let (user, freer) = (&names[self.second.task], &names[self.first.task]);
            return Finding::new(
                verdict::USE_AFTER_FREE,
                format!("`{object}`: {user} {} it after {freer} freed it", verb(self.second)),
            );
        }
        let (mut a, mut b) = (self.first, self.second);
        if (a.task, a.kind as u8) > (b.task, b.kind as u8) {
            std::mem::swap(&mut a, &mut b);
        }
        let freed = a.kind == OpKind::Free || b.kind == OpKind::Free;
        let verdict = if freed { verdict::USE_AFTER_FREE } else { verdict::RACE };
        let what = format!(
            "`{object}`: {} {} it, {} {} it, and nothing orders the two",
            names[a.task],
            verb(a),
            names[b.task],
            verb(b)
        );
        Finding::new(verdict, what)
    }
}
