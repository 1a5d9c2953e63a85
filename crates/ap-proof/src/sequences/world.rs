//! The tiny machine, and how an operation runs on it.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use ap_host::driver::{BindError, DeviceName, DriverId};
use ap_host::invariants::Broken;
use ap_host::machine::queue_change;
use ap_host::module::Module;
use ap_host::vfio_ap::{MdevPhase, Part, QueueStatus};
use ap_host::{
    Action, Event, Guest, Host, Instruction, Machine, MdevId, Sink, Snapshot, Subject, Uevent, Work,
};
use ap_sysfs::Errno;
use ap_types::{AdapterId, Apqn, DomainId, Features, ResponseCode, Uuid};
use locks::hook::{self, Hook, Kind, Object, Step};
use locks::{Held, Nothing};

use super::hands::Hands;
use super::operation::{Fault, GUESTS, Operation, Place, UUIDS};

/// How much machine time passes after each operation, in milliseconds: the bus polls every 40.
pub(super) const SETTLE: u64 = 200;
/// How long the machine is given to boot.
const BOOT: u64 = 600;
/// A time, in milliseconds, that no sequence reaches: each operation takes a few hundred at the most.
const FOREVER: u64 = 3_600_000;
/// How the panic of an operation begins that waits for what cannot come.
pub(super) const WAITS_FOR_EVER: &str = "it waits for ever";
/// … and of one that goes on and on.
pub(super) const NEVER_STOPS: &str = "it never stops";

type Root<'a, 'h> = &'a mut Held<'h, Nothing>;

/// A state: the host's and its machine's, what is due, and what the tracker knows.
#[derive(Clone)]
pub(super) struct State {
    /// The host with its machine.
    pub host: Snapshot,
    /// A number for that.
    pub print: u128,
    /// Who may have left data where.
    hands: Hands,
    /// When the next poll is due, from now.
    poll_in: Option<u64>,
}

impl State {
    /// Whether a queue's last user has let it go, and it was not reset since.
    pub(super) fn unreset(&self, apqn: Apqn) -> bool {
        self.hands.unreset(apqn)
    }

    /// A number for the whole state: equal states have equal ones.
    pub(super) fn fingerprint(&self) -> u128 {
        let rest = locks::hook::fingerprint(&(&self.hands, self.poll_in));
        // Whether a filtering is fresh decides what must hold (I3, I4), so it tells states apart here.
        let fresh = self.host.mdevs.list.values().fold(1u64, |bits, mdev| bits << 1 | u64::from(mdev.fresh));
        let extra = u128::from(rest ^ fresh.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        self.print ^ extra.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    }
}

/// What an operation did.
pub(super) struct Ran {
    /// What became of it.
    pub outcome: Outcome,
    /// Whether the host was another one when it returned, before any work that was left to be done.
    pub changed: bool,
    /// What happened meanwhile.
    pub seen: Seen,
    /// The state after that work.
    pub after: State,
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It makes no sense here: there is nothing to do it to.
    Not,
    /// It returned.
    Returned(Result<(), Errno>),
    /// It panicked.
    Panicked(String),
}

/// What the oracles need of an operation's events.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// ZAPQs, in the order of issue.
    pub zapqs: Vec<(Apqn, ResponseCode)>,
    /// How often "bindings complete" was announced.
    pub announced: u32,
    /// A device was bound after the last announcement.
    pub bound: bool,
}

/// What the tracker follows, in order.
enum Followed {
    Instruction(Instruction),
    ResetEnded(Apqn),
}

/// Keeps what the oracles need of the events.
#[derive(Default)]
struct Recorder {
    steps: RefCell<Vec<Followed>>,
    seen: RefCell<Seen>,
    poll_in: Cell<Option<u64>>,
}

impl Sink for Recorder {
    fn event(&self, event: Event) {
        match event {
            Event::Instruction(instruction) => {
                self.steps.borrow_mut().push(Followed::Instruction(instruction));
            }
            Event::Uevent(Uevent { action: Action::Bind, subject, .. }) => {
                let device = matches!(subject, Subject::Card { .. } | Subject::Queue { .. });
                self.seen.borrow_mut().bound |= device;
            }
            Event::Uevent(uevent) if uevent.extra.iter().any(|(key, _)| key == "BINDINGS") => {
                let mut seen = self.seen.borrow_mut();
                seen.announced += 1;
                seen.bound = false;
            }
            _ => {}
        }
    }

