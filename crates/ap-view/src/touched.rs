//! What events are about: which parts of a host have to be read again.

use std::collections::BTreeSet;

use ap_types::{AdapterId, Apqn};

/// What was touched since a host was read. Masks, mediated devices and guests are read again in any case: they are
/// few, and not everything that happens to them is an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// It is not known what: everything.
    pub everything: bool,
    /// These cards, each with all of its queues.
    pub cards: BTreeSet<AdapterId>,
    /// These queues.
    pub queues: BTreeSet<Apqn>,
}

impl Touched {
    /// Everything.
    #[must_use]
    pub fn everything() -> Touched {
        Touched { everything: true, ..Touched::default() }
    }

    /// A device event: its action, and the device's path without `/sys`.
    pub fn add(&mut self, action: &str, devpath: &str) {
        let mut names = devpath.trim_start_matches('/').split('/');
        match (names.next(), names.next(), names.next(), names.next()) {
            (Some("devices"), Some("ap"), Some(card), queue) => {
                let adapter = card.strip_prefix("card").and_then(|hex| u8::from_str_radix(hex, 16).ok());
                match (queue.and_then(|name| name.parse().ok()), adapter) {
                    (Some(apqn), _) => drop(self.queues.insert(apqn)),
                    (None, Some(adapter)) => drop(self.cards.insert(AdapterId(adapter))),
                    (None, None) => self.everything = true,
                }
            }
            // The bus itself reports scans and bindings, which its devices report, too.
            (Some("devices"), Some("ap"), None, _) => {}
            (Some("devices"), _, _, _) => {}
            (Some("module" | "bus"), _, _, _) if action != "change" => self.everything = true,
            _ => {}
        }
    }

    /// Whether nothing was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Touched::default()
    }
}

#[cfg(test)]
mod tests {
    use ap_types::DomainId;

    use super::*;

    #[test]
    fn an_event_touches_its_device() {
        let mut touched = Touched::default();
        touched.add("change", "/devices/ap");
        touched.add("add", "/devices/vfio_ap/matrix/a0000000-0000-4000-8000-000000000001");
        assert!(touched.is_empty());
        touched.add("bind", "/devices/ap/card04/04.0047");
        touched.add("change", "/devices/ap/card0a");
        assert_eq!(touched.queues, BTreeSet::from([Apqn::new(AdapterId(4), DomainId(0x47))]));
        assert_eq!(touched.cards, BTreeSet::from([AdapterId(10)]));
        touched.add("remove", "/module/vfio_ap");
        assert!(touched.everything);
    }
}
