//! An execution as a reader wants it told: what each step does, in words, below the line of the script that it belongs to.
//!
//! One telling, two renderings: text for the terminal (`explore_scenarios/trace.rs`) and a page ([`page`]). It is made
//! of the explorer's traces, and knows neither scenarios nor specimens: who tells gives the names.

pub mod page;

use ap_proof::scenario::{Hands, Picture, Told};
use ap_types::Apqn;
use explore::{DeadlockReport, TraceStep};
use locks::Object;
use serde::Serialize;

/// How things are called by who tells.
pub struct Names<'n> {
    /// What an object is called: of a step that is about it, or that it is held in.
    pub object: &'n dyn Fn(&TraceStep) -> String,
    /// What something that is held is called in short; nothing if it is of no interest.
    pub held: &'n dyn Fn(&Object) -> Option<String>,
    /// The text of a line (from 1) of a task's script.
    pub line: &'n dyn Fn(usize, u32) -> Option<String>,
    /// Where a place in the source is, in short.
    pub place: &'n dyn Fn(&str) -> String,
}

/// What kind of step it is, for who draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It takes a lock.
    Takes,
    /// It lets one go.
    Releases,
    /// It asked for a lock and did not get it.
    Busy,
    /// It begins to look at something.
    Looks,
    /// It has looked.
    Looked,
    /// Something else.
    Does,
}

/// A step, or two that belong together.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Its number, from 1; of two that of the first.
    pub first: usize,
    /// Its number; of two that of the second.
    pub last: usize,
    /// How a text beside the execution refers to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// The number of its task.
    pub task: usize,
    /// What kind of step it is.
    pub kind: Kind,
    /// What it does, with its object.
    pub words: String,
    /// What it is about.
    pub object: String,
    /// Its place in the source.
    pub at: String,
    /// What its task holds after it.
    pub held: Vec<String>,
    /// The line of the script that begins with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// The error that the call answers whose last step it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<&'static str>,
    /// What happened, in the words of transcripts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<String>,
    /// The queues that changed hands: APQN, whose it is now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<(String, String)>,
    /// What is wrong from here on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<String>,
}

/// The steps of a trace. The picture is that of the beginning, and follows.
#[must_use]
pub fn steps(trace: &[TraceStep], names: &Names<'_>, picture: &mut Picture) -> Vec<Step> {
    let mut calls: Vec<Option<String>> = Vec::new();
    let mut begun: Vec<bool> = Vec::new();
    let mut steps = Vec::new();
    for step in trace {
        calls.resize(calls.len().max(step.task + 1), None);
        begun.resize(begun.len().max(step.task + 1), false);
        let notes: Vec<Told> = step.notes.iter().map(|note| Told::parse(note)).collect();
        // What is said before a task's first step is said of that step; later, of the one before.
        let first = !std::mem::replace(&mut begun[step.task], true);
        let lines: Vec<u32> = notes
            .iter()
            .filter_map(|told| if let Told::Line(at) = told { Some(*at) } else { None })
            .collect();
        let text = |line: &u32| (names.line)(step.task, *line);
        let call = if first { lines.first().and_then(text) } else { calls[step.task].take() };
        let left = if first { lines.get(1..).unwrap_or_default() } else { &lines };
        if let Some(next) = left.last().and_then(text) {
            calls[step.task] = Some(next);
        }
        let before = picture.clone();
        notes.iter().for_each(|told| picture.follow(told));
        let told = notes.iter().filter(|told| !matches!(told, Told::Line(_)));
        let (kind, words, object) = words(step, names);
        let answer = |told: &Told| if let Told::Answered(errno) = told { Some(errno.name()) } else { None };
        let number = steps.len() + 1;
        steps.push(Step {
            first: number,
            last: number,
            mark: None,
            task: step.task,
            kind,
            words,
            object,
            at: (names.place)(&step.at),
            held: step.holds.iter().filter_map(|held| (names.held)(held)).collect(),
            call,
            answer: notes.iter().find_map(answer),
            told: told.map(Told::to_string).collect(),
            changed: changes(&before, picture),
            found: step.found.iter().map(|found| format!("{}: {}", found.verdict, found.what)).collect(),
        });
        if (step.step, step.on.level) == ("oracle", HAND) {
            hand_over(&mut steps, u16::try_from(step.on.key.id).map(Apqn::from_u16).ok());
        }
    }
    steps
}

/// The object whose change says that something became of a queue.
const HAND: &str = "hand";

