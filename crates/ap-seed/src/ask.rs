//! Asking: the programs whose interleavings answer the questions, and what they say.

use std::rc::Rc;

use ap_types::{AdapterId, AdapterMask};
use explore::{Explorer, Options, Program, Report, Scene, Schedule, Violation};
use locks::{Mutex, Unordered};

use crate::model::{Model, Setup};
use crate::names;
use crate::oracle::{self, Ends};
use crate::question::Question;
use crate::series::Series;
use crate::v12::{Kernel, returns};

locks::hierarchy! {
    /// A lock that no kernel has: who holds it may call.
    mod turn {
        /// Held over a whole call where calls come one after the other.
        Turn
    }
}

/// What the explorer says to a question.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Whether it is so.
    pub found: bool,
    /// Whether every interleaving was covered.
    pub exhausted: bool,
    /// How many interleavings were told apart.
    pub executions: u64,
    /// An interleaving that shows it: it can be replayed.
    pub schedule: Option<Schedule>,
}

/// The model, and whose turn it is.
pub(super) struct Stage {
    pub model: Model,
    pub turn: Mutex<turn::Turn, ()>,
}

impl Stage {
    pub(super) fn new(setup: &Setup) -> Self {
        Stage { model: Model::new(setup), turn: Mutex::new(0, ()) }
    }

    /// Makes a call: when it is its turn, or at any time.
    pub(super) fn call(&self, in_turn: bool, call: impl FnOnce(&Model) -> String) -> String {
        let token = Unordered::specimen();
        let _turn = in_turn.then(|| self.turn.lock_unordered(&token));
        call(&self.model)
    }
}

/// The program whose interleavings answer a question.
#[must_use]
pub fn program(series: Series, question: Question) -> Box<dyn Program> {
    let scene = tasks(series, question, question == Question::TheftSequence);
    Box::new(match question {
        Question::TheftSequence => scene.check(|stage, _| oracle::stolen(&stage.model.look())),
        Question::TheftRace => {
            let in_order = in_order(&mut tasks(series, question, true));
            scene.check(move |stage, results| {
                let state = stage.model.look();
                let known = in_order.contains(&(results.to_vec(), state.words()));
                if known { Vec::new() } else { oracle::stolen(&state) }
            })
        }
        Question::SpuriousBusy => {
            let in_order = in_order(&mut tasks(series, question, true));
            let names: Vec<&str> = question.cast().iter().map(|(name, _)| *name).collect();
            scene.check(move |_, results| oracle::spurious(&names, results, &in_order))
        }
        Question::Deadlock | Question::ProtectedGuestCycle => scene,
    })
}

/// The question's tasks, without an oracle.
fn tasks(series: Series, question: Question, in_turn: bool) -> Scene<Stage> {
    let both: &[u8] = if question == Question::SpuriousBusy { &[5, 6] } else { &[5] };
    let setup = Rc::new(Setup::of_adapters(both));
    let host_wants = AdapterMask::single(AdapterId(both[both.len() - 1]));
    let mut scene = Scene::new(move || Stage::new(&setup))
        .called(names::called)
        .state(|stage| stage.model.look().words());
    for &(name, _) in question.cast() {
        scene = scene.task(name, move |stage| {
            stage.call(in_turn, |model| {
                let kernel = Kernel::new(model, series);
                match name {
                    "BUS" => returns(kernel.apmask_store(host_wants)),
                    "ADMIN" => returns(kernel.assign_adapter_store(0, AdapterId(5))),
                    "GUEST" => {
                        kernel.vfio_ap_mdev_set_kvm(0);
                        kernel.handle_pqap();
                        returns(Ok(()))
                    }
                    _ => {
                        kernel.kvm_s390_handle_pv(0);
                        returns(Ok(()))
                    }
                }
            })
        });
    }
    scene
}

/// How calls end that come one after the other: the results and the whole state of every order.
pub(super) fn in_order(scene: &mut Scene<Stage>) -> Ends {
    let options = Options { shrink: false, ..Options::default() };
    let report = Explorer::new(options).run(scene);
    assert!(report.exhausted, "calls one after the other end, in every order");
    report.outcomes.into_iter().map(|outcome| (outcome.results, outcome.state)).collect()
}

/// Explores a question.
#[must_use]
pub fn ask(series: Series, question: Question, options: &Options) -> Answer {
    let report = Explorer::new(options.clone()).run(&mut *program(series, question));
    tell(question, &report)
}

/// What a report of the question's program says to it.
#[must_use]
pub fn tell(question: Question, report: &Report) -> Answer {
    let violation = report.of(question.verdict()).find(|violation| shows(question, violation));
    let found = violation.is_some() || (question == Question::ProtectedGuestCycle && circle(report));
    Answer {
        found,
        exhausted: report.exhausted,
        executions: report.executions,
        schedule: violation.map(|violation| violation.schedule.clone()),
    }
}

/// Whether the violation is what the question is about.
fn shows(question: Question, violation: &Violation) -> bool {
    let waits_for = |level: &str| {
        violation
            .deadlock
            .iter()
            .flat_map(|deadlock| &deadlock.cycle)
            .any(|waiting| waiting.on.level == level)
    };
    match question {
        Question::ProtectedGuestCycle => waits_for("Vcpu") && waits_for("Mdevs") && waits_for("Kvm"),
        Question::Deadlock => waits_for("Perms") && waits_for("Mdevs"),
        _ => true,
    }
}

/// Whether the locks are taken in the circle V, M, K over all interleavings.
pub(super) fn circle(report: &Report) -> bool {
    report.lock_order.cycles.iter().any(|cycle| {
        ["Vcpu", "Mdevs", "Kvm"].iter().all(|level| cycle.iter().any(|edge| edge.held.level == *level))
    })
}
