//! What the machine's operator does to it, as values. (`conformance/README.md`, hw commands.)

use ap_task::order::Devices;
use ap_types::{AdapterMask, Apqn, DomainMask, Features, Mode, ResponseCode};
use locks::Held;

use crate::keys::KeysChange;
use crate::machine::{Adapter, Answers, HwQueue, Machine, MachineConfig};

/// How a set of ids is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ids<M> {
    /// These come.
    Add(M),
    /// These go.
    Remove(M),
    /// Exactly these are there.
    Set(M),
}

impl<M> Ids<M>
where
    M: Copy + std::ops::BitOr<Output = M> + std::ops::Sub<Output = M>,
{
    fn apply(self, to: &mut M) {
        *to = match self {
            Ids::Add(ids) => *to | ids,
            Ids::Remove(ids) => *to - ids,
            Ids::Set(ids) => ids,
        };
    }
}

/// What is wrong, or not as usual, with one queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Everything answers this code; NORMAL: as usual.
    Answer(ResponseCode),
    /// So many TAPQs answer BUSY.
    Busy(u32),
    /// So many TAPQs answer RESET_IN_PROGRESS.
    Resetting(u32),
    /// So many TAPQs answer RESET_IN_PROGRESS after each reset.
    ResetLatency(u32),
    /// The next RAPQs and ZAPQs answer this.
    Resets(Answers),
    /// The next TAPQs answer this.
    Tests(Answers),
    /// The Secure Execution bind state, 0-3.
    BindState(u8),
    /// Interrupts are enabled.
    Interrupts(bool),
    /// Master keys of its domain.
    MasterKeys(KeysChange),
}

/// What changes about an adapter; `None`: stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AdapterChange {
    /// The hardware type. A new one sets the longest message to the type's usual one and, where none was set, the
    /// depth to 8.
    pub hwtype: Option<u8>,
    /// The functions word, without bind state.
    pub functions: Option<u32>,
    /// The longest message in 4096-byte units.
    pub ml: Option<u8>,
    /// Queue depth minus one.
    pub qd: Option<u8>,
    /// Deconfigured.
    pub deconfigured: Option<bool>,
    /// Checkstopped.
    pub checkstopped: Option<bool>,
    /// What it says of itself.
    pub serial: Option<String>,
}

impl AdapterChange {
    /// Another type of adapter, with the functions of its mode.
    #[must_use]
    pub fn of_type(hwtype: u8, mode: Mode) -> AdapterChange {
        let functions = Some(crate::machine::functions_of(mode));
        AdapterChange { hwtype: Some(hwtype), functions, ..AdapterChange::default() }
    }
}

/// One thing that the machine has or has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FacilityChange {
    /// QCI (facility 12).
    Qci(bool),
    /// The T bit of TAPQ (facility 15).
    Apft(bool),
    /// Adapter interrupts (facility 65).
    Interrupts(bool),
    /// Linux runs as a Secure Execution guest.
    SecureExecution(bool),
    /// AP instructions at all.
    Instructions(bool),
    /// Linux runs under z/VM.
    Zvm(bool),
    /// Whether instructions are reported.
    Log(bool),
}

/// What the operator does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Adapters of the host configuration.
    Adapters(Ids<AdapterMask>),
    /// Its usage domains.
    Domains(Ids<DomainMask>),
    /// Its control domains.
    ControlDomains(Ids<DomainMask>),
    /// The highest adapter id that QCI says.
    HighestAdapter(u8),
    /// The highest domain id that QCI says.
    HighestDomain(u8),
    /// What QCI says the machine can.
    Features(Features),
    /// A facility.
    Facility(FacilityChange),
    /// Adapters as hardware, whether or not they are configured.
    Adapter(AdapterMask, AdapterChange),
    /// Queues: a product of adapters and domains.
    Queue(AdapterMask, DomainMask, Vec<Fault>),
}

/// What is taken out of the host configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Taken {
    /// Adapters.
    Adapters(AdapterMask),
    /// Usage domains.
    Domains(DomainMask),
    /// Control domains.
    ControlDomains(DomainMask),
}

impl Change {
    /// A fault of one queue.
    #[must_use]
    pub fn fault(apqn: Apqn, fault: Fault) -> Change {
        let (adapters, domains) = (AdapterMask::single(apqn.adapter), DomainMask::single(apqn.domain));
        Change::Queue(adapters, domains, vec![fault])
    }
}

