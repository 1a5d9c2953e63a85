//! The scan: the bus brings its devices in line with the machine. (Specification, page 2, "The scan".)

use std::hash::Hash;
use std::sync::Arc;

use ap_task::order::Scan;
use ap_task::{Action, Flag, Notice, Subject, Task, Work};
use ap_types::{
    AdapterId, AdapterMask, Apqn, DomainId, DomainMask, Features, HardwareInfo, Mode, NEWEST_TYPE,
    OLDEST_TYPE, ResponseCode, Status,
};
use locks::hook::fingerprint;
use locks::{Mutex, Nothing, marked};

use crate::bus::Bus;
use crate::device::{
    Card, CardState, DevState, DeviceName, DeviceRef, Driver, IsDevice, QueueDevice, QueueState, Sm,
};
use crate::queue::Stepping;
use crate::registry::Registry;
use crate::remembered::Remembered;

/// What one scan goes by, taken once at its beginning.
#[derive(Clone, Copy, Hash)]
struct Sweep {
    /// The host configuration is not what it was.
    changed: bool,
    max_adapter: u8,
    max_domain: u8,
    /// The adapters that have a card device.
    cards: AdapterMask,
    /// The adapters that exist for the bus.
    adapters: AdapterMask,
    /// The usage domains that exist for the bus.
    domains: DomainMask,
}

impl Bus {
    /// Runs a scan now, as `scans` and the machine's notice of a change do. Before the first scan has ended it does
    /// nothing.
    ///
    /// # Locks
    /// S, and under it D of each device, P, and what drivers take.
    pub fn force_scan(&self, task: &mut Task<'_, Nothing>) {
        if self.look(task, |registry| registry.scanned()) {
            self.scan_now(task);
        }
    }

    /// The machine was changed, and tells the host, which scans. Between the change and the scan others may go on.
    ///
    /// # Locks
    /// As [`Bus::force_scan`].
    pub fn notice_change(&self, task: &mut Task<'_, Nothing>) {
        Notice::MachineChanged.announce();
        self.force_scan(task);
    }

    /// The first scan, after `ap` was loaded, and each periodic one; a periodic one is skipped while another scan
    /// runs.
    ///
    /// # Locks
    /// As [`Bus::force_scan`].
    pub fn periodic_scan(&self, task: &mut Task<'_, Nothing>) {
        let (present, scanned, config_time) =
            self.look(task, |registry| (registry.present, registry.scanned(), registry.config_time));
        if !present {
            return;
        }
        if !scanned {
            return self.scan_now(task);
        }
        let skipped = match task.try_lock(&self.scan) {
            Some((_scan, mut task)) => {
                self.scan_locked(&mut task);
                false
            }
            None => true,
        };
        if skipped {
            task.due(Work::Scan, u64::from(config_time) * 1000);
        }
    }

    fn scan_now(&self, task: &mut Task<'_, Nothing>) {
        let (_scan, mut task) = task.lock(&self.scan);
        self.scan_locked(&mut task);
    }

    fn scan_locked(&self, task: &mut Task<'_, Scan>) {
        let changed = locks::only(|| self.take_configuration(task));
        locks::only(|| self.choose_default_domain(task));
        let sweep = self.look(task, |registry| {
            let (adapters, domains) = registry.configured();
            let cards = registry.cards.keys().copied().collect();
            let (max_adapter, max_domain) = (registry.max_adapter, registry.max_domain);
            Sweep { changed, max_adapter, max_domain, cards, adapters, domains }
        });
        marked(|mark| {
            for adapter in (sweep.adapters | sweep.cards).iter().filter(|id| id.0 <= sweep.max_adapter) {
                mark.only(|| adapter);
                self.scan_adapter(adapter, &sweep, task);
            }
            mark.only(|| "scanned");
        });
        if changed {
            locks::only(|| self.tell(task, |driver, task| driver.scan_complete(task)));
        }
        let (first, config_time) = locks::only(|| {
            self.configure(task, |registry| {
                registry.scans.0 += 1;
                (registry.scans.0 == 1, registry.config_time)
            })
        });
        if first {
            task.uevent_with(Action::Change, Subject::ApRoot, vec![("INITSCAN".into(), "done".into())]);
        }
        locks::only(|| self.announce_bindings(task));
        task.due(Work::Scan, u64::from(config_time) * 1000);
    }

