//! Applying a plan: locked, journaled, each step looked at, and all of it taken back if anything is otherwise.
//!
//! # What a journal is for
//! It is written before each step, and is on the disk before the step is. Whoever finds it later knows all steps, and
//! what takes each back; which of them were done it sees at the host itself ([`effect`]). So a journal that
//! lacks its last lines (power, a full disk) is as good as a whole one: only its first line must be there.

use std::collections::BTreeMap;

use ap_files::journal::{At, Begin, End, Journal, JournalError, Record, SCHEMA};
use ap_plan::{Plan, Store, Target, Write};

use crate::effect::{Stands, effect, located, stands};
use crate::import::{ImportError, import};
use crate::lock::{LockError, take};
use crate::report::Report;
use crate::step::{self, Held, Trouble};
use crate::tree::{Desk, Fault, Tree};
use crate::undo::Undoable;

/// How an apply is done.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What the apply is called, for whoever watches over it; none: by its time and its process.
    pub id: Option<String>,
    /// How long to wait for the lock, in seconds.
    pub wait: u64,
    /// In how many seconds it has to be confirmed.
    pub confirm: Option<u64>,
}

/// How an apply, a revert or a recovery ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There was nothing to do.
    Nothing,
    /// The host is as it is to be.
    After {
        /// Until when that has to be confirmed, in seconds since 1970.
        confirm_by: Option<u64>,
    },
    /// The host is as it was before, and was looked at.
    Before {
        /// Why.
        why: String,
    },
    /// Neither: it could not go on, nor back.
    Stopped(Stop),
}

/// Where an apply stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Why it did not go on.
    pub why: String,
    /// Why it did not go back.
    pub stuck: String,
    /// The steps that are in effect, from 1.
    pub in_effect: Vec<(usize, String)>,
    /// How to go on.
    pub go_on: String,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The lock.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The host cannot be read.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The host is another one than the plan was made for.
    #[error("the host is not as it was when the plan was made: {}", .0.join("; "))]
    Stale(Vec<String>),
    /// An earlier apply has not ended.
    #[error("an earlier apply ({0}) was interrupted")]
    Interrupted(String),
    /// An earlier apply is not confirmed.
    #[error("an earlier apply ({0}) waits to be confirmed")]
    Unconfirmed(String),
    /// There is none to confirm, to revert.
    #[error("there is no apply to {0}")]
    NoApply(&'static str),
    /// It was to be confirmed before.
    #[error("the time to confirm is over: the apply is taken back")]
    TooLate,
    /// The journal cannot be read or written.
    #[error("the journal: {0}")]
    Desk(Fault),
    /// The journal is not one.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The first write is not allowed: nothing was done.
    #[error("{0}")]
    Denied(Fault),
}

/// What is different, a line each, of two hosts' facts.
#[must_use]
pub fn differences(was: &BTreeMap<String, String>, is: &BTreeMap<String, String>) -> Vec<String> {
    let keys: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    keys.into_iter()
        .filter_map(|key| match (was.get(key), is.get(key)) {
            (Some(a), Some(b)) if a == b => None,
            (Some(a), Some(b)) => Some(format!("{key} was {a} and is {b}")),
            (Some(_), None) => Some(format!("{key} is gone")),
            (None, Some(b)) => Some(format!("{key} has come: {b}")),
            (None, None) => None,
        })
        .collect()
}

