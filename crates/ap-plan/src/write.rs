//! Writes to a host's tree: what a plan consists of, what each does, and why one is refused.
//!
//! [`State::after`] is the rules of assigning and of the in-use veto, once more and without locks. It is the only place
//! of this crate that knows them: plans, obstacles and whoever asks "why is this write refused" go by it, and the twin
//! checks it.

use std::fmt;

use ap_sysfs::ids::ranges;
use ap_types::{AdapterMask, Apqn, DomainMask, Matrix, Uuid, grammar};

use crate::reason::{By, Refusal, Unbindable};
use crate::state::{Driver, Masks, Mdev, Overrides, State, triple};

/// Where attributes of mediated devices are.
const MATRIX: &str = "devices/vfio_ap/matrix";
const CREATE: &str = "devices/vfio_ap/matrix/mdev_supported_types/vfio_ap-passthrough/create";
const APMASK: &str = "bus/ap/apmask";
const AQMASK: &str = "bus/ap/aqmask";
const DRIVERS: &str = "bus/ap/drivers";

/// How many mediated devices there can be. (Page 3.)
pub const INSTANCES: usize = 65_536;

/// What is set and cleared in a mask; nothing is both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Delta<M> {
    set: M,
    clear: M,
}

impl<M> Delta<M>
where
    M: Copy + std::ops::Sub<Output = M> + std::ops::BitOr<Output = M>,
{
    /// From one mask to another.
    #[must_use]
    pub fn between(from: M, to: M) -> Delta<M> {
        Delta { set: to - from, clear: from - to }
    }

    /// What is set.
    #[must_use]
    pub fn set(&self) -> M {
        self.set
    }

    /// What is cleared.
    #[must_use]
    pub fn clear(&self) -> M {
        self.clear
    }

    /// The mask after it.
    #[must_use]
    pub fn applied(&self, to: M) -> M {
        (to - self.clear) | self.set
    }

    /// What takes it back.
    #[must_use]
    pub fn inverse(&self) -> Delta<M> {
        Delta { set: self.clear, clear: self.set }
    }
}

/// One write(2) to a file of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Write {
    /// To apmask.
    Apmask(Delta<AdapterMask>),
    /// To aqmask.
    Aqmask(Delta<DomainMask>),
    /// To `create`.
    Create(Uuid),
    /// To an mdev's `remove`.
    Remove(Uuid),
    /// To an mdev's `ap_config`: its whole matrix.
    Config(Uuid, Matrix),
    /// To a queue's `driver_override`; `None` clears it.
    Override(Apqn, Option<Driver>),
    /// To a driver's `unbind`.
    Unbind(Apqn, Driver),
    /// To a driver's `bind`.
    Bind(Apqn, Driver),
}

/// A write as the tree takes it: the file below `/sys`, and the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The file, without a leading `/sys/`.
    pub path: String,
    /// What is written.
    pub text: String,
}

impl Write {
    /// The write as the tree takes it.
    #[must_use]
    pub fn store(&self) -> Store {
        let (path, text) = match self {
            Write::Apmask(delta) => (APMASK.to_owned(), signed(delta, ranges_of_adapters)),
            Write::Aqmask(delta) => (AQMASK.to_owned(), signed(delta, ranges_of_domains)),
            Write::Create(uuid) => (CREATE.to_owned(), uuid.to_string()),
            Write::Remove(uuid) => (format!("{MATRIX}/{uuid}/remove"), "1".to_owned()),
            Write::Config(uuid, matrix) => (format!("{MATRIX}/{uuid}/ap_config"), triple(matrix)),
            Write::Override(apqn, driver) => {
                let text = driver.map_or("\n", Driver::name).to_owned();
                (format!("devices/ap/card{}/{apqn}/driver_override", apqn.adapter), text)
            }
            Write::Unbind(apqn, driver) => (format!("{DRIVERS}/{}/unbind", driver.name()), apqn.to_string()),
            Write::Bind(apqn, driver) => (format!("{DRIVERS}/{}/bind", driver.name()), apqn.to_string()),
        };
        Store { path, text }
    }

