//! The cards and queues of a host, as its sysfs shows them: of an emulated machine or a real one.
//!
//! What is not there is data: an attribute that a driver or a kernel doesn't have, a driver that isn't bound.

use std::collections::{BTreeMap, BTreeSet};

use ap_apply::tree::{Fault, Tree};
use ap_types::{AdapterId, Apqn, DomainId};
use serde::Serialize;

use crate::control;

const DEVICES: &str = "bus/ap/devices";
const MATRIX: &str = "devices/vfio_ap/matrix";

/// A host's cards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Inventory {
    /// Always `apmatrix.ls/1`.
    pub schema: &'static str,
    /// Ascending.
    pub cards: Vec<Card>,
    /// The mediated devices, by name; scripts see them at the queues.
    #[serde(skip)]
    pub mdevs: Vec<Mdev>,
}

/// A mediated device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mdev {
    /// Its name.
    pub uuid: String,
    /// The guest that has it open, if the host tells it.
    pub guest: Option<String>,
    /// How many queues it has.
    pub queues: usize,
    /// Those of them that are not there.
    pub absent: Vec<Apqn>,
}

/// A card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Card {
    /// `04`.
    pub card: String,
    /// 4.
    pub adapter: u8,
    /// `CEX8P`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `accel`, `cca`, `ep11`.
    pub mode: Option<String>,
    /// 14.
    pub hwtype: Option<u8>,
    /// The driver it is bound to.
    pub driver: Option<String>,
    /// Whether the host may use it.
    pub online: Option<bool>,
    /// Whether it is configured.
    pub config: Option<bool>,
    /// Whether it is checkstopped.
    pub checkstopped: Option<bool>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Ascending.
    pub queues: Vec<Queue>,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Queue {
    /// `04.0006`.
    pub queue: String,
    /// 4.
    pub adapter: u8,
    /// 6.
    pub domain: u8,
    /// The driver it is bound to.
    pub driver: Option<String>,
    /// Whether the host may use it.
    pub online: Option<bool>,
    /// Whether it is configured.
    pub config: Option<bool>,
    /// Whether it is checkstopped.
    pub checkstopped: Option<bool>,
    /// What vfio_ap says of it.
    pub status: Option<String>,
    /// The one driver that may have it, whatever the masks say; on kernels that have `driver_override`.
    #[serde(rename = "override", skip_serializing_if = "Option::is_none")]
    pub overridden: Option<String>,
    /// Whose it is.
    pub owner: Owner,
}

impl Queue {
    fn apqn(&self) -> Apqn {
        Apqn::new(AdapterId(self.adapter), DomainId(self.domain))
    }
}

/// Whose a queue is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Owner {
    /// The host's own drivers'.
    Host,
    /// Assigned to a mediated device, and no guest's: none runs, or the adapter is filtered out.
    Mdev {
        /// Its name.
        mdev: String,
        /// Whether its guest does not get it, or would not: `guest_matrix` lacks it.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        filtered: bool,
    },
    /// A running guest's.
    Guest {
        /// The mediated device through which it has it.
        mdev: String,
        /// The guest's name, if the host tells it.
        guest: Option<String>,
    },
    /// Nobody's: bound to vfio_ap and not assigned.
    Free,
    /// Nobody's: not bound to a driver.
    None,
}

impl Owner {
    /// The mediated device that has it assigned.
    #[must_use]
    pub fn mdev(&self) -> Option<&str> {
        match self {
            Owner::Mdev { mdev, .. } | Owner::Guest { mdev, .. } => Some(mdev),
            Owner::Host | Owner::Free | Owner::None => None,
        }
    }
}

impl Inventory {
    /// Reads a tree.
    ///
    /// # Errors
    /// If there is no AP bus.
    pub fn read(tree: &mut dyn Tree) -> Result<Inventory, Fault> {
        let names = tree.list(DEVICES)?;
        let assigned = Assigned::read(tree);
        let mut cards: BTreeMap<u8, Card> = BTreeMap::new();
        for name in names.iter().filter_map(|name| name.strip_prefix("card")) {
            if let Ok(adapter) = u8::from_str_radix(name, 16) {
                let device = &mut Device { tree, directory: format!("{DEVICES}/card{name}") };
                cards.insert(adapter, card(device, name, adapter));
            }
        }
        for (name, apqn) in names.iter().filter_map(|name| Some((name, name.parse::<Apqn>().ok()?))) {
            if let Some(card) = cards.get_mut(&apqn.adapter.0) {
                let device = &mut Device { tree, directory: format!("{DEVICES}/{name}") };
                card.queues.push(queue(device, apqn, &assigned));
            }
        }
        let mdevs =
            assigned.mdevs(&cards.values().flat_map(|card| card.queues.iter().map(Queue::apqn)).collect());
        Ok(Inventory { schema: "apmatrix.ls/1", cards: cards.into_values().collect(), mdevs })
    }

    /// Keeps one card, or one queue of it; says whether it is there.
    pub fn keep(&mut self, adapter: AdapterId, domain: Option<u8>) -> bool {
        self.cards.retain(|card| card.adapter == adapter.0);
        if let Some(domain) = domain {
            self.cards.iter_mut().for_each(|card| card.queues.retain(|queue| queue.domain == domain));
            self.cards.retain(|card| !card.queues.is_empty());
        }
        !self.cards.is_empty()
    }
}