    fn reset_ended(&self, apqn: Apqn) {
        self.steps.borrow_mut().push(Followed::ResetEnded(apqn));
    }

    fn due(&self, work: Work, in_ms: u64) {
        // The periodic scan is an operation of the alphabet; guests are asked to let go without a sequence.
        if work == Work::Poll {
            let soonest = self.poll_in.get().map_or(in_ms, |before| before.min(in_ms));
            self.poll_in.set(Some(soonest));
        }
    }
}

/// Runs the operations: time passes where one sleeps, and one that waits for what cannot come is stopped.
struct Alone {
    host: Arc<Host>,
    root: Cell<bool>,
}

impl Hook for Alone {
    fn step(&self, step: Step) -> bool {
        if let Kind::Sleep(until) = step.kind {
            self.host.clock.advance_to(until);
            assert!(until < FOREVER, "{NEVER_STOPS} waiting for a reset");
        }
        true
    }

    fn blocked(&self, step: Step) {
        panic!("{WAITS_FOR_EVER} for lock {} at {}, which nobody will release", step.object.level, step.at);
    }

    fn wait(&self, condvar: Step, _mutex: Object) {
        panic!("{WAITS_FOR_EVER} for `{}` at {}, which nobody will notify", condvar.object.level, condvar.at);
    }

    fn violation(&self, _verdict: &'static str, _what: String) {}

    fn claim_root(&self) -> bool {
        !self.root.replace(true)
    }

    fn release_root(&self) {
        self.root.set(false);
    }

    fn exploring(&self) -> bool {
        true
    }
}

/// A host on the tiny machine.
pub(super) struct World {
    machine: Arc<Machine>,
    host: Arc<Host>,
    out: Recorder,
    guests: Vec<Arc<Guest>>,
    uuids: [Uuid; 2],
    queues: [Apqn; 4],
    alone: Rc<Alone>,
    hands: Hands,
    /// The state that was taken or gone to last. Between operations the host is in it.
    at: Option<Snapshot>,
}

impl World {
    /// The machine `tiny`, booted, with two guests that have not started.
    ///
    /// # Panics
    /// If it does not boot.
    pub(super) fn new() -> Self {
        let machine = Arc::new(Machine::new());
        let host = Arc::new(Host::new(machine.clone()));
        let out = Recorder::default();
        let features = Features::APSC | Features::APXA | Features::QACT | Features::RC8A;
        let commands = [
            format!("qci na=63 nd=84 flags={:#x}", features.0),
            "opt fac12=1 fac15=1 fac65=1".into(),
            "ap 4 type=14 mode=ep11 ml=14 qd=7 serial=93AADX04".into(),
            "ap 10 type=13 mode=cca ml=3 qd=7 serial=93AADX0A".into(),
            "apm 4,10".into(),
            "aqm 6,71".into(),
            "adm 6,71".into(),
        ];
        let guests = locks::enter(|held| {
            for command in commands {
                machine.command(&command, &mut held.at()).expect("a command of the machine");
            }
            for module in Module::ALL {
                host.load_module(module, "", held, &out).expect("the module loads");
                if module == Module::Ap {
                    host.periodic_scan(held, &out);
                }
            }
            GUESTS.iter().map(|name| host.make_guest(name, true, held)).collect()
        });
        let queues = [(4, 6), (4, 71), (10, 6), (10, 71)].map(|(a, d)| Apqn::new(AdapterId(a), DomainId(d)));
        let uuids = UUIDS.map(|text| ap_types::grammar::uuid(text.as_bytes()).expect("a UUID"));
        let alone = Rc::new(Alone { host: host.clone(), root: Cell::new(false) });
        let hands = Hands::new(queues);
        let mut world = World { machine, host, out, guests, uuids, queues, alone, hands, at: None };
        world.settle_for(BOOT);
        world.out.steps.take();
        world.out.seen.take();
        world
    }