    /// The write that a store is; `None` if it is none that a plan consists of.
    #[must_use]
    pub fn parse(store: &Store) -> Option<Write> {
        let text = store.text.trim_end_matches('\n');
        let uuid = |text: &str| Some(text).filter(|text| text.len() == 36).and_then(named);
        match store.path.as_str() {
            APMASK => {
                let set = grammar::mask_write(AdapterMask::EMPTY, text.as_bytes()).ok()?;
                let left = grammar::mask_write(AdapterMask::ALL, text.as_bytes()).ok()?;
                text.starts_with(['+', '-']).then_some(Write::Apmask(Delta { set, clear: !left }))
            }
            AQMASK => {
                let set = grammar::mask_write(DomainMask::EMPTY, text.as_bytes()).ok()?;
                let left = grammar::mask_write(DomainMask::ALL, text.as_bytes()).ok()?;
                text.starts_with(['+', '-']).then_some(Write::Aqmask(Delta { set, clear: !left }))
            }
            CREATE => uuid(text).map(Write::Create),
            path if path.starts_with(DRIVERS) => {
                let (driver, file) = path.strip_prefix(DRIVERS)?.strip_prefix('/')?.split_once('/')?;
                let (driver, apqn) = (Driver::from_name(driver)?, text.parse().ok()?);
                match file {
                    "bind" => Some(Write::Bind(apqn, driver)),
                    "unbind" => Some(Write::Unbind(apqn, driver)),
                    _ => None,
                }
            }
            path if path.ends_with("/driver_override") => {
                let apqn = path.rsplit('/').nth(1)?.parse().ok()?;
                let driver = if text.is_empty() { None } else { Some(Driver::from_name(text)?) };
                Some(Write::Override(apqn, driver))
            }
            path => {
                let (name, file) = path.strip_prefix(MATRIX)?.strip_prefix('/')?.split_once('/')?;
                match (uuid(name)?, file) {
                    (uuid, "remove") if text == "1" => Some(Write::Remove(uuid)),
                    (uuid, "ap_config") => {
                        Some(Write::Config(uuid, grammar::ap_config(text.as_bytes()).ok()?))
                    }
                    _ => None,
                }
            }
        }
    }

    /// What takes it back on a host that was in that state before it.
    #[must_use]
    pub fn inverse(&self, before: &State) -> Vec<Write> {
        match self {
            Write::Apmask(delta) => self.mask_back(before, Write::Apmask(delta.inverse())),
            Write::Aqmask(delta) => self.mask_back(before, Write::Aqmask(delta.inverse())),
            Write::Create(uuid) => vec![Write::Remove(*uuid)],
            Write::Remove(uuid) => {
                let mut back = vec![Write::Create(*uuid)];
                let matrix = before.mdevs.get(uuid).map(|mdev| mdev.matrix).unwrap_or_default();
                if matrix != Matrix::default() {
                    back.push(Write::Config(*uuid, matrix));
                }
                back
            }
            Write::Config(uuid, _) => {
                let matrix = before.mdevs.get(uuid).map(|mdev| mdev.matrix).unwrap_or_default();
                vec![Write::Config(*uuid, matrix)]
            }
            Write::Override(apqn, _) => vec![Write::Override(*apqn, before.overrides.of(*apqn))],
            Write::Unbind(apqn, driver) => match before.overrides.of(*apqn) {
                Some(other) if other != *driver => {
                    let home = if *driver == Driver::Host { None } else { Some(*driver) };
                    vec![
                        Write::Override(*apqn, home),
                        Write::Bind(*apqn, *driver),
                        Write::Override(*apqn, Some(other)),
                    ]
                }
                None if *driver == Driver::Vfio && before.reserved(*apqn) => vec![
                    Write::Override(*apqn, Some(*driver)),
                    Write::Bind(*apqn, *driver),
                    Write::Override(*apqn, None),
                ],
                _ => vec![Write::Bind(*apqn, *driver)],
            },
            Write::Bind(apqn, driver) => vec![Write::Unbind(*apqn, *driver)],
        }
    }
}

