//! Writing apmask and aqmask: the question, the store, the revision. (Specification, page 2, "Writing a mask".)

use std::hash::Hash;

use ap_task::order::Perms;
use ap_task::{Action, DriverName, Flag, Notice, Subject, Task};
use ap_types::grammar::mask_write;
use ap_types::{AdapterMask, Apqn, DomainMask, Mask, MaskError};
use locks::hook::note;
use locks::{Nothing, marked};

use crate::asked::{Asked, Holder};
use crate::bind::agrees;
use crate::bus::Bus;
use crate::ownership::Ownership;

/// How many ids a trace's note names.
const MOST_NOTED: usize = 6;

/// Why a mask was not changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum MaskWriteError {
    /// The text is not one (`EINVAL`).
    #[error(transparent)]
    Syntax(#[from] MaskError),
    /// A queue has an override: a host gives queues by masks or by overrides (`EINVAL`).
    #[error("a queue has a driver_override")]
    Overridden,
    /// A queue that would become the host's is in use (`EBUSY`).
    #[error("a queue that would become the host's is in use by {} of {driver}", holder.name)]
    InUse {
        /// The driver that said so.
        driver: DriverName,
        /// Whose it is.
        holder: Holder,
    },
}

/// One of the two masks: what a write to it is about.
trait OwnershipMask: Mask + Copy + Hash + PartialEq + std::ops::Sub<Output = Self> + std::fmt::Display {
    /// The variable of its uevent.
    const VARIABLE: &'static str;
    /// The mask.
    fn of(ownership: &mut Ownership) -> &mut Self;
    /// Both masks, with this one in its place.
    fn beside(self, ownership: &Ownership) -> (AdapterMask, DomainMask);
    /// Both masks, with this one in its place and all of the other.
    fn beside_all(self) -> (AdapterMask, DomainMask);
}

impl OwnershipMask for AdapterMask {
    const VARIABLE: &'static str = "APMASK";
    fn of(ownership: &mut Ownership) -> &mut Self {
        &mut ownership.adapters
    }
    fn beside(self, ownership: &Ownership) -> (AdapterMask, DomainMask) {
        (self, ownership.domains)
    }
    fn beside_all(self) -> (AdapterMask, DomainMask) {
        (self, DomainMask::ALL)
    }
}

impl OwnershipMask for DomainMask {
    const VARIABLE: &'static str = "AQMASK";
    fn of(ownership: &mut Ownership) -> &mut Self {
        &mut ownership.domains
    }
    fn beside(self, ownership: &Ownership) -> (AdapterMask, DomainMask) {
        (ownership.adapters, self)
    }
    fn beside_all(self) -> (AdapterMask, DomainMask) {
        (AdapterMask::ALL, self)
    }
}

impl Bus {
    /// Writes apmask: asks whether what becomes the host's is in use, commits, revises the bindings.
    ///
    /// # Errors
    /// [`MaskWriteError`]; then nothing has changed.
    ///
    /// # Locks
    /// Takes P, and under it what the drivers' answers take; P is released before any D is taken.
    pub fn write_apmask(&self, text: &[u8], task: &mut Task<'_, Nothing>) -> Result<(), MaskWriteError> {
        self.write_mask::<AdapterMask>(text, task)
    }

    /// Writes aqmask, as [`Bus::write_apmask`].
    ///
    /// # Errors
    /// [`MaskWriteError`]; then nothing has changed.
    ///
    /// # Locks
    /// As [`Bus::write_apmask`].
    pub fn write_aqmask(&self, text: &[u8], task: &mut Task<'_, Nothing>) -> Result<(), MaskWriteError> {
        self.write_mask::<DomainMask>(text, task)
    }

    fn write_mask<M: OwnershipMask>(
        &self,
        text: &[u8],
        task: &mut Task<'_, Nothing>,
    ) -> Result<(), MaskWriteError> {
        let asked = || {
            // Lock order: P -> what the drivers' answers take
            let (mut ownership, mut task) = task.lock(&self.ownership);
            if !text.is_empty() && !ownership.overrides.is_empty() {
                return Err(MaskWriteError::Overridden);
            }
            let old = *M::of(&mut ownership);
            let new = mask_write(old, text)?;
            if new == old {
                return Ok(None);
            }
            let asked = self.becomes_the_hosts(old, new, &ownership);
            let answer = ask(&ownership, &asked, &mut task);
            note(|| match &answer {
                Some((driver, holder)) => format!("in use: by {} of {driver}", holder.name),
                None if asked.is_empty() => "nobody is asked: nothing becomes the host's".to_owned(),
                None => "in use: by nobody".to_owned(),
            });
            if let Some((driver, holder)) = answer {
                return Err(MaskWriteError::InUse { driver, holder });
            }
            *M::of(&mut ownership) = new;
            note(|| format!("{} stored: {}", M::VARIABLE.to_lowercase(), changed(old, new)));
            ownership.overrides.masks_in_use = self.has_overrides() && !ownership.reserves_all();
            // Whether "bindings complete" was announced is nothing to a revision.
            Ok(Some((new, Ownership { announced: false, ..ownership.clone() })))
        };
        let Some((new, stored)) = locks::only(asked)? else { return Ok(()) };
        locks::only(|| self.revise_bindings(&stored, task));
        task.uevent_with(Action::Change, Subject::ApRoot, vec![(M::VARIABLE.into(), format!("{new}\n"))]);
        Ok(())
    }

