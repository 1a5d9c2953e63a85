//! What a task's operations report, and the background work that they ask for.

use std::collections::BTreeSet;
use std::rc::Rc;

use ap_host::{Event, Sink, Work};
use ap_types::Apqn;
use locks::{Condvar, Mutex, Unordered, enter, hook};

use super::hands::{Oracle, Taken};
use super::turn::{Call, Turn};

locks::hierarchy! {
    /// The one level of the background's list; it stands outside the host's order.
    mod order { Background }
}

/// The background work that is due and not begun.
///
/// In an exploration machine time does not pass; what is due after some milliseconds may be done at any moment from
/// the request on. The periodic scan is not done: whoever wants a scan in a scenario writes `scans`.
///
/// A poll of all queues that reset is taken apart: each queue is polled by itself, whenever it asked for it, together
/// with those in error (which every poll tries anew). One whose poll finds nothing new is not polled again until the
/// machine's operator does something: it would go on for ever.
pub(super) struct Due {
    works: Mutex<order::Background, Works>,
    asked: Condvar,
}

#[derive(Default, Hash)]
struct Works {
    /// The first scan, after the bus was loaded.
    scan: bool,
    polls: BTreeSet<Apqn>,
    in_error: BTreeSet<Apqn>,
    /// Queues that would be polled for ever and find nothing new until somebody changes the machine.
    waiting: BTreeSet<Apqn>,
}

impl Works {
    fn is_empty(&self) -> bool {
        !self.scan && self.polls.is_empty()
    }
}

/// Something that the background does at once.
enum Doing {
    Scan,
    Polls(Vec<Apqn>),
}

impl Due {
    pub(super) fn new() -> Due {
        Due { works: Mutex::new(0, Works::default()), asked: Condvar::new("work is due", 0) }
    }

    fn ask(&self, ask: impl FnOnce(&mut Works)) {
        // Whoever asks holds locks of the host, of another order; nothing is ever taken under this one.
        let unordered = Unordered::specimen();
        let first = {
            let mut works = self.works.lock_unordered(&unordered);
            let before = works.is_empty();
            ask(&mut works);
            before && !works.is_empty()
        };
        if first {
            self.asked.notify_all();
        }
    }

    /// The machine was changed: all queues that wait for that are polled.
    pub(super) fn changed(&self) {
        self.ask(|works| works.polls.append(&mut works.waiting));
    }

    /// What is due.
    pub(super) fn fingerprint(&self) -> u64 {
        enter(|held| hook::fingerprint(&*self.works.lock(held).0))
    }

    /// Waits until work is due, and takes it off the list.
    fn next(&self) -> Doing {
        enter(|held| {
            let (works, _held) = self.works.lock(held);
            let mut works = self.asked.wait_while(works, |works| works.is_empty());
            if std::mem::take(&mut works.scan) {
                return Doing::Scan;
            }
            let mut polls: Vec<Apqn> = works.polls.pop_first().into_iter().collect();
            polls.extend(std::mem::take(&mut works.in_error));
            Doing::Polls(polls)
        })
    }
}

/// The sink of one task.
pub(super) struct TaskSink {
    due: Rc<Due>,
    hands: Rc<Oracle>,
    taken: Taken,
    turn: Rc<dyn Turn>,
}

impl TaskSink {
    /// Another operation of the task begins.
    pub(super) fn begin(&self) {
        self.taken.begin();
    }

    /// The machine's operator changed something.
    pub(super) fn changed(&self) {
        self.due.changed();
    }

    pub(super) fn new(due: Rc<Due>, hands: Rc<Oracle>, turn: Rc<dyn Turn>) -> TaskSink {
        TaskSink { due, hands, taken: Taken::default(), turn }
    }
}

impl Sink for TaskSink {
    fn event(&self, event: Event) {
        self.hands.see(&event, &self.taken);
    }

    fn reset_ended(&self, apqn: Apqn) {
        self.hands.reset_ended(apqn);
    }

    fn poll(&self, apqn: Apqn, _in_ms: u64) {
        self.due.ask(|works| {
            works.polls.insert(apqn);
        });
    }

    fn poll_again(&self, apqn: Apqn, _in_ms: u64) {
        self.due.ask(|works| {
            works.waiting.insert(apqn);
        });
    }

    fn in_error(&self, apqn: Apqn) {
        self.due.ask(|works| {
            works.in_error.insert(apqn);
        });
    }

    fn notice(&self) {
        self.turn.before(&Call::Other);
    }

    fn committed(&self) {
        self.turn.before(&Call::Revision);
    }

    fn due(&self, work: Work, in_ms: u64) {
        if work == Work::Scan && in_ms == 0 {
            self.due.ask(|works| works.scan = true);
        }
    }
}

/// The task that does background work; it never ends.
pub(super) fn background(host: &ap_host::Host, due: &Due, sink: &TaskSink, turn: &dyn Turn) {
    loop {
        hook::checkpoint(0xBAC6);
        match due.next() {
            Doing::Scan => {
                sink.begin();
                turn.before(&Call::Other);
                enter(|held| host.periodic_scan(held, sink));
            }
            Doing::Polls(queues) => {
                sink.begin();
                hook::checkpoint(hook::fingerprint(&queues));
                turn.before(&Call::Other);
                enter(|held| queues.iter().for_each(|apqn| host.poll_one(*apqn, held, sink)));
            }
        }
    }
}
