//! The scan: the bus brings its devices in line with the machine. (Specification, page 2, "The scan".)

use std::sync::Arc;

use ap_types::{
    AdapterId, AdapterMask, Apqn, DomainId, DomainMask, Features, HardwareInfo, Mode, NEWEST_TYPE,
    OLDEST_TYPE, ResponseCode, Status,
};
use locks::hook::{fingerprint, milestone};
use locks::{Held, Mutex, Nothing};

use crate::Host;
use crate::device::{Card, CardState, DevState, QueueDevice, QueueState, Sm, Stamp, card_key, queue_key};
use crate::event::{Action, Sink, Subject, Work};
use crate::order::{Devices, Queue, Scan};
use crate::registry::DeviceRef;

impl Host {
    /// Runs a scan now, as `scans` and the machine's notice of a change do. Before the first scan has ended it does
    /// nothing.
    ///
    /// # Locks
    /// S, and under it D of each device, P, and what drivers and callbacks take.
    pub fn force_scan(&self, held: &mut Held<'_, Nothing>, out: &dyn Sink) {
        if self.registry.read(held).0.scans > 0 {
            self.scan(held, out);
        }
    }

    /// The first scan, after `ap` was loaded, and each periodic one; a periodic one is skipped while another scan
    /// runs.
    ///
    /// # Locks
    /// As [`Host::force_scan`].
    pub fn periodic_scan(&self, held: &mut Held<'_, Nothing>, out: &dyn Sink) {
        if !self.core.read(held).0.loaded.ap {
            return;
        }
        let (scans, config_time) = {
            let (registry, _held) = self.registry.read(held);
            (registry.scans, registry.config_time)
        };
        if scans == 0 {
            return self.scan(held, out);
        }
        match self.scan.try_lock(held) {
            Some((_scan, mut held)) => self.scan_locked(&mut held, out),
            None => out.due(Work::Scan, u64::from(config_time) * 1000),
        }
    }

    fn scan(&self, held: &mut Held<'_, Nothing>, out: &dyn Sink) {
        let (_scan, mut held) = self.scan.lock(held);
        self.scan_locked(&mut held, out);
    }

    fn scan_locked(&self, held: &mut Held<'_, Scan>, out: &dyn Sink) {
        let changed = self.take_configuration(held, out);
        self.choose_default_domain(held);
        let (max_adapter, cards) = {
            let (registry, _held) = self.registry.read(held);
            let cards: AdapterMask = registry.cards.keys().map(|id| AdapterId(*id)).collect();
            (registry.max_adapter, cards)
        };
        let (configured, domains) = self.registry.read(held).0.configured();
        let locals = || fingerprint(&(changed, max_adapter, cards, configured, domains));
        for adapter in (configured | cards).iter().filter(|id| id.0 <= max_adapter) {
            milestone(|| fingerprint(&(adapter, locals())));
            self.scan_adapter(adapter, configured.contains(adapter), &domains, &locals, held, out);
        }
        milestone(|| fingerprint(&("scanned", changed)));
        if changed {
            self.vfio_on_scan_complete(held, out);
        }
        let (first, config_time) = {
            let (mut registry, _held) = self.registry.write(held);
            registry.scans += 1;
            (registry.scans == 1, registry.config_time)
        };
        milestone(|| fingerprint(&("counted", first, config_time)));
        if first {
            out.uevent_with(Action::Change, Subject::ApRoot, vec![("INITSCAN".into(), "done".into())]);
        }
        self.announce_bindings(held, out);
        out.due(Work::Scan, u64::from(config_time) * 1000);
    }

    /// QCI; whether anything in it changed. Tells the drivers.
    fn take_configuration(&self, held: &mut Held<'_, Scan>, out: &dyn Sink) -> bool {
        let qci = {
            let mut held = held.at::<Queue>();
            self.hw.facilities(&mut held).qci.then(|| self.hw.qci(&mut held))
        };
        let old = self.registry.read(held).0.config;
        let (Some(new), Some(old)) = (qci, old) else { return false };
        if new == old {
            return false;
        }
        if new.features.is_empty() {
            // Without flags no configuration ever "changes" (page 1): the bus finds queues with TAPQ alone.
            self.registry.write(held).0.config = Some(new);
            return false;
        }
        if !(new.adapters - old.adapters).is_empty() || !(new.domains - old.domains).is_empty() {
            self.perms.lock(held).0.announced = false;
        }
        self.registry.write(held).0.config = Some(new);
        self.vfio_on_config_changed(&new, &old, held, out);
        true
    }