/// Applies a plan.
///
/// # Errors
/// [`ApplyError`]: then nothing was done.
pub fn apply(
    tree: &mut dyn Tree,
    desk: &mut dyn Desk,
    plan: &Plan,
    options: &Options,
    report: &mut dyn FnMut(Report<'_>),
) -> Result<Outcome, ApplyError> {
    take(desk, options.wait, report)?;
    let outcome = locked(tree, desk, plan, options, report);
    give_up_lock(desk, report);
    outcome
}

fn give_up_lock(desk: &mut dyn Desk, report: &mut dyn FnMut(Report<'_>)) {
    if let Err(fault) = desk.drop_lock() {
        report(Report::Warning(&format!("the lock was not given up: {fault}")));
    }
}

fn locked(
    tree: &mut dyn Tree,
    desk: &mut dyn Desk,
    plan: &Plan,
    options: &Options,
    report: &mut dyn FnMut(Report<'_>),
) -> Result<Outcome, ApplyError> {
    if let Some(journal) = journal(desk)? {
        match journal.at {
            At::Ended(_) => {}
            At::Waiting(_) => return Err(ApplyError::Unconfirmed(journal.begin.id)),
            At::Doing(_) | At::Back(_) => return Err(ApplyError::Interrupted(journal.begin.id)),
        }
    }
    let now = import(tree)?;
    let changed = differences(&plan.before.facts(), &now.state.facts());
    if !changed.is_empty() {
        return Err(ApplyError::Stale(changed));
    }
    if plan.steps.is_empty() {
        return Ok(Outcome::Nothing);
    }
    let steps: Vec<Undoable> = plan.steps.iter().map(Undoable::of).collect();
    let holders = plan.before.mdevs.iter();
    let holders = holders.filter_map(|(uuid, mdev)| Some((*uuid, mdev.holder.as_ref()?.to_string())));
    let held: Held = holders.collect();
    let at = desk.now();
    let begin = Begin {
        schema: SCHEMA.to_owned(),
        id: options.id.clone().unwrap_or_else(|| format!("{at}-{}", desk.pid())),
        at,
        confirm: options.confirm,
        held: held.iter().map(|(uuid, holder)| (uuid.to_string(), holder.clone())).collect(),
        steps: steps.iter().map(Undoable::text).collect(),
    };
    desk.begin(&Record::Begin(Box::new(begin)).line()).map_err(ApplyError::Desk)?;
    let why = match go(tree, desk, plan, &held, report) {
        Ok(()) => return Ok(applied(desk, options, report)),
        Err((0, Trouble::Refused { fault, .. })) if fault.kind == crate::tree::Kind::Denied => {
            let _ = desk.append(&Record::Ended(End::Before).line());
            return Err(ApplyError::Denied(fault));
        }
        Err((step, trouble)) => format!("step {} of {}: {trouble}", step + 1, plan.steps.len()),
    };
    Ok(back(tree, desk, &steps, &held, why, report))
}

/// All steps, in order; on trouble which step it was.
fn go(
    tree: &mut dyn Tree,
    desk: &mut dyn Desk,
    plan: &Plan,
    held: &Held,
    report: &mut dyn FnMut(Report<'_>),
) -> Result<(), (usize, Trouble)> {
    for (number, step) in plan.steps.iter().enumerate() {
        let trouble = |trouble| (number, trouble);
        let journal = |fault| (number, Trouble::Journal(fault));
        desk.append(&Record::Doing(number).line()).map_err(journal)?;
        report(Report::Step(number + 1, plan.steps.len(), &step.write.store()));
        step::nobody_came(tree, &step.write, held).map_err(trouble)?;
        step::write(tree, &step.write).map_err(trouble)?;
        step::look(tree, step, held, report).map_err(trouble)?;
        report(Report::Done(number + 1));
        desk.append(&Record::Done(number).line()).map_err(journal)?;
    }
    whole(tree, &plan.target).map_err(|trouble| (plan.steps.len() - 1, trouble))
}

/// The whole host once more: masks and mdevs are what is wanted.
fn whole(tree: &mut dyn Tree, target: &Target) -> Result<(), Trouble> {
    let now = match import(tree) {
        Ok(now) => now.state,
        Err(ImportError::Fault(fault)) => return Err(Trouble::Unreadable(fault)),
        Err(error) => {
            return Err(Trouble::Differs { store: "the last step".to_owned(), what: error.to_string() });
        }
    };
    if target.is_met_by(&now) {
        return Ok(());
    }
    let wanted: BTreeMap<String, String> = wanted(target);
    let is: BTreeMap<String, String> = self::wanted(&Target::exactly(&now));
    let what = differences(&wanted, &is).join("; ");
    Err(Trouble::Differs { store: "the last step".to_owned(), what })
}

fn wanted(target: &Target) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::from([
        ("apmask".to_owned(), target.masks.adapters.to_string()),
        ("aqmask".to_owned(), target.masks.domains.to_string()),
    ]);
    let mdevs =
        target.mdevs.iter().map(|(uuid, matrix)| (format!("mdev {uuid}"), ap_plan::state::triple(matrix)));
    facts.extend(mdevs);
    facts
}

fn applied(desk: &mut dyn Desk, options: &Options, report: &mut dyn FnMut(Report<'_>)) -> Outcome {
    let confirm_by = options.confirm.map(|seconds| desk.now() + seconds);
    if let Err(fault) = desk.append(&Record::Applied(confirm_by.unwrap_or(0)).line()) {
        // All is done and was looked at; a recovery will say so, too.
        report(Report::Warning(&format!("the end is not in the journal: {fault}")));
    }
    Outcome::After { confirm_by }
}

fn journal(desk: &mut dyn Desk) -> Result<Option<Journal>, ApplyError> {
    let text = desk.journal().map_err(ApplyError::Desk)?;
    Ok(Journal::parse(&text)?)
}

/// Takes back whatever of the steps is in effect, last first.
fn back(
    tree: &mut dyn Tree,
    desk: &mut dyn Desk,
    steps: &[Undoable],
    held: &Held,
    why: String,
    report: &mut dyn FnMut(Report<'_>),
) -> Outcome {
    report(Report::Back(&why));
    // Taking back goes by what the host shows, so that a journal that cannot be written any more is no reason to stop.
    if let Err(fault) = desk.append(&Record::Back(why.clone()).line()) {
        report(Report::Warning(&format!("the journal: {fault}")));
    }
    // Nothing is in effect after the place where the host is, if it is at one; else each file tells.
    let count = match located(tree, steps) {
        Ok(count) => count.unwrap_or(steps.len()),
        Err(fault) => {
            let trouble = Trouble::Unreadable(fault);
            return Outcome::Stopped(stopped(tree, steps, why, steps.len() - 1, &trouble));
        }
    };
    // A mask may be back already, and queues not yet without the drivers that they got by it.
    if let Some(step) = steps.get(count)
        && let Err(trouble) = unbind_again(tree, step)
    {
        return Outcome::Stopped(stopped(tree, steps, why, count, &trouble));
    }
    for number in (0..count).rev() {
        let done = match stands(tree, steps, number) {
            Ok(Stands::Before) => continue,
            Ok(Stands::After) => undo(tree, desk, steps, number, 0, held, report),
            Ok(Stands::Half) => undo(tree, desk, steps, number, 1, held, report),
            Ok(Stands::Neither(text)) => Err(Trouble::Differs {
                store: steps[number].write.store().to_string(),
                what: format!("somebody else wrote it: it reads `{text}`"),
            }),
            Err(fault) => Err(Trouble::Unreadable(fault)),
        };
        if let Err(trouble) = done {
            return Outcome::Stopped(stopped(tree, steps, why, number, &trouble));
        }
    }
    if let Err(fault) = desk.append(&Record::Ended(End::Before).line()) {
        report(Report::Warning(&format!("the end is not in the journal: {fault}")));
    }
    Outcome::Before { why }
}

fn undo(
    tree: &mut dyn Tree,
    desk: &mut dyn Desk,
    steps: &[Undoable],
    number: usize,
    from: usize,
    held: &Held,
    report: &mut dyn FnMut(Report<'_>),
) -> Result<(), Trouble> {
    // As above: the journal is told, and is not needed.
    let _ = desk.append(&Record::Undoing(number).line());
    for write in steps[number].back.iter().skip(from) {
        report(Report::Undo(number + 1, &write.store()));
        step::nobody_came(tree, write, held)?;
        step::write(tree, write)?;
    }
    match stands(tree, steps, number).map_err(Trouble::Unreadable)? {
        Stands::Before => Ok(()),
        _ => {
            let what = "it does not read as before".to_owned();
            Err(Trouble::Differs { store: steps[number].write.store().to_string(), what })
        }
    }
}

/// Queues that had no driver before a mask was written lose the one that they have got by it.
fn unbind_again(tree: &mut dyn Tree, step: &Undoable) -> Result<(), Trouble> {
    if !matches!(step.write, Write::Apmask(_) | Write::Aqmask(_)) {
        return Ok(());
    }
    for write in step.back.iter().skip(1) {
        if let Write::Unbind(apqn, driver) = write
            && tree.link(&format!("bus/ap/drivers/{}/{apqn}", driver.name())).is_ok()
        {
            step::write(tree, write)?;
        }
    }
    Ok(())
}

fn stopped(tree: &mut dyn Tree, steps: &[Undoable], why: String, number: usize, trouble: &Trouble) -> Stop {
    let found = effect(tree, steps);
    let there = |at: usize| found.as_ref().map_or(at <= number, |found| found[at] != Stands::Before);
    let in_effect: Vec<(usize, String)> = (0..steps.len())
        .filter(|at| there(*at))
        .map(|at| (at + 1, steps[at].write.store().to_string()))
        .collect();
    let remedy = match trouble {
        Trouble::Came { holder, .. } => format!("stop {holder}"),
        Trouble::Refused { fault, .. } => format!("find out why {} answers {}", fault.path, fault.name),
        Trouble::Differs { store, .. } => {
            let path = store.rsplit(" > ").next().unwrap_or_default();
            format!("write {path} as it was before, or leave it")
        }
        Trouble::Unreadable(fault) | Trouble::Journal(fault) => format!("see that {} is there", fault.path),
    };
    Stop {
        why,
        stuck: format!("step {} was not taken back: {trouble}", number + 1),
        in_effect,
        go_on: format!("{remedy}, then `apmatrix recover`"),
    }
}

/// Ends an apply that was interrupted: forward if all its steps are in effect, else back.
///
/// # Errors
/// [`ApplyError`].
pub fn recover(
    tree: &mut dyn Tree,
    desk: &mut dyn Desk,
    options: &Options,
    report: &mut dyn FnMut(Report<'_>),
) -> Result<Outcome, ApplyError> {
    let now = desk.now();
    again(tree, desk, options, report, |journal| match &journal.at {
        At::Ended(_) => Some(Way::Nothing),
        At::Waiting(until) if *until > now => Some(Way::Waits(*until)),
        At::Waiting(_) => Some(Way::Back("it was not confirmed in time".to_owned())),
        At::Back(why) => Some(Way::Back(why.clone())),
        At::Doing(_) => Some(Way::ForwardIfWhole),
    })
}

/// Takes back the last apply.
///
/// # Errors
/// [`ApplyError`].
pub fn revert(
    tree: &mut dyn Tree,
    desk: &mut dyn Desk,
    options: &Options,
    report: &mut dyn FnMut(Report<'_>),
) -> Result<Outcome, ApplyError> {
    again(tree, desk, options, report, |journal| match &journal.at {
        At::Ended(End::Before) => None,
        _ => Some(Way::Back("it was to be taken back".to_owned())),
    })
    .and_then(|outcome| match outcome {
        Outcome::Nothing => Err(ApplyError::NoApply("revert")),
        outcome => Ok(outcome),
    })
}

/// Takes back an apply that is not confirmed; does nothing if it is, or if another one came.
///
/// # Errors
/// [`ApplyError`].
pub fn revert_unconfirmed(
    tree: &mut dyn Tree,
    desk: &mut dyn Desk,
    id: &str,
    options: &Options,
    report: &mut dyn FnMut(Report<'_>),
) -> Result<Outcome, ApplyError> {
    again(tree, desk, options, report, |journal| match &journal.at {
        At::Waiting(_) if journal.begin.id == id => {
            Some(Way::Back("it was not confirmed in time".to_owned()))
        }
        _ => None,
    })
}

/// Confirms the last apply: it stays.
///
/// # Errors
/// [`ApplyError`].
pub fn confirm(
    desk: &mut dyn Desk,
    options: &Options,
    report: &mut dyn FnMut(Report<'_>),
) -> Result<String, ApplyError> {
    take(desk, options.wait, report)?;
    let confirmed = match journal(desk) {
        // The host is taken back, or is about to be.
        Ok(Some(Journal { at: At::Waiting(until), .. })) if desk.now() >= until => Err(ApplyError::TooLate),
        Ok(Some(Journal { begin, at: At::Waiting(_) })) => {
            desk.append(&Record::Ended(End::After).line()).map(|()| begin.id).map_err(ApplyError::Desk)
        }
        Ok(_) => Err(ApplyError::NoApply("confirm")),
        Err(error) => Err(error),
    };
    give_up_lock(desk, report);
    confirmed
}

/// Which way an apply that is found in the journal goes.
enum Way {
    Nothing,
    Waits(u64),
    ForwardIfWhole,
    Back(String),
}

fn again(
    tree: &mut dyn Tree,
    desk: &mut dyn Desk,
    options: &Options,
    report: &mut dyn FnMut(Report<'_>),
    way: impl FnOnce(&Journal) -> Option<Way>,
) -> Result<Outcome, ApplyError> {
    take(desk, options.wait, report)?;
    let outcome = match journal(desk) {
        Ok(Some(found)) => match way(&found) {
            Some(way) => end(tree, desk, &found, way, report),
            None => Ok(Outcome::Nothing),
        },
        Ok(None) => Ok(Outcome::Nothing),
        Err(error) => Err(error),
    };
    give_up_lock(desk, report);
    outcome
}

fn end(
    tree: &mut dyn Tree,
    desk: &mut dyn Desk,
    found: &Journal,
    way: Way,
    report: &mut dyn FnMut(Report<'_>),
) -> Result<Outcome, ApplyError> {
    let steps: Option<Vec<Undoable>> = found.begin.steps.iter().map(Undoable::parse).collect();
    // An apply without steps keeps no journal.
    let steps = steps.filter(|steps| !steps.is_empty()).ok_or(JournalError { line: 1, source: None })?;
    let uuid = |text: &String| ap_types::grammar::uuid(text.as_bytes()).ok();
    let held = found.begin.held.iter().filter_map(|(mdev, holder)| Some((uuid(mdev)?, holder.clone())));
    let held: Held = held.collect();
    match way {
        Way::Nothing => Ok(Outcome::Nothing),
        Way::Waits(until) => Ok(Outcome::After { confirm_by: Some(until) }),
        Way::Back(why) => Ok(back(tree, desk, &steps, &held, why, report)),
        Way::ForwardIfWhole => {
            let stands = effect(tree, &steps).map_err(ApplyError::Desk)?;
            let whole = stands.iter().all(|stands| *stands == Stands::After);
            if whole && found.begin.confirm.is_none() {
                desk.append(&Record::Ended(End::After).line()).map_err(ApplyError::Desk)?;
                return Ok(Outcome::After { confirm_by: None });
            }
            Ok(back(tree, desk, &steps, &held, "it was interrupted".to_owned(), report))
        }
    }
}

/// What would be written, for whoever may not.
#[must_use]
pub fn would_write(plan: &Plan) -> Vec<Store> {
    plan.steps.iter().map(|step| step.write.store()).collect()
}
