//! A host as far as it is shown: what plans know of it, and what people want to see besides.

use std::collections::BTreeMap;

use ap_plan::{State, Store, Why, why};
use ap_types::{AdapterId, AdapterMask, Apqn, DomainMask, Matrix, QueueSet, Uuid};

/// A host as far as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The machine's name, or how the host was named.
    pub name: String,
    /// The kernel's version, where the host tells it.
    pub kernel: Option<String>,
    /// What plans know of it: bindings, masks, mediated devices, guests.
    pub state: State,
    /// What the machine gives the host: known by its devices where it does not tell.
    pub configured: Matrix,
    /// The cards.
    pub cards: BTreeMap<AdapterId, CardFacts>,
    /// The queues that are not as usual.
    pub marks: Marks,
    /// What to beware of, a sentence each.
    pub notes: Vec<String>,
}

/// What a card says of itself; what it does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardFacts {
    /// `CEX8P`.
    pub kind: Option<String>,
    /// `accel`, `cca`, `ep11`.
    pub mode: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Whether the host may use it.
    pub online: Option<bool>,
    /// Whether it is configured.
    pub config: Option<bool>,
    /// Whether it is checkstopped.
    pub checkstopped: Option<bool>,
}

/// The queues that are not as usual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The host may not use them.
    pub offline: QueueSet,
    /// They are deconfigured.
    pub deconfigured: QueueSet,
    /// They are checkstopped.
    pub checkstopped: QueueSet,
    /// A reset runs.
    pub resetting: QueueSet,
}

impl CardFacts {
    /// In a word: `online`, `offline`, `deconfigured`, `checkstopped`; empty if it does not say.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match (self.config, self.checkstopped, self.online) {
            (Some(false), _, _) => "deconfigured",
            (_, Some(true), _) => "checkstopped",
            (_, _, Some(true)) => "online",
            (_, _, Some(false)) => "offline",
            (_, _, None) => "",
        }
    }
}

impl Marks {
    /// Nothing is known of a queue any more.
    pub fn forget(&mut self, apqn: Apqn) {
        for set in [&mut self.offline, &mut self.deconfigured, &mut self.checkstopped, &mut self.resetting] {
            set.remove(apqn);
        }
    }
}

impl Host {
    /// The adapters that have a row: what there is, and what mediated devices want.
    #[must_use]
    pub fn adapters(&self) -> AdapterMask {
        let cards: AdapterMask = self.cards.keys().copied().collect();
        self.state.mdevs.values().fold(cards, |all, mdev| all | mdev.matrix.adapters)
    }

    /// The domains that have a column: what there is, and what mediated devices want.
    #[must_use]
    pub fn domains(&self) -> DomainMask {
        self.state.mdevs.values().fold(self.configured.domains, |all, mdev| all | mdev.matrix.domains)
    }

    /// The number of a mediated device, from 1, by which cells name it; they are numbered as they are listed.
    #[must_use]
    pub fn number(&self, mdev: &Uuid) -> Option<usize> {
        self.state.mdevs.keys().position(|uuid| uuid == mdev).map(|place| place + 1)
    }

    /// The mediated device of that number.
    #[must_use]
    pub fn mdev_of(&self, number: usize) -> Option<Uuid> {
        self.state.mdevs.keys().nth(number.checked_sub(1)?).copied()
    }

    /// A text in which mediated devices are named by their numbers, as cells name them.
    pub(crate) fn by_numbers(&self, text: String) -> String {
        let numbered = (1_usize..).zip(self.state.mdevs.keys());
        numbered.fold(text, |text, (number, uuid)| text.replace(&uuid.to_string(), &number.to_string()))
    }

    /// Why a write is refused now, in one line; `None` if it is not, or no rule is known. It asks the rules of what is shown,
    /// and reads nothing.
    #[must_use]
    pub fn why(&self, store: &Store) -> Option<String> {
        match why(&self.state, store) {
            Why::Refused(because) | Why::Waits(because) => Some(self.by_numbers(because.reason)),
            Why::Allowed | Why::Unknown => None,
        }
    }

    /// What `apmatrix why` says of a write: what is in the way, whose the queues are, the rule, the smallest change. Lines
    /// that begin with `echo` are whole commands; others name mediated devices by their numbers.
    #[must_use]
    pub fn explained(&self, store: &Store) -> Vec<String> {
        let write = format!("echo {} > /sys/{}", store.text.trim_end(), store.path);
        let because = match why(&self.state, store) {
            Why::Allowed => return vec![format!("goes through now: {write}")],
            Why::Unknown => return vec![format!("no rule is known about this file: {write}")],
            Why::Refused(because) | Why::Waits(because) => because,
        };
        let mut lines = vec![write, format!("why: {}", because.reason)];
        lines.extend(because.queues.iter().map(|whose| format!("queue {}: {whose}", whose.queue)));
        if because.more > 0 {
            lines.push(format!("and {} queues more", because.more));
        }
        lines.push(format!("rule: {}", because.rule.text()));
        lines.push(format!("change: {}", because.change.text));
        let writes = because.change.stores.iter();
        lines.extend(writes.map(|store| format!("echo {} > /sys/{}", store.text.trim_end(), store.path)));
        let named = |line: String| if line.starts_with("echo ") { line } else { self.by_numbers(line) };
        lines.into_iter().map(named).collect()
    }

    /// A text in which mediated devices that are there are called by their UUIDs in short.
    #[must_use]
    pub fn shortened(&self, text: &str) -> String {
        let mut short = text.to_owned();
        for word in text.split(|c: char| !c.is_ascii_hexdigit() && c != '-').filter(|word| word.len() == 36) {
            if let Ok(uuid) = ap_types::grammar::uuid(word.as_bytes()) {
                short = short.replace(word, &self.short(&uuid));
            }
        }
        short
    }

    /// An mdev's UUID in short: its beginning, and as much of its end as tells it from the others that begin so.
    #[must_use]
    pub fn short(&self, uuid: &Uuid) -> String {
        const BEGINNING: usize = 8;
        let name = uuid.to_string();
        let others: Vec<String> =
            self.state.mdevs.keys().filter(|known| *known != uuid).map(Uuid::to_string).collect();
        let alike: Vec<&str> = others
            .iter()
            .filter(|other| other[..BEGINNING] == name[..BEGINNING])
            .map(String::as_str)
            .collect();
        if alike.is_empty() {
            return format!("{}…", &name[..BEGINNING]);
        }
        let mut ends = (4..=12).map(|length| &name[name.len() - length..]);
        let end = ends.find(|end| !alike.iter().any(|other| other.ends_with(end)));
        end.map_or_else(|| name.clone(), |end| format!("{}…{end}", &name[..BEGINNING]))
    }

    /// How many queue devices there are.
    #[must_use]
    pub fn queue_count(&self) -> usize {
        let bound = &self.state.queues;
        bound.host.len() + bound.vfio.len() + bound.none.len()
    }
}
