//! The same machine in this process: what `apmatrix ls --json` says of it after the same lines.

use std::process::Command;

use ap_apply::tree::Tree as _;
use ap_files::{MachineFile, boot};
use ap_sysfs::{Filesystem as _, Session};
use ap_view::Operation;
use serde_json::Value;

use crate::tree;

/// A machine after these lines.
pub fn after(machine: &MachineFile, lines: &[String]) -> Session {
    let mut session = boot(machine).expect("it boots");
    for line in lines {
        match Operation::parse(line).expect("an operation") {
            Operation::Write { path, text } => drop(session.write(&path, &format!("{text}\n"))),
            Operation::Hw(verb) => drop(session.hw(&verb)),
            Operation::Guest(verb) => drop(session.guest(&verb)),
        }
    }
    session.advance(10_000);
    session
}

/// What `ls --json` says of a machine after these lines.
pub fn ls_after(machine: &str, lines: &[String]) -> Value {
    let mut session = after(&MachineFile::load(machine).expect("a machine"), lines);
    let directory = tempfile::tempdir().expect("a directory");
    tree::write(&mut session, directory.path());
    let mut command = Command::new(env!("CARGO_BIN_EXE_apmatrix"));
    let output = command.args(["ls", "--json", "--root"]).arg(directory.path()).output().expect("it runs");
    serde_json::from_slice(&output.stdout).expect("JSON")
}
