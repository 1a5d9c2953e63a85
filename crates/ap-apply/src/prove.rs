//! What others do while a plan is applied: explored with the plan, every interleaving, on the host's twin.
//!
//! The twin is cut down to the adapters and domains that the plan is about: others have no part in it. One other does one
//! thing at a time; with two others at once the first steps are what two plans are, and the lock keeps those apart.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use ap_files::MachineFile;
use ap_plan::{Plan, Write};
use ap_proof::scenario::{Ready, Scenario, SetupError, Task};
use ap_types::{AdapterMask, DomainMask, Matrix, QueueSet};
use explore::Options;

use crate::import::Imported;
use crate::twin::{Twin, TwinError};

/// How long one exploration may take.
const BUDGET: Duration = Duration::from_secs(20);

/// What was explored, and how it can end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What was explored.
    pub how: String,
    /// How the plan can end, for each thing that somebody else does.
    pub outcomes: Vec<Ending>,
    /// What is worse than a refused step: a verdict that is not clean.
    pub worse: Vec<String>,
}

/// A way in which a plan can end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What somebody else does.
    pub other: String,
    /// How the plan ends.
    pub plan: String,
    /// How the other one's command ends.
    pub theirs: String,
    /// The step that is refused, from 1, if one is.
    pub refused: Option<usize>,
}

/// Why nothing was proved.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The twin does not boot.
    #[error(transparent)]
    Twin(#[from] TwinError),
    /// The scenario cannot be played.
    #[error("exploring `{0}` with the plan: {1}")]
    Setup(String, SetupError),
    /// A text of ours is no shell text.
    #[error("exploring `{0}` with the plan: {1}")]
    Text(String, String),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ending { other, plan, theirs, refused } = self;
        match refused {
            Some(step) => write!(f, "`{other}` ({theirs}): step {step} may be refused, {plan}"),
            None => write!(f, "`{other}` ({theirs}): the plan ends {plan}"),
        }
    }
}

/// Explores a plan with what others can do.
///
/// # Errors
/// [`ProveError`].
pub fn prove(host: &Imported, plan: &Plan) -> Result<Proof, ProveError> {
    let small = cut(host, plan);
    let started = Instant::now();
    let (mut outcomes, mut worse) = (Vec::new(), Vec::new());
    let (mut executions, mut states, mut exhausted) = (0, 0, true);
    let others = others(plan, &small.machine);
    for other in &others {
        let mut known: Vec<(String, String)> = Vec::new();
        // The plan cut off after each step in turn: the first that ends otherwise than ok is the one that is refused.
        for steps in 1..=plan.steps.len() {
            let explored = explore(&small, plan, steps, other)?;
            executions += explored.report.executions;
            states += explored.report.states;
            exhausted &= explored.report.exhausted;
            if !explored.report.is_clean() && explored.report.exhausted {
                worse.push(format!("`{other}`: {}", explored.report.verdict));
            }
            let whole = steps == plan.steps.len();
            for outcome in &explored.report.outcomes {
                let [mine, theirs, ..] = outcome.results.as_slice() else { continue };
                let (mine, theirs) = (mine.to_string(), theirs.to_string());
                let refused = mine != "ok";
                if !(refused || whole) || known.contains(&(mine.clone(), theirs.clone())) {
                    continue;
                }
                known.push((mine.clone(), theirs.clone()));
                outcomes.push(Ending {
                    other: other.clone(),
                    plan: mine,
                    theirs,
                    refused: refused.then_some(steps),
                });
            }
        }
    }
    let covered = if exhausted { "every interleaving" } else { "interleavings, as far as the time reached" };
    let how = format!(
        "{} things that others do, each with the plan, on the twin cut to {} adapters and {} domains: {covered} \
         ({executions} ends, {states} states, {} ms); {}",
        others.len(),
        small.machine.adapters.len(),
        small.machine.domains.count(),
        started.elapsed().as_millis(),
        if worse.is_empty() {
            "nothing worse than a refused step"
        } else {
            "worse than a refused step was found"
        }
    );
    Ok(Proof { how, outcomes, worse })
}

/// The host with nothing but the adapters and domains that the plan is about, and its mdevs.
fn cut(host: &Imported, plan: &Plan) -> Imported {
    let Matrix { adapters, domains, .. } = about(plan);
    let machine = &host.machine;
    let some = |mask: DomainMask| (mask & machine.domains).iter().take(2).collect::<DomainMask>();
    let all: AdapterMask = machine.adapters.iter().map(|adapter| adapter.id).collect();
    // Of each kind two are enough to differ: what holds for two holds for more.
    let keep_adapters: AdapterMask = (adapters & all).iter().take(3).collect();
    let keep_domains =
        if (domains & machine.domains).is_empty() { some(machine.domains) } else { some(domains) };
    let mut small = host.clone();
    let MachineFile { adapters, domains, queues, .. } = &mut small.machine;
    adapters.retain(|adapter| keep_adapters.contains(adapter.id));
    *domains = keep_domains;
    queues.retain(|queue| {
        keep_adapters.contains(queue.apqn.adapter) && keep_domains.contains(queue.apqn.domain)
    });
    small.state.queues.none = small
        .state
        .queues
        .none
        .iter()
        .filter(|apqn| keep_adapters.contains(apqn.adapter) && keep_domains.contains(apqn.domain))
        .collect();
    let state = ap_plan::State::of(&small.machine);
    for (uuid, mdev) in &mut small.state.mdevs {
        mdev.shadow = state.mdevs.get(uuid).map(|mdev| mdev.shadow).unwrap_or_default();
    }
    small
}