impl Machine {
    /// Takes out what of this is there.
    ///
    /// # Errors
    /// If nothing of it is: what is there instead, ascending. Two that take the same: one of them gets this.
    ///
    /// # Locks
    /// `HwConfig`.
    pub fn take(&self, taken: Taken, held: &mut Held<'_, Devices>) -> Result<(), Vec<u8>> {
        let domains = |there: &DomainMask| there.iter().map(|id| id.0).collect();
        self.configure_with(held, |MachineConfig { qci, .. }| match taken {
            Taken::Adapters(ids) => {
                take(&mut qci.adapters, ids, |there| there.iter().map(|id| id.0).collect())
            }
            Taken::Domains(ids) => take(&mut qci.domains, ids, domains),
            Taken::ControlDomains(ids) => take(&mut qci.control_domains, ids, domains),
        })
    }

    /// Carries out what the operator does.
    ///
    /// # Locks
    /// `HwConfig`; for faults also `Hw` of each queue, one at a time.
    pub fn change(&self, change: &Change, held: &mut Held<'_, Devices>) {
        let facility = |config: &mut MachineConfig, change: FacilityChange| {
            let has = &mut config.facilities;
            match change {
                FacilityChange::Qci(on) => has.qci = on,
                FacilityChange::Apft(on) => has.apft = on,
                FacilityChange::Interrupts(on) => has.interrupts = on,
                FacilityChange::SecureExecution(on) => has.secure_execution = on,
                FacilityChange::Instructions(on) => has.instructions = on,
                FacilityChange::Zvm(on) => has.zvm = on,
                FacilityChange::Log(on) => config.log = on,
            }
        };
        match change {
            Change::Adapters(ids) => self.configure_with(held, |config| ids.apply(&mut config.qci.adapters)),
            Change::Domains(ids) => self.configure_with(held, |config| ids.apply(&mut config.qci.domains)),
            Change::ControlDomains(ids) => {
                self.configure_with(held, |config| ids.apply(&mut config.qci.control_domains));
            }
            Change::HighestAdapter(id) => self.configure_with(held, |config| config.qci.na = *id),
            Change::HighestDomain(id) => self.configure_with(held, |config| config.qci.nd = *id),
            Change::Features(features) => self.configure_with(held, |config| config.qci.features = *features),
            Change::Facility(change) => self.configure_with(held, |config| facility(config, *change)),
            Change::Adapter(ids, change) => self.configure_with(held, |config| {
                for id in ids.iter() {
                    config.adapters.entry(id).or_default().apply(change);
                }
            }),
            Change::Queue(adapters, domains, faults) => {
                for apqn in product(adapters, domains) {
                    self.queue_with(apqn, held, |queue| faults.iter().for_each(|fault| queue.apply(*fault)));
                }
            }
        }
    }
}

fn take<M>(from: &mut M, ids: M, listed: impl Fn(&M) -> Vec<u8>) -> Result<(), Vec<u8>>
where
    M: Copy + PartialEq + std::ops::Sub<Output = M>,
{
    let left = *from - ids;
    if left == *from {
        return Err(listed(from));
    }
    *from = left;
    Ok(())
}

fn product(adapters: &AdapterMask, domains: &DomainMask) -> impl Iterator<Item = Apqn> {
    let domains = *domains;
    adapters.iter().flat_map(move |adapter| domains.iter().map(move |domain| Apqn::new(adapter, domain)))
}

impl Adapter {
    fn apply(&mut self, change: &AdapterChange) {
        if let Some(hwtype) = change.hwtype {
            self.hwtype = hwtype;
            self.ml = if hwtype >= 14 { 14 } else { 3 };
            if self.qd == 0 {
                self.qd = 7;
            }
        }
        self.functions = change.functions.unwrap_or(self.functions);
        self.ml = change.ml.unwrap_or(self.ml);
        self.qd = change.qd.unwrap_or(self.qd);
        self.deconfigured = change.deconfigured.unwrap_or(self.deconfigured);
        self.checkstopped = change.checkstopped.unwrap_or(self.checkstopped);
        if change.serial.is_some() {
            self.serial.clone_from(&change.serial);
        }
    }
}

impl HwQueue {
    fn apply(&mut self, fault: Fault) {
        match fault {
            Fault::Answer(code) => self.rc = code,
            Fault::Busy(count) => self.busy = count,
            Fault::Resetting(count) => self.rip = count,
            Fault::ResetLatency(count) => self.resetlat = count,
            Fault::Resets(answers) => self.resets = answers,
            Fault::Tests(answers) => self.tests = answers,
            Fault::BindState(state) => self.bs = state & 3,
            Fault::Interrupts(on) => self.irq = on,
            Fault::MasterKeys(change) => {
                let KeysChange { new, current, old } = change;
                self.keys.new = new.or(self.keys.new);
                self.keys.current = current.or(self.keys.current);
                self.keys.old = old.or(self.keys.old);
            }
        }
    }
}
