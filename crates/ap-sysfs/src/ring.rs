//! Where a session keeps what happened.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::sync::Arc;

use ap_host::Host;
use ap_task::{Event, Sink, Work};

use crate::front;

/// How many events the control files show at the most.
const KEPT: usize = 4096;
/// How many events wait for a front end at the most; older ones are dropped.
const WAITING: usize = 1 << 18;

/// A sink that keeps the last events, and when background work is due.
pub struct Ring {
    host: Arc<Host>,
    kept: RefCell<VecDeque<Event>>,
    fresh: RefCell<VecDeque<Event>>,
    dropped: Cell<u64>,
    due: RefCell<BTreeMap<Work, u64>>,
}

impl Ring {
    /// An empty ring for a host's events.
    #[must_use]
    pub fn new(host: Arc<Host>) -> Self {
        Ring {
            host,
            kept: RefCell::default(),
            fresh: RefCell::default(),
            dropped: Cell::new(0),
            due: RefCell::default(),
        }
    }

    /// The events since the last question.
    pub fn take(&self) -> Vec<Event> {
        self.fresh.take().into()
    }

    /// Forgets events, and what is due, for whoever restores a snapshot.
    pub fn clear(&self) {
        self.fresh.take();
        self.due.take();
    }

    /// When the next work is due, and which.
    pub fn next_due(&self) -> Option<(u64, Work)> {
        self.due.borrow().iter().map(|(work, at)| (*at, *work)).min()
    }

    /// Takes a work off the list.
    pub fn begin(&self, work: Work) {
        self.due.borrow_mut().remove(&work);
    }

    /// How many events were dropped because nobody asked for them.
    pub fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// The kept events, a line each.
    pub fn events_text(&self) -> String {
        let mut text = String::new();
        for event in self.kept.borrow().iter() {
            let _ = match front::Event::from(event) {
                front::Event::Uevent(uevent) => {
                    let _ = write!(text, "uevent {} {}", uevent.action, uevent.devpath);
                    for (key, value) in &uevent.env {
                        let _ = write!(text, " {key}={}", value.trim_end());
                    }
                    writeln!(text)
                }
                front::Event::Log { level, text: line } => writeln!(text, "log <{level}> {line}"),
                front::Event::Instruction(line) => writeln!(text, "instruction {line}"),
            };
        }
        text
    }

    /// The last log line that says how long a queue's reset takes.
    pub fn last_reset(&self) -> Option<String> {
        self.kept.borrow().iter().rev().find_map(|event| match event {
            Event::Log { text, .. } if text.contains("for reset of queue") => Some(text.clone()),
            _ => None,
        })
    }

    /// The kept log lines.
    pub fn log_text(&self) -> String {
        let mut text = String::new();
        for event in self.kept.borrow().iter() {
            if let Event::Log { level, text: line } = event {
                let _ = writeln!(text, "<{level}>{line}");
            }
        }
        text
    }
}

impl Sink for Ring {
    fn event(&self, event: Event) {
        let mut kept = self.kept.borrow_mut();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(event.clone());
        let mut fresh = self.fresh.borrow_mut();
        if fresh.len() == WAITING {
            fresh.pop_front();
            self.dropped.set(self.dropped.get() + 1);
        }
        fresh.push_back(event);
    }

    fn due(&self, work: Work, in_ms: u64) {
        let at = self.host.clock().now() + in_ms;
        let mut due = self.due.borrow_mut();
        let slot = due.entry(work).or_insert(at);
        // A later request replaces the periodic scan; of the others the first counts.
        if work == Work::Scan || at < *slot {
            *slot = at;
        }
    }
}

impl From<&Event> for front::Event {
    fn from(event: &Event) -> Self {
        match event {
            Event::Uevent(uevent) => front::Event::Uevent(front::Uevent {
                action: uevent.action.word().to_owned(),
                devpath: uevent.subject.devpath(),
                env: uevent.env(),
            }),
            Event::Log { level, text } => front::Event::Log { level: *level, text: text.clone() },
            Event::Instruction(instruction) => front::Event::Instruction(instruction.to_string()),
        }
    }
}
