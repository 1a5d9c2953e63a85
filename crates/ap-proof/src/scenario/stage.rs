//! Where a scenario plays: the host as it is after boot and set-up, and its tasks as closures over it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use ap_host::Snapshot;
use ap_host::invariants::{self, Broken};
use ap_shell::{Cause, FilesystemWorld, Script, TaskResult, run_task_within};
use ap_sysfs::{Errno, Filesystem, Session, Tree};
use ap_types::Matrix;
use ap_vfio::Guest;
use explore::Listener;
use locks::enter;

use crate::scenario::background::{Due, background};
use crate::scenario::definition::{Mistake, Part, Scenario, SetupError};
use crate::scenario::in_turn::InTurn;
use crate::scenario::notes::Notes;
use crate::scenario::outcome::Ended;
use crate::scenario::sink::TaskSink;
use crate::scenario::task_tree::{SessionVerbs, TaskTree, TaskVerbs};
use crate::scenario::turn::Turn;
use crate::scenario::watch::Watch;

/// How much machine time passes after the set-up, so that what it started has ended.
const SETTLE_MS: u64 = 1000;

/// What a task's script may do at most ([`ap_shell::Shell::set_budget`]).
const BUDGET: u64 = 100_000;

/// The name of the task that does background work.
pub const BACKGROUND: &str = "background";

/// A task.
pub(super) struct Actor {
    /// Its name.
    pub name: String,
    /// What it does.
    pub body: Box<dyn FnOnce() -> Ended>,
    /// Whether it need not end.
    pub daemon: bool,
    /// Hears what the task announces.
    pub listener: Listener,
}

/// All tasks, the background last; and what those before it say of themselves.
pub(super) struct Cast {
    /// The tasks.
    pub actors: Vec<Actor>,
    /// What each was answered so far.
    pub answers: Vec<Rc<Cell<u64>>>,
    /// Where each stands, and what is wrong with it.
    pub notes: Vec<Rc<Notes>>,
    /// What the background has to do.
    pub due: Rc<Due>,
}

/// Who hears what a task announces: its sink.
fn listener(sink: &Rc<TaskSink>) -> Listener {
    let sink = sink.clone();
    Rc::new(move |what| sink.hear(what))
}

/// A host ready for a scenario's tasks, any number of times.
pub(super) struct Stage {
    tree: Rc<Tree>,
    snapshot: Rc<Snapshot>,
    watch: Rc<Watch>,
    tasks: Vec<(String, Script)>,
    /// What the set-up defined.
    variables: BTreeMap<String, String>,
}

