//! A host that lives on a thread of its own, for whoever shows it.
//!
//! The thread carries out operations, hears what happens, reads again what was touched, and puts the newest moment
//! where everybody can take it. Nobody who shows it can hold it up: a moment that nobody took is replaced by the next.
//!
//! | module | is for | does not know |
//! | --- | --- | --- |
//! | `backend` | what the thread drives, as a trait | which there are |
//! | `machine` | an emulated host in this process | how it is shown |
//! | `lane` | calls that may wait | hosts |
//! | `files` | a tree of files: a real host, a mounted one, a recorded one | how it is shown |
//! | `uevents` | what the kernel tells of devices | hosts |

mod backend;
mod files;
mod lane;
mod machine;
mod uevents;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ap_files::MachineFile;
use ap_view::shown::EVENTS;
use ap_view::{Answer, Happened, Host, Live, Operation, Shown, Touched, read};

use crate::error::CliError;
use crate::live::backend::Backend;
use crate::live::files::Files;
use crate::live::machine::Machine;
use crate::plan::host::unreadable;

/// How long the thread sleeps at most before it listens again.
const TURN: Duration = Duration::from_millis(20);

/// After how long everything is read again at the soonest: not all that happens is told by the host.
const SOONEST: Duration = Duration::from_secs(2);
/// How many times as long as it takes to read everything it is left alone before.
const LEFT_ALONE: u32 = 20;

/// After how long everything is read again, where that takes so long; `longest` at the latest. Of a host of which all is heard
/// that is never.
fn due(takes: Duration, longest: Duration) -> Duration {
    match longest {
        Duration::MAX => Duration::MAX,
        _ => takes.saturating_mul(LEFT_ALONE).clamp(SOONEST.min(longest), longest),
    }
}

/// A host that lives.
pub struct Hosted {
    shared: Arc<Shared>,
    asks: Mutex<Sender<Ask>>,
}

struct Shared {
    now: Mutex<Arc<Shown>>,
    changed: Condvar,
}

/// An operation, and where its answer goes.
struct Ask(Operation, Sender<Answer>);

impl Hosted {
    /// Boots a machine, which lives from now on.
    ///
    /// # Errors
    /// If it does not boot.
    pub fn machine(machine: MachineFile, operable: bool) -> Result<Hosted, CliError> {
        Hosted::start(operable, move || Machine::boot(&machine))
    }

    /// The host whose tree is at `root`. It can be operated only if it is an emulated one, and `operable` says so.
    ///
    /// # Errors
    /// If there is none.
    pub fn root(root: PathBuf, operable: bool) -> Result<Hosted, CliError> {
        let operable = operable && Files::emulated(&root);
        Hosted::start(operable, move || Ok(Files::open(&root)))
    }