/// The last step is the one that says what became of a queue. That it changed hands was told right before: with the step
/// of its task before it. It is told here instead; where nothing was told the queue stays whose it is.
fn hand_over(steps: &mut [Step], queue: Option<Apqn>) {
    let (Some((this, before)), Some(queue)) = (steps.split_last_mut(), queue.map(|queue| queue.to_string()))
    else {
        return;
    };
    if let Some(before) = before.iter_mut().rfind(|step| step.task == this.task) {
        let mine = |told: &String| told.starts_with("guest ") || told.split(' ').any(|word| word == queue);
        if before.changed.iter().any(|(apqn, _)| *apqn == queue) {
            this.changed.extend(before.changed.extract_if(.., |(apqn, _)| *apqn == queue));
            this.told.splice(0..0, before.told.extract_if(.., |told| mine(told)));
        }
        if before.words == this.words {
            only_what_is_left(before, &queue);
        }
    }
    only_what_is_left(this, &queue);
}

/// Where a queue does not change hands, what is said of it is about what its last user left in it.
fn only_what_is_left(step: &mut Step, queue: &str) {
    if step.changed.is_empty() {
        step.words = format!("changes what is left in {queue}");
    }
}

/// The same steps where two that belong together are told as one: a lock that is taken and released at once, a look.
#[must_use]
pub fn merged(steps: Vec<Step>) -> Vec<Step> {
    let mut all: Vec<Step> = Vec::with_capacity(steps.len());
    for step in steps {
        match all.last_mut() {
            Some(before) if belong_together(before, &step) => {
                if before.kind == Kind::Takes {
                    before.words = before.words.replacen("takes", "takes and releases", 1);
                }
                let Step { last, kind, held, answer, told, changed, found, .. } = step;
                *before = Step { last, kind, held, answer, told, changed, found, ..before.clone() };
            }
            _ => all.push(step),
        }
    }
    all
}

fn belong_together(step: &Step, next: &Step) -> bool {
    let plain = step.answer.is_none()
        && step.told.is_empty()
        && step.changed.is_empty()
        && step.found.is_empty()
        && next.call.is_none();
    let kinds = match (step.kind, next.kind) {
        (Kind::Takes, Kind::Releases) => step.words.starts_with("takes"),
        (Kind::Looks, Kind::Looked) => true,
        _ => false,
    };
    plain && kinds && step.first == step.last && step.task == next.task && step.object == next.object
}

/// Whose a queue is, in words.
#[must_use]
pub fn whose(hands: Option<&Hands>) -> String {
    let Some(Hands { driver, guests }) = hands else { return "not there".to_owned() };
    let driver = driver.as_deref().unwrap_or("no driver");
    if guests.is_empty() { driver.to_owned() } else { format!("{driver}, guest {}", guests.join(" and ")) }
}

fn changes(before: &Picture, after: &Picture) -> Vec<(String, String)> {
    let mut all: Vec<Apqn> = before.queues.keys().chain(after.queues.keys()).copied().collect();
    all.sort_unstable();
    all.dedup();
    all.retain(|apqn| before.queues.get(apqn) != after.queues.get(apqn));
    all.iter().map(|apqn| (apqn.to_string(), whose(after.queues.get(apqn)))).collect()
}

fn words(step: &TraceStep, names: &Names<'_>) -> (Kind, String, String) {
    let object = (names.object)(step);
    let (kind, words) = match (step.step, step.ok) {
        ("lock", _) => (Kind::Takes, format!("takes {object}")),
        ("read-lock", _) => (Kind::Takes, format!("takes {object} for reading")),
        ("try-lock" | "try-read-lock", true) => (Kind::Takes, format!("tries {object}, and gets it")),
        ("try-lock" | "try-read-lock", false) => (Kind::Busy, format!("tries {object}: busy")),
        ("unlock" | "read-unlock", _) => (Kind::Releases, format!("releases {object}")),
        ("look", _) => (Kind::Looks, format!("looks at {object}")),
        ("looked", _) => (Kind::Looked, format!("has looked at {object}")),
        ("wait", _) => (Kind::Does, format!("waits until {object}")),
        ("notify", _) => (Kind::Does, format!("says that {object}")),
        ("sleep", _) => (Kind::Does, "waits for the machine".to_owned()),
        ("oracle", _) => (Kind::Does, format!("changes {object}")),
        (other, _) => (Kind::Does, format!("{other}s {object}")),
    };
    (kind, words, object)
}

