//! One step on a host: whether it was done, doing it, and looking at what came of it.

use std::collections::BTreeMap;

use ap_plan::state::Driver;
use ap_plan::{Holder, Step, Write};
use ap_types::{Apqn, Matrix, QueueSet, Uuid};

use crate::effect::{Stands, stands};
use crate::import::{holder_of, shadow_of};
use crate::report::Report;
use crate::tree::{Fault, Tree};
use crate::undo::{Undoable, matrix_of};

/// How long queues may reset, in milliseconds.
const MOST_RESETTING_MS: u64 = 30_000;
/// After so long it is looked at whether a queue can reset at all.
const SOON_MS: u64 = 1_000;
/// How often they are looked at meanwhile.
const LOOK_MS: u64 = 40;

/// Who had which mdev open when an apply began.
pub(crate) type Held = BTreeMap<Uuid, String>;

/// What went wrong with a step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The journal cannot be written.
    #[error("the journal: {0}")]
    Journal(Fault),
    /// The host refuses.
    #[error("`{store}` was answered {}", .fault.name)]
    Refused {
        /// The write.
        store: String,
        /// The answer.
        fault: Fault,
    },
    /// The host looks otherwise than its twin.
    #[error("after `{store}`: {what}")]
    Differs {
        /// The write.
        store: String,
        /// What is otherwise.
        what: String,
    },
    /// Somebody has opened an mdev that queues are to be taken from.
    #[error("{holder} has opened mdev {mdev} meanwhile")]
    Came {
        /// The mdev.
        mdev: Uuid,
        /// Who.
        holder: Holder,
    },
    /// Something cannot be read.
    #[error("{0}")]
    Unreadable(Fault),
}

/// What a write takes from an mdev.
fn takes(write: &Write, old: &Matrix) -> Option<Uuid> {
    match write {
        Write::Remove(uuid) => Some(*uuid),
        Write::Config(uuid, new) => {
            let less = !old.adapters.is_subset(&new.adapters)
                || !old.domains.is_subset(&new.domains)
                || !old.control_domains.is_subset(&new.control_domains);
            less.then_some(*uuid)
        }
        _ => None,
    }
}

/// Somebody who has opened an mdev since the apply began, if this write takes from it.
///
/// # Errors
/// [`Trouble::Came`].
pub(crate) fn nobody_came(tree: &mut dyn Tree, write: &Write, held: &Held) -> Result<(), Trouble> {
    let mdev = match write {
        Write::Remove(mdev) | Write::Config(mdev, _) => *mdev,
        _ => return Ok(()),
    };
    let old = matrix_of(tree, mdev).map_err(Trouble::Unreadable)?.unwrap_or_default();
    if takes(write, &old).is_none() {
        return Ok(());
    }
    let known = if matches!(write, Write::Remove(_)) { None } else { held.get(&mdev) };
    // The very last call before the write.
    match holder_of(tree, mdev) {
        Some(holder) if known != Some(&holder.to_string()) => Err(Trouble::Came { mdev, holder }),
        _ => Ok(()),
    }
}

/// Writes, and nothing else.
///
/// # Errors
/// [`Trouble::Refused`].
pub(crate) fn write(tree: &mut dyn Tree, write: &Write) -> Result<(), Trouble> {
    let store = write.store();
    tree.write(&store.path, &store.text).map_err(|fault| Trouble::Refused { store: store.to_string(), fault })
}

