//! Plans: the steps, why each, what takes it back, and whose queues change.

use std::collections::BTreeMap;

use ap_files::desired::Give;
use ap_types::{AdapterId, Apqn, DomainMask, Matrix, QueueSet, Uuid};

use crate::allow::Allow;
use crate::hindrances::{obstacles, taken};
use crate::obstacle::{NoPlan, Obstacle, What};
use crate::overrides::{self, changes_way};
use crate::reason::{Queues, adapters, domains};
use crate::search::Things;
use crate::state::{Owner, State};
use crate::target::Target;
use crate::write::Write;

/// Writes in an order in which a host as it was read refuses none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The host as it was read.
    pub before: State,
    /// The host as it is to be.
    pub after: State,
    /// What is wanted.
    pub target: Target,
    /// The writes.
    pub steps: Vec<Step>,
    /// The writes that there have to be in any case.
    pub least: usize,
    /// The most writes that there could have been.
    pub most: usize,
    /// Whether there are none with fewer writes.
    pub fewest: bool,
}

/// One write of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The write.
    pub write: Write,
    /// What it is for.
    pub why: String,
    /// What takes it back.
    pub inverse: Vec<Write>,
    /// The host before it.
    pub before: State,
    /// The host after it.
    pub after: State,
}

/// A queue that changes hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Which.
    pub queue: Apqn,
    /// Whose it was.
    pub before: Owner,
    /// Whose it is to be.
    pub after: Owner,
}

/// Above so many steps, steps are not exchanged any more to shorten the time that queues are nobody's.
const MOST_EXCHANGED: usize = 64;

/// Plans what brings a host to a target.
///
/// # Errors
/// [`NoPlan`]: everything that is in the way.
pub fn plan(state: &State, target: &Target, allow: &Allow) -> Result<Plan, NoPlan> {
    planned(state, target, allow, false)
}

/// `home`: also what is nobody's is to be the host's.
fn planned(state: &State, target: &Target, allow: &Allow, home: bool) -> Result<Plan, NoPlan> {
    let found = obstacles(state, target, allow);
    if !found.is_empty() {
        return Err(NoPlan { obstacles: found });
    }
    if changes_way(state, target) {
        return by_way_of_home(state, target, allow);
    }
    if target.give == Give::Override {
        let Some((writes, least, fewest)) = overrides::writes(state, target, home) else {
            return Err(stuck(state, target));
        };
        let steps = steps(state, target, &writes)?;
        let most = writes.len().max(least + target.mdevs.len());
        return Ok(Plan::of(state, target, steps, Count { least, most, fewest }));
    }
    let things = Things::of(state, target);
    let Some(order) = things.order() else { return Err(stuck(state, target)) };
    let writes = shortened(state, target, &changing(state, target), order.writes);
    let steps = steps(state, target, &writes)?;
    let count = Count { least: things.least(), most: things.most(), fewest: order.fewest };
    Ok(Plan::of(state, target, steps, count))
}

/// From masks to overrides or back: a plan that brings everything home, and one from there.
fn by_way_of_home(state: &State, target: &Target, allow: &Allow) -> Result<Plan, NoPlan> {
    let home = planned(state, &overrides::home(state, target), allow, true)?;
    let on = plan(&home.after, target, allow)?;
    let count =
        Count { least: home.least + on.least, most: home.most + on.most, fewest: home.fewest && on.fewest };
    Ok(Plan::of(state, target, home.steps.into_iter().chain(on.steps).collect(), count))
}

/// How many writes there are.
struct Count {
    least: usize,
    most: usize,
    fewest: bool,
}

/// The writes as steps, if none is refused and no guest loses what it is to keep.
fn steps(state: &State, target: &Target, writes: &[Write]) -> Result<Vec<Step>, NoPlan> {
    let mut steps = Vec::with_capacity(writes.len());
    let mut now = state.clone();
    for write in writes {
        let next = match now.after(write) {
            Ok(next) => next,
            Err(refusal) => return Err(refused(&now, write, refusal)),
        };
        if let Some(obstacle) = loses(state, target, &next) {
            return Err(NoPlan { obstacles: vec![obstacle] });
        }
        let (why, inverse) = (why(&now, &next, write), write.inverse(&now));
        steps.push(Step { write: *write, why, inverse, before: now, after: next.clone() });
        now = next;
    }
    Ok(steps)
}

