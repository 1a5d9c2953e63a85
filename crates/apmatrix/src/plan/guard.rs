//! The process that takes back what nobody confirms: it outlives the command, and its terminal.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use ap_apply::apply::{Options, recover, revert_unconfirmed};
use ap_apply::tree::{Desk, Tree};
use ap_files::journal::{At, Journal};

use crate::error::CliError;
use crate::plan::desk::FileDesk;
use crate::plan::tree::FileTree;

/// How often the journal is looked at, in milliseconds.
const LOOK_MS: u64 = 200;

/// An apply that is watched over.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'a> {
    /// What its journal calls it.
    pub id: &'a str,
    /// The process that applies.
    pub parent: u32,
}

/// A name that no other apply has: numbers of processes come again, and in the same second, too.
#[must_use]
pub fn new_id() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}-{:09}-{}", since.as_secs(), since.subsec_nanos(), std::process::id())
}

/// Starts a guard over the apply of that name, which this process is about to begin.
///
/// # Errors
/// If no process can be started.
pub fn start(run: &Path, root: &Path, id: &str) -> Result<(), CliError> {
    let failed = |error: std::io::Error| {
        CliError::environment(format!("the process that takes back what is not confirmed: {error}"))
            .because(error)
    };
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.arg("revert").arg("--guard").arg(id).arg("--parent").arg(std::process::id().to_string());
    command.arg("--run-dir").arg(run).arg("--root").arg(root);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // A terminal that goes tells its own process group only.
    command.process_group(0).spawn().map_err(failed)?;
    Ok(())
}

/// Watches over an apply: takes it back if it is not confirmed in time, or if its process is killed.
pub fn watch(run: &Path, root: &Path, watched: &Watched<'_>) {
    let mut desk = FileDesk::new(run, root);
    while look(&mut FileTree::new(root), &mut desk, watched) == Look::Again {
        desk.sleep(LOOK_MS);
    }
}

/// Whether a guard has to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Again,
    Over,
}

/// Looks once, and takes back what is to be. What fails is tried again: nobody else does.
fn look(tree: &mut dyn Tree, desk: &mut dyn Desk, watched: &Watched<'_>) -> Look {
    let options = Options { wait: 600, ..Options::default() };
    // First who lives, then what he wrote: before he died he may have begun.
    let lives = desk.lives(watched.parent);
    let Ok(text) = desk.journal() else { return Look::Again };
    let found = Journal::parse(&text).ok().flatten();
    let ended = match found.filter(|journal| journal.begin.id == watched.id).map(|journal| journal.at) {
        Some(At::Waiting(until)) if desk.now() >= until => {
            revert_unconfirmed(tree, desk, watched.id, &options, &mut |_| {}).is_ok()
        }
        Some(At::Waiting(_)) => false,
        Some(At::Ended(_)) => true,
        Some(At::Doing(_) | At::Back(_)) => !lives && recover(tree, desk, &options, &mut |_| {}).is_ok(),
        None => !lives,
    };
    if ended { Look::Over } else { Look::Again }
}

#[cfg(test)]
mod tests {
    use ap_apply::apply::{Outcome, apply};
    use ap_apply::import::import;
    use ap_apply::memory::MemoryDesk;
    use ap_files::journal::{Begin, End, Record, SCHEMA};
    use ap_files::{DesiredFile, MachineFile};
    use ap_plan::{Allow, Plan, Target, plan};
    use ap_sysfs::{Errno, Session};

    use super::*;

    const WATCHED: Watched<'static> = Watched { id: "1-2-7", parent: 7 };

    fn host() -> (Session, Plan) {
        let machine = MachineFile::load("tiny").expect("it is built in");
        let mut session = ap_files::boot(&machine).expect("it boots");
        let wish = "schema = \"apmatrix.desired/1\"\n[host]\napmask = \"-4\"\n";
        let wish = DesiredFile::parse("want.toml", wish).expect("it is right");
        let state = import(&mut session).expect("it can be read").state;
        let target = Target::of(&state, &wish);
        let plan = plan(&state, &target, &Allow::default()).expect("there is a plan");
        (session, plan)
    }