    /// Tells the registered drivers something, in that order.
    fn tell(&self, task: &mut Task<'_, Scan>, mut tell: impl FnMut(&Driver, &mut Task<'_, Scan>)) {
        let drivers = self.ownership.look(task, |ownership| ownership.drivers.clone());
        drivers.iter().for_each(|driver| tell(driver, task));
    }

    /// QCI; whether anything in it changed. Tells the drivers.
    fn take_configuration(&self, task: &mut Task<'_, Scan>) -> bool {
        // Whether there is QCI was decided when `ap` was loaded (page 6, F03).
        let Some(old) = self.look(task, |registry| registry.config) else { return false };
        let new = self.hw.qci(&mut task.at());
        if new == old {
            return false;
        }
        if !(new.adapters - old.adapters).is_empty() || !(new.domains - old.domains).is_empty() {
            self.ownership.lock(task).0.announced = false;
        }
        locks::only(|| self.configure(task, |registry| registry.config = Some(new)));
        self.tell(task, |driver, task| driver.config_changed(&new, &old, task));
        true
    }

    fn choose_default_domain(&self, task: &mut Task<'_, Scan>) {
        let (chosen, configured) =
            self.look(task, |registry| (registry.default_domain.is_some(), registry.configured()));
        if chosen {
            return;
        }
        let (apm, aqm) = self.ownership.look(task, |ownership| (ownership.adapters, ownership.domains));
        let found = (configured.1 & aqm).iter().find(|domain| {
            (configured.0 & apm).iter().any(|adapter| {
                let (status, _) = self.hw.tapq(Apqn::new(adapter, *domain), &mut task.at());
                status.response_code() == ResponseCode::NORMAL
            })
        });
        if let Some(domain) = found {
            locks::only(|| self.configure(task, |registry| registry.default_domain = Some(domain.0)));
        }
    }

    fn scan_adapter(&self, adapter: AdapterId, sweep: &Sweep, task: &mut Task<'_, Scan>) {
        let card = locks::only_by(
            || self.scan_card(adapter, sweep, task),
            |card| fingerprint(&card.as_ref().map(|card| (card.which(), card.clone()))),
        );
        if let Some(card) = card {
            self.scan_domains(&card, sweep, task);
        }
    }

    /// The card of an adapter as the machine has it now; its queues are still to be looked at.
    fn scan_card(&self, adapter: AdapterId, sweep: &Sweep, task: &mut Task<'_, Scan>) -> Option<Arc<Card>> {
        let configured = sweep.adapters.contains(adapter);
        let speaker = sweep.domains.iter().filter(|_| configured).find_map(|domain| {
            let apqn = Apqn::new(adapter, domain);
            let (status, info) = self.hw.tapq(apqn, &mut task.at());
            status.queue_exists().then_some((apqn, status, info))
        });
        let card = self.card(adapter, task);
        let Some((apqn, status, info)) = speaker.filter(|(_, _, info)| info.adapter_type() != 0) else {
            if let Some(card) = card {
                self.remove_card(&card, task);
            }
            return None;
        };
        let same = |card: &Arc<Card>| {
            card.raw_hwtype == info.adapter_type() && card.functions == info.functions_without_bind_state()
        };
        match card {
            Some(card) if same(&card) => {
                self.update_card(&card, status, task);
                Some(card)
            }
            other => {
                if let Some(card) = other {
                    self.remove_card(&card, task);
                }
                self.make_card(apqn, status, info, task)
            }
        }
    }

    fn update_card(&self, card: &Arc<Card>, status: Status, task: &mut Task<'_, Scan>) {
        let chkstop = status.response_code() == ResponseCode::CHECKSTOPPED;
        let config = status.response_code() != ResponseCode::DECONFIGURED;
        // Mostly nothing has changed: who only looks meets nobody else who does.
        if card.state.look(task, |state| (state.chkstop, state.config) == (chkstop, config)) {
            return;
        }
        let (mut state, task) = task.lock(&card.state);
        state.chkstop = chkstop;
        if std::mem::replace(&mut state.config, config) != config {
            task.uevent_with(Action::Change, card.subject(state.driver()), config_variable(config));
        }
    }

    fn make_card(
        &self,
        apqn: Apqn,
        status: Status,
        info: HardwareInfo,
        task: &mut Task<'_, Scan>,
    ) -> Option<Arc<Card>> {
        let raw = info.adapter_type();
        let hwtype = match raw {
            ..OLDEST_TYPE => return None,
            OLDEST_TYPE..=NEWEST_TYPE => raw,
            _ => {
                let features = self.look(task, |registry| registry.config.map(|config| config.features));
                if !features.is_some_and(|features| features.contains(Features::QACT)) {
                    return None;
                }
                let answer = self.hw.qact(apqn, &mut task.at())?;
                (OLDEST_TYPE..=NEWEST_TYPE).contains(&answer).then_some(answer)?
            }
        };
        let made = self.tickets.draw();
        let make = |registry: &mut Registry| {
            let name = DeviceName::Card(apqn.adapter);
            let generation = registry.next_generation(name);
            let key = name.key(generation);
            let state = CardState {
                binding: None,
                config: status.response_code() != ResponseCode::DECONFIGURED,
                chkstop: status.response_code() == ResponseCode::CHECKSTOPPED,
                online: true,
                told: None,
            };
            let card = Arc::new(Card {
                id: apqn.adapter,
                generation,
                made,
                hwtype,
                raw_hwtype: raw,
                functions: info.functions_without_bind_state(),
                depth: self.depth(info),
                max_message: info.max_message_bytes(),
                mode: info.mode(),
                device: Mutex::new(key, true),
                state: Mutex::new(key, state),
            });
            registry.add(DeviceRef::Card(card.clone()));
            (card, registry.autoprobe)
        };
        let (card, autoprobe) = locks::only_by(|| self.configure(task, make), made_by);
        task.uevent(Action::Add, card.subject(None));
        if autoprobe {
            self.offer(&DeviceRef::Card(card.clone()), task);
        }
        Some(card)
    }

    /// Lets all drivers try a device that was made; nothing that comes later in the scan depends on what they answer.
    fn offer(&self, device: &DeviceRef, task: &mut Task<'_, Scan>) {
        locks::only(|| {
            let _refused = self.bind_device(device, None, task);
        });
    }

    /// The depth of a card's queues as this kernel takes it from the machine's word. (Page 7.)
    fn depth(&self, info: HardwareInfo) -> u8 {
        let depth = if self.kernel.has(Flag::DeepQueues) { info.deep_depth() } else { info.depth() };
        if self.kernel.has(Flag::RawDepth) { depth - 1 } else { depth }
    }

    fn scan_domains(&self, card: &Arc<Card>, sweep: &Sweep, task: &mut Task<'_, Scan>) {
        let devices = self.queues_of(card.id, task);
        let mut devices = devices.iter().peekable();
        marked(|mark| {
            for domain in (0..=sweep.max_domain).map(DomainId) {
                let device = devices.next_if(|queue| queue.apqn.domain == domain);
                if device.is_none() && !sweep.domains.contains(domain) {
                    continue;
                }
                mark.only(|| domain);
                let apqn = Apqn::new(card.id, domain);
                let found = sweep
                    .domains
                    .contains(domain)
                    .then(|| self.hw.tapq(apqn, &mut task.at()))
                    .filter(|(status, _)| status.queue_exists());
                match (device, found) {
                    (Some(queue), None) => self.remove_queue_device(queue, task),
                    (Some(queue), Some(found)) => self.update_queue(queue, found, task),
                    (None, Some(found)) => self.make_queue(card, apqn, found, task),
                    (None, None) => {}
                }
            }
        });
    }

    fn make_queue(
        &self,
        card: &Arc<Card>,
        apqn: Apqn,
        (status, info): (Status, HardwareInfo),
        task: &mut Task<'_, Scan>,
    ) {
        let made = self.tickets.draw();
        let config = status.response_code() != ResponseCode::DECONFIGURED;
        let chkstop = status.response_code() == ResponseCode::CHECKSTOPPED;
        let make = |registry: &mut Registry| {
            let name = DeviceName::Queue(apqn);
            let generation = registry.next_generation(name);
            let key = name.key(generation);
            let state = QueueState {
                binding: None,
                config,
                chkstop,
                state: DevState::Uninitiated,
                sm: Sm::ResetStart,
                online: false,
                told: None,
                secure: Remembered::new(info.bind_state()),
            };
            let queue = Arc::new_cyclic(|this| QueueDevice {
                this: this.clone(),
                apqn,
                generation,
                card: card.clone(),
                made,
                secure_execution: registry.secure_execution && has_bind_state(card.mode),
                interrupts: registry.interrupts,
                overridable: self.has_overrides(),
                device: Mutex::new(key, true),
                state: Mutex::new(key, state),
            });
            registry.add(DeviceRef::Queue(queue.clone()));
            (queue, registry.autoprobe)
        };
        let (queue, autoprobe) = locks::only_by(|| self.configure(task, make), made_by);
        task.uevent(Action::Add, queue.subject(None));
        if autoprobe {
            self.offer(&DeviceRef::Queue(queue.clone()), task);
        }
        if config && !chkstop {
            self.start_queue(&queue, task);
        }
    }

    /// Initialises a queue for use by the bus: operating, and a reset is started unless the queue is lent, in which
    /// case the RAPQ is left out (`DEV-004`).
    fn start_queue(&self, queue: &QueueDevice, task: &mut Task<'_, Scan>) {
        self.with_steady(queue, task, |state, now, task| {
            Stepping { hw: &*self.hw, queue, state, now }.init(task);
        });
    }

    /// Takes over what changed about a queue: one thing, the first that applies.
    fn update_queue(
        &self,
        queue: &Arc<QueueDevice>,
        (status, info): (Status, HardwareInfo),
        task: &mut Task<'_, Scan>,
    ) {
        let chkstop = status.response_code() == ResponseCode::CHECKSTOPPED;
        let config = status.response_code() != ResponseCode::DECONFIGURED;
        // Mostly nothing has changed: who only looks meets nobody else who does.
        let as_known = |state: &QueueState| {
            state.secure.seen == info.bind_state()
                && (state.chkstop, state.config) == (chkstop, config)
                && !(config && state.state == DevState::Error)
        };
        if queue.state.look(task, as_known) {
            return;
        }
        let mut start = false;
        {
            let (mut state, task) = task.lock(&queue.state);
            let initiated = state.state != DevState::Uninitiated;
            state.secure.seen = info.bind_state();
            if chkstop && !state.chkstop {
                state.chkstop = true;
                if initiated {
                    state.state = DevState::Error;
                }
            } else if !chkstop && state.chkstop {
                state.chkstop = false;
                start = initiated;
            } else if !config && state.config {
                state.config = false;
                if initiated {
                    state.state = DevState::Error;
                }
                task.uevent_with(Action::Change, queue.subject(state.driver()), config_variable(false));
            } else if config && !state.config {
                state.config = true;
                start = initiated;
                task.uevent_with(Action::Change, queue.subject(state.driver()), config_variable(true));
            } else if config && state.state == DevState::Error {
                start = !chkstop;
                if chkstop {
                    // It goes on as far as it can: no RAPQ goes to a queue that is checkstopped (page 6, F06).
                    state.state = DevState::Operating;
                    state.sm = Sm::ResetStart;
                }
            }
        }
        if start {
            self.start_queue(queue, task);
        }
    }

    /// Has the machine configure or deconfigure a card's adapter, as the card's `config` attribute does; `false` if the
    /// device is gone.
    ///
    /// # Locks
    /// S, so that no scan that has looked at the adapter before takes over the old configuration afterwards
    /// (`DEV-013`); D and A of the card.
    #[must_use]
    pub fn configure_card(&self, card: &Arc<Card>, on: bool, task: &mut Task<'_, Nothing>) -> bool {
        // Lock order: S -> D -> A
        let (_scan, mut task) = task.lock(&self.scan);
        let (alive, mut task) = task.lock(&card.device);
        if !*alive {
            return false;
        }
        let (mut state, mut task) = task.lock(&card.state);
        if std::mem::replace(&mut state.config, on) != on {
            self.hw.configure(card.id, on, &mut task);
        }
        task.uevent_with(Action::Change, card.subject(state.driver()), config_variable(on));
        true
    }

    /// Removes a card device with its queue devices, in the order in which they were made.
    pub(crate) fn remove_card(&self, card: &Arc<Card>, task: &mut Task<'_, Scan>) {
        let mut queues = self.queues_of(card.id, task);
        queues.sort_by_key(|queue| queue.made);
        marked(|mark| {
            for (index, queue) in queues.iter().enumerate() {
                mark.only(|| index);
                self.remove_queue_device(queue, task);
            }
            mark.only(|| "queues");
        });
        {
            let (mut alive, mut task) = task.lock(&card.device);
            *alive = false;
            self.detach_card(card, &mut task);
        }
        let (mut registry, task) = task.write(&self.registry);
        registry.forget(&DeviceRef::Card(card.clone()));
        task.uevent(Action::Remove, card.subject(None));
    }

    fn remove_queue_device(&self, queue: &Arc<QueueDevice>, task: &mut Task<'_, Scan>) {
        {
            let (mut alive, mut task) = task.lock(&queue.device);
            *alive = false;
            self.take_queue(queue, &mut task);
        }
        // Its override goes in one step with it, so that whoever finds the device listed may write one (DEV-020).
        let (ownership, mut task) = task.lock_opt(queue.overridable.then_some(&self.ownership));
        let (mut registry, task) = task.write(&self.registry);
        if let Some(mut ownership) = ownership {
            ownership.overrides.forget(queue.apqn);
        }
        registry.forget(&DeviceRef::Queue(queue.clone()));
        task.uevent(Action::Remove, queue.subject(None));
    }
}

/// What counts of a device that was made: which it is, all of it that never changes, and whether it is offered.
fn made_by<D>((device, autoprobe): &(Arc<D>, bool)) -> u64
where
    Arc<D>: IsDevice + Hash,
{
    fingerprint(&(device.which(), device, autoprobe))
}

fn config_variable(on: bool) -> Vec<(String, String)> {
    vec![("CONFIG".into(), u8::from(on).to_string())]
}

/// Whether queues of that mode are bound and unbound under Secure Execution. (Page 2: CCA queues are not.)
fn has_bind_state(mode: Mode) -> bool {
    matches!(mode, Mode::Ep11 | Mode::Accelerator)
}