/// A guest that has lost a queue that it is to keep.
fn loses(start: &State, target: &Target, now: &State) -> Option<Obstacle> {
    for (mdev, old) in start.mdevs.iter().filter(|(_, mdev)| mdev.holder.is_some()) {
        let keeps = old.shadow.shared(target.mdevs.get(mdev)?);
        let has = now.mdevs.get(mdev).map(|mdev| mdev.shadow).unwrap_or_default();
        let lost = taken(&keeps, &has);
        if lost.has_queues() {
            let holder = old.holder.clone().unwrap_or_default();
            let remedy = format!("stop {holder} first");
            return Some(Obstacle { what: What::Unplug { mdev: *mdev, holder, queues: lost }, remedy });
        }
    }
    None
}

/// What refuses the last writes, with everything else as it is to be.
fn stuck(state: &State, target: &Target) -> NoPlan {
    let mut there = state.clone();
    for (uuid, matrix) in &target.mdevs {
        if let Some(mdev) = there.mdevs.get_mut(uuid) {
            mdev.matrix = *matrix;
        }
    }
    let writes = [
        Write::Apmask(crate::write::Delta::between(state.masks.adapters, target.masks.adapters)),
        Write::Aqmask(crate::write::Delta::between(state.masks.domains, target.masks.domains)),
    ];
    for write in &writes {
        if let Err(refusal) = there.after(write) {
            return refused(&there, write, refusal);
        }
    }
    // It could be written, and not be taken back.
    for write in &writes {
        let Ok(after) = there.after(write) else { continue };
        for back in write.inverse(&there) {
            if let Err(refusal) = after.after(&back) {
                let mask = if matches!(write, Write::Apmask(_)) { "apmask" } else { "aqmask" };
                let remedy = refusal.remedy(&after).to_string();
                return NoPlan {
                    obstacles: vec![Obstacle { what: What::NoWayBack { mask, refusal }, remedy }],
                };
            }
        }
    }
    NoPlan { obstacles: vec![Obstacle { what: What::NoOrder, remedy: "change it in two plans".to_owned() }] }
}

fn refused(state: &State, write: &Write, refusal: crate::reason::Refusal) -> NoPlan {
    let remedy = refusal.remedy(state).to_string();
    let what = match write {
        Write::Apmask(_) => What::Mask { mask: "apmask", refusal },
        Write::Aqmask(_) => What::Mask { mask: "aqmask", refusal },
        Write::Override(queue, _) | Write::Unbind(queue, _) | Write::Bind(queue, _) => {
            What::Queue { queue: *queue, refusal }
        }
        Write::Create(mdev) | Write::Remove(mdev) | Write::Config(mdev, _) => {
            What::Mdev { mdev: *mdev, refusal }
        }
    };
    NoPlan { obstacles: vec![Obstacle { what, remedy }] }
}

/// The queues that have an owner before and another one after.
fn changing(state: &State, target: &Target) -> QueueSet {
    let mut set = QueueSet::new();
    let mut differ = |from: &Matrix, to: &Matrix| {
        for (a, b) in [(from, to), (to, from)] {
            let whole = a.adapters - b.adapters;
            set.insert_product(&whole, &a.domains);
            set.insert_product(&(a.adapters & b.adapters), &(a.domains - b.domains));
        }
    };
    let empty = Matrix::default();
    for (uuid, mdev) in &state.mdevs {
        differ(&mdev.matrix, target.mdevs.get(uuid).unwrap_or(&empty));
    }
    for (uuid, matrix) in target.mdevs.iter().filter(|(uuid, _)| !state.mdevs.contains_key(uuid)) {
        let _ = uuid;
        differ(&empty, matrix);
    }
    set
}

/// How many of those queues are nobody's.
fn nobodys(state: &State, of: &QueueSet) -> usize {
    let mut rows: BTreeMap<AdapterId, DomainMask> = of.adapters().iter().map(|a| (a, of.row(a))).collect();
    for (adapter, row) in &mut rows {
        *row -= state.queues.host.row(*adapter);
    }
    for mdev in state.mdevs.values() {
        for adapter in mdev.matrix.adapters & of.adapters() {
            if let Some(row) = rows.get_mut(&adapter) {
                *row -= mdev.matrix.domains;
            }
        }
    }
    rows.values().map(DomainMask::count).sum()
}

