//! A host's twin: an emulated host in this process, booted from what was read of the real one.

use std::cell::RefCell;

use ap_files::machine::Guest;
use ap_files::{BootError, MachineFile, boot};
use ap_plan::state::Driver;
use ap_plan::{State, Store, Write};
use ap_sysfs::{Errno, Filesystem, Session};
use ap_task::state::Part;
use ap_task::{Event, Sink, Task, Work};
use ap_types::{Matrix, QueueSet, Uuid};
use locks::enter;

use crate::import::Imported;
use crate::tree::{Fault, Tree, forget};

/// How long queues may reset after a write, in milliseconds of machine time.
const SETTLE_MS: u64 = 500;

/// A host's twin.
pub struct Twin {
    session: Session,
}

/// Why there is no twin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TwinError {
    /// What was read does not boot.
    #[error("the host's twin: {0}")]
    Boot(#[from] BootError),
    /// What a machine file does not say could not be made.
    #[error("the host's twin: {0}")]
    Made(#[from] Fault),
    /// A guest could not be started.
    #[error("the host's twin: a guest on mdev {0} does not start")]
    Guest(Uuid),
}

/// What of the twin must be what a plan says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// apmask and aqmask.
    pub masks: ap_plan::Masks,
    /// The queues that are bound to vfio_ap.
    pub vfio: QueueSet,
    /// Each mdev's matrix and shadow APCB.
    pub mdevs: Vec<(Uuid, Matrix, Matrix)>,
}

impl Twin {
    /// Boots the twin of a host.
    ///
    /// # Errors
    /// [`TwinError`].
    pub fn of(host: &Imported) -> Result<Twin, TwinError> {
        // Guests start when everything is as it was read.
        let mut session = boot(&MachineFile { guests: Vec::new(), ..host.machine.clone() })?;
        by_override(&mut session, host)?;
        for apqn in host.state.queues.none.iter().filter(|apqn| !host.state.overrides.has(*apqn)) {
            let driver = if host.state.reserved(apqn) { Driver::Host } else { Driver::Vfio };
            put(&mut session, &Write::Unbind(apqn, driver))?;
        }
        for (number, (uuid, mdev)) in host.state.mdevs.iter().enumerate() {
            let Some(holder) = &mdev.holder else { continue };
            let name = holder.guest.clone().filter(|name| Guest::is_name(name));
            let name = name.unwrap_or_else(|| format!("guest-{number}"));
            session.guest(&format!("start {name} {uuid}")).map_err(|_| TwinError::Guest(*uuid))?;
        }
        session.advance(SETTLE_MS);
        let mut twin = Twin { session };
        twin.set_shadows(&host.state);
        twin.forget();
        Ok(twin)
    }

    /// The twin's guests get what the host's guests get: a filtering of today could give them more.
    fn set_shadows(&mut self, state: &State) {
        let seen = self.seen();
        let differ = seen
            .mdevs
            .iter()
            .any(|(uuid, _, shadow)| state.mdevs.get(uuid).is_some_and(|mdev| mdev.shadow != *shadow));
        if !differ {
            return;
        }
        let tree = self.session.tree().clone();
        enter(|held| {
            let mut snapshot = tree.host.snapshot(&tree.machine, held);
            let mut mdevs = (*snapshot.vfio.mdevs).clone();
            let mut guests = (*snapshot.vfio.guests).clone();
            for (id, mdev) in mdevs.list.iter_mut() {
                let Some(shadow) = state.mdevs.get(&mdev.uuid).map(|mdev| mdev.shadow) else { continue };
                mdev.shadow = shadow;
                *mdev.fresh = false;
                for guest in guests.iter_mut().filter(|guest| *guest.hook == Some(*id)) {
                    guest.kvm.apcb = shadow;
                }
            }
            snapshot.vfio.mdevs = Part::new(mdevs);
            snapshot.vfio.guests = Part::new(guests);
            tree.host.restore(&tree.machine, &snapshot, held);
        });
    }

    /// The twin as a tree.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// The twin's session.
    #[must_use]
    pub fn into_session(self) -> Session {
        self.session
    }

    /// Forgets what happened so far.
    pub fn forget(&mut self) {
        forget(&mut self.session);
    }

    /// Writes, and tells `watch` each thing that happens meanwhile, in order; then queues have time to reset.
    ///
    /// # Errors
    /// What the host answers.
    pub fn write(&mut self, write: &Write, watch: &dyn Fn(&Event)) -> Result<(), Errno> {
        let Store { path, text } = write.store();
        let entry = self.session.resolve_following(&path)?;
        let tree = self.session.tree().clone();
        let due = RefCell::new(Vec::new());
        let sink = Watching { watch, due: &due };
        let answer = enter(|held| tree.store(entry.ino, text.as_bytes(), &mut Task::new(held, &sink)));
        if let Some(ring) = tree.controls.ring.borrow().as_ref() {
            due.borrow().iter().for_each(|(work, in_ms)| ring.due(*work, *in_ms));
        }
        self.session.advance(SETTLE_MS);
        self.forget();
        answer.map(|_| ())
    }

