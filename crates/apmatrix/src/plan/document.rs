//! Plans, outcomes and fits as JSON.

use std::collections::{BTreeMap, BTreeSet};

use ap_apply::apply::{Outcome, Stop};
use ap_apply::promises::Rehearsed;
use ap_apply::prove::Proof;
use ap_files::FileError;
use ap_files::desired::Give;
use ap_plan::state::triple;
use ap_plan::{Allow, Fit, Masks, NoPlan, Plan, State, Store, Target, Write};
use ap_types::grammar::{ap_config, mask_write, uuid};
use ap_types::{AdapterMask, DomainMask};
use serde::{Deserialize, Serialize};

/// The version of plan files that is understood.
pub const SCHEMA: &str = "apmatrix.plan/1";

/// A plan.
#[derive(Debug, Deserialize, Serialize, schemars::JsonSchema)]
pub struct PlanDocument {
    schema: String,
    host: HostDocument,
    wanted: Wanted,
    allow: Vec<String>,
    writes: usize,
    least: usize,
    most: usize,
    steps: Vec<StepDocument>,
    queues: Vec<QueueDocument>,
    guarantees: Vec<GuaranteeDocument>,
    #[serde(default)]
    warnings: Vec<String>,
}

/// The host that a plan was made for.
#[derive(Debug, Deserialize, Serialize, schemars::JsonSchema)]
struct HostDocument {
    fingerprint: String,
    facts: BTreeMap<String, String>,
}

/// What is wanted, everything said.
#[derive(Debug, Deserialize, Serialize, schemars::JsonSchema)]
struct Wanted {
    apmask: String,
    aqmask: String,
    mdevs: BTreeMap<String, String>,
    listed: Vec<String>,
    give: String,
}

/// A write.
#[derive(Debug, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
struct StoreDocument {
    path: String,
    text: String,
}

#[derive(Debug, Deserialize, Serialize, schemars::JsonSchema)]
struct StepDocument {
    #[serde(flatten)]
    store: StoreDocument,
    why: String,
    answer: String,
    inverse: Vec<StoreDocument>,
}

#[derive(Debug, Deserialize, Serialize, schemars::JsonSchema)]
struct QueueDocument {
    queue: String,
    before: String,
    after: String,
}

#[derive(Debug, Deserialize, Serialize, schemars::JsonSchema)]
struct GuaranteeDocument {
    promise: u8,
    text: String,
    how: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    outcomes: Vec<String>,
}

/// That there is no plan.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct NoPlanDocument {
    schema: &'static str,
    obstacles: Vec<ObstacleDocument>,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct ObstacleDocument {
    what: String,
    remedy: String,
}

/// How an apply, a revert, a recovery or a confirmation ended.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct AppliedDocument {
    schema: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stuck: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    in_effect: Vec<String>,
    /// Which running guests lack something of their mdevs, though all that was written is as before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lacking: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    go_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm_by: Option<u64>,
}

/// Whether mdevs fit another host.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct FitsDocument {
    schema: &'static str,
    source: String,
    target: String,
    mdevs: Vec<FitDocument>,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct FitDocument {
    mdev: String,
    fits: bool,
    reasons: Vec<String>,
}

/// A number for a host's state: the same states have equal ones.
#[must_use]
pub fn fingerprint(facts: &BTreeMap<String, String>) -> String {
    format!("{:032x}", ap_task::state::fingerprint(facts))
}

fn store(write: &Write) -> StoreDocument {
    let Store { path, text } = write.store();
    StoreDocument { path, text }
}

impl PlanDocument {
    /// A plan that was rehearsed.
    #[must_use]
    pub fn of(
        plan: &Plan,
        rehearsed: &Rehearsed,
        allow: &Allow,
        proof: Option<&Proof>,
        warnings: &[String],
    ) -> PlanDocument {
        let facts = plan.before.facts();
        let answers = rehearsed.answers.iter();
        let guarantee = |promise: ap_apply::promises::Promise, how: &str, outcomes: Vec<String>| {
            let how = how.to_owned();
            GuaranteeDocument { promise: promise.number(), text: promise.text().to_owned(), how, outcomes }
        };
        let mut guarantees: Vec<GuaranteeDocument> = rehearsed
            .guarantees
            .iter()
            .map(|found| guarantee(found.promise, &found.how, Vec::new()))
            .collect();
        if let Some(proof) = proof {
            let outcomes = proof.outcomes.iter().map(ToString::to_string).collect();
            guarantees.push(guarantee(ap_apply::promises::Promise::Undisturbed, &proof.how, outcomes));
        }
        PlanDocument {
            schema: SCHEMA.to_owned(),
            host: HostDocument { fingerprint: fingerprint(&facts), facts },
            wanted: Wanted::of(&plan.target),
            allow: allow.words(),
            writes: plan.steps.len(),
            least: plan.least,
            most: plan.most,
            steps: plan
                .steps
                .iter()
                .zip(answers)
                .map(|(step, answer)| StepDocument {
                    store: store(&step.write),
                    why: step.why.clone(),
                    answer: answer.clone(),
                    inverse: step.inverse.iter().map(store).collect(),
                })
                .collect(),
            queues: plan
                .moved()
                .iter()
                .map(|moved| QueueDocument {
                    queue: moved.queue.to_string(),
                    before: moved.before.to_string(),
                    after: moved.after.to_string(),
                })
                .collect(),
            guarantees,
            warnings: warnings.to_vec(),
        }
    }

