//! The hands of all queues of the tiny machine: what the oracle of clean hand-over is told of a sequence.
//!
//! Nothing runs at the same time as an operation, so when it has ended the state is looked at: whether the machine
//! has finished a reset, and whether the host's driver uses a queue.

use ap_bus::device::{DevState, Sm};
use ap_host::Snapshot;
use ap_machine::MachineState;
use ap_task::Instruction;
use ap_types::{Apqn, Matrix, ResponseCode};

use crate::oracle::Broken;
use crate::oracle::hand::{Fact, Hand, Touch};
use crate::sequences::operation::GuestNumber;
use crate::sequences::recorder::Step;

/// What is known of every queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Hands {
    queues: Box<[(Apqn, Hand<GuestNumber>)]>,
}

impl Hands {
    /// Of these queues; all are clean.
    pub(super) fn new(queues: impl IntoIterator<Item = Apqn>) -> Self {
        Hands { queues: queues.into_iter().map(|apqn| (apqn, Hand::default())).collect() }
    }

    /// Whether a queue's last user has let it go, and nothing was done since.
    pub(super) fn unreset(&self, apqn: Apqn) -> bool {
        self.queues.iter().any(|(known, hand)| *known == apqn && hand.unreset())
    }

    fn tell(&mut self, apqn: Apqn, fact: Fact<GuestNumber>, found: &mut Vec<Broken>) {
        if let Some((_, hand)) = self.queues.iter_mut().find(|(known, _)| *known == apqn) {
            found.extend(hand.follow(fact).map(|wrong| Broken::of_queue(apqn, wrong)));
        }
    }

    /// Follows a step of an operation that `asked_by` asked for itself, on a machine that was in that state before.
    pub(super) fn follow(
        &mut self,
        step: &Step,
        asked_by: Option<GuestNumber>,
        machine: &MachineState,
        found: &mut Vec<Broken>,
    ) {
        let issued = |touch, apqn: Apqn, code: ResponseCode| {
            (apqn, Fact::Issued { touch, code, lasts: lasts(machine, apqn), asked_by })
        };
        let (apqn, fact) = match step {
            Step::Unbound(apqn) => (*apqn, Fact::Unbound),
            Step::ResetEnded { queue, noted } => (*queue, Fact::ResetEnded { noted: *noted }),
            Step::Instruction(Instruction::Zapq(apqn, code)) => issued(Touch::Zapq, *apqn, *code),
            Step::Instruction(Instruction::Rapq(apqn, code, _)) => issued(Touch::Rapq, *apqn, *code),
            Step::Instruction(Instruction::Aqic(apqn, _, code)) => issued(Touch::Aqic, *apqn, *code),
            Step::Instruction(Instruction::SetMasks(name, apcb)) => {
                return self.given(name, apcb, found);
            }
            Step::Instruction(Instruction::ClearMasks(name)) => {
                self.given(name, &Matrix::default(), found);
                return self.ended(name);
            }
            Step::Instruction(
                Instruction::Bapq(..)
                | Instruction::Aapq(..)
                | Instruction::Qact(_)
                | Instruction::Pin(_)
                | Instruction::Unpin(_)
                | Instruction::GiscRegister(..)
                | Instruction::GiscUnregister(..)
                | Instruction::Pqap(..)
                | Instruction::SclpConfigure(_)
                | Instruction::SclpDeconfigure(_),
            ) => return,
        };
        self.tell(apqn, fact, found);
    }

    fn given(&mut self, name: &str, apcb: &Matrix, found: &mut Vec<Broken>) {
        let Some(guest) = GuestNumber::named(name) else { return };
        for (apqn, hand) in &mut self.queues {
            let fact = if apcb.contains(*apqn) { Fact::Given(guest) } else { Fact::Withdrawn(guest) };
            found.extend(hand.follow(fact).map(|wrong| Broken::of_queue(*apqn, wrong)));
        }
    }

    fn ended(&mut self, name: &str) {
        let Some(guest) = GuestNumber::named(name) else { return };
        for (_, hand) in &mut self.queues {
            let _never_wrong = hand.follow(Fact::GuestEnded(guest));
        }
    }

    /// Looks at the state when an operation has ended.
    pub(super) fn settle(&mut self, state: &Snapshot, found: &mut Vec<Broken>) {
        for (apqn, hand) in &mut self.queues {
            let mut tell = |fact| found.extend(hand.follow(fact).map(|wrong| Broken::of_queue(*apqn, wrong)));
            if !resets(state, *apqn) {
                tell(Fact::Finished);
            }
            if away(state, *apqn) {
                tell(Fact::Away);
            }
            for (guest, number) in state.vfio.guests.iter().zip(0..) {
                let number = GuestNumber(number);
                let has = guest.kvm.apcb.contains(*apqn);
                tell(if has { Fact::Given(number) } else { Fact::Withdrawn(number) });
            }
            tell(Fact::Uses(host_uses(state, *apqn)));
        }
    }
}

/// Whether a reset of a queue takes time.
fn lasts(machine: &MachineState, apqn: Apqn) -> bool {
    machine.queues.iter().any(|(known, queue)| *known == apqn && queue.resetlat > 0)
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
        || config.adapters.get(&apqn.adapter).is_none_or(|a| a.deconfigured || a.checkstopped)
}

/// Whether the host's driver may send messages to a queue: its own reset has ended.
fn host_uses(state: &Snapshot, apqn: Apqn) -> bool {
    let queues = state.bus.registry.queues.keys().zip(&state.bus.queues);
    queues.into_iter().any(|(known, queue)| {
        *known == apqn
            && queue.is_hosts()
            && queue.state == DevState::Operating
            && matches!(queue.sm, Sm::Idle | Sm::SetIrqWait)
    })
}
