//! Applying a plan: locked, journaled, each step looked at, and all of it taken back if anything is otherwise.
//!
//! # What a journal is for
//! It is written before each step, and is on the disk before the step is. Whoever finds it later knows all steps, and
//! what takes each back; which of them were done it sees at the host itself ([`effect`]). So a journal that
//! lacks its last lines (power, a full disk) is as good as a whole one: only its first line must be there.

use std::collections::BTreeMap;

use ap_files::journal::{At, Begin, End, Journal, JournalError, Record, SCHEMA, TakenBack};
use ap_plan::difference::differences;
use ap_plan::{Plan, Store, Target, Write};

use crate::beware::lacking;
use crate::effect::{Stands, effect, located, stands};
use crate::error::ApplyError;
use crate::import::{ImportError, import};
use crate::lock::take;
use crate::report::Report;
use crate::step::{self, Held, Trouble};
use crate::tree::{Desk, Tree};
use crate::undo::Undoable;

/// Why an apply is taken back that nobody confirmed.
pub const LATE: &str = "it was not confirmed in time";

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
        /// Which running guests lack something of their mdevs, a sentence each: a reset failed, in the apply or before.
        /// All that was written is as before.
        lacking: Vec<String>,
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

/// Whether the last apply was taken back.
pub fn was_taken_back(desk: &mut dyn Desk) -> bool {
    let found = journal(desk).ok().flatten();
    found.is_some_and(|found| matches!(found.at, At::Ended(End::Before)))
}

/// What an earlier apply leaves to be done before there can be another one, a sentence; `None`: nothing.
pub fn pending(desk: &mut dyn Desk) -> Option<&'static str> {
    match journal(desk).ok()??.at {
        At::Ended(_) => None,
        At::Waiting(_) => Some(
            "an apply waits to be confirmed: `apmatrix confirm` keeps it, `apmatrix revert` takes it back",
        ),
        At::Doing(_) | At::Back(_) => {
            Some("an apply is under way, or was interrupted: then `apmatrix recover` ends it")
        }
    }
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
    let now = desk.now();
    for record in [Record::Back(why.clone()), Record::Clock(now)] {
        if let Err(fault) = desk.append(&record.line()) {
            report(Report::Warning(&format!("the journal: {fault}")));
            break;
        }
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
                what: format!("somebody else wrote it: {text}"),
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
    // What guests have follows from what is written, unless a reset failed.
    let lacking = match import(tree) {
        Ok(now) => lacking(&now.state),
        Err(error) => vec![format!("what running guests have cannot be read: {error}")],
    };
    Outcome::Before { why, lacking }
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
        Trouble::Differs { .. } => {
            let step = &steps[number];
            let back: Vec<String> =
                step.back.iter().map(|write| format!("`{}`", write.store().brief())).collect();
            format!(
                "write {} (as it was before the apply), or `{}` (as the apply left it)",
                back.join(" and "),
                step.write.store().brief()
            )
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
    let mut ended = None;
    let outcome = again(tree, desk, options, report, |journal| {
        ended = journal
            .filter(|journal| matches!(journal.at, At::Ended(_)))
            .map(|journal| over("recover", journal, now));
        Ok(match journal.map(|journal| &journal.at) {
            None | Some(At::Ended(_)) => Way::Nothing,
            Some(At::Waiting(until)) if *until > now => Way::Waits(*until),
            Some(At::Waiting(_)) => Way::Back(LATE.to_owned()),
            Some(At::Back(why)) => Way::Back(why.clone()),
            Some(At::Doing(_)) => Way::ForwardIfWhole,
        })
    });
    if let Some(ended) = ended {
        report(Report::Ended(&ended.to_string()));
    }
    outcome
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
    let now = desk.now();
    again(tree, desk, options, report, |journal| match journal {
        None => Err(ApplyError::NoApply("revert")),
        Some(journal) if journal.at == At::Ended(End::Before) => Err(over("revert", journal, now)),
        Some(_) => Ok(Way::Back("`apmatrix revert` was called".to_owned())),
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
    again(tree, desk, options, report, |journal| match journal {
        Some(Journal { begin, at: At::Waiting(_), .. }) if begin.id == id => Ok(Way::Back(LATE.to_owned())),
        _ => Ok(Way::Nothing),
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
    let now = desk.now();
    let confirmed = match journal(desk) {
        // The host is taken back, or is about to be.
        Ok(Some(Journal { begin, at: At::Waiting(until), .. })) if now >= until => {
            Err(ApplyError::TooLate { id: begin.id, since: now - until })
        }
        Ok(Some(Journal { begin, at: At::Waiting(_), .. })) => {
            desk.append(&Record::Ended(End::After).line()).map(|()| begin.id).map_err(ApplyError::Desk)
        }
        Ok(Some(journal)) => Err(over("confirm", &journal, now)),
        Ok(None) => Err(ApplyError::NoApply("confirm")),
        Err(error) => Err(error),
    };
    give_up_lock(desk, report);
    confirmed
}

/// Why there is nothing to do any more about an apply that does not wait for it.
fn over(what: &'static str, journal: &Journal, now: u64) -> ApplyError {
    let id = journal.begin.id.clone();
    match (&journal.at, &journal.taken_back) {
        (At::Ended(End::After), _) => ApplyError::Stays { what, id },
        (At::Ended(End::Before), Some(TakenBack { why, at })) => {
            let since = at.map(|at| now.saturating_sub(at));
            ApplyError::TakenBack { what, id, why: why.clone(), since }
        }
        (At::Ended(End::Before), None) => {
            let why = "its first write was not allowed".to_owned();
            ApplyError::TakenBack { what, id, why, since: None }
        }
        (At::Back(why), _) => ApplyError::GoesBack { what, id, why: why.clone() },
        (At::Doing(_) | At::Waiting(_), _) => ApplyError::Interrupted(id),
    }
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
    way: impl FnOnce(Option<&Journal>) -> Result<Way, ApplyError>,
) -> Result<Outcome, ApplyError> {
    take(desk, options.wait, report)?;
    let outcome = journal(desk).and_then(|found| {
        let way = way(found.as_ref())?;
        found.map_or(Ok(Outcome::Nothing), |found| end(tree, desk, &found, way, report))
    });
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