    fn mask(session: &mut Session) -> String {
        Tree::read(session, "bus/ap/apmask").expect("it is there")
    }

    /// Applies as the process that is watched.
    fn applied(session: &mut Session, desk: &MemoryDesk, plan: &Plan) {
        let options = Options { id: Some(WATCHED.id.to_owned()), confirm: Some(60), ..Options::default() };
        let outcome = apply(session, &mut desk.other(7), plan, &options, &mut |_| {}).expect("it begins");
        assert!(matches!(outcome, Outcome::After { confirm_by: Some(_) }));
    }

    #[test]
    fn an_old_journal_of_the_same_process_number_is_another_applys() {
        let (mut session, plan) = host();
        let before = mask(&mut session);
        let mut desk = MemoryDesk::new(1);
        let applying = desk.other(7);
        let begin = Begin {
            schema: SCHEMA.to_owned(),
            id: "1-1-7".to_owned(),
            at: 1,
            confirm: None,
            held: std::collections::BTreeMap::new(),
            steps: Vec::new(),
        };
        for record in [Record::Begin(Box::new(begin)), Record::Ended(End::After)] {
            desk.append(&record.line()).expect("there is room");
        }
        assert_eq!(look(&mut session, &mut desk, &WATCHED), Look::Again, "ours has not begun");
        applied(&mut session, &desk, &plan);
        applying.dies();
        assert_eq!(look(&mut session, &mut desk, &WATCHED), Look::Again, "it can still be confirmed");
        desk.paper().now += 61;
        assert_eq!(look(&mut session, &mut desk, &WATCHED), Look::Over);
        assert_eq!(mask(&mut session), before);
    }

    #[test]
    fn a_guard_that_is_refused_tries_again() {
        let (mut session, plan) = host();
        let before = mask(&mut session);
        let mut desk = MemoryDesk::new(1);
        applied(&mut session, &desk, &plan);
        // Somebody else has the lock for longer than anybody waits, and then it is free.
        desk.other(9).take_lock().expect("it is free");
        desk.paper().now += 61;
        assert_eq!(look(&mut session, &mut desk, &WATCHED), Look::Again);
        assert_ne!(mask(&mut session), before);
        desk.other(9).drop_lock().expect("it was taken");
        assert_eq!(look(&mut session, &mut desk, &WATCHED), Look::Over);
        assert_eq!(mask(&mut session), before);
    }

    #[test]
    fn who_was_killed_in_between_is_taken_back_at_once() {
        let (mut session, plan) = host();
        let before = mask(&mut session);
        let mut desk = MemoryDesk::new(1);
        let applying = desk.other(7);
        applied(&mut session, &desk, &plan);
        // As it was before its last line.
        let text = desk.paper().journal.clone();
        let cut = text.trim_end().rfind('\n').expect("it has lines") + 1;
        desk.paper().journal.truncate(cut);
        assert_eq!(look(&mut session, &mut desk, &WATCHED), Look::Again, "it lives");
        applying.dies();
        desk.paper().full = Some(Errno::ENOSPC);
        assert_eq!(look(&mut session, &mut desk, &WATCHED), Look::Over, "a full disk is no reason");
        assert_eq!(mask(&mut session), before);
    }

    #[test]
    fn a_process_that_died_before_it_began_is_not_watched_any_more() {
        let (mut session, _) = host();
        let mut desk = MemoryDesk::new(1);
        let applying = desk.other(7);
        assert_eq!(look(&mut session, &mut desk, &WATCHED), Look::Again);
        applying.dies();
        assert_eq!(look(&mut session, &mut desk, &WATCHED), Look::Over);
    }
}
