//! Transactions: from its first lock until it lets one go a task is not interrupted.
//!
//! (Lipton, *Reduction: a method of proving properties of parallel programs*, 1975.) Taking a lock commutes to the right
//! with whatever other tasks do next: they can't use what it protects while it is held, and nobody can tell that it is
//! held, unless somebody *tries* that lock. So an execution in which others go on between a task's first lock and its
//! next step is the same as one in which they go on before the lock; and that one is explored, because at the place
//! before the lock others could have gone first. A task that is *inside* a transaction therefore goes on alone. The
//! rules, each of which the fuzzer has seen broken:
//!
//! - A transaction begins only at a step that others can go before (a point). A lock that no other task uses is taken
//!   together with the step before it, so it begins none.
//! - It goes on over what commutes both ways: steps on what no other task changes.
//! - It ends with any other step, which is its last: letting a lock go, a look that others may meet, a try, a wait, a
//!   notification, an oracle's step.
//! - What others may depend on at the place before the lock is the whole transaction, not its first step
//!   ([`futures`](super::futures)).
//!
//! Tasks that are inside transactions may wait for each other. If these waits form no circle, then one after the other
//! can be moved to the end, the one that is waited for first: the same tasks wait for the same locks, and the
//! deadlock is found. Waits in a circle would be hidden, so there must be none: the circle would be one of the
//! lock-order graph, which is known when the search ends. If it has a circle then, the search begins anew without
//! transactions.
//!
//! (A task that waits to be notified is not inside: a wait ends a transaction. So in a circle of waits for locks and for
//! notifications there is one who can be waited for without being moved, and the others are moved to the end from
//! there on.)
//!
//! Watched locks begin transactions like others, though an oracle can tell when they are held: it looks when none is.
//! Moving a task's first lock to the right, past what others do, takes away only that it was held meanwhile. So the oracle
//! looks whenever it would have looked, at the same contents, and perhaps more often: at what others left meanwhile. Each
//! of these looks is one of a real execution. A release of a watched lock is seen, and ends a transaction.
//!
//! A place is inside only if every step that was seen to lead there comes from inside, or begins a transaction. A step that
//! is seen later may lead there from elsewhere: the place is inside no more, and all that was walked through it counts for
//! nothing ([`futures`](super::futures)). This module knows nothing of states.

use super::automaton::Automaton;
use super::mistakes::Mistake;
use super::objects::{Objects, OpKind};

/// For each place whether a task that stands there is inside a transaction.
pub(crate) fn inside(automaton: &Automaton, objects: &Objects, mistake: Option<Mistake>) -> Vec<bool> {
    let mut inside = vec![false; automaton.len()];
    for (_, edge) in automaton.edges() {
        inside[edge.next as usize] = true;
    }
    loop {
        let mut changed = false;
        for (from, edge) in automaton.edges() {
            let next = edge.next as usize;
            let node = automaton.get(from);
            if inside[next] && !goes_inside(node, inside[from as usize], objects, mistake) {
                inside[next] = false;
                changed = true;
            }
        }
        if !changed {
            return inside;
        }
    }
}

/// Whether the step of a place leads inside a transaction.
fn goes_inside(
    node: &super::automaton::Node,
    inside: bool,
    objects: &Objects,
    mistake: Option<Mistake>,
) -> bool {
    let Some(op) = &node.op else { return false };
    if node.forced {
        return false;
    }
    let info = objects.get(op.object);
    let begins = objects.is_point(node.task, op, false) || mistake == Some(Mistake::PrivateBegins);
    match op.kind {
        OpKind::Lock | OpKind::ReadLock => !info.tried && (inside || begins),
        OpKind::Unlock | OpKind::Ghost | OpKind::Notify => {
            inside && !info.tried && !info.watched && objects.is_private(node.task, op.object)
        }
        OpKind::ReadUnlock => inside && !info.tried && objects.is_private(node.task, op.object),
        OpKind::Look => inside && !objects.is_point(node.task, op, false),
        OpKind::Looked => inside && !info.tried,
        OpKind::Read | OpKind::Write => inside && !info.racy,
        OpKind::TryLock | OpKind::TryReadLock | OpKind::Wait | OpKind::Free | OpKind::Sleep => false,
    }
}