/// The adapters and domains that a plan is about.
fn about(plan: &Plan) -> Matrix {
    let mut all = Matrix::default();
    for step in &plan.steps {
        let old = |uuid| step.before.mdevs.get(uuid).map(|mdev| mdev.matrix).unwrap_or_default();
        let (old, new) = match &step.write {
            Write::Config(uuid, new) => (old(uuid), *new),
            Write::Remove(uuid) => (old(uuid), Matrix::default()),
            Write::Apmask(delta) => {
                (Matrix::default(), Matrix { adapters: delta.set() | delta.clear(), ..Matrix::default() })
            }
            Write::Aqmask(delta) => {
                (Matrix::default(), Matrix { domains: delta.set() | delta.clear(), ..Matrix::default() })
            }
            Write::Override(apqn, _) | Write::Unbind(apqn, _) | Write::Bind(apqn, _) => {
                let queue = QueueSet::from_iter([*apqn]);
                let (adapters, domains) = (queue.adapters(), queue.domains());
                (Matrix::default(), Matrix { adapters, domains, ..Matrix::default() })
            }
            Write::Create(_) => continue,
        };
        all.adapters |= old.adapters | new.adapters;
        all.domains |= old.domains | new.domains;
    }
    all
}

/// What somebody else may do: a shell line each.
fn others(plan: &Plan, small: &MachineFile) -> Vec<String> {
    let mut lines = BTreeMap::new();
    let mut add = |key: u8, line: String| {
        lines.entry(key).or_insert(line);
    };
    for (uuid, mdev) in &plan.before.mdevs {
        if mdev.holder.is_none() {
            add(0, format!("guest start other {uuid}"));
        } else if let Some(guest) = mdev.holder.as_ref().and_then(|holder| holder.guest.as_ref()) {
            add(1, format!("guest stop {guest}"));
        }
        let changes = plan.steps.iter().any(|step| matches!(step.write, Write::Config(id, _) if id == *uuid));
        if let (true, Some(domain)) = (changes, small.domains.first()) {
            let path = format!("/sys/devices/vfio_ap/matrix/{uuid}/assign_domain");
            add(2, format!("echo {} > {path}", domain.0));
        }
    }
    add(3, "echo 1 > /sys/bus/ap/scans".to_owned());
    for step in &plan.steps {
        if let Write::Apmask(delta) = step.write
            && let Some(adapter) = delta.clear().first().or_else(|| delta.set().first())
        {
            let sign = if delta.clear().contains(adapter) { '+' } else { '-' };
            add(4, format!("echo {sign}{} > /sys/bus/ap/apmask", adapter.0));
        }
        if let Write::Config(_, matrix) = step.write
            && let Some(adapter) = matrix.adapters.first()
        {
            add(5, format!("echo +{} > /sys/bus/ap/apmask", adapter.0));
        }
    }
    let mut lines: Vec<String> = lines.into_values().collect();
    lines.dedup();
    lines
}

fn explore(
    small: &Imported,
    plan: &Plan,
    steps: usize,
    other: &str,
) -> Result<ap_proof::scenario::Explored, ProveError> {
    let twin = Twin::of(small)?;
    let text: Vec<String> = plan.steps[..steps]
        .iter()
        .map(|step| {
            let store = step.write.store();
            format!("echo {} > /sys/{}", store.text, store.path)
        })
        .collect();
    let task = |name: &str, text: &str| {
        let script =
            ap_shell::parse(text, name).map_err(|error| ProveError::Text(other.to_owned(), error.what))?;
        Ok::<Task, ProveError>(Task { name: name.to_owned(), script })
    };
    let empty =
        ap_shell::parse("", "setup").map_err(|error| ProveError::Text(other.to_owned(), error.what))?;
    let tasks = vec![task("plan", &text.join("\n"))?, task("other", other)?];
    let scenario = Scenario { title: format!("a plan against `{other}`"), setup: empty, tasks };
    let ready = Ready::new(&scenario, twin.into_session(), &|| false)
        .map_err(|error| ProveError::Setup(other.to_owned(), error))?;
    Ok(ready.explore(Options { budget: Some(BUDGET), ..Options::default() }, None))
}
