//! Everything that is said of what is selected: in a sentence, as facts, why, and what could be done next.

use std::fmt;

use ap_plan::state::Driver;
use ap_types::{AdapterId, Apqn, DomainId, Matrix, Uuid};

use crate::action::Action;
use crate::cell::Whose;
use crate::host::Host;
use crate::selection::Selection;

/// What is said of something that is selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// What it is.
    pub title: String,
    /// Whose it is and why: sentences.
    pub reasons: Vec<String>,
    /// What its attributes say, a name and a value each.
    pub facts: Vec<(&'static str, String)>,
    /// What could be done next.
    pub actions: Vec<Action>,
}

/// Names are hexadecimal, as the kernel's are; what is written to its files is usually decimal.
const IN_WRITES: &str = "in writes";

impl Host {
    /// What is said of what is selected; of the host, if nothing is. `target` is where an assignment would go.
    #[must_use]
    pub fn detail(&self, selection: Option<Selection>, target: Option<Uuid>) -> Detail {
        let (title, reasons, facts) = match selection {
            Some(Selection::Queue(apqn)) => {
                (format!("queue {apqn}"), self.why_queue(apqn), self.queue_facts(apqn))
            }
            Some(Selection::Adapter(id)) => {
                (format!("adapter {id}"), self.why_adapter(id), self.adapter_facts(id))
            }
            Some(Selection::Domain(id)) => {
                (format!("domain {id}"), self.why_domain(id), vec![(IN_WRITES, id.0.to_string())])
            }
            Some(Selection::Mdev(uuid)) => {
                let number = self.number(&uuid).map_or_else(String::new, |number| format!(" {number}"));
                (format!("mdev{number}"), self.why_mdev(uuid), self.mdev_facts(uuid))
            }
            None => (self.name.clone(), self.notes.clone(), self.host_facts()),
        };
        Detail { title, reasons, facts, actions: self.actions(selection, target) }
    }

    fn why_queue(&self, apqn: Apqn) -> Vec<String> {
        let mut reasons = vec![self.whose_in_words(apqn)];
        let whose = self.cell(apqn).whose;
        if matches!(whose, Whose::Host | Whose::Free | Whose::Mdev(_) | Whose::Guest(_)) {
            reasons.push(self.by_what(apqn));
        }
        if self.marks.checkstopped.contains(apqn) {
            reasons.push("The hardware has stopped it (checkstop).".to_owned());
        }
        if self.marks.deconfigured.contains(apqn) {
            reasons.push("The machine has it deconfigured.".to_owned());
        }
        let usable = !self.marks.checkstopped.contains(apqn) && !self.marks.deconfigured.contains(apqn);
        if self.marks.resetting.contains(apqn) {
            let until = if usable { "" } else { ", and does not end before it can be used again" };
            reasons.push(format!("A reset of it runs{until}."));
        }
        if self.marks.offline.contains(apqn) && usable {
            reasons.push("It is offline: somebody wrote 0 to `online` of it or its card.".to_owned());
        }
        reasons
    }

    fn whose_in_words(&self, apqn: Apqn) -> String {
        let Apqn { adapter, domain } = apqn;
        let cell = self.cell(apqn);
        match cell.whose {
            Whose::Host => "The host's own driver has it.".to_owned(),
            Whose::Free => "It is free: vfio_ap has it, and no mdev has it assigned.".to_owned(),
            Whose::Unbound => "No driver has it: it was unbound, or its driver is not loaded.".to_owned(),
            Whose::Absent => {
                match (self.cards.contains_key(&adapter), self.configured.domains.contains(domain)) {
                    (false, _) => format!("There is no such queue: the host has no adapter {adapter}."),
                    (_, false) => format!("There is no such queue: the host has no domain {domain}."),
                    _ => "There is no such queue: this adapter does not answer for this domain.".to_owned(),
                }
            }
            Whose::Wanted(number) => format!("mdev {number} has it assigned, but there is no such queue."),
            Whose::Guest(number) => format!("{} has it through mdev {number}.", self.holder(number)),
            Whose::Mdev(number) => {
                let uuid = self.mdev_of(number);
                let mdev = uuid.and_then(|uuid| self.state.mdevs.get(&uuid));
                let filtered = mdev.filter(|mdev| !mdev.shadow.contains(apqn));
                let why = filtered.map(|mdev| {
                    let all = self.state.why_filtered(mdev);
                    all.iter().find_map(|found| found.explains(apqn).then(|| found.to_string()))
                });
                match (why, mdev.and_then(|mdev| mdev.holder.as_ref())) {
                    (Some(why), holder) => {
                        let who = match holder {
                            Some(_) => format!("{} does not get it", self.holder(number)),
                            None => "a guest would not get it".to_owned(),
                        };
                        let why = why.unwrap_or_else(|| "it is filtered out".to_owned());
                        format!("mdev {number} has it assigned, and {who}: {why}.")
                    }
                    (None, _) => format!("mdev {number} has it assigned; no guest runs on it."),
                }
            }
        }
    }

