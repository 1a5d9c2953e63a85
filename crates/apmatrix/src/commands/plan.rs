//! `apmatrix plan`: what brings a host to a desired state, run on its twin first.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ap_apply::apply::pending;
use ap_apply::import::Imported;
use ap_apply::promises::{Rehearsed, rehearse};
use ap_apply::prove::{Proof, prove};
use ap_apply::twin::Twin;
use ap_files::DesiredFile;
use ap_plan::notes::of_no_plan;
use ap_plan::{Allow, NoPlan, Plan, State, Target, notes, plan};
use ap_serve::page::Frozen;
use ap_view::Operation;

use crate::commands::{Root, print_json, write_page};
use crate::error::{CliError, Outcome};
use crate::plan::desk::{FileDesk, usual_run_directory};
use crate::plan::document::{NoPlanDocument, PlanDocument};
use crate::plan::host::Host;
use crate::plan::{boot, show};
use crate::terminal::{lines_wrapped, width};

/// What may happen that else must not.
#[derive(Clone, Debug, clap::Args)]
pub struct Allowed {
    /// What may happen that else must not: unplug (running guests lose queues that are wanted elsewhere), or unplug=NAME
    /// (only that guest, by its name or its mdev's UUID); as often as needed
    #[arg(long, value_name = "WHAT", value_parser = allowed, add = crate::complete::allowed())]
    allow: Vec<String>,
}

/// A word that allows something.
fn allowed(word: &str) -> Result<String, String> {
    let parsed = Allow::parse([word]);
    parsed.map(|_| word.to_owned()).map_err(|error| {
        format!(
            "{error}; expected `unplug`, or `unplug=NAME` with the name of a guest or the UUID of its mdev"
        )
    })
}

impl Allowed {
    /// A note for whoever says it where a plan is given, which says itself what may happen.
    pub fn beside_a_plan(&self) -> Option<String> {
        (!self.allow.is_empty()).then(|| {
            "`--allow` changes nothing here: a plan allows what it was made with; `apmatrix plan DESIRED --allow … -o PLAN` \
             makes another one"
                .to_owned()
        })
    }

    /// What that is on that host, and a note for each name that is nobody's there.
    ///
    /// # Errors
    /// A word that allows nothing; none, if the command line was read.
    pub fn on(&self, state: &State) -> Result<(Allow, Vec<String>), CliError> {
        let allow = Allow::parse(self.allow.iter().map(String::as_str))
            .map_err(|error| CliError::usage(error.to_string()).because(error))?;
        let note = |name: &str| {
            format!("--allow unplug={name}: no guest that runs is called so, nor is the mdev of one")
        };
        let notes = allow.strangers(state).into_iter().map(note).collect();
        Ok((allow, notes))
    }
}

/// Plan what brings a host to a desired state
///
/// Nothing is written. The plan is run on the host's twin, an emulated host in this process, and what it promises is
/// checked there. Exit status 1: there is no plan, and who is in the way; or, with --check, there is something to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix plan desired.toml\n  \
    apmatrix plan desired.toml --machine mine.toml      for a host that is not here\n  \
    apmatrix plan desired.toml --html plan.html         a page with a slider\n  \
    apmatrix plan desired.toml -o plan.json && apmatrix apply plan.json")]