/// Exchanges neighbours as long as that shortens the time in which queues are nobody's, and nothing is refused for it.
fn shortened(state: &State, target: &Target, changing: &QueueSet, mut writes: Vec<Write>) -> Vec<Write> {
    if writes.len() > MOST_EXCHANGED {
        return writes;
    }
    let assigned = target.assigned();
    let mut better = true;
    while better {
        better = false;
        let mut now = state.clone();
        let mut at = 0;
        while at + 1 < writes.len() {
            let Ok(mid) = now.after(&writes[at]) else { return writes };
            let exchanged = now.after(&writes[at + 1]).ok().filter(|other| {
                nobodys(other, changing) < nobodys(&mid, changing)
                    && fair(&now, other, &assigned)
                    && returns(&now, other, &writes[at + 1])
                    && loses(state, target, other).is_none()
                    && match (other.after(&writes[at]), mid.after(&writes[at + 1])) {
                        (Ok(a), Ok(b)) => {
                            a == b && fair(other, &a, &assigned) && returns(other, &a, &writes[at])
                        }
                        _ => false,
                    }
            });
            now = match exchanged {
                Some(other) => {
                    writes.swap(at, at + 1);
                    better = true;
                    other
                }
                None => mid,
            };
            at += 1;
        }
    }
    writes
}

/// Whether a write can be taken back at once.
fn returns(before: &State, after: &State, write: &Write) -> bool {
    let back = write.inverse(before);
    back.iter().try_fold(after.clone(), |now, write| now.after(write)).is_ok()
}

/// Whether a write gives the host no queue that is to be an mdev's.
fn fair(before: &State, after: &State, assigned: &QueueSet) -> bool {
    let host = &after.queues.host;
    host.adapters().iter().all(|adapter| {
        let gained = host.row(adapter) - before.queues.host.row(adapter);
        !gained.intersects(&assigned.row(adapter))
    })
}

/// What a step is for.
fn why(before: &State, after: &State, write: &Write) -> String {
    let gained = |a: &QueueSet, b: &QueueSet| {
        let rows = a.adapters().iter().map(|id| (a.row(id) - b.row(id)).count());
        rows.sum::<usize>()
    };
    let (host, old) = (&after.queues.host, &before.queues.host);
    let count = |n: usize| if n == 1 { "1 queue".to_owned() } else { format!("{n} queues") };
    let mask = |cleared: Option<String>, set: Option<String>| {
        let gives = cleared.map(|ids| format!("gives up {ids} ({})", count(gained(old, host))));
        let takes = set.map(|ids| format!("takes {ids} ({})", count(gained(host, old))));
        let both: Vec<String> = gives.into_iter().chain(takes).collect();
        format!("the host {}", both.join(" and "))
    };
    match write {
        Write::Apmask(delta) => mask(
            Some(delta.clear()).filter(|ids| !ids.is_empty()).map(|ids| adapters(&ids)),
            Some(delta.set()).filter(|ids| !ids.is_empty()).map(|ids| adapters(&ids)),
        ),
        Write::Aqmask(delta) => mask(
            Some(delta.clear()).filter(|ids| !ids.is_empty()).map(|ids| domains(&ids)),
            Some(delta.set()).filter(|ids| !ids.is_empty()).map(|ids| domains(&ids)),
        ),
        Write::Override(apqn, Some(driver)) => {
            format!("queue {apqn} is to be {}'s from now on", driver.name())
        }
        Write::Override(apqn, None) => format!("queue {apqn} goes by the masks again"),
        Write::Unbind(apqn, driver) => format!("queue {apqn} leaves {}", driver.name()),
        Write::Bind(apqn, driver) => format!("queue {apqn} comes to {}", driver.name()),
        Write::Create(uuid) => format!("mdev {uuid} is made"),
        Write::Remove(uuid) => {
            let old = before.mdevs.get(uuid).map(|mdev| mdev.matrix).unwrap_or_default();
            match old.has_queues() {
                true => format!("mdev {uuid} goes, with {}", Queues(&old)),
                false => format!("mdev {uuid} goes"),
            }
        }
        Write::Config(uuid, matrix) => config_why(before, *uuid, matrix),
    }
}