    /// Who has a mediated device open, as the subject of a sentence.
    fn holder(&self, number: usize) -> String {
        let uuid = self.mdev_of(number);
        let holder = uuid.and_then(|uuid| self.state.mdevs.get(&uuid)?.holder.clone());
        holder.map_or_else(|| "a guest".to_owned(), |holder| holder.to_string())
    }

    /// What made a queue the host's or vfio_ap's: an override, or the masks.
    fn by_what(&self, apqn: Apqn) -> String {
        let Apqn { adapter, domain } = apqn;
        let masks = &self.state.masks;
        if let Some(driver) = self.state.overrides.of(apqn) {
            return format!("Its driver_override names {}.", driver.name());
        }
        let named = if masks.reserve(apqn) { Driver::Host } else { Driver::Vfio };
        if self.state.driver(apqn) != Some(named) {
            return "apmask and aqmask name the other driver: it was bound by hand, or its override was cleared."
                .to_owned();
        }
        match (masks.adapters.contains(adapter), masks.domains.contains(domain)) {
            (true, true) => format!("apmask has adapter {adapter} and aqmask has domain {domain}."),
            (false, true) => format!("apmask does not have adapter {adapter}."),
            (true, false) => format!("aqmask does not have domain {domain}."),
            (false, false) => format!("Neither apmask has adapter {adapter} nor aqmask domain {domain}."),
        }
    }

    fn why_adapter(&self, id: AdapterId) -> Vec<String> {
        let mut reasons = Vec::new();
        if !self.cards.contains_key(&id) {
            reasons.push("The host does not have it.".to_owned());
        }
        reasons.push(match self.state.masks.adapters.contains(id) {
            true => "apmask has it: its queues in the domains of aqmask are the host's.".to_owned(),
            false => "apmask does not have it: none of its queues is reserved for the host.".to_owned(),
        });
        for (number, mdev) in (1..).zip(self.state.mdevs.values()) {
            if mdev.matrix.adapters.contains(id) {
                let why = self.state.why_filtered(mdev);
                let why = why.iter().find(|found| found.adapter() == Some(id));
                reasons.push(match why {
                    Some(why) => format!("mdev {number} has it assigned: {why}."),
                    None => format!("mdev {number} has it assigned."),
                });
            }
        }
        reasons
    }

    fn why_domain(&self, id: DomainId) -> Vec<String> {
        let mut reasons = Vec::new();
        if !self.configured.domains.contains(id) {
            reasons.push("The host does not have it.".to_owned());
        }
        reasons.push(match self.state.masks.domains.contains(id) {
            true => "aqmask has it: its queues of the adapters of apmask are the host's.".to_owned(),
            false => "aqmask does not have it: none of its queues is reserved for the host.".to_owned(),
        });
        for (number, mdev) in (1..).zip(self.state.mdevs.values()) {
            if mdev.matrix.domains.contains(id) {
                reasons.push(format!("mdev {number} has it assigned."));
            }
        }
        reasons
    }

    fn why_mdev(&self, uuid: Uuid) -> Vec<String> {
        let Some(mdev) = self.state.mdevs.get(&uuid) else { return vec!["It is gone.".to_owned()] };
        let mut reasons = vec![match &mdev.holder {
            Some(holder) => {
                format!(
                    "{holder} runs on it, and has {} of {} queues.",
                    mdev.shadow.queue_count(),
                    mdev.matrix.queue_count()
                )
            }
            None => format!(
                "No guest runs on it. One would get {} of {} queues.",
                mdev.shadow.queue_count(),
                mdev.matrix.queue_count()
            ),
        }];
        if !mdev.matrix.has_queues() {
            reasons.push("It has no queues: they are its adapters × its domains.".to_owned());
        }
        let found = self.state.why_filtered(mdev);
        reasons.extend(found.iter().map(|found| format!("{found}.")));
        reasons
    }

