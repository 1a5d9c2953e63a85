//! A plan is run on the host's twin before anybody sees it, and each promise is looked at there.

use std::cell::RefCell;
use std::collections::BTreeMap;

use ap_plan::{Owner, Plan, Write};
use ap_task::{Action, Event, Instruction, Subject};
use ap_types::{Apqn, Matrix, QueueSet, ResponseCode, Uuid};

use crate::twin::{Seen, Twin};

/// What a plan promises. (The order is that of the issue.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Promise {
    /// No step is refused by a host that is as it was read.
    Accepted,
    /// A queue that goes to an mdev is never the host's on the way, and none is nobody's longer than needed.
    NotByTheHost,
    /// A running guest loses only what the desired state takes and the user allows; it has what it keeps all the time.
    GuestsKeep,
    /// Whoever changes hands is reset in between.
    Reset,
    /// There are no plans with fewer writes, or not more than the bound.
    Fewest,
    /// Every prefix can be taken back.
    Reversible,
    /// What others do meanwhile makes nothing worse than a refused step.
    Undisturbed,
}

/// A promise, and how it was found to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarantee {
    /// Which.
    pub promise: Promise,
    /// How it was checked, and what was seen.
    pub how: String,
}

/// A promise that the twin breaks: a defect of the planner, and no plan to be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("promise {} ({promise:?}) does not hold on the host's twin: {what}", promise.number())]
pub struct Broken {
    /// Which.
    pub promise: Promise,
    /// How.
    pub what: String,
}

/// A plan that was rehearsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsed {
    /// What the twin answered to each step.
    pub answers: Vec<String>,
    /// The promises that hold.
    pub guarantees: Vec<Guarantee>,
}

impl Promise {
    /// All of them.
    pub const ALL: [Promise; 7] = [
        Promise::Accepted,
        Promise::NotByTheHost,
        Promise::GuestsKeep,
        Promise::Reset,
        Promise::Fewest,
        Promise::Reversible,
        Promise::Undisturbed,
    ];

    /// Its number, 1-7.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// What it says.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Promise::Accepted => "no step is refused by a host that is as it was read",
            Promise::NotByTheHost => {
                "a queue that goes to an mdev is never the host's on the way, and none is nobody's longer than needed"
            }
            Promise::GuestsKeep => {
                "a running guest loses a queue only if that is wanted and allowed; it has those that it keeps all the time"
            }
            Promise::Reset => "whoever changes owner is reset in between",
            Promise::Fewest => "fewest writes",
            Promise::Reversible => "every prefix can be taken back",
            Promise::Undisturbed => "what others do meanwhile makes nothing worse than a refused step",
        }
    }

    fn broken(self, what: impl Into<String>) -> Broken {
        Broken { promise: self, what: what.into() }
    }
}

/// Runs a plan on the twin, and back again.
///
/// # Errors
/// [`Broken`]: the first promise that does not hold.
pub fn rehearse(twin: &mut Twin, plan: &Plan) -> Result<Rehearsed, Broken> {
    let start = twin.seen();
    if !start.has_at_least(&Seen::of(&plan.before)) {
        return Err(Promise::Accepted.broken(differs(&start, &Seen::of(&plan.before))));
    }
    let watch = RefCell::new(Watch::new(plan));
    let mut answers = Vec::new();
    for (number, step) in plan.steps.iter().enumerate() {
        let store = step.write.store();
        watch.borrow_mut().resets = 0;
        if let Err(errno) = twin.write(&step.write, &|event| watch.borrow_mut().see(event)) {
            let name = errno.name();
            return Err(Promise::Accepted.broken(format!("step {}, `{store}`: {name}", number + 1)));
        }
        let (seen, wanted) = (twin.seen(), Seen::of(&step.after));
        if !seen.has_at_least(&wanted) {
            let what = format!("step {}, `{store}`: {}", number + 1, differs(&seen, &wanted));
            return Err(Promise::Accepted.broken(what));
        }
        if let Some(broken) = watch.borrow_mut().wrong.take() {
            return Err(broken);
        }
        answers.push(format!("ok, {} queue resets", watch.borrow().resets));
    }
    if let Some(what) = twin.broken().into_iter().next() {
        return Err(Promise::Accepted.broken(what));
    }
    take_back(twin, plan)?;
    Ok(Rehearsed { answers, guarantees: guarantees(plan, &watch.into_inner()) })
}

