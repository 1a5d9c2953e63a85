//! What events are about: which parts of a host have to be read again.

use std::collections::BTreeSet;

use ap_types::{AdapterId, AdapterMask, Apqn, DomainId};

use crate::operation::Operation;

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
                    // Of a scan that finds an adapter changed, not every queue of it tells.
                    (Some(apqn), Some(adapter)) if action == "change" => {
                        self.queues.insert(apqn);
                        self.cards.insert(AdapterId(adapter));
                    }
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

    /// An operation: what it names, of a host with these adapters. What hardware does to queues that are not the host's
    /// is not always an event.
    pub fn operation(&mut self, operation: &Operation, adapters: &AdapterMask) {
        let words: Vec<&str> = match operation {
            Operation::Write { path, .. } => return self.write(path),
            Operation::Guest(_) => return,
            Operation::Hw(line) => line.split_ascii_whitespace().collect(),
        };
        let number = |text: &str| match text.strip_prefix("0x") {
            Some(hex) => u8::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        };
        let range = |text: &str| {
            let (low, high) = text.split_once('-').unwrap_or((text, text));
            Some(number(low)?..=number(high)?)
        };
        match words.as_slice() {
            [
                "plug" | "unplug" | "configure" | "deconfigure" | "checkstop" | "repair" | "type" | "fault",
                what,
                ..,
            ] => {
                if let Some(domains) = what.strip_prefix('.').and_then(range) {
                    for domain in domains {
                        self.queues.extend(adapters.iter().map(|id| Apqn::new(id, DomainId(domain))));
                    }
                } else if let Ok(apqn) = what.parse::<Apqn>() {
                    self.queues.insert(apqn);
                    self.cards.insert(apqn.adapter);
                } else {
                    self.cards.extend(range(what).into_iter().flatten().map(AdapterId));
                }
            }
            ["control" | "keys" | "advance", ..] => {}
            _ => self.everything = true,
        }
    }

    /// A write to a file.
    fn write(&mut self, path: &str) {
        match path.split('/').collect::<Vec<_>>().as_slice() {
            // Each queue that changes hands by a mask tells so; to read all of them again would take long.
            ["bus", "ap", "apmask" | "aqmask"] => {}
            ["bus", "ap", "devices", device, ..] => {
                let card = device.strip_prefix("card").and_then(|hex| u8::from_str_radix(hex, 16).ok());
                match (device.parse::<Apqn>(), card) {
                    (Ok(apqn), _) => {
                        self.queues.insert(apqn);
                        self.cards.insert(apqn.adapter);
                    }
                    (_, Some(card)) => drop(self.cards.insert(AdapterId(card))),
                    _ => self.everything = true,
                }
            }
            ["bus" | "module", ..] => self.everything = true,
            _ => self.add("change", path),
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
    use super::*;

    #[test]
    fn an_operation_touches_what_it_names() {
        let mut touched = Touched::default();
        let adapters = AdapterMask::of([AdapterId(4), AdapterId(5)]);
        let mut add = |line: &str| {
            touched.operation(&Operation::parse(line).expect("an operation"), &adapters);
        };
        add("hw plug 10-11");
        add("hw checkstop .6");
        add("echo 0 > /sys/devices/ap/card05/04.0047/online");
        let queues = [(4, 6), (5, 6), (4, 0x47)].map(|(a, d)| Apqn::new(AdapterId(a), DomainId(d)));
        assert_eq!(touched.queues, BTreeSet::from(queues));
        assert_eq!(touched.cards, BTreeSet::from([5, 10, 11].map(AdapterId)));
        assert!(!touched.everything);
        for (line, queue) in [("04.0016", Some(0x16)), ("card06", None)] {
            let path = format!("bus/ap/devices/{line}/driver_override");
            let mut touched = Touched::default();
            touched.operation(&Operation::Write { path, text: "vfio_ap".to_owned() }, &adapters);
            let queue = queue.map(|domain| Apqn::new(AdapterId(4), DomainId(domain)));
            assert_eq!(touched.queues, queue.into_iter().collect());
            assert_eq!(touched.cards, BTreeSet::from([AdapterId(if queue.is_some() { 4 } else { 6 })]));
        }
        for (path, everything) in
            [("bus/ap/drivers/vfio_ap/unbind", true), ("module/vfio_ap/x", true), ("bus/ap/apmask", false)]
        {
            let mut touched = Touched::default();
            touched.operation(&Operation::Write { path: path.to_owned(), text: "x".to_owned() }, &adapters);
            assert_eq!(touched.everything, everything, "{path}");
        }
        touched.operation(&Operation::Hw("modules unload vfio_ap".to_owned()), &adapters);
        assert!(touched.everything);
    }

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