impl Write {
    /// What takes a mask write back: the bits, and then the drivers that queues have got which had none.
    fn mask_back(&self, before: &State, back: Write) -> Vec<Write> {
        let mut all = vec![back];
        if before.queues.none.is_empty() {
            return all;
        }
        let returned = before.after(self).and_then(|after| after.after(&back));
        let Ok(returned) = returned else { return all };
        let bound = before.queues.none.iter().filter_map(|apqn| Some((apqn, returned.driver(apqn)?)));
        all.extend(bound.map(|(apqn, driver)| Write::Unbind(apqn, driver)));
        all
    }
}

fn named(text: &str) -> Option<Uuid> {
    grammar::uuid(text.as_bytes()).ok()
}

/// `+4,-10-12`: what the kernel calls a relative text. Two ids are two terms: `-10-11` looks as if each had its sign.
fn signed<M: Copy>(delta: &Delta<M>, ranges: fn(M) -> Vec<(u8, u8)>) -> String {
    let terms = |sign: char, mask: M| {
        ranges(mask).into_iter().map(move |(first, last)| match last - first {
            0 => format!("{sign}{first}"),
            1 => format!("{sign}{first},{sign}{last}"),
            _ => format!("{sign}{first}-{last}"),
        })
    };
    terms('-', delta.clear).chain(terms('+', delta.set)).collect::<Vec<_>>().join(",")
}

fn ranges_of_adapters(mask: AdapterMask) -> Vec<(u8, u8)> {
    ranges(mask.iter().map(u8::from))
}

fn ranges_of_domains(mask: DomainMask) -> Vec<(u8, u8)> {
    ranges(mask.iter().map(u8::from))
}

impl Store {
    /// The same write without what masks end in that says nothing: `0x08,0x02,0x02` for an `ap_config`; `''` for an empty text.
    #[must_use]
    pub fn brief(&self) -> Store {
        let short = |mask: &str| match mask.strip_prefix("0x").map(|digits| digits.trim_end_matches('0')) {
            Some("") => "0x0".to_owned(),
            Some(digits) => format!("0x{digits}"),
            None => mask.to_owned(),
        };
        let text = match self.text.as_str() {
            "\n" => "''".to_owned(),
            text if text.starts_with("0x") => text.split(',').map(short).collect::<Vec<_>>().join(","),
            text => text.to_owned(),
        };
        Store { path: self.path.clone(), text }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {}", self.text, self.path)
    }
}

impl State {
    /// The state after a write, or why it is refused.
    ///
    /// # Errors
    /// [`Refusal`]: then nothing has changed.
    pub fn after(&self, write: &Write) -> Result<State, Refusal> {
        let mut next = self.clone();
        match write {
            Write::Apmask(delta) => {
                next.masks.adapters = delta.applied(self.masks.adapters);
                self.masks_may_become(&next.masks, self.asked_by(write))?;
                next.masks_written();
            }
            Write::Aqmask(delta) => {
                next.masks.domains = delta.applied(self.masks.domains);
                self.masks_may_become(&next.masks, self.asked_by(write))?;
                next.masks_written();
            }
            Write::Create(uuid) => {
                self.can_create(*uuid)?;
                let empty = Mdev { matrix: Matrix::default(), shadow: Matrix::default(), holder: None };
                next.mdevs.insert(*uuid, empty);
            }
            Write::Remove(uuid) => {
                let mdev = next.mdevs.remove(uuid).ok_or(Refusal::NoMdev(*uuid))?;
                if let Some(holder) = mdev.holder {
                    return Err(Refusal::Held { mdev: *uuid, holder });
                }
            }
            Write::Override(apqn, driver) => {
                self.overrides_may_change(*apqn)?;
                next.overrides.set(*apqn, *driver);
            }
            Write::Unbind(apqn, driver) => next.unbind(*apqn, *driver)?,
            Write::Bind(apqn, driver) => next.bind(*apqn, *driver)?,
            Write::Config(uuid, matrix) => {
                self.can_assign(*uuid, matrix)?;
                let shadow = next.filtered(matrix);
                if let Some(mdev) = next.mdevs.get_mut(uuid) {
                    mdev.matrix = *matrix;
                    mdev.shadow = shadow;
                }
            }
        }
        Ok(next)
    }