    fn queue_facts(&self, apqn: Apqn) -> Vec<(&'static str, String)> {
        let state = &self.state;
        if !state.exists(apqn) {
            return Vec::new();
        }
        let driver = state.driver(apqn).map_or("none", Driver::name);
        let cell = self.cell(apqn);
        let numbers = format!("adapter {}, domain {}", apqn.adapter.0, apqn.domain.0);
        let mut facts = vec![(IN_WRITES, numbers), ("driver", driver.to_owned())];
        let status = match cell.whose {
            Whose::Free => Some("unassigned"),
            Whose::Mdev(_) => Some("assigned"),
            Whose::Guest(_) => Some("in use"),
            _ => None,
        };
        if let Some(status) = status {
            facts.push(("status", status.to_owned()));
        } else if cell.whose == Whose::Host {
            facts.push(("online", digit(!self.marks.offline.contains(apqn))));
        }
        facts.push(("config", digit(!self.marks.deconfigured.contains(apqn))));
        facts.push(("chkstop", digit(self.marks.checkstopped.contains(apqn))));
        if state.kernel.driver_override {
            let named = state.overrides.of(apqn).map_or("none", Driver::name);
            let named = if state.overrides.other.contains(apqn) { "another driver" } else { named };
            facts.push(("driver_override", named.to_owned()));
        }
        facts
    }

    fn adapter_facts(&self, id: AdapterId) -> Vec<(&'static str, String)> {
        let Some(card) = self.cards.get(&id) else { return vec![(IN_WRITES, id.0.to_string())] };
        let bound = &self.state.queues;
        let count = |set: &ap_types::QueueSet| set.row(id).count();
        let mut facts = vec![(IN_WRITES, id.0.to_string())];
        facts.extend(card.kind.clone().map(|kind| ("type", kind)));
        facts.extend(card.mode.clone().map(|mode| ("mode", mode)));
        facts.extend(card.serial.clone().map(|serial| ("serialnr", serial)));
        if !card.state().is_empty() {
            facts.push(("state", card.state().to_owned()));
        }
        facts.push((
            "queues",
            format!(
                "{} the host's, {} vfio_ap's, {} without driver",
                count(&bound.host),
                count(&bound.vfio),
                count(&bound.none)
            ),
        ));
        facts
    }

    fn mdev_facts(&self, uuid: Uuid) -> Vec<(&'static str, String)> {
        let Some(mdev) = self.state.mdevs.get(&uuid) else { return Vec::new() };
        vec![
            ("name", uuid.to_string()),
            ("matrix", product(&mdev.matrix)),
            ("guest_matrix", product(&mdev.shadow)),
            // By its name alone, if it has one: the fact's name says already what it is.
            (
                "guest",
                mdev.holder.as_ref().map_or_else(
                    || "none".to_owned(),
                    |holder| match &holder.guest {
                        Some(guest) => guest.clone(),
                        None => holder.to_string(),
                    },
                ),
            ),
        ]
    }

    fn host_facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        facts.extend(self.kernel.clone().map(|kernel| ("kernel", kernel)));
        facts.push(("adapters", self.cards.len().to_string()));
        facts.push(("domains", self.configured.domains.count().to_string()));
        facts.push(("queues", self.queue_count().to_string()));
        facts.push(("apmask", short(&self.state.masks.adapters.to_string())));
        facts.push(("aqmask", short(&self.state.masks.domains.to_string())));
        facts
    }
}

/// A matrix by the names that rows and columns have: `0a × 0006 0047`.
fn product(matrix: &Matrix) -> String {
    fn names<I: fmt::Display>(ids: impl Iterator<Item = I>) -> String {
        let names: Vec<String> = ids.map(|id| id.to_string()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(" ") }
    }
    format!("{} × {}", names(matrix.adapters.iter()), names(matrix.domains.iter()))
}

fn digit(on: bool) -> String {
    u8::from(on).to_string()
}

/// A mask without the digits at its end that say the same.
fn short(mask: &str) -> String {
    let last = mask.chars().last().unwrap_or('0');
    let kept = mask.trim_end_matches(last);
    let cut = mask.len() - kept.len();
    if cut > 4 { format!("{kept}{last}{last}…") } else { mask.to_owned() }
}