    /// What must be what a plan says.
    pub fn seen(&mut self) -> Seen {
        let tree = self.session.tree().clone();
        enter(|held| {
            let (adapters, domains) = tree.host.bus.masks(held);
            let (vfio, mut mdevs) = tree.host.vfio.look(held, |mdevs| {
                let list =
                    mdevs.list.values().map(|mdev| (mdev.uuid, mdev.matrix, mdev.shadow)).collect::<Vec<_>>();
                ((*mdevs.bound).clone(), list)
            });
            mdevs.sort_unstable();
            Seen { masks: ap_plan::Masks { adapters, domains }, vfio, mdevs }
        })
    }

    /// All invariants that do not hold, in words.
    pub fn broken(&mut self) -> Vec<String> {
        let tree = self.session.tree().clone();
        let snapshot = enter(|held| tree.host.snapshot(&tree.machine, held));
        ap_host::invariants::check(&snapshot).iter().map(ToString::to_string).collect()
    }
}

fn put(session: &mut Session, write: &Write) -> Result<(), Fault> {
    let Store { path, text } = write.store();
    session.write(&path, &text)
}

/// What masks do not say: queues that are bound by their override, or were, and the mdevs that have them.
fn by_override(session: &mut Session, host: &Imported) -> Result<(), TwinError> {
    let State { overrides, queues, mdevs, .. } = &host.state;
    let lost = host.state.unprotected();
    let all = [&overrides.vfio, &overrides.host, &overrides.other, &lost];
    let all: QueueSet = all.into_iter().flat_map(|set| set.iter().collect::<Vec<_>>()).collect();
    let free = queues.vfio.iter().filter(|apqn| host.state.reserved(*apqn)).collect::<Vec<_>>();
    for apqn in all.iter().chain(free) {
        if queues.vfio.contains(apqn) && host.state.reserved(apqn) {
            put(session, &Write::Override(apqn, Some(Driver::Vfio)))?;
            // Bound already if it was met twice.
            let _ = put(session, &Write::Unbind(apqn, Driver::Host));
            let _ = put(session, &Write::Bind(apqn, Driver::Vfio));
        } else if queues.none.contains(apqn) {
            let _ = put(session, &Write::Unbind(apqn, Driver::Host));
        }
    }
    for (uuid, mdev) in mdevs {
        if !host.machine.mdevs.iter().any(|known| known.uuid == *uuid) {
            put(session, &Write::Create(*uuid))?;
            put(session, &Write::Config(*uuid, mdev.matrix))?;
        }
    }
    for apqn in queues.vfio.iter().chain(all.iter()) {
        if host.state.reserved(apqn) || overrides.has(apqn) {
            put(session, &Write::Override(apqn, overrides.of(apqn)))?;
        }
    }
    for apqn in &overrides.other {
        session.write(&format!("devices/ap/card{}/{apqn}/driver_override", apqn.adapter), "another")?;
    }
    Ok(())
}

impl Seen {
    /// What a plan's model says of the same.
    #[must_use]
    pub fn of(state: &State) -> Seen {
        let mdevs = state.mdevs.iter().map(|(uuid, mdev)| (*uuid, mdev.matrix, mdev.shadow)).collect();
        Seen { masks: state.masks, vfio: state.queues.vfio.clone(), mdevs }
    }

    /// Whether a guest's queues are all that a plan says, or more: a filtering may give back what an earlier one took.
    #[must_use]
    pub fn has_at_least(&self, wanted: &Seen) -> bool {
        let with_less = |(own, wanted): (&(Uuid, Matrix, Matrix), &(Uuid, Matrix, Matrix))| {
            own.0 == wanted.0
                && own.1 == wanted.1
                && wanted.2.adapters.is_subset(&own.2.adapters)
                && wanted.2.domains.is_subset(&own.2.domains)
        };
        self.masks == wanted.masks
            && self.vfio == wanted.vfio
            && self.mdevs.len() == wanted.mdevs.len()
            && self.mdevs.iter().zip(&wanted.mdevs).all(with_less)
    }
}

/// Tells what happens, and keeps what is due.
struct Watching<'a> {
    watch: &'a dyn Fn(&Event),
    due: &'a RefCell<Vec<(Work, u64)>>,
}

impl Sink for Watching<'_> {
    fn event(&self, event: Event) {
        (self.watch)(&event);
    }

    fn due(&self, work: Work, in_ms: u64) {
        self.due.borrow_mut().push((work, in_ms));
    }
}
