//! An emulated host in this process: machine time passes with the clock on the wall.

use std::time::{Duration, Instant};

use ap_apply::tree::{Kind, Tree};
use ap_files::{MachineFile, boot};
use ap_sysfs::{Event, Filesystem as _, Session};
use ap_view::{Answer, Operation, Touched, shown};

use crate::error::CliError;
use crate::live::backend::Backend;

/// An emulated host.
pub(super) struct Machine {
    session: Session,
    name: String,
    seen: Instant,
}

impl Machine {
    pub(super) fn boot(machine: &MachineFile) -> Result<Machine, CliError> {
        let mut session = boot(machine)?;
        // What happened while it booted is no news.
        session.events();
        session.changes();
        Ok(Machine { session, name: machine.name.clone(), seen: Instant::now() })
    }
}

impl Backend for Machine {
    fn tree(&mut self) -> &mut dyn Tree {
        &mut self.session
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn place(&self) -> String {
        self.name.clone()
    }

    fn happened(&mut self, touched: &mut Touched) -> Vec<String> {
        let milliseconds = u64::try_from(self.seen.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.seen += Duration::from_millis(milliseconds);
        self.session.advance(milliseconds);
        let events = self.session.events();
        self.session.changes();
        for event in &events {
            if let Event::Uevent(uevent) = event {
                touched.add(&uevent.action, &uevent.devpath);
            }
        }
        events.iter().filter_map(shown::line).collect()
    }

    fn operate(&mut self, operation: &Operation) -> Answer {
        match operation {
            Operation::Write { path, text } => match self.session.write(path, &format!("{text}\n")) {
                Ok(()) => Answer::Done(String::new()),
                Err(fault) if fault.kind == Kind::Waits => Answer::Waits,
                Err(fault) => Answer::Refused(format!("{operation}: {}, {}", fault.name, fault.said)),
            },
            Operation::Hw(line) => {
                self.session.hw(line).map_or_else(|e| Answer::Refused(e.text), Answer::Done)
            }
            Operation::Guest(line) => {
                self.session.guest(line).map_or_else(|e| Answer::Refused(e.text), Answer::Done)
            }
        }
    }

    /// Everything that happens here is heard, or was asked for.
    fn rhythm(&self) -> (Duration, Duration) {
        (Duration::from_secs(1), Duration::MAX)
    }
}