/// Who waits for whom at the end: task, and what it waits for.
#[must_use]
pub fn waits(
    deadlock: Option<&DeadlockReport>,
    object: &dyn Fn(&Object, &str) -> String,
) -> Vec<(usize, String)> {
    let all = deadlock.into_iter().flat_map(|deadlock| deadlock.cycle.iter().chain(&deadlock.others));
    all.map(|waiting| {
        let holders: Vec<&str> = waiting.holders.iter().map(|(name, _)| name.as_str()).collect();
        let by =
            if holders.is_empty() { String::new() } else { format!(", which {} has", holders.join(" and ")) };
        (waiting.task, format!("waits for {}{by}", object(&waiting.on, &waiting.object)))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use explore::Finding;
    use locks::Key;

    use super::*;

    fn step(task: usize, step: &'static str, notes: &[&str]) -> TraceStep {
        TraceStep {
            task,
            name: format!("t{task}"),
            step,
            object: "Perms".to_owned(),
            on: Object { level: "Perms", rank: 3, key: Key { id: 0, generation: 0 } },
            at: "src/masks.rs:3".to_owned(),
            ok: true,
            held: Vec::new(),
            holds: ["Perms", "Hw"]
                .map(|level| Object { level, rank: 3, key: Key { id: 3, generation: 0 } })
                .to_vec(),
            found: vec![Finding::new("stolen", "04.0006 is stolen")],
            notes: notes.iter().map(|note| (*note).to_owned()).collect(),
        }
    }

    #[test]
    fn a_queue_changes_hands_at_the_step_that_says_so() {
        let names = Names {
            object: &|step| {
                if step.on.level == HAND { "whose 04.0006 is".to_owned() } else { step.object.clone() }
            },
            held: &|_| None,
            line: &|_, _| None,
            place: &str::to_owned,
        };
        let hand = |task: usize, notes: &[&str]| TraceStep {
            on: Object { level: HAND, rank: 0, key: Key { id: 0x0406, generation: 0 } },
            ..step(task, "oracle", notes)
        };
        let trace = [
            step(0, "unlock", &["zapq 04.0006 rc=00"]),
            hand(0, &["04.0006 unbound"]),
            step(1, "lock", &[]),
            hand(0, &["answers EBUSY (Device or resource busy)"]),
        ];
        let told = steps(&trace, &names, &mut Picture::default());
        let shown: Vec<_> =
            told.iter().map(|step| (step.words.as_str(), step.changed.len(), step.answer)).collect();
        assert_eq!(
            shown,
            [
                ("releases Perms", 0, None),
                ("changes what is left in 04.0006", 0, None),
                ("takes Perms", 0, None),
                ("changes whose 04.0006 is", 1, Some("EBUSY")),
            ]
        );
        assert_eq!(told[3].told, ["04.0006 unbound", "answers EBUSY (Device or resource busy)"]);
    }

    #[test]
    fn a_line_of_the_script_stands_where_it_begins() {
        let names = Names {
            object: &|step| step.object.clone(),
            held: &|held| (held.level == "Perms").then(|| "P".to_owned()),
            line: &|task, line| Some(format!("task {task} line {line}")),
            place: &|at| at.trim_start_matches("src/").to_owned(),
        };
        let trace = [
            step(0, "lock", &["line 1"]),
            step(1, "lock", &["line 4", "04.0006 bound to vfio_ap", "zapq 04.0006 rc=00"]),
            step(0, "unlock", &["line 2"]),
            step(1, "unlock", &[]),
            step(0, "look", &[]),
        ];
        let told = steps(&trace, &names, &mut Picture::default());
        let calls: Vec<Option<&str>> = told.iter().map(|step| step.call.as_deref()).collect();
        assert_eq!(calls, [Some("task 0 line 1"), Some("task 1 line 4"), None, None, Some("task 0 line 2")]);
        assert_eq!(told[0].words, "takes Perms");
        assert_eq!((told[0].held.as_slice(), told[0].at.as_str()), (&["P".to_owned()][..], "masks.rs:3"));
        assert_eq!(told[1].changed, [("04.0006".to_owned(), "vfio_ap".to_owned())]);
        assert_eq!(told[1].told, ["04.0006 bound to vfio_ap", "zapq 04.0006 rc=00"]);
        assert_eq!(told[4].kind, Kind::Looks);
        assert_eq!(told[4].found, ["stolen: 04.0006 is stolen"]);
    }
}