pub struct Args {
    /// What is wanted: a desired state, what `mdevctl list --dumpjson` prints, or a machine file
    #[arg(value_name = "DESIRED", value_hint = clap::ValueHint::FilePath)]
    desired: PathBuf,
    #[command(flatten)]
    root: Root,
    /// Plan for a machine, as it is right after boot, instead of this host
    #[arg(long, value_name = "M", conflicts_with = "root", add = crate::complete::machines())]
    machine: Option<String>,
    #[command(flatten)]
    allow: Allowed,
    /// Explore what others do at the same time, too, and list how the plan can end then
    #[arg(long)]
    prove: bool,
    /// Print no plan: exit status 1 says that there is something to do, 0 that there is nothing
    #[arg(long)]
    check: bool,
    /// Write the plan to this file, for `apmatrix apply`
    #[arg(short, long, value_name = "PLAN", value_hint = clap::ValueHint::FilePath)]
    output: Option<PathBuf>,
    /// Write a page to this file, for a browser: before and after side by side, step by step
    #[arg(long, value_name = "FILE", conflicts_with = "check", value_hint = clap::ValueHint::FilePath)]
    html: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A plan that was rehearsed.
pub struct Ready {
    /// The plan.
    pub plan: Plan,
    /// What the twin said.
    pub rehearsed: Rehearsed,
}

/// Plans, and rehearses. An error is a defect of ours, or that the twin does not boot; no plan is an answer.
///
/// # Errors
/// If the twin does not boot, or breaks a promise.
pub fn make(host: &Imported, target: &Target, allow: &Allow) -> Result<Result<Ready, NoPlan>, CliError> {
    let plan = match plan(&host.state, target, allow) {
        Ok(plan) => plan,
        Err(none) => return Ok(Err(none)),
    };
    if plan.steps.is_empty() {
        let rehearsed = Rehearsed { answers: Vec::new(), guarantees: Vec::new() };
        return Ok(Ok(Ready { plan, rehearsed }));
    }
    let mut twin = Twin::of(host).map_err(|error| CliError::failed(error.to_string()).because(error))?;
    let rehearsed = rehearse(&mut twin, &plan).map_err(|broken| {
        CliError::failed(broken.to_string())
            .hint(
                "the plan is not shown; this is a defect: please report it, with what `apmatrix import` says",
            )
            .because(broken)
    })?;
    Ok(Ok(Ready { plan, rehearsed }))
}

/// There is no plan: said as the command's error, or as a document.
///
/// # Errors
/// Always but with `json`, when only writing can fail.
pub fn none(none: &NoPlan, json: bool) -> Outcome {
    let (message, hints) = show::no_plan(none);
    if json {
        print_json(&NoPlanDocument::of(none))?;
        return Ok(1);
    }
    Err(hints.into_iter().fold(CliError::failed(message), CliError::hint))
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let desired = DesiredFile::read(&args.desired)?;
    let host = match &args.machine {
        Some(machine) => Host::Machine(machine.clone()),
        None => Host::Root(args.root.root.clone()),
    };
    let mut imported = host.read()?;
    let mut under_way = None;
    if let Host::Root(root) = &host {
        let mut desk = FileDesk::new(&usual_run_directory(root), root);
        under_way = pending(&mut desk).map(str::to_owned);
        imported.notes.extend(under_way.clone());
        // Definitions are those of the host whose tree `/sys` is.
        if root == Path::new("/sys") {
            imported.notes.extend(boot::contrary(Path::new("/etc"), &desired, false));
        }
    }
    let target = Target::of(&imported.state, &desired);
    let (allow, strange) = args.allow.on(&imported.state)?;
    imported.notes.extend(strange.iter().cloned());
    let ready = match make(&imported, &target, &allow)? {
        Ok(ready) => ready,
        Err(why) => {
            // What is not there may be why.
            let under_way = under_way.into_iter().collect();
            tell_notes(&[under_way, of_no_plan(&imported.state, &desired), strange].concat())?;
            return none(&why, args.json);
        }
    };
    if args.check {
        tell_notes(&imported.notes)?;
        return Ok(u8::from(!ready.plan.steps.is_empty()));
    }
    let proof = args.prove.then(|| prove(&imported, &ready.plan)).transpose();
    let proof = proof.map_err(|error| CliError::failed(error.to_string()).because(error))?;
    let notes = [imported.notes.clone(), notes(&imported.state, &desired)].concat();
    tell_notes(&notes)?;
    let document = PlanDocument::of(&ready.plan, &ready.rehearsed, &allow, proof.as_ref(), &notes);
    if let Some(path) = &args.output {
        write(path, &document)?;
    }
    if let Some(path) = &args.html {
        page(path, &host, &imported, &ready.plan)?;
    }
    if args.json {
        print_json(&document)?;
    } else {
        let text = show::plan(&ready.plan, &ready.rehearsed, proof.as_ref());
        write!(anstream::stdout(), "{}", lines_wrapped(&text, width()))?;
    }
    Ok(u8::from(proof.is_some_and(|proof: Proof| !proof.worse.is_empty())))
}

/// The host before the plan, and after each of its steps.
fn page(path: &Path, host: &Host, imported: &Imported, plan: &Plan) -> Result<(), CliError> {
    let before = ap_view::Host { state: plan.before.clone(), ..host.view(imported)? };
    let mut page = Frozen::host(&format!("plan for {}", before.name), &before);
    for step in &plan.steps {
        let store = step.write.store();
        let write = Operation::Write { path: store.path, text: store.text.trim().to_owned() };
        let after = ap_view::Host { state: step.after.clone(), ..before.clone() };
        page.step(&step.why, &write.to_string(), &after);
    }
    write_page(path, &page)
}

/// Says what to beware of, where it is in no plan's way.
///
/// # Errors
/// If nothing can be printed.
pub fn tell_notes(notes: &[String]) -> std::io::Result<()> {
    let lines: String = notes.iter().map(|note| format!("note: {note}\n")).collect();
    write!(anstream::stderr(), "{}", lines_wrapped(&lines, width()))
}

fn write(path: &Path, document: &PlanDocument) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(document).map_err(std::io::Error::from)? + "\n";
    fs::write(path, text).map_err(|error| CliError::unwritten(path, error))
}
