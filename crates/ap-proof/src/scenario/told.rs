//! What a task tells of itself in a trace: which line of its script it has come to, and what became of queues.
//!
//! It is said as the notes of steps ([`explore::TraceStep::notes`]) when an execution is shown, and read again by whoever
//! shows it. This module knows nothing of how it is shown.

use std::fmt;

use ap_sysfs::Errno;
use ap_task::{Action, Event, Instruction, Subject, Uevent};
use ap_types::Apqn;

/// Something that a task tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A command of this line of its script begins, from 1.
    Line(u32),
    /// A queue is there now, and has no driver yet.
    Came(Apqn),
    /// A queue is gone.
    Went(Apqn),
    /// A driver has the queue now.
    Bound(Apqn, String),
    /// No driver has the queue any more.
    Unbound(Apqn),
    /// A guest's APCB has these queues now; none: it was cleared.
    Given(String, Vec<Apqn>),
    /// The call that was made is refused with this error.
    Answered(Errno),
    /// Something else, in the words of transcripts: an AP instruction and its answer, a log line.
    Said(String),
}

impl Told {
    /// Whether an event tells anything: a uevent that a queue came, went, or changed hands, and all that are none.
    pub(super) fn is_of(event: &Event) -> bool {
        match event {
            Event::Uevent(Uevent { action, subject: Subject::Queue { .. }, .. }) => {
                matches!(action, Action::Add | Action::Remove | Action::Bind | Action::Unbind)
            }
            Event::Uevent(_) => false,
            Event::Instruction(_) | Event::Log { .. } => true,
        }
    }

    /// What an event tells.
    pub(super) fn of(event: &Event) -> Told {
        match event {
            Event::Instruction(Instruction::SetMasks(guest, apcb)) => {
                Told::Given(guest.clone(), apcb.queues().collect())
            }
            Event::Instruction(Instruction::ClearMasks(guest)) => Told::Given(guest.clone(), Vec::new()),
            Event::Instruction(instruction) => Told::Said(instruction.to_string()),
            Event::Uevent(Uevent { action, subject: Subject::Queue { apqn, driver, .. }, .. }) => {
                match (action, driver) {
                    (Action::Add, _) => Told::Came(*apqn),
                    (Action::Remove, _) => Told::Went(*apqn),
                    (Action::Bind, Some(driver)) => Told::Bound(*apqn, driver.to_string()),
                    _ => Told::Unbound(*apqn),
                }
            }
            Event::Uevent(uevent) => Told::Said(format!("{:?} {:?}", uevent.action, uevent.subject)),
            Event::Log { text, .. } => Told::Said(text.clone()),
        }
    }

    /// What a note says: the opposite of its text.
    #[must_use]
    pub fn parse(note: &str) -> Told {
        Told::parsed(note).unwrap_or_else(|| Told::Said(note.to_owned()))
    }

    fn parsed(note: &str) -> Option<Told> {
        let words: Vec<&str> = note.split(' ').collect();
        Some(match words.as_slice() {
            ["answers", name, ..] => Told::Answered(Errno::from_name(name)?),
            ["line", line] => Told::Line(line.parse().ok()?),
            [apqn, "came"] => Told::Came(apqn.parse().ok()?),
            [apqn, "went"] => Told::Went(apqn.parse().ok()?),
            [apqn, "bound", "to", driver] => Told::Bound(apqn.parse().ok()?, (*driver).to_owned()),
            [apqn, "unbound"] => Told::Unbound(apqn.parse().ok()?),
            ["guest", guest, "has", "no", "queue"] => Told::Given((*guest).to_owned(), Vec::new()),
            ["guest", guest, "has", queues @ ..] => {
                let queues = queues.iter().map(|apqn| apqn.parse().ok()).collect::<Option<_>>()?;
                Told::Given((*guest).to_owned(), queues)
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Line(line) => write!(f, "line {line}"),
            Told::Answered(errno) => write!(f, "answers {} ({errno})", errno.name()),
            Told::Came(apqn) => write!(f, "{apqn} came"),
            Told::Went(apqn) => write!(f, "{apqn} went"),
            Told::Bound(apqn, driver) => write!(f, "{apqn} bound to {driver}"),
            Told::Unbound(apqn) => write!(f, "{apqn} unbound"),
            Told::Given(guest, queues) if queues.is_empty() => write!(f, "guest {guest} has no queue"),
            Told::Given(guest, queues) => {
                write!(f, "guest {guest} has")?;
                queues.iter().try_for_each(|apqn| write!(f, " {apqn}"))
            }
            Told::Said(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_as_it_was_meant() {
        let queue: Apqn = "0a.0047".parse().expect("an APQN");
        for told in [
            Told::Line(3),
            Told::Answered(Errno::EBUSY),
            Told::Came(queue),
            Told::Went(queue),
            Told::Bound(queue, "vfio_ap".to_owned()),
            Told::Unbound(queue),
            Told::Given("g1".to_owned(), Vec::new()),
            Told::Given("g1".to_owned(), vec![queue, "04.0006".parse().expect("an APQN")]),
            Told::Said("zapq 0a.0047 rc=00".to_owned()),
            Told::Said("line by line".to_owned()),
            Told::Said(String::new()),
        ] {
            assert_eq!(Told::parse(&told.to_string()), told);
        }
    }
}
