//! The hands of all queues while tasks run at the same time: what the oracle of clean hand-over is told of a scenario.
//!
//! It follows what the system reports: APCBs that are set and cleared, bindings, resets and their ends. The machine
//! is not looked at, so a reset has ended only for whoever waited for it, and the host uses a queue from the moment at
//! which its driver has it.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ap_bus::zcrypt::CEX4QUEUE;
use ap_host::Snapshot;
use ap_task::{Action, DriverName, Event, Instruction, Subject, Uevent};
use ap_types::{Apqn, Matrix, ResponseCode};
use locks::Ghost;

use crate::oracle::hand::{Fact, Hand, Touch, User};
use crate::oracle::{Broken, Known};

/// A guest's name.
pub(super) type Guest = Arc<str>;

/// The hands of the queues of an adapter, by domain.
type Row = Box<[Ghost<Hand<Guest>>]>;

/// Which queues a guest has and had. (What is set for one guest is ordered by its lock K.)
#[derive(Clone, Debug, Default)]
struct Queues {
    /// Its APCB.
    apcb: Matrix,
    /// All that it had since it began: its data may be in them.
    had: BTreeSet<Apqn>,
}

/// All queues' hands inside an exploration: each queue is an object of its own, so that steps on different queues
/// stay independent.
pub(super) struct Watch {
    /// By adapter and domain; an adapter's when the first of its queues is met.
    hands: [OnceCell<Row>; 256],
    guests: RefCell<BTreeMap<Guest, Queues>>,
    touched: RefCell<Vec<Apqn>>,
    start: Start,
}

/// Who has what at the beginning.
struct Start {
    hands: BTreeMap<Apqn, Hand<Guest>>,
    guests: BTreeMap<Guest, Queues>,
}

impl Start {
    fn of(state: &Snapshot) -> Start {
        let (mut hands, mut guests) = (BTreeMap::new(), BTreeMap::new());
        for (apqn, at) in state.bus.registry.queues.keys().zip(&state.bus.queues) {
            if at.is_hosts() {
                hands.insert(*apqn, Hand::of(User::Host));
            }
        }
        for guest in &state.vfio.guests {
            let (name, apcb) = (Guest::from(guest.guest.name.as_str()), guest.kvm.apcb);
            for apqn in apcb.queues() {
                hands.insert(apqn, Hand::of(User::Guest(name.clone())));
            }
            guests.insert(name, Queues { apcb, had: apcb.queues().collect() });
        }
        Start { hands, guests }
    }

    fn hand(&self, apqn: Apqn) -> Hand<Guest> {
        self.hands.get(&apqn).cloned().unwrap_or_default()
    }
}

impl Watch {
    /// Of explorations that begin in a state; made outside of them.
    pub(super) fn new(state: &Snapshot) -> Watch {
        let start = Start::of(state);
        let hands = std::array::from_fn(|_| OnceCell::new());
        Watch { hands, guests: RefCell::new(start.guests.clone()), touched: RefCell::default(), start }
    }

    /// Goes back to the beginning; nothing of the execution before may be under way.
    pub(super) fn restart(&self) {
        for apqn in self.touched.take() {
            let hand = self.start.hand(apqn);
            self.ghost(apqn).update(|at| *at = hand);
        }
        self.guests.borrow_mut().clone_from(&self.start.guests);
    }

    fn ghost(&self, apqn: Apqn) -> &Ghost<Hand<Guest>> {
        let [adapter, domain] = apqn.to_u16().to_be_bytes();
        let row = self.hands[usize::from(adapter)].get_or_init(|| {
            let hand = |domain| {
                let apqn = Apqn::from_u16(u16::from_be_bytes([adapter, domain]));
                Ghost::there("hand", u32::from(apqn.to_u16()), self.start.hand(apqn))
            };
            (0..=u8::MAX).map(hand).collect()
        });
        &row[usize::from(domain)]
    }

    /// Follows an event of an operation that `asked_by` asked for itself, and that has `taken` queues from their drivers
    /// so far.
    pub(super) fn see(&self, event: &Event, asked_by: Option<&Guest>, taken: &Taken) {
        match event {
            Event::Instruction(instruction) => self.issued(instruction, asked_by),
            Event::Uevent(Uevent { action, subject: Subject::Queue { apqn, driver, .. }, .. }) => {
                self.bound(*action, *apqn, *driver, taken);
            }
            Event::Uevent(_) | Event::Log { .. } => {}
        }
    }

    fn issued(&self, instruction: &Instruction, asked_by: Option<&Guest>) {
        let told = |touch, apqn: Apqn, code: ResponseCode| {
            self.tell(apqn, [Fact::Issued { touch, code, lasts: true, asked_by: asked_by.cloned() }]);
        };
        match instruction {
            Instruction::Zapq(apqn, code) => told(Touch::Zapq, *apqn, *code),
            Instruction::Rapq(apqn, code, _) => told(Touch::Rapq, *apqn, *code),
            Instruction::Aqic(apqn, _, code) => told(Touch::Aqic, *apqn, *code),
            Instruction::SetMasks(name, apcb) => self.given(&Guest::from(name.as_str()), *apcb),
            Instruction::ClearMasks(name) => self.ended(&Guest::from(name.as_str())),
            Instruction::Bapq(..)
            | Instruction::Aapq(..)
            | Instruction::Qact(_)
            | Instruction::Pin(_)
            | Instruction::Unpin(_)
            | Instruction::GiscRegister(..)
            | Instruction::GiscUnregister(..)
            | Instruction::Pqap(..)
            | Instruction::SclpConfigure(_)
            | Instruction::SclpDeconfigure(_) => {}
        }
    }

