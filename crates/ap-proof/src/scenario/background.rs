//! The background work that operations ask for, and the task that does it.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use ap_bus::Bus;
use ap_bus::device::QueueDevice;
use ap_bus::queue::PollWhen;
use ap_task::{Sink, Task};
use locks::{Condvar, Key, Mutex, Unordered, enter, hook};

use crate::scenario::turn::{Call, Turn};

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
    /// Queues that would be polled for ever and find nothing new until somebody changes the machine. Apart from the
    /// others, so that whoever changes the machine meets nobody where there are none.
    waiting: Mutex<order::Background, Queues>,
    asked: Condvar,
}

#[derive(Default, Hash)]
struct Works {
    /// The first scan, after the bus was loaded.
    scan: bool,
    polls: Queues,
    in_error: Queues,
}

/// Queue devices, ascending. Told apart by name and by which device of that name they are.
#[derive(Default)]
struct Queues(BTreeMap<Key, Arc<QueueDevice>>);

impl Queues {
    fn insert(&mut self, queue: &Arc<QueueDevice>) {
        self.0.insert(queue.state.object().key, queue.clone());
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Hash for Queues {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.len().hash(state);
        self.0.keys().for_each(|key| key.hash(state));
    }
}

impl Works {
    fn is_empty(&self) -> bool {
        !self.scan && self.polls.is_empty()
    }
}

/// Something that the background does at once.
enum Doing {
    Scan,
    Polls(Queues),
}

impl Due {
    /// Nothing is due.
    pub(super) fn new() -> Due {
        Due {
            works: Mutex::new(0, Works::default()),
            waiting: Mutex::new(1, Queues::default()),
            asked: Condvar::new("work is due", 0),
        }
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

    /// The first scan is asked for.
    pub(super) fn scan(&self) {
        self.ask(|works| works.scan = true);
    }

    /// A queue is to be polled.
    pub(super) fn poll(&self, queue: &Arc<QueueDevice>, when: PollWhen) {
        match when {
            PollWhen::Due => self.ask(|works| works.polls.insert(queue)),
            PollWhen::Again => self.waiting.lock_unordered(&Unordered::specimen()).insert(queue),
            PollWhen::InError => self.ask(|works| works.in_error.insert(queue)),
        }
    }

    /// The machine was changed: all queues that wait for that are polled.
    pub(super) fn changed(&self) {
        let unordered = Unordered::specimen();
        if self.waiting.look_unordered(&unordered, Queues::is_empty) {
            return;
        }
        let mut waiting = std::mem::take(&mut *self.waiting.lock_unordered(&unordered));
        self.ask(|works| works.polls.0.append(&mut waiting.0));
    }

    /// What is due, as a number.
    pub(super) fn fingerprint(&self) -> u64 {
        enter(|held| {
            let works = hook::fingerprint(&*self.works.lock(held).0);
            hook::fingerprint(&(works, &*self.waiting.lock(held).0))
        })
    }

    /// Waits until work is due, and takes it off the list.
    fn next(&self) -> Doing {
        enter(|held| {
            let (works, _held) = self.works.lock(held);
            let mut works = self.asked.wait_while(works, |works| works.is_empty());
            if std::mem::take(&mut works.scan) {
                return Doing::Scan;
            }
            let mut polls = std::mem::take(&mut works.in_error);
            polls.0.extend(works.polls.0.pop_first());
            Doing::Polls(polls)
        })
    }
}

/// What the background's task does; it never ends. `begins` is called before each operation.
pub(super) fn background(bus: &Bus, due: &Due, sink: &dyn Sink, begins: &dyn Fn(), turn: &dyn Turn) -> ! {
    loop {
        hook::checkpoint(0xBAC6);
        match due.next() {
            Doing::Scan => {
                begins();
                turn.before(Call::Any);
                enter(|held| bus.periodic_scan(&mut Task::new(held, sink)));
            }
            Doing::Polls(queues) => {
                begins();
                hook::checkpoint(hook::fingerprint(&queues));
                turn.before(Call::Any);
                enter(|held| {
                    let mut task = Task::new(held, sink);
                    queues.0.values().for_each(|queue| bus.poll_device(queue, &mut task));
                });
            }
        }
    }
}
