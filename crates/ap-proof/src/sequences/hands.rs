//! Who may have left data in a queue: invariant I5, a clean hand-over. (Specification, page 4.)
//!
//! The tracker follows instructions in the order of issue and looks at the state when an operation has ended. A
//! queue that one user had is clean again when a reset was issued while nobody had it, and the machine has finished
//! it. A queue that is not in the machine's configuration, deconfigured or checkstopped has lost what was in it.
//! (Scenarios have a tracker of their own, [`crate::hands`], whose updates are steps of an exploration; this one
//! sees the machine as well, and so how a reset ended.)

use ap_host::device::{DevState, Sm};
use ap_host::driver::DriverId;
use ap_host::invariants::Broken;
use ap_host::{Instruction, Snapshot};
use ap_types::{Apqn, Matrix, ResponseCode};

/// Whoever used a queue last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum User {
    /// The host's default driver.
    Host,
    /// A guest that still runs, by its place in the list of guests.
    Guest(u8),
    /// A guest that has ended.
    Former,
}

/// The end of what is said of a hand-over after a reset that was refused.
pub(super) const FAILED: &str = "its reset failed";
/// … and of one during a reset.
const RUNS: &str = "its reset has not ended";
/// … and what follows if that was the bus's, which took the queue from its driver.
pub(super) const BY_BUS: &str = ", which the bus issued";

/// What was done about a queue since its last user let it go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Reset {
    /// Nothing.
    #[default]
    None,
    /// A reset was issued, and the machine refused it.
    Failed,
    /// A reset was issued and has not ended yet.
    Runs,
}

/// One queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Hand {
    /// Whose data may be in it; `None`: it is clean.
    data: Option<User>,
    /// What was done about that.
    reset: Reset,
    /// That was the bus's, which took the queue from its driver, and neither waits for it nor looks at its answer.
    by_bus: bool,
    /// The running guest whose APCB has it.
    holder: Option<u8>,
}

/// What is known of every queue of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Hands {
    queues: Box<[(Apqn, Hand)]>,
}

impl Hands {
    /// A tracker of these queues; all are clean.
    pub(super) fn new(queues: impl IntoIterator<Item = Apqn>) -> Self {
        Hands { queues: queues.into_iter().map(|apqn| (apqn, Hand::default())).collect() }
    }

    fn hand(&mut self, apqn: Apqn) -> Option<&mut Hand> {
        self.queues.iter_mut().find(|(known, _)| *known == apqn).map(|(_, hand)| hand)
    }

