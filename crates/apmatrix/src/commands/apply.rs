//! `apmatrix apply`: brings a host to a desired state, or takes everything back.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use ap_apply::apply::{self, Options, Outcome as Applied};
use ap_apply::beware;
use ap_apply::error::ApplyError;
use ap_apply::lock::LockError;
use ap_apply::tree::Kind;
use ap_files::{DesiredFile, FileError, read};
use ap_plan::notes::of_no_plan;
use ap_plan::{Allow, Plan, Target, notes};

use crate::arguments::number;
use crate::commands::plan::{Allowed, make, none, tell_notes};
use crate::commands::{Root, print_json};
use crate::control::DIRECTORY;
use crate::error::{CliError, Outcome};
use crate::plan::desk::{FileDesk, usual_run_directory};
use crate::plan::document::{AppliedDocument, PlanDocument};
use crate::plan::host::{Host, unreadable};
use crate::plan::tree::FileTree;
use crate::plan::watch::{Ends, watched};
use crate::plan::{boot, guard, show};
use crate::terminal::{lines_wrapped, width, wrapped};

/// Where the lock and the journal are.
#[derive(Clone, Debug, clap::Args)]
pub struct Run {
    /// Where the lock (lock/s390apconfig.lock) and the journal (apmatrix/) are; /run, for an emulated host a directory of
    /// its own
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub run_dir: Option<PathBuf>,
    /// How many seconds to wait for the lock, if another tool holds it
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = number(0..=86_400_u64), allow_negative_numbers = true)]
    pub wait: u64,
}

impl Run {
    /// The directory.
    #[must_use]
    pub fn directory(&self, root: &Path) -> PathBuf {
        self.run_dir.clone().unwrap_or_else(|| usual_run_directory(root))
    }
}

/// Bring a host to a desired state, step by step, or take everything back
///
/// The plan is made and rehearsed first, or read from a file that `apmatrix plan -o` wrote. Each step is journaled
/// before it is written and looked at after it; whatever is otherwise than on the host's twin takes everything back.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix apply desired.toml\n  \
    apmatrix apply plan.json --confirm 60               without `apmatrix confirm` all is taken back\n  \
    apmatrix apply desired.toml --boot                  also after the next boot: confirm first, then this\n\n\
    Exit status 1: there is no plan, or everything was taken back, or it stopped in between: what is where is said.")]