    fn choose_default_domain(&self, held: &mut Held<'_, Scan>) {
        let (chosen, configured) = {
            let (registry, _held) = self.registry.read(held);
            (registry.default_domain.is_some(), registry.configured())
        };
        if chosen {
            return;
        }
        let (apm, aqm) = {
            let (perms, _held) = self.perms.lock(held);
            (perms.adapters, perms.domains)
        };
        let found = (configured.1 & aqm).iter().find(|domain| {
            (configured.0 & apm).iter().any(|adapter| {
                let (status, _) = self.hw.tapq(Apqn::new(adapter, *domain), &mut held.at());
                status.response_code() == ResponseCode::NORMAL
            })
        });
        if let Some(domain) = found {
            self.registry.write(held).0.default_domain = Some(domain.0);
        }
    }

    fn scan_adapter(
        &self,
        adapter: AdapterId,
        configured: bool,
        domains: &DomainMask,
        locals: &dyn Fn() -> u64,
        held: &mut Held<'_, Scan>,
        out: &dyn Sink,
    ) {
        let speaker = domains.iter().filter(|_| configured).find_map(|domain| {
            let apqn = Apqn::new(adapter, domain);
            let (status, info) = self.hw.tapq(apqn, &mut held.at());
            status.queue_exists().then_some((apqn, status, info))
        });
        let card = self.card(adapter, held);
        let Some((apqn, status, info)) = speaker.filter(|(_, _, info)| info.adapter_type() != 0) else {
            if let Some(card) = card {
                self.remove_card(&card, held, out);
            }
            return;
        };
        let same = |card: &Arc<Card>| {
            card.raw_hwtype == info.adapter_type() && card.functions == info.functions_without_bind_state()
        };
        let card = match card {
            Some(card) if same(&card) => {
                self.update_card(&card, status, held, out);
                card
            }
            other => {
                if let Some(card) = other {
                    self.remove_card(&card, held, out);
                }
                let Some(card) = self.make_card(apqn, status, info, held, out) else { return };
                card
            }
        };
        self.scan_domains(&card, domains, locals, held, out);
    }

    fn update_card(&self, card: &Arc<Card>, status: Status, held: &mut Held<'_, Scan>, out: &dyn Sink) {
        let (mut state, _held) = card.state.lock(held);
        state.chkstop = status.response_code() == ResponseCode::CHECKSTOPPED;
        let config = status.response_code() != ResponseCode::DECONFIGURED;
        if std::mem::replace(&mut state.config, config) != config {
            out.uevent_with(Action::Change, card.subject(state.driver), config_variable(config));
        }
    }

    fn make_card(
        &self,
        apqn: Apqn,
        status: Status,
        info: HardwareInfo,
        held: &mut Held<'_, Scan>,
        out: &dyn Sink,
    ) -> Option<Arc<Card>> {
        let raw = info.adapter_type();
        let hwtype = match raw {
            ..OLDEST_TYPE => return None,
            OLDEST_TYPE..=NEWEST_TYPE => raw,
            _ => {
                let features = self.registry.read(held).0.config.map(|config| config.features);
                if !features.is_some_and(|features| features.contains(Features::QACT)) {
                    return None;
                }
                let answer = self.hw.qact(apqn, &mut held.at(), out)?;
                (OLDEST_TYPE..=NEWEST_TYPE).contains(&answer).then_some(answer)?
            }
        };
        let made = self.tickets.draw();
        let (card, autoprobe) = {
            let (mut registry, _held) = self.registry.write(held);
            let generation = registry.next_generation(card_key(apqn.adapter, 0).id);
            let key = card_key(apqn.adapter, generation);
            let card = Arc::new(Card {
                id: apqn.adapter,
                generation,
                made,
                hwtype,
                raw_hwtype: raw,
                functions: info.functions_without_bind_state(),
                depth: info.depth(),
                max_message: info.max_message_bytes(),
                mode: info.mode(),
                device: Mutex::new(key, true),
                state: Mutex::new(
                    key,
                    CardState {
                        driver: None,
                        bound_at: Stamp(0),
                        config: status.response_code() != ResponseCode::DECONFIGURED,
                        chkstop: status.response_code() == ResponseCode::CHECKSTOPPED,
                        online: true,
                    },
                ),
            });
            registry.cards.insert(apqn.adapter.0, card.clone());
            registry.order.insert(made, DeviceRef::Card(card.clone()));
            (card, registry.autoprobe)
        };
        out.uevent(Action::Add, card.subject(None));
        if autoprobe {
            let (alive, mut held) = card.device.lock(held);
            if *alive && card.state.lock(&mut held).0.driver.is_none() {
                self.attach_card(&card, &mut held, out);
            }
        }
        Some(card)
    }