/// Each step's inverse leads from the state after it to the state before it. So every prefix can be taken back: it ends
/// in such a state.
fn take_back(twin: &mut Twin, plan: &Plan) -> Result<(), Broken> {
    for (number, step) in plan.steps.iter().enumerate().rev() {
        for write in &step.inverse {
            let store = write.store();
            twin.write(write, &|_| {}).map_err(|errno| {
                Promise::Reversible.broken(format!("step {} back, `{store}`: {}", number + 1, errno.name()))
            })?;
        }
        let (seen, wanted) = (twin.seen(), Seen::of(&step.before));
        if !seen.has_at_least(&wanted) {
            let what = format!("after step {} was taken back: {}", number + 1, differs(&seen, &wanted));
            return Err(Promise::Reversible.broken(what));
        }
    }
    Ok(())
}

/// The first thing in which two differ.
fn differs(seen: &Seen, wanted: &Seen) -> String {
    if seen.masks != wanted.masks {
        return format!("the masks are {:?}, not {:?}", seen.masks, wanted.masks);
    }
    if seen.vfio != wanted.vfio {
        let odd = |a: &QueueSet, b: &QueueSet| a.iter().find(|apqn| !b.contains(*apqn));
        return match (odd(&seen.vfio, &wanted.vfio), odd(&wanted.vfio, &seen.vfio)) {
            (Some(apqn), _) => format!("queue {apqn} is bound to vfio_ap"),
            (None, Some(apqn)) => format!("queue {apqn} is not bound to vfio_ap"),
            (None, None) => "the bindings differ".to_owned(),
        };
    }
    let other = seen.mdevs.iter().find(|mdev| !wanted.mdevs.contains(mdev));
    let mdev = other.or_else(|| wanted.mdevs.iter().find(|mdev| !seen.mdevs.contains(mdev)));
    mdev.map_or_else(String::new, |(uuid, ..)| format!("mdev {uuid} is not as the plan says"))
}

/// What happens to queues and guests while a plan runs.
struct Watch {
    /// Queues that some mdev has in the end: never the host's.
    assigned: QueueSet,
    /// Queues with data of whoever used them last.
    used: QueueSet,
    /// What each running guest keeps, and what it has now.
    guests: BTreeMap<String, Guest>,
    resets: usize,
    /// Queues are to be given in another way: all are the host's in between, and nobody promises otherwise.
    by_way_of_home: bool,
    wrong: Option<Broken>,
}

struct Guest {
    mdev: Uuid,
    keeps: Matrix,
    has: Matrix,
}

impl Watch {
    fn new(plan: &Plan) -> Watch {
        let mut used = plan.before.queues.host.clone();
        let mut guests = BTreeMap::new();
        for (number, (uuid, mdev)) in plan.before.mdevs.iter().enumerate() {
            let Some(holder) = &mdev.holder else { continue };
            used.insert_product(&mdev.shadow.adapters, &mdev.shadow.domains);
            let wanted = plan.target.mdevs.get(uuid).copied().unwrap_or_default();
            let name = holder.guest.clone().filter(|name| !name.contains(char::is_whitespace));
            let name = name.unwrap_or_else(|| format!("guest-{number}"));
            let keeps = Guest { mdev: *uuid, keeps: mdev.shadow.shared(&wanted), has: mdev.shadow };
            guests.insert(name, keeps);
        }
        // One that the masks reserve already is the host's, whether or not somebody has unbound it.
        let mut assigned = plan.target.assigned();
        for apqn in plan.before.queues.none.iter().filter(|apqn| plan.before.reserved(*apqn)) {
            assigned.remove(apqn);
        }
        Watch { assigned, used, guests, resets: 0, by_way_of_home: plan.by_way_of_home(), wrong: None }
    }

    fn fail(&mut self, promise: Promise, what: String) {
        self.wrong.get_or_insert(promise.broken(what));
    }