pub struct Args {
    /// What is wanted, or a plan
    #[arg(value_name = "DESIRED|PLAN", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    #[command(flatten)]
    root: Root,
    #[command(flatten)]
    allow: Allowed,
    /// Take everything back if it is not confirmed in so many seconds, also if the terminal is gone
    #[arg(long, value_name = "SECONDS", value_parser = number(1..=86_400_u64), allow_negative_numbers = true)]
    confirm: Option<u64>,
    /// Also after the next boot: the unit apmatrix-apply.service applies the file again, and mdevctl is told of the mdevs
    /// that have `boot` in it. Not with --confirm: confirm first, then apply again with --boot
    #[arg(long, conflicts_with = "confirm")]
    boot: bool,
    #[command(flatten)]
    run: Run,
    /// Where the files for the next boot are
    #[arg(long, value_name = "DIR", default_value = "/etc", hide = true)]
    etc_dir: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What the file says.
enum Wish {
    Plan(Box<PlanDocument>),
    Desired(Box<DesiredFile>, String),
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let wish = wish(&args.file)?;
    if args.boot && matches!(wish, Wish::Plan(_)) {
        return Err(CliError::usage("`--boot` keeps a desired state, and this is a plan")
            .hint("apply the desired state with `--boot`"));
    }
    let root = &args.root.root;
    // In a run everything but `/sys` is this machine's own, also what it does when it boots.
    if args.boot && args.etc_dir == Path::new("/etc") && root.join(DIRECTORY).is_dir() {
        return Err(CliError::usage(
            "`--boot` is for a real host: this one is emulated, and what would be kept is for the next boot of this machine",
        )
        .hint("leave `--boot` out; `--etc-dir DIR` writes there what would be written to /etc, and runs nothing"));
    }
    let programs = if root.join(DIRECTORY).is_dir() { boot::Programs::Named } else { boot::Programs::Run };
    let imported = Host::Root(root.clone()).read()?;
    let (allowed, strange) = args.allow.on(&imported.state)?;
    let (target, allow) = match &wish {
        Wish::Desired(desired, _) => (Target::of(&imported.state, desired), allowed),
        Wish::Plan(document) => {
            tell_notes(args.allow.beside_a_plan().as_slice())?;
            fresh(document, &imported.state, &args.file)?
        }
    };
    let ready = match make(&imported, &target, &allow)? {
        Ok(ready) => ready,
        Err(why) => {
            if let Wish::Desired(desired, _) = &wish {
                tell_notes(&[of_no_plan(&imported.state, desired), strange].concat())?;
            }
            return none(&why, args.json);
        }
    };
    if let Wish::Plan(document) = &wish
        && !document.has_steps_of(&ready.plan)
    {
        let path = args.file.display();
        return Err(CliError::input(format!("{path}: these are not the steps that lead to what it wants"))
            .hint("the file was edited, or written by another version: make the plan anew"));
    }
    if let Wish::Desired(desired, _) = &wish {
        // Definitions are those of the host whose tree `/sys` is, unless others are named.
        let own = root == Path::new("/sys") || args.etc_dir != Path::new("/etc");
        let contrary = if own { boot::contrary(&args.etc_dir, desired, args.boot) } else { Vec::new() };
        let unsaid = if args.boot { boot::masks(desired, &target)? } else { Vec::new() };
        tell_notes(&[notes(&imported.state, desired), strange, contrary, unsaid].concat())?;
    }
    if args.boot && programs == boot::Programs::Run {
        boot::ready(&args.etc_dir)?;
    }
    let outcome = apply_to(root, &args.run, &ready.plan, args.confirm)?;
    // First what became of the host: that is so, whatever becomes of the next boot.
    let status = ended(&outcome, args.json)?;
    if let Wish::Desired(desired, text) = &wish
        && args.boot
        && matches!(outcome, Applied::Nothing | Applied::After { .. })
    {
        for line in boot::keep(&args.etc_dir, desired, text, programs)? {
            writeln!(anstream::stderr(), "{line}")?;
        }
    }
    Ok(status)
}

fn wish(path: &Path) -> Result<Wish, CliError> {
    let name = path.display().to_string();
    let text = read(path).map_err(|error| {
        CliError::input(error.to_string()).hint("expected a desired state, or a plan").because(error)
    })?;
    match PlanDocument::parse(&name, &text) {
        Some(plan) => Ok(Wish::Plan(Box::new(plan.map_err(CliError::from)?))),
        None => {
            let desired =
                DesiredFile::parse(&name, &text).map_err(|error: FileError| CliError::from(error))?;
            Ok(Wish::Desired(Box::new(desired), text))
        }
    }
}

/// What a plan wants, if the host is still the one that it was made for.
fn fresh(document: &PlanDocument, now: &ap_plan::State, path: &Path) -> Result<(Target, Allow), CliError> {
    let changed = document.differences(now);
    if !changed.is_empty() {
        let stale = CliError::failed(format!("{} is stale: the host is not as it was", path.display()));
        let stale = changed.into_iter().fold(stale, CliError::hint);
        return Err(stale.hint("make the plan anew"));
    }
    document.wanted().ok_or_else(|| {
        CliError::input(format!("{}: what it wants is no state of a host", path.display()))
            .hint("make the plan anew")
    })
}

/// Applies a plan to the tree at `root`.
fn apply_to(root: &Path, run: &Run, plan: &Plan, confirm: Option<u64>) -> Result<Applied, CliError> {
    let mut tree = FileTree::new(root);
    let directory = run.directory(root);
    let mut desk = FileDesk::new(&directory, root);
    let id = guard::new_id();
    if confirm.is_some() && !plan.steps.is_empty() {
        guard::start(&directory, root, &id)?;
    }
    let options = Options { id: Some(id), wait: run.wait, confirm };
    let ends = if confirm.is_some() { Ends::Guard } else { Ends::Recovery };
    let applied = watched(ends, tell, |tell| apply::apply(&mut tree, &mut desk, plan, &options, &mut *tell));
    applied.map_err(|error| denied(plan, error, root))
}

/// Tells what is under way.
pub fn tell(report: ap_apply::report::Report<'_>) {
    if let Some(line) = show::report(&report) {
        let _ = writeln!(anstream::stderr(), "{}", wrapped(&line, width(), 2));
    }
}

/// Who may not write is told what would be written.
fn denied(plan: &Plan, error: ApplyError, root: &Path) -> CliError {
    let fault = match &error {
        ApplyError::Denied(fault) | ApplyError::Desk(fault) | ApplyError::Lock(LockError::Fault(fault)) => {
            fault
        }
        _ => return refused(error, root),
    };
    if fault.kind != Kind::Denied {
        return refused(error, root);
    }
    let said = CliError::environment(format!("nothing was written: {fault}"));
    let stores = apply::would_write(plan);
    let said = stores.into_iter().fold(said, |said, store| said.hint(format!("it would write: {store}")));
    said.hint("be root").because(error)
}

/// Why nothing was done.
#[must_use]
pub fn refused(error: ApplyError, root: &Path) -> CliError {
    let text = error.to_string();
    let taken_back = matches!(error, ApplyError::TakenBack { .. });
    let said = why_refused(error, text, root);
    // Who took it back could tell nobody.
    if taken_back { lacking(root).into_iter().fold(said, CliError::hint) } else { said }
}

/// Guests that have less than they should, a sentence each: whoever comes after something was taken back is told.
pub fn lacking(root: &Path) -> Vec<String> {
    let host = Host::Root(root.to_owned()).read();
    host.map(|imported| beware::lacking(&imported.state)).unwrap_or_default()
}

fn why_refused(error: ApplyError, text: String, root: &Path) -> CliError {
    match error {
        ApplyError::Import(error) => unreadable(&root.display().to_string(), error),
        ApplyError::Stale(_) => CliError::failed(text).hint("plan anew"),
        ApplyError::Interrupted(_) => CliError::failed(text).hint("apmatrix recover"),
        ApplyError::Unconfirmed(_) => CliError::failed(text).hint("apmatrix confirm, or apmatrix revert"),
        ApplyError::NoApply(_) | ApplyError::Stays { .. } => CliError::failed(text),
        ApplyError::TooLate { .. } | ApplyError::GoesBack { .. } => {
            CliError::failed(text).hint("`apmatrix recover` says how it ended, or ends it")
        }
        ApplyError::TakenBack { ref why, .. } if why == apply::LATE => CliError::failed(text)
            .hint("`apmatrix apply` brings it about again; --confirm SECONDS gives more time"),
        ApplyError::TakenBack { .. } => CliError::failed(text).hint("`apmatrix apply` brings it about again"),
        ApplyError::Journal(_) => CliError::environment(text).hint(
            "another version wrote it, or it was edited: look at it, and remove it if nothing of it counts",
        ),
        ApplyError::Lock(LockError::Held { .. }) => {
            CliError::environment(text).hint("`--wait SECONDS` waits longer").because(error)
        }
        _ => CliError::environment(text).because(error),
    }
}

/// Says how it ended.
///
/// # Errors
/// If nothing can be printed.
pub fn ended(outcome: &Applied, json: bool) -> Outcome {
    let failed = matches!(outcome, Applied::Before { .. } | Applied::Stopped(_));
    if json {
        print_json(&AppliedDocument::of(outcome))?;
    } else if failed {
        write!(anstream::stderr(), "{}", lines_wrapped(&show::outcome(outcome), width()))?;
    } else {
        write!(anstream::stdout(), "{}", lines_wrapped(&show::outcome(outcome), width()))?;
    }
    Ok(u8::from(failed))
}