    fn scan_domains(
        &self,
        card: &Arc<Card>,
        domains: &DomainMask,
        locals: &dyn Fn() -> u64,
        held: &mut Held<'_, Scan>,
        out: &dyn Sink,
    ) {
        let devices: Vec<Arc<QueueDevice>> = self.registry.read(held).0.queues_of(card.id).cloned().collect();
        let list = || devices.iter().map(|queue| (queue.apqn, queue.generation)).collect::<Vec<_>>();
        let mut devices = devices.iter().peekable();
        let max_domain = self.registry.read(held).0.max_domain;
        for domain in (0..=max_domain).map(DomainId) {
            let device = devices.next_if(|queue| queue.apqn.domain == domain);
            if device.is_some() || domains.contains(domain) {
                milestone(|| fingerprint(&(locals(), card.id, card.generation, domain, max_domain, list())));
            }
            let apqn = Apqn::new(card.id, domain);
            let found = domains
                .contains(domain)
                .then(|| self.hw.tapq(apqn, &mut held.at()))
                .filter(|(status, _)| status.queue_exists());
            match (device, found) {
                (Some(queue), None) => self.remove_queue_device(queue, held, out),
                (Some(queue), Some((status, _))) => self.update_queue(queue, status, held, out),
                (None, Some((status, _))) => self.make_queue(card, apqn, status, held, out),
                (None, None) => {}
            }
        }
    }

    fn make_queue(
        &self,
        card: &Arc<Card>,
        apqn: Apqn,
        status: Status,
        held: &mut Held<'_, Scan>,
        out: &dyn Sink,
    ) {
        let made = self.tickets.draw();
        let config = status.response_code() != ResponseCode::DECONFIGURED;
        let chkstop = status.response_code() == ResponseCode::CHECKSTOPPED;
        let (queue, autoprobe) = {
            let (mut registry, _held) = self.registry.write(held);
            let generation = registry.next_generation(queue_key(apqn, 0).id);
            let key = queue_key(apqn, generation);
            let queue = Arc::new(QueueDevice {
                apqn,
                generation,
                card: card.clone(),
                made,
                secure_execution: registry.secure_execution && has_bind_state(card.mode),
                device: Mutex::new(key, true),
                state: Mutex::new(
                    key,
                    QueueState {
                        driver: None,
                        bound_at: Stamp(0),
                        config,
                        chkstop,
                        state: DevState::Uninitiated,
                        sm: Sm::ResetStart,
                        online: false,
                    },
                ),
            });
            registry.queues.insert(apqn.to_u16(), queue.clone());
            registry.order.insert(made, DeviceRef::Queue(queue.clone()));
            (queue, registry.autoprobe)
        };
        out.uevent(Action::Add, queue.subject(None));
        if autoprobe {
            // Lock order: D -> P
            let (alive, mut held) = queue.device.lock(held);
            let (mut perms, mut held) = self.perms.lock(&mut held);
            if *alive && queue.state.lock(&mut held).0.driver.is_none() {
                self.attach_queue(&queue, &mut perms, &mut held, out);
            }
        }
        if config && !chkstop {
            self.start_queue(&queue, held, out);
        }
    }

