//! What a task's operations report, and the background work that they ask for.

use std::collections::BTreeSet;
use std::rc::Rc;

use ap_host::{Event, Sink, Work};
use ap_types::Apqn;
use locks::{Condvar, Mutex, Unordered, enter, hook};

use super::hands::Oracle;
use super::world::{Call, Turn};

locks::hierarchy! {
    /// The one level of the background's list; it stands outside the host's order.
    mod order { Background }
}

/// The background work that is due and not begun.
///
/// In an exploration machine time does not pass; what is due after some milliseconds may be done at any moment from
/// the request on. The periodic scan is not done: whoever wants a scan in a scenario writes `scans`.
pub(super) struct Due {
    works: Mutex<order::Background, BTreeSet<Work>>,
    asked: Condvar,
}

impl Due {
    pub(super) fn new() -> Due {
        Due { works: Mutex::new(0, BTreeSet::new()), asked: Condvar::new("work is due", 0) }
    }

    fn ask(&self, work: Work) {
        // Whoever asks holds locks of the host, of another order; nothing is ever taken under this one.
        let unordered = Unordered::specimen();
        let fresh = self.works.lock_unordered(&unordered).insert(work);
        if fresh {
            self.asked.notify_all();
        }
    }

    /// Waits until work is due, and takes it off the list.
    fn next(&self) -> Work {
        enter(|held| {
            let (works, _held) = self.works.lock(held);
            let mut works = self.asked.wait_while(works, |works| works.is_empty());
            works.pop_first().unwrap_or(Work::Poll)
        })
    }
}

/// The sink of one task.
pub(super) struct TaskSink {
    due: Rc<Due>,
    hands: Rc<Oracle>,
}

impl TaskSink {
    pub(super) fn new(due: Rc<Due>, hands: Rc<Oracle>) -> TaskSink {
        TaskSink { due, hands }
    }
}

impl Sink for TaskSink {
    fn event(&self, event: Event) {
        self.hands.see(&event);
    }

    fn reset_ended(&self, apqn: Apqn) {
        self.hands.reset_ended(apqn);
    }

    fn due(&self, work: Work, in_ms: u64) {
        match work {
            Work::Poll => self.due.ask(work),
            // The first scan, after the bus was loaded.
            Work::Scan if in_ms == 0 => self.due.ask(work),
            Work::Scan | Work::Relay => {}
        }
    }
}

/// The task that does background work; it never ends.
pub(super) fn background(host: &ap_host::Host, due: &Due, sink: &TaskSink, turn: &dyn Turn) {
    loop {
        hook::checkpoint(0xBAC6);
        let work = due.next();
        turn.before(&Call::Other);
        enter(|held| match work {
            Work::Poll => host.poll(held, sink),
            Work::Scan => host.periodic_scan(held, sink),
            Work::Relay => host.relay_requests(held, sink),
        });
    }
}