    fn given(&self, guest: &Guest, apcb: Matrix) {
        let old = {
            let mut guests = self.guests.borrow_mut();
            let queues = guests.entry(guest.clone()).or_default();
            queues.had.extend(apcb.queues());
            std::mem::replace(&mut queues.apcb, apcb)
        };
        for apqn in old.queues().filter(|apqn| !apcb.contains(*apqn)) {
            self.tell(apqn, [Fact::Withdrawn(guest.clone())]);
        }
        for apqn in apcb.queues().filter(|apqn| !old.contains(*apqn)) {
            self.tell(apqn, [Fact::Given(guest.clone())]);
        }
    }

    fn ended(&self, guest: &Guest) {
        let queues = self.guests.borrow_mut().remove(guest).unwrap_or_default();
        for apqn in queues.had {
            self.tell(apqn, [Fact::Withdrawn(guest.clone()), Fact::GuestEnded(guest.clone())]);
        }
    }

    fn bound(&self, action: Action, apqn: Apqn, driver: Option<DriverName>, taken: &Taken) {
        match action {
            Action::Bind => {
                let hosts = driver == Some(CEX4QUEUE);
                if hosts {
                    self.tell(apqn, [Fact::Bound]);
                }
                if let Some(broken) = taken.given(apqn, hosts) {
                    locks::violation(broken.word(), || broken.to_string());
                }
            }
            Action::Unbind => {
                let was_hosts = self.tell(apqn, [Fact::Unbound]);
                taken.taken(apqn, was_hosts);
            }
            Action::Remove => taken.gone(apqn),
            Action::Add | Action::Change | Action::Move | Action::Online | Action::Offline => {}
        }
    }

    /// A reset that vfio_ap waits for has ended.
    pub(super) fn reset_ended(&self, apqn: Apqn, noted: ResponseCode) {
        self.tell(apqn, [Fact::ResetEnded { noted }]);
    }

    /// Tells a queue's hand what happened, in one step; answers whether the host's driver had it before.
    fn tell<const N: usize>(&self, apqn: Apqn, facts: [Fact<Guest>; N]) -> bool {
        self.touched.borrow_mut().push(apqn);
        let (mut bound, mut wrong) = (false, Vec::new());
        self.ghost(apqn).update(|hand| {
            bound = hand.bound();
            wrong.extend(facts.into_iter().filter_map(|fact| hand.follow(fact)));
        });
        let broken = wrong.into_iter().map(|wrong| Broken::of_queue(apqn, wrong));
        for broken in broken.filter(|broken| Known::of(broken).is_none()) {
            locks::violation(broken.word(), || broken.to_string());
        }
        bound
    }
}

/// The queues that one operation has taken from their drivers, and from whom.
///
/// A queue is probed anew because its driver is not the one that the masks ask for. Who gives it back to the driver
/// that had it has decided by masks that are not those any more. That is nothing if nobody used it: masks may change
/// while vfio_ap takes its time with a queue of no mdev. Else whoever used it was disturbed for nothing.
/// And whoever gives a queue of an mdev's matrix to the host's driver, has stolen it.
#[derive(Default)]
pub(super) struct Taken {
    from: RefCell<BTreeMap<Apqn, From>>,
    /// The queues of mdevs' matrices that vfio_ap has let go, and the bus has not taken yet.
    let_go: RefCell<BTreeSet<Apqn>>,
}

/// From whom a queue was taken.
#[derive(Clone, Copy)]
struct From {
    /// From the host's driver.
    hosts: bool,
    /// From an mdev: it is in its matrix.
    mdev: bool,
}

impl Taken {
    /// Another operation begins.
    pub(super) fn begin(&self) {
        self.from.borrow_mut().clear();
        self.let_go.borrow_mut().clear();
    }

    /// vfio_ap lets a queue go.
    pub(super) fn let_go(&self, apqn: Apqn, assigned: bool) {
        if assigned {
            self.let_go.borrow_mut().insert(apqn);
        }
    }

    fn taken(&self, apqn: Apqn, hosts: bool) {
        let mdev = self.let_go.borrow_mut().remove(&apqn);
        self.from.borrow_mut().insert(apqn, From { hosts, mdev });
    }

    /// What is wrong with it that a driver gets a queue now, which it may have been taken from.
    fn given(&self, apqn: Apqn, hosts: bool) -> Option<Broken> {
        let from = self.from.borrow_mut().remove(&apqn)?;
        if from.hosts == hosts && (hosts || from.mdev) {
            Some(Broken::GivenBack(apqn))
        } else if from.mdev && hosts {
            Some(Broken::TakenFromMdev(apqn))
        } else {
            None
        }
    }

    fn gone(&self, apqn: Apqn) {
        self.from.borrow_mut().remove(&apqn);
    }
}
