//! Plans and outcomes as text.

use std::fmt::Write as _;

use ap_apply::apply::{Outcome, Stop};
use ap_apply::promises::{Promise, Rehearsed};
use ap_apply::prove::Proof;
use ap_apply::report::Report;
use ap_plan::plan::Moved;
use ap_plan::{Fit, NoPlan, Owner, Plan, Store};
use ap_types::Apqn;

/// The longest text of a write that is shown whole.
const MOST_SHOWN: usize = 60;

/// The text of a write in a form that people can read.
fn shortened(store: &Store) -> String {
    let text = store.brief().text;
    match text.len() > MOST_SHOWN {
        true => format!("{}…", text.chars().take(MOST_SHOWN).collect::<String>()),
        false => text,
    }
}

/// A plan for people.
#[must_use]
pub fn plan(plan: &Plan, rehearsed: &Rehearsed, proof: Option<&Proof>) -> String {
    let mut text = String::new();
    if plan.steps.is_empty() {
        return "nothing to do: the host is as it is wanted\n".to_owned();
    }
    for (number, step) in plan.steps.iter().enumerate() {
        let store = step.write.store();
        let _ = writeln!(text, "{:>3}  {}", number + 1, step.why);
        let _ = writeln!(text, "     {} > {}", shortened(&store), store.path);
    }
    if plan.by_way_of_home() {
        text += "\nqueues are to be given in another way: in between all of them are the host's\n";
    }
    let _ = writeln!(text, "\nqueues");
    for line in moves(&plan.moved()) {
        let _ = writeln!(text, "     {line}");
    }
    let _ = writeln!(text, "\npromised, and checked on the host's twin");
    for found in &rehearsed.guarantees {
        let _ = writeln!(text, "  {}  {}\n     {}", found.promise.number(), found.promise.text(), found.how);
    }
    if let Some(proof) = proof {
        let promise = Promise::Undisturbed;
        let _ = writeln!(text, "  {}  {}\n     {}", promise.number(), promise.text(), proof.how);
        for outcome in &proof.outcomes {
            let _ = writeln!(text, "     {outcome}");
        }
    }
    text
}

/// Queues that go the same way, together: `04.0006, 04.0047: host → mdev …`.
fn moves(moved: &[Moved]) -> Vec<String> {
    let mut ways: Vec<((Owner, Owner), Vec<Apqn>)> = Vec::new();
    for Moved { queue, before, after } in moved {
        match ways.iter_mut().find(|(way, _)| *way == (*before, *after)) {
            Some((_, queues)) => queues.push(*queue),
            None => ways.push(((*before, *after), vec![*queue])),
        }
    }
    let line = |((before, after), queues): ((Owner, Owner), Vec<Apqn>)| {
        let names: Vec<String> = queues.iter().take(6).map(ToString::to_string).collect();
        let more = queues.len().saturating_sub(6);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}: {before} → {after}", names.join(", "))
    };
    ways.into_iter().map(line).collect()
}

/// Why there is no plan: the message, and what could be done, a hint each.
#[must_use]
pub fn no_plan(none: &NoPlan) -> (String, Vec<String>) {
    let message = format!("there is no plan: {none}");
    let mut hints: Vec<String> = Vec::new();
    for obstacle in &none.obstacles {
        // One change can be for several.
        if !hints.contains(&obstacle.remedy) {
            hints.push(obstacle.remedy.clone());
        }
    }
    (message, hints)
}

/// What an apply tells while it is under way; `None` for what only repeats.
#[must_use]
pub fn report(report: &Report<'_>) -> Option<String> {
    Some(match report {
        Report::WaitsForLock(owner, seconds) => {
            format!("process {owner} changes crypto devices: waiting up to {seconds} s for its lock")
        }
        Report::StaleLock(owner) => format!("process {owner} is gone and left its lock: taken over"),
        Report::Step(number, of, store) => {
            format!("step {number} of {of}: {} > {}", shortened(store), store.path)
        }
        Report::Back(why) => format!("taking everything back: {why}"),
        Report::Undo(number, store) => {
            format!("step {number} back: {} > {}", shortened(store), store.path)
        }
        Report::Warning(text) => format!("warning: {text}"),
        Report::Ended(text) => (*text).to_owned(),
        Report::Done(_) | Report::Resetting(_) => return None,
    })
}

/// How an apply, a revert or a recovery ended.
#[must_use]
pub fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Nothing => "nothing to do\n".to_owned(),
        Outcome::After { confirm_by: None } => "done: the host is as it is wanted\n".to_owned(),
        Outcome::After { confirm_by: Some(_) } => {
            "done: the host is as it is wanted; all is taken back unless `apmatrix confirm` comes in time\n"
                .to_owned()
        }
        Outcome::Before { why, lacking } if lacking.is_empty() => {
            format!("taken back, and checked: the host is as it was before ({why})\n")
        }
        Outcome::Before { why, lacking } => {
            format!(
                "taken back, and all that was written is as it was before ({why}); but:\n{}\n",
                lacking.join("\n")
            )
        }
        Outcome::Stopped(Stop { why, stuck, in_effect, go_on }) => {
            let mut text = format!("stopped in between: {why}\n{stuck}\nin effect:\n");
            for (number, store) in in_effect {
                let _ = writeln!(text, "  step {number}: {store}");
            }
            let _ = writeln!(text, "to go on: {go_on}");
            text
        }
    }
}

/// Whether each mdev fits, a line each, and a line for each reason.
#[must_use]
pub fn fits(fits: &[Fit]) -> String {
    let mut text = String::new();
    for fit in fits {
        let verdict = if fit.misfits.is_empty() { "fits" } else { "does not fit" };
        let _ = writeln!(text, "{}  {verdict}", fit.mdev);
        for misfit in &fit.misfits {
            let _ = writeln!(text, "    {misfit}");
        }
    }
    if fits.is_empty() { "there are no mdevs\n".to_owned() } else { text }
}