    /// The state now.
    pub(super) fn take(&mut self) -> State {
        let host = locks::enter(|held| match &self.at {
            Some(at) => self.host.snapshot_after(&self.machine, at, held),
            None => self.host.snapshot(&self.machine, held),
        });
        self.at = Some(host.clone());
        let print = host.fingerprint();
        State { host, print, hands: self.hands.clone(), poll_in: self.out.poll_in.get() }
    }

    /// Goes back to a state.
    pub(super) fn go_to(&mut self, state: &State) {
        locks::enter(|held| match &self.at {
            Some(at) => self.host.restore_from(&self.machine, at, &state.host, held),
            None => self.host.restore(&self.machine, &state.host, held),
        });
        self.at = Some(state.host.clone());
        self.hands.clone_from(&state.hands);
        self.out.poll_in.set(state.poll_in);
        self.out.steps.borrow_mut().clear();
    }

    /// Runs one operation and what it leaves to be done, from the state `before` in which the world is; what the
    /// tracker finds goes to `found`. After a panic the world is of no use any more.
    pub(super) fn run(&mut self, operation: &Operation, before: &State, found: &mut Vec<Broken>) -> Ran {
        let alone = self.alone.clone();
        let run = AssertUnwindSafe(|| hook::install(&*alone, || self.run_alone(operation, before, found)));
        catch_unwind(run).unwrap_or_else(|panic| Ran {
            outcome: Outcome::Panicked(text_of(&*panic)),
            changed: true,
            seen: Seen::default(),
            after: before.clone(),
        })
    }

    fn run_alone(&mut self, operation: &Operation, before: &State, found: &mut Vec<Broken>) -> Ran {
        let Some(result) = locks::enter(|held| self.perform(operation, held)) else {
            let (outcome, seen) = (Outcome::Not, Seen::default());
            return Ran { outcome, changed: false, seen, after: before.clone() };
        };
        let own = matches!(operation, Operation::Interrupts { .. } | Operation::Reset { .. });
        self.follow(own, found);
        let mut after = self.take();
        self.hands.settle(&after.host, found);
        let changed = after.print != before.print;
        if self.out.poll_in.get().is_some() {
            self.settle_for(SETTLE);
            self.follow(false, found);
            after = self.take();
            self.hands.settle(&after.host, found);
        }
        after.hands.clone_from(&self.hands);
        let seen = self.out.seen.take();
        Ran { outcome: Outcome::Returned(result), changed, seen, after }
    }

    fn follow(&mut self, own: bool, found: &mut Vec<Broken>) {
        for step in self.out.steps.borrow_mut().drain(..) {
            let instruction = match step {
                Followed::Instruction(instruction) => instruction,
                Followed::ResetEnded(apqn) => {
                    self.hands.reset_ended(apqn);
                    continue;
                }
            };
            if let Instruction::Zapq(apqn, code) = instruction {
                self.out.seen.borrow_mut().zapqs.push((apqn, code));
            }
            let place = |name: &str| GUESTS.iter().position(|known| *known == name).map(|n| n as u8);
            self.hands.follow(&instruction, own, place, found);
        }
    }

    /// Lets machine time pass, with the work that becomes due.
    fn settle_for(&mut self, milliseconds: u64) {
        let mut left = milliseconds;
        while let Some(after) = self.out.poll_in.get().filter(|after| *after <= left) {
            left -= after;
            self.out.poll_in.set(None);
            self.host.clock.sleep(after);
            locks::enter(|held| self.host.poll(held, &self.out));
        }
        self.out.poll_in.set(self.out.poll_in.get().map(|after| after - left));
        self.host.clock.sleep(left);
    }

    /// What the `status` attribute of each queue says.
    pub(super) fn statuses(&self) -> [(Apqn, Option<QueueStatus>); 4] {
        locks::enter(|held| self.queues.map(|apqn| (apqn, self.host.queue_status(apqn, held))))
    }

    fn mdev(&self, number: u8, held: Root<'_, '_>) -> Option<(MdevId, MdevPhase)> {
        let uuid = &self.uuids[usize::from(number)];
        self.host.with_mdevs(held, |mdevs| mdevs.find(uuid).map(|(id, mdev)| (id, mdev.phase)))
    }

    fn live(&self, number: u8, held: Root<'_, '_>) -> Option<MdevId> {
        self.mdev(number, held).filter(|(_, phase)| *phase == MdevPhase::Live).map(|(id, _)| id)
    }

