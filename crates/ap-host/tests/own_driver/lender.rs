//! A driver of somebody else's: it lends the queues of one adapter to users of its own.
//!
//! It knows the bus by the trait [`ApDriver`], and asks it who owns a queue; the bus does not know it at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use ap_bus::device::{Decided, QueueDevice};
use ap_bus::{ApDriver, Asked, Bus, Holder};
use ap_task::order::{DriverData, Perms};
use ap_task::{DriverName, Task};
use ap_types::{AdapterId, Apqn, QueueSet};
use locks::{Condvar, Mutex, Nothing};

/// Its name.
pub const LENDER: DriverName = DriverName("lender");

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// It takes every queue of adapter 4.
    Takes,
    /// Its probe fails.
    Refuses,
}

/// What it knows of its queues.
#[derive(Default, Hash)]
struct Lent {
    has: BTreeSet<Apqn>,
    used: BTreeSet<Apqn>,
}

/// The driver.
pub struct Lender {
    manners: Manners,
    lent: Mutex<DriverData, Lent>,
    returned: Condvar,
}

/// Why a user got no queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The masks reserve it for the host.
    Reserved,
    /// The driver does not have it.
    NotHere,
}

impl Lender {
    /// The driver, without queues.
    pub fn new(manners: Manners) -> Arc<Lender> {
        let (lent, returned) = (Mutex::new(0, Lent::default()), Condvar::new("returned", 0));
        Arc::new(Lender { manners, lent, returned })
    }

    /// A user takes a queue. Who owns it is asked and what follows is done under one hold of P, as `assign_adapter`
    /// does it: a mask write comes before or after.
    pub fn take(&self, bus: &Bus, apqn: Apqn, task: &mut Task<'_, Nothing>) -> Result<(), Refusal> {
        // Lock order: P -> DriverData
        let (ownership, mut task) = task.lock(bus.ownership());
        if ownership.reserved(apqn) {
            return Err(Refusal::Reserved);
        }
        let (mut lent, _task) = task.lock(&self.lent);
        if !lent.has.contains(&apqn) {
            return Err(Refusal::NotHere);
        }
        lent.used.insert(apqn);
        Ok(())
    }

    /// The user gives it back.
    pub fn give_back(&self, apqn: Apqn, task: &mut Task<'_, Nothing>) {
        self.lent.lock(task).0.used.remove(&apqn);
        self.returned.notify_all();
    }

    /// The queues that users have.
    pub fn used(&self, task: &mut Task<'_, Nothing>) -> Vec<Apqn> {
        self.lent.lock(task).0.used.iter().copied().collect()
    }

    /// The queues that it has.
    pub fn has(&self, task: &mut Task<'_, Nothing>) -> Vec<Apqn> {
        self.lent.lock(task).0.has.iter().copied().collect()
    }
}

impl ApDriver for Lender {
    fn name(&self) -> DriverName {
        LENDER
    }

    fn module(&self) -> &'static str {
        "lender"
    }

    fn probe(&self, queue: &Arc<QueueDevice>, task: &mut Task<'_, Perms>) -> bool {
        if self.manners == Manners::Refuses || queue.apqn.adapter != AdapterId(4) {
            return false;
        }
        self.lent.lock(task).0.has.insert(queue.apqn);
        true
    }

    /// Waits until no user has the queue: slow, and the bus waits with it.
    fn remove(&self, queue: &Arc<QueueDevice>, _decided: &mut dyn Decided, task: &mut Task<'_, Perms>) {
        let (lent, _task) = task.lock(&self.lent);
        let mut lent = self.returned.wait_while(lent, |lent| lent.used.contains(&queue.apqn));
        lent.has.remove(&queue.apqn);
    }

    fn in_use(&self, asked: &Asked, task: &mut Task<'_, Perms>) -> Option<Holder> {
        let (lent, _task) = task.lock(&self.lent);
        let used: QueueSet = lent.used.iter().copied().collect();
        asked.meets(&used).then(|| Holder { name: "a user of lender".into() })
    }
}
