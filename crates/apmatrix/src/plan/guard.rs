//! The process that takes back what nobody confirms: it outlives the command, and its terminal.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use ap_apply::apply::{Options, recover, revert_unconfirmed};
use ap_apply::tree::Desk;
use ap_files::journal::{At, Journal};

use crate::error::CliError;
use crate::plan::desk::FileDesk;
use crate::plan::tree::FileTree;

/// How often the journal is looked at, in milliseconds.
const LOOK_MS: u64 = 200;

/// Starts a guard over what this process is about to apply.
///
/// # Errors
/// If no process can be started.
pub fn start(run: &Path, root: &Path) -> Result<(), CliError> {
    let failed = |error: std::io::Error| {
        CliError::environment(format!("the process that takes back what is not confirmed: {error}"))
            .because(error)
    };
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.arg("revert").arg("--guard").arg(std::process::id().to_string());
    command.arg("--run-dir").arg(run).arg("--root").arg(root);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // A terminal that goes tells its own process group only.
    command.process_group(0).spawn().map_err(failed)?;
    Ok(())
}

/// Watches over what a process applies: takes it back if it is not confirmed in time, or if the process is killed.
pub fn watch(run: &Path, root: &Path, parent: u32) {
    let mut desk = FileDesk::new(run, root);
    let options = Options { wait: 600, confirm: None };
    loop {
        let now = desk.now();
        let lives = desk.lives(parent);
        let found = desk.journal().ok().and_then(|text| Journal::parse(&text).ok().flatten());
        let ours = found.filter(|journal| journal.begin.id.ends_with(&format!("-{parent}")));
        let mut tree = FileTree::new(root);
        match ours.map(|journal| (journal.at, journal.begin.id)) {
            Some((At::Waiting(until), id)) if now >= until => {
                let _ = revert_unconfirmed(&mut tree, &mut desk, &id, &options, &mut |_| {});
                return;
            }
            Some((At::Waiting(_), _)) => {}
            Some((At::Ended(_), _)) => return,
            Some((At::Doing(_) | At::Back(_), _)) if !lives => {
                let _ = recover(&mut tree, &mut desk, &options, &mut |_| {});
                return;
            }
            Some(_) => {}
            None if !lives => return,
            None => {}
        }
        desk.sleep(LOOK_MS);
    }
}
