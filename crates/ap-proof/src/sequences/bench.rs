//! Where sequences run: the tiny machine with its states, operations, and the time that passes after each.

use std::rc::Rc;

use ap_host::Snapshot;
use ap_task::{Kernel, Task};
use ap_types::Apqn;
use ap_vfio::QueueStatus;

use crate::oracle::{Broken, NotReturned};
use crate::sequences::alone::{Alone, run_alone};
use crate::sequences::hands::Hands;
use crate::sequences::operation::{GuestNumber, Operation};
use crate::sequences::perform::perform;
use crate::sequences::recorder::Recorder;
use crate::sequences::state::{Ran, Requests, Returned, State};
use crate::sequences::tiny::Tiny;

/// How much machine time passes after each operation, in milliseconds: the bus polls every 40.
pub(super) const SETTLE: u64 = 200;
/// How long the machine is given to boot.
const BOOT: u64 = 600;

/// A host on the tiny machine, and where it is.
pub(super) struct Bench {
    tiny: Tiny,
    out: Rc<Recorder>,
    alone: Rc<Alone>,
    hands: Hands,
    requests: Requests,
    /// The state that was taken or gone to last. Between operations the host is in it.
    at: Option<Snapshot>,
}

impl Bench {
    /// The machine `tiny`, booted with that kernel, with two guests that have not started.
    ///
    /// # Panics
    /// If it does not boot.
    pub(super) fn new(kernel: Kernel) -> Self {
        let out: Rc<Recorder> = Rc::default();
        let tiny = Tiny::boot(kernel, &*out);
        let alone = Alone::new(tiny.host.clone(), out.clone());
        let hands = Hands::new(tiny.queues);
        let requests = Requests::default();
        let bench = Bench { tiny, out, alone, hands, requests, at: None };
        bench.settle_for(BOOT);
        bench.out.clear();
        bench.out.take();
        bench
    }

    /// The state now.
    pub(super) fn take(&mut self) -> State {
        let Tiny { host, machine, .. } = &self.tiny;
        let host = locks::enter(|held| match &self.at {
            Some(at) => host.snapshot_after(machine, at, held),
            None => host.snapshot(machine, held),
        });
        self.at = Some(host.clone());
        let print = host.fingerprint();
        let (hands, requests, poll_in) = (self.hands.clone(), self.requests, self.out.poll_in());
        State { host, print, hands, requests, poll_in }
    }

    /// Goes back to a state.
    pub(super) fn go_to(&mut self, state: &State) {
        let Tiny { host, machine, .. } = &self.tiny;
        locks::enter(|held| match &self.at {
            Some(at) => host.restore_from(machine, at, &state.host, held),
            None => host.restore(machine, &state.host, held),
        });
        self.at = Some(state.host.clone());
        self.hands.clone_from(&state.hands);
        self.requests = state.requests;
        self.out.set_poll_in(state.poll_in);
        self.out.clear();
    }

    /// Runs one operation and what it leaves to be done, from the state `before` in which the machine is; what the
    /// oracle of clean hand-over finds goes to `found`. After one that did not return the machine is of no use any
    /// more.
    pub(super) fn run(&mut self, operation: &Operation, before: &State, found: &mut Vec<Broken>) -> Ran {
        self.run_to_its_end(operation, before, found).unwrap_or_else(Ran::NotReturned)
    }

    fn run_to_its_end(
        &mut self,
        operation: &Operation,
        before: &State,
        found: &mut Vec<Broken>,
    ) -> Result<Ran, NotReturned> {
        let Bench { tiny, out, alone, .. } = self;
        // States are taken outside the hook, where locks cost least: between operations nobody holds one.
        let answer =
            run_alone(alone, || locks::enter(|held| perform(tiny, operation, &mut Task::new(held, &**out))))?;
        let Some(answer) = answer else { return Ok(Ran::Senseless) };
        if let Operation::Request { guest } | Operation::Stop { guest } = *operation {
            let registers = matches!(operation, Operation::Request { .. });
            self.requests[usize::from(guest)] = registers && answer.is_ok();
        }
        let one_by_one = self.out.one_by_one();
        self.follow(operation.asked_by(), before, found);
        let mut after = self.take();
        self.hands.settle(&after.host, found);
        // Not only what tells states apart: links, for one, follow from matrices as long as nothing is wrong.
        let changed = !after.host.is(&before.host);
        if self.out.poll_in().is_some() {
            run_alone(&self.alone, || self.settle_for(SETTLE))?;
            self.follow(None, before, found);
            after = self.take();
            self.hands.settle(&after.host, found);
        }
        after.hands.clone_from(&self.hands);
        let mut seen = self.out.take();
        seen.one_by_one = one_by_one;
        Ok(Ran::Returned(Returned { answer, changed, seen, after }))
    }

    fn follow(&mut self, asked_by: Option<GuestNumber>, before: &State, found: &mut Vec<Broken>) {
        let Bench { out, hands, .. } = self;
        out.drain(|step| hands.follow(&step, asked_by, &before.host.machine, found));
    }

    /// Lets machine time pass, with the work that becomes due.
    fn settle_for(&self, milliseconds: u64) {
        let (host, out) = (&self.tiny.host, &self.out);
        let mut left = milliseconds;
        while let Some(after) = out.poll_in().filter(|after| *after <= left) {
            left -= after;
            out.set_poll_in(None);
            host.clock().sleep(after);
            locks::enter(|held| host.bus.poll(&mut Task::new(held, &**out)));
        }
        out.set_poll_in(out.poll_in().map(|after| after - left));
        host.clock().sleep(left);
    }

    /// What the `status` attribute of each queue says.
    pub(super) fn statuses(&self) -> [(Apqn, Option<QueueStatus>); 4] {
        self.tiny.statuses()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequences::alphabet::alphabet;

    fn whole(bench: &Bench) -> u128 {
        locks::enter(|held| bench.tiny.host.snapshot(&bench.tiny.machine, held)).fingerprint()
    }

    /// A walk without a random number generator's help: the next operation is what the state's number says.
    #[test]
    fn a_state_shared_in_parts_is_the_state() {
        let operations = alphabet("whole").expect("it is there").operations;
        let mut bench = Bench::new(Kernel::default());
        let first = bench.take();
        let (mut state, mut found) = (first.clone(), Vec::new());
        let mut number = 1u64;
        for step in 0..4000u64 {
            number = number.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            let operation = operations[(number >> 33) as usize % operations.len()];
            if let Ran::Returned(returned) = bench.run(&operation, &state, &mut found) {
                state = returned.after;
            }
            assert_eq!(whole(&bench), state.print, "after {operation}");
            if step % 7 == 0 {
                bench.go_to(&first);
                assert_eq!(whole(&bench), first.print, "back from {operation}");
                bench.go_to(&state);
            }
            if step % 40 == 39 {
                bench.go_to(&first);
                state = first.clone();
            }
        }
    }
}
