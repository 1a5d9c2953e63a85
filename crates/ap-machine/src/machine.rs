//! The simulated machine: adapters, the host configuration, faults. (`conformance/README.md`, hw commands.)
//!
//! State is per APQN, so that two operations on different queues don't meet here (page 4, traps); what concerns the
//! whole machine is behind one readers-writer lock that only its operator writes.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::OnceLock;

use ap_task::order::{Devices, Hw, HwConfig};
use ap_task::state::Part;
use ap_types::{
    AdapterId, AdapterMask, Apqn, DomainId, DomainMask, Features, HardwareInfo, HostConfig, Mode,
    ResponseCode,
};
use locks::{Clock, Held, Mutex, RwLock};

use crate::hardware::Facilities;
use crate::keys::KeysChange;

/// One adapter's hardware.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Adapter {
    /// The type, 0: none.
    pub hwtype: u8,
    /// The functions word, without bind state.
    pub functions: u32,
    /// Maximum message length in 4096-byte units.
    pub ml: u8,
    /// Queue depth minus one.
    pub qd: u8,
    /// Deconfigured.
    pub deconfigured: bool,
    /// Checkstopped.
    pub checkstopped: bool,
    /// What it says of itself; `None`: it refuses every request.
    pub serial: Option<String>,
}

/// The functions word of a mode. (`conformance/README.md`.)
#[must_use]
pub fn functions_of(mode: Mode) -> u32 {
    match mode {
        Mode::Cca => 0x9200_0000,
        Mode::Ep11 => 0x8600_0000,
        Mode::Accelerator => 0xEA00_0000,
        Mode::None => 0x8200_0000,
    }
}

/// What concerns the whole machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MachineConfig {
    /// The answer of QCI.
    pub qci: HostConfig,
    /// What the machine has.
    pub facilities: Facilities,
    /// Whether instructions are reported.
    pub log: bool,
    /// The adapters that exist.
    pub adapters: BTreeMap<AdapterId, Adapter>,
    /// Every usage domain that was ever configured or given a fault: where queues can have a state.
    pub domains_seen: DomainMask,
}

/// A response code that the next instructions of a kind answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Answers {
    /// The code.
    pub code: ResponseCode,
    /// How many of them answer it.
    pub times: u32,
}

impl Answers {
    /// What the next one answers, if it is one of them; it counts.
    pub(crate) fn next(&mut self) -> Option<ResponseCode> {
        self.times = self.times.checked_sub(1)?;
        Some(self.code)
    }
}

/// One queue's hardware.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HwQueue {
    /// The response code that everything answers; NORMAL: as usual.
    pub rc: ResponseCode,
    /// How many TAPQs answer BUSY.
    pub busy: u32,
    /// How many TAPQs answer RESET_IN_PROGRESS.
    pub rip: u32,
    /// How many TAPQs answer RESET_IN_PROGRESS after a reset.
    pub resetlat: u32,
    /// What the next RAPQs and ZAPQs answer.
    pub resets: Answers,
    /// What the next TAPQs answer.
    pub tests: Answers,
    /// The Secure Execution bind state, 0-3.
    pub bs: u8,
    /// Interrupts are enabled.
    pub irq: bool,
    /// In what its master keys differ from the usual ones.
    pub keys: KeysChange,
}

type HwQueues = Box<[Mutex<Hw, HwQueue>]>;

/// How many adapters have their queues' hardware in a group: who looks at all of it looks at few places.
const GROUP: usize = 16;

/// Adapters with neighbouring numbers.
type Group = [OnceLock<HwQueues>; GROUP];

