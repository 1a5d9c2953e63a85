//! Hosts to look at: one with every state that a queue can be seen in, and the built-in machines.

use ap_apply::tree::Tree;
use ap_files::{MachineFile, boot};
use ap_sysfs::{Filesystem, Session};
use ap_view::{Host, Operation, read};

/// Carries out an operation.
pub fn operate(session: &mut Session, line: &str) {
    match Operation::parse(line).expect("an operation") {
        Operation::Write { path, text } => session.write(&path, &format!("{text}\n")).expect(line),
        Operation::Hw(verb) => drop(session.hw(&verb).unwrap_or_else(|error| panic!("{line}: {error:?}"))),
        Operation::Guest(verb) => {
            drop(session.guest(&verb).unwrap_or_else(|error| panic!("{line}: {error:?}")))
        }
    }
}

/// A host with every state of a queue.
pub fn every() -> Session {
    let machine = MachineFile::parse("every.toml", include_str!("../data/every.toml")).expect("a machine");
    let mut session = boot(&machine).expect("it boots");
    for line in include_str!("../data/every.txt").lines() {
        operate(&mut session, line);
    }
    session.events();
    session
}

/// A built-in machine.
#[allow(dead_code, reason = "not every test that includes this uses it")]
pub fn machine(name: &str) -> Session {
    boot(&MachineFile::load(name).expect("a machine")).expect("it boots")
}

/// What is read of it.
pub fn host(session: &mut Session) -> Host {
    read::read(session, "host").expect("it can be read")
}