fn config_why(before: &State, uuid: Uuid, new: &Matrix) -> String {
    let old = before.mdevs.get(&uuid).map(|mdev| mdev.matrix).unwrap_or_default();
    let mut parts = Vec::new();
    let mut say = |verb: &str, what: String| parts.push(format!("{verb} {what}"));
    for (verb, a, b) in [("gives up", &old, new), ("takes", new, &old)] {
        let (ids, ids_of_domains) = (a.adapters - b.adapters, a.domains - b.domains);
        if !ids.is_empty() {
            say(verb, adapters(&ids));
        }
        if !ids_of_domains.is_empty() {
            say(verb, domains(&ids_of_domains));
        }
    }
    if old.control_domains != new.control_domains {
        say("changes", "its control domains".to_owned());
    }
    let holder = before.mdevs.get(&uuid).and_then(|mdev| mdev.holder.as_ref());
    let of = holder.map_or_else(String::new, |holder| format!(" of {holder}"));
    format!("mdev {uuid}{of} {}", parts.join(", "))
}

impl Plan {
    fn of(state: &State, target: &Target, steps: Vec<Step>, count: Count) -> Plan {
        let Count { least, most, fewest } = count;
        let after = steps.last().map_or_else(|| state.clone(), |step| step.after.clone());
        Plan { before: state.clone(), after, target: target.clone(), steps, least, most, fewest }
    }

    /// Whether everything is the host's on the way: queues are to be given in another way.
    #[must_use]
    pub fn by_way_of_home(&self) -> bool {
        changes_way(&self.before, &self.target)
    }

    /// The queues that change hands, ascending.
    #[must_use]
    pub fn moved(&self) -> Vec<Moved> {
        let Plan { before, after, .. } = self;
        let mut sets = QueueSet::new();
        for (a, b) in [
            (&before.queues.host, &after.queues.host),
            (&after.queues.host, &before.queues.host),
            (&before.queues.none, &after.queues.none),
        ] {
            for adapter in a.adapters() {
                sets.insert_product(
                    &ap_types::AdapterMask::single(adapter),
                    &(a.row(adapter) - b.row(adapter)),
                );
            }
        }
        let changing = changing(before, &self.target);
        for adapter in changing.adapters() {
            sets.insert_product(&ap_types::AdapterMask::single(adapter), &changing.row(adapter));
        }
        let (old, new) = (Owners::of(before), Owners::of(after));
        sets.iter()
            .filter_map(|queue| {
                let (before, after) = (old.of_queue(queue)?, new.of_queue(queue)?);
                (before != after).then_some(Moved { queue, before, after })
            })
            .collect()
    }

    /// How long queues that change hands are nobody's, in queues × steps.
    #[must_use]
    pub fn nobodys(&self) -> usize {
        let changing = changing(&self.before, &self.target);
        self.steps.iter().map(|step| nobodys(&step.after, &changing)).sum()
    }
}

/// The owner of each queue, looked up quickly.
struct Owners<'a> {
    state: &'a State,
    assigned: BTreeMap<Apqn, Uuid>,
}

impl<'a> Owners<'a> {
    fn of(state: &'a State) -> Owners<'a> {
        let queues =
            state.mdevs.iter().flat_map(|(uuid, mdev)| mdev.matrix.queues().map(|queue| (queue, *uuid)));
        Owners { state, assigned: queues.collect() }
    }

    fn of_queue(&self, queue: Apqn) -> Option<Owner> {
        let bindings = &self.state.queues;
        match (bindings.host.contains(queue), self.assigned.get(&queue)) {
            (true, _) => Some(Owner::Host),
            (_, Some(uuid)) if self.state.exists(queue) => Some(Owner::Mdev(*uuid)),
            _ if bindings.vfio.contains(queue) => Some(Owner::Free),
            _ if bindings.none.contains(queue) => Some(Owner::Unbound),
            _ => None,
        }
    }
}