    /// The plan that a file says; `None` if the text is no plan file.
    ///
    /// # Errors
    /// If it is one, and a wrong one.
    pub fn parse(file: &str, text: &str) -> Option<Result<PlanDocument, FileError>> {
        #[derive(Deserialize)]
        struct Named {
            schema: String,
        }
        let named: Named = serde_json::from_str(text).ok()?;
        if !named.schema.starts_with("apmatrix.plan/") {
            return None;
        }
        if named.schema != SCHEMA {
            let message = format!("unknown schema `{}`", named.schema);
            let expected = format!("expected `{SCHEMA}`: plan anew with this program");
            return Some(Err(FileError::at_line(file, text, 1, message, &expected)));
        }
        Some(serde_json::from_str(text).map_err(|error| {
            let message = format!("not a plan of this version: {error}");
            FileError::at_line(file, text, error.line(), message, "expected what `apmatrix plan -o` writes")
        }))
    }

    /// What is different on a host in that state.
    #[must_use]
    pub fn differences(&self, now: &State) -> Vec<String> {
        ap_plan::difference::differences(&self.host.facts, &now.facts())
    }

    /// What is wanted, and what may happen.
    #[must_use]
    pub fn wanted(&self) -> Option<(Target, Allow)> {
        Some((self.wanted.target()?, Allow::parse(self.allow.iter().map(String::as_str)).ok()?))
    }

    /// Whether these are its steps.
    #[must_use]
    pub fn has_steps_of(&self, plan: &Plan) -> bool {
        self.steps.len() == plan.steps.len()
            && self.steps.iter().zip(&plan.steps).all(|(text, step)| text.store == store(&step.write))
    }
}

impl Wanted {
    fn of(target: &Target) -> Wanted {
        Wanted {
            apmask: target.masks.adapters.to_string(),
            aqmask: target.masks.domains.to_string(),
            mdevs: target.mdevs.iter().map(|(uuid, matrix)| (uuid.to_string(), triple(matrix))).collect(),
            listed: target.listed.iter().map(ToString::to_string).collect(),
            give: if target.give == Give::Override { "override" } else { "masks" }.to_owned(),
        }
    }

    fn target(&self) -> Option<Target> {
        let id = |text: &String| uuid(text.as_bytes()).ok();
        let mdevs = self.mdevs.iter().map(|(name, text)| Some((id(name)?, ap_config(text.as_bytes()).ok()?)));
        Some(Target {
            masks: Masks {
                adapters: mask_write(AdapterMask::EMPTY, self.apmask.as_bytes()).ok()?,
                domains: mask_write(DomainMask::EMPTY, self.aqmask.as_bytes()).ok()?,
            },
            mdevs: mdevs.collect::<Option<_>>()?,
            listed: self.listed.iter().map(id).collect::<Option<BTreeSet<_>>>()?,
            give: match self.give.as_str() {
                "masks" => Give::Masks,
                "override" => Give::Override,
                _ => return None,
            },
        })
    }
}

impl NoPlanDocument {
    /// Why there is no plan.
    #[must_use]
    pub fn of(none: &NoPlan) -> NoPlanDocument {
        let obstacle = |found: &ap_plan::Obstacle| ObstacleDocument {
            what: found.what.to_string(),
            remedy: found.remedy.clone(),
        };
        NoPlanDocument {
            schema: "apmatrix.no-plan/1",
            obstacles: none.obstacles.iter().map(obstacle).collect(),
        }
    }
}

impl AppliedDocument {
    /// How it ended.
    #[must_use]
    pub fn of(outcome: &Outcome) -> AppliedDocument {
        let mut document = AppliedDocument {
            schema: "apmatrix.applied/1",
            outcome: "nothing",
            why: None,
            stuck: None,
            in_effect: Vec::new(),
            lacking: Vec::new(),
            go_on: None,
            confirm_by: None,
        };
        match outcome {
            Outcome::Nothing => {}
            Outcome::After { confirm_by } => {
                document.outcome = "after";
                document.confirm_by = *confirm_by;
            }
            Outcome::Before { why, lacking } => {
                document.outcome = "before";
                document.why = Some(why.clone());
                document.lacking.clone_from(lacking);
            }
            Outcome::Stopped(Stop { why, stuck, in_effect, go_on }) => {
                document.outcome = "stopped";
                document.why = Some(why.clone());
                document.stuck = Some(stuck.clone());
                document.in_effect =
                    in_effect.iter().map(|(number, text)| format!("step {number}: {text}")).collect();
                document.go_on = Some(go_on.clone());
            }
        }
        document
    }
}

impl FitsDocument {
    /// Whether each mdev fits.
    #[must_use]
    pub fn of(source: String, target: String, fits: &[Fit]) -> FitsDocument {
        let fit = |fit: &Fit| FitDocument {
            mdev: fit.mdev.to_string(),
            fits: fit.misfits.is_empty(),
            reasons: fit.misfits.iter().map(ToString::to_string).collect(),
        };
        FitsDocument { schema: "apmatrix.fits/1", source, target, mdevs: fits.iter().map(fit).collect() }
    }
}