    /// Follows one instruction. `own`: a guest asked for it itself. `guest` finds a guest's place by its name.
    pub(super) fn follow(
        &mut self,
        instruction: &Instruction,
        own: bool,
        guest: impl Fn(&str) -> Option<u8>,
        found: &mut Vec<Broken>,
    ) {
        match instruction {
            Instruction::Zapq(apqn, code) => self.reset("ZAPQ", *apqn, *code, own, found),
            Instruction::Rapq(apqn, code, _) => self.reset("RAPQ", *apqn, *code, own, found),
            Instruction::Aqic(apqn, ..) if !own => {
                if let Some(number) = self.hand(*apqn).and_then(|hand| hand.holder) {
                    found.push(disturbed("AQIC", *apqn, number));
                }
            }
            Instruction::SetMasks(name, apcb) => {
                if let Some(number) = guest(name) {
                    self.given(number, apcb);
                }
            }
            Instruction::ClearMasks(name) => {
                if let Some(number) = guest(name) {
                    self.given(number, &Matrix::default());
                    for (_, hand) in &mut self.queues {
                        if hand.data == Some(User::Guest(number)) {
                            hand.data = Some(User::Former);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn reset(
        &mut self,
        what: &'static str,
        apqn: Apqn,
        code: ResponseCode,
        own: bool,
        found: &mut Vec<Broken>,
    ) {
        let Some(hand) = self.hand(apqn) else { return };
        if let Some(number) = hand.holder {
            if !own {
                found.push(disturbed(what, apqn, number));
            }
            return;
        }
        hand.by_bus = false;
        match code {
            ResponseCode::NORMAL => hand.reset = Reset::Runs,
            ResponseCode::DECONFIGURED | ResponseCode::CHECKSTOPPED | ResponseCode::Q_NOT_AVAIL => {
                *hand = Hand::default();
            }
            _ => hand.reset = Reset::Failed,
        }
    }

    /// The bus has taken a queue from its driver: the last reset was its own.
    pub(super) fn unbound(&mut self, apqn: Apqn) {
        if let Some(hand) = self.hand(apqn) {
            hand.by_bus = hand.reset != Reset::None;
        }
    }

    /// A reset that vfio_ap waits for has ended, well or not.
    pub(super) fn reset_ended(&mut self, apqn: Apqn) {
        if let Some(hand) = self.hand(apqn).filter(|hand| hand.holder.is_none() && hand.reset == Reset::Runs)
        {
            (hand.data, hand.reset, hand.by_bus) = (None, Reset::None, false);
        }
    }

    fn given(&mut self, number: u8, apcb: &Matrix) {
        for (apqn, hand) in &mut self.queues {
            if apcb.contains(*apqn) {
                hand.holder = Some(number);
            } else if hand.holder == Some(number) {
                hand.holder = None;
                // What was issued while the guest had the queue does not count.
                (hand.reset, hand.by_bus) = (Reset::None, false);
            }
        }
    }

    /// Whether the queue's last user has let it go, and nothing was done since.
    pub(super) fn unreset(&self, apqn: Apqn) -> bool {
        let known = self.queues.iter().find(|(known, _)| *known == apqn);
        known.is_some_and(|(_, hand)| {
            hand.holder.is_none() && hand.data.is_some() && hand.reset == Reset::None
        })
    }

    /// Looks at the state when an operation has ended: whose each queue is now, and whether it is clean.
    pub(super) fn settle(&mut self, state: &Snapshot, found: &mut Vec<Broken>) {
        for (apqn, hand) in &mut self.queues {
            let ended = hand.reset == Reset::Runs && !resets(state, *apqn);
            if ended || away(state, *apqn) {
                (hand.data, hand.reset, hand.by_bus) = (None, Reset::None, false);
            }
            let guest = state.guests.iter().position(|guest| guest.kvm.apcb.contains(*apqn));
            hand.holder = guest.map(|number| number as u8);
            let user = match hand.holder {
                Some(number) => User::Guest(number),
                None if host_uses(state, *apqn) => User::Host,
                None => continue,
            };
            if let Some(before) = hand.data.filter(|before| *before != user) {
                let reset = match hand.reset {
                    Reset::None => "no reset",
                    Reset::Failed => FAILED,
                    Reset::Runs => RUNS,
                };
                let whose = if hand.by_bus { BY_BUS } else { "" };
                let what = format!("queue {apqn} went from {before} to {user}: {reset}{whose}");
                found.push(Broken { invariant: "I5", what });
            }
            (hand.data, hand.reset, hand.by_bus) = (Some(user), Reset::None, false);
        }
    }
}

/// Whether the machine still resets a queue.
fn resets(state: &Snapshot, apqn: Apqn) -> bool {
    state.machine.queues.iter().any(|(known, queue)| *known == apqn && queue.rip > 0)
}

/// Whether a queue is out of the configuration, deconfigured or checkstopped.
fn away(state: &Snapshot, apqn: Apqn) -> bool {
    let config = &state.machine.config;
    !config.qci.adapters.contains(apqn.adapter)
        || !config.qci.domains.contains(apqn.domain)
        || config.adapters.get(&apqn.adapter.0).is_none_or(|a| a.deconfigured || a.checkstopped)
}

/// Whether the host's driver may send messages to a queue: its own reset has ended.
fn host_uses(state: &Snapshot, apqn: Apqn) -> bool {
    let Some(index) = state.registry.queues.keys().position(|key| *key == apqn.to_u16()) else {
        return false;
    };
    state.queues.get(index).is_some_and(|queue| {
        queue.driver == Some(DriverId::Cex4Queue)
            && queue.state == DevState::Operating
            && matches!(queue.sm, Sm::Idle | Sm::SetIrqWait)
    })
}

fn disturbed(what: &str, apqn: Apqn, number: u8) -> Broken {
    Broken { invariant: "I2", what: format!("{what} by the host on queue {apqn} of running guest {number}") }
}

impl std::fmt::Display for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            User::Host => f.write_str("the host"),
            User::Guest(number) => write!(f, "guest {number}"),
            User::Former => f.write_str("a guest that has ended"),
        }
    }
}