/// A device's directory.
struct Device<'a> {
    tree: &'a mut dyn Tree,
    directory: String,
}

impl Device<'_> {
    fn text(&mut self, attribute: &str) -> Option<String> {
        let text = self.tree.read(&format!("{}/{attribute}", self.directory)).ok()?;
        Some(text.trim_end_matches('\n').to_owned()).filter(|text| !text.is_empty())
    }

    fn flag(&mut self, attribute: &str) -> Option<bool> {
        match self.text(attribute)?.as_str() {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        }
    }

    fn driver(&mut self) -> Option<String> {
        let link = self.tree.link(&format!("{}/driver", self.directory)).ok()?;
        Some(link.rsplit('/').next()?.to_owned())
    }

    /// The variable of that name in the device's uevent.
    fn variable(&mut self, name: &str) -> Option<String> {
        let uevent = self.text("uevent")?;
        let value = uevent.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Some(value.to_owned())
    }
}

fn card(device: &mut Device<'_>, name: &str, adapter: u8) -> Card {
    let kind = device.text("type");
    let mode = device.variable("MODE").or_else(|| {
        // Older kernels don't tell; the type's letter does.
        let letter = kind.as_deref()?.chars().last()?;
        [('A', "accel"), ('C', "cca"), ('P', "ep11")]
            .iter()
            .find(|(known, _)| *known == letter)
            .map(|(_, mode)| (*mode).to_owned())
    });
    Card {
        card: name.to_owned(),
        adapter,
        kind,
        mode,
        hwtype: device.text("hwtype").and_then(|text| text.parse().ok()),
        driver: device.driver(),
        online: device.flag("online"),
        config: device.flag("config"),
        checkstopped: device.flag("chkstop"),
        serial: device.text("serialnr"),
        queues: Vec::new(),
    }
}

fn queue(device: &mut Device<'_>, apqn: Apqn, assigned: &Assigned) -> Queue {
    let driver = device.driver();
    let status = device.text("status");
    let owner = match driver.as_deref() {
        None => Owner::None,
        Some("vfio_ap") => assigned.owner(apqn, status.as_deref()),
        Some(_) => Owner::Host,
    };
    Queue {
        queue: apqn.to_string(),
        adapter: apqn.adapter.0,
        domain: apqn.domain.0,
        driver,
        online: device.flag("online"),
        config: device.flag("config"),
        checkstopped: device.flag("chkstop"),
        status,
        overridden: device.text("driver_override"),
        owner,
    }
}

/// Which mediated device has which queue.
struct Assigned {
    names: BTreeSet<String>,
    /// And whether its guest does not get it.
    queues: BTreeMap<Apqn, (String, bool)>,
    guests: BTreeMap<String, String>,
}

impl Assigned {
    fn read(tree: &mut dyn Tree) -> Assigned {
        let (mut names, mut all) = (BTreeSet::new(), BTreeMap::new());
        for uuid in tree.list(MATRIX).unwrap_or_default() {
            let Ok(matrix) = tree.read(&format!("{MATRIX}/{uuid}/matrix")) else { continue };
            // Older kernels filter nothing.
            let shadow = tree.read(&format!("{MATRIX}/{uuid}/guest_matrix")).ok();
            let queues =
                |text: &str| text.lines().filter_map(|line| line.parse().ok()).collect::<BTreeSet<Apqn>>();
            let shadow = shadow.as_deref().map(queues);
            names.insert(uuid.clone());
            all.extend(queues(&matrix).into_iter().map(|apqn| {
                let filtered = shadow.as_ref().is_some_and(|shadow| !shadow.contains(&apqn));
                (apqn, (uuid.clone(), filtered))
            }));
        }
        let list = tree.read(&format!("{}/guests", control::DIRECTORY)).unwrap_or_default();
        let lines = list.lines().filter_map(|line| line.split_once(' '));
        let guests =
            lines.flat_map(|(name, uuids)| uuids.split(',').map(|uuid| (uuid.to_owned(), name.to_owned())));
        Assigned { names, queues: all, guests: guests.collect() }
    }

    /// All mediated devices, of a host that has these queues.
    fn mdevs(&self, there: &BTreeSet<Apqn>) -> Vec<Mdev> {
        let mut mdevs: BTreeMap<&str, Mdev> = BTreeMap::new();
        for uuid in &self.names {
            let guest = self.guests.get(uuid).cloned();
            mdevs.insert(uuid, Mdev { uuid: uuid.clone(), guest, queues: 0, absent: Vec::new() });
        }
        for (apqn, (uuid, _)) in &self.queues {
            if let Some(mdev) = mdevs.get_mut(uuid.as_str()) {
                mdev.queues += 1;
                mdev.absent.extend((!there.contains(apqn)).then_some(*apqn));
            }
        }
        mdevs.into_values().collect()
    }

    fn owner(&self, apqn: Apqn, status: Option<&str>) -> Owner {
        match self.queues.get(&apqn) {
            None => Owner::Free,
            Some((mdev, _)) if status == Some("in use") => {
                Owner::Guest { mdev: mdev.clone(), guest: self.guests.get(mdev).cloned() }
            }
            Some((mdev, filtered)) => Owner::Mdev { mdev: mdev.clone(), filtered: *filtered },
        }
    }
}
