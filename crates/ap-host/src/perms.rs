//! apmask and aqmask: who owns a queue. (Specification, page 2.)

use ap_types::grammar::mask_write;
use ap_types::{AdapterMask, Apqn, DomainMask, MaskError};
use locks::hook::{fingerprint, milestone};
use locks::{Held, Nothing};

use crate::Host;
use crate::driver::DriverId;
use crate::event::{Action, Sink, Subject};

/// **P**: what the host's default drivers own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Perms {
    /// Adapters.
    pub adapters: AdapterMask,
    /// Domains.
    pub domains: DomainMask,
    /// "Bindings complete" was announced and no probe came after it. It is here because every probe of a queue
    /// holds P anyway.
    pub announced: bool,
}

impl Default for Perms {
    fn default() -> Self {
        Perms { adapters: AdapterMask::ALL, domains: DomainMask::ALL, announced: false }
    }
}

impl Perms {
    /// Whether a queue is reserved for the host.
    #[must_use]
    pub fn reserved(&self, apqn: Apqn) -> bool {
        self.adapters.contains(apqn.adapter) && self.domains.contains(apqn.domain)
    }

    /// Whether some queue of the product is reserved for the host.
    #[must_use]
    pub fn reserves_any(&self, adapters: &AdapterMask, domains: &DomainMask) -> bool {
        self.adapters.intersects(adapters) && self.domains.intersects(domains)
    }
}

/// Why a mask was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MaskWriteError {
    /// The text is not one (`EINVAL`).
    #[error(transparent)]
    Syntax(#[from] MaskError),
    /// A queue that would become the host's is an mdev's (`EBUSY`).
    #[error("a queue that would become the host's is assigned to a mediated device")]
    InUse,
}

impl Host {
    /// Reads apmask and aqmask.
    ///
    /// # Locks
    /// Takes P.
    pub fn masks(&self, held: &mut Held<'_, Nothing>) -> (AdapterMask, DomainMask) {
        let (perms, _held) = self.perms.lock(held);
        (perms.adapters, perms.domains)
    }

    /// Writes apmask: asks whether what becomes the host's is in use, commits, revises the bindings.
    ///
    /// # Errors
    /// [`MaskWriteError`]; then nothing has changed.
    ///
    /// # Locks
    /// Takes P, and under it G and M for the question; P is released before any D is taken.
    pub fn write_apmask(
        &self,
        text: &[u8],
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), MaskWriteError> {
        let stored = {
            // Lock order: P -> G -> M
            let (mut perms, mut held) = self.perms.lock(held);
            let new = mask_write(perms.adapters, text)?;
            if new == perms.adapters {
                return Ok(());
            }
            let added = new - perms.adapters;
            if !added.is_empty() && self.in_use(&added, &perms.domains, &mut held, out) {
                return Err(MaskWriteError::InUse);
            }
            perms.adapters = new;
            perms.clone()
        };
        self.revise_bindings(&stored, held, out);
        milestone(|| fingerprint(&stored));
        let new = stored.adapters;
        out.uevent_with(Action::Change, Subject::ApRoot, vec![("APMASK".into(), format!("{new}\n"))]);
        Ok(())
    }

    /// Writes aqmask, as [`Host::write_apmask`].
    ///
    /// # Errors
    /// [`MaskWriteError`]; then nothing has changed.
    ///
    /// # Locks
    /// As [`Host::write_apmask`].
    pub fn write_aqmask(
        &self,
        text: &[u8],
        held: &mut Held<'_, Nothing>,
        out: &dyn Sink,
    ) -> Result<(), MaskWriteError> {
        let stored = {
            // Lock order: P -> G -> M
            let (mut perms, mut held) = self.perms.lock(held);
            let new = mask_write(perms.domains, text)?;
            if new == perms.domains {
                return Ok(());
            }
            let added = new - perms.domains;
            if !added.is_empty() && self.in_use(&perms.adapters, &added, &mut held, out) {
                return Err(MaskWriteError::InUse);
            }
            perms.domains = new;
            perms.clone()
        };
        self.revise_bindings(&stored, held, out);
        milestone(|| fingerprint(&stored));
        let new = stored.domains;
        out.uevent_with(Action::Change, Subject::ApRoot, vec![("AQMASK".into(), format!("{new}\n"))]);
        Ok(())
    }

    /// Re-probes every queue whose driver and reservation disagree.
    ///
    /// The decision, the removal and the new probe of one queue are made under one hold of D and P: a decision
    /// can't become stale between (defect N4 of the reference).
    ///
    /// A queue that agrees with the masks as they were `stored` needs no look under D: every probe holds P until it
    /// has bound the queue, so all that come later know these masks or newer ones, and whoever stores newer ones
    /// revises for them.
    fn revise_bindings(&self, stored: &Perms, held: &mut Held<'_, Nothing>, out: &dyn Sink) {
        out.committed();
        let queues = self.queues_in_order(held);
        let list = || queues.iter().map(|queue| (queue.apqn, queue.generation)).collect::<Vec<_>>();
        for (index, queue) in queues.iter().enumerate() {
            milestone(|| fingerprint(&(index, list(), stored)));
            let driver = queue.state.lock(held).0.driver;
            if stored.reserved(queue.apqn) == driver.is_some_and(DriverId::is_default) {
                continue;
            }
            // Lock order: D -> P
            let (alive, mut held) = queue.device.lock(held);
            if !*alive {
                continue;
            }
            let (mut perms, mut held) = self.perms.lock(&mut held);
            let driver = queue.state.lock(&mut held).0.driver;
            if perms.reserved(queue.apqn) == driver.is_some_and(DriverId::is_default) {
                continue;
            }
            self.detach_queue(queue, &mut held, out);
            self.attach_queue(queue, &mut perms, &mut held, out);
        }
    }
}