    fn start<B: Backend>(
        operable: bool,
        open: impl FnOnce() -> Result<B, CliError> + Send + 'static,
    ) -> Result<Hosted, CliError> {
        let (asks, asked) = channel();
        let (ready, started) = channel();
        // What a session is made of stays on one thread: it is made there.
        thread::spawn(move || {
            let begun = open().and_then(|mut backend| {
                let (name, place) = (backend.name(), backend.place());
                let began = Instant::now();
                let host = read::read(backend.tree(), &name).map_err(|error| unreadable(&place, error))?;
                Ok((backend, host, began.elapsed()))
            });
            match begun {
                Ok((backend, host, takes)) => {
                    let shared = Arc::new(Shared::new(&host, operable));
                    if ready.send(Ok(shared.clone())).is_ok() {
                        Engine { takes, ..Engine::new(backend, host, shared) }.run(&asked);
                    }
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        });
        let gone = || CliError::failed("the host's thread has ended; this is a defect: please report it");
        let shared = started.recv().map_err(|_| gone())??;
        Ok(Hosted { shared, asks: Mutex::new(asks) })
    }
}

impl Shared {
    fn new(host: &Host, operable: bool) -> Shared {
        let shown = Shown {
            moment: 1,
            host: Arc::new(host.clone()),
            events: Arc::default(),
            operable,
            trouble: None,
        };
        Shared { now: Mutex::new(Arc::new(shown)), changed: Condvar::new() }
    }

    /// What a thread that panicked left is whole: moments are put here in one piece.
    fn now(&self) -> MutexGuard<'_, Arc<Shown>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live for Hosted {
    fn now(&self) -> Arc<Shown> {
        self.shared.now().clone()
    }

    fn later(&self, moment: u64, patience: Duration) -> Option<Arc<Shown>> {
        let now = self.shared.now();
        let waited = self.shared.changed.wait_timeout_while(now, patience, |now| now.moment <= moment);
        let (now, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (now.moment > moment).then(|| now.clone())
    }

    fn operate(&self, operation: &Operation) -> Answer {
        if !self.now().operable {
            return Answer::Refused("this host is only read here".to_owned());
        }
        let (answer, answered) = channel();
        let asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sent = asks.send(Ask(operation.clone(), answer));
        let answered = sent.ok().and_then(|()| answered.recv().ok());
        answered.unwrap_or_else(|| Answer::Refused("the host is gone".to_owned()))
    }
}

struct Engine<B> {
    backend: B,
    host: Host,
    shared: Arc<Shared>,
    events: Vec<Happened>,
    count: u64,
    /// What failed to be read; then everything is read again.
    trouble: Option<String>,
    few: Instant,
    everything: Instant,
    /// How long it took to read everything.
    takes: Duration,
}

impl<B: Backend> Engine<B> {
    fn new(backend: B, host: Host, shared: Arc<Shared>) -> Engine<B> {
        let now = Instant::now();
        Engine {
            backend,
            host,
            shared,
            events: Vec::new(),
            count: 0,
            trouble: None,
            few: now,
            everything: now,
            takes: Duration::ZERO,
        }
    }

    /// Lives until nobody can ask any more.
    fn run(mut self, asked: &Receiver<Ask>) {
        loop {
            match asked.recv_timeout(TURN) {
                Ok(Ask(operation, answer)) => {
                    let said = self.backend.operate(&operation);
                    self.look(Some(&operation));
                    let _ = answer.send(said);
                }
                Err(RecvTimeoutError::Timeout) => self.look(None),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Hears what happened, reads again what was touched, and shows it if it is new.
    fn look(&mut self, operated: Option<&Operation>) {
        let mut touched = Touched::default();
        if let Some(operation) = operated {
            touched.operation(operation, &self.host.adapters());
        }
        let lines = self.backend.happened(&mut touched);
        let (few, everything) = self.backend.rhythm();
        touched.everything |= self.everything.elapsed() >= due(self.takes, everything);
        let resets = !self.host.marks.resetting.is_empty();
        if !(operated.is_some()
            || resets
            || !touched.is_empty()
            || !lines.is_empty()
            || self.few.elapsed() >= few)
        {
            return;
        }
        // What was touched when a reading failed has not been read; and what was read before may be half of a host.
        touched.everything |= self.trouble.is_some();
        let before = self.host.clone();
        let began = Instant::now();
        let read = read::refresh(self.backend.tree(), &mut self.host, &touched);
        self.few = Instant::now();
        if touched.everything {
            (self.everything, self.takes) = (self.few, self.few - began);
        }
        let trouble = read.err().map(|error| error.to_string());
        let same = trouble == self.trouble && before == self.host;
        self.trouble = trouble;
        if same && lines.is_empty() {
            return;
        }
        for text in lines {
            self.count += 1;
            self.events.push(Happened { number: self.count, text });
        }
        self.events.drain(..self.events.len().saturating_sub(EVENTS));
        let mut now = self.shared.now();
        let host = if before == self.host { now.host.clone() } else { Arc::new(self.host.clone()) };
        *now = Arc::new(Shown {
            moment: now.moment + 1,
            host,
            events: Arc::new(self.events.clone()),
            operable: now.operable,
            trouble: self.trouble.clone(),
        });
        drop(now);
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests;