    /// Takes over what changed about a queue: one thing, the first that applies.
    fn update_queue(
        &self,
        queue: &Arc<QueueDevice>,
        status: Status,
        held: &mut Held<'_, Scan>,
        out: &dyn Sink,
    ) {
        let chkstop = status.response_code() == ResponseCode::CHECKSTOPPED;
        let config = status.response_code() != ResponseCode::DECONFIGURED;
        let mut start = false;
        {
            let (mut state, _held) = queue.state.lock(held);
            let initiated = state.state != DevState::Uninitiated;
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
                out.uevent_with(Action::Change, queue.subject(state.driver), config_variable(false));
            } else if config && !state.config {
                state.config = true;
                start = initiated;
                out.uevent_with(Action::Change, queue.subject(state.driver), config_variable(true));
            } else if config && !chkstop && state.state == DevState::Error {
                start = true;
            }
        }
        if start {
            self.start_queue(queue, held, out);
        }
    }

    /// Has the machine configure or deconfigure a card's adapter, as the card's `config` attribute does; `false` if the
    /// device is gone.
    ///
    /// # Locks
    /// S, so that no scan that has looked at the adapter before takes over the old configuration afterwards
    /// (`DEV-013`); D and A of the card.
    #[must_use]
    pub fn configure_card(
        &self,
        card: &Arc<Card>,
        on: bool,
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> bool {
        // Lock order: S -> D -> A
        let (_scan, mut held) = self.scan.lock(held);
        let (alive, mut held) = card.device.lock(&mut held);
        if !*alive {
            return false;
        }
        let (mut state, mut held) = card.state.lock(&mut held);
        if std::mem::replace(&mut state.config, on) != on {
            self.hw.configure(card.id, on, &mut held, out);
        }
        out.uevent_with(Action::Change, card.subject(state.driver), config_variable(on));
        true
    }

    /// Removes a card device with its queue devices, in the order in which they were made.
    pub(crate) fn remove_card(&self, card: &Arc<Card>, held: &mut Held<'_, Scan>, out: &dyn Sink) {
        let mut queues: Vec<Arc<QueueDevice>> =
            self.registry.read(held).0.queues_of(card.id).cloned().collect();
        queues.sort_by_key(|queue| queue.made);
        for queue in queues {
            self.remove_queue_device(&queue, held, out);
        }
        {
            let (mut alive, mut held) = card.device.lock(held);
            *alive = false;
            self.detach_card(card, &mut held, out);
        }
        let (mut registry, _held) = self.registry.write(held);
        registry.cards.remove(&card.id.0);
        registry.order.remove(&card.made);
        out.uevent(Action::Remove, card.subject(None));
    }

    fn remove_queue_device(&self, queue: &Arc<QueueDevice>, held: &mut Held<'_, Scan>, out: &dyn Sink) {
        {
            let (mut alive, mut held) = queue.device.lock(held);
            *alive = false;
            self.detach_queue(queue, &mut held.at(), out);
        }
        let (mut registry, _held) = self.registry.write(held);
        registry.queues.remove(&queue.apqn.to_u16());
        registry.order.remove(&queue.made);
        out.uevent(Action::Remove, queue.subject(None));
    }

    /// Announces "bindings complete" if it is due.
    pub(crate) fn announce_bindings<H>(&self, held: &mut Held<'_, H>, out: &dyn Sink)
    where
        crate::order::Perms: locks::After<H>,
    {
        let (mut perms, mut held) = self.perms.lock(held);
        if perms.announced || self.registry.read(&mut held).0.scans == 0 {
            return;
        }
        let queues = self.queues_in_order(&mut held);
        if !queues.iter().all(|queue| queue.state.lock(&mut held).0.driver.is_some()) {
            return;
        }
        perms.announced = true;
        let count = {
            let (mut registry, _held) = self.registry.write(&mut held);
            registry.complete_count += 1;
            registry.complete_count
        };
        let variables =
            vec![("BINDINGS".into(), "complete".into()), ("COMPLETECOUNT".into(), count.to_string())];
        out.uevent_with(Action::Change, Subject::ApRoot, variables);
    }

    /// How many queue devices are bound, and how many there are; and whether the first scan is over.
    ///
    /// # Locks
    /// A of each queue, one at a time.
    pub fn bindings<H>(&self, held: &mut Held<'_, H>) -> (usize, usize, bool)
    where
        Devices: locks::After<H>,
    {
        let queues = self.queues_in_order(held);
        let scanned = self.registry.read(held).0.scans > 0;
        let bound =
            queues.iter().filter(|queue| queue.state.lock(&mut held.at::<Devices>()).0.driver.is_some());
        (bound.count(), queues.len(), scanned)
    }
}

fn config_variable(on: bool) -> Vec<(String, String)> {
    vec![("CONFIG".into(), u8::from(on).to_string())]
}

/// Whether queues of that mode are bound and unbound in a Secure Execution guest. (Page 2: CCA queues are not.)
fn has_bind_state(mode: Mode) -> bool {
    matches!(mode, Mode::Ep11 | Mode::Accelerator)
}