    fn see(&mut self, event: &Event) {
        match event {
            Event::Instruction(Instruction::Zapq(apqn, ResponseCode::NORMAL))
            | Event::Instruction(Instruction::Rapq(apqn, ResponseCode::NORMAL, _)) => {
                self.resets += 1;
                self.used.remove(*apqn);
            }
            // It was to be reset, and cannot be while it is broken or not configured; vfio_ap is content
            // with that, and so is the oracle of clean hand-over (page 3, "Reset of a queue").
            Event::Instruction(Instruction::Zapq(
                apqn,
                ResponseCode::CHECKSTOPPED | ResponseCode::DECONFIGURED,
            )) => {
                self.used.remove(*apqn);
            }
            Event::Instruction(Instruction::SetMasks(guest, matrix)) => self.set_masks(guest, matrix),
            Event::Instruction(Instruction::ClearMasks(guest)) => self.set_masks(guest, &Matrix::default()),
            Event::Uevent(uevent) if uevent.action == Action::Bind => {
                if let Subject::Queue { apqn, driver: Some(driver), .. } = &uevent.subject
                    && driver.0 != "vfio_ap"
                {
                    self.hosts(*apqn);
                }
            }
            _ => {}
        }
    }

    fn hosts(&mut self, apqn: Apqn) {
        if self.assigned.contains(apqn) && !self.by_way_of_home {
            self.fail(
                Promise::NotByTheHost,
                format!("queue {apqn}, which is to be an mdev's, becomes the host's"),
            );
        }
        if self.used.contains(apqn) {
            self.fail(Promise::Reset, format!("queue {apqn} comes to the host without a reset"));
        }
        // What the host does with it from now on is the host's.
        self.used.insert(apqn);
    }

    fn set_masks(&mut self, name: &str, matrix: &Matrix) {
        let Some(Guest { mdev, keeps, has }) = self.guests.get_mut(name) else { return };
        let (mdev, before) = (*mdev, std::mem::replace(has, *matrix));
        let lost = Matrix {
            adapters: keeps.adapters - matrix.adapters,
            domains: keeps.domains - matrix.domains,
            ..*keeps
        };
        if keeps.has_queues() && (!lost.adapters.is_empty() || !lost.domains.is_empty()) {
            self.fail(
                Promise::GuestsKeep,
                format!("guest {name} loses queues of mdev {mdev} that it is to keep"),
            );
        }
        let gained: Vec<Apqn> = matrix.queues().filter(|apqn| !before.contains(*apqn)).collect();
        for apqn in gained {
            if self.used.contains(apqn) {
                self.fail(Promise::Reset, format!("queue {apqn} comes to guest {name} without a reset"));
            }
            self.used.insert(apqn);
        }
    }
}

/// `1 write`, `2 writes`.
fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn guarantees(plan: &Plan, watch: &Watch) -> Vec<Guarantee> {
    let n = plan.steps.len();
    let moved = plan.moved();
    let to_mdevs = moved.iter().filter(|moved| matches!(moved.after, Owner::Mdev(_))).count();
    let say = |promise, how: String| Guarantee { promise, how };
    let writes = counted(n, "write");
    let least = match plan.least {
        1 => "1 there has to be".to_owned(),
        least => format!("{least} there have to be"),
    };
    let fewest = match plan.fewest {
        true => format!("{writes}; {least} in any case; searched, cheapest first"),
        false => format!("{writes}; {least} in any case, at most {} there may be", plan.most),
    };
    let mut all = vec![
        say(
            Promise::Accepted,
            format!("{} run on the host's twin, the state compared after each", counted(n, "step")),
        ),
        say(
            Promise::NotByTheHost,
            format!(
                "queues that come to mdevs ({to_mdevs}) followed event by event; queues without an owner, summed over the \
                 steps: {}, and no two steps next to each other could be exchanged for fewer",
                plan.nobodys()
            ),
        ),
        say(
            Promise::GuestsKeep,
            format!("every APCB of the running guests ({}) compared", watch.guests.len()),
        ),
        say(
            Promise::Reset,
            format!("resets of the queues that change hands ({}) followed event by event", moved.len()),
        ),
        say(Promise::Fewest, fewest),
        say(
            Promise::Reversible,
            match n {
                1 => "the step taken back on the twin, the state compared after it".to_owned(),
                n => format!("all {n} steps taken back on the twin, the state compared after each"),
            } + "; what a failed reset takes from a guest meanwhile no write brings back: a revert names it",
        ),
    ];
    // All is the host's in between, where queues are to be given in another way.
    all.retain(|found| found.promise != Promise::NotByTheHost || !plan.by_way_of_home());
    all
}

/// The writes of a plan, and those that take it back, last first.
#[must_use]
pub fn back(plan: &Plan) -> Vec<Write> {
    plan.steps.iter().rev().flat_map(|step| step.inverse.iter().copied()).collect()
}