    /// What a mask write asks about. With overrides that is also what the revision would take from who has it without
    /// a bit being added: an override was cleared while its queue was in use (`DEV-018`).
    fn becomes_the_hosts<M: OwnershipMask>(&self, old: M, new: M, ownership: &Ownership) -> Asked {
        let added = new - old;
        let whole = self.kernel.has(Flag::InUseWhole);
        let (adapters, domains) = if whole { added.beside_all() } else { added.beside(ownership) };
        let asked = Asked::product(adapters, domains);
        if self.has_overrides() { asked.and_taken(new.beside(ownership)) } else { asked }
    }

    /// The driver that uses a queue which the masks reserve, if there is one: an override that came and went since the
    /// mask write asked let it be assigned (`DEV-018`). A revision asks under the same hold of P under which it would
    /// take or give the queue. Where an override names a driver, that is the administrator's will; without overrides
    /// nothing can be assigned that the masks reserve. P is held.
    pub(crate) fn user(
        &self,
        apqn: Apqn,
        ownership: &Ownership,
        task: &mut Task<'_, Perms>,
    ) -> Option<DriverName> {
        let reserved = ownership.overrides.of(apqn).is_none() && ownership.reserved(apqn);
        if !self.has_overrides() || !reserved {
            return None;
        }
        let queue = Asked::product(AdapterMask::single(apqn.adapter), DomainMask::single(apqn.domain));
        ask(ownership, &queue, task).map(|(driver, _)| driver)
    }

    /// The question alone, as a mask write asks it: with P taken. For measurements.
    ///
    /// # Locks
    /// P, and under it what the drivers' answers take.
    pub fn in_use(&self, asked: &Asked, task: &mut Task<'_, Nothing>) -> Option<Holder> {
        let (ownership, mut task) = task.lock(&self.ownership);
        ask(&ownership, asked, &mut task).map(|(_, holder)| holder)
    }

    /// Re-probes every queue whose driver and reservation disagree.
    ///
    /// The decision, the removal and the new probe of one queue are made under one hold of D, and of P as long as
    /// the decision could become stale ([`Decision`](crate::bind::Decision); defect N4 of the reference).
    ///
    /// A queue that agrees with the masks as they were `stored` needs no look under D: every probe holds P until it
    /// has bound the queue, so all that come later know these masks or newer ones, and whoever stores newer ones
    /// revises for them. An override may have been written since they were stored, so where there are overrides
    /// the look is one under P.
    fn revise_bindings(&self, stored: &Ownership, task: &mut Task<'_, Nothing>) {
        Notice::Committed.announce();
        let queues = self.queues_in_order(task);
        marked(|mark| {
            for (index, queue) in queues.iter().enumerate() {
                mark.only(|| index);
                let agreed = if queue.overridable {
                    let (ownership, mut task) = task.lock(&self.ownership);
                    agrees(queue, &ownership, &mut task)
                } else {
                    agrees(queue, stored, task)
                };
                if agreed {
                    continue;
                }
                // Lock order: D -> P
                let (alive, mut task) = task.lock(&queue.device);
                if !*alive {
                    continue;
                }
                self.reprobe_queue(queue, &mut task);
            }
        });
    }
}

/// What a mask write changed, as it would be written: `-4,+10`; of many ids the first.
fn changed<M: OwnershipMask>(old: M, new: M) -> String {
    let terms = |sign: char, mask: M| mask.members().map(move |id| format!("{sign}{}", id.into()));
    let mut all: Vec<String> = terms('-', old - new).chain(terms('+', new - old)).collect();
    let more = all.len().saturating_sub(MOST_NOTED);
    all.truncate(MOST_NOTED);
    if more == 0 { all.join(",") } else { format!("{} and {more} more", all.join(",")) }
}

/// Asks the registered drivers, in that order; the first that says yes has said it. The host's default drivers are
/// not asked: what becomes the host's becomes theirs.
fn ask(ownership: &Ownership, asked: &Asked, task: &mut Task<'_, Perms>) -> Option<(DriverName, Holder)> {
    if asked.is_empty() {
        return None;
    }
    ownership
        .drivers
        .iter()
        .filter(|driver| !driver.is_default())
        .find_map(|driver| driver.in_use(asked, task).map(|holder| (driver.name(), holder)))
}