/// The simulated machine.
pub struct Machine {
    pub(crate) clock: Clock,
    pub(crate) config: RwLock<HwConfig, MachineConfig>,
    queues: [OnceLock<Box<Group>>; 256 / GROUP],
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine {
    /// An empty machine with AP instructions, QCI and the T bit, features APSC and APXA, no interrupts, highest ids
    /// 63 and 84: where transcripts start.
    #[must_use]
    pub fn new() -> Self {
        let qci = HostConfig {
            features: Features::APSC | Features::APXA,
            na: 63,
            nd: 84,
            adapters: AdapterMask::EMPTY,
            domains: DomainMask::EMPTY,
            control_domains: DomainMask::EMPTY,
        };
        let facilities = Facilities {
            instructions: true,
            qci: true,
            apft: true,
            interrupts: false,
            secure_execution: false,
            zvm: false,
        };
        let config = MachineConfig {
            qci,
            facilities,
            log: true,
            adapters: BTreeMap::new(),
            domains_seen: DomainMask::EMPTY,
        };
        Machine {
            clock: Clock::new(0),
            config: RwLock::new(0, config),
            queues: [const { OnceLock::new() }; 256 / GROUP],
        }
    }

    pub(crate) fn queue(&self, apqn: Apqn) -> &Mutex<Hw, HwQueue> {
        let number = usize::from(apqn.adapter.0);
        let group = self.queues[number / GROUP].get_or_init(Default::default);
        let adapter = group[number % GROUP].get_or_init(|| {
            (0..=255)
                .map(|domain| {
                    let apqn = Apqn::new(apqn.adapter, DomainId(domain));
                    Mutex::new(u32::from(apqn.to_u16()), HwQueue::default())
                })
                .collect()
        });
        &adapter[usize::from(apqn.domain.0)]
    }

    /// The queues that were ever touched, with those of the same adapters.
    fn touched(&self) -> impl Iterator<Item = (AdapterId, &HwQueues)> {
        let groups = (0..=u8::MAX).step_by(GROUP).zip(&self.queues);
        groups.filter_map(|(first, group)| Some((first, group.get()?))).flat_map(|(first, group)| {
            let adapters = (first..=u8::MAX).zip(group.iter());
            adapters.filter_map(|(adapter, queues)| Some((AdapterId(adapter), queues.get()?)))
        })
    }

    /// Changes what concerns the whole machine; of what was there only the answer counts.
    pub(crate) fn configure_with<R: Hash>(
        &self,
        held: &mut Held<'_, Devices>,
        change: impl FnOnce(&mut MachineConfig) -> R,
    ) -> R {
        locks::only(|| {
            let (mut config, _held) = self.config.write(held);
            let changed = change(&mut config);
            let domains = config.qci.domains;
            config.domains_seen |= domains;
            changed
        })
    }

    /// Looks at what concerns the whole machine.
    ///
    /// # Locks
    /// `HwConfig`, for reading.
    #[track_caller]
    pub fn look<R: Hash>(&self, held: &mut Held<'_, Devices>, look: impl Fn(&MachineConfig) -> R) -> R {
        self.config.look(held, look)
    }

    /// Changes one queue.
    pub(crate) fn queue_with(
        &self,
        apqn: Apqn,
        held: &mut Held<'_, Devices>,
        change: impl FnOnce(&mut HwQueue),
    ) {
        if !self.look(held, |config| config.domains_seen.contains(apqn.domain)) {
            let (mut config, _held) = self.config.write(held);
            config.domains_seen.insert(apqn.domain);
        }
        change(&mut self.queue(apqn).lock(held).0);
    }

    /// The whole state, at quiescence; shared with `before` if it is equal.
    ///
    /// # Locks
    /// `HwConfig`, and under it `Hw` of each queue that was ever touched, one at a time.
    pub fn state(
        &self,
        before: Option<&Part<MachineState>>,
        held: &mut Held<'_, Devices>,
    ) -> Part<MachineState> {
        let (config, mut held) = self.config.read(held);
        let mut queues = Vec::new();
        for (adapter, touched) in self.touched() {
            for domain in config.domains_seen.iter() {
                let state = *touched[usize::from(domain.0)].lock(&mut held).0;
                if state != HwQueue::default() {
                    queues.push((Apqn::new(adapter, domain), state));
                }
            }
        }
        match before {
            Some(before) if before.config == *config && before.queues == queues => before.clone(),
            _ => Part::new(MachineState { config: config.clone(), queues }),
        }
    }

    /// Goes back to a state, at quiescence.
    ///
    /// # Locks
    /// As [`Machine::state`], and `HwConfig` for writing.
    pub fn restore(&self, state: &MachineState, held: &mut Held<'_, Devices>) {
        let seen = self.config.read(held).0.domains_seen | state.config.domains_seen;
        let mut wanted = state.queues.iter().peekable();
        for (adapter, touched) in self.touched() {
            for domain in seen.iter() {
                let apqn = Apqn::new(adapter, domain);
                let queue = match wanted.next_if(|(wanted, _)| *wanted == apqn) {
                    Some((_, queue)) => *queue,
                    None => HwQueue::default(),
                };
                *touched[usize::from(domain.0)].lock(held).0 = queue;
            }
        }
        *self.config.write(held).0 = state.config.clone();
    }
}

/// The machine's state as plain data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MachineState {
    /// What concerns the whole machine.
    pub config: MachineConfig,
    /// The queues that are not as usual, ascending.
    pub queues: Vec<(Apqn, HwQueue)>,
}

impl MachineConfig {
    /// The info word of a queue.
    pub(crate) fn info(&self, apqn: Apqn, bs: u8) -> HardwareInfo {
        let Some(adapter) = self.adapters.get(&apqn.adapter) else { return HardwareInfo::default() };
        let functions = adapter.functions & !ap_types::functions::BIND_STATE | u32::from(bs & 3) << 14;
        HardwareInfo::new(functions, adapter.hwtype, self.qci.nd, adapter.ml, adapter.qd)
    }
}

#[cfg(test)]
mod tests {
    use ap_types::DomainId;

    use super::*;

    /// A fault of a queue in a domain that the machine has not: by the fault alone it counts among those with a state.
    #[test]
    fn a_fault_in_a_domain_that_was_never_seen_goes_and_comes_with_the_state() {
        let machine = Machine::new();
        let apqn = Apqn::new(AdapterId(4), DomainId(6));
        locks::enter(|held| {
            let mut held = held.at();
            let none = machine.state(None, &mut held);
            machine.queue_with(apqn, &mut held, |queue| queue.busy = 3);
            let faulty = machine.state(None, &mut held);
            assert_eq!(faulty.queues, [(apqn, HwQueue { busy: 3, ..HwQueue::default() })]);
            machine.restore(&none, &mut held);
            assert_eq!(*machine.queue(apqn).lock(&mut held).0, HwQueue::default(), "it is as usual");
            machine.restore(&faulty, &mut held);
            assert_eq!(*machine.state(None, &mut held), *faulty, "it is as it was");
        });
    }
}