/// Looks at what came of a step: its own file, the drivers of the queues that it moves, resets, its guest.
///
/// # Errors
/// [`Trouble`].
pub(crate) fn look(
    tree: &mut dyn Tree,
    step: &Step,
    held: &Held,
    report: &mut dyn FnMut(Report<'_>),
) -> Result<(), Trouble> {
    let store = step.write.store().to_string();
    let differs = |what: String| Trouble::Differs { store: store.clone(), what };
    if let Write::Config(uuid, _) = &step.write {
        // First of all: the less time there is between, the fewer guests come in it.
        look_at_guest(tree, step, *uuid, held, &differs)?;
    }
    match stands(tree, &[Undoable::of(step)], 0).map_err(Trouble::Unreadable)? {
        Stands::After => {}
        Stands::Neither(text) => return Err(differs(text)),
        Stands::Before | Stands::Half => return Err(differs("it reads as before".to_owned())),
    }
    match &step.write {
        Write::Apmask(_) | Write::Aqmask(_) => look_at_queues(tree, step, &differs, report),
        Write::Bind(apqn, Driver::Host) => resets_end(tree, step, vec![*apqn], &differs, report),
        _ => Ok(()),
    }
}

/// The queues that a mask write moves have the drivers that the twin's have, and the host's have reset.
fn look_at_queues(
    tree: &mut dyn Tree,
    step: &Step,
    differs: &dyn Fn(String) -> Trouble,
    report: &mut dyn FnMut(Report<'_>),
) -> Result<(), Trouble> {
    let (old, new) = (&step.before.queues, &step.after.queues);
    let gained = |old: &QueueSet, new: &QueueSet| -> Vec<Apqn> {
        new.adapters()
            .iter()
            .flat_map(|adapter| {
                (new.row(adapter) - old.row(adapter)).iter().map(move |d| Apqn::new(adapter, d))
            })
            .collect()
    };
    let (to_vfio, to_host) = (gained(&old.vfio, &new.vfio), gained(&old.host, &new.host));
    let bound = |tree: &mut dyn Tree, driver: &str| -> Result<QueueSet, Trouble> {
        let names = tree.list(&format!("bus/ap/drivers/{driver}")).map_err(Trouble::Unreadable)?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    };
    let vfio = if step.before.vfio_ap { bound(tree, "vfio_ap")? } else { QueueSet::new() };
    for (apqn, wanted) in to_vfio.iter().map(|q| (*q, true)).chain(to_host.iter().map(|q| (*q, false))) {
        // A queue that is gone by now went with its adapter: nobody's doing here.
        if vfio.contains(apqn) != wanted && tree.link(&format!("bus/ap/devices/{apqn}")).is_ok() {
            let verb = if wanted { "is not" } else { "is still" };
            return Err(differs(format!("queue {apqn} {verb} bound to vfio_ap")));
        }
    }
    resets_end(tree, step, to_host, differs, report)
}

/// Waits until queues of the host's have reset.
fn resets_end(
    tree: &mut dyn Tree,
    step: &Step,
    mut resetting: Vec<Apqn>,
    differs: &dyn Fn(String) -> Trouble,
    report: &mut dyn FnMut(Report<'_>),
) -> Result<(), Trouble> {
    resetting.retain(|apqn| !step.before.off.contains(*apqn));
    let mut waited = 0;
    loop {
        // Those that are done are not asked again; of the others one is enough to know that it is not over.
        while let Some(apqn) = resetting.last() {
            let path = format!("devices/ap/card{}/{apqn}/reset", apqn.adapter);
            let resets = tree.read(&path).is_ok_and(|text| text.starts_with("Reset in progress"));
            if resets && (waited < SOON_MS || is_on(tree, *apqn)) {
                break;
            }
            resetting.pop();
        }
        let Some(apqn) = resetting.last() else { return Ok(()) };
        if waited >= MOST_RESETTING_MS {
            return Err(differs(format!("queue {apqn} does not end its reset")));
        }
        report(Report::Resetting(resetting.len()));
        tree.sleep(LOOK_MS);
        waited += LOOK_MS;
    }
}

/// Whether a queue is neither deconfigured nor checkstopped: only then its reset ends.
fn is_on(tree: &mut dyn Tree, apqn: Apqn) -> bool {
    let directory = format!("devices/ap/card{}/{apqn}", apqn.adapter);
    let says = |tree: &mut dyn Tree, file: &str, off: &str| {
        tree.read(&format!("{directory}/{file}")).is_ok_and(|text| text.trim_end() == off)
    };
    !says(tree, "config", "0") && !says(tree, "chkstop", "1")
}

/// Whether a guest is known to have opened its mdev after the write: the emulation tells how often its APCB was set,
/// and a write would have been the second time. Of a real host's guest nobody knows.
fn came_after(tree: &mut dyn Tree, holder: &Holder) -> bool {
    let text = tree.read("kernel/debug/apmatrix/state").unwrap_or_default();
    let guests = ap_files::state::guests(&text).unwrap_or_default();
    guests
        .iter()
        .any(|guest| Some(&guest.name) == holder.guest.as_ref() && guest.hook && guest.set_masks <= 1)
}

/// Somebody opened an mdev in the moment of a write that took from it. Whether it was before or after the write nobody
/// can tell, so it is given both, old and new; where that is not possible, the old.
fn give_back(tree: &mut dyn Tree, write: &Write, old: &Matrix) {
    let Write::Config(uuid, new) = write else { return };
    let both = Matrix {
        adapters: old.adapters | new.adapters,
        domains: old.domains | new.domains,
        control_domains: old.control_domains | new.control_domains,
    };
    for matrix in [both, *old] {
        if self::write(tree, &Write::Config(*uuid, matrix)).is_ok() {
            return;
        }
    }
}

/// A guest has what it had, as far as its mdev still has it and the machine does, too.
fn look_at_guest(
    tree: &mut dyn Tree,
    step: &Step,
    uuid: Uuid,
    held: &Held,
    differs: &dyn Fn(String) -> Trouble,
) -> Result<(), Trouble> {
    if !held.contains_key(&uuid) {
        let old = step.before.mdevs.get(&uuid).map(|mdev| mdev.matrix).unwrap_or_default();
        let Some(mdev) = takes(&step.write, &old) else { return Ok(()) };
        let Some(holder) = holder_of(tree, uuid) else { return Ok(()) };
        if !came_after(tree, &holder) {
            give_back(tree, &step.write, &old);
        }
        return Err(Trouble::Came { mdev, holder });
    }
    let Some(wanted) = step.after.mdevs.get(&uuid).map(|mdev| mdev.shadow) else { return Ok(()) };
    let Some(has) = shadow_of(tree, uuid) else { return Ok(()) };
    for adapter in wanted.adapters - has.adapters {
        let there = wanted
            .domains
            .iter()
            .all(|domain| tree.link(&format!("bus/ap/devices/{}", Apqn::new(adapter, domain))).is_ok());
        if there {
            return Err(differs(format!("adapter {} is missing from the guest of mdev {uuid}", adapter.0)));
        }
    }
    Ok(())
}
