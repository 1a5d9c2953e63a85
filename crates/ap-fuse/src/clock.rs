//! Wakes the thread that sleeps in read(2) on `/dev/fuse` when background work falls due.
//!
//! Polling with a time limit before each read would do, and cost each request another system call. Instead a thread
//! of its own sleeps until then and asks the kernel for a piece of the root directory's (empty) page cache: the
//! kernel's answer is a message to read, and so it can't be missed, whatever the reader is doing meanwhile.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::channel::Outlet;
use crate::wire::Message;

/// After a wake that the kernel did not take.
const AGAIN: Duration = Duration::from_millis(50);

#[derive(Default)]
struct State {
    due: Option<Instant>,
    over: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reader's side; its thread ends with it.
pub struct Clock {
    shared: Arc<Shared>,
    /// The wake that is still to come.
    armed: Option<Instant>,
}

impl Clock {
    /// Starts the thread, which wakes through `outlet`.
    pub fn start(outlet: Arc<dyn Outlet>) -> io::Result<Clock> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new().name("clock".to_owned()).spawn(move || run(&theirs, &*outlet))?;
        Ok(Clock { shared, armed: None })
    }

    /// Has the reader woken at `due` or earlier.
    pub fn arm(&mut self, due: Instant) {
        if self.armed.is_none_or(|armed| due < armed) {
            self.armed = Some(due);
            self.shared.lock().due = Some(due);
            self.shared.changed.notify_one();
        }
    }

    /// The reader was woken.
    pub fn woken(&mut self) {
        self.armed = None;
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_one();
    }
}

fn run(shared: &Shared, outlet: &dyn Outlet) {
    let mut state = shared.lock();
    while !state.over {
        let left = state.due.map(|due| due.saturating_duration_since(Instant::now()));
        state = match left {
            None => shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(Duration::ZERO) => {
                state.due = None;
                drop(state);
                let woken = outlet.send(&mut Message::wake());
                let mut state = shared.lock();
                if let Err(error) = woken {
                    tracing::warn!("the kernel takes no wake: {error}");
                    state.due.get_or_insert(Instant::now() + AGAIN);
                }
                state
            }
            Some(left) => shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
        };
    }
}
