//! One moment of a host that lives, and what such a host is to whoever shows it.

use std::sync::Arc;
use std::time::Duration;

use ap_sysfs::Event;

use crate::host::Host;
use crate::operation::Operation;

/// How many of the last events are shown.
pub const EVENTS: usize = 100;

/// Something that happened, as a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// Counted from 1, in the order in which it happened.
    pub number: u64,
    /// `add card04/04.0006`, or what the kernel logged.
    pub text: String,
}

/// One moment of a host.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Counted from 1: a later moment has a larger number.
    pub moment: u64,
    /// The host.
    pub host: Arc<Host>,
    /// The last events, oldest first.
    pub events: Arc<Vec<Happened>>,
    /// Whether one can operate it.
    pub operable: bool,
    /// Why what is shown is not the newest, if it is not: a sentence.
    pub trouble: Option<String>,
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was done; what it said.
    Done(String),
    /// It has begun, and waits: what became of it will be an event.
    Waits,
    /// It was not done, and why.
    Refused(String),
}

impl Answer {
    /// What is said of [`Answer::Waits`].
    pub const WAITS: &str = "waits: the write has not returned yet";
}

/// A host that lives: it changes by itself, and on being operated.
///
/// Whoever shows it asks for the newest moment, and never keeps it waiting.
pub trait Live: Send + Sync {
    /// The newest moment.
    fn now(&self) -> Arc<Shown>;

    /// The newest moment, as soon as it is later than `moment`; `None` if that has not come within `patience`.
    fn later(&self, moment: u64, patience: Duration) -> Option<Arc<Shown>>;

    /// Carries out an operation, and says what came of it. The moment that [`Live::now`] gives afterwards is one after
    /// it. Whoever asks is not kept: what waits is answered with [`Answer::Waits`].
    fn operate(&self, operation: &Operation) -> Answer;
}

/// An event as a line for people; `None` for what only programs want.
#[must_use]
pub fn line(event: &Event) -> Option<String> {
    match event {
        Event::Uevent(uevent) => Some(uevent_line(&uevent.action, &uevent.devpath, |name| {
            uevent.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim_end().to_owned())
        })),
        Event::Log { text, .. } => Some(text.clone()),
        Event::Instruction(_) => None,
    }
}

/// A device event as a line for people.
#[must_use]
pub fn uevent_line(action: &str, devpath: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let device = devpath.strip_prefix("/devices/").unwrap_or(devpath);
    let device = device.strip_prefix("ap/").unwrap_or(device);
    let mut line = format!("{action} {device}");
    for name in ["DRIVER", "ONLINE", "CONFIG", "INITSCAN", "BINDINGS"] {
        if let Some(value) = variable(name) {
            line.push_str(&format!(" {name}={value}"));
        }
    }
    line
}