    /// Which queues a mask write asks of drivers and mdevs; none, if it is another write.
    pub(crate) fn asked_by(&self, write: &Write) -> Matrix {
        let whole = self.kernel.in_use_whole;
        let Masks { adapters, domains } = self.masks;
        match write {
            Write::Apmask(delta) => Matrix {
                adapters: delta.set() - adapters,
                domains: if whole { DomainMask::ALL } else { domains },
                ..Matrix::default()
            },
            Write::Aqmask(delta) => Matrix {
                adapters: if whole { AdapterMask::ALL } else { adapters },
                domains: delta.set() - domains,
                ..Matrix::default()
            },
            _ => Matrix::default(),
        }
    }

    /// Masks and overrides exclude each other, and no mask write may take a queue from an mdev: one that it adds to the
    /// host's, nor one that has lost its override.
    fn masks_may_become(&self, masks: &Masks, added: Matrix) -> Result<(), Refusal> {
        let Overrides { vfio, host, other } = &self.overrides;
        if let Some(apqn) = [vfio, host, other].into_iter().find_map(|set| set.iter().next()) {
            return Err(Refusal::Overridden(apqn));
        }
        self.not_in_use(added)?;
        let Some(queue) = self.unprotected_by(masks).iter().next() else { return Ok(()) };
        let owner = self.mdevs.iter().find(|(_, mdev)| mdev.matrix.contains(queue));
        match owner {
            Some((mdev, found)) => {
                Err(Refusal::Unprotected { queue, mdev: *mdev, holder: found.holder.clone() })
            }
            None => Ok(()),
        }
    }

    /// The masks have been written: queues follow them, and overrides are refused unless both are all ones.
    fn masks_written(&mut self) {
        self.masks_in_use = self.kernel.driver_override && self.masks != Masks::ALL;
        self.revise();
    }

    fn overrides_may_change(&self, apqn: Apqn) -> Result<(), Refusal> {
        if !self.kernel.driver_override || !self.exists(apqn) {
            return Err(Refusal::NoQueue(apqn));
        }
        if self.masks_in_use { Err(Refusal::MasksInUse) } else { Ok(()) }
    }

    /// A queue loses its driver; a guest that has it loses its adapter.
    fn unbind(&mut self, apqn: Apqn, driver: Driver) -> Result<(), Refusal> {
        let set = match driver {
            Driver::Host => &mut self.queues.host,
            Driver::Vfio => &mut self.queues.vfio,
        };
        if !set.remove(apqn) {
            return Err(Refusal::Binding { queue: apqn, driver, how: Unbindable::NotBound });
        }
        self.queues.none.insert(apqn);
        for mdev in self.mdevs.values_mut().filter(|mdev| mdev.shadow.contains(apqn)) {
            mdev.shadow.adapters.remove(apqn.adapter);
        }
        Ok(())
    }

    /// A queue gets a driver; an mdev that has it is filtered anew.
    fn bind(&mut self, apqn: Apqn, driver: Driver) -> Result<(), Refusal> {
        let unbindable = |how| Refusal::Binding { queue: apqn, driver, how };
        if !self.exists(apqn) {
            return Err(unbindable(Unbindable::Absent));
        }
        if self.driver(apqn).is_some() {
            return Err(unbindable(Unbindable::Bound));
        }
        let may = match (self.overrides.has(apqn), self.overrides.of(apqn)) {
            (true, named) => named == Some(driver),
            _ => self.reserved(apqn) == (driver == Driver::Host),
        };
        if !may {
            return Err(unbindable(Unbindable::NotTheirs));
        }
        self.queues.none.remove(apqn);
        match driver {
            Driver::Host => drop(self.queues.host.insert(apqn)),
            Driver::Vfio => drop(self.queues.vfio.insert(apqn)),
        }
        let owner = self.mdevs.iter().find(|(_, mdev)| mdev.matrix.contains(apqn)).map(|(uuid, _)| *uuid);
        if let Some(uuid) = owner {
            let shadow = self.filtered(&self.mdevs[&uuid].matrix);
            self.mdevs.entry(uuid).and_modify(|mdev| mdev.shadow = shadow);
        }
        Ok(())
    }

