//! In whose hands a queue is: the oracle of I5, "clean hand-over". (Specification, page 4.)
//!
//! It follows what the system reports: APCBs that are set and cleared, bindings, resets and their ends. A queue that
//! comes to a guest after another user had it must have been reset in between, and the reset waited for; one that
//! comes to the host must have been reset. How a reset ended is not this oracle's affair: a queue whose reset ended
//! badly is kept out by the next filtering, which I3 checks. A queue that the machine no longer knows
//! (Q_NOT_AVAIL), or that is deconfigured or checkstopped, has nothing left to hide.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use ap_host::driver::DriverId;
use ap_host::{Action, Event, Instruction, Snapshot, Subject};
use ap_types::{Apqn, Matrix, ResponseCode};
use locks::Ghost;

/// Who uses a queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum User {
    /// The host, through `cex4queue`.
    Host,
    /// A guest, by name.
    Guest(Arc<str>),
}

impl std::fmt::Display for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            User::Host => f.write_str("the host"),
            User::Guest(name) => write!(f, "guest {name}"),
        }
    }
}

/// What is known of one queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Hand {
    /// Who has it now.
    pub user: Option<User>,
    /// Whose traces are in it.
    pub used_by: Option<User>,
    /// A reset was issued since it was last used.
    pub reset: bool,
}

/// What an event means for one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It comes to a user.
    Taken(User),
    /// Its user no longer has it.
    Left(User),
    /// ZAPQ or RAPQ was issued; `true`: ZAPQ, which ends the host's use.
    Reset(bool, ResponseCode),
    /// A reset that vfio_ap waits for has ended.
    Ended,
}

impl Hand {
    /// Follows a change; answers who used the queue before without a reset since.
    pub(super) fn follow(&mut self, change: &Change) -> Option<User> {
        match change {
            Change::Taken(user) => {
                let other = self.used_by.take_if(|before| before != user);
                let unreset = other.filter(|_| *user != User::Host || !self.reset);
                *self = Hand { user: Some(user.clone()), used_by: Some(user.clone()), reset: false };
                return unreset;
            }
            Change::Left(user) => {
                self.user.take_if(|now| now == user);
            }
            Change::Reset(zapq, code) => {
                self.reset = true;
                let nothing_left = matches!(
                    *code,
                    ResponseCode::Q_NOT_AVAIL | ResponseCode::DECONFIGURED | ResponseCode::CHECKSTOPPED
                );
                // The bus does not wait for the ZAPQ with which it takes a queue from the host's driver.
                if self.user.is_none() && nothing_left || self.user == Some(User::Host) && *zapq {
                    self.used_by = None;
                }
            }
            Change::Ended => {
                if self.user.is_none() {
                    self.used_by = None;
                }
            }
        }
        None
    }
}

/// The APCBs that were set last, by guest.
pub(super) type Apcbs = BTreeMap<String, Matrix>;