    /// The mdevs that a guest has open.
    fn open(&self, guest: u8, held: Root<'_, '_>) -> Vec<Uuid> {
        let guest = &self.guests[usize::from(guest)];
        self.host.with_mdevs(held, |mdevs| {
            let holds =
                |mdev: &&ap_host::vfio_ap::Mdev| mdev.opener.as_ref().is_some_and(|g| Arc::ptr_eq(g, guest));
            mdevs.list.values().filter(holds).map(|mdev| mdev.uuid).collect()
        })
    }

    fn perform(&self, operation: &Operation, held: Root<'_, '_>) -> Option<Result<(), Errno>> {
        let (host, out) = (&*self.host, &self.out);
        Some(match *operation {
            Operation::Apmask { on, id } => host.write_apmask(&bit(on, id), held, out).map_err(Errno::from),
            Operation::Aqmask { on, id } => host.write_aqmask(&bit(on, id), held, out).map_err(Errno::from),
            Operation::Adapter { mdev, on, id } => self.assign(mdev, on, adapter, id, held)?,
            Operation::Domain { mdev, on, id } => self.assign(mdev, on, domain, id, held)?,
            Operation::Control { mdev, on, id } => {
                let mdev = self.live(mdev, held)?;
                host.assign_control_domain(mdev, on, id.into(), held, out).map_err(Errno::from)
            }
            Operation::Config { mdev, adapters, domains, control } => {
                let mdev = self.live(mdev, held)?;
                let new = Operation::matrix(adapters, domains, control);
                host.write_ap_config(mdev, new, held, out).map_err(Errno::from)
            }
            Operation::Create { mdev } => {
                host.create_mdev(self.uuids[usize::from(mdev)], held, out).map(drop).map_err(Errno::from)
            }
            Operation::Remove { mdev } => self.remove(mdev, held)?,
            Operation::Start { guest, mdev } => {
                let uuid = &self.uuids[usize::from(mdev)];
                host.guest_open(uuid, GUESTS[usize::from(guest)], held, out).map_err(Errno::from)
            }
            Operation::Stop { guest } => self.stop(guest, held)?,
            Operation::Reset { guest } => {
                let uuid = *self.open(guest, held).first()?;
                host.guest_reset(&uuid, held, out).map_err(Errno::from)
            }
            Operation::Request { guest } => {
                let uuid = *self.open(guest, held).first()?;
                host.guest_request_irq(&uuid, true, held).map_err(Errno::from)
            }
            Operation::Interrupts { guest, on, apqn } => {
                self.open(guest, held).first()?;
                let gr1 = if on { 1 << 47 | 3 } else { 0 };
                let gr0 = 0x0300_0000 | u64::from(apqn.to_u16());
                host.guest_pqap(&self.guests[usize::from(guest)], gr0, gr1, 0x1000, held, out);
                Ok(())
            }
            Operation::Plug { .. } | Operation::Configure { .. } | Operation::Checkstop { .. } => {
                self.operate(operation, held);
                Ok(())
            }
            Operation::Fault { apqn, fault } => {
                let (key, value) = match fault {
                    Fault::Fails => ("zrc", "7:1".to_owned()),
                    Fault::Lasts(looks) => ("resetlat", looks.to_string()),
                };
                let change = queue_change(key, &value).expect("a key of the machine");
                self.machine.queue_with(apqn, &mut held.at(), change);
                Ok(())
            }
            Operation::Bind { driver, on, apqn } => self.bind(driver, on, apqn, held),
            Operation::Scan => {
                host.force_scan(held, out);
                Ok(())
            }
        })
    }

    fn assign(
        &self,
        mdev: u8,
        on: bool,
        kind: fn(u8) -> Part,
        id: u8,
        held: Root<'_, '_>,
    ) -> Option<Result<(), Errno>> {
        let mdev = self.live(mdev, held)?;
        let result = if on {
            self.host.assign(mdev, kind, id.into(), held, &self.out)
        } else {
            self.host.unassign(mdev, kind, id.into(), held, &self.out)
        };
        Some(result.map_err(Errno::from))
    }