    /// What of a matrix is the host's, and by what: by the masks, but for bound queues with an override, where the driver
    /// decides.
    pub(crate) fn hosts_of(&self, matrix: &Matrix) -> (Matrix, By) {
        let by_masks = self.masks.reserved_of(matrix);
        if self.overrides.is_empty() {
            return (by_masks, By::Masks);
        }
        let (mut adapters, mut domains) = (AdapterMask::EMPTY, DomainMask::EMPTY);
        let (mut masks, mut drivers) = (false, false);
        for adapter in matrix.adapters {
            let overridden = self.overrides.vfio.row(adapter)
                | self.overrides.host.row(adapter)
                | self.overrides.other.row(adapter);
            let (host, vfio) = (self.queues.host.row(adapter), self.queues.vfio.row(adapter));
            let masked =
                if by_masks.adapters.contains(adapter) { by_masks.domains } else { DomainMask::EMPTY };
            let by_driver = overridden & host & matrix.domains;
            let row = (masked - (overridden & vfio)) | by_driver;
            if !row.is_empty() {
                adapters.insert(adapter);
                domains |= row;
            }
            drivers |= !by_driver.is_empty();
            masks |= !(row - by_driver).is_empty();
        }
        let by = match (masks, drivers) {
            (false, true) => By::Drivers,
            (true, true) => By::Both,
            (_, false) => By::Masks,
        };
        (Matrix { adapters, domains, ..Matrix::default() }, by)
    }

    /// The in-use question: whether an mdev has one of these queues. (Page 3.)
    fn not_in_use(&self, asked: Matrix) -> Result<(), Refusal> {
        let holding = self.mdevs.iter().find(|(_, mdev)| mdev.matrix.shares_queue(&asked));
        match holding {
            None => Ok(()),
            Some((uuid, mdev)) => Err(Refusal::InUse {
                queues: Box::new(mdev.matrix.shared(&asked)),
                mdev: *uuid,
                holder: mdev.holder.clone(),
            }),
        }
    }

    fn can_create(&self, uuid: Uuid) -> Result<(), Refusal> {
        if !self.vfio_ap {
            return Err(Refusal::NoVfioAp);
        }
        if self.mdevs.contains_key(&uuid) {
            return Err(Refusal::Exists(uuid));
        }
        if self.mdevs.len() >= INSTANCES {
            return Err(Refusal::NoInstances);
        }
        Ok(())
    }

    fn can_assign(&self, uuid: Uuid, matrix: &Matrix) -> Result<(), Refusal> {
        if !self.mdevs.contains_key(&uuid) {
            return Err(Refusal::NoMdev(uuid));
        }
        let (reserved, by) = self.hosts_of(matrix);
        if reserved.has_queues() {
            return Err(Refusal::Reserved { mdev: uuid, queues: Box::new(reserved), by });
        }
        if let Some((other, theirs)) =
            self.mdevs.iter().find(|(other, mdev)| **other != uuid && mdev.matrix.shares_queue(matrix))
        {
            return Err(Refusal::Shared {
                mdev: uuid,
                queues: Box::new(theirs.matrix.shared(matrix)),
                other: *other,
                holder: theirs.holder.clone(),
            });
        }
        self.not_too_high(uuid, matrix)
    }

    pub(crate) fn not_too_high(&self, mdev: Uuid, matrix: &Matrix) -> Result<(), Refusal> {
        let high = |what, id: Option<u8>, highest: u8| match id {
            Some(id) if id > highest => Err(Refusal::TooHigh { mdev, what, id, highest }),
            _ => Ok(()),
        };
        high("adapter", matrix.adapters.last().map(u8::from), self.limits.adapter)?;
        high("domain", matrix.domains.last().map(u8::from), self.limits.domain)?;
        high("control domain", matrix.control_domains.last().map(u8::from), self.limits.domain)
    }

    /// Whether a queue is one of the host's by the masks.
    #[must_use]
    pub fn reserved(&self, apqn: Apqn) -> bool {
        self.masks.reserve(apqn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ids_are_two_terms_since_a_range_of_two_looks_as_if_each_had_its_sign() {
        let mask = |ids: &[u8]| ids.iter().map(|id| ap_types::AdapterId(*id)).collect::<AdapterMask>();
        let (clear, set) = (mask(&[4, 10, 11, 13, 14, 15]), mask(&[20, 21]));
        let text = Write::Apmask(Delta { set, clear }).store().text;
        assert_eq!(text, "-4,-10,-11,-13-15,+20,+21");
    }
}