/// What an event means for queues; `apcbs` is brought up to date.
pub(super) fn changes(event: &Event, apcbs: &mut Apcbs, mut each: impl FnMut(Apqn, Change)) {
    match event {
        Event::Instruction(Instruction::SetMasks(name, apcb)) => {
            hand_over(name, apcb, apcbs, &mut each);
        }
        Event::Instruction(Instruction::ClearMasks(name)) => {
            hand_over(name, &Matrix::default(), apcbs, &mut each);
        }
        Event::Instruction(Instruction::Zapq(apqn, code)) => each(*apqn, Change::Reset(true, *code)),
        Event::Instruction(Instruction::Rapq(apqn, code, _)) => each(*apqn, Change::Reset(false, *code)),
        Event::Uevent(uevent) => {
            if let Subject::Queue { apqn, driver, .. } = uevent.subject {
                match uevent.action {
                    Action::Bind if driver == Some(DriverId::Cex4Queue) => {
                        each(apqn, Change::Taken(User::Host));
                    }
                    Action::Unbind => each(apqn, Change::Left(User::Host)),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

fn hand_over(name: &str, new: &Matrix, apcbs: &mut Apcbs, each: &mut impl FnMut(Apqn, Change)) {
    let old = apcbs.insert(name.to_owned(), *new).unwrap_or_default();
    let guest = User::Guest(name.into());
    old.queues().filter(|apqn| !new.contains(*apqn)).for_each(|apqn| each(apqn, Change::Left(guest.clone())));
    new.queues()
        .filter(|apqn| !old.contains(*apqn))
        .for_each(|apqn| each(apqn, Change::Taken(guest.clone())));
}

/// Who has what in a state, as far as the state tells.
fn initial(state: &Snapshot) -> (BTreeMap<Apqn, Hand>, Apcbs) {
    let mut hands = BTreeMap::new();
    let mut apcbs = Apcbs::new();
    let hand = |user: User| Hand { user: Some(user.clone()), used_by: Some(user), reset: false };
    for (queue, at) in state.registry.queues.values().zip(&state.queues) {
        if at.driver == Some(DriverId::Cex4Queue) {
            hands.insert(queue.apqn, hand(User::Host));
        }
    }
    for guest in &state.guests {
        apcbs.insert(guest.guest.name.clone(), guest.kvm.apcb);
        for apqn in guest.kvm.apcb.queues() {
            hands.insert(apqn, hand(User::Guest(guest.guest.name.as_str().into())));
        }
    }
    (hands, apcbs)
}

fn unreset(apqn: Apqn, user: &User, before: &User) -> String {
    format!("queue {apqn} came to {user} without a reset since {before} had it")
}

/// All queues' hands inside an exploration: each queue is an object of its own, so that steps on different queues
/// stay independent.
pub(super) struct Oracle {
    /// By APQN.
    queues: Box<[Ghost<Hand>]>,
    apcbs: RefCell<Apcbs>,
    touched: RefCell<Vec<Apqn>>,
    start: (BTreeMap<Apqn, Hand>, Apcbs),
}

impl Oracle {
    /// The oracle of explorations that begin in a state; made outside of them.
    pub(super) fn new(state: &Snapshot) -> Oracle {
        let start = initial(state);
        let hand = |apqn: Apqn| start.0.get(&apqn).cloned().unwrap_or_default();
        let all = (0..=u16::MAX).map(Apqn::from_u16);
        let queues = all.map(|apqn| Ghost::new("hand", u32::from(apqn.to_u16()), hand(apqn))).collect();
        Oracle { queues, apcbs: RefCell::new(start.1.clone()), touched: RefCell::default(), start }
    }

    /// Goes back to the beginning; nothing of the execution before may be under way.
    pub(super) fn restart(&self) {
        for apqn in self.touched.take() {
            let hand = self.start.0.get(&apqn).cloned().unwrap_or_default();
            self.ghost(apqn).update(|at| *at = hand);
        }
        self.apcbs.borrow_mut().clone_from(&self.start.1);
    }

    fn ghost(&self, apqn: Apqn) -> &Ghost<Hand> {
        &self.queues[usize::from(apqn.to_u16())]
    }

    /// Follows an event of an operation that has `taken` queues from their drivers so far.
    pub(super) fn see(&self, event: &Event, taken: &Taken) {
        let mut all = Vec::new();
        changes(event, &mut self.apcbs.borrow_mut(), |apqn, change| all.push((apqn, change)));
        let mut was_hosts = false;
        for (apqn, change) in all {
            was_hosts = self.follow(apqn, &change) == Some(User::Host);
        }
        if let Event::Uevent(uevent) = event
            && let Subject::Queue { apqn, driver, .. } = uevent.subject
        {
            taken.see(uevent.action, apqn, driver, was_hosts);
        }
    }

    /// A reset that vfio_ap waits for has ended.
    pub(super) fn reset_ended(&self, apqn: Apqn) {
        self.follow(apqn, &Change::Ended);
    }

    /// Follows a change; answers who had the queue before.
    fn follow(&self, apqn: Apqn, change: &Change) -> Option<User> {
        self.touched.borrow_mut().push(apqn);
        let (mut before, mut had) = (None, None);
        self.ghost(apqn).update(|hand| {
            had.clone_from(&hand.user);
            before = hand.follow(change);
        });
        if let (Some(before), Change::Taken(user)) = (before, change) {
            locks::violation("unreset", || unreset(apqn, user, &before));
        }
        had
    }
}

/// The queues that one operation has taken from their drivers, and whether that was the host's.
///
/// A queue is probed anew because its driver is not the one that the masks ask for. Who gives it back to the driver
/// that had it has decided by masks that are not those any more, and has disturbed whoever used it for nothing.
#[derive(Default)]
pub(super) struct Taken(RefCell<BTreeMap<Apqn, bool>>);

impl Taken {
    /// Another operation begins.
    pub(super) fn begin(&self) {
        self.0.borrow_mut().clear();
    }

    fn see(&self, action: Action, apqn: Apqn, driver: Option<DriverId>, was_hosts: bool) {
        let mut taken = self.0.borrow_mut();
        match action {
            Action::Unbind => {
                taken.insert(apqn, was_hosts);
            }
            Action::Bind
                if taken.remove(&apqn).is_some_and(|was| was == driver.is_some_and(DriverId::is_default)) =>
            {
                locks::violation("not-linearizable", || {
                    format!("queue {apqn} was taken from its driver and given back to it by one operation")
                });
            }
            Action::Remove => {
                taken.remove(&apqn);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use ap_types::{AdapterId, DomainId};

    use super::*;

    fn queue(adapter: u8, domain: u8) -> Apqn {
        Apqn::new(AdapterId(adapter), DomainId(domain))
    }

    fn matrix(adapter: u8, domain: u8) -> Matrix {
        let mut matrix = Matrix::default();
        matrix.adapters.insert(AdapterId(adapter));
        matrix.domains.insert(DomainId(domain));
        matrix
    }

    /// Follows events of one queue; answers who left traces when it changed hands.
    fn play(events: &[Option<Event>]) -> Vec<String> {
        let (mut hand, mut apcbs, mut wrong) = (Hand::default(), Apcbs::new(), Vec::new());
        for event in events {
            let mut all = Vec::new();
            match event {
                Some(event) => changes(event, &mut apcbs, |_, change| all.push(change)),
                None => all.push(Change::Ended),
            }
            wrong.extend(all.iter().filter_map(|change| hand.follow(change)).map(|user| user.to_string()));
        }
        wrong
    }

    fn set(name: &str, matrix: Matrix) -> Option<Event> {
        Some(Event::Instruction(Instruction::SetMasks(name.into(), matrix)))
    }

    fn zapq() -> Option<Event> {
        Some(Event::Instruction(Instruction::Zapq(queue(4, 6), ResponseCode::NORMAL)))
    }

    #[test]
    fn a_queue_goes_to_another_guest_only_after_a_reset_that_ended() {
        let (has, none) = (matrix(4, 6), Matrix::default());
        assert!(play(&[set("a", has), set("a", none), zapq(), None, set("b", has)]).is_empty());
        assert_eq!(play(&[set("a", has), set("a", none), zapq(), set("b", has)]), ["guest a"]);
        assert_eq!(play(&[set("a", has), set("a", none), set("b", has)]), ["guest a"]);
    }

    #[test]
    fn a_reset_while_a_guest_has_the_queue_cleans_nothing() {
        let (has, none) = (matrix(4, 6), Matrix::default());
        assert!(play(&[set("a", has), zapq(), None, set("a", none), set("a", has)]).is_empty());
        assert_eq!(play(&[set("a", has), zapq(), None, set("a", none), set("b", has)]), ["guest a"]);
    }
}