    fn remove(&self, mdev: u8, held: Root<'_, '_>) -> Option<Result<(), Errno>> {
        let id = self.live(mdev, held)?;
        let open =
            self.host.with_mdevs(held, |mdevs| mdevs.list.get(&id).is_some_and(|mdev| mdev.opener.is_some()));
        Some(if open {
            self.host.begin_removal(id, held, &self.out).map_err(Errno::from)
        } else {
            self.host.remove_mdev(id, held, &self.out).map_err(Errno::from)
        })
    }

    fn stop(&self, guest: u8, held: Root<'_, '_>) -> Option<Result<(), Errno>> {
        let open = self.open(guest, held);
        if open.is_empty() {
            return None;
        }
        for uuid in open {
            if let Err(error) = self.host.guest_close(&uuid, held, &self.out) {
                return Some(Err(error.into()));
            }
            // Whoever waited for the guest goes on.
            let waiting = self.host.with_mdevs(held, |mdevs| {
                mdevs.find(&uuid).filter(|(_, m)| m.phase != MdevPhase::Live).map(|(id, _)| id)
            });
            if let Some(id) = waiting
                && let Err(error) = self.host.finish_removal(id, held, &self.out)
            {
                return Some(Err(error.into()));
            }
        }
        Some(Ok(()))
    }

    fn bind(&self, driver: DriverId, on: bool, apqn: Apqn, held: Root<'_, '_>) -> Result<(), Errno> {
        let name = DeviceName::Queue(apqn);
        let result: Result<(), BindError> = if on {
            self.host.bind(driver, name, held, &self.out)
        } else {
            self.host.unbind(driver, name, held, &self.out)
        };
        result.map_err(Errno::from)
    }

    /// What the machine's operator does, and the machine's notice of it.
    fn operate(&self, operation: &Operation, held: Root<'_, '_>) {
        self.machine.configure_with(&mut held.at(), |config| match *operation {
            Operation::Plug { on, place } => match place {
                Place::Adapter(id) => put(&mut config.qci.adapters, on, AdapterId(id)),
                Place::Domain(id) => put(&mut config.qci.domains, on, DomainId(id)),
                Place::Control(id) => put(&mut config.qci.control_domains, on, DomainId(id)),
            },
            Operation::Configure { on, adapter } => {
                if let Some(adapter) = config.adapters.get_mut(&adapter) {
                    adapter.deconfigured = !on;
                }
            }
            Operation::Checkstop { on, adapter } => {
                if let Some(adapter) = config.adapters.get_mut(&adapter) {
                    adapter.checkstopped = on;
                }
            }
            _ => {}
        });
        self.host.force_scan(held, &self.out);
    }
}

fn put<M, I>(mask: &mut M, on: bool, id: I)
where
    M: Copy + FromIterator<I> + std::ops::BitOr<Output = M> + std::ops::Sub<Output = M>,
{
    let one = M::from_iter([id]);
    *mask = if on { *mask | one } else { *mask - one };
}

fn bit(on: bool, id: u8) -> Vec<u8> {
    format!("{}{id}", if on { '+' } else { '-' }).into_bytes()
}

fn adapter(id: u8) -> Part {
    Part::Adapter(AdapterId(id))
}

fn domain(id: u8) -> Part {
    Part::Domain(DomainId(id))
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequences::alphabet;

    /// A walk without a random number generator's help: the next operation is what the state's number says.
    #[test]
    fn a_state_shared_in_parts_is_the_state() {
        let operations = alphabet("whole").expect("it is there").operations;
        let mut world = World::new();
        let first = world.take();
        let (mut state, mut found) = (first.clone(), Vec::new());
        let mut number = 1u64;
        for step in 0..4000u64 {
            number = number.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            let operation = operations[(number >> 33) as usize % operations.len()];
            state = world.run(&operation, &state, &mut found).after;
            let whole = locks::enter(|held| world.host.snapshot(&world.machine, held));
            assert_eq!(whole.fingerprint(), state.print, "after {operation}");
            if step % 7 == 0 {
                world.go_to(&first);
                let whole = locks::enter(|held| world.host.snapshot(&world.machine, held));
                assert_eq!(whole.fingerprint(), first.print, "back from {operation}");
                world.go_to(&state);
            }
            if step % 40 == 39 {
                world.go_to(&first);
                state = first.clone();
            }
        }
    }
}