impl Stage {
    /// The state in which tasks begin.
    pub(super) fn beginning(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Runs the set-up over a booted session.
    pub(super) fn new(scenario: &Scenario, session: Session) -> Result<Stage, SetupError> {
        let notes: Rc<Notes> = Rc::default();
        let mut world = FilesystemWorld::with_operator(session, SessionVerbs);
        let mut in_turn = InTurn::for_setup(&mut world, notes.clone());
        let mut variables = BTreeMap::new();
        let result = run_task_within(&scenario.setup, &mut in_turn, BUDGET, &mut variables);
        let (mut session, _) = world.into_parts();
        let wrong =
            |line, what, remedy| SetupError::Mistake(Mistake { part: Part::Setup, line, what, remedy });
        if let TaskResult::Failed(failing) = result {
            if let Some(misuse) = notes.mistake.take() {
                return Err(SetupError::Mistake(misuse.in_part(Part::Setup)));
            }
            let said = if failing.message.is_empty() { "no reason given" } else { &failing.message };
            let what = format!("the set-up fails: {said}");
            let remedy = match failing.cause {
                Cause::Waits => "do it in a task, where others can end its wait",
                // What the shell answers of a write that nothing will end.
                Cause::Command if failing.errno == Some(Errno::EINTR) => {
                    "do it in a task, where others can end its wait"
                }
                Cause::Command if failing.errno.is_some() => {
                    "expected a set-up whose every command succeeds; the same lines in `apmatrix shell`, and then `why`, tell what is in the way"
                }
                Cause::Command | Cause::Budget => "expected a set-up whose every command succeeds",
            };
            return Err(wrong(failing.line, what, remedy.into()));
        }
        if let Some(misuse) = notes.too_long.take() {
            return Err(SetupError::Mistake(misuse.in_part(Part::Setup)));
        }
        session.advance(SETTLE_MS);
        if !session.quiescent() {
            let what = "the set-up leaves an operation that has not returned".into();
            return Err(wrong(
                notes.line.get(),
                what,
                "do it in a task, where others can end its wait".into(),
            ));
        }
        let tree = session.tree().clone();
        let snapshot = Rc::new(enter(|held| tree.host.snapshot(&tree.machine, held)));
        let watch = Rc::new(Watch::new(&snapshot));
        let tasks = scenario.tasks.iter().map(|task| (task.name.clone(), task.script.clone())).collect();
        Ok(Stage { tree, snapshot, watch, tasks, variables })
    }

    /// A task's name.
    pub(super) fn name(&self, task: usize) -> &str {
        &self.tasks[task].0
    }

    /// How many tasks the scenario has, the background not counted.
    pub(super) fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// The state as it is.
    pub(super) fn look(&self) -> Snapshot {
        enter(|held| self.tree.host.snapshot(&self.tree.machine, held))
    }

    /// I1, I2, I6 and I7, as far as they hold whenever G, K and M are free.
    pub(super) fn settled(&self, found: &mut Vec<Broken>) {
        let host = &self.tree.host;
        enter(|held| {
            let guests = host.vfio.guests(held);
            let guests: Vec<(Arc<Guest>, Matrix)> = guests
                .into_iter()
                .map(|guest| {
                    let apcb = guest.kvm.lock(held).0.apcb;
                    (guest, apcb)
                })
                .collect();
            let apcbs: Vec<(&str, Matrix)> =
                guests.iter().map(|(guest, apcb)| (guest.name.as_str(), *apcb)).collect();
            host.vfio.read(held, |mdevs| {
                invariants::exclusive_mdevs(mdevs, found);
                invariants::exclusive_guests(&apcbs, found);
                invariants::linked_records(mdevs, found);
                invariants::guests_have_theirs(mdevs, &guests, found);
                invariants::guests_have_shadows(mdevs, &guests, found);
            });
        });
    }

    /// Goes back to the beginning and gives the tasks, the background last.
    pub(super) fn begin(&self, turn: impl Fn(usize) -> Rc<dyn Turn>) -> Cast {
        enter(|held| self.tree.host.restore(&self.tree.machine, &self.snapshot, held));
        self.watch.restart();
        let due = Rc::new(Due::new());
        let mut actors = Vec::with_capacity(self.tasks.len() + 1);
        let mut answers = Vec::with_capacity(self.tasks.len());
        let mut all_notes = Vec::with_capacity(self.tasks.len());
        for (index, (name, script)) in self.tasks.iter().enumerate() {
            let answered: Rc<Cell<u64>> = Rc::default();
            let turn = turn(index);
            let sink = Rc::new(TaskSink::new(due.clone(), self.watch.clone(), turn.clone()));
            let listener = listener(&sink);
            let tree = TaskTree::new(self.tree.clone(), sink, answered.clone());
            let notes: Rc<Notes> = Rc::default();
            let noted_here = notes.clone();
            let (script, noted, mut variables) = (script.clone(), notes.clone(), self.variables.clone());
            let body = move || {
                let used = tree.used();
                let world = FilesystemWorld::with_operator(tree, TaskVerbs);
                let mut world = InTurn::new(world, turn, noted, used);
                let result = run_task_within(&script, &mut world, BUDGET, &mut variables);
                if let TaskResult::Failed(failing) = &result {
                    noted_here.misused(failing);
                }
                Ended::from(&result)
            };
            all_notes.push(notes);
            actors.push(Actor { name: name.clone(), body: Box::new(body), daemon: false, listener });
            answers.push(answered);
        }
        let (tree, turn) = (self.tree.clone(), turn(self.tasks.len()));
        let sink = Rc::new(TaskSink::new(due.clone(), self.watch.clone(), turn.clone()));
        let (works, listener) = (due.clone(), listener(&sink));
        let body = move || background(&tree.host.bus, &works, &*sink, &|| sink.begin(None), &*turn);
        actors.push(Actor { name: BACKGROUND.to_owned(), body: Box::new(body), daemon: true, listener });
        Cast { actors, answers, notes: all_notes, due }
    }
}
