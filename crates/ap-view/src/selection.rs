//! What can be selected: naming it, reading its name, finding it.

use std::fmt;

use ap_types::{AdapterId, Apqn, DomainId, Uuid, grammar};

use crate::cell::{Mark, Whose};
use crate::host::Host;

/// What is selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Selection {
    /// A queue: `04.0047`.
    Queue(Apqn),
    /// An adapter: `04`.
    Adapter(AdapterId),
    /// A domain: `.0047`.
    Domain(DomainId),
    /// A mediated device, by its name.
    Mdev(Uuid),
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selection::Queue(apqn) => apqn.fmt(f),
            Selection::Adapter(id) => id.fmt(f),
            Selection::Domain(id) => write!(f, ".{id}"),
            Selection::Mdev(uuid) => uuid.fmt(f),
        }
    }
}

impl Selection {
    /// What a name names: `04`, `card04`, `.0047`, `04.0047`, or a mediated device's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Selection> {
        let text = text.trim();
        let hex = |digits: &str, most: usize| {
            let fits = (1..=most).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
            u16::from_str_radix(digits, 16).ok().filter(|_| fits).and_then(|id| u8::try_from(id).ok())
        };
        if text.len() == 36 {
            return grammar::uuid(text.as_bytes()).ok().map(Selection::Mdev);
        }
        let text = text.strip_prefix("card").unwrap_or(text);
        match text.split_once('.') {
            Some(("", domain)) => hex(domain, 4).map(|id| Selection::Domain(DomainId(id))),
            Some((adapter, domain)) => {
                let (adapter, domain) = (hex(adapter, 2)?, hex(domain, 4)?);
                Some(Selection::Queue(Apqn::new(AdapterId(adapter), DomainId(domain))))
            }
            None => hex(text, 2).map(|id| Selection::Adapter(AdapterId(id))),
        }
    }

    /// Whether a queue is part of it.
    #[must_use]
    pub fn covers(&self, host: &Host, apqn: Apqn) -> bool {
        match self {
            Selection::Queue(selected) => *selected == apqn,
            Selection::Adapter(id) => *id == apqn.adapter,
            Selection::Domain(id) => *id == apqn.domain,
            Selection::Mdev(uuid) => {
                host.state.mdevs.get(uuid).is_some_and(|mdev| mdev.matrix.contains(apqn))
            }
        }
    }
}

impl Host {
    /// What a text finds: a name, the beginning of a mediated device's, a guest, an owner (`free`), a mark
    /// (`offline`). The next after `from`, in the order of the picture; the first, if there is none after it.
    #[must_use]
    pub fn find(&self, text: &str, from: Option<Selection>) -> Option<Selection> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let lower = text.to_lowercase();
        for (uuid, mdev) in &self.state.mdevs {
            let guest = mdev.holder.as_ref().and_then(|holder| holder.guest.as_deref());
            let named = text.len() > 4 && uuid.to_string().starts_with(&lower);
            if guest == Some(text) || named {
                return Some(Selection::Mdev(*uuid));
            }
        }
        if let Some(named) = Selection::parse(text)
            && self.has(named)
        {
            return Some(named);
        }
        let whose = Whose::ALL.into_iter().find(|whose| whose.name() == lower);
        let mark = Mark::ALL.into_iter().find(|mark| {
            mark.legend().split(':').next().is_some_and(|word| word.starts_with(&lower)) && lower.len() > 2
        });
        let fits = |apqn: Apqn| {
            let cell = self.cell(apqn);
            let owner = whose.is_some_and(|whose| whose.name() == cell.whose.name());
            let kind = self.cards.get(&apqn.adapter).and_then(|card| card.kind.as_deref());
            let typed = kind.is_some_and(|kind| kind.to_lowercase() == lower);
            owner || typed || (mark.is_some() && cell.mark == mark)
        };
        let domains = self.domains();
        let all = || {
            let rows = self.adapters().iter();
            rows.flat_map(move |adapter| domains.iter().map(move |domain| Apqn::new(adapter, domain)))
        };
        let after = match from {
            Some(Selection::Queue(apqn)) => Some(apqn),
            _ => None,
        };
        let later = all().filter(|apqn| after.is_some_and(|after| *apqn > after)).find(|apqn| fits(*apqn));
        later.or_else(|| all().find(|apqn| fits(*apqn))).map(Selection::Queue)
    }

    /// Whether there is such a thing to select.
    #[must_use]
    pub fn has(&self, selection: Selection) -> bool {
        match selection {
            Selection::Queue(apqn) => {
                self.adapters().contains(apqn.adapter) && self.domains().contains(apqn.domain)
            }
            Selection::Adapter(id) => self.adapters().contains(id),
            Selection::Domain(id) => self.domains().contains(id),
            Selection::Mdev(uuid) => self.state.mdevs.contains_key(&uuid),
        }
    }
}
